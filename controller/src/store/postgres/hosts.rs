//! Enrolled hosts in PostgreSQL.

use super::Postgres;
use super::news::tell;
use crate::store::{AHEAD, Host, HostFacts, Hosts, Seen};
use lks_agent::error::Result;

impl Hosts for Postgres {
    fn host_of(&self, fingerprint: &str) -> Result<Option<Host>> {
        self.one(
            "SELECT name, enrolled_at, seen_at, version, revoked, rotate, expires_at,
                certificate.key <> '' AND certificate.key <> host.key FROM host
             JOIN certificate ON host = name WHERE fingerprint = $1",
            &[&fingerprint],
        )
    }

    fn hosts(&self) -> Result<Vec<Host>> {
        self.list(
            "SELECT name, enrolled_at, seen_at, version, revoked, rotate,
                (SELECT coalesce(max(expires_at), 0) FROM certificate WHERE host = name), FALSE
             FROM host ORDER BY name COLLATE \"C\"",
            &[],
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
            "INSERT INTO certificate (fingerprint, host, key, expires_at) VALUES ($1, $2, $3, $4)",
            &[&fingerprint, &host, &key, &(expires_at as i64)],
        )
        .map(drop)
    }

    fn settle_key(&self, fingerprint: &str) -> Result<bool> {
        self.tx(|tx| {
            let changed = tx.execute(
                "UPDATE host SET rotate = FALSE, key = certificate.key FROM certificate
                 WHERE fingerprint = $1 AND name = host AND certificate.key <> host.key",
                &[&fingerprint],
            )?;
            if changed > 0 {
                tx.execute(
                    "DELETE FROM certificate WHERE fingerprint <> $1 AND host =
                        (SELECT host FROM certificate WHERE fingerprint = $1)",
                    &[&fingerprint],
                )?;
            }
            Ok(changed > 0)
        })
    }

    fn rotate_host(&self, name: &str) -> Result<bool> {
        self.tx(|tx| {
            tell(tx, &format!("host {name}"))?;
            tx.execute("UPDATE host SET rotate = TRUE WHERE name = $1", &[&name])
        })
        .map(|n| n > 0)
    }

    fn revoke_host(&self, name: &str) -> Result<bool> {
        self.tx(|tx| {
            tell(tx, &format!("host {name}"))?;
            tx.execute("UPDATE host SET revoked = TRUE WHERE name = $1", &[&name])
        })
        .map(|n| n > 0)
    }

    fn forget_host(&self, name: &str) -> Result<bool> {
        self.tx(|tx| {
            tell(tx, &format!("host {name}"))?;
            // What it had not begun, nobody will end: the next host of this name is another one.
            tx.execute(
                "UPDATE part SET over = TRUE, status = -1 WHERE host = $1 AND NOT over",
                &[&name],
            )?;
            tx.execute("DELETE FROM host WHERE name = $1", &[&name])
        })
        .map(|n| n > 0)
    }

    fn seen(&self, hosts: &[Seen]) -> Result<()> {
        // By name: two controllers that wrote the same hosts in another order would wait for each other.
        let mut hosts: Vec<&Seen> = hosts.iter().collect();
        hosts.sort_by(|a, b| a.name.cmp(&b.name));
        let names: Vec<&str> = hosts.iter().map(|h| h.name.as_str()).collect();
        let at: Vec<i64> = hosts.iter().map(|h| h.at as i64).collect();
        let versions: Vec<Option<&str>> = hosts.iter().map(|h| h.version.as_deref()).collect();
        self.tx(|tx| {
            tx.query("SELECT 1 FROM host WHERE name = ANY ($1) ORDER BY name FOR UPDATE", &[&names])?;
            tx.execute(
                "UPDATE host SET version = coalesce(new.version, host.version),
                     seen_at = CASE WHEN seen_at > new.at + $4 THEN new.at ELSE greatest(seen_at, new.at) END
                 FROM unnest($1::text[], $2::bigint[], $3::text[]) AS new (name, at, version)
                 WHERE host.name = new.name",
                &[&names, &at, &versions, &(AHEAD as i64)],
            )
        })
        .map(drop)
    }

    fn set_facts(&self, host: &str, facts: &serde_json::Value, now: u64) -> Result<()> {
        self.change(
            "INSERT INTO host_facts (host, at, body) VALUES ($1, $2, $3)
             ON CONFLICT (host) DO UPDATE SET at = excluded.at, body = excluded.body",
            &[&host, &(now as i64), &facts.to_string()],
        )
        .map(drop)
    }

    fn facts(&self) -> Result<Vec<HostFacts>> {
        self.list(
            "SELECT host, at, body FROM host_facts ORDER BY host COLLATE \"C\"",
            &[],
        )
    }
}
