//! What is signed and brought to hosts: bundles of playbooks, which of them hosts are given when they
//! join, and programs for agents.

use super::row::{Kept, Row};
use lks_agent::error::Result;
use serde::Serialize;

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

impl Kept for Assignment {
    fn from_row<R: Row>(row: &R) -> std::result::Result<Self, R::Error> {
        Ok(Self {
            name: row.get(0)?,
            bundle: row.get(1)?,
            hosts: row.lines(2)?,
            made_by: row.get(3)?,
            at: row.number(4)?,
            expires_at: row.number(5)?,
        })
    }
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

impl Kept for Release {
    fn from_row<R: Row>(row: &R) -> std::result::Result<Self, R::Error> {
        Ok(Self {
            counter: row.number(0)?,
            machine: row.get(1)?,
            version: row.get(2)?,
            hosts: row.lines(3)?,
            made_by: row.get(4)?,
            at: row.number(5)?,
        })
    }
}

/// Bundles, assignments and releases.
pub trait Bundles {
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
    /// Keeps a program for agents: with what was signed, and its signature. `false` if its counter is
    /// not above all others.
    fn put_release(&self, release: &Release, bytes: &[u8]) -> Result<bool>;
    /// All releases, the newest first.
    fn releases(&self) -> Result<Vec<Release>>;
    /// A release's bytes.
    fn release(&self, counter: u64) -> Result<Option<Vec<u8>>>;
}
