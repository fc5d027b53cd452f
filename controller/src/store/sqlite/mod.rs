//! The store in one SQLite file. What was answered to an agent is on the disk (`synchronous = FULL`).
//!
//! `layout` has the tables; `commit` writes; then a file for each thing that is kept.

mod bundles;
mod commit;
mod events;
mod hosts;
mod layout;
mod operators;
mod runs;
mod tokens;

use super::row::Kept;
use super::{Counts, News, Store};
use commit::Writer;
use lks_agent::error::{Error, Result};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Params};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The store in one file: one connection writes, others read beside it.
#[derive(Debug)]
pub struct Sqlite {
    path: PathBuf,
    writer: Writer,
    readers: Mutex<Vec<Connection>>,
}

impl Sqlite {
    /// Opens the store, or makes it.
    ///
    /// # Errors
    /// When it cannot be opened, or a newer program made it.
    pub fn open(path: &Path) -> Result<Self> {
        let mut connection = connect(path, OpenFlags::default()).map_err(broken)?;
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;",
            )
            .map_err(broken)?;
        layout::bring_up(&mut connection, path)?;
        Ok(Self {
            path: path.to_path_buf(),
            writer: Writer::new(connection),
            readers: Mutex::default(),
        })
    }

    /// All of `work` is kept, or nothing.
    fn write<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        self.writer.write(work)
    }

    /// Reads what was kept up to now, while others write.
    fn read<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let idle = || self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle().pop();
        let done = || -> rusqlite::Result<T> {
            let reader = match kept {
                Some(reader) => reader,
                None => connect(
                    &self.path,
                    OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
                )?,
            };
            // One transaction: several statements of one question see the same.
            let value = reader.unchecked_transaction().and_then(|tx| work(&tx))?;
            idle().push(reader);
            Ok(value)
        };
        done().map_err(broken)
    }

    /// All rows of an answer.
    fn list<T: Kept>(&self, sql: &str, values: impl Params) -> Result<Vec<T>> {
        self.read(|tx| list(tx, sql, values))
    }

    /// The first row of an answer, if there is one.
    fn one<T: Kept>(&self, sql: &str, values: impl Params) -> Result<Option<T>> {
        self.read(|tx| one(tx, sql, values))
    }

    /// Whether a statement changed anything.
    fn change(&self, sql: &str, values: impl Params) -> Result<bool> {
        self.write(|tx| tx.execute(sql, values)).map(|n| n > 0)
    }
}

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

fn broken(error: rusqlite::Error) -> Error {
    Error::host("the store refused").caused_by(error)
}

/// All rows of an answer.
fn list<T: Kept>(tx: &Connection, sql: &str, values: impl Params) -> rusqlite::Result<Vec<T>> {
    tx.prepare_cached(sql)?
        .query_map(values, |row| T::from_row(row))?
        .collect()
}

/// The first row of an answer, if there is one.
fn one<T: Kept>(tx: &Connection, sql: &str, values: impl Params) -> rusqlite::Result<Option<T>> {
    tx.prepare_cached(sql)?
        .query_row(values, |row| T::from_row(row))
        .optional()
}

impl Store for Sqlite {
    fn counts(&self) -> Result<Counts> {
        self.read(|tx| {
            let one = |sql: &str| tx.query_row(sql, [], |r| r.get(0));
            Ok(Counts {
                hosts: one("SELECT count(*) FROM host WHERE revoked = 0")?,
                runs: one("SELECT count(*) FROM run")?,
                unfinished: one("SELECT count(*) FROM part WHERE over = 0")?,
            })
        })
    }

    fn ping(&self) -> Result<()> {
        self.read(|tx| tx.query_row("SELECT 1", [], |_| Ok(())))
    }

    fn authority(&self, pin: &str) -> Result<String> {
        self.write(|tx| {
            tx.execute(
                "INSERT INTO fact (name, value) VALUES ('authority', ?) ON CONFLICT DO NOTHING",
                [pin],
            )?;
            tx.query_row("SELECT value FROM fact WHERE name = 'authority'", [], |r| {
                r.get(0)
            })
        })
    }

    fn news(&self, _most: Duration) -> Result<Option<Vec<News>>> {
        Ok(None)
    }
}
