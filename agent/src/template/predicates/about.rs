//! Tests of what a value is, how two compare, and what is at a path.

use super::super::access;
use super::super::call::Call;
use super::super::fault::{Fault, Res};
use super::super::filters;
use super::super::globals::Range;
use super::super::ops;
use super::super::program::Compare;
use super::super::val::Val;
use super::Test;
use crate::error::ErrorKind;
use crate::playbook::vault;

pub(super) static TABLE: &[Test] = &[
    Test::new(
        "defined",
        &["value"],
        "Whether there is such a variable.",
        |c| defined(c, true),
    )
    .with_markers(),
    Test::new(
        "undefined",
        &["value"],
        "Whether there is no such variable.",
        |c| defined(c, false),
    )
    .with_markers(),
    Test::new("none", &["value"], "Whether it is `None`.", |c| {
        kind(c, |v| matches!(v, Val::Null))
    }),
    Test::new("boolean", &["value"], "Whether it is true or false.", |c| {
        kind(c, |v| matches!(v, Val::Bool(_)))
    }),
    Test::new("true", &["value"], "Whether it is `true`.", |c| {
        kind(c, |v| matches!(v, Val::Bool(true)))
    }),
    Test::new("false", &["value"], "Whether it is `false`.", |c| {
        kind(c, |v| matches!(v, Val::Bool(false)))
    }),
    Test::new(
        "integer",
        &["value"],
        "Whether it is a whole number.",
        |c| kind(c, |v| matches!(v, Val::Int(_))),
    ),
    Test::new(
        "float",
        &["value"],
        "Whether it is a number with a fraction.",
        |c| kind(c, |v| matches!(v, Val::Float(_))),
    ),
    Test::new("number", &["value"], "Whether it is a number.", |c| {
        kind(c, |v| v.as_float().is_some())
    }),
    Test::new("string", &["value"], "Whether it is text.", |c| {
        kind(c, |v| matches!(v, Val::Str(_)))
    }),
    Test::new("mapping", &["value"], "Whether it is a mapping.", |c| {
        Ok(Val::Bool(access::entries(c.ctx, c.need(0)?)?.is_some()))
    }),
    Test::new(
        "sequence",
        &["value"],
        "Whether it has a length and items: lists, text and mappings do.",
        |c| {
            kind(c, |v| {
                matches!(v, Val::List(_) | Val::Tuple(_) | Val::Str(_) | Val::Map(_))
                    || v.downcast::<Range>().is_some()
            })
        },
    ),
    Test::new(
        "iterable",
        &["value"],
        "Whether one can loop over it.",
        |c| Ok(Val::Bool(access::iterate(c.ctx, c.need(0)?).is_ok())),
    ),
    Test::new("callable", &["value"], "Whether it can be called.", |c| {
        kind(
            c,
            |v| matches!(v, Val::Object(o) if matches!(o.type_name(), "function" | "Macro")),
        )
    }),
    Test::new(
        "sameas",
        &["value", "other"],
        "Whether both are the same object.",
        same,
    ),
    Test::new(
        "escaped",
        &["value"],
        "Whether it is escaped; nothing is.",
        |_| Ok(Val::Bool(false)),
    ),
    Test::new(
        "filter",
        &["name"],
        "Whether there is such a filter.",
        |c| Ok(Val::Bool(filters::find(&c.text(0)?).is_some())),
    ),
    Test::new("test", &["name"], "Whether there is such a test.", |c| {
        Ok(Val::Bool(super::find(&c.text(0)?).is_some()))
    }),
    Test::new("even", &["value"], "Whether it is even.", |c| {
        Ok(Val::Bool(c.int(0)?.rem_euclid(2) == 0))
    }),
    Test::new("odd", &["value"], "Whether it is odd.", |c| {
        Ok(Val::Bool(c.int(0)?.rem_euclid(2) == 1))
    }),
    Test::new(
        "divisibleby",
        &["value", "num"],
        "Whether it can be divided by a number.",
        |c| {
            let (value, by) = (c.int(0)?, c.int(1)?);
            if by == 0 {
                return Err(Fault::error("integer modulo by zero"));
            }
            Ok(Val::Bool(value % by == 0))
        },
    ),
    Test::new(
        "lower",
        &["value"],
        "Whether it is in small letters.",
        |c| method(c, "islower"),
    ),
    Test::new("upper", &["value"], "Whether it is in capitals.", |c| {
        method(c, "isupper")
    }),
    Test::new("eq", &["a", "b"], "Whether both are equal.", |c| {
        compare(c, Compare::Eq)
    }),
    Test::new("equalto", &["a", "b"], "Whether both are equal.", |c| {
        compare(c, Compare::Eq)
    }),
    Test::new("==", &["a", "b"], "Whether both are equal.", |c| {
        compare(c, Compare::Eq)
    }),
    Test::new("ne", &["a", "b"], "Whether they differ.", |c| {
        compare(c, Compare::Ne)
    }),
    Test::new("!=", &["a", "b"], "Whether they differ.", |c| {
        compare(c, Compare::Ne)
    }),
    Test::new("lt", &["a", "b"], "Whether it is less.", |c| {
        compare(c, Compare::Lt)
    }),
    Test::new("lessthan", &["a", "b"], "Whether it is less.", |c| {
        compare(c, Compare::Lt)
    }),
    Test::new("<", &["a", "b"], "Whether it is less.", |c| {
        compare(c, Compare::Lt)
    }),
    Test::new("le", &["a", "b"], "Whether it is not more.", |c| {
        compare(c, Compare::Le)
    }),
    Test::new("<=", &["a", "b"], "Whether it is not more.", |c| {
        compare(c, Compare::Le)
    }),
    Test::new("gt", &["a", "b"], "Whether it is more.", |c| {
        compare(c, Compare::Gt)
    }),
    Test::new("greaterthan", &["a", "b"], "Whether it is more.", |c| {
        compare(c, Compare::Gt)
    }),
    Test::new(">", &["a", "b"], "Whether it is more.", |c| {
        compare(c, Compare::Gt)
    }),
    Test::new("ge", &["a", "b"], "Whether it is not less.", |c| {
        compare(c, Compare::Ge)
    }),
    Test::new(">=", &["a", "b"], "Whether it is not less.", |c| {
        compare(c, Compare::Ge)
    }),
    Test::new(
        "in",
        &["item", "container"],
        "Whether a container holds it.",
        |c| compare(c, Compare::In),
    ),
    Test::new(
        "contains",
        &["container", "item"],
        "Whether it holds an item.",
        |c| ops::contains(c.ctx, c.need(0)?, c.need(1)?).map(Val::Bool),
    ),
    Test::new(
        "subset",
        &["a", "b"],
        "Whether all its items are in another list.",
        |c| within(c, 0, 1),
    ),
    Test::new("issubset", &["a", "b"], "As `subset`.", |c| within(c, 0, 1)),
    Test::new(
        "superset",
        &["a", "b"],
        "Whether it has all items of another list.",
        |c| within(c, 1, 0),
    ),
    Test::new("issuperset", &["a", "b"], "As `superset`.", |c| {
        within(c, 1, 0)
    }),
    Test::new("any", &["items"], "Whether an item is true.", |c| {
        quantified(c, true)
    }),
    Test::new("all", &["items"], "Whether all items are true.", |c| {
        quantified(c, false)
    }),
    Test::new("nan", &["value"], "Whether it is not a number.", |c| {
        kind(c, |v| matches!(v, Val::Float(f) if f.is_nan()))
    }),
    Test::new("isnan", &["value"], "As `nan`.", |c| {
        kind(c, |v| matches!(v, Val::Float(f) if f.is_nan()))
    }),
    Test::new(
        "truthy",
        &["value", "convert_bool"],
        "Whether Python takes it for true.",
        |c| truthy(c).map(Val::Bool),
    ),
    Test::new(
        "falsy",
        &["value", "convert_bool"],
        "Whether Python takes it for false.",
        |c| truthy(c).map(|t| Val::Bool(!t)),
    ),
    Test::new(
        "vault_encrypted",
        &["value"],
        "Whether it is vaulted text, or what a vaulted value of this run holds.",
        |c| {
            let text = c.need(0)?.as_str();
            let is_one = |text: &str| vault::is_vault(text) || c.ctx.outside().was_vaulted(text);
            Ok(Val::Bool(text.is_some_and(is_one)))
        },
    ),
];

fn kind(c: &Call, test: fn(&Val) -> bool) -> Res<Val> {
    Ok(Val::Bool(test(c.need(0)?)))
}

/// A failed evaluation is neither defined nor undefined: it stays a failure.
fn defined(c: &Call, wanted: bool) -> Res<Val> {
    match c.need(0)? {
        Val::Missing(fault) if fault.kind() == ErrorKind::Undefined => Ok(Val::Bool(!wanted)),
        Val::Missing(fault) => Err(fault.clone()),
        _ => Ok(Val::Bool(wanted)),
    }
}

fn same(c: &Call) -> Res<Val> {
    let (a, b) = (c.need(0)?, c.need(1)?);
    Ok(Val::Bool(match (a, b) {
        (Val::List(a), Val::List(b)) => a.same(b),
        (Val::Map(a), Val::Map(b)) => a.same(b),
        (a, b) => a.type_name() == b.type_name() && ops::equal(c.ctx, a, b)?,
    }))
}

fn method(c: &Call, name: &str) -> Res<Val> {
    let value = Val::from(c.text(0)?);
    let found = super::super::methods::call(c.ctx, &value, name, &Default::default());
    found.unwrap_or(Ok(Val::Bool(false)))
}

fn compare(c: &Call, op: Compare) -> Res<Val> {
    ops::compare(c.ctx, op, c.need(0)?, c.need(1)?).map(Val::Bool)
}

fn within(c: &Call, inner: usize, outer: usize) -> Res<Val> {
    let outer = c.items(outer)?;
    for item in c.items(inner)? {
        if !access::has(c.ctx, &outer, &item)? {
            return Ok(Val::Bool(false));
        }
    }
    Ok(Val::Bool(true))
}

fn quantified(c: &Call, decides: bool) -> Res<Val> {
    for item in c.items(0)? {
        if ops::truth(c.ctx, &item)? == decides {
            return Ok(Val::Bool(decides));
        }
    }
    Ok(Val::Bool(!decides))
}

fn truthy(c: &Call) -> Res<bool> {
    let value = c.need(0)?;
    if !c.truth_or(1, false)? {
        return ops::truth(c.ctx, value);
    }
    // Only what reads as a truth value is converted.
    let text = match value {
        Val::Str(s) => s.to_lowercase(),
        _ => return ops::truth(c.ctx, value),
    };
    Ok(match text.as_str() {
        "y" | "yes" | "on" | "1" | "true" | "t" => true,
        "n" | "no" | "off" | "0" | "false" | "f" => false,
        _ => !text.is_empty(),
    })
}
