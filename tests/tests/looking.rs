//! What an operator sees of a fleet: lists, facts, and a run that is followed.

use lks_tests::fleet::{Fleet, program};
use serde_json::Value;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn json(fleet: &Fleet, words: &[&str]) -> Value {
    let text = fleet.ctl(&[words, &["--json"]].concat());
    serde_json::from_str(&text).expect("JSON")
}

/// Runs a playbook of so many small tasks on all hosts; the run's name.
fn run_of(fleet: &Fleet, tasks: usize, each: &str) -> String {
    let mut site = String::from("- hosts: all\n  gather_facts: false\n  tasks:\n");
    for n in 0..tasks {
        site.push_str(&format!("    - name: t{n}\n      {each}\n"));
    }
    fleet.write("site/site.yml", &site);
    let path = fleet.path("site/site.yml").display().to_string();
    let out = fleet.ctl(&["run", "-c", "agent", &path]);
    assert!(out.contains("status 0"), "{out}");
    out.split_whitespace()
        .nth(1)
        .expect("a run's name")
        .to_owned()
}

#[test]
fn facts_and_lists_come_as_tables_and_as_json() {
    let mut fleet = Fleet::new("facts");
    fleet.enrol("web1");
    let run = run_of(&fleet, 1, "command: 'true'");
    let site = fleet.path("site/site.yml").display().to_string();
    fleet.ctl(&["bundle", "assign", "--hosts", "db*,mail", &site]);
    let end = Instant::now() + Duration::from_secs(60);
    while !fleet.ctl(&["facts"]).contains("web1") {
        assert!(Instant::now() < end, "{}", fleet.read("web1.log"));
        std::thread::sleep(Duration::from_millis(50));
    }
    let table = fleet.ctl(&["facts", "web*"]);
    assert!(
        table.starts_with("host") && table.lines().count() == 2,
        "{table}"
    );
    let facts = json(&fleet, &["facts"]);
    let told = &facts[0]["facts"];
    assert!(
        told["kernel"].is_string() && told["memtotal_mb"].is_u64(),
        "{told}"
    );
    assert!(told["env"].is_null(), "an environment may hold secrets");
    assert_eq!(fleet.ctl(&["facts", "db*"]).lines().count(), 1);
    for words in [
        &["hosts"][..],
        &["runs"],
        &["runs", &run],
        &["token"],
        &["operator"],
        &["agent"],
        &["bundle", "assigned"],
        &["facts"],
    ] {
        assert!(
            json(&fleet, words).is_array() || json(&fleet, words).is_object(),
            "{words:?}"
        );
        let table = fleet.ctl(words);
        // Programs count seconds since 1970, people do not.
        let seconds = |word: &str| word.parse::<u64>().is_ok_and(|n| n > 1_000_000_000);
        assert!(
            !table.is_empty() && !table.split_whitespace().any(seconds),
            "{words:?}: {table}"
        );
    }
    assert!(json(&fleet, &["hosts"])[0]["seen_at"].is_u64());
    let hosts = fleet.ctl(&["hosts"]);
    assert!(hosts.contains(" s ago") && hosts.contains("Z  "), "{hosts}");
    let runs = fleet.ctl(&["runs"]);
    assert!(runs.contains("Z  1 of 1 over"), "{runs}");
    assert!(fleet.ctl(&["events", &run]).contains("over"));
    for line in fleet.ctl(&["events", &run, "--json"]).lines() {
        serde_json::from_str::<Value>(line).expect("JSON");
    }
}

/// How many requests the controller was asked, this one among them.
fn requests(fleet: &Fleet) -> usize {
    let admin: Value = serde_json::from_str(&fleet.read(&fleet.admin)).expect("JSON");
    let client = lks_agent::uplink::Client::new(
        admin["controller"].as_str().expect("an address"),
        admin["pin"].as_str().expect("a pin"),
        None,
    );
    let client = client
        .expect("a client")
        .with_bearer(admin["token"].as_str().expect("a token"));
    let answer = client.get("/metrics").expect("answers");
    let text = String::from_utf8_lossy(answer.body().expect("metrics")).into_owned();
    let line = text
        .lines()
        .find_map(|l| l.strip_prefix("lks_requests_total "));
    line.and_then(|n| n.parse().ok()).expect("a number")
}

#[test]
fn who_follows_a_run_is_told_each_thing_once_and_asks_for_nothing_twice() {
    let mut fleet = Fleet::new("follow");
    fleet.enrol("web1");
    let run = run_of(&fleet, 600, "debug: {msg: x}");
    // Nobody else asks.
    fleet.agents.clear();
    let all = fleet.ctl(&["events", &run, "--json"]);
    let count = all.lines().count();
    assert!(count > 1200, "{count} events");
    for how in [&["--follow"][..], &[], &["--follow", "--json"]] {
        let before = requests(&fleet);
        let told = fleet.ctl(&[&["events", &run], how].concat());
        let asked = requests(&fleet) - before - 1;
        // Each page, that there is none behind them, and for people how the hosts ended.
        let people = usize::from(!how.contains(&"--json"));
        assert_eq!(asked, count.div_ceil(1000) + 1 + people, "{how:?}");
        if people == 0 {
            assert_eq!(told, all);
        } else {
            assert_eq!(told.matches(" t599\n").count(), 1);
            assert!(told.contains("status 0   ok=600"), "{told}");
        }
    }
    // Who follows from the middle of a run on sees all of it, and its end.
    fleet.start_agent("web1");
    fleet.write(
        "site/slow.yml",
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - command: sleep {{ item }}\n      loop: [0.1, 0.1]\n    - command: sleep 1\n    - command: 'true'\n",
    );
    let slow = fleet.path("site/slow.yml").display().to_string();
    let mut starter = Command::new(program("lks-ctl"))
        .args(["run", "-c", "agent", &slow])
        .env("LKS_CONTROLLER", fleet.path(&fleet.admin))
        .env("LKS_SIGN_KEY", fleet.path("sign.key"))
        .stdout(Stdio::null())
        .spawn()
        .expect("lks-ctl runs");
    let name = lks_tests::fleet::newest_run(&fleet, 2);
    let told = fleet.ctl(&["events", &name, "--follow", "--json"]);
    assert!(starter.wait().expect("ends").success());
    assert_eq!(told, fleet.ctl(&["events", &name, "--json"]));
    assert!(told.contains("run_finished"), "{told}");
}
