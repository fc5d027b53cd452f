//! Methods of mappings.

use super::super::access;
use super::super::ctx::Ctx;
use super::super::fault::{Fault, Res};
use super::super::val::{Args, Val, ValMap};
use super::required;
use crate::value::Key;

/// `value.name(args)`.
pub(in super::super) fn call(ctx: &Ctx, value: &Val, name: &str, args: &Args) -> Option<Res<Val>> {
    let Val::Map(map) = value else {
        return None;
    };
    Some(match name {
        "items" => Ok(Val::list(
            map.entries(ctx)
                .into_iter()
                .map(|(k, v)| Val::pair(Val::from(k), v))
                .collect(),
        )),
        "keys" => Ok(Val::list(map.keys().into_iter().map(Val::from).collect())),
        "values" => Ok(Val::list(
            map.entries(ctx).into_iter().map(|(_, v)| v).collect(),
        )),
        "copy" => Ok(Val::map(map.entries(ctx).into_iter().collect())),
        "get" => get(ctx, value, args),
        "update" => additions(ctx, args).map(|more| {
            map.change(ctx, |m| m.extend(more));
            Val::Null
        }),
        "pop" => pop(ctx, value, args),
        "popitem" => map
            .change(ctx, ValMap::pop)
            .map(|(k, v)| Val::pair(Val::from(k), v))
            .ok_or_else(|| Fault::error("popitem(): dictionary is empty")),
        "setdefault" => set_default(ctx, value, args),
        "clear" => {
            map.change(ctx, ValMap::clear);
            Ok(Val::Null)
        }
        "fromkeys" => from_keys(ctx, args),
        _ => return None,
    })
}

fn get(ctx: &Ctx, value: &Val, args: &Args) -> Res<Val> {
    let Val::Map(map) = value else {
        return Ok(Val::Null);
    };
    let found = map.get(ctx, &required(args, 0)?.to_key()?);
    Ok(found.unwrap_or_else(|| args.pos.get(1).cloned().unwrap_or(Val::Null)))
}

fn additions(ctx: &Ctx, args: &Args) -> Res<ValMap> {
    let mut more = ValMap::new();
    if let Some(first) = args.pos.first() {
        match access::entries(ctx, first)? {
            Some(entries) => more.extend(entries),
            None => {
                for pair in access::iterate(ctx, first)? {
                    let pair = access::iterate(ctx, &pair)?;
                    if let [key, value] = &pair[..] {
                        more.insert(key.to_key()?, value.clone());
                    }
                }
            }
        }
    }
    let named = args.named.iter();
    more.extend(named.map(|(k, v)| (Key::Str(k.clone()), v.clone())));
    Ok(more)
}

fn pop(ctx: &Ctx, value: &Val, args: &Args) -> Res<Val> {
    let Val::Map(map) = value else {
        return Ok(Val::Null);
    };
    let key = required(args, 0)?.to_key()?;
    match map.change(ctx, |m| m.shift_remove(&key)) {
        Some(value) => Ok(value),
        None => args
            .pos
            .get(1)
            .cloned()
            .ok_or_else(|| Fault::error(format!("there is no key '{key}'"))),
    }
}

fn set_default(ctx: &Ctx, value: &Val, args: &Args) -> Res<Val> {
    let Val::Map(map) = value else {
        return Ok(Val::Null);
    };
    let key = required(args, 0)?.to_key()?;
    if let Some(found) = map.get(ctx, &key) {
        return Ok(found);
    }
    let default = args.pos.get(1).cloned().unwrap_or(Val::Null);
    map.change(ctx, |m| m.insert(key, default.clone()));
    Ok(default)
}

fn from_keys(ctx: &Ctx, args: &Args) -> Res<Val> {
    let value = args.pos.get(1).cloned().unwrap_or(Val::Null);
    let mut map = ValMap::new();
    for key in access::iterate(ctx, required(args, 0)?)? {
        map.insert(key.to_key()?, value.clone());
    }
    Ok(Val::map(map))
}
