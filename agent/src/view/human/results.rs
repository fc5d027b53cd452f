//! Results of tasks and of items, line by line as Ansible's default callback writes them.

use super::State;
use super::screen::Colour;
use crate::event::{JobNews, Report, Status, TaskInfo};
use crate::value::{Key, Map, Value};
use crate::view::text::{json_line, json_pretty, py_str};
use crate::view::yaml;
use std::io::Write;
use std::sync::Arc;

impl<W: Write, E: Write> State<W, E> {
    /// A task ended on a host.
    pub(super) fn finished(&mut self, host: &str, id: u64, report: &Report) {
        let task = self.tasks.get(&id).cloned();
        if self.is_hidden(report.status) {
            return;
        }
        self.task_banner(id);
        self.warnings(report);
        if !report.looped {
            self.failure(task.as_deref(), report);
            self.diffs(report);
        }
        let shown = Shown::new(self, task.as_deref(), report);
        match report.status {
            Status::Ok | Status::Changed | Status::MayChange if report.looped => {}
            Status::Ok | Status::Changed if is_include(task.as_deref()) => {}
            Status::Ok => self.line(
                Colour::Ok,
                &format!("ok: [{}]", label(host, report)),
                &shown,
            ),
            Status::Changed => {
                let text = format!("changed: [{}]", label(host, report));
                self.line(Colour::Changed, &text, &shown);
            }
            Status::MayChange => {
                let text = format!("may change: [{}]{}", label(host, report), why(report));
                self.line(Colour::Changed, &text, &shown);
            }
            Status::Skipped => self.line(Colour::Skip, &format!("skipping: [{host}]"), &shown),
            // Only of `debug`, a loop that failed is summed up.
            Status::Failed if report.looped && module(task.as_deref(), report) != "debug" => {}
            Status::Failed => self.fatal(host, "FAILED", task.as_ref(), report, &shown),
            Status::Unreachable => self.fatal(host, "UNREACHABLE", None, report, &shown),
        }
        if report.ignored && matches!(report.status, Status::Failed | Status::Unreachable) {
            self.screen.out(Colour::Skip, "...ignoring");
        }
    }

    fn fatal(
        &mut self,
        host: &str,
        word: &str,
        task: Option<&Arc<TaskInfo>>,
        report: &Report,
        shown: &Shown,
    ) {
        if let Some(task) = task
            && self.options.task_path_on_failure
            && self.options.verbosity < 2
        {
            self.task_path(task);
        }
        let colour = if report.status == Status::Unreachable {
            Colour::Unreachable
        } else {
            Colour::Failed
        };
        let text = format!(
            "fatal: [{}]: {word}! => {}",
            label(host, report),
            shown.json
        );
        self.failed_line(colour, &text);
    }

    fn failed_line(&mut self, colour: Colour, text: &str) {
        if self.options.failed_stderr {
            self.screen.err(colour, text);
        } else {
            self.screen.out(colour, text);
        }
    }

    /// An item of a loop ended on a host.
    pub(super) fn item(&mut self, host: &str, id: u64, item: &Value, report: &Report) {
        let task = self.tasks.get(&id).cloned();
        let failed = matches!(report.status, Status::Failed | Status::Unreachable);
        let told_later = !failed && report.status != Status::Skipped && is_include(task.as_deref());
        if self.is_hidden(report.status) || told_later {
            return;
        }
        self.task_banner(id);
        self.warnings(report);
        self.failure(task.as_deref(), report);
        self.diffs(report);
        let shown = Shown::new(self, task.as_deref(), report);
        let name = report.label.clone().unwrap_or_else(|| py_str(item));
        let host = if report.status == Status::Skipped {
            host.to_string()
        } else {
            label(host, report)
        };
        let (word, colour) = match report.status {
            Status::Ok => ("ok", Colour::Ok),
            Status::Changed => ("changed", Colour::Changed),
            Status::MayChange => ("may change", Colour::Changed),
            Status::Skipped => ("skipping", Colour::Skip),
            Status::Failed | Status::Unreachable => {
                let text = format!("failed: [{host}] (item={name}) => {}", shown.json);
                return self.failed_line(Colour::Failed, &text);
            }
        };
        let mut text = format!("{word}: [{host}] => (item={name})");
        match report.status {
            // The space at the end is Ansible's.
            Status::Skipped => text.push(' '),
            Status::MayChange => text.push_str(&why(report)),
            _ => {}
        }
        self.line(colour, &text, &shown);
    }

    /// An attempt failed and another follows.
    pub(super) fn retry(&mut self, host: &str, id: u64, left: u32, result: &Value) {
        self.task_banner(id);
        let task = self.tasks.get(&id).cloned();
        let name = task.as_ref().map_or("", |t| t.name.as_str());
        let mut text = format!("FAILED - RETRYING: [{host}]: {name} ({left} retries left).");
        if self.options.verbosity > 2 {
            let report = Report {
                result: result.clone(),
                ..Report::default()
            };
            let shown = Shown::new(self, task.as_deref(), &report);
            text.push_str(&format!("Result was: {}", shown.json));
        }
        self.screen.out(Colour::Debug, &text);
    }

    /// News of a background job that is waited for, in the words of Ansible's default view.
    pub(super) fn job(
        &mut self,
        host: &str,
        news: JobNews,
        jid: &str,
        (started, finished): (bool, bool),
    ) {
        let python = |flag: bool| if flag { "True" } else { "False" };
        let (colour, text) = match news {
            JobNews::Poll => (
                Colour::Debug,
                format!(
                    "ASYNC POLL on {host}: jid={jid} started={} finished={}",
                    python(started),
                    python(finished)
                ),
            ),
            JobNews::Ok => (Colour::Debug, format!("ASYNC OK on {host}: jid={jid}")),
            JobNews::Failed => (Colour::Debug, format!("ASYNC FAILED on {host}: jid={jid}")),
        };
        self.screen.out(colour, &text);
    }

    fn is_hidden(&self, status: Status) -> bool {
        match status {
            Status::Ok => !self.options.display_ok_hosts,
            Status::Skipped => !self.options.display_skipped_hosts,
            _ => false,
        }
    }

    fn line(&mut self, colour: Colour, text: &str, shown: &Shown) {
        if shown.wanted {
            self.screen
                .out(colour, &format!("{text} => {}", shown.json));
        } else {
            self.screen.out(colour, text);
        }
    }
}

/// A result as JSON (or YAML), and whether it is shown with a success.
struct Shown {
    wanted: bool,
    json: String,
}

impl Shown {
    fn new<W, E>(state: &State<W, E>, task: Option<&TaskInfo>, report: &Report) -> Self {
        let verbosity = state.options.verbosity;
        let module = module(task, report);
        let flag = |name: &str| report.result.get(name) == Some(&Value::Bool(true));
        // An error before the module ran is told on one line, even of `debug`.
        let always = flag("_ansible_verbose_always")
            && report.status != Status::Skipped
            && report.result.get("censored").is_none();
        // Facts would drown everything else.
        let never = flag("_ansible_verbose_override")
            || matches!(module.as_str(), "setup" | "gather_facts");
        let failed = matches!(report.status, Status::Failed | Status::Unreachable);
        let wanted = (verbosity > 0 || always) && !never;
        if !wanted && !failed {
            return Self {
                wanted,
                json: String::new(),
            };
        }
        let value = Value::map(displayed(&report.result, &module, verbosity));
        let pretty = state.options.pretty;
        let json = if let Some(scalar) = state.options.yaml {
            let exact = pretty == Some(false);
            let value = if exact { value } else { without_lines(value) };
            let text = yaml::indented(&yaml::dump(&value, scalar, exact));
            format!("\n{}", text.strip_suffix('\n').unwrap_or(&text))
        } else if pretty.unwrap_or(always || verbosity > 2) {
            json_pretty(&value)
        } else {
            json_line(&value)
        };
        Self { wanted, json }
    }
}

/// A result without the lines of what it has as a text, too.
fn without_lines(value: Value) -> Value {
    let Value::Map(mut map) = value else {
        return value;
    };
    for (text, lines) in [("stdout", "stdout_lines"), ("stderr", "stderr_lines")] {
        if map.contains_key(text) && map.contains_key(lines) {
            Arc::make_mut(&mut map).insert(Key::from(lines), Value::from("<omitted>"));
        }
    }
    Value::Map(map)
}

/// The short name of the module that gave a result.
fn module(task: Option<&TaskInfo>, report: &Report) -> String {
    let written = report.result.get("_ansible_action").and_then(Value::as_str);
    let name = written.or(task.map(|t| t.module.as_str())).unwrap_or("");
    name.rsplit('.').next().unwrap_or(name).to_string()
}

fn is_include(task: Option<&TaskInfo>) -> bool {
    let name = task.map_or("", |t| t.module.rsplit('.').next().unwrap_or(""));
    matches!(name, "include_tasks" | "include_role" | "include")
}

/// `host`, or `host -> other` where another host did it.
fn label(host: &str, report: &Report) -> String {
    match report.delegated_to.as_deref().filter(|d| *d != host) {
        Some(other) => format!("{host} -> {other}"),
        None => host.to_string(),
    }
}

/// Why check mode cannot know, as ` => text`.
fn why(report: &Report) -> String {
    let unknown = report.result.unknown_reason();
    let text = report
        .error
        .as_deref()
        .or(unknown.as_deref())
        .or_else(|| report.result.get("msg").and_then(Value::as_str));
    match text.and_then(|t| t.lines().next()) {
        Some(text) if !text.is_empty() => format!(" => {text}"),
        _ => String::new(),
    }
}

/// A result without what is meant for the engine, or was shown already.
pub(in crate::view) fn displayed(result: &Value, module: &str, verbosity: u8) -> Map {
    let mut map = match without_internals(result) {
        Value::Map(map) => (*map).clone(),
        // Results are mappings; whatever else comes is shown under Ansible's name for it.
        other => Map::from([(Key::from("msg"), other)]),
    };
    let mut hidden = vec!["failed", "skipped", "exception", "warnings", "deprecations"];
    if verbosity < 3 {
        hidden.extend(["invocation", "diff"]);
    }
    let items = map.get("results").is_some_and(is_list_of_maps);
    if map.contains_key("ansible_loop_var") || map.contains_key("skipped_reason") || items {
        hidden.push("results");
    }
    if module == "debug" {
        if map.contains_key("msg") {
            map.retain(|key, _| key.as_str() == Some("msg"));
        } else {
            hidden.extend(["changed", "skip_reason", "invocation"]);
            hidden.extend(["ansible_loop_var", "ansible_index_var", "ansible_loop"]);
        }
    }
    map.retain(|key, _| !key.as_str().is_some_and(|k| hidden.contains(&k)));
    map
}

fn is_list_of_maps(value: &Value) -> bool {
    let list = value.as_list().unwrap_or_default();
    !list.is_empty() && list.iter().all(|v| v.get("ansible_loop_var").is_some())
}

/// Takes out keys that start with `_ansible_`, at every depth.
pub(in crate::view) fn without_internals(value: &Value) -> Value {
    match value {
        Value::Map(map) => Value::map(
            map.iter()
                .filter(|(key, _)| !key.as_str().is_some_and(|k| k.starts_with("_ansible_")))
                .map(|(key, item)| (key.clone(), without_internals(item)))
                .collect(),
        ),
        Value::List(list) => Value::list(list.iter().map(without_internals).collect()),
        other => other.clone(),
    }
}

/// Arguments as `a=1, b=text`.
pub(in crate::view) fn written_args(args: &Value) -> String {
    match args {
        Value::Map(map) => {
            let pairs: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{key}={}", py_str(value)))
                .collect();
            pairs.join(", ")
        }
        Value::Null | Value::Omit => String::new(),
        other => py_str(other),
    }
}
