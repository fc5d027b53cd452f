//! Enrolled hosts: their certificates, when they were heard of, what they tell of themselves.

use super::row::{Kept, Row};
use lks_agent::error::Result;
use serde::Serialize;

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
    /// It shows a certificate for a newer key than the one it is known by: see [`Hosts::settle_key`].
    #[serde(skip)]
    pub newer: bool,
}

impl Kept for Host {
    fn from_row<R: Row>(row: &R) -> std::result::Result<Self, R::Error> {
        Ok(Self {
            name: row.get(0)?,
            enrolled_at: row.number(1)?,
            seen_at: row.number(2)?,
            version: row.get(3)?,
            revoked: row.get(4)?,
            rotate: row.get(5)?,
            expires_at: row.number(6)?,
            newer: row.get(7)?,
        })
    }
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

impl Kept for HostFacts {
    fn from_row<R: Row>(row: &R) -> std::result::Result<Self, R::Error> {
        Ok(Self {
            host: row.get(0)?,
            at: row.number(1)?,
            facts: row.json(2)?,
        })
    }
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

/// Enrolled hosts.
pub trait Hosts {
    /// The host that has this certificate.
    fn host_of(&self, fingerprint: &str) -> Result<Option<Host>>;
    /// All hosts, by name.
    fn hosts(&self) -> Result<Vec<Host>>;
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
    /// Shuts a host out. `false` if there is none.
    fn revoke_host(&self, name: &str) -> Result<bool>;
    /// Forgets a host and its certificates, so that its name is free. `false` if there is none.
    fn forget_host(&self, name: &str) -> Result<bool>;
    /// Hosts were heard of. The later time stays, but for one that is an hour ahead.
    fn seen(&self, hosts: &[Seen]) -> Result<()>;
    /// Keeps what a host told of itself.
    fn set_facts(&self, host: &str, facts: &serde_json::Value, now: u64) -> Result<()>;
    /// What hosts told of themselves, by name.
    fn facts(&self) -> Result<Vec<HostFacts>>;
}
