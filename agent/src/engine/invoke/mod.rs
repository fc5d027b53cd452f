//! Carries a task's module out, as often as `until` asks, and judges the result. `arguments` are what the module
//! is told, `call` brings it to the host.

mod arguments;
mod call;

use super::include::IncludeCall;
use super::result::ItemEnd;
use super::task::{Effective, Seen, TaskCx};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{EventKind, Status};
use crate::host::here;
use crate::module::{ModuleDef, Returns, Seat};
use crate::modules;
use crate::playbook::keyword::{Kw, Setting, plain_text};
use crate::playbook::task::Task;
use crate::value::{Key, Value};
use arguments::arguments;
pub(super) use arguments::module_defaults;
pub(super) use call::{call, carry_out, on_host};
use std::sync::Arc;

/// Runs the module until `until` holds or no retries are left.
pub(super) fn attempts(cx: &TaskCx<'_>, seen: &Seen, effective: &Effective) -> ItemEnd {
    let until = cx.task().own(Kw::Until).cloned();
    let retries = match number(cx, Kw::Retries, seen) {
        Ok(n) => n,
        Err(e) => return ItemEnd::error(&e),
    };
    let delay = number(cx, Kw::Delay, seen).ok().flatten().unwrap_or(5.0);
    let loops = until.is_some() || retries.is_some();
    let retries = if loops {
        retries.unwrap_or(3.0).max(0.0) as u32
    } else {
        0
    };
    for attempt in 1.. {
        let mut end = once(cx, seen, effective, loops.then_some(attempt));
        if !loops || end.unreachable() || end.status == Status::MayChange {
            return end;
        }
        let seen_now = cx.with_result(seen, &end.result);
        let met = match &until {
            Some(setting) => all_hold(cx, setting, &seen_now),
            None => Ok(!end.failed()),
        };
        match met {
            Ok(true) => return end,
            Err(error) => return ItemEnd::error(&error),
            Ok(false) if attempt > retries || here::stopped() => {
                end.result.insert(Key::from("failed"), Value::Bool(true));
                // As Ansible counts where none helped: only what came after the first.
                end.result
                    .insert(Key::from("attempts"), Value::from(retries));
                // A task that `failed_when` judged is as that says, whatever became of `until`.
                if end.result.get("failed_when_result") != Some(&Value::Bool(false)) {
                    end.status = Status::Failed;
                }
                return ignore_if_asked(cx, seen, end);
            }
            Ok(false) => {}
        }
        cx.run.emit.host(
            &cx.slot.name,
            EventKind::Retry {
                task: cx.view.info.id,
                left: retries - attempt + 1,
                result: end.report(cx.task()).result,
            },
        );
        here::sleep(delay);
    }
    unreachable!("attempts end")
}

fn number(cx: &TaskCx<'_>, kw: Kw, seen: &Seen) -> Result<Option<f64>> {
    let Some(value) = cx.setting(kw, seen)? else {
        return Ok(None);
    };
    match &value {
        Value::Int(i) => Ok(Some(*i as f64)),
        Value::Float(f) => Ok(Some(*f)),
        other => plain_text(other).trim().parse().map(Some).map_err(|_| {
            Error::new(
                ErrorKind::Syntax,
                format!(
                    "`{}` must be a number, not `{}`",
                    kw.name(),
                    plain_text(other)
                ),
            )
            .at_opt(cx.task().find(kw).map(|s| &s.span))
        }),
    }
}

fn all_hold(cx: &TaskCx<'_>, setting: &Setting, seen: &Seen) -> Result<bool> {
    for condition in setting.items() {
        let holds = cx
            .run
            .condition(&condition, Some(&setting.span), &seen.vars)?;
        if !holds {
            return Ok(false);
        }
    }
    Ok(true)
}

/// One attempt, judged.
fn once(cx: &TaskCx<'_>, seen: &Seen, effective: &Effective, attempt: Option<u32>) -> ItemEnd {
    let began = here::monotonic();
    let mut end = match module(cx, seen, effective) {
        Ok(end) => end,
        Err(error) => ItemEnd::error(&error.at(&cx.task().span)),
    };
    if let Some(limit) = effective.timeout
        && here::monotonic() - began >= limit as f64
    {
        end = ItemEnd::performed(super::runner::timed_out(limit), &[]);
    }
    if end.include.is_some() {
        return end;
    }
    if end.unreachable() {
        return ignore_if_asked(cx, seen, end);
    }
    if let Some(attempt) = attempt {
        let number = Value::from(attempt);
        end.result.insert(Key::from("attempts"), number);
    }
    // Attempts that are followed by another are reported, too.
    // A module may know that its result is a secret.
    let secret = end.result.get("_ansible_no_log") == Some(&Value::Bool(true));
    end.no_log = effective.no_log || secret;
    let mut end = place(cx, judge(cx, seen, end));
    end.mark_failure();
    ignore_if_asked(cx, seen, end)
}

/// Whether the module works at the engine.
fn is_action(cx: &TaskCx<'_>, task: &Task) -> bool {
    cx.run
        .library
        .find(&task.module)
        .is_some_and(|def| matches!(def.seat, Seat::Engine(_)))
}

/// A module's failure, with the task's place.
fn place(cx: &TaskCx<'_>, mut end: ItemEnd) -> ItemEnd {
    if end.status == Status::Failed && end.error.is_none() {
        // Where `failed_when` judged, the module itself did not fail.
        let judged = end.result.contains_key("failed_when_result");
        let who = if judged || is_action(cx, cx.task()) {
            "Action"
        } else {
            "Module"
        };
        let message = match end.result.get("msg").map(|m| cx.run.text(m)) {
            Some(text) if end.result.contains_key("timedout") => {
                text.trim_start_matches("Task failed: ").to_string()
            }
            Some(text) if !text.is_empty() => format!("{who} failed: {text}"),
            _ => format!("{who} failed."),
        };
        let error = Error::host(message).at(&cx.task().span);
        end.error = Some(super::told::told(&error));
    }
    end
}

pub(super) fn ignore_if_asked(cx: &TaskCx<'_>, seen: &Seen, mut end: ItemEnd) -> ItemEnd {
    let kw = match end.unreachable() {
        true => Kw::IgnoreUnreachable,
        false => Kw::IgnoreErrors,
    };
    if end.failed() {
        end.ignored = cx.flag(kw, seen).ok().flatten() == Some(true);
    }
    end
}

/// `changed_when`, then `failed_when`. What cannot be judged has failed; what the module did is told
/// all the same.
fn judge(cx: &TaskCx<'_>, seen: &Seen, mut end: ItemEnd) -> ItemEnd {
    if end.status == Status::MayChange || end.status == Status::Skipped {
        return end;
    }
    let task = cx.task();
    let (changed_when, failed_when) = (task.own(Kw::ChangedWhen), task.own(Kw::FailedWhen));
    if let Some(setting) = changed_when {
        match all_hold(cx, setting, &cx.with_result(seen, &end.result)) {
            Ok(changed) => end.judge_changed(changed),
            Err(e) if e.is_unknown() => {
                end.set("changed", Value::Unknown(e.message().into()));
                end.status = Status::MayChange;
                end.error = Some(e.message());
            }
            Err(e) => {
                end.cannot_judge("changed_when_result", &e);
                return end;
            }
        }
    }
    if let Some(setting) = failed_when {
        match all_hold(cx, setting, &cx.with_result(seen, &end.result)) {
            Ok(failed) => end.judge_failed(failed),
            Err(e) if e.is_unknown() => end.set("failed", Value::Unknown(e.message().into())),
            Err(e) => end.cannot_judge("failed_when_result", &e),
        }
    }
    end
}

/// Actions that leave their work to a module on the host, which can be done in the background.
const WITH_HOST_MODULE: &[&str] = &["package", "template", "gather_facts"];

/// Evaluates the arguments and carries the module out.
fn module(cx: &TaskCx<'_>, seen: &Seen, effective: &Effective) -> Result<ItemEnd> {
    let task = cx.task();
    let name = module_name(cx, seen)?;
    let Some(def) = cx.run.library.find(&name) else {
        return Err(no_module(&name).at(&task.module_span));
    };
    let args = arguments(cx, seen, def)?;
    match def.short_name() {
        "include_tasks" | "include_role" => {
            return IncludeCall::new(cx, def, args, seen).map(|call| ItemEnd {
                include: Some(call),
                ..ItemEnd::default()
            });
        }
        _ => {}
    }
    let mut end = match def.seat {
        Seat::Engine(bind) => {
            if effective.background.is_some() && !WITH_HOST_MODULE.contains(&def.short_name()) {
                return Err(Error::params(format!(
                    "This action ({}) does not support async.",
                    def.short_name()
                ))
                .at_opt(task.find(Kw::Async).map(|s| &s.span)));
            }
            let action = bind(&args)?;
            let mut actor = cx.actor(seen, effective);
            actor.args = args;
            let returns = action.run(&mut actor)?;
            actor.finish(returns, def)
        }
        Seat::Host(_) => {
            let call = call(cx, seen, effective, def, args)?;
            carry_out(cx, seen, effective, &call)?
        }
    };
    end.action = (name != task.module).then(|| def.name.into());
    Ok(end)
}

/// The module's name: it may be a template (`action: "{{ which }}"`).
fn module_name(cx: &TaskCx<'_>, seen: &Seen) -> Result<Arc<str>> {
    let task = cx.task();
    if !task.module.contains("{{") {
        return Ok(Arc::clone(&task.module));
    }
    let setting = Setting {
        value: Value::written(&*task.module, Some(&task.module_span)),
        span: task.module_span.clone(),
    };
    Ok(plain_text(&cx.resolve(&setting, seen)?).trim().into())
}

/// Ansible's first words, which scripts look for, and what is near.
pub(super) fn no_module(name: &str) -> Error {
    let known = modules::names();
    let keywords = Kw::names(crate::playbook::keyword::TASK);
    Error::params(format!(
        "couldn't resolve module/action '{name}': no module or keyword is called so"
    ))
    .did_you_mean(name, known.iter().copied().chain(keywords))
}

/// What a module returned to an action, as a result.
pub(super) fn returned(returns: Returns, changed: bool, def: &ModuleDef) -> ItemEnd {
    let done = super::perform::Performed {
        changed: returns.changed.unwrap_or(changed),
        returns,
        ..super::perform::Performed::default()
    };
    ItemEnd::performed(done, def.returns)
}
