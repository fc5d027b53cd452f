//! The tables, and how those of an older program become them.

use super::broken;
use lks_agent::error::{Error, Result};
use rusqlite::Connection;
use std::path::Path;

/// The layout, a step for each version that changed it; SQLite's `user_version` counts those taken.
const STEPS: &[&str] = &[
    "
CREATE TABLE host (name TEXT PRIMARY KEY, key TEXT NOT NULL, enrolled_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL, version TEXT NOT NULL, revoked INTEGER NOT NULL DEFAULT 0);
CREATE TABLE certificate (fingerprint TEXT PRIMARY KEY,
    host TEXT NOT NULL REFERENCES host(name) ON DELETE CASCADE);
CREATE TABLE token (id TEXT PRIMARY KEY, digest TEXT NOT NULL UNIQUE, host TEXT NOT NULL,
    made_by TEXT NOT NULL, expires_at INTEGER NOT NULL, used_by TEXT, used_key TEXT,
    revoked INTEGER NOT NULL DEFAULT 0);
CREATE TABLE operator (name TEXT PRIMARY KEY, role TEXT NOT NULL, digest TEXT NOT NULL UNIQUE);
CREATE TABLE bundle (digest TEXT PRIMARY KEY, bytes BLOB NOT NULL);
CREATE TABLE run (number INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL UNIQUE,
    bundle TEXT NOT NULL REFERENCES bundle(digest), by TEXT NOT NULL, created_at INTEGER NOT NULL);
CREATE TABLE part (run TEXT NOT NULL REFERENCES run(run), host TEXT NOT NULL, status INTEGER,
    over INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (run, host)) WITHOUT ROWID;
CREATE INDEX part_of_host ON part (host, over);
CREATE TABLE event (id INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL, agent TEXT NOT NULL,
    host TEXT NOT NULL, seq INTEGER NOT NULL, body TEXT NOT NULL, UNIQUE (agent, run, host, seq));
CREATE INDEX event_of_run ON event (run, id);
CREATE TABLE audit (id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, who TEXT NOT NULL,
    what TEXT NOT NULL, detail TEXT NOT NULL);
",
    "
CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL);
",
    "
ALTER TABLE host ADD COLUMN rotate INTEGER NOT NULL DEFAULT 0;
ALTER TABLE certificate ADD COLUMN key TEXT NOT NULL DEFAULT '';
ALTER TABLE certificate ADD COLUMN expires_at INTEGER NOT NULL DEFAULT 0;
CREATE INDEX certificate_of_host ON certificate (host);
CREATE TABLE host_facts (host TEXT PRIMARY KEY REFERENCES host(name) ON DELETE CASCADE,
    at INTEGER NOT NULL, body TEXT NOT NULL);
CREATE TABLE release (counter INTEGER PRIMARY KEY, machine TEXT NOT NULL, version TEXT NOT NULL,
    hosts TEXT NOT NULL, made_by TEXT NOT NULL, at INTEGER NOT NULL, bytes BLOB NOT NULL);
",
    "
CREATE TABLE assignment (name TEXT PRIMARY KEY, bundle TEXT NOT NULL REFERENCES bundle(digest),
    hosts TEXT NOT NULL, made_by TEXT NOT NULL, at INTEGER NOT NULL, expires_at INTEGER NOT NULL);
",
];

/// Brings the store to the newest layout.
///
/// # Errors
/// When a newer program made it.
pub(super) fn bring_up(connection: &mut Connection, path: &Path) -> Result<()> {
    let found: usize = connection
        .query_row("PRAGMA user_version", [], |r| r.get(0))
        .map_err(broken)?;
    let missing = STEPS.get(found..).ok_or_else(|| {
        let known = STEPS.len();
        Error::host(format!(
            "{} is of layout {found}; this program knows {known}",
            path.display()
        ))
    })?;
    if missing.is_empty() {
        return Ok(());
    }
    let mut take = || -> rusqlite::Result<()> {
        let tx = connection.transaction()?;
        for step in missing {
            tx.execute_batch(step)?;
        }
        tx.pragma_update(None, "user_version", STEPS.len())?;
        tx.commit()
    };
    take().map_err(broken)
}
