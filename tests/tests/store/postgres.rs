//! What only PostgreSQL has: several controllers on one database, and TLS to it.

use crate::{a_run, send, server, token};
use lks_ctl::store::{Hosts, News, Postgres, Store, Tokens};
use serde_json::json;
use std::time::Duration;

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
