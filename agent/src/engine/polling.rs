//! Waiting for what works in the background (`async` with a `poll` above 0).

use super::invoke;
use super::result::ItemEnd;
use super::runner::{Background, timed_out};
use super::task::{Effective, Seen, TaskCx};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{EventKind, JobNews};
use crate::host::here;
use crate::modules;
use crate::value::{Key, Map, Value};

/// The first look comes after so many seconds; each pause is twice the one before it, up to `poll`.
/// So a short task costs no whole `poll`, as it does in Ansible.
const FIRST_LOOK: f64 = 0.02;

/// How much longer than its limit a job is waited for.
const GRACE: f64 = 5.0;

/// Waits until the job is done, and gives its result.
///
/// # Errors
/// When its state cannot be read even at the end.
pub(super) fn wait(
    cx: &TaskCx<'_>,
    seen: &Seen,
    effective: &Effective,
    background: &Background,
    started: &ItemEnd,
) -> Result<ItemEnd> {
    let Some(jid) = started.result.get("ansible_job_id").and_then(Value::as_str) else {
        return Ok(failure("No job id was returned by the async task", None));
    };
    let text = format!(
        "async task did not complete within the requested time - {}s",
        background.limit
    );
    let ask = |mode: &str| status(cx, seen, effective, jid, mode);
    let began = here::monotonic();
    // The job itself keeps the limit; what it is busy with may take a moment to end.
    let (limit, poll) = (background.limit as f64 + GRACE, effective.poll as f64);
    let (mut pause, mut told) = (FIRST_LOOK, 0.0);
    let mut last = None;
    loop {
        here::sleep(pause.min((limit - (here::monotonic() - began)).max(0.0)));
        let spent = here::monotonic() - began;
        match ask("status") {
            Ok(mut end) if is_done(&end) => {
                ask("cleanup")?;
                name_the_limit(&mut end, &text);
                news(
                    cx,
                    if end.failed() {
                        JobNews::Failed
                    } else {
                        JobNews::Ok
                    },
                    &end,
                );
                return Ok(end);
            }
            Ok(end) => {
                if spent - told >= poll {
                    told += poll;
                    news(cx, JobNews::Poll, &end);
                }
                last = Some(end);
            }
            // A connection may come back.
            Err(error) if spent >= limit => return Err(error),
            Err(_) => {}
        }
        if let Some(limit) = effective.timeout.filter(|t| spent >= *t as f64) {
            return Ok(ItemEnd::performed(timed_out(limit), &[]));
        }
        if spent >= limit || here::stopped() {
            break;
        }
        pause = (pause * 2.0).min((told + poll - spent).max(FIRST_LOOK));
    }
    let end = failure(&text, last.map(|end| end.result));
    news(cx, JobNews::Failed, started);
    Ok(end)
}

fn status(
    cx: &TaskCx<'_>,
    seen: &Seen,
    effective: &Effective,
    jid: &str,
    mode: &str,
) -> Result<ItemEnd> {
    let def = modules::find("async_status")
        .ok_or_else(|| Error::new(ErrorKind::Internal, "there is no async_status"))?;
    let args: Map = [("jid", jid), ("mode", mode)]
        .into_iter()
        .map(|(k, v)| (Key::from(k), Value::from(v)))
        .collect();
    let mut call = invoke::call(cx, seen, effective, def, args)?;
    call.background = None;
    call.timeout = None;
    invoke::on_host(cx, effective, &call)
}

/// Whether a job is over.
fn is_done(end: &ItemEnd) -> bool {
    end.result.get("finished").is_some_and(Value::is_truthy)
}

/// Says in both of Ansible's ways that a job's time was up: which one it uses hangs on a race there.
fn name_the_limit(end: &mut ItemEnd, text: &str) {
    let message = end.result.get("msg").and_then(Value::as_str);
    if message == Some("Timeout exceeded") && end.result.contains_key("child_pid") {
        let both = Value::from(format!("Timeout exceeded: {text}"));
        end.result.insert(Key::from("msg"), both);
    }
}

fn failure(message: &str, last: Option<Map>) -> ItemEnd {
    let mut end = ItemEnd::error(&Error::host(message));
    end.error = None;
    if let Some(last) = last {
        end.result
            .insert(Key::from("async_result"), Value::map(last));
    }
    end
}

fn news(cx: &TaskCx<'_>, what: JobNews, end: &ItemEnd) {
    let text = |name: &str| end.result.get(name).cloned().unwrap_or_default();
    let flag = |name: &str| text(name).is_truthy();
    cx.run.emit.host(
        &cx.slot.name,
        EventKind::Job {
            task: cx.view.info.id,
            news: what,
            jid: cx.run.text(&text("ansible_job_id")),
            started: flag("started"),
            finished: flag("finished"),
        },
    );
}
