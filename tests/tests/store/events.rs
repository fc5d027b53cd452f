//! Events: once each, in order, whoever sends them at the same time.

use crate::{a_run, send, stores};
use lks_ctl::store::Batch;
use serde_json::{Value, json};
use std::time::Duration;

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
