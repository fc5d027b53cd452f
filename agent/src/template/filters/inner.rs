//! Filters of `ansible._protomatter`, ansible-core's inner collection: what a value is behind the
//! scenes. Of the tags that ansible-core keeps on values, the origin of some texts is kept here.

use super::super::access;
use super::super::call::Call;
use super::super::compile;
use super::super::fault::{Fault, Res};
use super::super::finish;
use super::super::literals::Backslash;
use super::super::names::INNER;
use super::super::program::{Const, Expr, Kind, Node};
use super::super::text;
use super::super::val::{Val, ValMap};
use super::Filter;
use crate::error::ErrorKind;
use crate::value::TemplateText;
use std::sync::Arc;

pub(super) static TABLE: &[Filter] = &[
    Filter::new(
        "apply_trust",
        &["value"],
        "Text as a template, to be evaluated where it is used.",
        apply_trust,
    )
    .of(INNER),
    Filter::new(
        "dump_object",
        &["value"],
        "An object of the program as plain data.",
        |c| Ok(c.need(0)?.clone()),
    )
    .of(INNER)
    .with_markers(),
    Filter::new(
        "finalize",
        &["value"],
        "The value as it would leave the template.",
        |c| {
            let plain = finish::value(c.ctx, c.need(0)?)?;
            Ok(c.ctx.lift(&plain, &c.ctx.home))
        },
    )
    .of(INNER),
    Filter::new(
        "origin",
        &["value"],
        "Where the text came from, if that is known.",
        |c| Ok(origin(c)?.into()),
    )
    .of(INNER),
    Filter::new(
        "python_literal_eval",
        &["value", "ignore_errors"],
        "The value that a literal of Python means.",
        literal_eval,
    )
    .of(INNER),
    Filter::new(
        "tag_names",
        &["value"],
        "The names of the tags that the value bears.",
        |c| {
            let names = origin(c)?.map(|_| Val::from("Origin"));
            Ok(Val::list(names.into_iter().collect()))
        },
    )
    .of(INNER),
    Filter::new(
        "true_type",
        &["obj"],
        "The name of the value's very type.",
        |c| {
            Ok(Val::from(match c.need(0)? {
                Val::Missing(fault) if fault.kind() == ErrorKind::Undefined => "UndefinedMarker",
                Val::Missing(_) => "CapturedExceptionMarker",
                other => other.type_name(),
            }))
        },
    )
    .of(INNER)
    .with_markers(),
    Filter::new(
        "unmask",
        &["value", "type_names"],
        "The value with objects of these types as they are.",
        unmask,
    )
    .of(INNER),
];

/// Types that ansible-core shows as text where nobody asks for the objects. Here they are text.
const MASKED: [&str; 4] = [
    "DeprecationSummary",
    "EncryptedString",
    "ErrorSummary",
    "WarningSummary",
];

fn origin(c: &Call) -> Res<Option<String>> {
    Ok(match c.need(0)?.usable()? {
        Val::Str(text) => c.ctx.run.origin(text),
        _ => None,
    })
}

fn apply_trust(c: &Call) -> Res<Val> {
    let value = c.need(0)?.usable()?;
    let Val::Str(text) = value else {
        return Ok(value.clone());
    };
    if !crate::value::has_markers(text) {
        c.ctx.outside().note_trusted(text);
        return Ok(value.clone());
    }
    let template = TemplateText {
        text: Arc::clone(text),
        span: None,
    };
    Ok(c.ctx.nested(&Arc::new(template), &c.ctx.home))
}

fn literal_eval(c: &Call) -> Res<Val> {
    let value = c.need(0)?.usable()?;
    let read = || -> Res<Val> {
        let Val::Str(text) = value else {
            return Err(Fault::error("The `value` to eval must be a string."));
        };
        let program = compile::expression(text, Backslash::Escape)?;
        match &program.body[..] {
            [Node::Print(expr)] => literal(expr),
            _ => Err(Fault::error("this is no literal")),
        }
    };
    match read() {
        Err(_) if c.truth_or(1, false)? => Ok(value.clone()),
        result => result,
    }
}

fn literal(expr: &Expr) -> Res<Val> {
    let all = |items: &[Expr]| items.iter().map(literal).collect::<Res<Vec<_>>>();
    Ok(match &expr.kind {
        Kind::Const(Const::Null) => Val::Null,
        Kind::Const(Const::Bool(b)) => Val::Bool(*b),
        Kind::Const(Const::Int(i)) => Val::Int(*i),
        Kind::Const(Const::Float(f)) => Val::Float(*f),
        Kind::Const(Const::Str(s)) | Kind::Embedded(s) => Val::Str(Arc::clone(s)),
        Kind::List(items) => Val::list(all(items)?),
        Kind::Tuple(items) => Val::Tuple(all(items)?.into()),
        Kind::Map(pairs) => {
            let mut map = ValMap::new();
            for (key, value) in pairs {
                map.insert(literal(key)?.to_key()?, literal(value)?);
            }
            Val::map(map)
        }
        Kind::Negative(inner) => match literal(inner)? {
            Val::Int(i) => Val::Int(-i),
            Val::Float(f) => Val::Float(-f),
            _ => return Err(Fault::error("this is no literal")),
        },
        _ => return Err(Fault::error("this is no literal")),
    })
}

fn unmask(c: &Call) -> Res<Val> {
    let names = match c.need(1)?.usable()? {
        name @ Val::Str(_) => vec![name.clone()],
        list @ Val::List(_) => access::iterate(c.ctx, list)?,
        other => {
            return Err(Fault::error(format!(
                "the argument 'type_names' must be of type 'str' or 'list', not '{}'",
                other.type_name()
            )));
        }
    };
    let mut unknown = Vec::new();
    for name in &names {
        let name = text::to_text(c.ctx, name)?;
        if !MASKED.contains(&&*name) {
            unknown.push(name);
        }
    }
    if !unknown.is_empty() {
        return Err(Fault::error(format!(
            "Unknown type name(s): {}",
            unknown.join(", ")
        )));
    }
    Ok(c.need(0)?.clone())
}
