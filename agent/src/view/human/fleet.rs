//! The view of a fleet: a live line for each host, failures above them, a recap at the end.
//!
//! A log has no live lines: there, each task is a line that says on how many hosts it went how.

use super::State;
use super::progress::{Progress, shortened};
use super::screen::Colour;
use crate::event::{Event, EventKind, Report, Status, TaskInfo};
use crate::view::text::columns;
use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;

/// Lines of the terminal that stay for what is above the block.
const ABOVE: usize = 4;

/// Columns that a host's name may take before the line loses its shape.
const NAME: usize = 30;

/// Every host of the play, in its order.
#[derive(Default)]
pub(super) struct Fleet {
    hosts: Vec<Member>,
    places: HashMap<Arc<str>, usize>,
    /// How each task of the log's next lines went so far.
    tallies: Vec<(u64, Tally)>,
}

/// What is told of a host.
struct Member {
    name: Arc<str>,
    stand: Stand,
    ok: u32,
    changed: u32,
    /// What it does or did last.
    task: String,
    /// Milliseconds, as events have them.
    since: u64,
}

/// Where a host stands, the most telling first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stand {
    Working,
    Unreachable,
    Failed,
    /// It waits for its turn or for others, or is done.
    Waiting,
}

impl Stand {
    const fn word(self) -> &'static str {
        match self {
            Self::Working => "working",
            Self::Unreachable => "unreachable",
            Self::Failed => "failed",
            Self::Waiting => "waiting",
        }
    }
}

/// On how many hosts a task ended how.
#[derive(Clone, Copy, Default)]
struct Tally([u32; 6]);

impl Tally {
    const WORDS: [(Status, &'static str); 6] = [
        (Status::Ok, "ok"),
        (Status::Changed, "changed"),
        (Status::MayChange, "may change"),
        (Status::Skipped, "skipped"),
        (Status::Failed, "failed"),
        (Status::Unreachable, "unreachable"),
    ];

    fn count(&mut self, status: Status) {
        for (counted, (one, _)) in self.0.iter_mut().zip(Self::WORDS) {
            *counted += u32::from(one == status);
        }
    }

    fn text(self) -> String {
        let told = Self::WORDS
            .iter()
            .zip(self.0)
            .filter(|(_, count)| *count > 0);
        let told: Vec<String> = told.map(|((_, word), n)| format!("{n} {word}")).collect();
        told.join(", ")
    }
}

impl Fleet {
    pub(super) fn take(&mut self, event: &Event, tasks: &HashMap<u64, Arc<TaskInfo>>) {
        match &event.kind {
            EventKind::PlayStarted { play } => {
                // Counts and failures of a host outlive the play.
                for name in &play.hosts {
                    self.member(name, event.at_ms);
                }
            }
            EventKind::HostTaskStarted { task } => {
                let name = tasks.get(task).map_or_else(String::new, |t| t.name.clone());
                let member = self.member(&event.host, event.at_ms);
                (member.task, member.since) = (name, event.at_ms);
                member.stand = Stand::Working;
            }
            EventKind::TaskFinished { task, report } => {
                self.ended(event, report);
                match self.tallies.iter_mut().find(|(id, _)| id == task) {
                    Some((_, tally)) => tally.count(report.status),
                    None => {
                        let mut tally = Tally::default();
                        tally.count(report.status);
                        self.tallies.push((*task, tally));
                    }
                }
            }
            _ => {}
        }
    }

    fn ended(&mut self, event: &Event, report: &Report) {
        let member = self.member(&event.host, event.at_ms);
        member.ok += u32::from(matches!(report.status, Status::Ok | Status::Changed));
        member.changed += u32::from(report.status == Status::Changed);
        member.stand = match report.status {
            Status::Failed if !report.ignored => Stand::Failed,
            Status::Unreachable if !report.ignored => Stand::Unreachable,
            _ => Stand::Waiting,
        };
    }

    fn member(&mut self, name: &Arc<str>, now: u64) -> &mut Member {
        let next = self.hosts.len();
        let at = *self.places.entry(Arc::clone(name)).or_insert(next);
        if at == next {
            self.hosts.push(Member {
                name: Arc::clone(name),
                stand: Stand::Waiting,
                ok: 0,
                changed: 0,
                task: String::new(),
                since: now,
            });
        }
        &mut self.hosts[at]
    }

    /// The live block: all hosts if they fit, else those with the most to tell and a sum of the rest.
    pub(super) fn lines(
        &self,
        progress: &Progress,
        width: usize,
        height: usize,
        now: u64,
    ) -> Vec<String> {
        if self.hosts.iter().all(|m| m.stand != Stand::Working) {
            return Vec::new();
        }
        let room = height.saturating_sub(ABOVE).max(2);
        let mut shown: Vec<&Member> = self.hosts.iter().collect();
        let fits = if shown.len() > room { room - 1 } else { room };
        if shown.len() > fits {
            shown.sort_by_key(|member| member.stand);
        }
        let names = shown.iter().take(fits).map(|m| columns(&m.name)).max();
        let column = names.unwrap_or(0).min(NAME);
        let told = shown.iter().take(fits);
        let mut lines: Vec<String> = told.map(|m| m.line(column, progress, now)).collect();
        if let Some(rest) = shown.get(fits..).filter(|rest| !rest.is_empty()) {
            lines.push(sum(rest));
        }
        let width = width.saturating_sub(1).max(20);
        lines.iter().map(|line| shortened(line, width)).collect()
    }
}

/// `… and 80 more hosts: 12 working, 68 waiting`.
fn sum(rest: &[&Member]) -> String {
    let stands = [
        Stand::Working,
        Stand::Unreachable,
        Stand::Failed,
        Stand::Waiting,
    ];
    let counts = stands.map(|s| (s.word(), rest.iter().filter(|m| m.stand == s).count()));
    let told = counts.iter().filter(|(_, count)| *count > 0);
    let told: Vec<String> = told
        .map(|(word, count)| format!("{count} {word}"))
        .collect();
    format!("  … and {} more hosts: {}", rest.len(), told.join(", "))
}

impl Member {
    fn line(&self, column: usize, progress: &Progress, now: u64) -> String {
        let pad = " ".repeat(column.saturating_sub(columns(&self.name)));
        let counts = format!("{:>3} ok {:>3} changed", self.ok, self.changed);
        let what = match self.stand {
            Stand::Working => {
                let seconds = now.saturating_sub(self.since) / 1000;
                let news = progress.news(&self.name).map(|news| format!(": {news}"));
                format!("{}{} ({seconds} s)", self.task, news.unwrap_or_default())
            }
            Stand::Failed | Stand::Unreachable => format!("{} in {}", self.stand.word(), self.task),
            Stand::Waiting => String::new(),
        };
        format!("  {}{pad}  {counts}  {what}", self.name)
            .trim_end()
            .to_string()
    }
}

impl<W: Write, E: Write> State<W, E> {
    /// Shows an event above the live lines.
    pub(super) fn show_fleet(&mut self, event: &Event) {
        let is_bad =
            |report: &Report| matches!(report.status, Status::Failed | Status::Unreachable);
        let all = self.options.verbosity > 0;
        match &event.kind {
            EventKind::TaskStarted { task } => {
                self.tell_tallies();
                self.tasks.insert(task.id, Arc::clone(task));
            }
            EventKind::PlayStarted { .. } | EventKind::RunFinished { .. } => {
                self.tell_tallies();
                self.show(event);
            }
            EventKind::TaskFinished { report, .. } | EventKind::ItemFinished { report, .. }
                if !all && !is_bad(report) =>
            {
                if let EventKind::TaskFinished { report, .. } = &event.kind {
                    self.custom.take(&event.host, report);
                }
                self.warnings(report);
            }
            EventKind::Included { .. } | EventKind::Retry { .. } | EventKind::Job { .. }
                if !all => {}
            _ => self.show(event),
        }
        self.fleet.take(event, &self.tasks);
    }

    /// In a log: a line for each task that ended since the last ones.
    fn tell_tallies(&mut self) {
        let tallies = std::mem::take(&mut self.fleet.tallies);
        if self.options.tty {
            return;
        }
        for (id, tally) in tallies {
            let name = self.tasks.get(&id).map_or("", |task| task.name.trim());
            let text = format!("TASK [{name}]: {}", tally.text());
            self.screen.out(Colour::Plain, &text);
        }
    }
}
