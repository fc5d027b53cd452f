//! Events in SQLite.

use super::Sqlite;
use crate::store::{Batch, Events, Stored, StoredEvent, ends_part};
use lks_agent::error::Result;
use rusqlite::{Connection, params};

impl Events for Sqlite {
    fn store_events(&self, batches: &[Batch]) -> Result<Stored> {
        self.write(|tx| {
            let mut stored = Stored::default();
            for batch in batches {
                let taken = store_batch(tx, batch, &mut stored.new)?;
                stored.taken.push(taken);
            }
            Ok(stored)
        })
    }

    fn events(&self, run: &str, after: i64, most: u32) -> Result<Vec<StoredEvent>> {
        self.list(
            "SELECT id, agent, body FROM event WHERE run = ? AND id > ? ORDER BY id LIMIT ?",
            params![run, after, most],
        )
    }

    fn part_events(&self, run: &str, agent: &str) -> Result<Vec<serde_json::Value>> {
        self.list(
            "SELECT body FROM event WHERE run = ? AND agent = ? ORDER BY id",
            [run, agent],
        )
    }
}

/// How many events of a batch are there now; `None` if the run is not this host's.
fn store_batch(tx: &Connection, batch: &Batch, new: &mut u64) -> rusqlite::Result<Option<usize>> {
    let given: bool = tx
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM part WHERE run = ? AND host = ?)")?
        .query_row([&batch.run, &batch.agent], |r| r.get(0))?;
    if !given {
        return Ok(None);
    }
    let mut insert = tx.prepare_cached(
        "INSERT INTO event (run, agent, host, seq, body) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )?;
    for event in &batch.events {
        let host = event["host"].as_str().unwrap_or_default();
        let seq = event["seq"].as_i64().unwrap_or_default();
        *new += insert.execute(params![
            batch.run,
            batch.agent,
            host,
            seq,
            event.to_string()
        ])? as u64;
        if ends_part(event) {
            tx.prepare_cached(
                "UPDATE part SET over = 1, status = ? WHERE run = ? AND host = ? AND over = 0",
            )?
            .execute(params![event["status"].as_i64(), batch.run, batch.agent])?;
        }
    }
    Ok(Some(batch.events.len()))
}
