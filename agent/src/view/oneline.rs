//! What `ansible -o` prints: one line for each host.
//!
//! From `ansible/plugins/callback/oneline.py` of ansible-core 2.19.

use super::human::{Colour, State, displayed};
use super::minimal::{is_program, rc, short, text_of, word};
use super::text::{Layout, dump};
use crate::event::{Event, Report, Status, TaskInfo};
use crate::value::Value;
use std::io::Write;

impl<W: Write, E: Write> State<W, E> {
    /// Shows an event in the form of `oneline`.
    pub(super) fn show_oneline(&mut self, event: &Event) {
        if let Some((task, report)) = self.brief(event) {
            self.warnings(report);
            self.oneline(&event.host, task.as_deref(), report);
        }
    }

    fn oneline(&mut self, host: &str, task: Option<&TaskInfo>, report: &Report) {
        let (word, colour) = word(report);
        let program = is_program(task, report);
        let text = match report.status {
            Status::Skipped => format!("{host} | SKIPPED"),
            Status::Unreachable => format!("{host} | {word}: {}", text_of(report, "msg")),
            Status::Failed => {
                let first = if program {
                    printed(host, "FAILED", report)
                } else {
                    why(report)
                };
                if !first.is_empty() {
                    self.screen.out(Colour::Failed, &first);
                }
                format!("{host} | {word} => {}", self.on_one_line(task, report))
            }
            _ if program => printed(host, word, report),
            _ => format!("{host} | {word} => {}", self.on_one_line(task, report)),
        };
        self.screen.out(colour, &text);
    }

    fn on_one_line(&self, task: Option<&TaskInfo>, report: &Report) -> String {
        let result = displayed(&report.result, short(task), self.options.verbosity);
        let layout = Layout {
            indent: Some(0),
            ascii: false,
        };
        dump(&Value::map(result), layout).replace('\n', "")
    }
}

/// What a program printed, its line ends as `\n`.
fn printed(host: &str, word: &str, report: &Report) -> String {
    let part = |name: &str| {
        text_of(report, name)
            .replace('\n', "\\n")
            .replace('\r', "\\r")
    };
    let text = format!(
        "{host} | {word} | rc={} | (stdout) {}",
        rc(report),
        part("stdout")
    );
    match part("stderr").as_str() {
        "" => text,
        stderr => format!("{text} (stderr) {stderr}"),
    }
}

/// The error as a person should read it, on one line; its `msg` follows with the result.
fn why(report: &Report) -> String {
    let error = report.error.as_deref().unwrap_or_default();
    let lines = error.lines().map(str::trim).filter(|l| !l.is_empty());
    lines.collect::<Vec<_>>().join(" ")
}
