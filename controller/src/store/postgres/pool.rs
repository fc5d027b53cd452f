//! Connections to PostgreSQL: kept while they live, made anew when they are lost.

use super::tls::{self, Tls};
use crate::store::row::Kept;
use lks_agent::error::{Error, ErrorKind, Result};
use postgres::types::ToSql;
use postgres::{Client, Config, NoTls, Row, Statement, Transaction};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long to wait for a connection to begin.
const CONNECT: Duration = Duration::from_secs(10);

/// Where a database is, and the connections to it that nobody uses just now. There are never more than
/// threads that ask (`api::serve` limits them).
pub(super) struct Pool {
    config: Config,
    tls: Tls,
    idle: Mutex<Vec<Connection>>,
}

/// A connection, and what was prepared on it.
struct Connection {
    client: Client,
    prepared: Prepared,
}

type Prepared = HashMap<&'static str, Statement>;
pub(super) type Outcome<T> = std::result::Result<T, postgres::Error>;
pub(super) type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A transaction whose statements are prepared once for each connection.
pub(super) struct Tx<'a> {
    tx: Transaction<'a>,
    prepared: &'a mut Prepared,
}

impl Tx<'_> {
    fn prepared(&mut self, sql: &'static str) -> Outcome<Statement> {
        if let Some(statement) = self.prepared.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.tx.prepare(sql)?;
        self.prepared.insert(sql, statement.clone());
        Ok(statement)
    }

    /// Rows of an answer.
    pub fn query(&mut self, sql: &'static str, values: Values<'_>) -> Outcome<Vec<Row>> {
        let statement = self.prepared(sql)?;
        self.tx.query(&statement, values)
    }

    /// All rows of an answer, as what they stand for.
    pub fn list<T: Kept>(&mut self, sql: &'static str, values: Values<'_>) -> Outcome<Vec<T>> {
        self.query(sql, values)?.iter().map(T::from_row).collect()
    }

    /// The only row of an answer, if there is one.
    pub fn row(&mut self, sql: &'static str, values: Values<'_>) -> Outcome<Option<Row>> {
        let statement = self.prepared(sql)?;
        self.tx.query_opt(&statement, values)
    }

    /// The only row of an answer, if there is one, as what it stands for.
    pub fn one<T: Kept>(&mut self, sql: &'static str, values: Values<'_>) -> Outcome<Option<T>> {
        self.row(sql, values)?.as_ref().map(T::from_row).transpose()
    }

    /// How many rows were changed.
    pub fn execute(&mut self, sql: &'static str, values: Values<'_>) -> Outcome<u64> {
        let statement = self.prepared(sql)?;
        self.tx.execute(&statement, values)
    }

    /// Several statements without values.
    pub fn batch(&mut self, sql: &str) -> Outcome<()> {
        self.tx.batch_execute(sql)
    }
}

impl Pool {
    /// For `postgres://USER:PASSWORD@HOST/DATABASE`.
    pub fn new(url: &str) -> Result<Self> {
        let (url, tls) = tls::of(url)?;
        let mut config: Config = url.parse().map_err(|e: postgres::Error| {
            // The address itself is not shown: a password may be in it.
            Error::new(
                ErrorKind::Usage,
                "--store is no address of a PostgreSQL database",
            )
            .caused_by(e)
        })?;
        config
            .application_name("lks-ctl")
            .connect_timeout(CONNECT)
            .tcp_user_timeout(Duration::from_secs(30))
            .keepalives_idle(Duration::from_secs(15));
        Ok(Self {
            config,
            tls,
            idle: Mutex::default(),
        })
    }

    /// A connection of one's own.
    pub fn connect(&self) -> Result<Client> {
        let client = match &self.tls {
            Tls::Off => self.config.connect(NoTls),
            Tls::On(tls) => self.config.connect(tls.clone()),
        };
        client.map_err(broken)
    }

    /// Does `work` in one transaction: all of it is kept, or nothing.
    pub fn tx<T>(&self, work: impl FnOnce(&mut Tx<'_>) -> Outcome<T>) -> Result<T> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = {
            let mut idle = idle();
            idle.retain(|c| !c.client.is_closed());
            idle.pop()
        };
        let mut connection = match kept {
            Some(connection) => connection,
            None => Connection {
                client: self.connect()?,
                prepared: Prepared::new(),
            },
        };
        let Connection { client, prepared } = &mut connection;
        let done = client.transaction().and_then(|tx| {
            let mut tx = Tx { tx, prepared };
            let value = work(&mut tx)?;
            tx.tx.commit()?;
            Ok(value)
        });
        let value = done.map_err(broken)?;
        // One on which something failed is not trusted with more.
        idle().push(connection);
        Ok(value)
    }
}

pub(super) fn broken(error: postgres::Error) -> Error {
    Error::host("the store refused").caused_by(error)
}
