//! News of tasks that take long: redrawn lines on a terminal, now and then a line in a log.

use crate::event::{Event, EventKind, TaskInfo};
use crate::view::text::char_columns;
use std::collections::HashMap;
use std::sync::Arc;

/// Lines of the live block at most.
const LINES: usize = 6;
/// Milliseconds between two lines in a log.
const LOG_EVERY: u64 = 10_000;

/// What runs now, in the order in which it started.
#[derive(Default)]
pub(super) struct Progress {
    running: Vec<Running>,
    logged_at: u64,
}

/// A task that runs on a host.
struct Running {
    host: Arc<str>,
    task: u64,
    name: String,
    since: u64,
    news: Option<News>,
}

/// The last that was heard of it.
#[derive(Clone, Default)]
struct News {
    text: String,
    done: Option<u64>,
    total: Option<u64>,
    /// Bytes a second, once that can be told.
    rate: Option<f64>,
    /// Where the rate was last measured: time, bytes.
    mark: (u64, u64),
}

impl Progress {
    pub(super) fn take(&mut self, event: &Event, tasks: &HashMap<u64, Arc<TaskInfo>>) {
        match &event.kind {
            EventKind::HostTaskStarted { task } => self.start(event, *task, tasks),
            EventKind::Progress {
                task,
                text,
                done,
                total,
            } => {
                if !self.running.iter().any(|r| r.is(event, *task)) {
                    self.start(event, *task, tasks);
                }
                let found = self.running.iter_mut().find(|r| r.is(event, *task));
                if let Some(running) = found {
                    running.hear(event.at_ms, text, *done, *total);
                }
            }
            // Each item of a loop tells its own story.
            EventKind::ItemFinished { task, .. } => {
                for running in self.running.iter_mut().filter(|r| r.is(event, *task)) {
                    running.news = None;
                }
            }
            EventKind::TaskFinished { task, .. } => self.running.retain(|r| !r.is(event, *task)),
            EventKind::PlayStarted { .. } | EventKind::RunFinished { .. } => self.running.clear(),
            _ => {}
        }
    }

    fn start(&mut self, event: &Event, task: u64, tasks: &HashMap<u64, Arc<TaskInfo>>) {
        // A host runs one task at a time: the end of the one before may have been lost.
        self.running.retain(|r| r.host != event.host);
        self.running.push(Running {
            host: Arc::clone(&event.host),
            task,
            name: tasks
                .get(&task)
                .map_or_else(String::new, |t| t.name.clone()),
            since: event.at_ms,
            news: None,
        });
    }

    /// The live block. Hosts that have something to tell come first; when none has, there is no
    /// block, unless one is there already and hosts are still waited for.
    pub(super) fn lines(&self, width: usize, drawn: bool) -> Vec<String> {
        let told = self.running.iter().filter(|r| r.news.is_some());
        let silent = self.running.iter().filter(|r| r.news.is_none());
        if told.clone().next().is_none() && !(drawn && self.running.len() > 1) {
            return Vec::new();
        }
        let all: Vec<&Running> = told.chain(silent).collect();
        let fits = if all.len() > LINES { LINES - 1 } else { LINES };
        let mut lines: Vec<String> = all.iter().take(fits).map(|r| r.line()).collect();
        if all.len() > fits {
            lines.push(format!("  … and {} more hosts", all.len() - fits));
        }
        let width = width.saturating_sub(1).max(20);
        lines.iter().map(|line| shortened(line, width)).collect()
    }

    /// What was last heard of the task of a host.
    pub(super) fn news(&self, host: &str) -> Option<String> {
        let running = self.running.iter().find(|r| *r.host == *host)?;
        running.news.as_ref().map(News::text)
    }

    /// A line for a log, if the last one is long enough ago.
    pub(super) fn log_line(&mut self, event: &Event) -> Option<String> {
        let EventKind::Progress { task, .. } = &event.kind else {
            return None;
        };
        let running = self.running.iter().find(|r| r.is(event, *task))?;
        let last = self.logged_at.max(running.since);
        if event.at_ms.saturating_sub(last) < LOG_EVERY {
            return None;
        }
        self.logged_at = event.at_ms;
        Some(format!(
            "progress: [{}] {} => {}",
            running.host,
            running.name,
            running.news.as_ref()?.text()
        ))
    }
}

impl Running {
    fn is(&self, event: &Event, task: u64) -> bool {
        self.task == task && self.host == event.host
    }

    fn hear(&mut self, now: u64, text: &str, done: Option<u64>, total: Option<u64>) {
        let fresh = News {
            mark: (now, done.unwrap_or(0)),
            ..News::default()
        };
        let news = self.news.get_or_insert(fresh);
        news.text = one_line(text);
        (news.done, news.total) = (done, total);
        let Some(done) = done else { return };
        let (then, before) = news.mark;
        if done < before {
            // Another file begins.
            (news.mark, news.rate) = ((now, done), None);
        } else if now.saturating_sub(then) >= 1000 {
            let seconds = (now - then) as f64 / 1000.0;
            news.rate = Some((done - before) as f64 / seconds);
            news.mark = (now, done);
        }
    }

    fn line(&self) -> String {
        let news = self.news.as_ref().map(News::text);
        format!(
            "  {}  {}: {}",
            self.host,
            self.name,
            news.unwrap_or_else(|| "running".into())
        )
    }
}

impl News {
    /// `12.3 MiB of 30 MiB, 5.1 MiB/s`, or the last line of output.
    fn text(&self) -> String {
        let Some(done) = self.done else {
            return self.text.clone();
        };
        let mut text = bytes(done as f64);
        if let Some(total) = self.total {
            text.push_str(&format!(" of {}", bytes(total as f64)));
        }
        if let Some(rate) = self.rate {
            text.push_str(&format!(", {}/s", bytes(rate)));
        }
        if self.text.is_empty() {
            text
        } else {
            format!("{}: {text}", self.text)
        }
    }
}

/// `512 B`, `12.3 MiB`, `30 MiB`.
fn bytes(count: f64) -> String {
    let (mut count, mut unit) = (count, "B");
    for next in ["KiB", "MiB", "GiB", "TiB"] {
        if count < 1024.0 {
            break;
        }
        (count, unit) = (count / 1024.0, next);
    }
    let text = format!("{count:.1}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    format!("{text} {unit}")
}

/// The last line that is not empty, without control characters.
fn one_line(text: &str) -> String {
    let line = text.split(['\n', '\r']).rfind(|l| !l.trim().is_empty());
    let line = line.unwrap_or_default().trim();
    line.chars().filter(|c| !c.is_control()).collect()
}

/// A line that fits the width.
pub(super) fn shortened(line: &str, width: usize) -> String {
    let mut used = 0;
    let mut out = String::new();
    for c in line.chars() {
        used += char_columns(c);
        if used > width - 1 {
            out.push('…');
            return out;
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_told_in_the_unit_that_fits() {
        for (count, want) in [
            (0.0, "0 B"),
            (1023.0, "1023 B"),
            (1024.0, "1 KiB"),
            (12_897_485.0, "12.3 MiB"),
            (31_457_280.0, "30 MiB"),
            (5e12, "4.5 TiB"),
        ] {
            assert_eq!(bytes(count), want);
        }
    }

    #[test]
    fn a_progress_line_is_the_last_one_and_fits() {
        assert_eq!(one_line("a\nGet:1 \x1b[1mx\r\n\n"), "Get:1 [1mx");
        assert_eq!(shortened("漢字漢字", 6), "漢字…");
    }
}
