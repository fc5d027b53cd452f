//! Filters about what a value is: `default`, `bool`, `int`, `ternary`, `mandatory` …

use super::super::access;
use super::super::call::Call;
use super::super::ctx::Ctx;
use super::super::fault::{Fault, Res};
use super::super::ops;
use super::super::text;
use super::super::val::Val;
use super::Filter;
use crate::error::ErrorKind;

pub(super) static TABLE: &[Filter] = &[
    Filter::new(
        "default",
        &["value", "default_value", "boolean"],
        "Another value where there is none.",
        default,
    )
    .with_markers(),
    Filter::new(
        "d",
        &["value", "default_value", "boolean"],
        "As `default`.",
        default,
    )
    .with_markers(),
    Filter::new(
        "mandatory",
        &["value", "msg"],
        "Fails where there is no value.",
        mandatory,
    )
    .with_markers(),
    Filter::new(
        "ternary",
        &["value", "true_val", "false_val", "none_val"],
        "One value if true, another if false.",
        ternary,
    )
    .with_markers(),
    Filter::new(
        "bool",
        &["value"],
        "As a truth value: `yes`, `on`, `1` and `true` are true.",
        |c| boolean(c.ctx, c.need(0)?),
    ),
    Filter::new(
        "int",
        &["value", "default", "base"],
        "As a whole number.",
        int,
    ),
    Filter::new(
        "float",
        &["value", "default"],
        "As a number with a fraction.",
        float,
    ),
    Filter::new("string", &["value"], "As text.", |c| {
        c.text(0).map(Val::from)
    }),
    Filter::new("list", &["value"], "As a list.", |c| {
        c.items(0).map(Val::list)
    }),
    Filter::new(
        "type_debug",
        &["value"],
        "The name of the value's type in Python.",
        |c| Ok(Val::from(c.need(0)?.type_name())),
    )
    .with_markers(),
    Filter::new(
        "attr",
        &["value", "name"],
        "The attribute of that name.",
        attr,
    ),
    Filter::new(
        "length",
        &["value"],
        "How many items or characters there are.",
        |c| access::length(c.ctx, c.need(0)?).map(Val::from),
    ),
    Filter::new("count", &["value"], "As `length`.", |c| {
        access::length(c.ctx, c.need(0)?).map(Val::from)
    }),
];

fn default(c: &Call) -> Res<Val> {
    let value = c.need(0)?;
    let replace = match value {
        // A failed evaluation is not an undefined value: it stays a failure.
        Val::Missing(fault) if fault.kind() == ErrorKind::Undefined => true,
        Val::Missing(_) | Val::Unknown(_) => return Ok(value.clone()),
        value => c.truth_or(2, false)? && !ops::truth(c.ctx, value)?,
    };
    Ok(if replace {
        c.get(1).cloned().unwrap_or_else(|| Val::from(""))
    } else {
        value.clone()
    })
}

fn mandatory(c: &Call) -> Res<Val> {
    match c.need(0)? {
        Val::Missing(fault) if fault.kind() == ErrorKind::Undefined => {
            let message = match (c.opt_text(1)?, fault.variable()) {
                (Some(message), _) => message,
                (None, Some(name)) => format!("Mandatory variable '{name}' not defined."),
                (None, None) => format!("Mandatory variable not defined: {}", fault.message()),
            };
            Err(Fault::error(message))
        }
        value => Ok(value.clone()),
    }
}

fn ternary(c: &Call) -> Res<Val> {
    let value = c.need(0)?;
    if value.is_marker() {
        return Ok(value.clone());
    }
    if let (Val::Null, Some(none)) = (value, c.given(3)) {
        return Ok(none.clone());
    }
    Ok(if ops::truth(c.ctx, value)? {
        c.need(1)?.clone()
    } else {
        c.need(2)?.clone()
    })
}

/// What Ansible takes for true.
pub(in super::super) fn boolean(ctx: &Ctx, value: &Val) -> Res<Val> {
    let text = match value.usable()? {
        Val::Bool(_) => return Ok(value.clone()),
        Val::Null => return Ok(Val::Bool(false)),
        Val::Int(i) => return Ok(Val::Bool(*i == 1)),
        Val::Float(f) => return Ok(Val::Bool(*f == 1.0)),
        other => text::to_text(ctx, other)?.to_lowercase(),
    };
    let yes = matches!(
        text.as_str(),
        "y" | "yes" | "on" | "1" | "true" | "t" | "1.0"
    );
    Ok(Val::Bool(yes))
}

fn int(c: &Call) -> Res<Val> {
    let fallback = c.get(1).cloned().unwrap_or(Val::Int(0));
    let base = u32::try_from(c.int_or(2, 10)?).unwrap_or(10);
    Ok(match c.need(0)?.usable()? {
        Val::Float(f) if f.is_finite() => Val::Int(*f as i128),
        Val::Str(s) => match parse_int(s, base) {
            Some(i) => Val::Int(i),
            None => match s.trim().parse::<f64>() {
                Ok(f) if f.is_finite() => Val::Int(f as i128),
                _ => fallback,
            },
        },
        other => other.as_int().map_or(fallback, Val::Int),
    })
}

/// Python's `int(text, base)`.
fn parse_int(text: &str, base: u32) -> Option<i128> {
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix(['-', '+']) {
        Some(digits) => (text.starts_with('-'), digits),
        None => (false, text),
    };
    let lower = digits.to_lowercase();
    let prefixed = [("0x", 16), ("0o", 8), ("0b", 2)]
        .iter()
        .find_map(|(p, b)| {
            (base == 0 || base == *b)
                .then(|| lower.strip_prefix(p))
                .flatten()
                .map(|d| (d, *b))
        });
    let (digits, base) = prefixed.unwrap_or((&lower, if base == 0 { 10 } else { base }));
    if !(2..=36).contains(&base) || digits.starts_with('_') || digits.ends_with('_') {
        return None;
    }
    let value = i128::from_str_radix(&digits.replace('_', ""), base).ok()?;
    // A second sign is none of Python's.
    (!digits.starts_with(['-', '+'])).then_some(if negative { -value } else { value })
}

fn float(c: &Call) -> Res<Val> {
    let fallback = c.get(1).cloned().unwrap_or(Val::Float(0.0));
    Ok(match c.need(0)?.usable()? {
        Val::Str(s) => s
            .trim()
            .replace('_', "")
            .parse()
            .map_or(fallback, Val::Float),
        other => other.as_float().map_or(fallback, Val::Float),
    })
}

/// An attribute, never an item: entries of a mapping are no attributes.
fn attr(c: &Call) -> Res<Val> {
    let (value, name) = (c.need(0)?, c.text(1)?);
    if let Val::Map(_) = value.usable()? {
        return Ok(Val::Missing(Fault::undefined(format!(
            "object of type 'dict' has no attribute '{name}'"
        ))));
    }
    access::attribute(c.ctx, value, &name.into())
}
