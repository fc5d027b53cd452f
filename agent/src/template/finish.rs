//! From what an evaluation gave to a [`Value`] that leaves the template.

use super::ctx::Ctx;
use super::fault::{Fault, Res};
use super::text;
use super::val::Val;
use crate::value::{Map, Value};
use std::sync::Arc;

/// Containers that hold themselves must end somewhere.
const MAX_DEPTH: usize = 100;

/// The value as plain data: everything inside is evaluated, tuples become lists, what is omitted
/// is left out. A part that check mode cannot know stays unknown; the whole must be known.
pub(super) fn value(ctx: &Ctx, value: &Val) -> Res<Value> {
    plain(ctx, value.usable()?, 0)
}

fn plain(ctx: &Ctx, value: &Val, depth: usize) -> Res<Value> {
    if depth > MAX_DEPTH {
        return Err(Fault::error("a container holds itself"));
    }
    Ok(match value {
        Val::Null => Value::Null,
        Val::Bool(b) => Value::Bool(*b),
        Val::Int(i) => i64::try_from(*i).map_or_else(|_| Value::Float(*i as f64), Value::Int),
        Val::Float(f) => Value::Float(*f),
        Val::Str(s) => Value::Str(Arc::clone(s)),
        Val::List(l) => match l.untouched() {
            Some(same) => Value::List(same),
            None => items(ctx, &l.items(ctx), depth)?,
        },
        Val::Tuple(t) => items(ctx, t, depth)?,
        Val::Map(m) => match m.untouched() {
            Some(same) => Value::Map(same),
            None => {
                let mut map = Map::with_capacity(m.len());
                for (key, value) in m.entries(ctx) {
                    if !matches!(value, Val::Omit) {
                        map.insert(key, plain(ctx, &value, depth + 1)?);
                    }
                }
                Value::map(map)
            }
        },
        Val::Omit => Value::Omit,
        Val::Missing(fault) => return Err(fault.clone()),
        Val::Unknown(why) => Value::Unknown(Arc::clone(why)),
        Val::Object(object) => match object.plain(ctx) {
            Some(value) => plain(ctx, &value, depth + 1)?,
            None => {
                return Err(Fault::error(format!(
                    "a template cannot give a value of type '{}'",
                    object.type_name()
                ))
                .hint("call it, or take one of its attributes"));
            }
        },
    })
}

fn items(ctx: &Ctx, items: &[Val], depth: usize) -> Res<Value> {
    let kept = items.iter().filter(|v| !matches!(v, Val::Omit));
    kept.map(|v| plain(ctx, v, depth + 1))
        .collect::<Res<Vec<_>>>()
        .map(Value::list)
}

/// Joins what a template printed: one part keeps its type, more parts give text. `None` prints
/// nothing. The first part that is undefined is the result.
pub(super) fn concat(ctx: &Ctx, mut parts: Vec<Val>) -> Res<Val> {
    parts.retain(|p| !matches!(p, Val::Null));
    if parts.len() < 2 {
        return Ok(parts.pop().unwrap_or(Val::Null));
    }
    let mut out = String::new();
    for part in &parts {
        match part {
            Val::Str(s) => out.push_str(s),
            Val::Omit => {}
            Val::Missing(fault) if fault.is_blank() => {}
            Val::Missing(_) | Val::Unknown(_) => return Ok(part.clone()),
            other => out.push_str(&text::printed(ctx, other)?),
        }
    }
    Ok(Val::from(out))
}

/// Puts back line breaks at the end of the template that are missing at the end of the result.
pub(super) fn with_newlines(value: Val, wanted: usize, newline: &str) -> Val {
    let Val::Str(text) = &value else {
        return value;
    };
    let has = text.len() - text.trim_end_matches('\n').len();
    if wanted <= has {
        return value;
    }
    Val::from(format!("{text}{}", newline.repeat(wanted - has)))
}
