//! Join tokens, and who is let in by them.

use crate::{stores, token};
use lks_ctl::store::Enrolment;

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
