//! Runs, and the part that each host has in them.

use super::row::{Kept, Row};
use lks_agent::error::Result;
use serde::Serialize;

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

/// Without its hosts: they are rows of their own.
impl Kept for Run {
    fn from_row<R: Row>(row: &R) -> std::result::Result<Self, R::Error> {
        Ok(Self {
            run: row.get(0)?,
            bundle: row.get(1)?,
            by: row.get(2)?,
            created_at: row.number(3)?,
            hosts: Vec::new(),
        })
    }
}

/// Runs.
pub trait Runs {
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
    /// Who started a run, and when, if it is over on all hosts.
    fn ended_run(&self, run: &str) -> Result<Option<(String, u64)>>;
}
