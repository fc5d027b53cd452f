//! Warnings, errors and other lines that belong to no result.

use super::State;
use super::screen::Colour;
use crate::event::{Level, Report, Status, TaskInfo};
use crate::value::Value;
use crate::view::text::py_str;
use std::io::Write;

impl<W: Write, E: Write> State<W, E> {
    pub(in crate::view) fn notice(&mut self, level: Level, text: &str) {
        match level {
            Level::Verbose if self.options.verbosity > 0 => self.screen.out(Colour::Verbose, text),
            Level::Verbose => {}
            Level::Banner => self.screen.banner(text),
            Level::Info => self.screen.out(Colour::Plain, text),
            Level::Warning => self.aside(Colour::Warning, "WARNING", text),
            Level::Deprecation if !self.options.deprecations => {}
            Level::Deprecation => self.aside(Colour::Deprecated, "DEPRECATION WARNING", text),
            Level::Error => self.aside(Colour::Failed, "ERROR", text),
        }
    }

    /// A line on standard error, once.
    fn aside(&mut self, colour: Colour, tag: &str, text: &str) {
        let text = block(tag, text);
        if self.seen.insert(text.clone()) {
            self.screen.err(colour, &text);
        }
    }

    /// The warnings of a result.
    pub(in crate::view) fn warnings(&mut self, report: &Report) {
        let all = |name: &str| report.result.get(name).and_then(Value::as_list);
        for (name, level) in [
            ("warnings", Level::Warning),
            ("deprecations", Level::Deprecation),
        ] {
            for warning in all(name).unwrap_or_default() {
                let text = warning.get("msg").unwrap_or(warning);
                if let Some(text) = text.as_str().filter(|t| !t.is_empty()) {
                    self.notice(level, text);
                }
            }
        }
    }

    /// Why a task failed, before the line that says so. The same error of several hosts is shown once.
    pub(in crate::view) fn failure(&mut self, task: Option<&TaskInfo>, report: &Report) {
        if !matches!(report.status, Status::Failed | Status::Unreachable) {
            return;
        }
        let result = &report.result;
        if result.get("reason").is_some() && result.get("msg").is_none() {
            // What could not be included: that was told for all hosts at once.
            return;
        }
        let text = match &report.error {
            Some(error) => format!("Task failed: {error}"),
            None => module_failure(task, report),
        };
        let text = block("ERROR", &text);
        if !self.seen.insert(text.clone()) {
            return;
        }
        if self.options.failed_stderr {
            self.screen.err(Colour::Failed, &text);
        } else {
            self.screen.out(Colour::Failed, &text);
        }
    }
}

/// `[TAG]: text`. A text of several lines is set off by an empty line.
fn block(tag: &str, text: &str) -> String {
    let text = text.trim_end();
    let end = if text.contains('\n') { "\n" } else { "" };
    format!("[{tag}]: {text}{end}")
}

/// Modules that run at the engine: Ansible says `Action failed` of them.
const ACTIONS: &[&str] = &[
    "assert",
    "debug",
    "fail",
    "set_fact",
    "include_vars",
    "pause",
    "wait_for_connection",
];

/// What is said when a module itself reports the failure.
fn module_failure(task: Option<&TaskInfo>, report: &Report) -> String {
    let module = task.map_or("", |t| t.module.rsplit('.').next().unwrap_or(""));
    // Where `failed_when` judged, the module itself did not fail.
    let judged = report.result.get("failed_when_result").is_some();
    let who = if judged || ACTIONS.contains(&module) {
        "Action"
    } else {
        "Module"
    };
    let mut text = format!("Task failed: {who} failed");
    match report.result.get("msg").map(py_str) {
        Some(message) if message.is_empty() => text.push('.'),
        Some(message) => text.push_str(&format!(": {message}")),
        None => {}
    }
    if let Some(path) = task.map(|t| &t.path).filter(|p| !p.is_empty()) {
        text.push_str(&format!("\nOrigin: {path}"));
    }
    text
}
