//! Attributes, items, slices and iteration.

use super::ctx::Ctx;
use super::fault::{Fault, Res};
use super::ops;
use super::val::Val;
use crate::value::Key;
use std::sync::Arc;

/// `value.name`: an item of a mapping, an attribute of an object. What is not there is undefined.
pub(super) fn attribute(ctx: &Ctx, value: &Val, name: &Arc<str>) -> Res<Val> {
    let found = match value {
        // Undefined stays undefined however deep one asks: `a.b.c | default('x')` works.
        Val::Missing(_) | Val::Unknown(_) => return Ok(value.clone()),
        Val::Map(m) => m.get_str(ctx, name),
        Val::Object(o) => o.attr(ctx, name)?,
        Val::Tuple(t) if t.field(name).is_some() => t.field(name).cloned(),
        Val::Str(_) | Val::List(_) | Val::Tuple(_) => match name.parse::<i128>() {
            Ok(index) => index_of(ctx, value, index),
            Err(_) => None,
        },
        _ => None,
    };
    Ok(found.unwrap_or_else(|| no_attribute(value, name)))
}

fn no_attribute(value: &Val, name: &str) -> Val {
    let kind = value.type_name();
    Val::Missing(if name.starts_with("__") {
        Fault::undefined(format!(
            "access to attribute '{name}' of '{kind}' object is unsafe."
        ))
    } else {
        Fault::undefined(format!("object of type '{kind}' has no attribute '{name}'"))
    })
}

/// `value[key]`.
pub(super) fn item(ctx: &Ctx, value: &Val, key: &Val) -> Res<Val> {
    if value.is_marker() {
        return Ok(value.clone());
    }
    if key.is_marker() {
        return Ok(key.clone());
    }
    let found = match value {
        Val::Map(m) => m.get(ctx, &key.to_key()?),
        Val::Object(o) => match (key, o.items(ctx)) {
            (Val::Str(name), _) => o.attr(ctx, name)?,
            (Val::Int(i), Some(items)) => at(items.len(), *i).and_then(|i| items.get(i).cloned()),
            _ => None,
        },
        _ => match (key.as_int(), key) {
            (Some(index), _) => index_of(ctx, value, index),
            (None, Val::Str(name)) => return attribute(ctx, value, name),
            _ => None,
        },
    };
    if let Some(found) = found {
        return Ok(found);
    }
    Ok(match key {
        Val::Str(name) => no_attribute(value, name),
        other => Val::Missing(Fault::undefined(format!(
            "object of type '{}' has no attribute {}",
            value.type_name(),
            super::text::repr(ctx, other)?
        ))),
    })
}

/// A position counted from either end.
fn at(len: usize, index: i128) -> Option<usize> {
    let index = if index < 0 {
        index + len as i128
    } else {
        index
    };
    usize::try_from(index).ok().filter(|i| *i < len)
}

fn index_of(ctx: &Ctx, value: &Val, index: i128) -> Option<Val> {
    match value {
        Val::List(l) => l.get(ctx, at(l.len(), index)?),
        Val::Tuple(t) => t.get(at(t.len(), index)?).cloned(),
        Val::Str(s) => {
            let index = at(s.chars().count(), index)?;
            s.chars().nth(index).map(|c| Val::from(c.to_string()))
        }
        _ => None,
    }
}

/// `value[start:stop:step]`.
pub(super) fn slice(ctx: &Ctx, value: &Val, parts: [Option<Val>; 3]) -> Res<Val> {
    if value.is_marker() {
        return Ok(value.clone());
    }
    let mut bounds = [None; 3];
    for (bound, part) in bounds.iter_mut().zip(&parts) {
        *bound = match part {
            None | Some(Val::Null) => None,
            Some(v) => Some(
                v.usable()?
                    .as_int()
                    .ok_or_else(|| Fault::error("slice indices must be integers or None"))?,
            ),
        };
    }
    Ok(match value {
        Val::Str(s) => {
            let chars: Vec<char> = s.chars().collect();
            let picked = picks(chars.len(), bounds)?;
            Val::from(picked.into_iter().map(|i| chars[i]).collect::<String>())
        }
        other => {
            let items = iterate(ctx, other)?;
            let picked = picks(items.len(), bounds)?;
            let items: Vec<Val> = picked.into_iter().map(|i| items[i].clone()).collect();
            match other {
                Val::Tuple(_) => Val::Tuple(items.into()),
                Val::Map(_) => return Err(Fault::error("a dict cannot be sliced")),
                _ => Val::list(items),
            }
        }
    })
}

/// The positions that a slice takes of `len` items.
fn picks(len: usize, [start, stop, step]: [Option<i128>; 3]) -> Res<Vec<usize>> {
    let step = step.unwrap_or(1);
    if step == 0 {
        return Err(Fault::error("slice step cannot be zero"));
    }
    let len = len as i128;
    let (low, high) = if step > 0 { (0, len) } else { (-1, len - 1) };
    let clamp = |bound: Option<i128>, default: i128| match bound {
        None => default,
        Some(b) => (if b < 0 { b.saturating_add(len) } else { b }).clamp(low, high),
    };
    let (mut at, stop) = if step > 0 {
        (clamp(start, 0), clamp(stop, len))
    } else {
        (clamp(start, len - 1), clamp(stop, -1))
    };
    let mut out = Vec::new();
    while if step > 0 { at < stop } else { at > stop } {
        out.extend(usize::try_from(at));
        at = at.saturating_add(step);
    }
    Ok(out)
}

/// What iterating gives: items, keys, characters.
pub(super) fn iterate(ctx: &Ctx, value: &Val) -> Res<Vec<Val>> {
    match value.usable()? {
        Val::List(l) => Ok(l.items(ctx)),
        Val::Tuple(t) => Ok(t.to_vec()),
        Val::Map(m) => Ok(m.keys().into_iter().map(Val::from).collect()),
        Val::Str(s) => Ok(s.chars().map(|c| Val::from(c.to_string())).collect()),
        Val::Object(o) if o.items(ctx).is_some() => Ok(o.items(ctx).unwrap_or_default()),
        other => Err(Fault::error(format!(
            "'{}' object is not iterable",
            other.type_name()
        ))),
    }
}

/// How many items there are.
pub(super) fn length(ctx: &Ctx, value: &Val) -> Res<usize> {
    match value.usable()? {
        Val::List(l) => Ok(l.len()),
        Val::Tuple(t) => Ok(t.len()),
        Val::Map(m) => Ok(m.len()),
        Val::Str(s) => Ok(s.chars().count()),
        Val::Object(o) if o.items(ctx).is_some() => Ok(o.items(ctx).map_or(0, |i| i.len())),
        other => Err(Fault::error(format!(
            "object of type '{}' has no len()",
            other.type_name()
        ))),
    }
}

/// `value.a.b.0`: the path that `map(attribute=…)` and its kin take.
pub(super) fn path(ctx: &Ctx, value: &Val, path: &Val) -> Res<Val> {
    let Val::Str(text) = path.usable()? else {
        return item(ctx, value, path);
    };
    let mut found = value.clone();
    for part in text.split('.') {
        found = match part.parse::<i64>() {
            Ok(index) => by_number(ctx, &found, index, part)?,
            Err(_) => item(ctx, &found, &Val::from(part))?,
        };
    }
    Ok(found)
}

fn by_number(ctx: &Ctx, value: &Val, index: i64, part: &str) -> Res<Val> {
    if let Val::Map(m) = value {
        let key = Key::Int(index);
        let found = m.get(ctx, &key).or_else(|| m.get_str(ctx, part));
        return Ok(found.unwrap_or_else(|| no_attribute(value, part)));
    }
    item(ctx, value, &Val::from(index))
}

/// The entries of a mapping, for filters that want one.
pub(super) fn entries(ctx: &Ctx, value: &Val) -> Res<Option<Vec<(Key, Val)>>> {
    Ok(match value.usable()? {
        Val::Map(m) => Some(m.entries(ctx)),
        Val::Object(o) => match o.plain(ctx) {
            Some(Val::Map(m)) => Some(m.entries(ctx)),
            _ => None,
        },
        _ => None,
    })
}

/// Whether `items` holds a value equal to `item`.
pub(super) fn has(ctx: &Ctx, items: &[Val], item: &Val) -> Res<bool> {
    for candidate in items {
        if ops::equal(ctx, candidate, item)? {
            return Ok(true);
        }
    }
    Ok(false)
}
