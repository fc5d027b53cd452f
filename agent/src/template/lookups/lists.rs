//! Lookups that make or join lists.

use super::super::access;
use super::super::fault::{Fault, Res};
use super::super::filters::{Twister, subelements};
use super::super::methods::percent;
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
    ),
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
    Lookup::new("cartesian", &[], "As `nested`.", nested),
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
    Lookup::new(
        "sequence",
        &["start", "end", "count", "stride", "format"],
        "Numbers in a row.",
        sequence,
    ),
];

/// More numbers than this are a mistake.
const MAX_LEN: i128 = 1_000_000;

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
        Val::list(items.collect())
    };
    Ok((0..len).map(row).collect())
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
    let [items, path, rest @ ..] = &l.terms[..] else {
        return Err(Fault::error(
            "subelements lookup expects a list of two or three items",
        ));
    };
    let mut skip = l.flag("skip_missing", false)?;
    if let Some(Val::Map(flags)) = rest.first()
        && let Some(flag) = flags.get_str(l.ctx, "skip_missing")
    {
        skip = ops::truth(l.ctx, &flag)?;
    }
    // Items that were skipped have no elements.
    let kept = match access::entries(l.ctx, items)? {
        Some(entries) => entries.into_iter().map(|(_, v)| v).collect(),
        None => access::iterate(l.ctx, items)?,
    };
    let mut wanted = Vec::new();
    for item in kept {
        let skipped = match &item {
            Val::Map(m) => m.get_str(l.ctx, "skipped"),
            _ => None,
        };
        if !skipped.is_some_and(|s| ops::truth(l.ctx, &s).unwrap_or(false)) {
            wanted.push(item);
        }
    }
    let pairs = subelements(l.ctx, &Val::list(wanted), path, skip)?;
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
    let items = flattened(l)?;
    if items.is_empty() {
        return Ok(Vec::new());
    }
    let index = Twister::new(l.ctx, None)?.below(items.len() as u128) as usize;
    Ok(vec![items[index].clone()])
}

/// `start=1 end=10 stride=2 format=%02d`, `1-10/2:%02d` or `5`.
#[derive(Default)]
struct Row {
    start: Option<i128>,
    end: Option<i128>,
    count: Option<i128>,
    stride: Option<i128>,
    format: Option<String>,
}

impl Row {
    fn set(&mut self, key: &str, value: &str) -> Res<()> {
        if key == "format" {
            self.format = Some(value.to_owned());
            return Ok(());
        }
        let digits = value.trim();
        let number = match digits.strip_prefix("0x") {
            Some(hex) => i128::from_str_radix(hex, 16).ok(),
            None if digits.len() > 1 && digits.starts_with('0') => {
                i128::from_str_radix(digits.trim_start_matches("0o"), 8).ok()
            }
            None => digits.parse().ok(),
        };
        let Some(number) = number else {
            return Err(Fault::error(format!(
                "can't parse {key}={value} as integer"
            )));
        };
        match key {
            "start" => self.start = Some(number),
            "end" => self.end = Some(number),
            "count" => self.count = Some(number),
            "stride" => self.stride = Some(number),
            other => {
                return Err(Fault::error(format!(
                    "unrecognized arguments to with_sequence: {other}"
                )));
            }
        }
        Ok(())
    }

    fn short(&mut self, term: &str) -> Option<()> {
        let (rest, format) = match term.split_once(':') {
            Some((rest, format)) => (rest, Some(format)),
            None => (term, None),
        };
        let (range, stride) = match rest.split_once('/') {
            Some((range, stride)) => (range, Some(stride)),
            None => (rest, None),
        };
        let cut = range
            .char_indices()
            .skip(1)
            .find(|(_, c)| *c == '-')
            .map(|(i, _)| i);
        let (start, end) = match cut {
            Some(at) => (Some(&range[..at]), &range[at + 1..]),
            None => (None, range),
        };
        self.set("end", end).ok()?;
        for (key, value) in [("start", start), ("stride", stride)] {
            if let Some(value) = value {
                self.set(key, value).ok()?;
            }
        }
        if let Some(format) = format {
            self.format = Some(format.to_owned());
        }
        Some(())
    }
}

fn sequence(l: &Look) -> Res<Vec<Val>> {
    let mut out = Vec::new();
    let terms = if l.terms.is_empty() {
        vec![Val::from("")]
    } else {
        l.terms.clone()
    };
    for term in &terms {
        let mut row = Row::default();
        for (name, value) in &l.options {
            row.set(name, &text::to_text(l.ctx, value)?)?;
        }
        if let Some(entries) = access::entries(l.ctx, term)? {
            for (key, value) in entries {
                row.set(&key.to_string(), &text::to_text(l.ctx, &value)?)?;
            }
        } else {
            let term = text::to_text(l.ctx, term)?;
            if term.contains('=') {
                for (key, value) in term.split_whitespace().filter_map(|w| w.split_once('=')) {
                    row.set(key, value)?;
                }
            } else if !term.is_empty() && row.short(&term).is_none() {
                return Err(Fault::error(format!(
                    "could not parse '{term}' as a sequence"
                )));
            }
        }
        numbers(l, row, &mut out)?;
    }
    Ok(out)
}

fn numbers(l: &Look, row: Row, out: &mut Vec<Val>) -> Res<()> {
    let start = row.start.unwrap_or(1);
    let stride = row.stride.unwrap_or(1);
    let end = match (row.end, row.count) {
        (Some(_), Some(_)) => {
            return Err(Fault::error(
                "can't specify both count and end in with_sequence",
            ));
        }
        (None, None) => return Err(Fault::error("must specify count or end in with_sequence")),
        (Some(end), None) => end,
        (None, Some(0)) => return Ok(()),
        (None, Some(count)) => start + count * stride - stride.signum(),
    };
    if stride == 0 {
        return Ok(());
    }
    if stride > 0 && end < start && row.count.is_none() && row.start.is_some() {
        return Err(Fault::error("to count backwards make stride negative"));
    }
    let format = row.format.unwrap_or_else(|| "%d".into());
    let mut at = start;
    while if stride > 0 { at <= end } else { at >= end } {
        if out.len() as i128 >= MAX_LEN {
            return Err(Fault::error("the sequence is too long"));
        }
        out.push(Val::from(percent::format(l.ctx, &format, &Val::Int(at))?));
        at += stride;
    }
    Ok(())
}
