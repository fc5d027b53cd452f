//! What happened, as data: all that leaves the engine, and the wire format towards a controller.
//!
//! An event is keyed `(host, run, seq)`: a repeat is harmless and a gap is seen. The terminal, the
//! JSON report, JUnit and drift are folds of the same events; nothing here knows the engine.

use crate::module::Diff;
use crate::source::Span;
use crate::value::Value;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The version of this format. A reader refuses a higher major number and skips kinds it does not know.
pub const VERSION: u32 = 1;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// The run.
    pub run: Arc<str>,
    /// The host it is about; empty for the run itself.
    pub host: Arc<str>,
    /// Counts up from 1 for each host of a run, without gaps.
    pub seq: u64,
    /// Milliseconds since 1970-01-01 UTC.
    pub at_ms: u64,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What is new of a background job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobNews {
    /// It still works.
    Poll,
    /// It is done.
    Ok,
    /// It failed, or took too long.
    Failed,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum EventKind {
    RunStarted {
        version: u32,
        playbooks: Vec<String>,
        check: bool,
        diff: bool,
    },
    PlaybookStarted {
        name: String,
    },
    PlayStarted {
        play: PlayInfo,
    },
    /// A pattern matched nothing, a play has no hosts, …: a line for the user.
    Notice {
        level: Level,
        text: String,
    },
    /// The play ran no host: its pattern matched none.
    NoHostsMatched,
    TaskStarted {
        task: Arc<TaskInfo>,
    },
    /// A handler is about to run (its [`TaskInfo::handler`] is set).
    HostTaskStarted {
        task: u64,
    },
    /// News of a long task; may be dropped.
    Progress {
        task: u64,
        text: String,
        done: Option<u64>,
        total: Option<u64>,
    },
    /// An attempt of `until` failed and another follows.
    Retry {
        task: u64,
        left: u32,
        result: Value,
    },
    /// News of what works in the background and is waited for.
    Job {
        task: u64,
        news: JobNews,
        jid: String,
        started: bool,
        finished: bool,
    },
    /// One item of a loop is finished.
    ItemFinished {
        task: u64,
        item: Value,
        report: Report,
    },
    TaskFinished {
        task: u64,
        report: Report,
    },
    /// A file was included for these hosts.
    Included {
        file: String,
        hosts: Vec<String>,
        label: Option<String>,
    },
    /// A handler was notified (shown at `-v`).
    Notified {
        handler: String,
    },
    /// Counters of each host, at the end.
    RunFinished {
        stats: Vec<(Arc<str>, Counters)>,
        /// Exit status as Ansible's.
        status: i32,
    },
}

/// How loud a notice is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Only for the curious (`-v`).
    Verbose,
    /// For everybody.
    Info,
    /// Something deserves a look.
    Warning,
    /// Works today, not for ever.
    Deprecation,
    /// A failure that belongs to no task.
    Error,
    /// A turn of the run, as a heading.
    Banner,
}

/// A play, as views need it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct PlayInfo {
    pub id: u64,
    pub name: String,
    pub hosts: Vec<Arc<str>>,
    /// Shown as `PLAY [x] (free)` when it is not `linear`.
    pub strategy: String,
    pub check: bool,
}

/// A task, as views need it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct TaskInfo {
    /// Unique in the run.
    pub id: u64,
    /// Name as shown, with its role (`role : name`), templates evaluated where possible.
    pub name: String,
    pub module: String,
    /// The path of the file and the line, `site.yml:12`.
    pub path: String,
    pub handler: bool,
    pub check: bool,
    pub no_log: bool,
    /// The arguments as written, for `--output json` and `-vv`.
    pub args: Value,
}

impl TaskInfo {
    /// `file:line` of a place.
    #[must_use]
    pub fn path_of(span: Option<&Span>) -> String {
        span.map_or_else(String::new, |s| format!("{}:{}", s.file.name, s.line))
    }
}

/// How a task, or an item of its loop, ended on a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Status {
    #[default]
    Ok,
    Changed,
    /// Check mode cannot know whether it would change something.
    MayChange,
    Skipped,
    Failed,
    Unreachable,
}

/// The end of a task or item on one host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Report {
    pub status: Status,
    /// What `register` receives (or a censored stand-in for `no_log`).
    pub result: Value,
    pub diffs: Vec<Diff>,
    /// A failure that does not stop the host (`ignore_errors`).
    pub ignored: bool,
    /// Another host did it (`delegate_to`).
    pub delegated_to: Option<String>,
    /// Text for the item of a loop.
    pub label: Option<String>,
    /// The error as a person should read it: with place, excerpt and hints.
    pub error: Option<String>,
    /// Whether this report stands for a whole loop whose items were reported before.
    pub looped: bool,
    pub seconds: f64,
}

/// What Ansible's recap counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Counters {
    pub ok: u32,
    pub changed: u32,
    pub unreachable: u32,
    pub failed: u32,
    pub skipped: u32,
    pub rescued: u32,
    pub ignored: u32,
    /// Tasks that check mode could not judge.
    pub may_change: u32,
}

/// Takes events. A sink must not lose one: it blocks or spools instead.
pub trait Sink: Send + Sync {
    /// Takes one event.
    fn emit(&self, event: &Event);

    /// What is to be numbered and taken in the place of `kind`: a sink may leave out what was told
    /// before, or put a word before it. Numbers have no gaps, because this comes before them.
    fn admit(&self, _host: &str, kind: EventKind) -> Vec<EventKind> {
        vec![kind]
    }
}
