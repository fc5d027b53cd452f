//! Tests of `ansible._protomatter`, ansible-core's inner collection.

use super::super::call::Call;
use super::super::fault::{Fault, Res};
use super::super::names::INNER;
use super::super::val::Val;
use super::Test;

pub(super) static TABLE: &[Test] = &[
    Test::new(
        "tagged",
        &["value"],
        "Whether the value bears any tag.",
        |c| Ok(Val::Bool(has_origin(c)?)),
    )
    .of(INNER),
    Test::new(
        "tagged_with",
        &["value", "tag_name"],
        "Whether the value bears this tag.",
        tagged_with,
    )
    .of(INNER),
];

/// The tags that ansible-core knows. Only `Origin` and `TrustedAsTemplate` are kept here.
const TAGS: [&str; 6] = [
    "Deprecated",
    "Origin",
    "SourceWasEncrypted",
    "TrustedAsTemplate",
    "VaultedValue",
    "_JinjaConstTemplate",
];

fn has_origin(c: &Call) -> Res<bool> {
    Ok(match c.need(0)?.usable()? {
        Val::Str(text) => c.ctx.run.origin(text).is_some(),
        _ => false,
    })
}

fn tagged_with(c: &Call) -> Res<Val> {
    let name = c.text(1)?;
    if !TAGS.contains(&&*name) {
        return Err(Fault::error(format!("Unknown tag name '{name}'.")));
    }
    Ok(Val::Bool(match &*name {
        "Origin" => has_origin(c)?,
        "TrustedAsTemplate" => {
            let text = c.need(0)?.usable()?.as_str();
            text.is_some_and(|text| c.ctx.outside().was_trusted(text))
        }
        _ => false,
    }))
}
