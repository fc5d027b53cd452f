//! Filters on mappings.

use super::super::access;
use super::super::call::Call;
use super::super::ctx::Ctx;
use super::super::fault::{Fault, Res};
use super::super::ops;
use super::super::text;
use super::super::val::{Args, Val, ValMap};
use super::Filter;
use crate::value::Key;
use std::sync::Arc;

pub(super) static TABLE: &[Filter] = &[
    Filter::new(
        "combine",
        &["map", "*others", "**options"],
        "Mappings in one; the last wins.",
        combine,
    ),
    Filter::new(
        "dict2items",
        &["map", "key_name", "value_name"],
        "A mapping as a list of `key` and `value`.",
        dict2items,
    ),
    Filter::new(
        "items2dict",
        &["items", "key_name", "value_name"],
        "A list of `key` and `value` as a mapping.",
        items2dict,
    ),
    Filter::new("items", &["map"], "The pairs of a mapping.", items),
    Filter::new(
        "rekey_on_member",
        &["data", "key", "duplicates"],
        "A mapping of items by one of their members.",
        rekey,
    ),
];

#[derive(Clone, Copy)]
enum Lists {
    Replace,
    Keep,
    Append,
    Prepend,
    AppendNew,
    PrependNew,
}

/// Two mappings merged as `combine` merges them, with its options.
pub(super) fn merged(ctx: &Ctx, a: &Val, b: &Val, options: &[(Arc<str>, Val)]) -> Res<Val> {
    let args = Args {
        pos: vec![b.clone()],
        named: options.to_vec(),
    };
    let params = &["map", "*others", "**options"];
    combine(&Call::bind(ctx, params, Some(a.clone()), args)?)
}

fn combine(c: &Call) -> Res<Val> {
    let mut recursive = false;
    let mut lists = Lists::Replace;
    for (name, value) in &c.named {
        match &**name {
            "recursive" => recursive = ops::truth(c.ctx, value)?,
            "list_merge" => {
                lists = match &*text::to_text(c.ctx, value)? {
                    "replace" => Lists::Replace,
                    "keep" => Lists::Keep,
                    "append" => Lists::Append,
                    "prepend" => Lists::Prepend,
                    "append_rp" => Lists::AppendNew,
                    "prepend_rp" => Lists::PrependNew,
                    other => {
                        return Err(
                            Fault::error(format!("list_merge cannot be '{other}'")).hint(
                                "it is replace, keep, append, prepend, append_rp or prepend_rp",
                            ),
                        );
                    }
                }
            }
            other => {
                return Err(Fault::error(format!(
                    "'recursive' and 'list_merge' are the only valid keyword arguments, not '{other}'"
                )));
            }
        }
    }
    let mut maps = Vec::new();
    for value in std::iter::once(c.need(0)?).chain(&c.rest) {
        flatten(c.ctx, value, &mut maps, true)?;
    }
    let mut maps = maps.into_iter();
    let mut result: ValMap = maps.next().unwrap_or_default();
    for map in maps {
        merge(c.ctx, &mut result, map, recursive, lists, 0)?;
    }
    Ok(Val::map(result))
}

/// A mapping, or the mappings of a list. Lists inside lists are none.
fn flatten(ctx: &Ctx, value: &Val, out: &mut Vec<ValMap>, lists: bool) -> Res<()> {
    if let Some(entries) = access::entries(ctx, value)? {
        out.push(entries.into_iter().collect());
        return Ok(());
    }
    // As where lists are flattened, nothing counts for nothing.
    if matches!(value, Val::Null) {
        return Ok(());
    }
    if !value.is_sequence() || !lists {
        return Err(Fault::error(format!(
            "failed to combine variables, expected dicts but got a '{}'",
            value.type_name()
        )));
    }
    for item in access::iterate(ctx, value)? {
        flatten(ctx, &item, out, false)?;
    }
    Ok(())
}

fn merge(
    ctx: &Ctx,
    into: &mut ValMap,
    from: ValMap,
    recursive: bool,
    lists: Lists,
    depth: usize,
) -> Res<()> {
    if depth > 100 {
        return Err(Fault::error("a container holds itself"));
    }
    for (key, new) in from {
        let merged = match (into.get(&key), &new) {
            (Some(Val::Map(old)), Val::Map(more)) if recursive => {
                let mut inner: ValMap = old.entries(ctx).into_iter().collect();
                let more = more.entries(ctx).into_iter().collect();
                merge(ctx, &mut inner, more, recursive, lists, depth + 1)?;
                Val::map(inner)
            }
            (Some(old), new) if old.is_sequence() && new.is_sequence() => {
                let old = access::iterate(ctx, old)?;
                let new = access::iterate(ctx, new)?;
                Val::list(merge_lists(ctx, old, new, lists)?)
            }
            _ => new,
        };
        into.insert(key, merged);
    }
    Ok(())
}

fn merge_lists(ctx: &Ctx, old: Vec<Val>, new: Vec<Val>, lists: Lists) -> Res<Vec<Val>> {
    let without = |items: Vec<Val>, gone: &[Val]| -> Res<Vec<Val>> {
        let mut kept = Vec::new();
        for item in items {
            if !access::has(ctx, gone, &item)? {
                kept.push(item);
            }
        }
        Ok(kept)
    };
    Ok(match lists {
        Lists::Replace => new,
        Lists::Keep => old,
        Lists::Append => [old, new].concat(),
        Lists::Prepend => [new, old].concat(),
        Lists::AppendNew => [without(old, &new)?, new].concat(),
        Lists::PrependNew => {
            let old = without(old, &new)?;
            [new, old].concat()
        }
    })
}

fn dict2items(c: &Call) -> Res<Val> {
    let key_name = Key::from(c.text_or(1, "key")?);
    let value_name = Key::from(c.text_or(2, "value")?);
    let entries = c.entries(0).map_err(|_| {
        Fault::error(format!(
            "dict2items requires a dictionary, got {} instead.",
            c.need(0).map_or("nothing", Val::type_name)
        ))
    })?;
    let items = entries.into_iter().map(|(key, value)| {
        let item = [
            (key_name.clone(), Val::from(key)),
            (value_name.clone(), value),
        ];
        Val::map(item.into_iter().collect())
    });
    Ok(Val::list(items.collect()))
}

fn items2dict(c: &Call) -> Res<Val> {
    let key_name = Val::from(c.text_or(1, "key")?);
    let value_name = Val::from(c.text_or(2, "value")?);
    let input = c.need(0)?.usable()?;
    if !input.is_sequence() {
        return Err(Fault::error(format!(
            "items2dict requires a list, got {} instead.",
            input.type_name()
        )));
    }
    let mut map = ValMap::new();
    for item in c.items(0)? {
        let Val::Map(_) = item.usable()? else {
            return Err(Fault::error(format!(
                "items2dict requires a list of dictionaries, got {}",
                item.type_name()
            )));
        };
        let key = access::item(c.ctx, &item, &key_name)?;
        let value = access::item(c.ctx, &item, &value_name)?;
        if key.is_marker() || value.is_marker() {
            return Err(Fault::error(
                "items2dict requires each dictionary in the list to contain the keys 'key' and 'value'",
            )
            .hint("`key_name=` and `value_name=` name other keys"));
        }
        map.insert(key.to_key()?, value);
    }
    Ok(Val::map(map))
}

fn items(c: &Call) -> Res<Val> {
    let pairs = c.entries(0)?.into_iter();
    Ok(Val::list(
        pairs.map(|(k, v)| Val::pair(Val::from(k), v)).collect(),
    ))
}

fn rekey(c: &Call) -> Res<Val> {
    let key = c.need(1)?;
    let overwrite = match &*c.text_or(2, "error")? {
        "error" => false,
        "overwrite" => true,
        other => {
            return Err(Fault::error(format!(
                "duplicates parameter to rekey_on_member has unknown value: {other}"
            )));
        }
    };
    let items: Vec<Val> = match access::entries(c.ctx, c.need(0)?)? {
        Some(entries) => entries.into_iter().map(|(_, v)| v).collect(),
        None => match c.need(0)?.usable()? {
            Val::List(_) | Val::Tuple(_) => c.sequence(0)?,
            _ => return Err(Fault::error("Type is not a valid list, set, or dict")),
        },
    };
    let mut map = ValMap::new();
    for item in items {
        let Val::Map(_) = item.usable()? else {
            return Err(Fault::error("List item is not a valid dict"));
        };
        let name = text::to_text(c.ctx, key)?;
        let member = access::item(c.ctx, &item, key)?;
        if member.is_marker() {
            return Err(Fault::error(format!("Key {name} was not found")));
        }
        let member = member.to_key()?;
        if !overwrite && map.contains_key(&member) {
            return Err(Fault::error(format!(
                "Key {member} is not unique, cannot convert to dict"
            )));
        }
        map.insert(member, item);
    }
    Ok(Val::map(map))
}
