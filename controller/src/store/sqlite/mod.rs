//! The store in one SQLite file. What was answered to an agent is on the disk (`synchronous = FULL`).

mod commit;

use super::{
    AHEAD, Assignment, Audit, Batch, Counts, Enrolment, Host, HostFacts, News, Operator, Release,
    Role, Run, Seen, Store, Stored, StoredEvent, Token,
};
use commit::Writer;
use lks_agent::error::{Error, Result};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

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

/// The store in one file: one connection writes, others read beside it.
#[derive(Debug)]
pub struct Sqlite {
    path: PathBuf,
    writer: Writer,
    readers: Mutex<Vec<Connection>>,
}

impl Sqlite {
    /// Opens the store, or makes it.
    ///
    /// # Errors
    /// When it cannot be opened, or a newer program made it.
    pub fn open(path: &Path) -> Result<Self> {
        let mut connection = connect(path, OpenFlags::default()).map_err(broken)?;
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;",
            )
            .map_err(broken)?;
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
        let mut made = || -> rusqlite::Result<()> {
            let tx = connection.transaction()?;
            for step in missing {
                tx.execute_batch(step)?;
            }
            tx.pragma_update(None, "user_version", STEPS.len())?;
            tx.commit()
        };
        if !missing.is_empty() {
            made().map_err(broken)?;
        }
        Ok(Self {
            path: path.to_path_buf(),
            writer: Writer::new(connection),
            readers: Mutex::default(),
        })
    }

    /// All of `work` is kept, or nothing.
    fn write<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        self.writer.write(work)
    }

    /// Reads what was kept up to now, while others write.
    fn read<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let idle = || self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle().pop();
        let done = || -> rusqlite::Result<T> {
            let reader = match kept {
                Some(reader) => reader,
                None => connect(
                    &self.path,
                    OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
                )?,
            };
            // One transaction: several statements of one question see the same.
            let value = reader.unchecked_transaction().and_then(|tx| work(&tx))?;
            idle().push(reader);
            Ok(value)
        };
        done().map_err(broken)
    }
}

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

fn broken(error: rusqlite::Error) -> Error {
    Error::host("the store refused").caused_by(error)
}

fn host(row: &Row<'_>) -> rusqlite::Result<Host> {
    Ok(Host {
        name: row.get(0)?,
        enrolled_at: row.get(1)?,
        seen_at: row.get(2)?,
        version: row.get(3)?,
        revoked: row.get(4)?,
        rotate: row.get(5)?,
        expires_at: row.get(6)?,
        newer: row.get(7)?,
    })
}

fn operator(row: &Row<'_>) -> rusqlite::Result<Operator> {
    let role: String = row.get(1)?;
    Ok(Operator {
        name: row.get(0)?,
        // A role that a newer program knows gives no rights here beyond looking.
        role: Role::named(&role).unwrap_or(Role::Viewer),
    })
}

fn parts(tx: &Connection, run: &str) -> rusqlite::Result<Vec<(String, Option<i64>)>> {
    tx.prepare_cached(
        "SELECT host, CASE over WHEN 1 THEN status END FROM part WHERE run = ? ORDER BY host",
    )?
    .query_map([run], |r| Ok((r.get(0)?, r.get(1)?)))?
    .collect()
}

fn full_run(tx: &Connection, mut run: Run) -> rusqlite::Result<Run> {
    run.hosts = parts(tx, &run.run)?;
    Ok(run)
}

fn run_row(row: &Row<'_>) -> rusqlite::Result<Run> {
    Ok(Run {
        run: row.get(0)?,
        bundle: row.get(1)?,
        by: row.get(2)?,
        created_at: row.get(3)?,
        hosts: Vec::new(),
    })
}

impl Store for Sqlite {
    fn add_token(&self, t: &Token) -> Result<()> {
        self.write(|tx| {
            tx.execute(
                "INSERT INTO token (id, digest, host, made_by, expires_at) VALUES (?, ?, ?, ?, ?)",
                params![t.id, t.digest, t.host, t.made_by, t.expires_at],
            )
        })
        .map(drop)
    }

    fn tokens(&self) -> Result<Vec<Token>> {
        self.read(|tx| {
            tx.prepare(
                "SELECT id, digest, host, made_by, expires_at, used_by, revoked FROM token ORDER BY rowid",
            )?
            .query_map([], |row| {
                Ok(Token {
                    id: row.get(0)?,
                    digest: row.get(1)?,
                    host: row.get(2)?,
                    made_by: row.get(3)?,
                    expires_at: row.get(4)?,
                    used_by: row.get(5)?,
                    revoked: row.get(6)?,
                })
            })?
            .collect()
        })
    }

    fn revoke_token(&self, id: &str) -> Result<bool> {
        self.write(|tx| tx.execute("UPDATE token SET revoked = 1 WHERE id = ?", [id]))
            .map(|n| n > 0)
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

    fn add_certificate(
        &self,
        fingerprint: &str,
        host: &str,
        key: &str,
        expires_at: u64,
    ) -> Result<()> {
        self.write(|tx| {
            tx.execute(
                "INSERT INTO certificate (fingerprint, host, key, expires_at) VALUES (?, ?, ?, ?)",
                params![fingerprint, host, key, expires_at],
            )
        })
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
        self.write(|tx| tx.execute("UPDATE host SET rotate = 1 WHERE name = ?", [name]))
            .map(|n| n > 0)
    }

    fn set_facts(&self, host: &str, facts: &serde_json::Value, now: u64) -> Result<()> {
        self.write(|tx| {
            tx.execute(
                "INSERT INTO host_facts (host, at, body) VALUES (?, ?, ?)
                 ON CONFLICT (host) DO UPDATE SET at = excluded.at, body = excluded.body",
                params![host, now, facts.to_string()],
            )
        })
        .map(drop)
    }

    fn facts(&self) -> Result<Vec<HostFacts>> {
        self.read(|tx| {
            tx.prepare("SELECT host, at, body FROM host_facts ORDER BY host")?
                .query_map([], |row| {
                    let body: String = row.get(2)?;
                    Ok(HostFacts {
                        host: row.get(0)?,
                        at: row.get(1)?,
                        facts: serde_json::from_str(&body).unwrap_or_default(),
                    })
                })?
                .collect()
        })
    }

    fn put_release(&self, r: &Release, bytes: &[u8]) -> Result<bool> {
        self.write(|tx| {
            tx.execute(
                "INSERT INTO release (counter, machine, version, hosts, made_by, at, bytes)
                 SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7
                 WHERE NOT EXISTS (SELECT 1 FROM release WHERE counter >= ?1)",
                params![
                    r.counter,
                    r.machine,
                    r.version,
                    r.hosts.join("\n"),
                    r.made_by,
                    r.at,
                    bytes
                ],
            )
        })
        .map(|n| n > 0)
    }

    fn releases(&self) -> Result<Vec<Release>> {
        self.read(|tx| {
            tx.prepare("SELECT counter, machine, version, hosts, made_by, at FROM release ORDER BY counter DESC")?
                .query_map([], |row| {
                    let hosts: String = row.get(3)?;
                    Ok(Release {
                        counter: row.get(0)?,
                        machine: row.get(1)?,
                        version: row.get(2)?,
                        hosts: hosts.lines().map(String::from).collect(),
                        made_by: row.get(4)?,
                        at: row.get(5)?,
                    })
                })?
                .collect()
        })
    }

    fn release(&self, counter: u64) -> Result<Option<Vec<u8>>> {
        self.read(|tx| {
            tx.query_row(
                "SELECT bytes FROM release WHERE counter = ?",
                [counter],
                |r| r.get(0),
            )
            .optional()
        })
    }

    fn host_of(&self, fingerprint: &str) -> Result<Option<Host>> {
        self.read(|tx| {
            tx.prepare_cached(
                "SELECT name, enrolled_at, seen_at, version, revoked, rotate, expires_at,
                    certificate.key <> '' AND certificate.key <> host.key FROM host
                 JOIN certificate ON host = name WHERE fingerprint = ?",
            )?
            .query_row([fingerprint], host)
            .optional()
        })
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

    fn hosts(&self) -> Result<Vec<Host>> {
        self.read(|tx| {
            tx.prepare(
                "SELECT name, enrolled_at, seen_at, version, revoked, rotate,
                    (SELECT ifnull(max(expires_at), 0) FROM certificate WHERE host = name), 0
                 FROM host ORDER BY name",
            )?
            .query_map([], host)?
            .collect()
        })
    }

    fn revoke_host(&self, name: &str) -> Result<bool> {
        self.write(|tx| tx.execute("UPDATE host SET revoked = 1 WHERE name = ?", [name]))
            .map(|n| n > 0)
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

    fn add_operator(&self, o: &Operator, digest: &str) -> Result<()> {
        self.write(|tx| {
            tx.execute(
                "INSERT INTO operator (name, role, digest) VALUES (?, ?, ?)",
                params![o.name, o.role.name(), digest],
            )
        })
        .map(drop)
    }

    fn operator_of(&self, digest: &str) -> Result<Option<Operator>> {
        self.read(|tx| {
            tx.prepare_cached("SELECT name, role FROM operator WHERE digest = ?")?
                .query_row([digest], operator)
                .optional()
        })
    }

    fn operators(&self) -> Result<Vec<Operator>> {
        self.read(|tx| {
            tx.prepare("SELECT name, role FROM operator ORDER BY name")?
                .query_map([], operator)?
                .collect()
        })
    }

    fn remove_operator(&self, name: &str) -> Result<bool> {
        self.write(|tx| tx.execute("DELETE FROM operator WHERE name = ?", [name]))
            .map(|n| n > 0)
    }

    fn put_bundle(&self, digest: &str, bytes: &[u8]) -> Result<()> {
        self.write(|tx| {
            tx.execute(
                "INSERT INTO bundle (digest, bytes) VALUES (?, ?) ON CONFLICT DO NOTHING",
                params![digest, bytes],
            )
        })
        .map(drop)
    }

    fn bundle(&self, digest: &str) -> Result<Option<Vec<u8>>> {
        self.read(|tx| {
            tx.query_row("SELECT bytes FROM bundle WHERE digest = ?", [digest], |r| {
                r.get(0)
            })
            .optional()
        })
    }

    fn assign(&self, a: &Assignment) -> Result<()> {
        self.write(|tx| {
            tx.execute(
                "INSERT OR REPLACE INTO assignment (name, bundle, hosts, made_by, at, expires_at)
                 VALUES (?, ?, ?, ?, ?, ?)",
                params![
                    a.name,
                    a.bundle,
                    a.hosts.join("\n"),
                    a.made_by,
                    a.at,
                    a.expires_at
                ],
            )
        })
        .map(drop)
    }

    fn assignments(&self) -> Result<Vec<Assignment>> {
        self.read(|tx| {
            tx.prepare_cached(
                "SELECT name, bundle, hosts, made_by, at, expires_at FROM assignment ORDER BY name",
            )?
            .query_map([], |row| {
                let hosts: String = row.get(2)?;
                Ok(Assignment {
                    name: row.get(0)?,
                    bundle: row.get(1)?,
                    hosts: hosts.lines().map(String::from).collect(),
                    made_by: row.get(3)?,
                    at: row.get(4)?,
                    expires_at: row.get(5)?,
                })
            })?
            .collect()
        })
    }

    fn unassign(&self, name: &str) -> Result<bool> {
        self.write(|tx| tx.execute("DELETE FROM assignment WHERE name = ?", [name]))
            .map(|n| n > 0)
    }

    fn create_run(&self, run: &Run) -> Result<()> {
        self.write(|tx| {
            tx.execute(
                "INSERT INTO run (run, bundle, by, created_at) VALUES (?, ?, ?, ?)",
                params![run.run, run.bundle, run.by, run.created_at],
            )?;
            let mut part = tx.prepare("INSERT INTO part (run, host) VALUES (?, ?)")?;
            for (host, _) in &run.hosts {
                part.execute([&run.run, host])?;
            }
            Ok(())
        })
    }

    fn runs(&self, most: u32) -> Result<Vec<Run>> {
        self.read(|tx| {
            let rows: Vec<Run> = tx
                .prepare(
                    "SELECT run, bundle, by, created_at FROM run ORDER BY number DESC LIMIT ?",
                )?
                .query_map([most], run_row)?
                .collect::<rusqlite::Result<_>>()?;
            rows.into_iter().map(|run| full_run(tx, run)).collect()
        })
    }

    fn run(&self, run: &str) -> Result<Option<Run>> {
        self.read(|tx| {
            tx.query_row(
                "SELECT run, bundle, by, created_at FROM run WHERE run = ?",
                [run],
                run_row,
            )
            .optional()?
            .map(|run| full_run(tx, run))
            .transpose()
        })
    }

    fn unfinished(&self, run: &str) -> Result<Option<u64>> {
        self.read(|tx| {
            tx.prepare_cached(
                "SELECT (SELECT COUNT(*) FROM part WHERE run = ?1 AND over = 0) FROM run WHERE run = ?1",
            )?
            .query_row([run], |row| row.get(0))
            .optional()
        })
    }

    fn work(&self, host: &str) -> Result<Option<(String, String)>> {
        self.read(|tx| {
            tx.prepare_cached(
                "SELECT run.run, run.bundle FROM part JOIN run ON run.run = part.run
                 WHERE host = ? AND over = 0 ORDER BY number LIMIT 1",
            )?
            .query_row([host], |r| Ok((r.get(0)?, r.get(1)?)))
            .optional()
        })
    }

    fn store_events(&self, batches: &[Batch]) -> Result<Stored> {
        self.write(|tx| {
            let mut stored = Stored::default();
            for batch in batches {
                let taken = store_batch(tx, batch, &mut stored.new)?;
                stored.taken.push(taken);
            }
            Ok(stored)
        })
    }

    fn events(&self, run: &str, after: i64, most: u32) -> Result<Vec<StoredEvent>> {
        self.read(|tx| {
            tx.prepare_cached(
                "SELECT id, agent, body FROM event WHERE run = ? AND id > ? ORDER BY id LIMIT ?",
            )?
            .query_map(params![run, after, most], |row| {
                let body: String = row.get(2)?;
                Ok(StoredEvent {
                    id: row.get(0)?,
                    agent: row.get(1)?,
                    event: serde_json::from_str(&body).unwrap_or_default(),
                })
            })?
            .collect()
        })
    }

    fn part_events(&self, run: &str, agent: &str) -> Result<Vec<serde_json::Value>> {
        self.read(|tx| {
            tx.prepare_cached("SELECT body FROM event WHERE run = ? AND agent = ? ORDER BY id")?
                .query_map([run, agent], |row| {
                    let body: String = row.get(0)?;
                    Ok(serde_json::from_str(&body).unwrap_or_default())
                })?
                .collect()
        })
    }

    fn ended_run(&self, run: &str) -> Result<Option<(String, u64)>> {
        self.read(|tx| {
            tx.query_row(
                "SELECT by, created_at FROM run WHERE run = ?1
                    AND NOT EXISTS (SELECT 1 FROM part WHERE run = ?1 AND over = 0)",
                [run],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()
        })
    }

    fn audit(&self, line: &Audit) -> Result<()> {
        self.write(|tx| {
            tx.execute(
                "INSERT INTO audit (at, who, what, detail) VALUES (?, ?, ?, ?)",
                params![line.at, line.who, line.what, line.detail],
            )
        })
        .map(drop)
    }

    fn audits(&self, most: u32) -> Result<Vec<Audit>> {
        self.read(|tx| {
            tx.prepare("SELECT at, who, what, detail FROM audit ORDER BY id DESC LIMIT ?")?
                .query_map([most], |row| {
                    Ok(Audit {
                        at: row.get(0)?,
                        who: row.get(1)?,
                        what: row.get(2)?,
                        detail: row.get(3)?,
                    })
                })?
                .collect()
        })
    }

    fn counts(&self) -> Result<Counts> {
        self.read(|tx| {
            let one = |sql: &str| tx.query_row(sql, [], |r| r.get(0));
            Ok(Counts {
                hosts: one("SELECT count(*) FROM host WHERE revoked = 0")?,
                runs: one("SELECT count(*) FROM run")?,
                unfinished: one("SELECT count(*) FROM part WHERE over = 0")?,
            })
        })
    }

    fn ping(&self) -> Result<()> {
        self.read(|tx| tx.query_row("SELECT 1", [], |_| Ok(())))
    }

    fn authority(&self, pin: &str) -> Result<String> {
        self.write(|tx| {
            tx.execute(
                "INSERT INTO fact (name, value) VALUES ('authority', ?) ON CONFLICT DO NOTHING",
                [pin],
            )?;
            tx.query_row("SELECT value FROM fact WHERE name = 'authority'", [], |r| {
                r.get(0)
            })
        })
    }

    fn news(&self, _most: Duration) -> Result<Option<Vec<News>>> {
        Ok(None)
    }
}

/// How many events of a batch are there now; `None` if the run is not this host's.
fn store_batch(tx: &Connection, batch: &Batch, new: &mut u64) -> rusqlite::Result<Option<usize>> {
    let given: bool = tx
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM part WHERE run = ? AND host = ?)")?
        .query_row([&batch.run, &batch.agent], |r| r.get(0))?;
    if !given {
        return Ok(None);
    }
    let mut insert = tx.prepare_cached(
        "INSERT INTO event (run, agent, host, seq, body) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    )?;
    for event in &batch.events {
        let host = event["host"].as_str().unwrap_or_default();
        let seq = event["seq"].as_i64().unwrap_or_default();
        *new += insert.execute(params![
            batch.run,
            batch.agent,
            host,
            seq,
            event.to_string()
        ])? as u64;
        if super::ends_part(event) {
            tx.prepare_cached(
                "UPDATE part SET over = 1, status = ? WHERE run = ? AND host = ? AND over = 0",
            )?
            .execute(params![event["status"].as_i64(), batch.run, batch.agent])?;
        }
    }
    Ok(Some(batch.events.len()))
}
