//! A network that swallows packets: nobody hears that the other side is away. Each test has a network of
//! its own, in which iptables drops what goes to the controller's port and what comes from it.

#![allow(clippy::print_stderr)] // a skipped test says why, a long one what it measured

use lks_tests::fleet::{Fleet, complete, newest_run, slow_counted_site, start_run};
use lks_tests::rig::{process, setup};
use serde_json::Value;
use std::process::Command;
use std::time::{Duration, Instant};

/// Says that this process has a network of its own already.
const INSIDE: &str = "LKS_OUTAGE_INSIDE";

/// Runs this program's test of that name in a network of its own. `false` where it runs there already.
fn left_to_a_network_of_its_own(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return false;
    }
    let ready = setup::root().and_then(|()| setup::namespaces());
    if let Err(why) = ready {
        eprintln!("skipped: {why}");
        return true;
    }
    if !process::exists("iptables") {
        eprintln!("skipped: there is no iptables");
        return true;
    }
    let own = std::env::current_exe().expect("a path");
    let done = Command::new("unshare")
        .args(["--net", "--pid", "--fork", "--kill-child", "--mount-proc"])
        .args(["sh", "-c", "ip link set lo up && exec \"$@\"", "sh"])
        .arg(own)
        .args([test, "--exact", "--include-ignored", "--nocapture"])
        .env(INSIDE, "yes")
        .status()
        .expect("unshare starts");
    assert!(done.success(), "{test}: {done}");
    true
}

/// Cuts the controller off (`-I`), or connects it again (`-D`).
fn cut(fleet: &Fleet, how: &str) {
    for end in ["--dport", "--sport"] {
        let done = Command::new("iptables")
            .args([how, "INPUT", "-p", "tcp", end, &fleet.port.to_string()])
            .args(["-j", "DROP"])
            .output()
            .expect("iptables starts");
        let said = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "iptables: {said}");
    }
}

fn lines(fleet: &Fleet, host: &str) -> usize {
    fleet.read(&format!("out/{host}/lines")).lines().count()
}

fn is_over(fleet: &Fleet, run: &str) -> bool {
    let state: Value = serde_json::from_str(&fleet.ctl(&["runs", run, "--json"])).expect("JSON");
    let parts = state["hosts"].as_array().expect("hosts");
    parts.iter().all(|p| !p[1].is_null())
}

/// A run during which the controller cannot be reached for so long. One host's agent is killed meanwhile,
/// and goes on with what it has on its disk.
fn a_run_through_an_outage(name: &str, outage: Duration, rounds: usize) {
    let mut fleet = Fleet::new(name);
    let hosts = ["web1", "web2"];
    for host in hosts {
        fleet.enrol(host);
    }
    // The run outlasts the outage by a little: it begins before, and its end is told after.
    let each = outage.as_secs_f64() * 1.1 / rounds as f64;
    let path = slow_counted_site(&fleet, &hosts, rounds, each);
    let _following = start_run(&fleet, &path);
    let run = newest_run(&fleet, 1);
    let end = Instant::now() + Duration::from_secs(60);
    while hosts.iter().any(|host| lines(&fleet, host) == 0) {
        assert!(Instant::now() < end, "{}", fleet.read("web1.log"));
        std::thread::sleep(Duration::from_millis(20));
    }
    cut(&fleet, "-I");
    let began = Instant::now();
    let before = lines(&fleet, "web1") + lines(&fleet, "web2");
    std::thread::sleep(outage / 2);
    fleet.agents.remove("web2");
    fleet.start_agent("web2");
    std::thread::sleep(outage.saturating_sub(began.elapsed()));
    let meanwhile = lines(&fleet, "web1") + lines(&fleet, "web2") - before;
    // More than half of what an undisturbed host does in that time, by both.
    assert!(
        meanwhile > rounds,
        "{meanwhile} of {rounds} rounds while nobody was there: {}",
        fleet.read("web2.log")
    );
    cut(&fleet, "-D");
    let back = Instant::now();
    let patience = Duration::from_secs(180);
    while !is_over(&fleet, &run) {
        assert!(back.elapsed() < patience, "{}", fleet.read("web1.log"));
        std::thread::sleep(Duration::from_millis(50));
    }
    complete(&fleet, &run, &hosts, rounds);
    eprintln!(
        "cut off for {:.0} s with {meanwhile} rounds of tasks meanwhile; all {} events there {:.1} s after it",
        (back - began).as_secs_f64(),
        fleet.events(&run).len(),
        back.elapsed().as_secs_f64()
    );
}

#[test]
fn a_run_goes_on_while_packets_vanish_and_is_complete_afterwards() {
    if !left_to_a_network_of_its_own(
        "a_run_goes_on_while_packets_vanish_and_is_complete_afterwards",
    ) {
        a_run_through_an_outage("cut", Duration::from_secs(8), 8);
    }
}

/// The same for minutes: `cargo test -p lks-tests --test outage -- --ignored --nocapture`.
#[test]
#[ignore = "takes minutes; the test above is the same in seconds"]
fn a_run_goes_on_while_packets_vanish_for_minutes() {
    if !left_to_a_network_of_its_own("a_run_goes_on_while_packets_vanish_for_minutes") {
        a_run_through_an_outage("cut-long", Duration::from_secs(150), 60);
    }
}
