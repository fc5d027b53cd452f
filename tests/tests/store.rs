//! What every store must hold: one suite for both kinds.

#![allow(clippy::print_stderr)] // a skipped test says why

use lks_ctl::store::{
    Assignment, Audit, Batch, Enrolment, Hosts, News, Operator, Postgres, Release, Role, Run, Seen,
    Sqlite, Store, Token, Tokens,
};
use lks_tests::postgres;
use serde_json::{Value, json};
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

/// The database server of these tests; it ends with them.
fn server() -> Option<&'static postgres::Postgres> {
    static SERVER: OnceLock<Option<postgres::Postgres>> = OnceLock::new();
    SERVER
        .get_or_init(|| {
            postgres::Postgres::start()
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
fn a_token_lets_one_host_in_once() {
    for store in stores() {
        let enrol = |digest: &str, name: &str, key: &str, now| {
            store.enrol(digest, name, key, "1", now).expect("answers")
        };
        store.add_token(&token("a", "")).expect("token");
        assert_eq!(enrol("nonsense", "web1", "k1", 1), Enrolment::BadToken);
        assert_eq!(
            enrol("digest-a", "web1", "k1", 100),
            Enrolment::BadToken,
            "expired"
        );
        assert_eq!(enrol("digest-a", "web1", "k1", 1), Enrolment::Welcome);
        assert_eq!(
            enrol("digest-a", "web1", "k1", 2),
            Enrolment::Welcome,
            "asked again"
        );
        assert_eq!(
            enrol("digest-a", "web2", "k1", 2),
            Enrolment::BadToken,
            "replayed"
        );
        assert_eq!(
            enrol("digest-a", "web1", "k2", 2),
            Enrolment::BadToken,
            "stolen"
        );
        store.add_token(&token("b", "")).expect("token");
        assert_eq!(enrol("digest-b", "web1", "k2", 2), Enrolment::NameTaken);
        store.add_token(&token("c", "db1")).expect("token");
        assert_eq!(
            enrol("digest-c", "web3", "k3", 2),
            Enrolment::BadToken,
            "for another"
        );
        assert!(store.revoke_token("c").expect("revokes"));
        assert_eq!(
            enrol("digest-c", "db1", "k3", 2),
            Enrolment::BadToken,
            "revoked"
        );
    }
}

#[test]
fn a_revoked_host_keeps_its_name_until_it_is_forgotten() {
    for store in stores() {
        let enrol =
            |digest: &str, key: &str| store.enrol(digest, "web1", key, "1", 1).expect("answers");
        for id in ["a", "b", "c"] {
            store.add_token(&token(id, "")).expect("token");
        }
        assert_eq!(enrol("digest-a", "k1"), Enrolment::Welcome);
        store
            .add_certificate("f1", "web1", "k1", 50)
            .expect("certificate");
        assert!(store.revoke_host("web1").expect("revokes"));
        assert!(
            store
                .host_of("f1")
                .expect("asks")
                .is_some_and(|h| h.revoked)
        );
        assert_eq!(
            enrol("digest-a", "k1"),
            Enrolment::NameTaken,
            "no way back in by itself"
        );
        assert_eq!(enrol("digest-b", "k2"), Enrolment::NameTaken);
        assert!(store.forget_host("web1").expect("forgets"));
        assert!(
            store.host_of("f1").expect("asks").is_none(),
            "its certificate is gone"
        );
        assert_eq!(enrol("digest-c", "k2"), Enrolment::Welcome);
    }
}

#[test]
fn events_are_stored_once_whatever_is_repeated() {
    for store in stores() {
        a_run(&*store, "r1", &["web1", "web2"]);
        let event = |host: &str, seq: u64| json!({"run": "r1", "host": host, "seq": seq, "type": "notice", "n": seq});
        let send = |agent: &str, events: &[Value]| send(&*store, agent, "r1", events);
        let first = [event("", 1), event("web1", 1), event("web1", 2)];
        assert_eq!(send("web1", &first), Some(3));
        assert_eq!(send("web1", &first), Some(3), "a repeat is taken");
        assert_eq!(send("web1", &[event("web1", 2), event("web1", 3)]), Some(2));
        // The same numbers from another agent are other events.
        assert_eq!(send("web2", &[event("", 1)]), Some(1));
        assert_eq!(
            send("web3", &[event("", 1)]),
            None,
            "the run is not this host's"
        );
        let stored = store.events("r1", 0, 100).expect("events");
        assert_eq!(stored.len(), 5);
        assert!(stored.windows(2).all(|w| w[0].id < w[1].id));
        let rest = store.events("r1", stored[3].id, 100).expect("events");
        assert_eq!(rest, stored[4..]);
    }
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
fn several_batches_are_kept_together_and_new_events_are_counted() {
    for store in stores() {
        a_run(&*store, "r1", &["web1", "web2"]);
        let batch = |agent: &str, run: &str, numbers: &[u64]| Batch {
            agent: agent.into(),
            run: run.into(),
            events: numbers
                .iter()
                .map(|n| json!({"host": "", "seq": n, "type": "notice"}))
                .collect(),
        };
        let sent = [
            batch("web1", "r1", &[1, 2]),
            batch("web1", "r9", &[1]),
            batch("web2", "r1", &[1, 1]),
        ];
        let stored = store.store_events(&sent).expect("stores");
        assert_eq!(stored.taken, [Some(2), None, Some(2)]);
        assert_eq!(stored.new, 3, "a number that came twice is one event");
        assert_eq!(store.store_events(&sent).expect("stores").new, 0);
        assert_eq!(store.events("r1", 0, 10).expect("events").len(), 3);
    }
}

#[test]
fn what_is_sent_at_once_from_many_sides_is_stored_once_and_read_in_order() {
    for store in stores() {
        let hosts: Vec<String> = (0..8).map(|n| format!("web{n}")).collect();
        let names: Vec<&str> = hosts.iter().map(String::as_str).collect();
        a_run(&*store, "r1", &names);
        let each = 40;
        let stop = std::sync::atomic::AtomicBool::new(false);
        let read = std::thread::scope(|scope| {
            for host in &hosts {
                // Two of each name: a delivery that is repeated while the first one is under way.
                for _ in 0..2 {
                    let store = &*store;
                    scope.spawn(move || {
                        for n in 1..=each {
                            let event = json!({"host": "", "seq": n, "type": "notice"});
                            assert_eq!(send(store, host, "r1", &[event]), Some(1));
                        }
                    });
                }
            }
            // Who follows has each event once, and misses none that was given a lower number late.
            let (store, stop) = (&*store, &stop);
            let reader = scope.spawn(move || {
                let (mut after, mut seen) = (0, 0);
                loop {
                    let last = stop.load(std::sync::atomic::Ordering::SeqCst);
                    let found = store.events("r1", after, 50).expect("events");
                    seen += found.len();
                    match found.last() {
                        Some(event) => after = event.id,
                        None if last => return seen,
                        None => {}
                    }
                }
            });
            while (store.events("r1", 0, 1000).expect("events").len() as u64) < 8 * each {
                std::thread::sleep(Duration::from_millis(5));
            }
            stop.store(true, std::sync::atomic::Ordering::SeqCst);
            reader.join().expect("reads")
        });
        assert_eq!(read as u64, 8 * each);
    }
}

#[test]
fn a_token_used_from_two_sides_at_once_lets_one_in() {
    for store in stores() {
        store.add_token(&token("a", "")).expect("token");
        let outcomes: Vec<Enrolment> = std::thread::scope(|scope| {
            let asking: Vec<_> = (0..8)
                .map(|n| {
                    let store = &*store;
                    scope.spawn(move || {
                        let (name, key) = (format!("web{n}"), format!("k{n}"));
                        store
                            .enrol("digest-a", &name, &key, "1", 1)
                            .expect("answers")
                    })
                })
                .collect();
            asking
                .into_iter()
                .map(|a| a.join().expect("ends"))
                .collect()
        });
        let welcome = outcomes
            .iter()
            .filter(|o| **o == Enrolment::Welcome)
            .count();
        assert_eq!(welcome, 1, "{outcomes:?}");
        assert_eq!(store.hosts().expect("hosts").len(), 1);
    }
}

#[test]
fn who_was_heard_of_is_written_down() {
    for store in stores() {
        store.add_token(&token("a", "")).expect("token");
        store
            .enrol("digest-a", "web1", "k1", "1", 5)
            .expect("answers");
        let seen = |name: &str, at, version: Option<&str>| Seen {
            name: name.into(),
            at,
            version: version.map(String::from),
        };
        store
            .seen(&[seen("web1", 70, Some("2")), seen("web9", 70, None)])
            .expect("kept");
        store.seen(&[seen("web1", 60, None)]).expect("kept");
        let host = &store.hosts().expect("hosts")[0];
        assert_eq!(
            (host.seen_at, host.version.as_str()),
            (70, "2"),
            "time does not go back"
        );
        // But for one that a clock wrote which was wrong.
        store.seen(&[seen("web1", 200_000, None)]).expect("kept");
        store.seen(&[seen("web1", 80, None)]).expect("kept");
        assert_eq!(store.hosts().expect("hosts")[0].seen_at, 80);
    }
}

#[test]
fn a_newer_key_counts_from_its_first_use_and_ends_the_others() {
    for store in stores() {
        store.add_token(&token("a", "")).expect("token");
        store
            .enrol("digest-a", "web1", "k1", "1", 1)
            .expect("answers");
        store
            .add_certificate("f1", "web1", "k1", 50)
            .expect("certificate");
        assert!(
            store.rotate_host("web1").expect("asks") && !store.rotate_host("web9").expect("asks")
        );
        store
            .add_certificate("f2", "web1", "k2", 80)
            .expect("certificate");
        let found = |f: &str| store.host_of(f).expect("asks");
        let old = found("f1").expect("is good until the new one is used");
        assert!((old.rotate, old.newer, old.expires_at) == (true, false, 50));
        let new = found("f2").expect("is good");
        assert!(new.newer && new.expires_at == 80);
        assert!(!store.settle_key("f1").expect("settles"), "it is settled");
        assert!(store.settle_key("f2").expect("settles"));
        assert!(found("f1").is_none(), "the old one is worth nothing");
        let host = found("f2").expect("is good");
        assert!(!host.newer && !host.rotate);
        assert_eq!(store.hosts().expect("hosts")[0].expires_at, 80);
        // Nor does the token let the old key in again.
        let again = store
            .enrol("digest-a", "web1", "k1", "1", 2)
            .expect("answers");
        assert_eq!(again, Enrolment::NameTaken);
    }
}

#[test]
fn facts_and_releases_are_kept() {
    for store in stores() {
        store.add_token(&token("a", "")).expect("token");
        store
            .enrol("digest-a", "web1", "k1", "1", 1)
            .expect("answers");
        for n in 1..=2 {
            store.set_facts("web1", &json!({"n": n}), n).expect("kept");
        }
        let facts = store.facts().expect("facts");
        assert_eq!(
            (facts.len(), facts[0].at, &facts[0].facts),
            (1, 2, &json!({"n": 2}))
        );
        assert!(store.set_facts("web9", &json!({}), 1).is_err(), "of nobody");
        let release = |counter| Release {
            counter,
            machine: "x86_64".into(),
            version: "2".into(),
            hosts: vec!["web*".into(), "db1".into()],
            made_by: "me".into(),
            at: 1,
        };
        assert!(store.put_release(&release(5), b"five").expect("kept"));
        assert!(!store.put_release(&release(5), b"again").expect("asks"));
        assert!(!store.put_release(&release(4), b"older").expect("asks"));
        assert!(store.put_release(&release(6), b"six").expect("kept"));
        assert_eq!(store.releases().expect("all"), [release(6), release(5)]);
        assert_eq!(
            store.release(5).expect("asks").as_deref(),
            Some(&b"five"[..])
        );
        assert_eq!(store.release(4).expect("asks"), None);
    }
}

#[test]
fn what_hosts_are_given_when_they_join_is_kept_by_name() {
    for store in stores() {
        let assignment = |name: &str, bundle: &str, at| Assignment {
            name: name.into(),
            bundle: bundle.into(),
            hosts: vec!["web*".into(), "db1".into()],
            made_by: "me".into(),
            at,
            expires_at: 100,
        };
        assert!(
            store.assign(&assignment("site", "none", 1)).is_err(),
            "a bundle that is not there"
        );
        for bundle in ["d1", "d2"] {
            store.put_bundle(bundle, b"bytes").expect("kept");
        }
        for (name, bundle, at) in [("site", "d1", 1), ("base", "d1", 2), ("site", "d2", 3)] {
            store.assign(&assignment(name, bundle, at)).expect("kept");
        }
        assert_eq!(
            store.assignments().expect("all"),
            [assignment("base", "d1", 2), assignment("site", "d2", 3)]
        );
        assert!(store.unassign("base").expect("asks"));
        assert!(!store.unassign("base").expect("asks"));
        assert_eq!(store.assignments().expect("all").len(), 1);
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

#[test]
fn controllers_on_one_database_hear_of_each_other() {
    let Some(server) = server() else { return };
    let url = server.database();
    let (one, other) = (
        Postgres::open(&url).expect("opens"),
        Postgres::open(&url).expect("opens"),
    );
    let soon = Duration::from_secs(5);
    let heard = |store: &Postgres| store.news(soon).expect("hears").expect("is not alone");
    assert_eq!(
        heard(&other),
        [News::Unknown],
        "what came before is not known"
    );
    one.add_token(&token("a", "")).expect("token");
    one.enrol("digest-a", "web1", "k1", "1", 1)
        .expect("answers");
    a_run(&one, "r1", &["web1"]);
    assert_eq!(heard(&other), [News::Run("r1".into())]);
    send(
        &one,
        "web1",
        "r1",
        &[json!({"host": "", "seq": 1, "type": "notice"})],
    );
    assert_eq!(heard(&other), [News::Events]);
    one.revoke_host("web1").expect("revokes");
    assert_eq!(heard(&other), [News::Host("web1".into())]);
    // Its connection is cut: it makes another, and does not know what it missed.
    let name = url.rsplit('/').next().expect("a name");
    let cut =
        format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
    server.psql(&cut).expect("cut");
    let end = std::time::Instant::now() + soon;
    loop {
        match other.news(soon) {
            Ok(Some(news)) if news == [News::Unknown] => break,
            _ => assert!(std::time::Instant::now() < end, "it does not come back"),
        }
    }
    // The same for questions: at most one fails.
    let _ = one.ping();
    one.ping().expect("answers again");
}

#[test]
fn a_database_is_spoken_to_through_tls_only_if_its_certificate_is_right() {
    let Some(server) = server() else { return };
    let url = server.database();
    let with = |query: &str| Postgres::open(&format!("{url}?{query}"));
    let root = server.root().display().to_string();
    let store = with(&format!("sslmode=verify-full&sslrootcert={root}")).expect("opens");
    a_run(&store, "r1", &["web1"]);
    let why = with("sslmode=require")
        .err()
        .expect("is refused")
        .to_string();
    assert!(
        why.contains("certificate") || why.contains("authority"),
        "{why}"
    );
    assert!(
        with("sslmode=prefer").is_err(),
        "no mode that an attacker can talk down"
    );
}
