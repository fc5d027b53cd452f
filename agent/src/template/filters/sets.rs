//! Filters on lists as sets; order is that of the first list.

use super::super::access;
use super::super::call::Call;
use super::super::fault::Res;
use super::super::val::Val;
use super::Filter;

pub(super) static TABLE: &[Filter] = &[
    Filter::new("union", &["a", "b"], "The items of either list.", |c| {
        let (mut a, b) = (c.items(0)?, c.items(1)?);
        a.extend(b);
        distinct(c, a)
    }),
    Filter::new("intersect", &["a", "b"], "The items of both lists.", |c| {
        keep(c, c.items(0)?, &c.items(1)?, true)
    }),
    Filter::new(
        "difference",
        &["a", "b"],
        "The items of the first list that are not in the second.",
        |c| keep(c, c.items(0)?, &c.items(1)?, false),
    ),
    Filter::new(
        "symmetric_difference",
        &["a", "b"],
        "The items of only one of the lists.",
        symmetric,
    ),
];

fn distinct(c: &Call, items: Vec<Val>) -> Res<Val> {
    let mut out: Vec<Val> = Vec::new();
    for item in items {
        if !access::has(c.ctx, &out, &item)? {
            out.push(item);
        }
    }
    Ok(Val::list(out))
}

fn keep(c: &Call, items: Vec<Val>, others: &[Val], there: bool) -> Res<Val> {
    let mut out = Vec::new();
    for item in items {
        if access::has(c.ctx, others, &item)? == there {
            out.push(item);
        }
    }
    distinct(c, out)
}

fn symmetric(c: &Call) -> Res<Val> {
    let (a, b) = (c.items(0)?, c.items(1)?);
    let mut out = Vec::new();
    for (these, those) in [(&a, &b), (&b, &a)] {
        for item in these {
            if !access::has(c.ctx, those, item)? {
                out.push(item.clone());
            }
        }
    }
    distinct(c, out)
}
