//! Operators and the audit log in SQLite.

use super::Sqlite;
use crate::store::{Audit, Operator, Operators};
use lks_agent::error::Result;
use rusqlite::params;

impl Operators for Sqlite {
    fn add_operator(&self, o: &Operator, digest: &str) -> Result<()> {
        self.change(
            "INSERT INTO operator (name, role, digest) VALUES (?, ?, ?)",
            params![o.name, o.role.name(), digest],
        )
        .map(drop)
    }

    fn operator_of(&self, digest: &str) -> Result<Option<Operator>> {
        self.one("SELECT name, role FROM operator WHERE digest = ?", [digest])
    }

    fn operators(&self) -> Result<Vec<Operator>> {
        self.list("SELECT name, role FROM operator ORDER BY name", [])
    }

    fn remove_operator(&self, name: &str) -> Result<bool> {
        self.change("DELETE FROM operator WHERE name = ?", [name])
    }

    fn audit(&self, line: &Audit) -> Result<()> {
        self.change(
            "INSERT INTO audit (at, who, what, detail) VALUES (?, ?, ?, ?)",
            params![line.at, line.who, line.what, line.detail],
        )
        .map(drop)
    }

    fn audits(&self, most: u32) -> Result<Vec<Audit>> {
        self.list(
            "SELECT at, who, what, detail FROM audit ORDER BY id DESC LIMIT ?",
            [most],
        )
    }
}
