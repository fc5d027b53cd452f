//! Enrolled hosts in SQLite.

use super::Sqlite;
use crate::store::{AHEAD, Host, HostFacts, Hosts, Seen};
use lks_agent::error::Result;
use rusqlite::params;

impl Hosts for Sqlite {
    fn host_of(&self, fingerprint: &str) -> Result<Option<Host>> {
        self.one(
            "SELECT name, enrolled_at, seen_at, version, revoked, rotate, expires_at,
                certificate.key <> '' AND certificate.key <> host.key FROM host
             JOIN certificate ON host = name WHERE fingerprint = ?",
            [fingerprint],
        )
    }

    fn hosts(&self) -> Result<Vec<Host>> {
        self.list(
            "SELECT name, enrolled_at, seen_at, version, revoked, rotate,
                (SELECT ifnull(max(expires_at), 0) FROM certificate WHERE host = name), 0
             FROM host ORDER BY name",
            [],
        )
    }

    fn add_certificate(
        &self,
        fingerprint: &str,
        host: &str,
        key: &str,
        expires_at: u64,
    ) -> Result<()> {
        self.change(
            "INSERT INTO certificate (fingerprint, host, key, expires_at) VALUES (?, ?, ?, ?)",
            params![fingerprint, host, key, expires_at],
        )
        .map(drop)
    }

    fn settle_key(&self, fingerprint: &str) -> Result<bool> {
        self.write(|tx| {
            let changed = tx.execute(
                "UPDATE host SET rotate = 0, key = certificate.key FROM certificate
                 WHERE fingerprint = ? AND name = host AND certificate.key <> host.key",
                [fingerprint],
            )?;
            if changed > 0 {
                tx.execute(
                    "DELETE FROM certificate WHERE fingerprint <> ?1 AND host =
                        (SELECT host FROM certificate WHERE fingerprint = ?1)",
                    [fingerprint],
                )?;
            }
            Ok(changed > 0)
        })
    }

    fn rotate_host(&self, name: &str) -> Result<bool> {
        self.change("UPDATE host SET rotate = 1 WHERE name = ?", [name])
    }

    fn revoke_host(&self, name: &str) -> Result<bool> {
        self.change("UPDATE host SET revoked = 1 WHERE name = ?", [name])
    }

    fn forget_host(&self, name: &str) -> Result<bool> {
        self.write(|tx| {
            // What it had not begun, nobody will end: the next host of this name is another one.
            tx.execute(
                "UPDATE part SET over = 1, status = -1 WHERE host = ? AND over = 0",
                [name],
            )?;
            tx.execute("DELETE FROM host WHERE name = ?", [name])
        })
        .map(|n| n > 0)
    }

    fn seen(&self, hosts: &[Seen]) -> Result<()> {
        self.write(|tx| {
            let mut update = tx.prepare_cached(
                "UPDATE host SET seen_at = CASE WHEN seen_at > ?1 + ?4 THEN ?1 ELSE max(seen_at, ?1) END,
                    version = ifnull(?2, version) WHERE name = ?3",
            )?;
            for host in hosts {
                update.execute(params![host.at, host.version, host.name, AHEAD])?;
            }
            Ok(())
        })
    }

    fn set_facts(&self, host: &str, facts: &serde_json::Value, now: u64) -> Result<()> {
        self.change(
            "INSERT INTO host_facts (host, at, body) VALUES (?, ?, ?)
             ON CONFLICT (host) DO UPDATE SET at = excluded.at, body = excluded.body",
            params![host, now, facts.to_string()],
        )
        .map(drop)
    }

    fn facts(&self) -> Result<Vec<HostFacts>> {
        self.list("SELECT host, at, body FROM host_facts ORDER BY host", [])
    }
}
