//! Small filters of `community.general`.

use super::super::access;
use super::super::call::Call;
use super::super::fault::{Fault, Res};
use super::super::ops;
use super::super::text;
use super::super::val::{Val, ValMap};
use super::Filter;
use super::combine;
use crate::value::Key;
use std::cmp::Ordering;

const GENERAL: &str = "community.general";

pub(super) static TABLE: &[Filter] = &[
    Filter::new("dict", &["pairs"], "A mapping of pairs.", |c| {
        let mut map = ValMap::new();
        for pair in c.sequence(0)? {
            match &access::iterate(c.ctx, &pair)?[..] {
                [key, value] => drop(map.insert(key.to_key()?, value.clone())),
                other => {
                    return Err(Fault::error(format!(
                        "a pair has two items, and this one has {}",
                        other.len()
                    )));
                }
            }
        }
        Ok(Val::map(map))
    })
    .of(GENERAL),
    Filter::new(
        "dict_kv",
        &["value", "key"],
        "A mapping of one key to the value.",
        |c| {
            let entry = (c.need(1)?.to_key()?, c.need(0)?.clone());
            Ok(Val::map([entry].into_iter().collect()))
        },
    )
    .of(GENERAL),
    Filter::new(
        "counter",
        &["items"],
        "How often each item is there.",
        |c| {
            let mut map = ValMap::new();
            for item in c.sequence(0)? {
                let count = map.entry(item.to_key()?).or_insert(Val::Int(0));
                *count = Val::Int(count.as_int().unwrap_or(0) + 1);
            }
            Ok(Val::map(map))
        },
    )
    .of(GENERAL),
    Filter::new(
        "groupby_as_dict",
        &["items", "attribute"],
        "A mapping of each item by one of its entries.",
        groupby_as_dict,
    )
    .of(GENERAL),
    Filter::new(
        "lists_union",
        &["list", "*lists", "**options"],
        "The items of any list.",
        |c| {
            let mut out = Vec::new();
            for list in lists(c)? {
                add_new(c, &mut out, list)?;
            }
            Ok(Val::list(out))
        },
    )
    .of(GENERAL),
    Filter::new(
        "lists_intersect",
        &["list", "*lists", "**options"],
        "The items of all lists.",
        |c| fold(c, |c, others, item| access::has(c.ctx, others, item)),
    )
    .of(GENERAL),
    Filter::new(
        "lists_difference",
        &["list", "*lists", "**options"],
        "The items of the first list that are in no other.",
        |c| fold(c, |c, others, item| Ok(!access::has(c.ctx, others, item)?)),
    )
    .of(GENERAL),
    Filter::new(
        "lists_symmetric_difference",
        &["list", "*lists", "**options"],
        "The items that only one of two lists has, list after list.",
        |c| {
            let mut lists = lists(c)?.into_iter();
            let mut found = Vec::new();
            add_new(c, &mut found, lists.next().unwrap_or_default())?;
            for list in lists {
                let mut next = Vec::new();
                for (these, those) in [(&found, &list), (&list, &found)] {
                    for item in these {
                        if !access::has(c.ctx, those, item)? {
                            add_new(c, &mut next, vec![item.clone()])?;
                        }
                    }
                }
                found = next;
            }
            Ok(Val::list(found))
        },
    )
    .of(GENERAL),
    Filter::new(
        "lists_mergeby",
        &["list", "*lists", "**options"],
        "Lists of mappings, merged by the value of a key.",
        mergeby,
    )
    .of(GENERAL),
    Filter::new(
        "version_sort",
        &["items", "reverse"],
        "Versions in their order.",
        version_sort,
    )
    .of(GENERAL),
    Filter::new(
        "from_csv",
        &[
            "content",
            "dialect",
            "fieldnames",
            "delimiter",
            "skipinitialspace",
            "strict",
        ],
        "The rows of a CSV text.",
        super::csv::from_csv,
    )
    .of(GENERAL),
];

/// The lists of a call; with `flatten=true` lists inside give their items.
fn lists(c: &Call) -> Res<Vec<Vec<Val>>> {
    let flatten = match c.named.iter().find(|(name, _)| &**name == "flatten") {
        Some((_, value)) => ops::truth(c.ctx, value)?,
        None => false,
    };
    let mut all = vec![c.need(0)?.clone()];
    all.extend(c.rest.iter().cloned());
    if flatten {
        let mut flat = Vec::new();
        for list in all {
            let items = access::iterate(c.ctx, &list)?;
            match items.iter().all(Val::is_sequence) {
                true => flat.extend(items),
                false => flat.push(list),
            }
        }
        all = flat;
    }
    all.iter()
        .map(|list| match list.usable()?.is_sequence() {
            true => access::iterate(c.ctx, list),
            false => Err(Fault::error(format!(
                "lists are wanted, and this is a {}",
                list.type_name()
            ))),
        })
        .collect()
}

fn add_new(c: &Call, out: &mut Vec<Val>, items: Vec<Val>) -> Res<()> {
    for item in items {
        if !access::has(c.ctx, out, &item)? {
            out.push(item);
        }
    }
    Ok(())
}

/// The items of the first list that `keep` keeps before each of the others.
fn fold(c: &Call, keep: fn(&Call, &[Val], &Val) -> Res<bool>) -> Res<Val> {
    let mut lists = lists(c)?.into_iter();
    let mut kept = Vec::new();
    add_new(c, &mut kept, lists.next().unwrap_or_default())?;
    for list in lists {
        let mut next = Vec::new();
        for item in kept {
            if keep(c, &list, &item)? {
                next.push(item);
            }
        }
        kept = next;
    }
    Ok(Val::list(kept))
}

fn groupby_as_dict(c: &Call) -> Res<Val> {
    let attribute = c.need(1)?.to_key()?;
    let mut map = ValMap::new();
    for (i, item) in c.sequence(0)?.into_iter().enumerate() {
        let Val::Map(entries) = item.usable()? else {
            return Err(Fault::error(format!(
                "Sequence element #{i} is not a mapping"
            )));
        };
        let Some(key) = entries.get(c.ctx, &attribute) else {
            return Err(Fault::error(format!(
                "Attribute not contained in element #{i} of sequence: '{attribute}'"
            )));
        };
        let key = key.to_key()?;
        if map.contains_key(&key) {
            return Err(Fault::error(format!(
                "Multiple sequence entries have attribute value {key}"
            )));
        }
        map.insert(key, item);
    }
    Ok(Val::map(map))
}

/// `lists_mergeby('key', recursive=…, list_merge=…)`: the last argument is the key.
fn mergeby(c: &Call) -> Res<Val> {
    let Some((key, others)) = c.rest.split_last() else {
        return Err(Fault::error(
            "At least one list is needed, and the key to merge by.",
        ));
    };
    let index = match key.usable()? {
        Val::Str(name) => Key::Str(name.clone()),
        other => {
            return Err(Fault::error(format!(
                "the key to merge by must be text, not {}",
                other.type_name()
            )));
        }
    };
    let mut all = vec![c.need(0)?.clone()];
    all.extend(others.iter().cloned());
    let mut merged: Vec<(Val, Val)> = Vec::new();
    for list in &all {
        for item in access::iterate(c.ctx, list)? {
            let found = match item.usable()? {
                Val::Map(map) => map.get(c.ctx, &index),
                other => {
                    return Err(Fault::error(format!(
                        "the items of the lists must be mappings, not {}",
                        other.type_name()
                    )));
                }
            };
            // What does not have the key is left out.
            let Some(value) = found else {
                continue;
            };
            let mut known = None;
            for (i, (other, _)) in merged.iter().enumerate() {
                if ops::equal(c.ctx, other, &value)? {
                    known = Some(i);
                    break;
                }
            }
            match known {
                Some(i) => merged[i].1 = combine::merged(c.ctx, &merged[i].1, &item, &c.named)?,
                None => merged.push((value, item)),
            }
        }
    }
    ops::sort_by_key(c.ctx, &mut merged, false, |(key, _)| key.clone())?;
    Ok(Val::list(
        merged.into_iter().map(|(_, item)| item).collect(),
    ))
}

fn version_sort(c: &Call) -> Res<Val> {
    let mut items = Vec::new();
    for item in c.sequence(0)? {
        items.push((text::to_text(c.ctx, &item)?, item));
    }
    items.sort_by(|(a, _), (b, _)| {
        super::super::predicates::loose_order(a, b).unwrap_or(Ordering::Equal)
    });
    if c.truth_or(1, false)? {
        items.reverse();
    }
    Ok(Val::list(items.into_iter().map(|(_, item)| item).collect()))
}
