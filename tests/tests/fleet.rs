//! A controller and agents as real processes on loopback: enrolment, signed runs, and kill -9 at any
//! moment of either.

#![allow(clippy::print_stderr)] // what was measured

use lks_tests::fleet::{
    Dice, Fleet, Running, complete, counted_site, forget_output, newest_run, program, start_run,
};
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[test]
fn a_playbook_runs_on_enrolled_hosts_and_all_of_it_is_on_the_controller() {
    let mut fleet = Fleet::new("plain");
    fleet.enrol("web1");
    fleet.enrol("web2");
    let site = "- hosts: all\n  gather_facts: false\n  tasks:\n    - name: Say\n      command: echo {{ who }}\n      register: r\n    - debug: {msg: '{{ r.stdout }} on {{ inventory_hostname }}'}\n";
    fleet.write("site/site.yml", site);
    let path = fleet.path("site/site.yml").display().to_string();
    let out = fleet.ctl(&["run", "-c", "agent", "-e", "who=me", &path]);
    assert!(out.contains("on 2 hosts"), "{out}");
    for host in ["web1", "web2"] {
        let line = out
            .lines()
            .find(|l| l.starts_with(host) && l.contains("changed    Say"));
        assert!(line.is_some(), "{out}");
        let recap = out
            .lines()
            .rfind(|l| l.starts_with(host))
            .unwrap_or_default();
        assert!(
            recap.contains("status 0") && recap.contains("ok=2 changed=1"),
            "{out}"
        );
    }
    let run = out.split_whitespace().nth(1).expect("a run").to_string();
    let text = format!("{:?}", fleet.events(&run));
    assert!(
        text.contains("me on web1") && text.contains("me on web2"),
        "{text}"
    );
    // A limit leaves the other alone, and no match is said.
    let out = fleet.ctl(&["run", "-c", "agent", "-l", "web2", "-e", "who=x", &path]);
    assert!(
        out.contains("on 1 host\n") && !out.contains("web1"),
        "{out}"
    );
    let none = fleet.call(&["run", "-c", "agent", "-l", "db*", &path]);
    assert!(String::from_utf8_lossy(&none.stderr).contains("no enrolled host matches"));
    // A playbook that is wrong is reported, and the agent goes on.
    fleet.write(
        "site/bad.yml",
        "- hosts: all\n  tasks:\n    - no_such_module:\n",
    );
    let bad = fleet.path("site/bad.yml").display().to_string();
    let done = fleet.call(&["run", "-c", "agent", &bad]);
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(
        !done.status.success() && text.contains("no_such_module"),
        "{text}"
    );
}

#[test]
fn a_host_that_joins_runs_what_is_assigned_to_it_once() {
    let mut fleet = Fleet::new("assigned");
    fleet.enrol("web1");
    let site = format!(
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - shell: echo {{{{ inventory_hostname }}}} {{{{ who }}}} >> {}\n",
        fleet.path("lines").display()
    );
    fleet.write("site/site.yml", &site);
    let path = fleet.path("site/site.yml").display().to_string();
    let assign = |who: &str, more: &[&str]| {
        let variable = format!("who={who}");
        let mut words = vec!["bundle", "assign", "--hosts", "web*", "-e", &variable];
        words.extend(more);
        words.push(&path);
        fleet.ctl(&words)
    };
    assign("old", &[]);
    let out = assign("new", &[]);
    assert!(out.contains("`site` to hosts that join as web*"), "{out}");
    assign("late", &["--name", "late", "--expires", "0"]);
    let listed = fleet.ctl(&["bundle", "assigned"]);
    assert_eq!(listed.lines().count(), 3, "{listed}");
    // The controller comes back with what it was told.
    fleet.server = None;
    fleet.start_server();
    for host in ["web2", "db1"] {
        fleet.enrol(host);
    }
    let runs = |fleet: &Fleet| -> Vec<Value> {
        serde_json::from_str(&fleet.ctl(&["runs", "--json"])).expect("JSON")
    };
    let over = |runs: &[Value]| runs.iter().all(|r| !r["hosts"][0][1].is_null());
    let end = Instant::now() + Duration::from_secs(60);
    while runs(&fleet).len() != 2 || !over(&runs(&fleet)) {
        assert!(Instant::now() < end, "{:?}", runs(&fleet));
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(
        fleet.read("lines"),
        "web2 new\n",
        "web1 was in, db1 is none"
    );
    let mut ended: Vec<String> = runs(&fleet)
        .iter()
        .map(|run| {
            let name = run["run"].as_str().expect("a name");
            let told = fleet.call(&["events", name]).stdout;
            format!("{} {}", run["hosts"][0], String::from_utf8_lossy(&told))
        })
        .collect();
    ended.sort();
    assert!(ended[0].starts_with("[\"web2\",0]"), "{ended:?}");
    assert!(ended[1].contains("expired"), "{ended:?}");
    // A host that never heard the answer asks again, with its key: it is given nothing twice.
    let count = runs(&fleet).len();
    fleet.agents.clear();
    let identity = fleet.read("web2/identity.json");
    let mut identity: Value = serde_json::from_str(&identity).expect("JSON");
    identity["certificate"] = Value::Null;
    fleet.write("web2/identity.json", &identity.to_string());
    fleet.write("web2.log", "");
    fleet.start_agent("web2");
    // What is taken back is given to nobody.
    for name in ["site", "late"] {
        fleet.ctl(&["bundle", "unassign", name]);
    }
    fleet.enrol("web3");
    while !fleet.read("web2.log").contains("this host is") {
        assert!(Instant::now() < end, "{}", fleet.read("web2.log"));
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(
        (runs(&fleet).len(), &*fleet.read("lines")),
        (count, "web2 new\n")
    );
    let none = fleet.call(&["bundle", "unassign", "site"]);
    assert!(!none.status.success());
}

#[test]
fn nobody_gets_in_who_should_not_and_no_host_gets_what_is_not_its() {
    let mut fleet = Fleet::new("gates");
    fleet.enrol("web1");
    fleet.enrol("web2");
    // A token of another's is used up; one for another name is no use; a name that is taken is an alarm.
    let refused = |fleet: &Fleet, name: &str, token: &str, state: &str| {
        fleet.write(&format!("{name}.token"), token);
        let mut command = fleet.agent_command(name);
        command.arg("--state").arg(fleet.path(state));
        let done = command.output().expect("the agent runs");
        assert!(!done.status.success());
        String::from_utf8_lossy(&done.stderr).into_owned()
    };
    let token = fleet.ctl(&["token", "new", "--host", "db1"]);
    assert!(refused(&fleet, "web3", &token, "s1").contains("for another host"));
    assert!(refused(&fleet, "web3", "lks-join-00", "s2").contains("join token is none"));
    let token = fleet.ctl(&["token", "new"]);
    assert!(refused(&fleet, "web1", &token, "s3").contains("another key is enrolled"));
    // A controller with another authority is not believed.
    let mut command = fleet.agent_command("web4");
    command.args(["--pin", &"0".repeat(64)]);
    fleet.write("web4.token", &fleet.ctl(&["token", "new"]));
    let child = command
        .stdout(Stdio::null())
        .stderr(fleet.log("web4.log"))
        .spawn();
    let _stranger = Running(child.expect("the agent starts"));
    let end = Instant::now() + Duration::from_secs(20);
    while !fleet.read("web4.log").contains("not enrolled yet") {
        assert!(Instant::now() < end, "{}", fleet.read("web4.log"));
        std::thread::sleep(Duration::from_millis(20));
    }
    let hosts: Vec<Value> = serde_json::from_str(&fleet.ctl(&["hosts", "--json"])).expect("JSON");
    assert_eq!(hosts.len(), 2, "{hosts:?}");
    // A bundle that the hosts' key did not sign runs nowhere, whatever the controller says.
    fleet.write("site/site.yml", &format!("- hosts: all\n  gather_facts: false\n  tasks:\n    - copy: {{dest: {}/written, content: x}}\n", fleet.dir.display()));
    let path = fleet.path("site/site.yml").display().to_string();
    let foreign = Command::new(program("lks-ctl"))
        .args(["bundle", "key", "--key"])
        .arg(fleet.path("foreign.key"))
        .output()
        .expect("runs");
    assert!(foreign.status.success());
    let done = Command::new(program("lks-ctl"))
        .args(["run", "-c", "agent", &path])
        .env("LKS_CONTROLLER", fleet.path("ctl/admin.json"))
        .env("LKS_SIGN_KEY", fleet.path("foreign.key"))
        .output()
        .expect("runs");
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(
        !done.status.success() && text.contains("no key that this host trusts"),
        "{text}"
    );
    assert!(!fleet.path("written").exists());
    // A viewer starts nothing; who is removed or nobody sees nothing.
    fleet.write(
        "eve.json",
        &fleet.ctl(&["operator", "add", "eve", "viewer"]),
    );
    let as_eve = |arguments: &[&str]| {
        let done = Command::new(program("lks-ctl"))
            .args(arguments)
            .env("LKS_CONTROLLER", fleet.path("eve.json"))
            .env("LKS_SIGN_KEY", fleet.path("sign.key"))
            .output()
            .expect("runs");
        (
            done.status.success(),
            String::from_utf8_lossy(&done.stderr).into_owned(),
        )
    };
    assert!(as_eve(&["hosts"]).0);
    for forbidden in [
        &["run", "-c", "agent", &path][..],
        &["token", "new"],
        &["hosts", "revoke", "web1"],
    ] {
        let (well, text) = as_eve(forbidden);
        assert!(
            !well && text.contains("eve is a viewer"),
            "{forbidden:?}: {text}"
        );
    }
    fleet.ctl(&["operator", "remove", "eve"]);
    assert!(as_eve(&["hosts"]).1.contains("operator's token"));
    // A host that is revoked is told so at its next word.
    fleet.ctl(&["hosts", "revoke", "web2"]);
    let end = Instant::now() + Duration::from_secs(40);
    while !fleet.read("web2.log").contains("web2 was revoked") {
        assert!(Instant::now() < end, "{}", fleet.read("web2.log"));
        std::thread::sleep(Duration::from_millis(50));
    }
    let out = fleet.ctl(&["run", "-c", "agent", &path]);
    assert!(out.contains("on 1 host\n"), "{out}");
    assert!(fleet.path("written").exists());
}

#[test]
fn killed_at_any_moment_nothing_is_lost_doubled_or_run_twice() {
    kill_often("kill", 12, 0x9e37_79b9_7f4a_7c15);
}

/// The same for longer: `cargo test -p lks-tests --test fleet -- --ignored`. `LKS_KILLS` asks for more.
#[test]
#[ignore = "takes minutes; twelve of them are in the test above"]
fn killed_a_hundred_times_nothing_is_lost_doubled_or_run_twice() {
    let asked = std::env::var("LKS_KILLS").ok();
    let kills = asked.and_then(|n| n.parse().ok()).unwrap_or(100);
    kill_often("kill-long", kills, 0x2545_f491_4f6c_dd1d);
}

/// Kills agents and the controller so many times at random moments, in as many runs as that takes.
fn kill_often(name: &str, kills: u64, seed: u64) {
    let mut fleet = Fleet::new(name);
    let hosts = ["web1", "web2"];
    let tasks = 12;
    for host in hosts {
        fleet.enrol(host);
    }
    let path = counted_site(&fleet, &hosts, tasks);
    // How fast is this machine today? Who is killed again before it has begun gets nowhere.
    let calm = Instant::now();
    let events = one_run(&mut fleet, &path, 1, |_| {
        std::thread::sleep(Duration::from_millis(20))
    });
    let calm = calm.elapsed();
    let mut dice = Dice(seed);
    let (mut killed, mut runs, mut stored) = ([0; 3], 1, events);
    let began = Instant::now();
    while killed.iter().sum::<u64>() < kills {
        runs += 1;
        assert!(runs < 200, "hosts are too fast to be killed");
        forget_output(&fleet, &hosts);
        stored += one_run(&mut fleet, &path, runs, |fleet| {
            let most = 150 + calm.as_millis() as u64 / 2;
            std::thread::sleep(Duration::from_millis(20 + dice.roll(most)));
            if killed.iter().sum::<u64>() < kills {
                let who = dice.roll(3);
                kill(fleet, who, &mut dice);
                killed[who as usize] += 1;
            }
        });
    }
    eprintln!(
        "{kills} kills (-9): {} of the controller, {} and {} of the agents, in {} runs and {:.0} s; {stored} events, none \
         lost, none twice; no task with a completion on disk ran again",
        killed[0],
        killed[1],
        killed[2],
        runs - 1,
        began.elapsed().as_secs_f64()
    );
}

/// One run from its start to its end, between two looks at which this is done; its events.
fn one_run(
    fleet: &mut Fleet,
    path: &str,
    number: usize,
    mut between: impl FnMut(&mut Fleet),
) -> usize {
    // Started and not followed: `run` would end with a server that is killed.
    let _following = start_run(fleet, path);
    let run = newest_run(fleet, number);
    let end = Instant::now() + Duration::from_secs(300);
    loop {
        let log = || fleet.read("web1.log");
        assert!(Instant::now() < end, "the run does not end: {}", log());
        between(fleet);
        let state = fleet.ctl(&["runs", &run, "--json"]);
        let state: Value = serde_json::from_str(&state).expect("JSON");
        let parts = state["hosts"].as_array().expect("hosts");
        if parts.iter().all(|p| !p[1].is_null()) {
            let well = parts.iter().all(|p| p[1] == 0);
            assert!(well, "{state}: {}", fleet.ctl(&["events", &run]));
            break;
        }
    }
    complete(fleet, &run, &["web1", "web2"], 12);
    fleet.events(&run).len()
}

/// Kills the controller or one of the hosts' agents, and starts it again.
fn kill(fleet: &mut Fleet, who: u64, dice: &mut Dice) {
    let Some(host) = [None, Some("web1"), Some("web2")][who as usize] else {
        fleet.server = None;
        std::thread::sleep(Duration::from_millis(dice.roll(100)));
        return fleet.start_server();
    };
    fleet.agents.remove(host);
    fleet.start_agent(host);
}

#[test]
fn what_a_bundle_says_is_the_same_for_the_same_files() {
    let fleet = Fleet::new("bundle");
    fleet.write("site/site.yml", "- hosts: all\n  tasks: []\n");
    let path = fleet.path("site/site.yml").display().to_string();
    let (a, b) = (fleet.path("a.lksb"), fleet.path("b.lksb"));
    fleet.ctl(&["bundle", "make", &path, "-o", &a.display().to_string()]);
    std::thread::sleep(Duration::from_millis(20));
    fleet.write("site/site.yml", "- hosts: all\n  tasks: []\n");
    fleet.ctl(&["bundle", "make", &path, "-o", &b.display().to_string()]);
    let read = |p: &Path| std::fs::read(p).expect("reads");
    assert_eq!(read(&a), read(&b));
    let name = a.display().to_string();
    let unsigned = fleet.call(&["bundle", "verify", &name]);
    assert!(String::from_utf8_lossy(&unsigned.stderr).contains("not signed"));
    fleet.ctl(&["bundle", "sign", &name, "--expires", "60"]);
    assert!(fleet.ctl(&["bundle", "verify", &name]).contains("site.yml"));
    let mut bytes = read(&a);
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&a, bytes).expect("written");
    assert!(!fleet.call(&["bundle", "verify", &name]).status.success());
    // A link that leaves the folder is not followed.
    std::os::unix::fs::symlink("/etc/passwd", fleet.path("site/link")).expect("a link");
    let out = fleet.call(&["bundle", "make", &path]);
    assert!(String::from_utf8_lossy(&out.stderr).contains("is a link to /etc/passwd"));
}

#[test]
fn a_bundle_that_was_signed_elsewhere_is_run_and_assigned_without_the_key() {
    let mut fleet = Fleet::new("elsewhere");
    fleet.enrol("web1");
    let mark = fleet.path("mark").display().to_string();
    fleet.write(
        "site/site.yml",
        &format!("- hosts: all\n  gather_facts: false\n  tasks:\n    - copy: {{content: \"{{{{ word }}}}\", dest: {mark}}}\n"),
    );
    let book = fleet.path("site/site.yml").display().to_string();
    let file = fleet.path("site.lksb").display().to_string();
    fleet.ctl(&[
        "bundle", "make", &book, "-o", &file, "-e", "word=hi", "--hosts", "web*",
    ]);
    let said = |arguments: &[&str]| {
        let done = fleet.call(arguments);
        assert!(!done.status.success(), "{arguments:?}");
        String::from_utf8_lossy(&done.stderr).into_owned()
    };
    assert!(said(&["run", "-c", "agent", &file]).contains("is not signed"));
    fleet.ctl(&["bundle", "sign", &file]);
    let key = fleet.path("sign.key");
    std::fs::rename(&key, fleet.path("away.key")).expect("moved");
    assert!(said(&["run", "-c", "agent", &file, "--check"]).contains("belongs to `bundle make`"));
    assert!(said(&["run", "-c", "agent", &file, &book]).contains("is run alone"));
    let out = fleet.ctl(&["run", "-c", "agent", &file]);
    assert!(out.contains("changed=1"), "{out}");
    assert_eq!(std::fs::read_to_string(&mark).expect("reads"), "hi");
    let told = fleet.ctl(&["bundle", "assign", &file]);
    assert!(
        told.contains("assigned `site` to hosts that join as web*"),
        "{told}"
    );
    std::fs::rename(fleet.path("away.key"), key).expect("moved back");
}

/// Serves two files over HTTP until the test ends: what is asked for decides which.
fn web(good: &'static str, evil: &'static str) -> u16 {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let mut asked = [0; 2048];
            let n = stream.read(&mut asked).unwrap_or(0);
            let body = if asked[..n].starts_with(b"GET /good") {
                good
            } else {
                evil
            };
            let head = format!(
                "HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(head.as_bytes());
        }
    });
    port
}

#[test]
fn user_data_runs_only_what_it_names_and_may_run_again() {
    let fleet = Fleet::new("boot");
    let port = web("the agent\n", "another program\n");
    let sum = Command::new("sh")
        .args(["-c", "printf 'the agent\\n' | sha256sum"])
        .output()
        .expect("sha256sum");
    let sum = String::from_utf8_lossy(&sum.stdout)[..64].to_string();
    let evil = format!("http://127.0.0.1:{port}/evil");
    let good = format!("http://127.0.0.1:{port}/good");
    let script = |urls: &[&str]| {
        let mut arguments = vec!["bootstrap", "--sha256", &sum];
        for url in urls {
            arguments.extend(["--agent-url", url]);
        }
        // The script of a host, below a folder, with a systemctl that notes what it is asked.
        let root = fleet.dir.display();
        fleet
            .ctl(&arguments)
            .replace("/usr/local/bin", &format!("{root}/bin"))
            .replace("/etc/systemd/system", &format!("{root}/units"))
            .replace("etc=/etc/lks", &format!("etc={root}/etc"))
            .replace("state=/var/lib", &format!("state={root}/lib"))
            .replace("sleep 5", "sleep 0")
            .replace("[ -w /dev/console ]", "false")
    };
    for folder in ["units", "tools"] {
        std::fs::create_dir_all(fleet.path(folder)).expect("a folder");
    }
    let noted = fleet.path("noted");
    fleet.write(
        "tools/systemctl",
        &format!("#!/bin/sh\necho \"$@\" >> {}\n", noted.display()),
    );
    let run = |text: &str| {
        fleet.write("user-data", text);
        let path = std::env::var("PATH").unwrap_or_default();
        let done = Command::new("sh")
            .args(["-c", "chmod +x tools/systemctl && exec sh user-data"])
            .current_dir(&fleet.dir)
            .env("PATH", format!("{}:{path}", fleet.path("tools").display()))
            .output()
            .expect("sh");
        (
            done.status.success(),
            String::from_utf8_lossy(&done.stdout).into_owned(),
        )
    };
    let (well, text) = run(&script(&[&evil]));
    assert!(!well && text.contains("FAILED"), "{text}");
    assert!(
        !fleet.path("bin/lks-agent").exists() && !noted.exists(),
        "nothing is installed"
    );
    let user_data = script(&[&evil, &good]);
    let (well, text) = run(&user_data);
    assert!(
        well && text.contains("that is another file: not used"),
        "{text}"
    );
    assert_eq!(fleet.read("bin/lks-agent"), "the agent\n");
    assert!(fleet.read("etc/join-token").starts_with("lks-join-"));
    assert!(
        fleet
            .read("units/lks-agent.service")
            .contains("--controller https://127.0.0.1")
    );
    assert!(
        fleet
            .read("noted")
            .contains("restart --no-block lks-agent.service")
    );
    // The next boot: the agent is there, and a token that was used does not come back.
    std::fs::remove_file(fleet.path("etc/join-token")).expect("removed");
    let (well, text) = run(&user_data);
    assert!(well && text.contains("the agent is here"), "{text}");
    assert!(!fleet.path("etc/join-token").exists());
    assert_eq!(fleet.read("noted").matches("daemon-reload").count(), 1);
    // Another host's user-data (an image was taken of this one) brings its own token.
    assert!(run(&script(&[&good])).0);
    assert!(fleet.path("etc/join-token").exists());
}
