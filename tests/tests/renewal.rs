//! What changes under a running fleet: hosts' keys, the agent's own program, and the protocol's version.

#![allow(clippy::print_stderr)] // a skipped test says why

use lks_tests::fleet::{Fleet, Running, program};
use serde_json::Value;
use std::process::Command;
use std::time::{Duration, Instant};

/// Waits until it is so.
fn until(what: &str, fleet: &Fleet, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < end, "{what}: {}", fleet.read("web1.log"));
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn json(fleet: &Fleet, words: &[&str]) -> Value {
    let text = fleet.ctl(&[words, &["--json"]].concat());
    serde_json::from_str(&text).expect("JSON")
}

/// The audit log has a line of this.
fn audited(fleet: &Fleet, what: &str) -> usize {
    let admin: Value = serde_json::from_str(&fleet.read(&fleet.admin)).expect("JSON");
    let client = lks_agent::uplink::Client::new(
        admin["controller"].as_str().expect("an address"),
        admin["pin"].as_str().expect("a pin"),
        None,
    )
    .expect("a client")
    .with_bearer(admin["token"].as_str().expect("a token"));
    let lines: Vec<Value> = client
        .get("/v1/audit")
        .expect("answers")
        .json()
        .expect("lines");
    lines
        .iter()
        .filter(|l| l["what"].as_str().is_some_and(|w| w.contains(what)))
        .count()
}

/// A small playbook runs well on all hosts.
fn works(fleet: &Fleet) {
    fleet.write(
        "site/site.yml",
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - command: 'true'\n",
    );
    let path = fleet.path("site/site.yml").display().to_string();
    let out = fleet.ctl(&["run", "-c", "agent", &path]);
    assert!(out.contains("status 0"), "{out}");
}

#[test]
fn hosts_renew_their_keys_in_time_and_when_asked_and_the_old_ones_are_worth_nothing() {
    let mut fleet = Fleet::without_server("keys");
    // A certificate holds twelve seconds, and is renewed after six.
    fleet.server = Some(fleet.controller("ctl", fleet.port, &["--certificates", "12"]));
    let keys = fleet.ctl(&["bundle", "key"]);
    fleet.write("keys", &keys);
    fleet.enrol("web1");
    std::fs::create_dir_all(fleet.path("stolen")).expect("a folder");
    std::fs::copy(
        fleet.path("web1/identity.json"),
        fleet.path("stolen/identity.json"),
    )
    .expect("copied");
    let end = |fleet: &Fleet| {
        json(fleet, &["hosts"])[0]["expires_at"]
            .as_u64()
            .expect("a time")
    };
    let first = end(&fleet);
    // Nobody does anything: a host that waits is told when it asks next; a run makes it ask.
    std::thread::sleep(Duration::from_secs(7));
    works(&fleet);
    until("a new key", &fleet, || {
        fleet.read("web1.log").contains("has a new key")
    });
    until("its certificate", &fleet, || end(&fleet) > first);
    // When asked, at once, though it waits.
    let before = audited(&fleet, "has a new key");
    fleet.ctl(&["hosts", "rotate", "web1"]);
    until("a key that was asked for", &fleet, || {
        audited(&fleet, "has a new key") > before
    });
    until("settled", &fleet, || {
        json(&fleet, &["hosts"])[0]["rotate"] == false
    });
    works(&fleet);
    // Who has the old key is nobody: before it ends, and after.
    let mut thief = fleet.agent_command("web1");
    thief.args(["--trial", "--state"]).arg(fleet.path("stolen"));
    let done = thief.output().expect("runs");
    let why = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(!done.status.success(), "the old key still opens");
    assert!(
        why.contains("no host is known") || why.contains("no answer"),
        "{why}"
    );
    assert_eq!(json(&fleet, &["hosts"]).as_array().map(Vec::len), Some(1));
}

#[test]
fn a_signed_agent_replaces_the_old_one_and_what_does_not_work_is_not_taken() {
    let mut fleet = Fleet::new("update");
    // The agent's own file, which it may replace.
    let agent = fleet.path("bin/lks-agent");
    std::fs::create_dir_all(fleet.path("bin")).expect("a folder");
    // As it is released: without what a debugger reads.
    let stripped = Command::new("strip")
        .arg("-o")
        .args([&agent, &program("lks-agent")])
        .status();
    if !stripped.is_ok_and(|s| s.success()) {
        return eprintln!("skipped: replacing the agent: there is no strip (binutils)");
    }
    let start = |fleet: &Fleet| {
        let described = fleet.agent_command("web1");
        let mut command = Command::new(&agent);
        command
            .args(described.get_args())
            .args(["--probation", "4"]);
        command
            .stdout(fleet.log("web1.log"))
            .stderr(fleet.log("web1.log"));
        Running(command.spawn().expect("starts"))
    };
    let token = fleet.ctl(&["token", "new"]);
    fleet.write("web1.token", &token);
    let running = start(&fleet);
    let process = running.0.id();
    fleet.agents.insert("web1".into(), running);
    until("enrolled", &fleet, || {
        fleet.read("web1.log").contains("this host is")
    });
    let original = std::fs::read(&agent).expect("reads");
    let publish = |fleet: &Fleet, version: &str, bytes: &[u8]| {
        std::fs::write(fleet.path("new"), bytes).expect("written");
        fleet.ctl(&[
            "agent",
            "publish",
            "--as-version",
            version,
            &fleet.path("new").display().to_string(),
        ])
    };
    let refused = |fleet: &Fleet, version: &str, bytes: &[u8], why: &str| {
        let before = audited(fleet, "did not take a new agent");
        publish(fleet, version, bytes);
        until(version, fleet, || {
            audited(fleet, "did not take a new agent") > before
        });
        assert!(
            fleet.read("web1.log").contains(why),
            "{version}: {}",
            fleet.read("web1.log")
        );
        assert!(
            std::fs::read(&agent).expect("reads") == original,
            "{version} is in place"
        );
        works(fleet);
    };
    // Half of a program; one that ends; one that never reports.
    refused(
        &fleet,
        "half",
        &original[..original.len() / 3],
        "half is not taken",
    );
    refused(
        &fleet,
        "ends",
        b"#!/bin/sh\necho no luck >&2; exit 3\n",
        "no luck",
    );
    refused(
        &fleet,
        "hangs",
        b"#!/bin/sh\nsleep 1000\n",
        "it did not report within 4 seconds",
    );
    // Another's signature, on a program that would work.
    let foreign = fleet.path("foreign.key").display().to_string();
    fleet.ctl(&["bundle", "key", "--key", &foreign]);
    let before = audited(&fleet, "did not take a new agent");
    let other = [original.as_slice(), b"foreign"].concat();
    std::fs::write(fleet.path("new"), &other).expect("written");
    fleet.ctl(&[
        "agent",
        "publish",
        "--key",
        &foreign,
        &fleet.path("new").display().to_string(),
    ]);
    until("foreign", &fleet, || {
        audited(&fleet, "did not take a new agent") > before
    });
    assert!(
        fleet
            .read("web1.log")
            .contains("no key that this host trusts has signed it")
    );
    // One that works: really another file, under the same process id, and the host goes on.
    let good = [original.as_slice(), b"another build"].concat();
    publish(&fleet, "good", &good);
    until("taken", &fleet, || audited(&fleet, "took a new agent") == 1);
    assert!(std::fs::read(&agent).expect("reads") == good);
    assert!(std::fs::read(fleet.path("bin/lks-agent.previous")).expect("reads") == original);
    let runs = std::fs::read_link(format!("/proc/{process}/exe")).expect("it runs");
    assert_eq!(runs, agent);
    works(&fleet);
    assert_eq!(json(&fleet, &["agent"]).as_array().map(Vec::len), Some(5));
    // One that passed its trial and then reports nothing: the old one comes back by itself.
    fleet.agents.remove("web1");
    let probation = r#"{"Probation":{"counter":1,"version":"sly","starts":0}}"#;
    fleet.write("web1/update.json", probation);
    let mut command = Command::new(&agent);
    command.args(fleet.agent_command("web1").get_args());
    command.args(["--probation", "2", "--controller", "https://127.0.0.1:1"]);
    command
        .stdout(fleet.log("web1.log"))
        .stderr(fleet.log("web1.log"));
    let lost = Running(command.spawn().expect("starts"));
    until("the old one is back", &fleet, || {
        fleet
            .read("web1.log")
            .contains("sly did not report within 2 seconds; the previous program is back")
    });
    until("its file", &fleet, || {
        std::fs::read(&agent).expect("reads") == original
    });
    drop(lost);
    let before = audited(&fleet, "did not take a new agent");
    let running = start(&fleet);
    fleet.agents.insert("web1".into(), running);
    until("told", &fleet, || {
        audited(&fleet, "did not take a new agent") > before
    });
    works(&fleet);
    // One that reports and then crashes, however often systemd starts it: the old one comes back, too.
    let crashing = [original.as_slice(), b"crashes"].concat();
    publish(&fleet, "crashing", &crashing);
    until("taken", &fleet, || audited(&fleet, "took a new agent") == 2);
    let crash = |fleet: &mut Fleet| {
        fleet.agents.remove("web1");
        std::fs::write(fleet.path("web1.log"), "").expect("emptied");
        let running = start(fleet);
        fleet.agents.insert("web1".into(), running);
        until("it lives", fleet, || {
            fleet.read("web1.log").contains("this host is")
        });
    };
    for _ in 0..4 {
        crash(&mut fleet);
        assert!(std::fs::read(&agent).expect("reads") == crashing);
    }
    let before = audited(&fleet, "did not take a new agent");
    crash(&mut fleet);
    let why = "crashing ended 5 times soon after its start; the previous program is back";
    assert!(
        fleet.read("web1.log").contains(why),
        "{}",
        fleet.read("web1.log")
    );
    assert!(std::fs::read(&agent).expect("reads") == original);
    until("told", &fleet, || {
        audited(&fleet, "did not take a new agent") > before
    });
    works(&fleet);
    // One that ran for long enough has settled, and may be killed as often as one likes.
    fleet.agents.remove("web1");
    let settling = r#"{"Settling":{"counter":1,"version":"calm","starts":4}}"#;
    fleet.write("web1/update.json", settling);
    let mut command = Command::new(&agent);
    command.args(fleet.agent_command("web1").get_args());
    command.args(["--probation", "1"]);
    command
        .stdout(fleet.log("web1.log"))
        .stderr(fleet.log("web1.log"));
    let running = Running(command.spawn().expect("starts"));
    fleet.agents.insert("web1".into(), running);
    until("settled", &fleet, || {
        !fleet.path("web1/update.json").exists()
    });
    crash(&mut fleet);
    assert!(!fleet.read("web1.log").contains("calm"));
    assert!(std::fs::read(&agent).expect("reads") == original);
    works(&fleet);
}

#[test]
fn an_agent_one_minor_version_apart_works_and_one_further_is_told_why_not() {
    let mut fleet = Fleet::new("wire");
    fleet.enrol("web1");
    for (wire, well) in [
        ("1.0", true),
        ("1", true),
        ("1.2", true),
        ("1.3", false),
        ("2.0", false),
        ("x", false),
    ] {
        fleet.agents.remove("web1");
        std::fs::write(fleet.path("web1.log"), "").expect("emptied");
        let mut command = fleet.agent_command("web1");
        command.args(["--wire", wire]);
        command
            .stdout(fleet.log("web1.log"))
            .stderr(fleet.log("web1.log"));
        fleet
            .agents
            .insert("web1".into(), Running(command.spawn().expect("starts")));
        if well {
            works(&fleet);
        } else {
            until(wire, &fleet, || {
                fleet
                    .read("web1.log")
                    .contains("this controller speaks version")
            });
        }
    }
}
