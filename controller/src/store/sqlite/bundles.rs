//! Bundles, assignments and releases in SQLite.

use super::Sqlite;
use crate::store::{Assignment, Bundles, Release};
use lks_agent::error::Result;
use rusqlite::params;

impl Bundles for Sqlite {
    fn put_bundle(&self, digest: &str, bytes: &[u8]) -> Result<()> {
        self.change(
            "INSERT INTO bundle (digest, bytes) VALUES (?, ?) ON CONFLICT DO NOTHING",
            params![digest, bytes],
        )
        .map(drop)
    }

    fn bundle(&self, digest: &str) -> Result<Option<Vec<u8>>> {
        self.one("SELECT bytes FROM bundle WHERE digest = ?", [digest])
    }

    fn assign(&self, a: &Assignment) -> Result<()> {
        let hosts = a.hosts.join("\n");
        self.change(
            "INSERT OR REPLACE INTO assignment (name, bundle, hosts, made_by, at, expires_at)
             VALUES (?, ?, ?, ?, ?, ?)",
            params![a.name, a.bundle, hosts, a.made_by, a.at, a.expires_at],
        )
        .map(drop)
    }

    fn assignments(&self) -> Result<Vec<Assignment>> {
        self.list(
            "SELECT name, bundle, hosts, made_by, at, expires_at FROM assignment ORDER BY name",
            [],
        )
    }

    fn unassign(&self, name: &str) -> Result<bool> {
        self.change("DELETE FROM assignment WHERE name = ?", [name])
    }

    fn put_release(&self, r: &Release, bytes: &[u8]) -> Result<bool> {
        let hosts = r.hosts.join("\n");
        self.change(
            "INSERT INTO release (counter, machine, version, hosts, made_by, at, bytes)
             SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7
             WHERE NOT EXISTS (SELECT 1 FROM release WHERE counter >= ?1)",
            params![
                r.counter, r.machine, r.version, hosts, r.made_by, r.at, bytes
            ],
        )
    }

    fn releases(&self) -> Result<Vec<Release>> {
        self.list(
            "SELECT counter, machine, version, hosts, made_by, at FROM release ORDER BY counter DESC",
            [],
        )
    }

    fn release(&self, counter: u64) -> Result<Option<Vec<u8>>> {
        self.one("SELECT bytes FROM release WHERE counter = ?", [counter])
    }
}
