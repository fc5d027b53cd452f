//! Filters on lists.

use super::super::access;
use super::super::call::Call;
use super::super::ctx::Ctx;
use super::super::fault::{Fault, Res};
use super::super::val::Val;
use super::Filter;

pub(super) static TABLE: &[Filter] = &[
    Filter::new("first", &["items"], "The first item.", |c| end(c, true)),
    Filter::new("last", &["items"], "The last item.", |c| end(c, false)),
    Filter::new(
        "batch",
        &["items", "linecount", "fill_with"],
        "Lists of `linecount` items each.",
        batch,
    ),
    Filter::new(
        "slice",
        &["items", "slices", "fill_with"],
        "`slices` lists of about the same length.",
        slice,
    ),
    Filter::new(
        "flatten",
        &["items", "levels", "skip_nulls"],
        "The items of nested lists in one list.",
        flatten,
    ),
    Filter::new(
        "zip",
        &["items", "*others"],
        "The first of each list, the second of each …",
        |c| zip(c, None),
    ),
    Filter::new(
        "zip_longest",
        &["items", "*others", "**options"],
        "As `zip`, filled up to the longest.",
        zip_longest,
    ),
    Filter::new(
        "product",
        &["items", "*others", "**options"],
        "Every combination of one item of each list.",
        product,
    ),
    Filter::new(
        "permutations",
        &["items", "length"],
        "Every order of the items.",
        |c| arrange(c, true),
    ),
    Filter::new(
        "combinations",
        &["items", "length"],
        "Every choice of `length` items.",
        |c| arrange(c, false),
    ),
    Filter::new(
        "subelements",
        &["items", "subelements", "skip_missing"],
        "Each item with each element of a list inside it.",
        subelements_filter,
    ),
    Filter::new(
        "extract",
        &["key", "container", "morekeys"],
        "The item of a container at a key.",
        extract,
    ),
];

/// Results longer than this are mistakes that would eat the memory.
const MAX_LEN: usize = 1_000_000;

fn too_long() -> Fault {
    Fault::error("the result has too many items")
}

fn end(c: &Call, first: bool) -> Res<Val> {
    let value = c.need(0)?.usable()?;
    if let Val::List(_) | Val::Tuple(_) | Val::Str(_) = value {
        let index = Val::Int(if first { 0 } else { -1 });
        let found = access::item(c.ctx, value, &index)?;
        if !matches!(found, Val::Missing(_)) || access::length(c.ctx, value)? > 0 {
            return Ok(found);
        }
    }
    let items = c.items(0)?;
    let item = if first { items.first() } else { items.last() };
    let which = if first { "first" } else { "last" };
    Ok(item.cloned().unwrap_or_else(|| {
        Val::Missing(Fault::undefined(format!(
            "no {which} item, sequence was empty."
        )))
    }))
}

fn batch(c: &Call) -> Res<Val> {
    let size = c.size_or(1, 1)?.max(1);
    let items = c.items(0)?;
    let mut out = Vec::new();
    for chunk in items.chunks(size) {
        let mut row = chunk.to_vec();
        if let Some(fill) = c.given(2) {
            while row.len() < size && size <= MAX_LEN {
                row.push(fill.clone());
            }
        }
        out.push(Val::list(row));
    }
    Ok(Val::list(out))
}

fn slice(c: &Call) -> Res<Val> {
    let slices = c.size_or(1, 1)?;
    if slices == 0 || slices > MAX_LEN {
        return Err(Fault::error("the number of slices cannot be used"));
    }
    let items = c.items(0)?;
    let (each, extra) = (items.len() / slices, items.len() % slices);
    let mut out = Vec::new();
    let mut at = 0;
    for i in 0..slices {
        let len = each + usize::from(i < extra);
        let mut row = items[at..at + len].to_vec();
        at += len;
        if let (Some(fill), true) = (c.given(2), i >= extra && extra > 0) {
            row.push(fill.clone());
        }
        out.push(Val::list(row));
    }
    Ok(Val::list(out))
}

fn flatten(c: &Call) -> Res<Val> {
    let levels = c.given(1).map(|_| c.int(1)).transpose()?;
    let skip = c.truth_or(2, true)?;
    let mut out = Vec::new();
    let items = c.sequence(0)?;
    flatten_into(c.ctx, items, levels, skip, &mut out, 0)?;
    Ok(Val::list(out))
}

fn flatten_into(
    ctx: &Ctx,
    items: Vec<Val>,
    levels: Option<i128>,
    skip_nulls: bool,
    out: &mut Vec<Val>,
    depth: usize,
) -> Res<()> {
    if depth > 100 {
        return Err(Fault::error("a container holds itself"));
    }
    for item in items {
        let item = item.usable()?;
        let is_null = matches!(item, Val::Null) || matches!(item.as_str(), Some("None" | "null"));
        if is_null && skip_nulls {
            continue;
        }
        match levels {
            Some(left) if left < 1 => out.push(item.clone()),
            _ if item.is_sequence() => {
                let inner = access::iterate(ctx, item)?;
                let left = levels.map(|l| l - 1);
                flatten_into(ctx, inner, left, skip_nulls, out, depth + 1)?;
            }
            _ => out.push(item.clone()),
        }
    }
    Ok(())
}

/// Lists among the terms of a lookup give their items.
pub(in super::super) fn flatten_one(ctx: &Ctx, terms: &[Val]) -> Res<Vec<Val>> {
    let mut out = Vec::new();
    for term in terms {
        match term.usable()? {
            Val::List(_) | Val::Tuple(_) => out.extend(access::iterate(ctx, term)?),
            other => out.push(other.clone()),
        }
    }
    Ok(out)
}

fn lists(c: &Call) -> Res<Vec<Vec<Val>>> {
    let mut lists = vec![c.items(0)?];
    for other in &c.rest {
        lists.push(access::iterate(c.ctx, other)?);
    }
    Ok(lists)
}

fn zip(c: &Call, fill: Option<&Val>) -> Res<Val> {
    let lists = lists(c)?;
    let lengths = lists.iter().map(Vec::len);
    let len = if fill.is_some() {
        lengths.max()
    } else {
        lengths.min()
    };
    let fill = fill.unwrap_or(&Val::Null);
    let rows = (0..len.unwrap_or(0)).map(|i| {
        let row = lists.iter().map(|l| l.get(i).unwrap_or(fill).clone());
        Val::Tuple(row.collect())
    });
    Ok(Val::list(rows.collect()))
}

fn zip_longest(c: &Call) -> Res<Val> {
    let fill = c.named.iter().find(|(n, _)| &**n == "fillvalue");
    zip(c, Some(fill.map_or(&Val::Null, |(_, v)| v)))
}

fn product(c: &Call) -> Res<Val> {
    let mut lists = lists(c)?;
    let repeat = c.named.iter().find(|(n, _)| &**n == "repeat");
    if let Some(times) = repeat.and_then(|(_, v)| v.as_int()) {
        let times = usize::try_from(times.clamp(0, 64)).unwrap_or(1);
        let once = lists.clone();
        lists = (0..times).flat_map(|_| once.clone()).collect();
    }
    cross(&lists).map(Val::list)
}

/// Every combination of one item of each list.
pub(in super::super) fn cross(lists: &[Vec<Val>]) -> Res<Vec<Val>> {
    let total = lists
        .iter()
        .try_fold(1_usize, |n, l| n.checked_mul(l.len()));
    if total.is_none_or(|n| n > MAX_LEN) {
        return Err(too_long());
    }
    let mut rows: Vec<Vec<Val>> = vec![Vec::new()];
    for list in lists {
        rows = rows
            .iter()
            .flat_map(|row| {
                list.iter().map(|item| {
                    let mut row = row.clone();
                    row.push(item.clone());
                    row
                })
            })
            .collect();
    }
    Ok(rows.into_iter().map(|row| Val::Tuple(row.into())).collect())
}

fn arrange(c: &Call, ordered: bool) -> Res<Val> {
    let items = c.items(0)?;
    let len = c.size_or(1, items.len())?;
    let mut out = Vec::new();
    if len <= items.len() {
        let mut chosen = Vec::new();
        choose(&items, len, ordered, &mut chosen, &mut out)?;
    }
    Ok(Val::list(out))
}

fn choose(
    items: &[Val],
    len: usize,
    ordered: bool,
    chosen: &mut Vec<usize>,
    out: &mut Vec<Val>,
) -> Res<()> {
    if chosen.len() == len {
        if out.len() >= MAX_LEN {
            return Err(too_long());
        }
        out.push(Val::Tuple(
            chosen.iter().map(|i| items[*i].clone()).collect(),
        ));
        return Ok(());
    }
    let first = if ordered {
        0
    } else {
        chosen.last().map_or(0, |i| i + 1)
    };
    for i in first..items.len() {
        if !chosen.contains(&i) {
            chosen.push(i);
            choose(items, len, ordered, chosen, out)?;
            chosen.pop();
        }
    }
    Ok(())
}

fn subelements_filter(c: &Call) -> Res<Val> {
    subelements(c.ctx, c.need(0)?, c.need(1)?, c.truth_or(2, false)?, false)
}

/// Each item of `items` with each element of the list at `path` inside it.
pub(in super::super) fn subelements(
    ctx: &Ctx,
    items: &Val,
    path: &Val,
    skip_missing: bool,
    // Whether `skip_missing` passes over what is no mapping, too.
    lenient: bool,
) -> Res<Val> {
    let items = match (access::entries(ctx, items)?, items.usable()?) {
        (Some(entries), _) => entries.into_iter().map(|(_, v)| v).collect(),
        (None, Val::List(list)) => list.items(ctx),
        (None, _) => return Err(Fault::error("obj must be a list of dicts or a nested dict")),
    };
    let keys: Vec<Val> = match path.usable()? {
        Val::Str(s) => s.split('.').map(Val::from).collect(),
        Val::List(list) => list.items(ctx),
        _ => return Err(Fault::error("subelements must be a list or a string")),
    };
    let mut out = Vec::new();
    for item in items {
        let mut value = item.clone();
        let mut missing = false;
        for key in &keys {
            let inner = match &value {
                Val::Map(map) => map.get(ctx, &key.to_key()?),
                _ if skip_missing && lenient => None,
                other => {
                    return Err(Fault::error(format!(
                        "the key {} should point to a dictionary, got '{}'",
                        super::super::text::to_text(ctx, key)?,
                        super::super::text::to_text(ctx, other)?
                    )));
                }
            };
            match inner {
                Some(inner) => value = inner.usable()?.clone(),
                None if skip_missing => {
                    missing = true;
                    break;
                }
                None => {
                    return Err(Fault::error(format!(
                        "could not find '{}' key in iterated item '{}'",
                        super::super::text::to_text(ctx, key)?,
                        super::super::text::to_text(ctx, &value)?
                    )));
                }
            }
        }
        if missing {
            continue;
        }
        if !value.is_sequence() {
            return Err(Fault::error(format!(
                "the key {} should point to a list, got '{}'",
                keys.last()
                    .map_or(Ok(String::new()), |k| super::super::text::to_text(ctx, k))?,
                super::super::text::to_text(ctx, &value)?
            )));
        }
        for element in access::iterate(ctx, &value)? {
            out.push(Val::pair(item.clone(), element));
        }
    }
    Ok(Val::list(out))
}

fn extract(c: &Call) -> Res<Val> {
    let mut value = access::item(c.ctx, c.need(1)?, c.need(0)?)?;
    match c.given(2) {
        None => {}
        Some(keys @ (Val::List(_) | Val::Tuple(_))) => {
            for key in access::iterate(c.ctx, keys)? {
                value = access::item(c.ctx, &value, &key)?;
            }
        }
        Some(key) => value = access::item(c.ctx, &value, key)?,
    }
    Ok(value)
}
