//! Join tokens in SQLite.

use super::Sqlite;
use crate::store::{Enrolment, Token, Tokens};
use lks_agent::error::Result;
use rusqlite::{OptionalExtension, params};

impl Tokens for Sqlite {
    fn add_token(&self, t: &Token) -> Result<()> {
        self.change(
            "INSERT INTO token (id, digest, host, made_by, expires_at) VALUES (?, ?, ?, ?, ?)",
            params![t.id, t.digest, t.host, t.made_by, t.expires_at],
        )
        .map(drop)
    }

    fn tokens(&self) -> Result<Vec<Token>> {
        self.list(
            "SELECT id, digest, host, made_by, expires_at, used_by, revoked FROM token ORDER BY rowid",
            [],
        )
    }

    fn revoke_token(&self, id: &str) -> Result<bool> {
        self.change("UPDATE token SET revoked = 1 WHERE id = ?", [id])
    }

    fn enrol(
        &self,
        digest: &str,
        name: &str,
        key: &str,
        version: &str,
        now: u64,
    ) -> Result<Enrolment> {
        self.write(|tx| {
            // Used by the same key for the same name: the answer was lost, and the host asks again.
            let good: bool = tx.query_row(
                "SELECT EXISTS (SELECT 1 FROM token WHERE digest = ?1 AND revoked = 0 AND expires_at > ?2
                    AND (host = '' OR host = ?3)
                    AND (used_by IS NULL OR (used_by = ?3 AND used_key = ?4)))",
                params![digest, now, name, key],
                |r| r.get(0),
            )?;
            if !good {
                return Ok(Enrolment::BadToken);
            }
            let known: Option<(String, bool)> = tx
                .query_row("SELECT key, revoked FROM host WHERE name = ?", [name], |r| {
                    Ok((r.get(0)?, r.get(1)?))
                })
                .optional()?;
            match known {
                Some((k, false)) if k == key => {}
                Some(_) => return Ok(Enrolment::NameTaken),
                None => {
                    tx.execute(
                        "INSERT INTO host (name, key, enrolled_at, seen_at, version) VALUES (?1, ?2, ?3, ?3, ?4)",
                        params![name, key, now, version],
                    )?;
                }
            }
            tx.execute(
                "UPDATE token SET used_by = ?, used_key = ? WHERE digest = ?",
                params![name, key, digest],
            )?;
            Ok(Enrolment::Welcome)
        })
    }
}
