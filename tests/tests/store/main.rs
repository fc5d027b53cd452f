//! What every store must hold: one suite for both kinds, a file for each thing that is kept; here what
//! crosses them.

#![allow(clippy::print_stderr)] // a skipped test says why

mod bundles;
mod events;
mod hosts;
mod postgres;
mod tokens;

use lks_ctl::store::{Audit, Batch, Operator, Postgres, Role, Run, Sqlite, Store, Token};
use lks_tests::postgres::Postgres as Server;
use serde_json::{Value, json};
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::OnceLock;

/// The database server of these tests; it ends with them.
fn server() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    SERVER
        .get_or_init(|| {
            Server::start()
                .map_err(|why| eprintln!("skipped: the store in PostgreSQL: {why}"))
                .ok()
        })
        .as_ref()
}

/// A store and what goes with it.
struct Tried(Box<dyn Store>, Option<PathBuf>);

impl Deref for Tried {
    type Target = dyn Store;
    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl Drop for Tried {
    fn drop(&mut self) {
        if let Some(dir) = &self.1 {
            let _ = std::fs::remove_dir_all(dir);
        }
    }
}

/// Each kind of store, new and empty.
fn stores() -> Vec<Tried> {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let n = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let dir = std::env::temp_dir().join(format!("lks-store-{}-{n}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a folder");
    let sqlite = Sqlite::open(&dir.join("store.sqlite")).expect("opens");
    let mut out = vec![Tried(Box::new(sqlite), Some(dir))];
    if let Some(server) = server() {
        let store = Postgres::open(&server.database()).expect("opens");
        out.push(Tried(Box::new(store), None));
    }
    out
}

/// Stores one batch; how many of its events are there now.
fn send(store: &dyn Store, agent: &str, run: &str, events: &[Value]) -> Option<usize> {
    let batch = Batch {
        agent: agent.into(),
        run: run.into(),
        events: events.to_vec(),
    };
    let stored = store.store_events(&[batch]).expect("answers");
    stored.taken[0]
}

fn token(id: &str, host: &str) -> Token {
    Token {
        id: id.into(),
        digest: format!("digest-{id}"),
        host: host.into(),
        made_by: "me".into(),
        expires_at: 100,
        used_by: None,
        revoked: false,
    }
}

fn a_run(store: &dyn Store, run: &str, hosts: &[&str]) {
    store.put_bundle("d", b"bytes").expect("bundle");
    let run = Run {
        run: run.into(),
        bundle: "d".into(),
        by: "me".into(),
        created_at: 1,
        hosts: hosts.iter().map(|h| ((*h).into(), None)).collect(),
    };
    store.create_run(&run).expect("run");
}

#[test]
fn work_is_given_until_its_end_is_stored() {
    for store in stores() {
        a_run(&*store, "r1", &["web1", "web2"]);
        a_run(&*store, "r2", &["web1"]);
        let work = |host: &str| store.work(host).expect("asks").map(|(run, _)| run);
        assert_eq!(work("web1").as_deref(), Some("r1"));
        assert_eq!(
            work("web1").as_deref(),
            Some("r1"),
            "asking takes nothing away"
        );
        let unfinished = |run: &str| store.unfinished(run).expect("asks");
        assert_eq!([unfinished("r1"), unfinished("r9")], [Some(2), None]);
        let end = json!({"host": "", "seq": 9, "type": "run_finished", "status": 2});
        assert_eq!(send(&*store, "web1", "r1", &[end]), Some(1));
        assert_eq!(unfinished("r1"), Some(1));
        assert_eq!(work("web1").as_deref(), Some("r2"));
        assert_eq!(
            work("web2").as_deref(),
            Some("r1"),
            "the other host's part goes on"
        );
        let run = store.run("r1").expect("asks").expect("is there");
        assert_eq!(run.hosts, [("web1".into(), Some(2)), ("web2".into(), None)]);
        assert_eq!(work("web3"), None);
        let end = json!({"host": "", "seq": 9, "type": "run_finished", "status": 0});
        assert_eq!(send(&*store, "web2", "r1", &[end]), Some(1));
        assert_eq!(unfinished("r1"), Some(0));
    }
}

#[test]
fn operators_and_the_audit_log_are_kept() {
    for store in stores() {
        let ada = Operator {
            name: "ada".into(),
            role: Role::Operator,
        };
        store.add_operator(&ada, "d1").expect("added");
        assert!(
            store.add_operator(&ada, "d2").is_err(),
            "a name is one person's"
        );
        assert_eq!(store.operator_of("d1").expect("asks"), Some(ada));
        assert_eq!(store.operator_of("d2").expect("asks"), None);
        assert!(store.remove_operator("ada").expect("removes"));
        assert!(!store.remove_operator("ada").expect("removes"));
        for n in 1..=3 {
            let line = Audit {
                at: n,
                who: "ada".into(),
                what: "looked".into(),
                detail: "at \0 this".into(),
            };
            store.audit(&line).expect("kept");
        }
        let lines = store.audits(2).expect("lines");
        assert_eq!(
            lines.iter().map(|l| l.at).collect::<Vec<_>>(),
            [3, 2],
            "the newest"
        );
    }
}

#[test]
fn a_store_belongs_to_one_authority() {
    for store in stores() {
        assert_eq!(store.authority("one").expect("answers"), "one");
        assert_eq!(store.authority("two").expect("answers"), "one");
        store.ping().expect("answers");
    }
}

#[test]
fn what_is_in_a_store_is_there_when_it_is_opened_again() {
    let dir = std::env::temp_dir().join(format!("lks-store-again-{}", std::process::id()));
    std::fs::create_dir_all(&dir).expect("a folder");
    let path = dir.join("store.sqlite");
    let mut open: Vec<Box<dyn Fn() -> Box<dyn Store>>> = vec![Box::new(move || {
        Box::new(Sqlite::open(&path).expect("opens"))
    })];
    if let Some(server) = server() {
        let url = server.database();
        open.push(Box::new(move || {
            Box::new(Postgres::open(&url).expect("opens"))
        }));
    }
    for open in open {
        a_run(&*open(), "r1", &["web1"]);
        assert_eq!(
            open().work("web1").expect("asks"),
            Some(("r1".into(), "d".into()))
        );
    }
    let _ = std::fs::remove_dir_all(dir);
}
