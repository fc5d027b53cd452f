//! Writers share commits: a commit is what costs (the disk must say that it has it), and everything
//! that was written since the last one goes with the next.
//!
//! Whoever writes does it in a savepoint of the transaction that is open, and then waits for its turn to
//! commit. While one commits, others wait to write; when it is their turn, a single commit is for all of
//! them. What fails takes back its own savepoint and nobody else's.

use super::broken;
use lks_agent::error::{Error, Result};
use rusqlite::Connection;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// How a transaction ended.
type End = Arc<OnceLock<std::result::Result<(), String>>>;

/// The connection that writes.
#[derive(Debug)]
pub(super) struct Writer {
    open: Mutex<Open>,
    /// Held by who commits.
    turn: Mutex<()>,
}

#[derive(Debug)]
struct Open {
    connection: Connection,
    /// The transaction that is open.
    end: Option<End>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Writer {
    pub fn new(connection: Connection) -> Self {
        let open = Open {
            connection,
            end: None,
        };
        Self {
            open: Mutex::new(open),
            turn: Mutex::default(),
        }
    }

    /// Does `work` and commits it: when this returns well, it is on the disk.
    pub fn write<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let (done, end) = {
            let mut open = lock(&self.open);
            let end = open.begin().map_err(broken)?;
            let done = open.within(work);
            open.mind_abort();
            (done, end)
        };
        let _turn = lock(&self.turn);
        if end.get().is_none() {
            lock(&self.open).commit();
        }
        let value = done.map_err(broken)?;
        match end.get() {
            Some(Ok(())) => Ok(value),
            Some(Err(why)) => Err(Error::host(format!("the store refused: {why}"))),
            None => Err(Error::host("the store lost a transaction")),
        }
    }
}

impl Open {
    fn begin(&mut self) -> rusqlite::Result<End> {
        if let Some(end) = &self.end {
            return Ok(Arc::clone(end));
        }
        // The lock for writing from the beginning: what was read is still so when it is written.
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        Ok(Arc::clone(self.end.insert(End::default())))
    }

    fn within<T>(
        &mut self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let savepoint = self.connection.savepoint()?;
        let value = work(&savepoint)?;
        savepoint.commit()?;
        Ok(value)
    }

    /// On a full disk SQLite takes the whole transaction back by itself: it failed for all who wrote in it.
    fn mind_abort(&mut self) {
        if self.connection.is_autocommit()
            && let Some(end) = self.end.take()
        {
            let _ = end.set(Err("the transaction was taken back".into()));
        }
    }

    fn commit(&mut self) {
        let Some(end) = self.end.take() else { return };
        let done = self.connection.execute_batch("COMMIT");
        if done.is_err() && !self.connection.is_autocommit() {
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        let _ = end.set(done.map_err(|e| e.to_string()));
    }
}
