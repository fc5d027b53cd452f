//! The store in PostgreSQL, for several controllers at once: any of them may serve any host.
//!
//! Each question is one transaction. Controllers tell each other what changed by `NOTIFY lks`; who lost
//! the connection that listens looks at everything once it has another.

mod events;
mod pool;
mod tls;

use super::{
    AHEAD, Assignment, Audit, Batch, Counts, Enrolment, Host, HostFacts, News, Operator, Release,
    Role, Run, Seen, Store, Stored, StoredEvent, Token,
};
use lks_agent::error::{Error, Result};
use pool::{Pool, Tx, broken};
use postgres::fallible_iterator::FallibleIterator;
use postgres::{Client, Row};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

type Outcome<T> = std::result::Result<T, postgres::Error>;

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

/// The store in a database.
pub struct Postgres {
    pool: Pool,
    listener: Mutex<Option<Client>>,
}

impl Postgres {
    /// Opens the store at `postgres://USER:PASSWORD@HOST/DATABASE`, and makes its tables if there are none.
    ///
    /// # Errors
    /// When the address is none, nobody answers there, or a newer program made the tables.
    pub fn open(url: &str) -> Result<Self> {
        let store = Self {
            pool: Pool::new(url)?,
            listener: Mutex::default(),
        };
        let found = store.pool.tx(|tx| {
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
        Ok(store)
    }

    fn tx<T>(&self, work: impl FnOnce(&mut Tx<'_>) -> Outcome<T>) -> Result<T> {
        self.pool.tx(work)
    }

    /// What was told since the last time; waits for it if nothing was.
    fn listen(&self, most: Duration) -> Result<Vec<News>> {
        let mut slot = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = Vec::new();
        let client = match slot.as_mut().filter(|c| !c.is_closed()) {
            Some(client) => client,
            None => {
                let mut client = self.pool.connect()?;
                client.batch_execute("LISTEN lks").map_err(broken)?;
                // What was told while nobody listened is not known.
                out.push(News::Unknown);
                slot.insert(client)
            }
        };
        let mut told = client.notifications();
        if out.is_empty()
            && let Some(first) = told.timeout_iter(most).next().map_err(broken)?
        {
            out.extend(news(first.payload()));
        }
        let mut rest = told.iter();
        while let Some(more) = rest.next().map_err(broken)? {
            out.extend(news(more.payload()));
        }
        Ok(out)
    }
}

fn news(payload: &str) -> Option<News> {
    let (kind, name) = payload.split_once(' ').unwrap_or((payload, ""));
    match kind {
        "run" => Some(News::Run(name.to_string())),
        "host" => Some(News::Host(name.to_string())),
        "events" => Some(News::Events),
        "release" => Some(News::Release),
        // What a newer controller tells.
        _ => None,
    }
}

/// Tells all controllers, when this transaction is committed.
fn tell(tx: &mut Tx<'_>, payload: &str) -> Outcome<()> {
    tx.execute("SELECT pg_notify('lks', $1)", &[&payload])
        .map(drop)
}

fn unsigned(row: &Row, column: usize) -> Outcome<u64> {
    Ok(row.try_get::<_, i64>(column)?.max(0) as u64)
}

fn count(row: Option<&Row>) -> Outcome<u64> {
    row.map_or(Ok(0), |r| unsigned(r, 0))
}

fn host(row: &Row) -> Outcome<Host> {
    Ok(Host {
        name: row.try_get(0)?,
        enrolled_at: unsigned(row, 1)?,
        seen_at: unsigned(row, 2)?,
        version: row.try_get(3)?,
        revoked: row.try_get(4)?,
        rotate: row.try_get(5)?,
        expires_at: unsigned(row, 6)?,
        newer: row.try_get(7)?,
    })
}

fn operator(row: &Row) -> Outcome<Operator> {
    let role: String = row.try_get(1)?;
    Ok(Operator {
        name: row.try_get(0)?,
        // A role that a newer program knows gives no rights here beyond looking.
        role: Role::named(&role).unwrap_or(Role::Viewer),
    })
}

fn full_run(tx: &mut Tx<'_>, row: &Row) -> Outcome<Run> {
    let run: String = row.try_get(0)?;
    let hosts = tx
        .query(
            "SELECT host, CASE WHEN over THEN status END FROM part WHERE run = $1 ORDER BY host COLLATE \"C\"",
            &[&run],
        )?
        .iter()
        .map(|r| Ok((r.try_get(0)?, r.try_get(1)?)))
        .collect::<Outcome<_>>()?;
    Ok(Run {
        run,
        bundle: row.try_get(1)?,
        by: row.try_get(2)?,
        created_at: unsigned(row, 3)?,
        hosts,
    })
}

impl Store for Postgres {
    fn add_token(&self, t: &Token) -> Result<()> {
        self.tx(|tx| {
            tx.execute(
                "INSERT INTO token (id, digest, host, made_by, expires_at) VALUES ($1, $2, $3, $4, $5)",
                &[&t.id, &t.digest, &t.host, &t.made_by, &(t.expires_at as i64)],
            )
        })
        .map(drop)
    }

    fn tokens(&self) -> Result<Vec<Token>> {
        self.tx(|tx| {
            tx.query(
                "SELECT id, digest, host, made_by, expires_at, used_by, revoked FROM token ORDER BY number",
                &[],
            )?
            .iter()
            .map(|row| {
                Ok(Token {
                    id: row.try_get(0)?,
                    digest: row.try_get(1)?,
                    host: row.try_get(2)?,
                    made_by: row.try_get(3)?,
                    expires_at: unsigned(row, 4)?,
                    used_by: row.try_get(5)?,
                    revoked: row.try_get(6)?,
                })
            })
            .collect()
        })
    }

    fn revoke_token(&self, id: &str) -> Result<bool> {
        self.tx(|tx| tx.execute("UPDATE token SET revoked = TRUE WHERE id = $1", &[&id]))
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

    fn add_certificate(
        &self,
        fingerprint: &str,
        host: &str,
        key: &str,
        expires_at: u64,
    ) -> Result<()> {
        self.tx(|tx| {
            tx.execute(
                "INSERT INTO certificate (fingerprint, host, key, expires_at) VALUES ($1, $2, $3, $4)",
                &[&fingerprint, &host, &key, &(expires_at as i64)],
            )
        })
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

    fn set_facts(&self, host: &str, facts: &serde_json::Value, now: u64) -> Result<()> {
        self.tx(|tx| {
            tx.execute(
                "INSERT INTO host_facts (host, at, body) VALUES ($1, $2, $3)
                 ON CONFLICT (host) DO UPDATE SET at = excluded.at, body = excluded.body",
                &[&host, &(now as i64), &facts.to_string()],
            )
        })
        .map(drop)
    }

    fn facts(&self) -> Result<Vec<HostFacts>> {
        self.tx(|tx| {
            tx.query(
                "SELECT host, at, body FROM host_facts ORDER BY host COLLATE \"C\"",
                &[],
            )?
            .iter()
            .map(|row| {
                let body: &str = row.try_get(2)?;
                Ok(HostFacts {
                    host: row.try_get(0)?,
                    at: unsigned(row, 1)?,
                    facts: serde_json::from_str(body).unwrap_or_default(),
                })
            })
            .collect()
        })
    }

    fn put_release(&self, r: &Release, bytes: &[u8]) -> Result<bool> {
        self.tx(|tx| {
            tx.batch("LOCK TABLE release IN SHARE ROW EXCLUSIVE MODE")?;
            tell(tx, "release")?;
            let newest = count(
                tx.row("SELECT coalesce(max(counter), 0) FROM release", &[])?
                    .as_ref(),
            )?;
            if newest >= r.counter {
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
        self.tx(|tx| {
            tx.query(
                "SELECT counter, machine, version, hosts, made_by, at FROM release ORDER BY counter DESC",
                &[],
            )?
            .iter()
            .map(|row| {
                let hosts: &str = row.try_get(3)?;
                Ok(Release {
                    counter: unsigned(row, 0)?,
                    machine: row.try_get(1)?,
                    version: row.try_get(2)?,
                    hosts: hosts.lines().map(String::from).collect(),
                    made_by: row.try_get(4)?,
                    at: unsigned(row, 5)?,
                })
            })
            .collect()
        })
    }

    fn release(&self, counter: u64) -> Result<Option<Vec<u8>>> {
        self.tx(|tx| {
            tx.row(
                "SELECT bytes FROM release WHERE counter = $1",
                &[&(counter as i64)],
            )?
            .map(|r| r.try_get(0))
            .transpose()
        })
    }

    fn host_of(&self, fingerprint: &str) -> Result<Option<Host>> {
        self.tx(|tx| {
            tx.row(
                "SELECT name, enrolled_at, seen_at, version, revoked, rotate, expires_at,
                    certificate.key <> '' AND certificate.key <> host.key FROM host
                 JOIN certificate ON host = name WHERE fingerprint = $1",
                &[&fingerprint],
            )?
            .as_ref()
            .map(host)
            .transpose()
        })
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

    fn hosts(&self) -> Result<Vec<Host>> {
        self.tx(|tx| {
            tx.query(
                "SELECT name, enrolled_at, seen_at, version, revoked, rotate,
                    (SELECT coalesce(max(expires_at), 0) FROM certificate WHERE host = name), FALSE
                 FROM host ORDER BY name COLLATE \"C\"",
                &[],
            )?
            .iter()
            .map(host)
            .collect()
        })
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

    fn add_operator(&self, o: &Operator, digest: &str) -> Result<()> {
        self.tx(|tx| {
            tx.execute(
                "INSERT INTO operator (name, role, digest) VALUES ($1, $2, $3)",
                &[&o.name, &o.role.name(), &digest],
            )
        })
        .map(drop)
    }

    fn operator_of(&self, digest: &str) -> Result<Option<Operator>> {
        self.tx(|tx| {
            tx.row(
                "SELECT name, role FROM operator WHERE digest = $1",
                &[&digest],
            )?
            .as_ref()
            .map(operator)
            .transpose()
        })
    }

    fn operators(&self) -> Result<Vec<Operator>> {
        self.tx(|tx| {
            tx.query(
                "SELECT name, role FROM operator ORDER BY name COLLATE \"C\"",
                &[],
            )?
            .iter()
            .map(operator)
            .collect()
        })
    }

    fn remove_operator(&self, name: &str) -> Result<bool> {
        self.tx(|tx| tx.execute("DELETE FROM operator WHERE name = $1", &[&name]))
            .map(|n| n > 0)
    }

    fn put_bundle(&self, digest: &str, bytes: &[u8]) -> Result<()> {
        self.tx(|tx| {
            tx.execute(
                "INSERT INTO bundle (digest, bytes) VALUES ($1, $2) ON CONFLICT DO NOTHING",
                &[&digest, &bytes],
            )
        })
        .map(drop)
    }

    fn bundle(&self, digest: &str) -> Result<Option<Vec<u8>>> {
        self.tx(|tx| {
            tx.row("SELECT bytes FROM bundle WHERE digest = $1", &[&digest])?
                .map(|r| r.try_get(0))
                .transpose()
        })
    }

    fn assign(&self, a: &Assignment) -> Result<()> {
        self.tx(|tx| {
            tx.execute(
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
        })
        .map(drop)
    }

    fn assignments(&self) -> Result<Vec<Assignment>> {
        self.tx(|tx| {
            tx.query(
                "SELECT name, bundle, hosts, made_by, at, expires_at FROM assignment
                 ORDER BY name COLLATE \"C\"",
                &[],
            )?
            .iter()
            .map(|row| {
                let hosts: &str = row.try_get(2)?;
                Ok(Assignment {
                    name: row.try_get(0)?,
                    bundle: row.try_get(1)?,
                    hosts: hosts.lines().map(String::from).collect(),
                    made_by: row.try_get(3)?,
                    at: unsigned(row, 4)?,
                    expires_at: unsigned(row, 5)?,
                })
            })
            .collect()
        })
    }

    fn unassign(&self, name: &str) -> Result<bool> {
        self.tx(|tx| tx.execute("DELETE FROM assignment WHERE name = $1", &[&name]))
            .map(|n| n > 0)
    }

    fn create_run(&self, run: &Run) -> Result<()> {
        let hosts: Vec<&str> = run.hosts.iter().map(|(h, _)| h.as_str()).collect();
        self.tx(|tx| {
            tx.execute(
                "INSERT INTO run (run, bundle, by, created_at) VALUES ($1, $2, $3, $4)",
                &[&run.run, &run.bundle, &run.by, &(run.created_at as i64)],
            )?;
            tx.execute(
                "INSERT INTO part (run, host) SELECT $1, unnest($2::text[])",
                &[&run.run, &hosts],
            )?;
            tell(tx, &format!("run {}", run.run))
        })
    }

    fn runs(&self, most: u32) -> Result<Vec<Run>> {
        self.tx(|tx| {
            let rows = tx.query(
                "SELECT run, bundle, by, created_at FROM run ORDER BY number DESC LIMIT $1",
                &[&i64::from(most)],
            )?;
            rows.iter().map(|row| full_run(tx, row)).collect()
        })
    }

    fn run(&self, run: &str) -> Result<Option<Run>> {
        self.tx(|tx| {
            let row = tx.row(
                "SELECT run, bundle, by, created_at FROM run WHERE run = $1",
                &[&run],
            )?;
            row.map(|row| full_run(tx, &row)).transpose()
        })
    }

    fn unfinished(&self, run: &str) -> Result<Option<u64>> {
        self.tx(|tx| {
            tx.row(
                "SELECT (SELECT COUNT(*) FROM part WHERE run = $1 AND NOT over) FROM run WHERE run = $1",
                &[&run],
            )?
            .map(|row| unsigned(&row, 0))
            .transpose()
        })
    }

    fn work(&self, host: &str) -> Result<Option<(String, String)>> {
        self.tx(|tx| {
            tx.row(
                "SELECT run.run, run.bundle FROM part JOIN run ON run.run = part.run
                 WHERE host = $1 AND NOT over ORDER BY number LIMIT 1",
                &[&host],
            )?
            .map(|r| Ok((r.try_get(0)?, r.try_get(1)?)))
            .transpose()
        })
    }

    fn store_events(&self, batches: &[Batch]) -> Result<Stored> {
        self.tx(|tx| events::store(tx, batches))
    }

    fn events(&self, run: &str, after: i64, most: u32) -> Result<Vec<StoredEvent>> {
        self.tx(|tx| {
            tx.query(
                "SELECT id, agent, body FROM event WHERE run = $1 AND id > $2 ORDER BY id LIMIT $3",
                &[&run, &after, &i64::from(most)],
            )?
            .iter()
            .map(|row| {
                let body: &str = row.try_get(2)?;
                Ok(StoredEvent {
                    id: row.try_get(0)?,
                    agent: row.try_get(1)?,
                    event: serde_json::from_str(body).unwrap_or_default(),
                })
            })
            .collect()
        })
    }

    fn part_events(&self, run: &str, agent: &str) -> Result<Vec<serde_json::Value>> {
        self.tx(|tx| {
            tx.query(
                "SELECT body FROM event WHERE run = $1 AND agent = $2 ORDER BY id",
                &[&run, &agent],
            )?
            .iter()
            .map(|row| Ok(serde_json::from_str(row.try_get(0)?).unwrap_or_default()))
            .collect()
        })
    }

    fn ended_run(&self, run: &str) -> Result<Option<(String, u64)>> {
        self.tx(|tx| {
            tx.row(
                "SELECT by, created_at FROM run WHERE run = $1
                    AND NOT EXISTS (SELECT 1 FROM part WHERE run = $1 AND NOT over)",
                &[&run],
            )?
            .map(|row| Ok((row.try_get(0)?, unsigned(&row, 1)?)))
            .transpose()
        })
    }

    fn audit(&self, line: &Audit) -> Result<()> {
        self.tx(|tx| {
            tx.execute(
                "INSERT INTO audit (at, who, what, detail) VALUES ($1, $2, $3, $4)",
                &[
                    &(line.at as i64),
                    &line.who,
                    &line.what,
                    &line.detail.replace('\0', "\u{fffd}"),
                ],
            )
        })
        .map(drop)
    }

    fn audits(&self, most: u32) -> Result<Vec<Audit>> {
        self.tx(|tx| {
            tx.query(
                "SELECT at, who, what, detail FROM audit ORDER BY id DESC LIMIT $1",
                &[&i64::from(most)],
            )?
            .iter()
            .map(|row| {
                Ok(Audit {
                    at: unsigned(row, 0)?,
                    who: row.try_get(1)?,
                    what: row.try_get(2)?,
                    detail: row.try_get(3)?,
                })
            })
            .collect()
        })
    }

    fn counts(&self) -> Result<Counts> {
        self.tx(|tx| {
            Ok(Counts {
                hosts: count(
                    tx.row("SELECT count(*) FROM host WHERE NOT revoked", &[])?
                        .as_ref(),
                )?,
                runs: count(tx.row("SELECT count(*) FROM run", &[])?.as_ref())?,
                unfinished: count(
                    tx.row("SELECT count(*) FROM part WHERE NOT over", &[])?
                        .as_ref(),
                )?,
            })
        })
    }

    fn ping(&self) -> Result<()> {
        self.tx(|tx| tx.row("SELECT 1", &[])).map(drop)
    }

    fn authority(&self, pin: &str) -> Result<String> {
        self.tx(|tx| {
            tx.execute(
                "INSERT INTO fact (name, value) VALUES ('authority', $1) ON CONFLICT DO NOTHING",
                &[&pin],
            )?;
            let row = tx.row("SELECT value FROM fact WHERE name = 'authority'", &[])?;
            row.map_or(Ok(String::new()), |r| r.try_get(0))
        })
    }

    fn news(&self, most: Duration) -> Result<Option<Vec<News>>> {
        self.listen(most).map(Some)
    }
}
