//! Tests of what tasks returned.

use super::super::access;
use super::super::call::Call;
use super::super::fault::{Fault, Res};
use super::super::ops;
use super::super::val::Val;
use super::Test;

pub(super) static TABLE: &[Test] = &[
    Test::new("failed", &["result"], "Whether the task failed.", |c| {
        flag(c, "failed", "failed").map(Val::Bool)
    }),
    Test::new("failure", &["result"], "As `failed`.", |c| {
        flag(c, "failed", "failed").map(Val::Bool)
    }),
    Test::new(
        "succeeded",
        &["result"],
        "Whether the task did not fail.",
        succeeded,
    ),
    Test::new("success", &["result"], "As `succeeded`.", succeeded),
    Test::new("successful", &["result"], "As `succeeded`.", succeeded),
    Test::new(
        "unreachable",
        &["result"],
        "Whether the host could not be reached.",
        |c| flag(c, "unreachable", "unreachable").map(Val::Bool),
    ),
    Test::new(
        "reachable",
        &["result"],
        "Whether the host could be reached.",
        |c| flag(c, "unreachable", "reachable").map(|u| Val::Bool(!u)),
    ),
    Test::new(
        "skipped",
        &["result"],
        "Whether the task was skipped.",
        |c| flag(c, "skipped", "skipped").map(Val::Bool),
    ),
    Test::new("skip", &["result"], "As `skipped`.", |c| {
        flag(c, "skipped", "skipped").map(Val::Bool)
    }),
    Test::new(
        "changed",
        &["result"],
        "Whether the task changed anything.",
        changed,
    ),
    Test::new("change", &["result"], "As `changed`.", changed),
    Test::new(
        "finished",
        &["result"],
        "Whether the asynchronous task is done.",
        |c| asynchronous(c, "finished"),
    ),
    Test::new(
        "started",
        &["result"],
        "Whether the asynchronous task was started.",
        |c| asynchronous(c, "started"),
    ),
    Test::new(
        "timedout",
        &["result"],
        "Whether the task ran out of time.",
        timed_out,
    ),
];

/// An item of the result; `test` is named if it is no result at all.
fn item(c: &Call, key: &str, test: &str) -> Res<Option<Val>> {
    let value = c.need(0)?;
    let Val::Map(map) = value else {
        if access::entries(c.ctx, value)?.is_some() {
            return access::attribute(c.ctx, value, &key.into())
                .map(|v| Some(v).filter(|v| !matches!(v, Val::Missing(_))));
        }
        return Err(Fault::error(format!(
            "The '{test}' test expects a dictionary"
        )));
    };
    Ok(map.get_str(c.ctx, key))
}

fn flag(c: &Call, key: &str, test: &str) -> Res<bool> {
    match item(c, key, test)? {
        Some(value) => ops::truth(c.ctx, &value),
        None => Ok(false),
    }
}

fn succeeded(c: &Call) -> Res<Val> {
    flag(c, "failed", "succeeded").map(|failed| Val::Bool(!failed))
}

fn changed(c: &Call) -> Res<Val> {
    if let Some(changed) = item(c, "changed", "changed")? {
        return ops::truth(c.ctx, &changed).map(Val::Bool);
    }
    if let Some(results @ Val::List(_)) = item(c, "results", "changed")? {
        for result in access::iterate(c.ctx, &results)? {
            if let Val::Map(result) = &result
                && let Some(changed) = result.get_str(c.ctx, "changed")
                && ops::truth(c.ctx, &changed)?
            {
                return Ok(Val::Bool(true));
            }
        }
    }
    Ok(Val::Bool(false))
}

/// A task that was not asynchronous counts as started and finished.
fn asynchronous(c: &Call, key: &str) -> Res<Val> {
    match item(c, key, key)? {
        Some(value) => ops::truth(c.ctx, &value).map(Val::Bool),
        None => Ok(Val::Bool(true)),
    }
}

fn timed_out(c: &Call) -> Res<Val> {
    let Some(Val::Map(timed_out)) = item(c, "timedout", "timedout")? else {
        return Ok(Val::Bool(false));
    };
    match timed_out.get_str(c.ctx, "period") {
        Some(period) => ops::truth(c.ctx, &period).map(Val::Bool),
        None => Ok(Val::Bool(false)),
    }
}
