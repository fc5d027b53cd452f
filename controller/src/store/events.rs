//! What hosts' agents tell of runs.

use super::row::{Kept, Row};
use lks_agent::error::Result;
use serde::Serialize;

/// Events of one run, as a host's agent sent them.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// The host.
    pub agent: String,
    /// The run.
    pub run: String,
    /// The events.
    pub events: Vec<serde_json::Value>,
}

/// What became of batches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// For each batch how many of its events are in the store now; `None` if the run is not this host's.
    pub taken: Vec<Option<usize>>,
    /// How many events were not there before.
    pub new: u64,
}

/// An event as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StoredEvent {
    /// Grows in the order of arrival.
    pub id: i64,
    /// The host whose agent sent it.
    pub agent: String,
    /// The event, as the agent wrote it.
    pub event: serde_json::Value,
}

impl Kept for StoredEvent {
    fn from_row<R: Row>(row: &R) -> std::result::Result<Self, R::Error> {
        Ok(Self {
            id: row.get(0)?,
            agent: row.get(1)?,
            event: row.json(2)?,
        })
    }
}

/// Whether an event is the last one of its host's part of a run.
pub(crate) fn ends_part(event: &serde_json::Value) -> bool {
    event["type"] == "run_finished" && event["host"] == ""
}

/// Events of runs.
pub trait Events {
    /// Keeps events, all batches or none. What is there already stays as it is, and counts as taken.
    fn store_events(&self, batches: &[Batch]) -> Result<Stored>;
    /// Events of a run behind one, in the order of arrival.
    fn events(&self, run: &str, after: i64, most: u32) -> Result<Vec<StoredEvent>>;
    /// All events of one host's part of a run, in their order there.
    fn part_events(&self, run: &str, agent: &str) -> Result<Vec<serde_json::Value>>;
}
