//! Delivery: what the spools hold goes to the controller, in order, until it has said that it has it.

use super::client::Client;
use super::spool::{Bell, RunLog};
use super::standing::{Spoken, Standing};
use super::wire::{EventBatch, EventsAnswer};
use crate::error::{Error, ErrorKind, Result};
use crate::host::here::{self, durable};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The runs on this host that are not delivered yet.
#[derive(Default)]
pub(super) struct Runs {
    all: Mutex<BTreeMap<String, Arc<Delivery>>>,
    /// Runs that are over and delivered: what a controller said before it knew is no work any more.
    over: Mutex<BTreeSet<String>>,
}

/// A run's log, and how far it is delivered.
pub(super) struct Delivery {
    pub dir: PathBuf,
    pub log: Arc<RunLog>,
}

impl Runs {
    pub fn add(&self, run: &str, delivery: Arc<Delivery>) {
        let mut runs = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        runs.insert(run.to_string(), delivery);
    }

    fn all(&self) -> Vec<(String, Arc<Delivery>)> {
        let runs = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        runs.iter()
            .map(|(n, d)| (n.clone(), Arc::clone(d)))
            .collect()
    }

    fn remove(&self, run: &str) {
        let mut runs = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        runs.remove(run);
        self.over
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(run.to_string());
    }

    /// Whether a run was delivered by this process.
    pub fn is_over(&self, run: &str) -> bool {
        let over = self.over.lock().unwrap_or_else(PoisonError::into_inner);
        over.contains(run)
    }
}

/// Delivers for ever.
pub(super) fn deliver(standing: &Standing, mut spoken: Spoken, runs: &Runs, bell: &Bell) {
    let mut pause = 0.0;
    loop {
        bell.wait(if pause > 0.0 { pause } else { 5.0 });
        let mut failed = false;
        for (run, delivery) in runs.all() {
            // A key that was replaced meanwhile is good for nothing any more.
            let sent = standing.refresh(&mut spoken);
            match sent.and_then(|()| one(&spoken.client, &run, &delivery)) {
                Ok(true) => runs.remove(&run),
                Ok(false) => {}
                Err(error) => {
                    failed = true;
                    if pause == 0.0 {
                        here::print_error(&format!("not delivered: {error}"));
                    }
                    if error.kind() == ErrorKind::Unreachable {
                        break;
                    }
                }
            }
        }
        // The bell does not shorten the pause: a controller that is down is not asked at every event.
        pause = if failed {
            here::sleep(pause);
            (pause * 2.0).clamp(0.25, 30.0)
        } else {
            0.0
        };
    }
}

/// Delivers what one run has. `true` when it is over and all of it was taken: then it is forgotten.
fn one(client: &Client, run: &str, delivery: &Delivery) -> Result<bool> {
    let path = delivery.dir.join("delivered");
    let mut at = position(&path);
    // Before what is read below: a run that ends meanwhile is looked at again.
    let over = delivery.log.finished();
    loop {
        let (events, end) = delivery.log.undelivered(at)?;
        if end == at {
            break;
        }
        if !events.is_empty() {
            let count = events.len();
            let batch = EventBatch {
                run: run.to_string(),
                events,
            };
            let answer: EventsAnswer = client.post("/v1/agent/events", &batch)?.json()?;
            if answer.stored != count {
                return Err(Error::host(format!(
                    "the controller stored {} of {count} events",
                    answer.stored
                )));
            }
        }
        at = end;
        durable::replace(&path, at.to_string().as_bytes(), 0o600)?;
    }
    if over {
        // Its name goes first, so that a kill in between leaves no half of a run.
        let gone = delivery.dir.with_extension("done");
        here::remove_folder(&gone);
        durable::rename_folder(&delivery.dir, &gone)?;
        here::remove_folder(&gone);
    }
    Ok(over)
}

fn position(path: &Path) -> u64 {
    let text = here::read_text(path).ok().flatten();
    text.and_then(|t| t.trim().parse().ok()).unwrap_or(0)
}
