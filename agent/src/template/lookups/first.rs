//! The lookup `first_found`.

use super::super::access;
use super::super::fault::{Fault, Res};
use super::super::filters::{expand_user, normal_path};
use super::super::text;
use super::super::val::Val;
use super::glob::is_there;
use super::{Look, Lookup};
use crate::error::ErrorKind;
use std::path::Path;

pub(super) static TABLE: &[Lookup] = &[Lookup::new(
    "first_found",
    &["files", "paths", "skip"],
    "The first of several files that is there.",
    first_found,
)
.with_markers()];

/// A term without what is undefined, which `with_first_found` passes over. Elsewhere it is an error.
fn defined(l: &Look, value: &Val) -> Res<Option<Val>> {
    Ok(match value {
        Val::Missing(fault) if l.with.is_some() && fault.kind() == ErrorKind::Undefined => None,
        Val::List(_) | Val::Tuple(_) => {
            let mut kept = Vec::new();
            for item in access::iterate(l.ctx, value)? {
                kept.extend(defined(l, &item)?);
            }
            Some(Val::list(kept))
        }
        Val::Map(map) => {
            let mut kept = Vec::new();
            for (key, item) in map.entries(l.ctx) {
                kept.extend(defined(l, &item)?.map(|item| (key, item)));
            }
            Some(Val::map(kept.into_iter().collect()))
        }
        other => Some(other.usable()?.clone()),
    })
}

/// The texts of an option; one text may hold several, between separators.
fn split(l: &Look, value: Option<&Val>, separators: &[char]) -> Res<Vec<String>> {
    let mut out = Vec::new();
    match value {
        None | Some(Val::Null) => {}
        Some(list @ (Val::List(_) | Val::Tuple(_))) => {
            for item in access::iterate(l.ctx, list)? {
                out.extend(split(l, Some(&item), separators)?);
            }
        }
        Some(value) => {
            let text = text::to_text(l.ctx, value)?;
            out.extend(text.split(separators).map(str::to_owned));
        }
    }
    Ok(out)
}

/// Adds the names of files that the terms stand for. A mapping sets the options anew.
fn candidates(l: &mut Look, terms: &[Val], out: &mut Vec<String>) -> Res<()> {
    for term in terms {
        let files = match term {
            Val::Map(map) => {
                l.options = map
                    .entries(l.ctx)
                    .into_iter()
                    .map(|(key, value)| (key.to_string().into(), value))
                    .collect();
                l.option("files").cloned().unwrap_or(Val::Null)
            }
            Val::Str(_) => term.clone(),
            Val::List(_) | Val::Tuple(_) => {
                candidates(l, &access::iterate(l.ctx, term)?, out)?;
                continue;
            }
            other => {
                return Err(Fault::error(format!(
                    "Invalid term supplied. A string, dict or list is required, not '{}'.",
                    other.type_name()
                )));
            }
        };
        let files = split(l, Some(&files), &[',', ';'])?;
        let paths = split(l, l.option("paths"), &[',', ':', ';'])?;
        for path in &paths {
            let within = |file: &String| match file.starts_with('/') {
                true => file.clone(),
                false => format!("{}/{file}", path.trim_end_matches('/')),
            };
            out.extend(files.iter().map(within));
        }
        if paths.is_empty() {
            out.extend(files);
        }
    }
    Ok(())
}

fn first_found(l: &Look) -> Res<Vec<Val>> {
    let mut look = l.copy();
    for (_, value) in &l.options {
        value.usable()?;
    }
    let terms = match &l.terms[..] {
        [] => look.option("files").cloned().into_iter().collect(),
        terms => {
            let terms = terms.iter().map(|term| defined(l, term));
            terms.filter_map(Res::transpose).collect::<Res<Vec<_>>>()?
        }
    };
    let mut names = Vec::new();
    candidates(&mut look, &terms, &mut names)?;
    // Where `with_first_found` looks hangs on what the task does.
    let folder = l.with.map(|action| {
        let named = ["template", "var"]
            .iter()
            .find(|part| action.contains(**part));
        format!("{}s", named.unwrap_or(&"file"))
    });
    for name in &names {
        let name = expand_user(l.ctx, name)?;
        let path = Path::new(&name);
        let found = if path.is_absolute() {
            is_there(l.ctx, path).then(|| path.to_path_buf())
        } else {
            let folder = folder.as_deref().unwrap_or_default();
            l.ctx.outside().find(folder, &name, &*l.ctx.home)
        };
        if let Some(path) = found {
            return Ok(vec![Val::from(normal_path(&path.to_string_lossy()))]);
        }
    }
    if look.flag("skip", false)? {
        return Ok(Vec::new());
    }
    Err(Fault::error(format!(
        "No file was found when using first_found. It was asked for {}",
        match names.is_empty() {
            true => "no names".to_owned(),
            false => names.join(", "),
        }
    ))
    .hint("`skip: true` makes this no error"))
}
