//! A run as JUnit XML, as Ansible's `junit` callback writes it: a suite for each playbook, a case
//! for each task on each host.

use super::human::{without_internals, written_args};
use super::text::{Layout, dump};
use crate::event::{Event, EventKind, Report, Sink, Status, TaskInfo};
use crate::value::{Map, Value};
use std::collections::HashMap;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

/// Prints the report when the run is over.
pub struct Junit<W>(Mutex<State<W>>);

impl<W: Write + Send> Junit<W> {
    /// A view that writes here.
    pub fn new(out: W) -> Self {
        Self(Mutex::new(State {
            out,
            suites: Vec::new(),
            play: String::new(),
            tasks: HashMap::new(),
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

impl<W: Write + Send> Sink for Junit<W> {
    fn emit(&self, event: &Event) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.take(event);
    }
}

struct State<W> {
    out: W,
    suites: Vec<Suite>,
    play: String,
    /// Tasks of the play, and when they started.
    tasks: HashMap<u64, (Arc<TaskInfo>, u64)>,
}

struct Suite {
    name: String,
    cases: Vec<Case>,
}

struct Case {
    name: String,
    class: String,
    seconds: f64,
    outcome: Outcome,
}

enum Outcome {
    Passed(String),
    Skipped(String),
    /// Message and output: the module said so.
    Failure(String, String),
    /// Message and output: it did not come to a result.
    Error(String, String),
}

impl<W: Write> State<W> {
    fn take(&mut self, event: &Event) {
        match &event.kind {
            EventKind::PlaybookStarted { name } => {
                let file = name.rsplit('/').next().unwrap_or(name);
                let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
                self.suite(stem);
            }
            EventKind::PlayStarted { play } => {
                self.play = play.name.trim().to_string();
                self.tasks.clear();
            }
            EventKind::TaskStarted { task } => {
                self.tasks.insert(task.id, (Arc::clone(task), event.at_ms));
            }
            EventKind::TaskFinished { task, report } => self.finished(event, *task, report),
            EventKind::RunFinished { .. } => self.print(),
            _ => {}
        }
    }

    fn suite(&mut self, name: &str) {
        self.suites.push(Suite {
            name: name.to_string(),
            cases: Vec::new(),
        });
    }

    fn finished(&mut self, event: &Event, id: u64, report: &Report) {
        let Some((task, started)) = self.tasks.get(&id).cloned() else {
            return;
        };
        if self.suites.is_empty() {
            self.suite("playbook");
        }
        let mut name = format!("[{}] {}: {}", event.host, self.play, task.name.trim());
        let args = written_args(&task.args);
        if !task.no_log && !args.is_empty() {
            name.push_str(&format!(" {args}"));
        }
        let seconds = if report.seconds > 0.0 {
            report.seconds
        } else {
            event.at_ms.saturating_sub(started) as f64 / 1000.0
        };
        let case = Case {
            outcome: outcome(&name, report),
            name,
            class: task.path.clone(),
            seconds,
        };
        if let Some(suite) = self.suites.last_mut() {
            suite.cases.push(case);
        }
    }

    fn print(&mut self) {
        let cases = || self.suites.iter().flat_map(|s| &s.cases);
        let mut xml = String::from("<?xml version=\"1.0\" encoding=\"utf-8\"?>\n");
        xml.push_str(&format!("<testsuites disabled=\"0\" {}>\n", sums(cases())));
        for suite in &self.suites {
            let skipped = suite
                .cases
                .iter()
                .filter(|c| c.is(Outcome::is_skipped))
                .count();
            xml.push_str(&format!(
                "\t<testsuite disabled=\"0\" name=\"{}\" skipped=\"{skipped}\" {}>\n",
                escaped(&suite.name),
                sums(suite.cases.iter())
            ));
            for case in &suite.cases {
                case.write(&mut xml);
            }
            xml.push_str("\t</testsuite>\n");
        }
        xml.push_str("</testsuites>\n");
        let _ = self.out.write_all(xml.as_bytes());
        let _ = self.out.flush();
    }
}

/// How a result counts. Task names can turn that round, as in Ansible: `EXPECTED FAILURE`, `TOGGLE RESULT`.
fn outcome(name: &str, report: &Report) -> Outcome {
    let output = output(report);
    let mut failed = matches!(report.status, Status::Failed | Status::Unreachable);
    failed &= !report.ignored;
    if failed && name.contains("EXPECTED FAILURE") {
        failed = false;
    } else if name.contains("TOGGLE RESULT") && report.status != Status::Skipped {
        failed = !failed;
    }
    let text = |name: &str| report.result.get(name).and_then(Value::as_str);
    if failed {
        let message = match (text("msg"), report.result.get("rc")) {
            (Some(msg), _) => msg.to_string(),
            (None, Some(rc)) => format!("rc={}", super::text::py_str(rc)),
            (None, None) => "rc=0".to_string(),
        };
        return match &report.error {
            Some(error) => Outcome::Error(message, error.clone()),
            None => Outcome::Failure(message, output),
        };
    }
    if report.status == Status::Skipped {
        let why = text("skip_reason").or_else(|| text("skipped_reason"));
        return Outcome::Skipped(why.unwrap_or("skipped").to_string());
    }
    Outcome::Passed(output)
}

/// The result as JSON without indentation, one value a line: Ansible's form.
fn output(report: &Report) -> String {
    let mut map = match without_internals(&report.result) {
        Value::Map(map) => (*map).clone(),
        _ => Map::new(),
    };
    let hidden = [
        "failed",
        "skipped",
        "diff",
        "invocation",
        "exception",
        "warnings",
    ];
    map.retain(|key, _| !key.as_str().is_some_and(|k| hidden.contains(&k)));
    let layout = Layout {
        indent: Some(0),
        ascii: false,
    };
    dump(&Value::map(map), layout)
}

impl Outcome {
    fn is_skipped(&self) -> bool {
        matches!(self, Self::Skipped(_))
    }
    fn is_failure(&self) -> bool {
        matches!(self, Self::Failure(..))
    }
    fn is_error(&self) -> bool {
        matches!(self, Self::Error(..))
    }
}

impl Case {
    fn is(&self, test: fn(&Outcome) -> bool) -> bool {
        test(&self.outcome)
    }

    fn write(&self, xml: &mut String) {
        xml.push_str(&format!(
            "\t\t<testcase classname=\"{}\" name=\"{}\" time=\"{:.3}\">\n",
            escaped(&self.class),
            escaped(&self.name),
            self.seconds
        ));
        let fault = |tag: &str, message: &str, output: &str| {
            let (message, output) = (escaped(message), escaped(output));
            format!("<{tag} message=\"{message}\" type=\"{tag}\">{output}</{tag}>")
        };
        let line = match &self.outcome {
            Outcome::Passed(output) => {
                format!("<system-out>{}</system-out>", escaped(output))
            }
            Outcome::Skipped(why) => format!("<skipped>{}</skipped>", escaped(why)),
            Outcome::Failure(message, output) => fault("failure", message, output),
            Outcome::Error(message, output) => fault("error", message, output),
        };
        xml.push_str(&format!("\t\t\t{line}\n\t\t</testcase>\n"));
    }
}

/// The counts of a suite, as attributes.
fn sums<'c>(cases: impl Iterator<Item = &'c Case> + Clone) -> String {
    let count = |test: fn(&Outcome) -> bool| cases.clone().filter(|c| c.is(test)).count();
    let seconds: f64 = cases.clone().map(|c| c.seconds).sum();
    format!(
        "errors=\"{}\" failures=\"{}\" tests=\"{}\" time=\"{seconds:.3}\"",
        count(Outcome::is_error),
        count(Outcome::is_failure),
        cases.clone().count(),
    )
}

/// Text as XML may hold it. Characters that XML cannot hold at all are replaced.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            '\r' => out.push_str("&#13;"),
            c if c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
