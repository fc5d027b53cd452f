//! Join tokens, and how hosts are let in by them.

use super::row::{Kept, Row};
use lks_agent::error::Result;
use serde::Serialize;

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

impl Kept for Token {
    fn from_row<R: Row>(row: &R) -> std::result::Result<Self, R::Error> {
        Ok(Self {
            id: row.get(0)?,
            digest: row.get(1)?,
            host: row.get(2)?,
            made_by: row.get(3)?,
            expires_at: row.number(4)?,
            used_by: row.get(5)?,
            revoked: row.get(6)?,
        })
    }
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

/// Join tokens.
pub trait Tokens {
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
}
