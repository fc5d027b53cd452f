//! Operators and the audit log in PostgreSQL.

use super::Postgres;
use crate::store::{Audit, Operator, Operators};
use lks_agent::error::Result;

impl Operators for Postgres {
    fn add_operator(&self, o: &Operator, digest: &str) -> Result<()> {
        self.change(
            "INSERT INTO operator (name, role, digest) VALUES ($1, $2, $3)",
            &[&o.name, &o.role.name(), &digest],
        )
        .map(drop)
    }

    fn operator_of(&self, digest: &str) -> Result<Option<Operator>> {
        self.one(
            "SELECT name, role FROM operator WHERE digest = $1",
            &[&digest],
        )
    }

    fn operators(&self) -> Result<Vec<Operator>> {
        self.list(
            "SELECT name, role FROM operator ORDER BY name COLLATE \"C\"",
            &[],
        )
    }

    fn remove_operator(&self, name: &str) -> Result<bool> {
        self.change("DELETE FROM operator WHERE name = $1", &[&name])
    }

    fn audit(&self, line: &Audit) -> Result<()> {
        // A text here cannot have a NUL.
        let detail = line.detail.replace('\0', "\u{fffd}");
        self.change(
            "INSERT INTO audit (at, who, what, detail) VALUES ($1, $2, $3, $4)",
            &[&(line.at as i64), &line.who, &line.what, &detail],
        )
        .map(drop)
    }

    fn audits(&self, most: u32) -> Result<Vec<Audit>> {
        self.list(
            "SELECT at, who, what, detail FROM audit ORDER BY id DESC LIMIT $1",
            &[&i64::from(most)],
        )
    }
}
