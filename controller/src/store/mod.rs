//! What a controller remembers, behind one trait. [`Sqlite`] is built in and needs nothing installed;
//! [`Postgres`] is shared by several controllers. `tests/tests/store.rs` holds both to the same.

mod postgres;
mod sqlite;

pub use postgres::Postgres;
pub use sqlite::Sqlite;

use lks_agent::error::Result;
use serde::Serialize;
use std::time::Duration;

/// A time that is further ahead, in seconds, was written by a clock that was wrong: those of several
/// controllers differ by less.
pub(crate) const AHEAD: u64 = 3600;

/// An enrolled host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Host {
    /// Its name.
    pub name: String,
    /// Seconds since 1970.
    pub enrolled_at: u64,
    /// When it last asked for something.
    pub seen_at: u64,
    /// The version of its agent.
    pub version: String,
    /// Nothing is given to it, nor taken from it, any more.
    pub revoked: bool,
    /// It was asked to make itself a new key.
    pub rotate: bool,
    /// When its certificate ends, in seconds since 1970; 0 if that is not known.
    pub expires_at: u64,
    /// It shows a certificate for a newer key than the one it is known by: see [`Store::settle_key`].
    #[serde(skip)]
    pub newer: bool,
}

/// What a host told of itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HostFacts {
    /// The host.
    pub host: String,
    /// When, in seconds since 1970.
    pub at: u64,
    /// Under Ansible's names.
    pub facts: serde_json::Value,
}

/// An agent's program that hosts replace their own by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Release {
    /// Grows with every release.
    pub counter: u64,
    /// The architecture it is for.
    pub machine: String,
    /// Its version.
    pub version: String,
    /// The names of hosts that take it: patterns.
    pub hosts: Vec<String>,
    /// Who brought it.
    pub made_by: String,
    /// When.
    pub at: u64,
}

/// What hosts run when they join: a bundle for those whose names match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Assignment {
    /// The name under which the bundle is signed; a newer one of this name takes its place.
    pub name: String,
    /// The bundle.
    pub bundle: String,
    /// The names of hosts that get it: patterns.
    pub hosts: Vec<String>,
    /// Who assigned it.
    pub made_by: String,
    /// When, in seconds since 1970.
    pub at: u64,
    /// From then on hosts refuse it.
    pub expires_at: u64,
}

/// A join token; the secret itself is not kept, only its digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Token {
    /// How it is called in lists.
    pub id: String,
    /// SHA-256 of the secret.
    #[serde(skip)]
    pub digest: String,
    /// The name that the host must have; any if empty.
    pub host: String,
    /// Who made it.
    pub made_by: String,
    /// When it expires.
    pub expires_at: u64,
    /// The host that used it.
    pub used_by: Option<String>,
    /// Whether it was taken back.
    pub revoked: bool,
}

/// What an operator may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Look.
    Viewer,
    /// Look, bring bundles and start runs.
    Operator,
    /// Everything.
    Admin,
}

impl Role {
    /// From its name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "viewer" => Some(Self::Viewer),
            "operator" => Some(Self::Operator),
            "admin" => Some(Self::Admin),
            _ => None,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

/// A person or program that operates the fleet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Operator {
    /// The name.
    pub name: String,
    /// What they may do.
    pub role: Role,
}

/// A run and how it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Run {
    /// Its name.
    pub run: String,
    /// The bundle.
    pub bundle: String,
    /// Who started it.
    pub by: String,
    /// When.
    pub created_at: u64,
    /// Hosts, each with the exit status of its part when that is over.
    pub hosts: Vec<(String, Option<i64>)>,
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

/// A line of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// When.
    pub at: u64,
    /// Who.
    pub who: String,
    /// What.
    pub what: String,
    /// To what.
    pub detail: String,
}

/// How an enrolment ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enrolment {
    /// The host is in (or was already, with the same key and token).
    Welcome,
    /// There is no such token, or it is used, expired or revoked, or for another host.
    BadToken,
    /// Another key has this name.
    NameTaken,
}

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

/// A host was heard of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The host.
    pub name: String,
    /// When.
    pub at: u64,
    /// Its agent's version, where it was told.
    pub version: Option<String>,
}

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
pub trait Store: Send + Sync {
    /// Keeps a token.
    fn add_token(&self, token: &Token) -> Result<()>;
    /// All tokens.
    fn tokens(&self) -> Result<Vec<Token>>;
    /// Takes a token back. `false` if there is none.
    fn revoke_token(&self, id: &str) -> Result<bool>;
    /// Lets a host in: uses the token up, and keeps the host with its key.
    fn enrol(
        &self,
        digest: &str,
        name: &str,
        key: &str,
        version: &str,
        now: u64,
    ) -> Result<Enrolment>;
    /// A certificate (by its SHA-256) for a key was given to a host, until a time.
    fn add_certificate(
        &self,
        fingerprint: &str,
        host: &str,
        key: &str,
        expires_at: u64,
    ) -> Result<()>;
    /// The host uses the newer key of this certificate: it is known by it from now on, and its other
    /// certificates are good for nothing any more. `false` if that was so already.
    fn settle_key(&self, fingerprint: &str) -> Result<bool>;
    /// Asks a host to make itself a new key. `false` if there is none.
    fn rotate_host(&self, name: &str) -> Result<bool>;
    /// Keeps what a host told of itself.
    fn set_facts(&self, host: &str, facts: &serde_json::Value, now: u64) -> Result<()>;
    /// What hosts told of themselves, by name.
    fn facts(&self) -> Result<Vec<HostFacts>>;
    /// Keeps a program for agents: with what was signed, and its signature. `false` if its counter is
    /// not above all others.
    fn put_release(&self, release: &Release, bytes: &[u8]) -> Result<bool>;
    /// All releases, the newest first.
    fn releases(&self) -> Result<Vec<Release>>;
    /// A release's bytes.
    fn release(&self, counter: u64) -> Result<Option<Vec<u8>>>;
    /// The host that has this certificate.
    fn host_of(&self, fingerprint: &str) -> Result<Option<Host>>;
    /// Hosts were heard of. The later time stays, but for one that is an hour ahead.
    fn seen(&self, hosts: &[Seen]) -> Result<()>;
    /// All hosts, by name.
    fn hosts(&self) -> Result<Vec<Host>>;
    /// Shuts a host out. `false` if there is none.
    fn revoke_host(&self, name: &str) -> Result<bool>;
    /// Forgets a host and its certificates, so that its name is free. `false` if there is none.
    fn forget_host(&self, name: &str) -> Result<bool>;
    /// Keeps an operator, known by the SHA-256 of their token.
    fn add_operator(&self, operator: &Operator, digest: &str) -> Result<()>;
    /// The operator with this token.
    fn operator_of(&self, digest: &str) -> Result<Option<Operator>>;
    /// All operators.
    fn operators(&self) -> Result<Vec<Operator>>;
    /// Removes an operator. `false` if there is none.
    fn remove_operator(&self, name: &str) -> Result<bool>;
    /// Keeps a bundle under its SHA-256.
    fn put_bundle(&self, digest: &str, bytes: &[u8]) -> Result<()>;
    /// A bundle.
    fn bundle(&self, digest: &str) -> Result<Option<Vec<u8>>>;
    /// Keeps what hosts that join are given, in the place of an older one of the same name.
    fn assign(&self, assignment: &Assignment) -> Result<()>;
    /// All of it, by name.
    fn assignments(&self) -> Result<Vec<Assignment>>;
    /// Gives it to no more hosts. `false` if there is none of this name.
    fn unassign(&self, name: &str) -> Result<bool>;
    /// Gives hosts a run.
    fn create_run(&self, run: &Run) -> Result<()>;
    /// The newest runs.
    fn runs(&self, most: u32) -> Result<Vec<Run>>;
    /// One run.
    fn run(&self, run: &str) -> Result<Option<Run>>;
    /// How many hosts have not ended their part of a run. `None` if there is no such run.
    fn unfinished(&self, run: &str) -> Result<Option<u64>>;
    /// The oldest run that the host has not ended: the run and its bundle.
    fn work(&self, host: &str) -> Result<Option<(String, String)>>;
    /// Keeps events, all batches or none. What is there already stays as it is, and counts as taken.
    fn store_events(&self, batches: &[Batch]) -> Result<Stored>;
    /// Events of a run behind one, in the order of arrival.
    fn events(&self, run: &str, after: i64, most: u32) -> Result<Vec<StoredEvent>>;
    /// All events of one host's part of a run, in their order there.
    fn part_events(&self, run: &str, agent: &str) -> Result<Vec<serde_json::Value>>;
    /// Who started a run, and when, if it is over on all hosts.
    fn ended_run(&self, run: &str) -> Result<Option<(String, u64)>>;
    /// Adds a line to the audit log.
    fn audit(&self, line: &Audit) -> Result<()>;
    /// The newest lines of the audit log.
    fn audits(&self, most: u32) -> Result<Vec<Audit>>;
    /// How many of what there are. It counts: not for every request.
    fn counts(&self) -> Result<Counts>;
    /// Whether it answers.
    fn ping(&self) -> Result<()>;
    /// The pin of the authority that the store's hosts believe: this one, if none was kept yet.
    fn authority(&self, pin: &str) -> Result<String>;
    /// Waits for what other controllers on this store change, at most so long. `None`: there are none.
    fn news(&self, most: Duration) -> Result<Option<Vec<News>>>;
}

/// Whether an event is the last one of its host's part of a run.
pub(crate) fn ends_part(event: &serde_json::Value) -> bool {
    event["type"] == "run_finished" && event["host"] == ""
}
