//! A run on this host's disk: its events until they are delivered, and the ends of its tasks until the
//! run is over. Both lie in one log, in the order in which they came to be.
//!
//! - An event is in the log before it is anywhere else; a kill loses none. It is synced to the disk
//!   before it is sent: what the controller has, the host has, so that no number is given twice.
//! - The end of a task is synced before its event is written. After a kill between the two, the event is
//!   written when the run goes on.
//! - When the log is longer than its bound, progress lines are left out, and the next event is preceded
//!   by a notice of how many. Nothing else is ever left out: on a full disk the run waits.

use super::wire::MAX_EVENT;
use crate::engine::journal::{End, Journal, Known, OnInterrupt, TaskKey};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, EventKind, Level, Sink};
use crate::host::here;
use crate::host::here::durable::{FrameLog, MAX_FRAME};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// How long the log of a run may get before progress lines are left out.
pub const BOUND: u64 = 64 << 20;

/// Wakes who delivers.
#[derive(Debug, Default)]
pub struct Bell {
    rung: Mutex<bool>,
    wake: Condvar,
}

impl Bell {
    /// There is something to deliver.
    pub fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.wake.notify_all();
    }

    /// Waits for it, or for so many seconds.
    pub fn wait(&self, seconds: f64) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let timeout = std::time::Duration::from_secs_f64(seconds);
        let (mut rung, _) = self
            .wake
            .wait_timeout_while(rung, timeout, |rung| !*rung)
            .unwrap_or_else(PoisonError::into_inner);
        *rung = false;
    }
}

/// A frame of the log.
#[derive(Serialize, Deserialize)]
enum Record {
    #[serde(rename = "e")]
    Event(Event),
    #[serde(rename = "b")]
    Began {
        host: String,
        number: u64,
        task: String,
    },
    #[serde(rename = "j")]
    Ended {
        host: String,
        number: u64,
        task: String,
        end: Box<End>,
    },
}

/// A frame of the log, read only as far as delivery needs it.
#[derive(Deserialize)]
struct Delivered {
    e: Option<serde_json::Value>,
}

/// A run's log: takes events, keeps ends of tasks, gives back what is to be delivered.
pub struct RunLog {
    inner: Mutex<Inner>,
    bell: Arc<Bell>,
    bound: u64,
    policy: OnInterrupt,
}

/// Which task it was, and how it ended; one that only began has no end.
type Kept = (String, Option<Box<End>>);

struct Inner {
    log: FrameLog,
    /// The last number of each host's events.
    last: HashMap<Arc<str>, u64>,
    /// What the journal had when it was opened, by host and number.
    ends: HashMap<(String, u64), Kept>,
    /// Ends that have not been asked for yet: so long, everything was told before.
    left: usize,
    /// Hosts whose last end was kept, but its event was not.
    untold: Vec<String>,
    /// Hosts whose task was just answered from the journal: whether its event is still to be told.
    answered: HashMap<String, bool>,
    numbers: HashMap<String, u64>,
    announced: bool,
    finished: bool,
    resumed: Option<usize>,
    dropped: u64,
}

impl RunLog {
    /// Opens the log of a run, or begins it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(path: &Path, bell: Arc<Bell>, bound: u64, policy: OnInterrupt) -> Result<Self> {
        let (log, found) = FrameLog::open(path)?;
        let mut inner = Inner {
            log,
            last: HashMap::new(),
            ends: HashMap::new(),
            left: 0,
            untold: Vec::new(),
            answered: HashMap::new(),
            numbers: HashMap::new(),
            announced: false,
            finished: false,
            resumed: None,
            dropped: 0,
        };
        for frame in &found.frames {
            let record = serde_json::from_slice(frame).map_err(|e| {
                Error::host(format!("{} holds what is no record", path.display())).caused_by(e)
            })?;
            inner.recall(record);
        }
        inner.left = inner.ends.values().filter(|(_, e)| e.is_some()).count();
        inner.resumed = (!inner.last.is_empty()).then_some(inner.left);
        Ok(Self {
            inner: Mutex::new(inner),
            bell,
            bound,
            policy,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last number of each host's events: where numbering goes on.
    #[must_use]
    pub fn numbers(&self) -> Vec<(Arc<str>, u64)> {
        let inner = self.lock();
        inner
            .last
            .iter()
            .map(|(h, n)| (Arc::clone(h), *n))
            .collect()
    }

    /// Whether the run is over (its last event is in the log).
    #[must_use]
    pub fn finished(&self) -> bool {
        self.lock().finished
    }

    /// Events from a byte of the log on, up to about a MiB; and the byte behind them. They are on the
    /// disk itself when this returns.
    ///
    /// # Errors
    /// When the log cannot be read or synced.
    pub fn undelivered(&self, from: u64) -> Result<(Vec<serde_json::Value>, u64)> {
        let inner = self.lock();
        if from >= inner.log.len() {
            return Ok((Vec::new(), from));
        }
        inner.log.sync()?;
        let mut events = Vec::new();
        let mut end = from;
        for (frame, behind) in inner.log.read_from(from, 1 << 20)? {
            let record: Delivered = serde_json::from_slice(&frame)
                .map_err(|e| Error::host("the log holds what is no record").caused_by(e))?;
            events.extend(record.e);
            end = behind;
        }
        Ok((events, end))
    }

    /// How long the log is.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.lock().log.len()
    }

    /// Whether nothing was written yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes a record; waits while the disk is full, because nothing may be lost.
    fn write(&self, record: &Record, sync: bool) -> Result<()> {
        let bytes = serde_json::to_vec(record).map_err(|e| {
            Error::new(ErrorKind::Internal, "a record cannot be written").caused_by(e)
        })?;
        if bytes.len() > MAX_FRAME {
            return Err(Error::host(format!(
                "{} bytes are more than a record may have",
                bytes.len()
            )));
        }
        let mut told = false;
        loop {
            let done = {
                let mut inner = self.lock();
                let appended = inner.log.append(&bytes);
                appended.and_then(|()| if sync { inner.log.sync() } else { Ok(()) })
            };
            match done {
                Ok(()) => {
                    self.bell.ring();
                    return Ok(());
                }
                Err(error) if here::stopped() => return Err(error),
                Err(error) => {
                    if !told {
                        here::print_error(&format!("waiting: {error}"));
                        told = true;
                    }
                    here::sleep(1.0);
                }
            }
        }
    }
}

impl Inner {
    /// A record that was in the log when it was opened.
    fn recall(&mut self, record: Record) {
        match record {
            Record::Event(event) => {
                match &event.kind {
                    EventKind::TaskFinished { .. } => self.untold.retain(|h| **h != *event.host),
                    EventKind::RunStarted { .. } => self.announced = true,
                    EventKind::RunFinished { .. } => self.finished = true,
                    _ => {}
                }
                self.last.insert(event.host, event.seq);
            }
            Record::Began { host, number, task } => {
                self.ends.insert((host, number), (task, None));
            }
            Record::Ended {
                host,
                number,
                task,
                end,
            } => {
                self.untold.retain(|h| *h != host);
                self.untold.push(host.clone());
                self.ends.insert((host, number), (task, Some(end)));
            }
        }
    }

    /// What was told before the run was interrupted is not told again.
    fn is_news(&mut self, host: &str, kind: &EventKind) -> bool {
        if matches!(kind, EventKind::TaskFinished { .. })
            && let Some(untold) = self.answered.remove(host)
        {
            return untold;
        }
        if matches!(kind, EventKind::RunStarted { .. }) && self.announced {
            return false;
        }
        if matches!(kind, EventKind::RunFinished { .. }) {
            // Told whatever the journal had more: a run that is not told to be over never ends.
            self.left = 0;
        }
        self.left == 0
    }
}

impl Sink for RunLog {
    fn admit(&self, host: &str, kind: EventKind) -> Vec<EventKind> {
        let mut inner = self.lock();
        if !inner.is_news(host, &kind) {
            return Vec::new();
        }
        let mut out = Vec::new();
        let notice = |level, text| EventKind::Notice { level, text };
        if let Some(kept) = inner.resumed.take() {
            let text = format!(
                "the agent was interrupted; the run goes on, {kept} finished tasks are not run again"
            );
            out.push(notice(Level::Warning, text));
        }
        if matches!(kind, EventKind::Progress { .. }) {
            if inner.log.len() > self.bound {
                inner.dropped += 1;
                return out;
            }
        } else if inner.dropped > 0 {
            let text = format!(
                "{} lines of progress were left out: the spool holds more than {} MiB",
                std::mem::take(&mut inner.dropped),
                self.bound >> 20
            );
            out.push(notice(Level::Warning, text));
        }
        out.push(kind);
        out
    }

    fn emit(&self, event: &Event) {
        let event = cut(event.clone());
        let over = matches!(event.kind, EventKind::RunFinished { .. });
        let record = Record::Event(event);
        if let Err(error) = self.write(&record, over) {
            here::print_error(&format!("an event was not kept: {error}"));
            return;
        }
        let Record::Event(event) = record else { return };
        let mut inner = self.lock();
        inner.finished |= over;
        inner.last.insert(event.host, event.seq);
    }
}

/// An event that is too large to be sent loses what makes it so, and says so.
fn cut(mut event: Event) -> Event {
    let size = serde_json::to_vec(&event).map_or(0, |v| v.len());
    if size <= MAX_EVENT {
        return event;
    }
    let why = format!("left out: {size} bytes are more than {MAX_EVENT}");
    match &mut event.kind {
        EventKind::TaskFinished { report, .. } | EventKind::ItemFinished { report, .. } => {
            let kept: crate::value::Map = match &report.result {
                crate::value::Value::Map(map) => map
                    .iter()
                    .filter(|(k, _)| {
                        matches!(
                            k.to_string().as_str(),
                            "changed" | "failed" | "skipped" | "rc"
                        )
                    })
                    .map(|(k, v)| (k.clone(), v.clone()))
                    .chain([(
                        crate::value::Key::from("msg"),
                        crate::value::Value::from(why.as_str()),
                    )])
                    .collect(),
                _ => crate::value::Map::new(),
            };
            report.result = crate::value::Value::map(kept);
            report.diffs = Vec::new();
            report.error = report.error.take().map(|e| e.chars().take(4096).collect());
        }
        kind => {
            *kind = EventKind::Notice {
                level: Level::Warning,
                text: why,
            };
        }
    }
    event
}

impl Journal for RunLog {
    fn number(&self, host: &str) -> u64 {
        let mut inner = self.lock();
        let number = inner.numbers.entry(host.to_string()).or_insert(0);
        *number += 1;
        *number
    }

    fn known(&self, key: &TaskKey) -> Known {
        let mut inner = self.lock();
        let Some((task, end)) = inner.ends.remove(&(key.host.clone(), key.number)) else {
            return Known::Nothing;
        };
        if task != key.task {
            // The run ends here: what follows is news.
            inner.left = 0;
            return Known::Another(task);
        }
        let Some(end) = end else {
            return Known::Began;
        };
        inner.left = inner.left.saturating_sub(1);
        let more = inner
            .ends
            .iter()
            .any(|((h, _), (_, e))| *h == key.host && e.is_some());
        let untold = !more && inner.untold.contains(&key.host);
        inner.answered.insert(key.host.clone(), untold);
        Known::Ended(end)
    }

    fn begins(&self, key: &TaskKey) -> Result<()> {
        let record = Record::Began {
            host: key.host.clone(),
            number: key.number,
            task: key.task.clone(),
        };
        self.write(&record, true)
    }

    fn ended(&self, key: &TaskKey, end: &End) -> Result<()> {
        let record = Record::Ended {
            host: key.host.clone(),
            number: key.number,
            task: key.task.clone(),
            end: Box::new(end.clone()),
        };
        self.write(&record, true)
    }

    fn policy(&self) -> OnInterrupt {
        self.policy
    }
}

#[cfg(test)]
#[path = "tests/spool.rs"]
mod tests;
