//! A controller and agents as real processes on loopback: enrolment, signed runs, and kill -9 at any
//! moment of either.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The programs, built beside these tests.
fn program(name: &str) -> PathBuf {
    static BUILT: std::sync::Once = std::sync::Once::new();
    BUILT.call_once(|| {
        let built = Command::new(env!("CARGO"))
            .args([
                "build",
                "-p",
                "lks-ctl",
                "-p",
                "lks-agent",
                "--quiet",
                "--offline",
            ])
            .status();
        assert!(
            built.is_ok_and(|s| s.success()),
            "the programs do not build"
        );
    });
    let own = std::env::current_exe().expect("a path");
    own.ancestors().nth(2).expect("target/…/debug").join(name)
}

/// A process that is killed with this value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A folder with a controller, an operator and agents in it.
struct Fleet {
    dir: PathBuf,
    port: u16,
    server: Option<Running>,
    agents: BTreeMap<String, Running>,
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.agents.clear();
        self.server = None;
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.dir);
        }
    }
}

impl Fleet {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("lks-fleet-{name}-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("site")).expect("folders");
        let socket = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = socket.local_addr().expect("an address").port();
        drop(socket);
        let mut fleet = Self {
            dir,
            port,
            server: None,
            agents: BTreeMap::new(),
        };
        fleet.start_server();
        let keys = fleet.ctl(&["bundle", "key"]);
        fleet.write("keys", &keys);
        fleet
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("written");
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn log(&self, name: &str) -> Stdio {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path(name));
        Stdio::from(log.expect("a log"))
    }

    fn start_server(&mut self) {
        let child = Command::new(program("lks-ctl"))
            .args(["serve", "--name", "127.0.0.1", "--data"])
            .arg(self.path("ctl"))
            .args(["--listen", &format!("127.0.0.1:{}", self.port)])
            .stdout(self.log("server.log"))
            .stderr(self.log("server.log"))
            .spawn();
        self.server = Some(Running(child.expect("the server starts")));
        let end = Instant::now() + Duration::from_secs(30);
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err()
            || !self.path("ctl/admin.json").exists()
        {
            assert!(Instant::now() < end, "{}", self.read("server.log"));
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn pin(&self) -> String {
        let admin: Value = serde_json::from_str(&self.read("ctl/admin.json")).expect("JSON");
        admin["pin"].as_str().expect("a pin").to_string()
    }

    fn agent_command(&self, name: &str) -> Command {
        let mut command = Command::new(program("lks-agent"));
        command
            .args([
                "daemon",
                "--name",
                name,
                "--pin",
                &self.pin(),
                "--controller",
            ])
            .arg(format!("https://127.0.0.1:{}", self.port))
            .arg("--token-file")
            .arg(self.path(&format!("{name}.token")))
            .arg("--bundle-keys")
            .arg(self.path("keys"))
            .arg("--state")
            .arg(self.path(name));
        command
    }

    fn start_agent(&mut self, name: &str) {
        let child = self
            .agent_command(name)
            .stdout(self.log(&format!("{name}.log")))
            .stderr(self.log(&format!("{name}.log")))
            .spawn();
        self.agents
            .insert(name.to_string(), Running(child.expect("the agent starts")));
    }

    fn enrol(&mut self, name: &str) {
        let token = self.ctl(&["token", "new"]);
        self.write(&format!("{name}.token"), &token);
        self.start_agent(name);
        let end = Instant::now() + Duration::from_secs(30);
        while !self.read(&format!("{name}.log")).contains("this host is") {
            assert!(
                Instant::now() < end,
                "{}",
                self.read(&format!("{name}.log"))
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn call(&self, arguments: &[&str]) -> Output {
        Command::new(program("lks-ctl"))
            .args(arguments)
            .env("LKS_CONTROLLER", self.path("ctl/admin.json"))
            .env("LKS_SIGN_KEY", self.path("sign.key"))
            .stdin(Stdio::null())
            .output()
            .expect("lks-ctl runs")
    }

    fn ctl(&self, arguments: &[&str]) -> String {
        let done = self.call(arguments);
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        let error = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{arguments:?}: {text}{error}");
        text
    }

    fn events(&self, run: &str) -> Vec<(String, Value)> {
        self.ctl(&["events", run, "--json"])
            .lines()
            .map(|line| {
                let stored: Value = serde_json::from_str(line).expect("JSON");
                let agent = stored["agent"].as_str().expect("an agent").to_string();
                (agent, stored["event"].clone())
            })
            .collect()
    }
}

/// Random enough, and the same for the same seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

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
    assert!(out.contains("on 1 hosts") && !out.contains("web1"), "{out}");
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
    assert!(out.contains("on 1 hosts"), "{out}");
    assert!(fleet.path("written").exists());
}

/// How many times something is killed. `LKS_KILLS` asks for more.
fn kills() -> u64 {
    let asked = std::env::var("LKS_KILLS").ok();
    asked.and_then(|n| n.parse().ok()).unwrap_or(30)
}

#[test]
fn killed_at_any_moment_nothing_is_lost_doubled_or_run_twice() {
    let mut fleet = Fleet::new("kill");
    let hosts = ["web1", "web2"];
    for host in hosts {
        fleet.enrol(host);
        std::fs::create_dir_all(fleet.path(&format!("out/{host}"))).expect("a folder");
    }
    let mut site = String::from(
        "- hosts: all\n  gather_facts: false\n  vars: {lks_in_flight: skip}\n  tasks:\n",
    );
    let tasks = 12;
    for n in 0..tasks {
        let out = format!("{}/out/{{{{ inventory_hostname }}}}", fleet.dir.display());
        site.push_str(&format!(
            "    - name: c{n}\n      shell: echo c{n} >> {out}/lines; sleep 0.03\n\
             \x20   - name: f{n}\n      set_fact: {{kept{n}: 'k{n}-{{{{ kept{} | default(0) }}}}'}}\n\
             \x20   - name: w{n}\n      copy: {{dest: '{out}/w{n}', content: '{{{{ kept{n} }}}}'}}\n",
            n.max(1) - 1
        ));
    }
    fleet.write("site/site.yml", &site);
    let path = fleet.path("site/site.yml").display().to_string();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let (mut killed, mut runs) = (0, 0);
    while killed < kills() {
        runs += 1;
        assert!(runs < 200, "hosts are too fast to be killed");
        for host in hosts {
            for entry in std::fs::read_dir(fleet.path(&format!("out/{host}")))
                .expect("reads")
                .flatten()
            {
                std::fs::remove_file(entry.path()).expect("removed");
            }
        }
        // Started and not followed: `run` would end with a server that is killed.
        let started = Command::new(program("lks-ctl"))
            .args(["run", "-c", "agent", &path])
            .env("LKS_CONTROLLER", fleet.path("ctl/admin.json"))
            .env("LKS_SIGN_KEY", fleet.path("sign.key"))
            .stdout(fleet.log("run.log"))
            .stderr(Stdio::null())
            .spawn();
        let _following = Running(started.expect("runs"));
        let run = newest_run(&fleet, runs);
        let end = Instant::now() + Duration::from_secs(120);
        loop {
            assert!(
                Instant::now() < end,
                "the run does not end: {}",
                fleet.read("web1.log")
            );
            std::thread::sleep(Duration::from_millis(20 + dice.roll(150)));
            if killed < kills() {
                match dice.roll(3) {
                    0 => {
                        fleet.server = None;
                        std::thread::sleep(Duration::from_millis(dice.roll(100)));
                        fleet.start_server();
                    }
                    n => {
                        let host = hosts[n as usize - 1];
                        fleet.agents.remove(host);
                        fleet.start_agent(host);
                    }
                }
                killed += 1;
            }
            let state: Value =
                serde_json::from_str(&fleet.ctl(&["runs", &run, "--json"])).expect("JSON");
            let parts = state["hosts"].as_array().expect("hosts");
            if parts.iter().all(|p| !p[1].is_null()) {
                let well = parts.iter().all(|p| p[1] == 0);
                assert!(well, "{state}: {}", fleet.ctl(&["events", &run]));
                break;
            }
        }
        complete(&fleet, &run, &hosts, tasks);
    }
}

/// The run that was started as the n-th.
fn newest_run(fleet: &Fleet, n: usize) -> String {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let runs: Vec<Value> = serde_json::from_str(&fleet.ctl(&["runs", "--json"])).expect("JSON");
        if runs.len() == n {
            return runs[0]["run"].as_str().expect("a name").to_string();
        }
        assert!(Instant::now() < end, "the run does not start");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Holds what the controller has of a run against what the hosts did.
fn complete(fleet: &Fleet, run: &str, hosts: &[&str], tasks: usize) {
    let mut numbers: BTreeMap<(String, String), Vec<u64>> = BTreeMap::new();
    let mut names: BTreeMap<(String, u64), String> = BTreeMap::new();
    let mut ended: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    let mut once: BTreeMap<(String, String), usize> = BTreeMap::new();
    for (agent, event) in fleet.events(run) {
        let text = |v: &Value| v.as_str().unwrap_or_default().to_string();
        let host = text(&event["host"]);
        numbers
            .entry((agent.clone(), host))
            .or_default()
            .push(event["seq"].as_u64().expect("a number"));
        match event["type"].as_str().expect("a type") {
            "task_started" => {
                let id = event["task"]["id"].as_u64().expect("an id");
                names.insert((agent, id), text(&event["task"]["name"]));
            }
            "task_finished" => {
                let id = event["task"].as_u64().expect("an id");
                let name = names
                    .get(&(agent.clone(), id))
                    .expect("a task that began")
                    .clone();
                let status = text(&event["report"]["status"]);
                ended.entry((agent, name)).or_default().push(status);
            }
            kind @ ("run_started" | "run_finished") => {
                *once.entry((agent, kind.to_string())).or_default() += 1;
            }
            _ => {}
        }
    }
    for (who, mut list) in numbers {
        list.sort_unstable();
        let want: Vec<u64> = (1..=list.len() as u64).collect();
        assert_eq!(list, want, "events of {who:?} have gaps");
    }
    assert!(
        once.values().all(|n| *n == 1) && once.len() == 2 * hosts.len(),
        "{once:?}"
    );
    let of_every_task: BTreeSet<usize> = ended.values().map(Vec::len).collect();
    assert_eq!(of_every_task, BTreeSet::from([1]), "{ended:?}");
    assert_eq!(ended.len(), hosts.len() * tasks * 3, "{ended:?}");
    for host in hosts {
        let lines = fleet.read(&format!("out/{host}/lines"));
        for n in 0..tasks {
            let count = lines.lines().filter(|l| *l == format!("c{n}")).count();
            let status = ended[&((*host).to_string(), format!("c{n}"))][0].as_str();
            match status {
                "changed" => assert_eq!(count, 1, "c{n} on {host} is told to have run: {lines}"),
                "skipped" => assert!(count <= 1, "c{n} on {host} ran twice: {lines}"),
                other => panic!("c{n} on {host}: {other}"),
            }
            let written = std::fs::read_to_string(fleet.path(&format!("out/{host}/w{n}")));
            let want = (0..=n).fold(String::from("0"), |kept, i| format!("k{i}-{kept}"));
            assert_eq!(written.ok().as_deref(), Some(&*want), "w{n} on {host}");
        }
    }
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
