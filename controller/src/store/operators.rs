//! Who operates the fleet, and the log of what they did.

use super::row::{Kept, Row};
use lks_agent::error::Result;
use serde::Serialize;

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

impl Kept for Operator {
    fn from_row<R: Row>(row: &R) -> std::result::Result<Self, R::Error> {
        let role: String = row.get(1)?;
        Ok(Self {
            name: row.get(0)?,
            // A role that a newer program knows gives no rights here beyond looking.
            role: Role::named(&role).unwrap_or(Role::Viewer),
        })
    }
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

impl Kept for Audit {
    fn from_row<R: Row>(row: &R) -> std::result::Result<Self, R::Error> {
        Ok(Self {
            at: row.number(0)?,
            who: row.get(1)?,
            what: row.get(2)?,
            detail: row.get(3)?,
        })
    }
}

/// Operators, and the audit log.
pub trait Operators {
    /// Keeps an operator, known by the SHA-256 of their token.
    fn add_operator(&self, operator: &Operator, digest: &str) -> Result<()>;
    /// The operator with this token.
    fn operator_of(&self, digest: &str) -> Result<Option<Operator>>;
    /// All operators.
    fn operators(&self) -> Result<Vec<Operator>>;
    /// Removes an operator. `false` if there is none.
    fn remove_operator(&self, name: &str) -> Result<bool>;
    /// Adds a line to the audit log.
    fn audit(&self, line: &Audit) -> Result<()>;
    /// The newest lines of the audit log.
    fn audits(&self, most: u32) -> Result<Vec<Audit>>;
}
