//! The log file (`ANSIBLE_LOG_PATH`): what the view for people prints, each line with when, who and
//! how grave, as Ansible's log has it. Times are those of the events, in UTC.

use super::human::{Human, HumanOptions};
use super::text::timestamp;
use crate::event::{Event, Sink};
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

/// Writes the view for people into a log.
pub struct Log<W> {
    human: Human<Buffer, Buffer>,
    lines: Buffer,
    out: Mutex<W>,
    /// `p=PID u=USER n=NAME`.
    who: String,
}

/// What the view wrote since it was looked at.
#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<W: Write + Send> Log<W> {
    /// A log that is written here; `who` stands in every line.
    pub fn new(out: W, who: impl Into<String>, options: HumanOptions) -> Self {
        let lines = Buffer::default();
        let plain = HumanOptions {
            colour: false,
            tty: false,
            width: 80,
            ..options
        };
        Self {
            human: Human::new(lines.clone(), lines.clone(), plain),
            lines,
            out: Mutex::new(out),
            who: who.into(),
        }
    }
}

impl<W: Write + Send> Sink for Log<W> {
    fn emit(&self, event: &Event) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        self.human.emit(event);
        let mut lines = self.lines.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&lines).into_owned();
        lines.clear();
        drop(lines);
        // `2026-11-22 22:19:51,883`, as Python's logging writes it.
        let time = timestamp(event.at_ms);
        let time = format!("{} {},{}", &time[..10], &time[11..19], &time[20..23]);
        let mut level = "INFO";
        let mut written = String::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            level = level_of(line, level);
            written.push_str(&format!("{time} {} {level}| {line}\n", self.who));
        }
        // A full disk must not stop the run.
        let _ = out.write_all(written.as_bytes());
        let _ = out.flush();
    }
}

/// How grave a line is; a line that begins with a space belongs to the one before.
fn level_of(line: &str, before: &'static str) -> &'static str {
    match line {
        _ if line.starts_with("[WARNING]") => "WARNING",
        _ if ["[ERROR]", "fatal: ", "failed: "]
            .iter()
            .any(|w| line.starts_with(w)) =>
        {
            "ERROR"
        }
        _ if line.starts_with([' ', '}', ']']) => before,
        _ => "INFO",
    }
}
