//! Python's methods on text, lists and mappings.

mod dict;
mod list;
pub(super) mod percent;
pub(super) mod strformat;
mod string;

use super::ctx::Ctx;
use super::fault::{Fault, Res};
use super::val::{Args, Val};

pub(super) use dict::call as dict;

/// Calls `value.name(args)`, or gives nothing if it has no such method.
pub(super) fn call(ctx: &Ctx, value: &Val, name: &str, args: &Args) -> Option<Res<Val>> {
    match value {
        Val::Str(s) => string::call(ctx, s, name, args),
        Val::List(_) | Val::Tuple(_) => list::call(ctx, value, name, args),
        Val::Map(_) => dict::call(ctx, value, name, args),
        Val::Object(o) => o.method(ctx, name, args),
        Val::Int(i) => integer(*i, name),
        Val::Float(f) => (name == "is_integer").then(|| Ok(Val::Bool(f.fract() == 0.0))),
        _ => None,
    }
}

fn integer(i: i128, name: &str) -> Option<Res<Val>> {
    let magnitude = i.unsigned_abs();
    match name {
        "bit_length" => Some(Ok(Val::Int((128 - magnitude.leading_zeros()).into()))),
        "bit_count" => Some(Ok(Val::Int(magnitude.count_ones().into()))),
        _ => None,
    }
}

/// Positional or named argument of a method.
pub(super) fn argument<'a>(args: &'a Args, i: usize, name: &str) -> Option<&'a Val> {
    let named = args.named.iter().find(|(n, _)| **n == *name);
    args.pos.get(i).or(named.map(|(_, v)| v))
}

/// An argument that must be there.
pub(super) fn required(args: &Args, i: usize) -> Res<&Val> {
    args.pos
        .get(i)
        .ok_or_else(|| Fault::error(format!("takes at least {} arguments", i + 1)))
}
