//! Runs in PostgreSQL.

use super::Postgres;
use super::news::tell;
use super::pool::{Outcome, Tx};
use crate::store::{Run, Runs};
use lks_agent::error::Result;

impl Runs for Postgres {
    fn create_run(&self, run: &Run) -> Result<()> {
        let hosts: Vec<&str> = run.hosts.iter().map(|(h, _)| h.as_str()).collect();
        self.tx(|tx| {
            tx.execute(
                "INSERT INTO run (run, bundle, by, created_at) VALUES ($1, $2, $3, $4)",
                &[&run.run, &run.bundle, &run.by, &(run.created_at as i64)],
            )?;
            tx.execute(
                "INSERT INTO part (run, host) SELECT $1, unnest($2::text[])",
                &[&run.run, &hosts],
            )?;
            tell(tx, &format!("run {}", run.run))
        })
    }

    fn runs(&self, most: u32) -> Result<Vec<Run>> {
        self.tx(|tx| {
            let runs: Vec<Run> = tx.list(
                "SELECT run, bundle, by, created_at FROM run ORDER BY number DESC LIMIT $1",
                &[&i64::from(most)],
            )?;
            runs.into_iter().map(|run| with_hosts(tx, run)).collect()
        })
    }

    fn run(&self, run: &str) -> Result<Option<Run>> {
        self.tx(|tx| {
            tx.one(
                "SELECT run, bundle, by, created_at FROM run WHERE run = $1",
                &[&run],
            )?
            .map(|run| with_hosts(tx, run))
            .transpose()
        })
    }

    fn unfinished(&self, run: &str) -> Result<Option<u64>> {
        self.one(
            "SELECT (SELECT COUNT(*) FROM part WHERE run = $1 AND NOT over) FROM run WHERE run = $1",
            &[&run],
        )
    }

    fn work(&self, host: &str) -> Result<Option<(String, String)>> {
        self.one(
            "SELECT run.run, run.bundle FROM part JOIN run ON run.run = part.run
             WHERE host = $1 AND NOT over ORDER BY number LIMIT 1",
            &[&host],
        )
    }

    fn ended_run(&self, run: &str) -> Result<Option<(String, u64)>> {
        self.one(
            "SELECT by, created_at FROM run WHERE run = $1
                AND NOT EXISTS (SELECT 1 FROM part WHERE run = $1 AND NOT over)",
            &[&run],
        )
    }
}

fn with_hosts(tx: &mut Tx<'_>, mut run: Run) -> Outcome<Run> {
    run.hosts = tx.list(
        "SELECT host, CASE WHEN over THEN status END FROM part WHERE run = $1 ORDER BY host COLLATE \"C\"",
        &[&run.run],
    )?;
    Ok(run)
}
