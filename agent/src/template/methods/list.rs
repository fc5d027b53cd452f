//! Methods of lists and tuples.

use super::super::access;
use super::super::ctx::Ctx;
use super::super::fault::{Fault, Res};
use super::super::ops;
use super::super::val::{Args, List, Val};
use super::{argument, required};

/// `value.name(args)`.
pub(super) fn call(ctx: &Ctx, value: &Val, name: &str, args: &Args) -> Option<Res<Val>> {
    match name {
        "index" => return Some(index(ctx, value, args)),
        "count" => return Some(count(ctx, value, args)),
        _ => {}
    }
    let Val::List(list) = value else {
        return None;
    };
    Some(match name {
        "append" => required(args, 0).map(|item| {
            list.change(ctx, |l| l.push(item.clone()));
            Val::Null
        }),
        "extend" => required(args, 0)
            .and_then(|more| access::iterate(ctx, more))
            .map(|more| {
                list.change(ctx, |l| l.extend(more));
                Val::Null
            }),
        "insert" => insert(ctx, list, args),
        "pop" => pop(ctx, list, args),
        "remove" => remove(ctx, list, args),
        "reverse" => {
            list.change(ctx, |l| l.reverse());
            Ok(Val::Null)
        }
        "clear" => {
            list.change(ctx, Vec::clear);
            Ok(Val::Null)
        }
        "copy" => Ok(Val::list(list.items(ctx))),
        "sort" => sort(ctx, list, args),
        _ => return None,
    })
}

fn index(ctx: &Ctx, value: &Val, args: &Args) -> Res<Val> {
    let wanted = required(args, 0)?;
    let start = args.pos.get(1).and_then(Val::as_int).unwrap_or(0);
    let items = access::iterate(ctx, value)?;
    let start = usize::try_from(start.max(0)).unwrap_or(0);
    for (i, item) in items.iter().enumerate().skip(start) {
        if ops::equal(ctx, item, wanted)? {
            return Ok(Val::from(i));
        }
    }
    let name = super::super::text::repr(ctx, wanted)?;
    Err(Fault::error(format!("{name} is not in list")))
}

fn count(ctx: &Ctx, value: &Val, args: &Args) -> Res<Val> {
    let wanted = required(args, 0)?;
    let mut count = 0_usize;
    for item in access::iterate(ctx, value)? {
        count += usize::from(ops::equal(ctx, &item, wanted)?);
    }
    Ok(Val::from(count))
}

/// A position, counted from either end and kept within the list.
fn position(len: usize, index: i128) -> usize {
    let index = if index < 0 {
        index + len as i128
    } else {
        index
    };
    usize::try_from(index.clamp(0, len as i128)).unwrap_or(len)
}

fn insert(ctx: &Ctx, list: &List, args: &Args) -> Res<Val> {
    let at = required(args, 0)?.as_int().unwrap_or(0);
    let item = required(args, 1)?.clone();
    list.change(ctx, |l| l.insert(position(l.len(), at), item));
    Ok(Val::Null)
}

fn pop(ctx: &Ctx, list: &List, args: &Args) -> Res<Val> {
    let at = args.pos.first().and_then(Val::as_int).unwrap_or(-1);
    list.change(ctx, |l| {
        let index = if at < 0 { at + l.len() as i128 } else { at };
        match usize::try_from(index) {
            Ok(i) if i < l.len() => Ok(l.remove(i)),
            _ => Err(Fault::error("pop index out of range")),
        }
    })
}

fn remove(ctx: &Ctx, list: &List, args: &Args) -> Res<Val> {
    let at = index(ctx, &Val::List(list.clone()), args)?;
    let at = usize::try_from(at.as_int().unwrap_or(0)).unwrap_or(0);
    list.change(ctx, |l| l.remove(at));
    Ok(Val::Null)
}

fn sort(ctx: &Ctx, list: &List, args: &Args) -> Res<Val> {
    let reverse = match argument(args, 1, "reverse") {
        Some(v) => ops::truth(ctx, v)?,
        None => false,
    };
    let mut items = list.items(ctx);
    ops::sort_by_key(ctx, &mut items, reverse, Val::clone)?;
    list.change(ctx, |l| *l = items);
    Ok(Val::Null)
}
