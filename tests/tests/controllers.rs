//! Several controllers on one PostgreSQL, behind something that spreads connections over them.

#![allow(clippy::print_stderr)] // a skipped test says why

use lks_tests::fleet::{Fleet, complete, counted_site, newest_run, start_run};
use lks_tests::ports::free_port;
use lks_tests::postgres::Postgres;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Spreads connections over two ports in turn, over the other one where one does not answer. Counts
/// those of each.
fn balance(port: u16, behind: [u16; 2]) -> Arc<[AtomicUsize; 2]> {
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("a port");
    let served: Arc<[AtomicUsize; 2]> = Arc::default();
    let counts = Arc::clone(&served);
    std::thread::spawn(move || {
        for (n, client) in listener.incoming().flatten().enumerate() {
            let found = [n % 2, (n + 1) % 2]
                .into_iter()
                .find_map(|i| Some((i, TcpStream::connect(("127.0.0.1", behind[i])).ok()?)));
            let Some((i, server)) = found else { continue };
            counts[i].fetch_add(1, Ordering::SeqCst);
            let pairs = [
                (client.try_clone(), server.try_clone()),
                (Ok(server), Ok(client)),
            ];
            for (from, to) in pairs {
                let (mut from, mut to) = (from.expect("cloned"), to.expect("cloned"));
                std::thread::spawn(move || {
                    let mut bytes = [0; 16384];
                    while let Ok(n @ 1..) = from.read(&mut bytes) {
                        if to.write_all(&bytes[..n]).is_err() {
                            break;
                        }
                    }
                    let _ = to.shutdown(Shutdown::Both);
                    let _ = from.shutdown(Shutdown::Both);
                });
            }
        }
    });
    served
}

#[test]
fn a_controller_dies_in_the_middle_of_a_run_and_the_other_has_all_of_it() {
    let database = match Postgres::start() {
        Ok(database) => database,
        Err(why) => return eprintln!("skipped: two controllers: {why}"),
    };
    let url = database.database();
    let mut fleet = Fleet::without_server("two");
    let ports = [free_port(), free_port()];
    let store = ["--store", url.as_str()];
    let mut one = Some(fleet.controller("one", ports[0], &store));
    // Another authority is none that these hosts would believe.
    let stranger = fleet.call(&[
        "serve",
        "--data",
        &fleet.path("other").display().to_string(),
        "--listen",
        "127.0.0.1:0",
        store[0],
        store[1],
    ]);
    let why = String::from_utf8_lossy(&stranger.stderr).into_owned();
    assert!(
        !stranger.status.success() && why.contains("believe another authority"),
        "{why}"
    );
    std::fs::create_dir_all(fleet.path("two")).expect("a folder");
    for file in ["ca.key", "ca.der", "admin.json"] {
        std::fs::copy(fleet.path("one").join(file), fleet.path("two").join(file)).expect("copied");
    }
    let mut two = Some(fleet.controller("two", ports[1], &store));
    let served = balance(fleet.port, ports);
    // Operators, too, come through the balancer.
    let mut admin: Value = serde_json::from_str(&fleet.read("one/admin.json")).expect("JSON");
    admin["controller"] = format!("https://127.0.0.1:{}", fleet.port).into();
    fleet.admin = "balanced.json".into();
    fleet.write("balanced.json", &admin.to_string());
    let keys = fleet.ctl(&["bundle", "key"]);
    fleet.write("keys", &keys);

    let hosts = ["web1", "web2", "web3", "web4"];
    let tasks = 10;
    for host in hosts {
        fleet.enrol(host);
    }
    let path = counted_site(&fleet, &hosts, tasks);
    // Hosts that wait at the one controller hear of a run that was started at the other.
    std::thread::sleep(Duration::from_millis(500));
    let _following = start_run(&fleet, &path);
    let run = newest_run(&fleet, 1);
    let begun = |n: usize| fleet.read("out/web1/lines").lines().count() >= n;
    let end = Instant::now() + Duration::from_secs(120);
    while !begun(2) {
        assert!(Instant::now() < end, "{}", fleet.read("web1.log"));
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(one.take());
    while !begun(6) {
        assert!(Instant::now() < end, "{}", fleet.read("web1.log"));
        std::thread::sleep(Duration::from_millis(5));
    }
    // The other way round, too.
    one = Some(fleet.controller("one", ports[0], &store));
    drop(two.take());
    loop {
        let state: Value =
            serde_json::from_str(&fleet.ctl(&["runs", &run, "--json"])).expect("JSON");
        let parts = state["hosts"].as_array().expect("hosts");
        assert_eq!(parts.len(), hosts.len());
        if parts.iter().all(|p| !p[1].is_null()) {
            assert!(parts.iter().all(|p| p[1] == 0), "{state}");
            break;
        }
        assert!(Instant::now() < end, "{state} {}", fleet.read("web1.log"));
        std::thread::sleep(Duration::from_millis(50));
    }
    complete(&fleet, &run, &hosts, tasks);
    assert!(
        served.iter().all(|n| n.load(Ordering::SeqCst) > 2),
        "both served: {served:?}"
    );
    drop(one);
}
