//! A run as JSON: the document that Ansible's `json` callback prints at the end, and events as they
//! come, one a line.

use super::custom::CustomStats;
use super::text::{Layout, dump, timestamp};
use crate::event::{Counters, Event, EventKind, PlayInfo, Report, Sink, Status, TaskInfo};
use crate::module::Diff;
use crate::value::{Key, Map, Value};
use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

/// Prints the whole run as one document when it is over: `plays`, `stats`, `custom_stats`,
/// `global_custom_stats`.
pub struct Json<W>(Mutex<Document<W>>);

impl<W: Write + Send> Json<W> {
    /// A view that writes here.
    pub fn new(out: W) -> Self {
        Self(Mutex::new(Document {
            out,
            plays: Vec::new(),
            notices: Vec::new(),
            custom: CustomStats::default(),
        }))
    }

    /// Gives the writer back.
    pub fn into_inner(self) -> W {
        self.0
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
            .out
    }
}

impl<W: Write + Send> Sink for Json<W> {
    fn emit(&self, event: &Event) {
        let mut document = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        document.take(event);
    }
}

struct Document<W> {
    out: W,
    plays: Vec<Play>,
    /// Warnings and errors that belong to no task (ours).
    notices: Vec<Value>,
    custom: CustomStats,
}

struct Play {
    name: String,
    id: u64,
    times: Times,
    tasks: Vec<Task>,
    /// Where the task of an identity stands in `tasks`.
    places: HashMap<u64, usize>,
}

struct Task {
    info: Arc<TaskInfo>,
    times: Times,
    hosts: Map,
}

/// When something started, and the end of its last result.
#[derive(Clone, Copy)]
struct Times(u64, Option<u64>);

impl<W: Write> Document<W> {
    fn take(&mut self, event: &Event) {
        let now = event.at_ms;
        match &event.kind {
            EventKind::PlayStarted { play } => self.plays.push(Play::new(play, now)),
            EventKind::TaskStarted { task } => {
                if let Some(play) = self.plays.last_mut() {
                    play.task(task, now);
                }
            }
            EventKind::TaskFinished { task, report } => {
                self.custom.take(&event.host, report);
                if let Some(play) = self.plays.last_mut() {
                    play.finished(&event.host, *task, report, now);
                }
            }
            EventKind::Notice { level, text } => {
                let level = serde_json::to_value(level).unwrap_or_default();
                let pairs = [("level", Value::from(level)), ("text", text.into())];
                self.notices.push(map(pairs));
            }
            EventKind::RunFinished { stats, .. } => self.print(stats),
            _ => {}
        }
    }

    fn print(&mut self, stats: &[(Arc<str>, Counters)]) {
        let hosts: Map = stats
            .iter()
            .map(|(host, c)| (Key::from(Arc::clone(host)), counters(c)))
            .collect();
        let custom: Map = self
            .custom
            .hosts
            .iter()
            .map(|(host, data)| (Key::from(host.as_str()), Value::map(data.clone())))
            .collect();
        let mut document = vec![
            (
                "plays",
                Value::list(self.plays.iter().map(Play::value).collect()),
            ),
            ("stats", Value::map(hosts)),
            ("custom_stats", Value::map(custom)),
            ("global_custom_stats", Value::map(self.custom.run.clone())),
        ];
        if !self.notices.is_empty() {
            document.push(("notices", Value::list(self.notices.clone())));
        }
        let layout = Layout {
            indent: Some(4),
            ascii: true,
        };
        let text = dump(&map(document), layout) + "\n";
        // A reader that went away must not turn a good run into a bad one.
        let _ = self.out.write_all(text.as_bytes());
        let _ = self.out.flush();
    }
}

impl Play {
    fn new(play: &PlayInfo, now: u64) -> Self {
        Self {
            name: play.name.clone(),
            id: play.id,
            times: Times(now, None),
            tasks: Vec::new(),
            places: HashMap::new(),
        }
    }

    fn task(&mut self, info: &Arc<TaskInfo>, now: u64) {
        let place = self.tasks.len();
        // With `free`, each host starts the task for itself: one entry holds them all.
        self.places.entry(info.id).or_insert_with(|| {
            self.tasks.push(Task {
                info: Arc::clone(info),
                times: Times(now, None),
                hosts: Map::new(),
            });
            place
        });
    }

    fn finished(&mut self, host: &Arc<str>, id: u64, report: &Report, now: u64) {
        let Some(task) = self.places.get(&id).and_then(|n| self.tasks.get_mut(*n)) else {
            return;
        };
        let result = host_result(&task.info, report);
        task.hosts.insert(Key::from(Arc::clone(host)), result);
        task.times.1 = Some(now);
        self.times.1 = Some(now);
    }

    fn value(&self) -> Value {
        let play = map([
            ("name", Value::from(&self.name)),
            ("id", Value::from(self.id.to_string())),
            ("duration", self.times.value()),
        ]);
        let tasks = self.tasks.iter().map(Task::value).collect();
        map([("play", play), ("tasks", Value::list(tasks))])
    }
}

impl Task {
    fn value(&self) -> Value {
        let task = map([
            ("name", Value::from(&self.info.name)),
            ("id", Value::from(self.info.id.to_string())),
            ("path", Value::from(&self.info.path)),
            ("duration", self.times.value()),
        ]);
        map([("task", task), ("hosts", Value::map(self.hosts.clone()))])
    }
}

impl Times {
    fn value(self) -> Value {
        let mut times = vec![("start", Value::from(timestamp(self.0)))];
        times.extend(self.1.map(|end| ("end", Value::from(timestamp(end)))));
        map(times)
    }
}

/// A host's result as the callback has it: the result, plus how it ended where that is not `ok`.
fn host_result(task: &TaskInfo, report: &Report) -> Value {
    let mut result = match &report.result {
        Value::Map(map) => (**map).clone(),
        other => Map::from([(Key::from("msg"), other.clone())]),
    };
    result.shift_remove("_ansible_action");
    let mut set = |name: &str, value: Value| {
        result.insert(Key::from(name), value);
    };
    set("action", Value::from(&task.module));
    match report.status {
        Status::Failed => set("failed", true.into()),
        Status::Unreachable => set("unreachable", true.into()),
        Status::Skipped => set("skipped", true.into()),
        // What is not known must not pass for true: it is `null`, and why stands beside it.
        Status::MayChange => {
            set("changed", Value::Null);
            set("may_change", true.into());
        }
        Status::Ok | Status::Changed => {}
    }
    if let (Status::MayChange, Some(why)) = (report.status, &report.error) {
        set("may_change_reason", why.into());
    }
    if report.ignored {
        set("ignored", true.into());
    }
    if !report.diffs.is_empty() {
        set("diff", Value::list(report.diffs.iter().map(diff).collect()));
    }
    set("_ansible_no_log", task.no_log.into());
    for name in ["failed", "skipped"] {
        if matches!(result.get(name), Some(Value::Unknown(_))) {
            result.shift_remove(name);
        }
    }
    Value::map(result)
}

fn diff(diff: &Diff) -> Value {
    map([
        ("before_header", Value::from(&diff.subject)),
        ("after_header", Value::from(&diff.subject)),
        ("before", diff.before.clone()),
        ("after", diff.after.clone()),
    ])
}

fn counters(c: &Counters) -> Value {
    let mut counts = vec![
        ("ok", c.ok),
        ("changed", c.changed),
        ("unreachable", c.unreachable),
        ("failures", c.failed),
        ("skipped", c.skipped),
        ("rescued", c.rescued),
        ("ignored", c.ignored),
    ];
    if c.may_change > 0 {
        counts.push(("may_change", c.may_change));
    }
    map(counts.into_iter().map(|(name, n)| (name, Value::from(n))))
}

fn map<'k>(pairs: impl IntoIterator<Item = (&'k str, Value)>) -> Value {
    Value::map(pairs.into_iter().map(|(k, v)| (Key::from(k), v)).collect())
}

/// Prints every event as it comes, as one line of JSON in the wire format of `event/`.
pub struct Lines<W>(Mutex<W>);

impl<W: Write + Send> Lines<W> {
    /// A view that writes here.
    pub fn new(out: W) -> Self {
        Self(Mutex::new(out))
    }

    /// Gives the writer back.
    pub fn into_inner(self) -> W {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<W: Write + Send> Sink for Lines<W> {
    fn emit(&self, event: &Event) {
        let Ok(mut line) = serde_json::to_vec(event) else {
            return;
        };
        line.push(b'\n');
        let mut out = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = out.write_all(&line).and_then(|()| out.flush());
    }
}
