//! Bundles, assignments and releases in PostgreSQL.

use super::Postgres;
use super::news::tell;
use crate::store::{Assignment, Bundles, Release};
use lks_agent::error::Result;

impl Bundles for Postgres {
    fn put_bundle(&self, digest: &str, bytes: &[u8]) -> Result<()> {
        self.change(
            "INSERT INTO bundle (digest, bytes) VALUES ($1, $2) ON CONFLICT DO NOTHING",
            &[&digest, &bytes],
        )
        .map(drop)
    }

    fn bundle(&self, digest: &str) -> Result<Option<Vec<u8>>> {
        self.one("SELECT bytes FROM bundle WHERE digest = $1", &[&digest])
    }

    fn assign(&self, a: &Assignment) -> Result<()> {
        self.change(
            "INSERT INTO assignment (name, bundle, hosts, made_by, at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (name) DO UPDATE SET bundle = excluded.bundle, hosts = excluded.hosts,
                made_by = excluded.made_by, at = excluded.at, expires_at = excluded.expires_at",
            &[
                &a.name,
                &a.bundle,
                &a.hosts.join("\n"),
                &a.made_by,
                &(a.at as i64),
                &(a.expires_at as i64),
            ],
        )
        .map(drop)
    }

    fn assignments(&self) -> Result<Vec<Assignment>> {
        self.list(
            "SELECT name, bundle, hosts, made_by, at, expires_at FROM assignment
             ORDER BY name COLLATE \"C\"",
            &[],
        )
    }

    fn unassign(&self, name: &str) -> Result<bool> {
        self.change("DELETE FROM assignment WHERE name = $1", &[&name])
    }

    fn put_release(&self, r: &Release, bytes: &[u8]) -> Result<bool> {
        self.tx(|tx| {
            tx.batch("LOCK TABLE release IN SHARE ROW EXCLUSIVE MODE")?;
            tell(tx, "release")?;
            let newest: Option<u64> =
                tx.one("SELECT coalesce(max(counter), 0) FROM release", &[])?;
            if newest.unwrap_or_default() >= r.counter {
                return Ok(false);
            }
            tx.execute(
                "INSERT INTO release (counter, machine, version, hosts, made_by, at, bytes)
                 VALUES ($1, $2, $3, $4, $5, $6, $7)",
                &[
                    &(r.counter as i64),
                    &r.machine,
                    &r.version,
                    &r.hosts.join("\n"),
                    &r.made_by,
                    &(r.at as i64),
                    &bytes,
                ],
            )?;
            Ok(true)
        })
    }

    fn releases(&self) -> Result<Vec<Release>> {
        self.list(
            "SELECT counter, machine, version, hosts, made_by, at FROM release ORDER BY counter DESC",
            &[],
        )
    }

    fn release(&self, counter: u64) -> Result<Option<Vec<u8>>> {
        self.one(
            "SELECT bytes FROM release WHERE counter = $1",
            &[&(counter as i64)],
        )
    }
}
