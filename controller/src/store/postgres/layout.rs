//! The tables, and how those of an older program become them.

use super::pool::Pool;
use lks_agent::error::{Error, Result};

/// The layout, a step for each version that changed it; the table `layout` counts those taken.
const STEPS: &[&str] = &["
CREATE TABLE host (name TEXT PRIMARY KEY, key TEXT NOT NULL, enrolled_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL, version TEXT NOT NULL, revoked BOOLEAN NOT NULL DEFAULT FALSE);
CREATE TABLE certificate (fingerprint TEXT PRIMARY KEY,
    host TEXT NOT NULL REFERENCES host(name) ON DELETE CASCADE);
CREATE INDEX certificate_of_host ON certificate (host);
CREATE TABLE token (number BIGINT GENERATED ALWAYS AS IDENTITY, id TEXT PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE, host TEXT NOT NULL, made_by TEXT NOT NULL, expires_at BIGINT NOT NULL,
    used_by TEXT, used_key TEXT, revoked BOOLEAN NOT NULL DEFAULT FALSE);
CREATE TABLE operator (name TEXT PRIMARY KEY, role TEXT NOT NULL, digest TEXT NOT NULL UNIQUE);
CREATE TABLE bundle (digest TEXT PRIMARY KEY, bytes BYTEA NOT NULL);
CREATE TABLE run (number BIGINT GENERATED ALWAYS AS IDENTITY, run TEXT PRIMARY KEY,
    bundle TEXT NOT NULL REFERENCES bundle(digest), by TEXT NOT NULL, created_at BIGINT NOT NULL);
CREATE INDEX run_by_number ON run (number);
CREATE TABLE part (run TEXT NOT NULL REFERENCES run(run), host TEXT NOT NULL, status BIGINT,
    over BOOLEAN NOT NULL DEFAULT FALSE, PRIMARY KEY (run, host));
CREATE INDEX part_of_host ON part (host) WHERE NOT over;
CREATE TABLE event (id BIGINT GENERATED ALWAYS AS IDENTITY, run TEXT NOT NULL, agent TEXT NOT NULL,
    host TEXT NOT NULL, seq BIGINT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (run, agent, host, seq));
CREATE INDEX event_of_run ON event (run, id);
CREATE TABLE audit (id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at BIGINT NOT NULL,
    who TEXT NOT NULL, what TEXT NOT NULL, detail TEXT NOT NULL);
CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL);
",
    "
ALTER TABLE host ADD COLUMN rotate BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE certificate ADD COLUMN key TEXT NOT NULL DEFAULT '';
ALTER TABLE certificate ADD COLUMN expires_at BIGINT NOT NULL DEFAULT 0;
CREATE TABLE host_facts (host TEXT PRIMARY KEY REFERENCES host(name) ON DELETE CASCADE,
    at BIGINT NOT NULL, body TEXT NOT NULL);
CREATE TABLE release (counter BIGINT PRIMARY KEY, machine TEXT NOT NULL, version TEXT NOT NULL,
    hosts TEXT NOT NULL, made_by TEXT NOT NULL, at BIGINT NOT NULL, bytes BYTEA NOT NULL);
",
    "
CREATE TABLE assignment (name TEXT PRIMARY KEY, bundle TEXT NOT NULL REFERENCES bundle(digest),
    hosts TEXT NOT NULL, made_by TEXT NOT NULL, at BIGINT NOT NULL, expires_at BIGINT NOT NULL);
"];

/// The number of the lock under which the layout is changed (any number that others do not use).
const LAYOUT_LOCK: i64 = 0x6c6b_7301;

/// Brings the database to the newest layout.
///
/// # Errors
/// When a newer program made it.
pub(super) fn bring_up(pool: &Pool) -> Result<()> {
    let found = pool.tx(|tx| {
        // Several controllers may start at once.
        tx.execute("SELECT pg_advisory_xact_lock($1)", &[&LAYOUT_LOCK])?;
        tx.batch("CREATE TABLE IF NOT EXISTS layout (steps BIGINT NOT NULL)")?;
        let row = tx.row("SELECT steps FROM layout", &[])?;
        let found = row.map_or(Ok(0_i64), |r| r.try_get(0))?;
        let missing = STEPS.get(found as usize..).unwrap_or_default();
        for step in missing {
            tx.batch(step)?;
        }
        if !missing.is_empty() {
            tx.batch("DELETE FROM layout")?;
            tx.execute("INSERT INTO layout VALUES ($1)", &[&(STEPS.len() as i64)])?;
        }
        Ok(found)
    })?;
    if found > STEPS.len() as i64 {
        let known = STEPS.len();
        return Err(Error::host(format!(
            "the database is of layout {found}; this program knows {known}"
        )));
    }
    Ok(())
}
