//! What `ansible` prints: one line or block for each host, no banners and no recap.
//!
//! From `ansible/plugins/callback/minimal.py` of ansible-core 2.19.

use super::human::{Colour, State, displayed};
use super::text::{json_pretty, py_str};
use super::yaml;
use crate::event::{Event, EventKind, Report, Status, TaskInfo};
use crate::value::Value;
use std::io::Write;
use std::sync::Arc;

/// Modules whose result is the text that a program printed.
const PROGRAMS: [&str; 5] = ["command", "shell", "raw", "win_command", "win_shell"];

impl<W: Write, E: Write> State<W, E> {
    /// Shows an event in the form of `minimal`.
    pub(super) fn show_minimal(&mut self, event: &Event) {
        if let Some((task, report)) = self.brief(event) {
            self.warnings(report);
            self.failure(task.as_deref(), report);
            self.diffs(report);
            self.minimal(&event.host, task.as_deref(), report);
        }
    }

    /// What both brief forms have in common: notices, and the results that they write.
    pub(super) fn brief<'e>(
        &mut self,
        event: &'e Event,
    ) -> Option<(Option<Arc<TaskInfo>>, &'e Report)> {
        match &event.kind {
            EventKind::Notice { level, text } => self.notice(*level, text),
            EventKind::TaskStarted { task } => {
                self.tasks.insert(task.id, Arc::clone(task));
            }
            EventKind::TaskFinished { task, report } => {
                return Some((self.tasks.get(task).cloned(), report));
            }
            _ => {}
        }
        None
    }

    fn minimal(&mut self, host: &str, task: Option<&TaskInfo>, report: &Report) {
        let (word, colour) = word(report);
        if report.status == Status::Skipped {
            return self.screen.out(colour, &format!("{host} | SKIPPED"));
        }
        let text = if is_program(task, report) && report.status != Status::Unreachable {
            let part = |name: &str| text_of(report, name);
            format!(
                "{host} | {} | rc={} >>\n{}{}{}\n",
                word.trim_end_matches('!'),
                rc(report),
                part("stdout"),
                part("stderr"),
                part("msg"),
            )
        } else {
            let result = displayed(&report.result, short(task), self.options.verbosity);
            let result = Value::map(result);
            let result = match self.options.yaml {
                Some(scalar) => {
                    let text = yaml::indented(&yaml::dump(&result, scalar, false));
                    format!("\n{}", text.trim_end_matches('\n'))
                }
                None => json_pretty(&result),
            };
            format!("{host} | {word} => {result}")
        };
        // The line end of a program's last line is ours already.
        let text = text.strip_suffix('\n').unwrap_or(&text);
        self.screen.out(colour, text);
    }
}

/// Ansible's word for how a task ended, and its colour.
pub(super) fn word(report: &Report) -> (&'static str, Colour) {
    match report.status {
        Status::Ok => ("SUCCESS", Colour::Ok),
        Status::Changed => ("CHANGED", Colour::Changed),
        Status::MayChange => ("MAY CHANGE", Colour::Changed),
        Status::Skipped => ("SKIPPED", Colour::Skip),
        Status::Failed => ("FAILED!", Colour::Failed),
        Status::Unreachable => ("UNREACHABLE!", Colour::Unreachable),
    }
}

/// Whether the result is shown as what a program printed.
pub(super) fn is_program(task: Option<&TaskInfo>, report: &Report) -> bool {
    let has = |name: &str| report.result.get(name).is_some();
    PROGRAMS.contains(&short(task))
        && !has("ansible_job_id")
        && !has("module_stderr")
        && !has("censored")
}

pub(super) fn short(task: Option<&TaskInfo>) -> &str {
    task.map_or("", |t| t.module.rsplit('.').next().unwrap_or(""))
}

/// A field of a result as text; empty if there is none.
pub(super) fn text_of(report: &Report, name: &str) -> String {
    report.result.get(name).map(py_str).unwrap_or_default()
}

pub(super) fn rc(report: &Report) -> String {
    match report.result.get("rc") {
        Some(rc) => py_str(rc),
        None => "-1".into(),
    }
}
