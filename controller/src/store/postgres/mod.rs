//! The store in PostgreSQL, for several controllers at once: any of them may serve any host.
//!
//! Each question is one transaction. Controllers tell each other what changed by `NOTIFY lks`; who lost
//! the connection that listens looks at everything once it has another.
//!
//! `layout` has the tables; `pool` and `tls` make connections; `news` tells and listens; then a file for
//! each thing that is kept.

mod bundles;
mod events;
mod hosts;
mod layout;
mod news;
mod operators;
mod pool;
mod runs;
mod tls;
mod tokens;

use super::row::Kept;
use super::{Counts, News, Store};
use lks_agent::error::Result;
use news::Listener;
use pool::{Outcome, Pool, Tx, Values};
use std::time::Duration;

/// The store in a database.
pub struct Postgres {
    pool: Pool,
    listener: Listener,
}

impl Postgres {
    /// Opens the store at `postgres://USER:PASSWORD@HOST/DATABASE`, and makes its tables if there are none.
    ///
    /// # Errors
    /// When the address is none, nobody answers there, or a newer program made the tables.
    pub fn open(url: &str) -> Result<Self> {
        let pool = Pool::new(url)?;
        layout::bring_up(&pool)?;
        Ok(Self {
            pool,
            listener: Listener::default(),
        })
    }

    fn tx<T>(&self, work: impl FnOnce(&mut Tx<'_>) -> Outcome<T>) -> Result<T> {
        self.pool.tx(work)
    }

    /// All rows of an answer.
    fn list<T: Kept>(&self, sql: &'static str, values: Values<'_>) -> Result<Vec<T>> {
        self.tx(|tx| tx.list(sql, values))
    }

    /// The only row of an answer, if there is one.
    fn one<T: Kept>(&self, sql: &'static str, values: Values<'_>) -> Result<Option<T>> {
        self.tx(|tx| tx.one(sql, values))
    }

    /// Whether a statement changed anything.
    fn change(&self, sql: &'static str, values: Values<'_>) -> Result<bool> {
        self.tx(|tx| tx.execute(sql, values)).map(|n| n > 0)
    }
}

impl Store for Postgres {
    fn counts(&self) -> Result<Counts> {
        self.tx(|tx| {
            let mut count = |sql| tx.one(sql, &[]).map(Option::unwrap_or_default);
            Ok(Counts {
                hosts: count("SELECT count(*) FROM host WHERE NOT revoked")?,
                runs: count("SELECT count(*) FROM run")?,
                unfinished: count("SELECT count(*) FROM part WHERE NOT over")?,
            })
        })
    }

    fn ping(&self) -> Result<()> {
        self.tx(|tx| tx.row("SELECT 1", &[])).map(drop)
    }

    fn authority(&self, pin: &str) -> Result<String> {
        self.tx(|tx| {
            tx.execute(
                "INSERT INTO fact (name, value) VALUES ('authority', $1) ON CONFLICT DO NOTHING",
                &[&pin],
            )?;
            let row = tx.row("SELECT value FROM fact WHERE name = 'authority'", &[])?;
            row.map_or(Ok(String::new()), |r| r.try_get(0))
        })
    }

    fn news(&self, most: Duration) -> Result<Option<Vec<News>>> {
        self.listener.listen(&self.pool, most).map(Some)
    }
}
