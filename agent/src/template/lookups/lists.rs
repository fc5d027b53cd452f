//! Lookups that make or join lists.

use super::super::access;
use super::super::fault::{Fault, Res};
use super::super::filters::{Twister, subelements};
use super::super::ops;
use super::super::text;
use super::super::val::{Val, ValMap};
use super::{Look, Lookup, flattened, lists_of};

pub(super) static TABLE: &[Lookup] = &[
    Lookup::new(
        "items",
        &[],
        "The terms; lists among them give their items.",
        flattened,
    ),
    Lookup::new("list", &[], "The terms as they are.", |l| {
        Ok(l.terms.clone())
    }),
    Lookup::new(
        "flattened",
        &[],
        "The items of nested lists in one list.",
        deep,
    )
    .of("community.general"),
    Lookup::new(
        "dict",
        &[],
        "Each entry of mappings as `key` and `value`.",
        dict,
    ),
    Lookup::new("indexed_items", &[], "Each item with its index.", |l| {
        let items = flattened(l)?.into_iter().enumerate();
        Ok(items
            .map(|(i, item)| Val::pair(Val::from(i), item))
            .collect())
    }),
    Lookup::new(
        "together",
        &[],
        "The first item of each list, the second of each …",
        together,
    ),
    Lookup::new(
        "nested",
        &[],
        "Every combination of one item of each list.",
        nested,
    ),
    Lookup::new("cartesian", &[], "As `nested`.", nested).of("community.general"),
    Lookup::new(
        "subelements",
        &["skip_missing"],
        "Each item with each element of a list inside it.",
        sub,
    ),
    Lookup::new(
        "random_choice",
        &[],
        "One of the terms by chance.",
        random_choice,
    ),
];

/// More numbers than this are a mistake.
pub(super) const MAX_LEN: i128 = 1_000_000;

fn deep(l: &Look) -> Res<Vec<Val>> {
    fn walk(l: &Look, items: Vec<Val>, out: &mut Vec<Val>, depth: usize) -> Res<()> {
        for item in items {
            match item.usable()? {
                Val::Null => {}
                Val::List(_) | Val::Tuple(_) if depth < 100 => {
                    walk(l, access::iterate(l.ctx, &item)?, out, depth + 1)?;
                }
                _ => out.push(item),
            }
        }
        Ok(())
    }
    let mut out = Vec::new();
    walk(l, l.terms.clone(), &mut out, 0)?;
    Ok(out)
}

fn dict(l: &Look) -> Res<Vec<Val>> {
    let mut out = Vec::new();
    for term in flattened(l)? {
        let Some(entries) = access::entries(l.ctx, &term)? else {
            return Err(Fault::error(format!(
                "the 'dict' lookup plugin expects a dictionary, got {}",
                term.type_name()
            )));
        };
        let items = entries.into_iter();
        out.extend(items.map(|(k, v)| Val::record([("key", Val::from(k)), ("value", v)])));
    }
    Ok(out)
}

fn together(l: &Look) -> Res<Vec<Val>> {
    let lists = lists_of(l)?;
    if lists.is_empty() {
        return Err(Fault::error(
            "with_together requires at least one element in each list",
        ));
    }
    let len = lists.iter().map(Vec::len).max().unwrap_or(0);
    let row = |i: usize| {
        let items = lists
            .iter()
            .map(|list| list.get(i).cloned().unwrap_or(Val::Null));
        // Lists inside give their items, as Ansible flattens each row.
        let items: Vec<Val> = items.collect();
        crate::template::filters::flatten_one(l.ctx, &items).map(Val::list)
    };
    (0..len).map(row).collect()
}

fn nested(l: &Look) -> Res<Vec<Val>> {
    let lists = lists_of(l)?;
    if lists.is_empty() {
        return Err(Fault::error(
            "with_nested requires at least one element in the nested list",
        ));
    }
    let mut rows: Vec<Vec<Val>> = vec![Vec::new()];
    for list in &lists {
        if rows.len().saturating_mul(list.len()) > MAX_LEN as usize {
            return Err(Fault::error("the result has too many items"));
        }
        let mut next = Vec::with_capacity(rows.len() * list.len());
        for row in &rows {
            for item in list {
                let mut row = row.clone();
                match item {
                    // Lists inside give their items, as Ansible flattens each combination.
                    Val::List(_) | Val::Tuple(_) => row.extend(access::iterate(l.ctx, item)?),
                    _ => row.push(item.clone()),
                }
                next.push(row);
            }
        }
        rows = next;
    }
    Ok(rows.into_iter().map(Val::list).collect())
}

fn sub(l: &Look) -> Res<Vec<Val>> {
    let wrong = |why: &str| {
        Err(Fault::error(format!(
            "subelements lookup expects a list of two or three items, {why}"
        )))
    };
    let (items, path, flags) = match &l.terms[..] {
        [items, path] => (items, path, None),
        [items, path, flags] => (items, path, Some(flags)),
        _ => return wrong(""),
    };
    let listed = matches!(items, Val::List(_)) || access::entries(l.ctx, items)?.is_some();
    if !listed || path.as_str().is_none() {
        return wrong("first a dict or a list, second a string pointing to the subkey");
    }
    let mut skip = l.flag("skip_missing", false)?;
    match flags {
        None => {}
        Some(Val::Map(flags)) => {
            if let Some(flag) = flags.get_str(l.ctx, "skip_missing") {
                skip = ops::truth(l.ctx, &flag)?;
            }
        }
        Some(_) => return wrong("the optional third item must be a dict with flags skip_missing"),
    }
    if let Val::Map(map) = items
        && let Some(skipped) = map.get_str(l.ctx, "skipped")
        && ops::truth(l.ctx, &skipped)?
    {
        return Ok(Vec::new());
    }
    // Items that were skipped have no elements.
    let kept = match access::entries(l.ctx, items)? {
        Some(entries) => entries.into_iter().map(|(_, v)| v).collect(),
        None => access::iterate(l.ctx, items)?,
    };
    let mut wanted = Vec::new();
    for item in kept {
        let skipped = match item.usable()? {
            Val::Map(m) => m.get_str(l.ctx, "skipped"),
            other => {
                return Err(Fault::error(format!(
                    "subelements lookup expects a dictionary, got '{}'",
                    text::to_text(l.ctx, other)?
                )));
            }
        };
        if !skipped.is_some_and(|s| ops::truth(l.ctx, &s).unwrap_or(false)) {
            wanted.push(item);
        }
    }
    let pairs = subelements(l.ctx, &Val::list(wanted), path, skip, true)?;
    let keys = text::to_text(l.ctx, path)?;
    let keys: Vec<&str> = keys.split('.').collect();
    let mut out = Vec::new();
    for pair in access::iterate(l.ctx, &pairs)? {
        if let [item, element] = &access::iterate(l.ctx, &pair)?[..] {
            out.push(Val::pair(without(l, item, &keys)?, element.clone()));
        }
    }
    Ok(out)
}

/// The item without the list that its elements came from.
fn without(l: &Look, item: &Val, path: &[&str]) -> Res<Val> {
    let (Val::Map(map), [key, deeper @ ..]) = (item, path) else {
        return Ok(item.clone());
    };
    let mut kept: ValMap = map.entries(l.ctx).into_iter().collect();
    if deeper.is_empty() {
        kept.shift_remove(*key);
    } else if let Some(inner) = kept.get_mut(*key) {
        *inner = without(l, inner, deeper)?;
    }
    Ok(Val::map(kept))
}

fn random_choice(l: &Look) -> Res<Vec<Val>> {
    let items = &l.terms;
    if items.is_empty() {
        return Ok(Vec::new());
    }
    let index = Twister::new(l.ctx, None)?.below(items.len() as u128) as usize;
    Ok(vec![items[index].clone()])
}
