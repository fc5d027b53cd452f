//! Runs in SQLite.

use super::{Sqlite, list, one};
use crate::store::{Run, Runs};
use lks_agent::error::Result;
use rusqlite::{Connection, params};

impl Runs for Sqlite {
    fn create_run(&self, run: &Run) -> Result<()> {
        self.write(|tx| {
            tx.execute(
                "INSERT INTO run (run, bundle, by, created_at) VALUES (?, ?, ?, ?)",
                params![run.run, run.bundle, run.by, run.created_at],
            )?;
            let mut part = tx.prepare("INSERT INTO part (run, host) VALUES (?, ?)")?;
            for (host, _) in &run.hosts {
                part.execute([&run.run, host])?;
            }
            Ok(())
        })
    }

    fn runs(&self, most: u32) -> Result<Vec<Run>> {
        self.read(|tx| {
            let runs: Vec<Run> = list(
                tx,
                "SELECT run, bundle, by, created_at FROM run ORDER BY number DESC LIMIT ?",
                [most],
            )?;
            runs.into_iter().map(|run| with_hosts(tx, run)).collect()
        })
    }

    fn run(&self, run: &str) -> Result<Option<Run>> {
        self.read(|tx| {
            one(
                tx,
                "SELECT run, bundle, by, created_at FROM run WHERE run = ?",
                [run],
            )?
            .map(|run| with_hosts(tx, run))
            .transpose()
        })
    }

    fn unfinished(&self, run: &str) -> Result<Option<u64>> {
        self.one(
            "SELECT (SELECT COUNT(*) FROM part WHERE run = ?1 AND over = 0) FROM run WHERE run = ?1",
            [run],
        )
    }

    fn work(&self, host: &str) -> Result<Option<(String, String)>> {
        self.one(
            "SELECT run.run, run.bundle FROM part JOIN run ON run.run = part.run
             WHERE host = ? AND over = 0 ORDER BY number LIMIT 1",
            [host],
        )
    }

    fn ended_run(&self, run: &str) -> Result<Option<(String, u64)>> {
        self.one(
            "SELECT by, created_at FROM run WHERE run = ?1
                AND NOT EXISTS (SELECT 1 FROM part WHERE run = ?1 AND over = 0)",
            [run],
        )
    }
}

fn with_hosts(tx: &Connection, mut run: Run) -> rusqlite::Result<Run> {
    run.hosts = list(
        tx,
        "SELECT host, CASE over WHEN 1 THEN status END FROM part WHERE run = ? ORDER BY host",
        [&run.run],
    )?;
    Ok(run)
}
