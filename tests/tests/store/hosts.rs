//! Enrolled hosts: names, keys, when they were heard of, what they tell.

use crate::{stores, token};
use lks_ctl::store::{Enrolment, Seen};
use serde_json::json;

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
fn what_a_host_tells_of_itself_is_kept() {
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
    }
}
