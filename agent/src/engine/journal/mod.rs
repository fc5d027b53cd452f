//! The journal: every finished task is on disk before it is reported, so that a run goes on where a
//! kill or a reboot ended it.
//!
//! A run that goes on is the same run, from its beginning: plays, cursors and handlers are worked out
//! again, and a task whose end is in the journal is not executed; its recorded end (report, variables,
//! notifications) is taken instead. So there is no second description of "where a run stands" that
//! could disagree with the engine, whatever the strategy. Tasks that include others are not recorded:
//! what they include is read again, from the same files and with the same variables.
//!
//! Where a plan tells what is left (most modules), a task that was in flight is planned again. Where
//! none can (`command`, `shell`, …), its beginning is on disk, too, and a policy decides
//! ([`OnInterrupt`]): the variable `lks_in_flight` of the task, or what the run says.

mod codec;

use super::result::TaskEnd;
use super::task::TaskCx;
use crate::error::Result;
use crate::event::{Report, Status};
use crate::value::{Key, Map, Value};

pub use codec::{End, decode, encode};

/// The variable of a task that decides what becomes of it if it was in flight.
pub const POLICY_VARIABLE: &str = "lks_in_flight";

/// What becomes of a task that was in flight and cannot be planned again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnInterrupt {
    /// It fails, and says why.
    #[default]
    Stop,
    /// It runs again.
    Rerun,
    /// It is skipped.
    Skip,
}

impl OnInterrupt {
    /// From its name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name.trim() {
            "stop" => Some(Self::Stop),
            "rerun" => Some(Self::Rerun),
            "skip" => Some(Self::Skip),
            _ => None,
        }
    }
}

/// A task in a run: the n-th that the host came to, and which one that was.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TaskKey {
    /// The host.
    pub host: String,
    /// Counts the host's tasks, from 1.
    pub number: u64,
    /// Module and place, to see that it is the same task.
    pub task: String,
}

/// What the journal knows of a task.
#[derive(Debug)]
pub enum Known {
    /// Nothing: it is to be executed.
    Nothing,
    /// It began, and nobody knows how it ended.
    Began,
    /// It ended so.
    Ended(Box<End>),
    /// Another task stood here.
    Another(String),
}

/// Keeps how tasks ended.
pub trait Journal: Send + Sync {
    /// The next number of this host.
    fn number(&self, host: &str) -> u64;
    /// What is known of a task.
    fn known(&self, key: &TaskKey) -> Known;
    /// A task that no plan can judge begins. It is on disk when this returns.
    ///
    /// # Errors
    /// When it cannot be kept: then the task must not begin.
    fn begins(&self, key: &TaskKey) -> Result<()>;
    /// A task ended. It is on disk when this returns.
    ///
    /// # Errors
    /// When it cannot be kept.
    fn ended(&self, key: &TaskKey, end: &End) -> Result<()>;
    /// What holds where the task says nothing.
    fn policy(&self) -> OnInterrupt;
}

/// Executes a task, or takes its end from the journal.
pub(super) fn execute(cx: &TaskCx<'_>) -> TaskEnd {
    let Some(journal) = cx.run.journal.get().map(|j| &**j) else {
        return cx.execute();
    };
    let host = &cx.slot.name;
    let key = TaskKey {
        host: host.to_string(),
        number: journal.number(host),
        task: format!("{} {}", cx.task().module, cx.view.info.path),
    };
    let by_policy = !told_by_plan(cx);
    match journal.known(&key) {
        Known::Ended(end) => return decode(*end),
        Known::Another(other) => {
            return failed(&format!(
                "the run cannot go on: the journal has `{other}` where `{}` stands now",
                key.task
            ));
        }
        Known::Began if by_policy => match policy(cx, journal) {
            OnInterrupt::Rerun => {}
            OnInterrupt::Skip => return keep(journal, &key, skipped()),
            OnInterrupt::Stop => return keep(journal, &key, interrupted(cx)),
        },
        Known::Began | Known::Nothing => {}
    }
    if by_policy && let Err(error) = journal.begins(&key) {
        return failed(&format!("not begun: {error}"));
    }
    let end = cx.execute();
    // A stop of the whole run is no end of the task: it goes on there.
    if crate::host::here::stopped() && end.report.status == Status::Failed {
        return end;
    }
    if end.includes.is_empty() {
        keep(journal, &key, end)
    } else {
        end
    }
}

/// Records an end. One that cannot be recorded ends the run on this host: going on without it would
/// run the task twice after the next kill.
fn keep(journal: &dyn Journal, key: &TaskKey, end: TaskEnd) -> TaskEnd {
    match journal.ended(key, &encode(&end)) {
        Ok(()) => end,
        Err(error) => failed(&format!(
            "the task ended, but that could not be recorded: {error}"
        )),
    }
}

fn policy(cx: &TaskCx<'_>, journal: &dyn Journal) -> OnInterrupt {
    let seen = cx.seen(&cx.slot.snapshot());
    let own = seen.stack.definitions(POLICY_VARIABLE).next();
    own.and_then(|(_, value)| cx.run.templar.resolve(value, &seen.vars).ok())
        .and_then(|value| OnInterrupt::named(&cx.run.text(&value)))
        .unwrap_or_else(|| journal.policy())
}

/// Whether planning the task again tells what is left of it. A command does not tell, unless the
/// playbook says what it makes (`creates`) or that it only looks (`changed_when: false`).
fn told_by_plan(cx: &TaskCx<'_>) -> bool {
    use crate::playbook::keyword::Kw;
    let task = cx.task();
    let says = |name: &str| task.args.get(name).is_some();
    let written = |name: &str| {
        let free = task.args.free.as_ref();
        free.is_some_and(|s| crate::playbook::keyword::plain_text(&s.value).contains(name))
    };
    match task.short_module() {
        "command" | "shell" | "script" => {
            let only_looks = task.find(Kw::ChangedWhen).is_some_and(|s| {
                matches!(s.value, Value::Bool(false)) || s.value.as_str() == Some("false")
            });
            only_looks
                || ["creates", "removes"]
                    .iter()
                    .any(|n| says(n) || written(&format!("{n}=")))
        }
        "raw" | "expect" => false,
        "uri" => task.args.get("method").is_none_or(|m| {
            let only_asks = |text: &str| matches!(text, "GET" | "HEAD" | "OPTIONS");
            m.value.as_str().is_some_and(only_asks)
        }),
        _ => true,
    }
}

fn skipped() -> TaskEnd {
    let why = "it was in flight when the agent was interrupted, and is to be skipped then";
    ended(Status::Skipped, "skip_reason", why)
}

fn interrupted(cx: &TaskCx<'_>) -> TaskEnd {
    failed(&format!(
        "`{}` was in flight when the agent was interrupted; whether it took effect is not known, \
         so it is not run again (set the task's variable `{POLICY_VARIABLE}` to `rerun` or `skip` to decide otherwise)",
        cx.view.info.name
    ))
}

fn failed(why: &str) -> TaskEnd {
    let mut end = ended(Status::Failed, "msg", why);
    end.report.error = Some(why.to_string());
    end
}

fn ended(status: Status, key: &str, text: &str) -> TaskEnd {
    let mut result = Map::new();
    result.insert(Key::from("changed"), Value::Bool(false));
    result.insert(Key::from("failed"), Value::Bool(status == Status::Failed));
    result.insert(Key::from("skipped"), Value::Bool(status == Status::Skipped));
    result.insert(Key::from(key), Value::from(text));
    TaskEnd {
        report: Report {
            status,
            result: Value::map(result.clone()),
            ..Report::default()
        },
        result,
        ..TaskEnd::default()
    }
}
