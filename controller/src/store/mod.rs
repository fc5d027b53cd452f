//! What a controller remembers, behind one trait. [`Sqlite`] is built in and needs nothing installed;
//! [`Postgres`] is shared by several controllers. `tests/tests/store/` holds both to the same.
//!
//! It is sorted by what is kept: `tokens`, `hosts`, `operators`, `bundles`, `runs`, `events`. The file here
//! says what that is and what can be asked of it; the file of the same name in `sqlite/` and in `postgres/`
//! says it in SQL, and `layout` there has the tables. A row of either becomes what it stands for by `row`.

mod bundles;
mod events;
mod hosts;
mod operators;
mod postgres;
mod row;
mod runs;
mod sqlite;
mod tokens;

pub use bundles::{Assignment, Bundles, Release};
pub(crate) use events::ends_part;
pub use events::{Batch, Events, Stored, StoredEvent};
pub(crate) use hosts::AHEAD;
pub use hosts::{Host, HostFacts, Hosts, Seen};
pub use operators::{Audit, Operator, Operators, Role};
pub use postgres::Postgres;
pub use runs::{Run, Runs};
pub use sqlite::Sqlite;
pub use tokens::{Enrolment, Token, Tokens};

use lks_agent::error::Result;
use serde::Serialize;
use std::time::Duration;

/// What another controller on the same store changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// A run was given out.
    Run(String),
    /// A host was revoked, forgotten or told something.
    Host(String),
    /// Events came in.
    Events,
    /// There is a new program for agents.
    Release,
    /// Something that was missed: whoever waits should look.
    Unknown,
}

/// How many of what there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct Counts {
    pub hosts: u64,
    pub runs: u64,
    pub unfinished: u64,
}

/// What a controller remembers. Each call is one transaction: all of it is kept, or nothing.
pub trait Store: Tokens + Hosts + Operators + Bundles + Runs + Events + Send + Sync {
    /// How many of what there are. It counts: not for every request.
    fn counts(&self) -> Result<Counts>;
    /// Whether it answers.
    fn ping(&self) -> Result<()>;
    /// The pin of the authority that the store's hosts believe: this one, if none was kept yet.
    fn authority(&self, pin: &str) -> Result<String>;
    /// Waits for what other controllers on this store change, at most so long. `None`: there are none.
    fn news(&self, most: Duration) -> Result<Option<Vec<News>>>;
}
