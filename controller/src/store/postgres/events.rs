//! Events into PostgreSQL. Who follows a run reads events behind the last one it has: so within a run,
//! numbers are given and committed in one order, under a lock of the run.

use super::Postgres;
use super::news::tell;
use super::pool::{Outcome, Tx};
use crate::store::{Batch, Events, Stored, StoredEvent, ends_part};
use lks_agent::error::Result;
use std::collections::{BTreeSet, HashSet};

impl Events for Postgres {
    fn store_events(&self, batches: &[Batch]) -> Result<Stored> {
        self.tx(|tx| store(tx, batches))
    }

    fn events(&self, run: &str, after: i64, most: u32) -> Result<Vec<StoredEvent>> {
        self.list(
            "SELECT id, agent, body FROM event WHERE run = $1 AND id > $2 ORDER BY id LIMIT $3",
            &[&run, &after, &i64::from(most)],
        )
    }

    fn part_events(&self, run: &str, agent: &str) -> Result<Vec<serde_json::Value>> {
        self.list(
            "SELECT body FROM event WHERE run = $1 AND agent = $2 ORDER BY id",
            &[&run, &agent],
        )
    }
}

/// Batches of events, in one transaction.
fn store(tx: &mut Tx<'_>, batches: &[Batch]) -> Outcome<Stored> {
    // Sorted: two controllers that lock the same runs do it in the same order.
    let runs: BTreeSet<&str> = batches.iter().map(|b| b.run.as_str()).collect();
    for run in &runs {
        tx.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))",
            &[run],
        )?;
    }
    let given = given(tx, batches)?;
    let (mut rows, mut ends, mut taken) = (Rows::default(), Rows::default(), Vec::new());
    for batch in batches {
        if !given.contains(&(batch.run.clone(), batch.agent.clone())) {
            taken.push(None);
            continue;
        }
        for event in &batch.events {
            rows.add(batch, event);
            if ends_part(event) {
                ends.add(batch, event);
            }
        }
        taken.push(Some(batch.events.len()));
    }
    let new = tx.execute(
        "INSERT INTO event (run, agent, host, seq, body)
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[])
         ON CONFLICT DO NOTHING",
        &[
            &rows.runs,
            &rows.agents,
            &rows.hosts,
            &rows.numbers,
            &rows.bodies,
        ],
    )?;
    if !ends.runs.is_empty() {
        tx.execute(
            "UPDATE part SET over = TRUE, status = ended.status
             FROM unnest($1::text[], $2::text[], $3::bigint[]) AS ended (run, host, status)
             WHERE part.run = ended.run AND part.host = ended.host AND NOT over",
            &[&ends.runs, &ends.agents, &ends.statuses],
        )?;
    }
    tell(tx, "events")?;
    Ok(Stored { taken, new })
}

/// The runs and hosts among these batches that belong together.
fn given(tx: &mut Tx<'_>, batches: &[Batch]) -> Outcome<HashSet<(String, String)>> {
    let runs: Vec<&str> = batches.iter().map(|b| b.run.as_str()).collect();
    let agents: Vec<&str> = batches.iter().map(|b| b.agent.as_str()).collect();
    let given = tx.list(
        "SELECT run, host FROM part JOIN unnest($1::text[], $2::text[]) AS asked (r, h) ON run = r AND host = h",
        &[&runs, &agents],
    )?;
    Ok(given.into_iter().collect())
}

/// Columns of events.
#[derive(Default)]
struct Rows<'a> {
    runs: Vec<&'a str>,
    agents: Vec<&'a str>,
    hosts: Vec<&'a str>,
    numbers: Vec<i64>,
    statuses: Vec<Option<i64>>,
    bodies: Vec<String>,
}

impl<'a> Rows<'a> {
    fn add(&mut self, batch: &'a Batch, event: &'a serde_json::Value) {
        self.runs.push(&batch.run);
        self.agents.push(&batch.agent);
        self.hosts.push(event["host"].as_str().unwrap_or_default());
        self.numbers.push(event["seq"].as_i64().unwrap_or_default());
        self.statuses.push(event["status"].as_i64());
        self.bodies.push(event.to_string());
    }
}
