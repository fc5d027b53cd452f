//! Join tokens in PostgreSQL.

use super::Postgres;
use crate::store::{Enrolment, Token, Tokens};
use lks_agent::error::Result;

impl Tokens for Postgres {
    fn add_token(&self, t: &Token) -> Result<()> {
        self.change(
            "INSERT INTO token (id, digest, host, made_by, expires_at) VALUES ($1, $2, $3, $4, $5)",
            &[
                &t.id,
                &t.digest,
                &t.host,
                &t.made_by,
                &(t.expires_at as i64),
            ],
        )
        .map(drop)
    }

    fn tokens(&self) -> Result<Vec<Token>> {
        self.list(
            "SELECT id, digest, host, made_by, expires_at, used_by, revoked FROM token ORDER BY number",
            &[],
        )
    }

    fn revoke_token(&self, id: &str) -> Result<bool> {
        self.change("UPDATE token SET revoked = TRUE WHERE id = $1", &[&id])
    }

    fn enrol(
        &self,
        digest: &str,
        name: &str,
        key: &str,
        version: &str,
        now: u64,
    ) -> Result<Enrolment> {
        self.tx(|tx| {
            // Locked: another controller may be asked with the same token at this moment.
            // Used by the same key for the same name: the answer was lost, and the host asks again.
            let good = tx.row(
                "SELECT 1 FROM token WHERE digest = $1 AND NOT revoked AND expires_at > $2
                    AND (host = '' OR host = $3)
                    AND (used_by IS NULL OR (used_by = $3 AND used_key = $4)) FOR UPDATE",
                &[&digest, &(now as i64), &name, &key],
            )?;
            if good.is_none() {
                return Ok(Enrolment::BadToken);
            }
            tx.execute(
                "INSERT INTO host (name, key, enrolled_at, seen_at, version) VALUES ($1, $2, $3, $3, $4)
                 ON CONFLICT DO NOTHING",
                &[&name, &key, &(now as i64), &version],
            )?;
            let known = tx.row("SELECT 1 FROM host WHERE name = $1 AND key = $2 AND NOT revoked", &[&name, &key])?;
            if known.is_none() {
                return Ok(Enrolment::NameTaken);
            }
            tx.execute(
                "UPDATE token SET used_by = $1, used_key = $2 WHERE digest = $3",
                &[&name, &key, &digest],
            )?;
            Ok(Enrolment::Welcome)
        })
    }
}
