//! Filters that choose or change the items of a list: `map`, `select`, `sort`, `groupby` …

use super::super::access;
use super::super::call::Call;
use super::super::ctx::Ctx;
use super::super::eval;
use super::super::fault::{Fault, Res};
use super::super::ops;
use super::super::predicates::{self, Test};
use super::super::program::Binary;
use super::super::val::{Args, Tuple, Val};
use super::Filter;

pub(super) static TABLE: &[Filter] = &[
    Filter::new(
        "map",
        &["items", "*filter", "**options"],
        "Applies a filter to each item, or takes an attribute of it.",
        map,
    )
    .with_markers(),
    Filter::new(
        "select",
        &["items", "*test", "**options"],
        "Keeps the items that pass a test.",
        |c| select(c, false, true),
    ),
    Filter::new(
        "reject",
        &["items", "*test", "**options"],
        "Drops the items that pass a test.",
        |c| select(c, false, false),
    ),
    Filter::new(
        "selectattr",
        &["items", "*test", "**options"],
        "Keeps the items of which an attribute passes a test.",
        |c| select(c, true, true),
    ),
    Filter::new(
        "rejectattr",
        &["items", "*test", "**options"],
        "Drops the items of which an attribute passes a test.",
        |c| select(c, true, false),
    ),
    Filter::new(
        "sort",
        &["items", "reverse", "case_sensitive", "attribute"],
        "Sorts the items.",
        sort,
    ),
    Filter::new(
        "groupby",
        &["items", "attribute", "default", "case_sensitive"],
        "Groups the items by an attribute.",
        groupby,
    ),
    Filter::new(
        "min",
        &["items", "case_sensitive", "attribute"],
        "The smallest item.",
        |c| extreme(c, true),
    ),
    Filter::new(
        "max",
        &["items", "case_sensitive", "attribute"],
        "The largest item.",
        |c| extreme(c, false),
    ),
    Filter::new(
        "sum",
        &["items", "attribute", "start"],
        "The sum of the items.",
        sum,
    ),
    Filter::new(
        "unique",
        &["items", "case_sensitive", "attribute"],
        "The items without repetitions.",
        unique,
    ),
    Filter::new(
        "dictsort",
        &["map", "case_sensitive", "by", "reverse"],
        "The pairs of a mapping, sorted.",
        dictsort,
    ),
];

fn map(c: &Call) -> Res<Val> {
    let input = c.need(0)?;
    if input.is_marker() {
        return Ok(input.clone());
    }
    let items = c.items(0)?;
    let Some(filter) = c.rest.first() else {
        return map_attribute(c, &items);
    };
    let Some(name) = filter.usable()?.as_str() else {
        return Err(Fault::error("`map` needs the name of a filter"));
    };
    let Some(filter) = super::find(name) else {
        return Err(no_such("filter", name, super::names()));
    };
    let args = Args {
        pos: c.rest[1..].to_vec(),
        named: c.named.clone(),
    };
    let mapped = items.into_iter().map(|item| {
        if !filter.markers {
            item.usable()?;
        }
        let result = eval::invoke(c.ctx, filter.params, filter.run, Some(item), args.clone());
        result.map_err(|f| f.context(format_args!("the filter `{name}` failed")))
    });
    mapped.collect::<Res<Vec<_>>>().map(Val::list)
}

fn option<'c>(c: &'c Call, name: &str) -> Option<&'c Val> {
    c.named.iter().find(|(n, _)| **n == *name).map(|(_, v)| v)
}

fn map_attribute(c: &Call, items: &[Val]) -> Res<Val> {
    let Some(attribute) = option(c, "attribute") else {
        return Err(Fault::error(
            "`map` needs the name of a filter, or `attribute=`",
        ));
    };
    let default = option(c, "default");
    let mapped = items.iter().map(|item| {
        let value = access::path(c.ctx, item, attribute)?;
        Ok(match (&value, default) {
            (Val::Missing(_), Some(default)) => default.clone(),
            _ => value,
        })
    });
    mapped.collect::<Res<Vec<_>>>().map(Val::list)
}

pub(super) fn no_such(what: &str, name: &str, known: impl Iterator<Item = &'static str>) -> Fault {
    let fault = Fault::error(format!("there is no {what} `{name}`"));
    match crate::error::nearest(name, known) {
        Some(near) => fault.hint(format!("did you mean `{near}`?")),
        None => fault,
    }
}

fn select(c: &Call, by_attribute: bool, keep: bool) -> Res<Val> {
    let mut rest = c.rest.iter();
    let attribute = if by_attribute {
        Some(
            rest.next()
                .ok_or_else(|| Fault::error("the name of an attribute is needed"))?,
        )
    } else {
        None
    };
    let test = match rest.next() {
        None => None,
        Some(name) => {
            let name = name.usable()?.as_str().unwrap_or_default();
            let test =
                predicates::find(name).ok_or_else(|| no_such("test", name, predicates::names()))?;
            Some(test)
        }
    };
    let args = Args {
        pos: rest.cloned().collect(),
        named: c.named.clone(),
    };
    let mut out = Vec::new();
    for item in c.items(0)? {
        let subject = match attribute {
            Some(attribute) => access::path(c.ctx, &item, attribute)?,
            None => item.clone(),
        };
        let passes = match test {
            Some(test) => apply(c.ctx, test, subject, &args)?,
            None => ops::truth(c.ctx, &subject)?,
        };
        if passes == keep {
            out.push(item);
        }
    }
    Ok(Val::list(out))
}

/// Whether `subject` passes `test`.
pub(in super::super) fn apply(ctx: &Ctx, test: &Test, subject: Val, args: &Args) -> Res<bool> {
    if !test.markers {
        subject.usable()?;
    }
    let result = eval::invoke(ctx, test.params, test.run, Some(subject), args.clone())
        .map_err(|f| f.context(format_args!("the test `{}` failed", test.name)))?;
    ops::truth(ctx, &result)
}

/// Text without regard to case, unless it matters.
fn folded(value: Val, case_sensitive: bool) -> Val {
    match &value {
        Val::Str(s) if !case_sensitive => Val::from(s.to_lowercase()),
        _ => value,
    }
}

fn key_of(c: &Call, item: &Val, attribute: Option<&Val>, case_sensitive: bool) -> Res<Val> {
    let Some(attribute) = attribute else {
        return Ok(folded(item.usable()?.clone(), case_sensitive));
    };
    let value = access::path(c.ctx, item, attribute)?;
    Ok(folded(value.usable()?.clone(), case_sensitive))
}

fn sort(c: &Call) -> Res<Val> {
    let reverse = c.truth_or(1, false)?;
    let case_sensitive = c.truth_or(2, false)?;
    let attributes: Vec<Val> = match c.given(3) {
        None => Vec::new(),
        Some(Val::Str(names)) => names.split(',').map(|n| Val::from(n.trim())).collect(),
        Some(other) => vec![other.clone()],
    };
    let mut keyed = Vec::new();
    for item in c.items(0)? {
        let key = match &attributes[..] {
            [] => key_of(c, &item, None, case_sensitive)?,
            [one] => key_of(c, &item, Some(one), case_sensitive)?,
            many => Val::Tuple(
                many.iter()
                    .map(|a| key_of(c, &item, Some(a), case_sensitive))
                    .collect::<Res<_>>()?,
            ),
        };
        keyed.push((key, item));
    }
    ops::sort_by_key(c.ctx, &mut keyed, reverse, |(key, _)| key.clone())?;
    Ok(Val::list(keyed.into_iter().map(|(_, item)| item).collect()))
}

fn groupby(c: &Call) -> Res<Val> {
    let attribute = c.need(1)?;
    let case_sensitive = c.truth_or(3, false)?;
    let mut keyed = Vec::new();
    for item in c.items(0)? {
        let value = access::path(c.ctx, &item, attribute)?;
        let value = match (&value, c.given(2)) {
            (Val::Missing(_), Some(default)) => default.clone(),
            _ => value.usable()?.clone(),
        };
        keyed.push((folded(value.clone(), case_sensitive), value, item));
    }
    ops::sort_by_key(c.ctx, &mut keyed, false, |(key, ..)| key.clone())?;
    let mut groups: Vec<(Val, Val, Vec<Val>)> = Vec::new();
    for (key, value, item) in keyed {
        match groups.last_mut() {
            Some((last, _, items)) if ops::equal(c.ctx, last, &key)? => items.push(item),
            _ => groups.push((key, value, vec![item])),
        }
    }
    let pairs = groups
        .into_iter()
        .map(|(_, value, items)| Tuple::named(&["grouper", "list"], vec![value, Val::list(items)]));
    Ok(Val::list(pairs.map(Val::Tuple).collect()))
}

fn extreme(c: &Call, smallest: bool) -> Res<Val> {
    let case_sensitive = c.truth_or(1, false)?;
    let mut best: Option<(Val, Val)> = None;
    for item in c.items(0)? {
        let key = key_of(c, &item, c.given(2), case_sensitive)?;
        let better = match &best {
            None => true,
            Some((old, _)) => {
                let sign = if smallest { "<" } else { ">" };
                let order = ops::order(c.ctx, &key, old, sign)?;
                if smallest {
                    order.is_lt()
                } else {
                    order.is_gt()
                }
            }
        };
        if better {
            best = Some((key, item));
        }
    }
    Ok(best.map_or_else(
        || Val::Missing(Fault::undefined("no aggregated item, sequence was empty.")),
        |(_, item)| item,
    ))
}

fn sum(c: &Call) -> Res<Val> {
    let mut total = c.given(2).cloned().unwrap_or(Val::Int(0));
    for item in c.items(0)? {
        let value = match c.given(1) {
            Some(attribute) => access::path(c.ctx, &item, attribute)?,
            None => item,
        };
        total = ops::binary(c.ctx, Binary::Add, &total, &value)?;
    }
    Ok(total)
}

fn unique(c: &Call) -> Res<Val> {
    let case_sensitive = c.truth_or(1, false)?;
    let mut seen = Vec::new();
    let mut out = Vec::new();
    for item in c.items(0)? {
        let key = key_of(c, &item, c.given(2), case_sensitive)?;
        // ansible-core compares what cannot be a key only where nothing was asked for.
        let asked = c.given(1).is_some() || c.given(2).is_some();
        if asked && matches!(key, Val::Map(_) | Val::List(_)) {
            return Err(
                Fault::error(format!(
                    "unhashable type: '{}', and `unique` cannot fall back to comparing items with these parameters",
                    key.type_name()
                ))
                .hint("`unique` without options compares lists and dicts, too"),
            );
        }
        if !access::has(c.ctx, &seen, &key)? {
            seen.push(key);
            out.push(item);
        }
    }
    Ok(Val::list(out))
}

fn dictsort(c: &Call) -> Res<Val> {
    let case_sensitive = c.truth_or(1, false)?;
    let by_value = match &*c.text_or(2, "key")? {
        "key" => false,
        "value" => true,
        _ => return Err(Fault::error("you can only sort by either 'key' or 'value'")),
    };
    let mut entries: Vec<(Val, Val)> = c
        .entries(0)?
        .into_iter()
        .map(|(k, v)| (Val::from(k), v))
        .collect();
    ops::sort_by_key(
        c.ctx,
        &mut entries,
        c.truth_or(3, false)?,
        |(key, value)| {
            let by = if by_value { value } else { key };
            folded(by.clone(), case_sensitive)
        },
    )?;
    Ok(Val::list(
        entries.into_iter().map(|(k, v)| Val::pair(k, v)).collect(),
    ))
}
