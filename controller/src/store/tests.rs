//! What every store must hold. A second kind of store is one more row in `stores`.

use super::*;
use serde_json::json;

/// Each kind of store, new and empty.
fn stores() -> Vec<Box<dyn Store>> {
    let sqlite = Sqlite::open(std::path::Path::new(":memory:")).expect("opens");
    vec![Box::new(sqlite)]
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
        store.add_certificate("f1", "web1").expect("certificate");
        assert!(store.revoke_host("web1").expect("revokes"));
        assert!(
            store
                .host_of("f1", 2)
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
            store.host_of("f1", 2).expect("asks").is_none(),
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
        let send = |agent: &str, events: &[serde_json::Value]| {
            store.store_events(agent, "r1", events).expect("answers")
        };
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
        assert_eq!(store.counts().expect("counts").events, 5);
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
        let end = json!({"host": "", "seq": 9, "type": "run_finished", "status": 2});
        store.store_events("web1", "r1", &[end]).expect("stores");
        assert_eq!(work("web1").as_deref(), Some("r2"));
        assert_eq!(
            work("web2").as_deref(),
            Some("r1"),
            "the other host's part goes on"
        );
        let run = store.run("r1").expect("asks").expect("is there");
        assert_eq!(run.hosts, [("web1".into(), Some(2)), ("web2".into(), None)]);
        assert_eq!(work("web3"), None);
    }
}
