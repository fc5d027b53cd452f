//! Events on their way into the store: what comes in while a commit is under way goes with the next
//! one, so that thousands of agents that report at once cost a few commits.

use super::{Answer, Refused};
use crate::store::{Batch, Seen, Store, ends_part};
use crate::trace::Tracer;
use axum::http::StatusCode;
use lks_agent::error::{Error, Result};
use lks_agent::host::here;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Semaphore, SemaphorePermit, mpsc, oneshot};

/// How many batches go into one transaction.
const AT_ONCE: usize = 1024;
/// How many events, about.
const EVENTS_AT_ONCE: usize = 8192;
/// How much may be held in memory, in KiB: more waits in the agents' spools.
const ROOM: u32 = 128 << 10;

struct Job {
    batch: Batch,
    done: oneshot::Sender<Result<Option<usize>>>,
}

/// The way of events into the store.
pub(super) struct Queue {
    sender: mpsc::UnboundedSender<Job>,
    room: Semaphore,
    /// Hosts that were heard of since the last time it was written down.
    heard: Mutex<HashMap<Arc<str>, Seen>>,
    /// Batches that wait.
    pub depth: Arc<AtomicU64>,
    /// New events that were stored since the start.
    pub stored: Arc<AtomicU64>,
}

impl Queue {
    /// Begins to store. The thread ends with the queue.
    pub fn new(store: Arc<dyn Store>, tracer: Option<Tracer>) -> Result<Self> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let queue = Self {
            sender,
            room: Semaphore::new(ROOM as usize),
            heard: Mutex::default(),
            depth: Arc::default(),
            stored: Arc::default(),
        };
        let (depth, stored) = (Arc::clone(&queue.depth), Arc::clone(&queue.stored));
        std::thread::Builder::new()
            .name("store".into())
            .spawn(move || {
                keep(&*store, receiver, &depth, &stored, tracer.as_ref());
            })
            .map_err(|e| Error::host("cannot start a thread").caused_by(e))?;
        Ok(queue)
    }

    /// Waits until there is room for a body of so many bytes.
    pub async fn room(&self, bytes: u64) -> Answer<SemaphorePermit<'_>> {
        let kib = u32::try_from(bytes >> 10).unwrap_or(ROOM).clamp(1, ROOM);
        self.room.acquire_many(kib).await.map_err(|_| unavailable())
    }

    /// Stores a batch. When this returns well, it is on the disk.
    pub async fn store(&self, batch: Batch) -> Answer<Option<usize>> {
        let (done, outcome) = oneshot::channel();
        self.depth.fetch_add(1, Ordering::Relaxed);
        self.sender
            .send(Job { batch, done })
            .map_err(|_| unavailable())?;
        match outcome.await {
            Ok(Ok(taken)) => Ok(taken),
            Ok(Err(error)) => {
                here::print_error(&format!("{error}"));
                Err(unavailable())
            }
            Err(_) => Err(unavailable()),
        }
    }

    /// A host was heard of: written down before long, together with others.
    pub fn heard(&self, name: &str, at: u64, version: Option<&str>) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = heard.entry(name.into()).or_insert_with(|| Seen {
            name: name.to_string(),
            at,
            version: None,
        });
        seen.at = at;
        if let Some(version) = version {
            seen.version = Some(version.to_string());
        }
    }

    /// Hosts that were heard of since this was asked last.
    pub fn take_heard(&self) -> Vec<Seen> {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *heard).into_values().collect()
    }
}

fn unavailable() -> Refused {
    Refused(
        StatusCode::SERVICE_UNAVAILABLE,
        "the store does not answer".into(),
    )
}

fn keep(
    store: &dyn Store,
    mut receiver: mpsc::UnboundedReceiver<Job>,
    depth: &AtomicU64,
    stored: &AtomicU64,
    tracer: Option<&Tracer>,
) {
    while let Some(first) = receiver.blocking_recv() {
        let mut events = first.batch.events.len();
        let mut waiting = vec![first.done];
        let mut batches = vec![first.batch];
        while batches.len() < AT_ONCE && events < EVENTS_AT_ONCE {
            let Ok(job) = receiver.try_recv() else { break };
            events += job.batch.events.len();
            waiting.push(job.done);
            batches.push(job.batch);
        }
        depth.fetch_sub(batches.len() as u64, Ordering::Relaxed);
        match store.store_events(&batches) {
            Ok(answer) => {
                stored.fetch_add(answer.new, Ordering::Relaxed);
                if let Some(tracer) = tracer {
                    let ended = |b: &&Batch| b.events.iter().any(ends_part);
                    let ended = batches.iter().filter(ended);
                    ended.for_each(|b| tracer.ended(&b.run, &b.agent));
                }
                for (done, taken) in waiting.into_iter().zip(answer.taken) {
                    let _ = done.send(Ok(taken));
                }
            }
            // One that the store cannot take must not be in the way of the others.
            Err(_) => {
                for (done, batch) in waiting.into_iter().zip(&batches) {
                    let answer = store.store_events(std::slice::from_ref(batch));
                    let taken = answer.map(|a| {
                        stored.fetch_add(a.new, Ordering::Relaxed);
                        a.taken.into_iter().next().flatten()
                    });
                    let _ = done.send(taken);
                }
            }
        }
    }
}
