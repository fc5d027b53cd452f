//! A controller and agents as real processes on loopback, in one folder.

use crate::ports::free_port;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The programs, built beside these tests.
pub fn program(name: &str) -> PathBuf {
    static BUILT: std::sync::Once = std::sync::Once::new();
    BUILT.call_once(|| {
        let built = crate::cargo::command()
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
    let beside = own.parent().expect("a folder");
    // Tests lie a folder deeper than programs.
    let folder = if beside.ends_with("deps") {
        beside.parent().expect("a folder")
    } else {
        beside
    };
    folder.join(name)
}

/// A process that is killed with this value.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A folder with a controller, an operator and agents in it.
pub struct Fleet {
    /// The folder.
    pub dir: PathBuf,
    /// Where agents find a controller.
    pub port: u16,
    /// What `lks-ctl` is told of it, below the folder.
    pub admin: String,
    /// Variables of the controller's environment.
    pub server_env: Vec<(String, String)>,
    /// The controller.
    pub server: Option<Running>,
    /// Agents, by name.
    pub agents: BTreeMap<String, Running>,
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
    /// A folder with a controller that runs, and keys that sign.
    pub fn new(name: &str) -> Self {
        let mut fleet = Self::without_server(name);
        fleet.start_server();
        let keys = fleet.ctl(&["bundle", "key"]);
        fleet.write("keys", &keys);
        fleet
    }

    /// A folder in which nothing runs yet.
    pub fn without_server(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("lks-fleet-{name}-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("site")).expect("folders");
        Self {
            dir,
            port: free_port(),
            admin: "ctl/admin.json".into(),
            server_env: Vec::new(),
            server: None,
            agents: BTreeMap::new(),
        }
    }

    /// A path below the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Writes a file of the folder.
    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("written");
    }

    /// The text of a file of the folder; empty if there is none.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// A file of the folder that a process writes its output to.
    pub fn log(&self, name: &str) -> Stdio {
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.path(name));
        Stdio::from(log.expect("a log"))
    }

    /// Starts the controller, and waits until it answers.
    pub fn start_server(&mut self) {
        self.server = Some(self.controller("ctl", self.port, &[]));
    }

    /// Starts a controller with this data folder at this port, and waits until it answers.
    pub fn controller(&self, data: &str, port: u16, flags: &[&str]) -> Running {
        let child = Command::new(program("lks-ctl"))
            .args(["serve", "--name", "127.0.0.1", "--data"])
            .arg(self.path(data))
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .args(flags)
            .envs(self.server_env.iter().cloned())
            .stdout(self.log("server.log"))
            .stderr(self.log("server.log"))
            .spawn();
        let running = Running(child.expect("the server starts"));
        let admin = self.path(data).join("admin.json");
        let end = Instant::now() + Duration::from_secs(30);
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() || !admin.exists() {
            assert!(Instant::now() < end, "{}", self.read("server.log"));
            std::thread::sleep(Duration::from_millis(10));
        }
        running
    }

    /// What agents pin.
    pub fn pin(&self) -> String {
        let admin: Value = serde_json::from_str(&self.read(&self.admin)).expect("JSON");
        admin["pin"].as_str().expect("a pin").to_string()
    }

    /// The command that starts an agent of this name.
    pub fn agent_command(&self, name: &str) -> Command {
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

    /// Starts an agent that is enrolled, or has a token.
    pub fn start_agent(&mut self, name: &str) {
        let child = self
            .agent_command(name)
            .stdout(self.log(&format!("{name}.log")))
            .stderr(self.log(&format!("{name}.log")))
            .spawn();
        self.agents
            .insert(name.to_string(), Running(child.expect("the agent starts")));
    }

    /// Enrols a host, and leaves its agent running.
    pub fn enrol(&mut self, name: &str) {
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

    /// Calls `lks-ctl` as the admin.
    pub fn call(&self, arguments: &[&str]) -> Output {
        Command::new(program("lks-ctl"))
            .args(arguments)
            .env("LKS_CONTROLLER", self.path(&self.admin))
            .env("LKS_SIGN_KEY", self.path("sign.key"))
            .stdin(Stdio::null())
            .output()
            .expect("lks-ctl runs")
    }

    /// What `lks-ctl` printed, called as the admin.
    pub fn ctl(&self, arguments: &[&str]) -> String {
        let done = self.call(arguments);
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        let error = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{arguments:?}: {text}{error}");
        text
    }

    /// All events of a run, each with the agent that sent it.
    pub fn events(&self, run: &str) -> Vec<(String, Value)> {
        events_of(&self.ctl(&["events", run, "--json"]))
    }
}

/// What `lks-ctl events RUN --json` printed, each event with the agent that sent it.
pub fn events_of(text: &str) -> Vec<(String, Value)> {
    let lines = text.lines().map(|line| {
        let stored: Value = serde_json::from_str(line).expect("JSON");
        let agent = stored["agent"].as_str().expect("an agent").to_string();
        (agent, stored["event"].clone())
    });
    lines.collect()
}

/// Random enough, and the same for the same seed.
pub struct Dice(pub u64);

impl Dice {
    /// A number below this one.
    pub fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

/// The run that was started as the n-th.
pub fn newest_run(fleet: &Fleet, n: usize) -> String {
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
pub fn complete(fleet: &Fleet, run: &str, hosts: &[&str], tasks: usize) {
    let read = |name: &str| std::fs::read_to_string(fleet.path(name)).ok();
    judge(fleet.events(run), read, hosts, tasks);
}

/// Holds stored events, each with the agent that sent it, against the files of hosts.
pub fn judge(
    events: Vec<(String, Value)>,
    read: impl Fn(&str) -> Option<String>,
    hosts: &[&str],
    tasks: usize,
) {
    let mut numbers: BTreeMap<(String, String), Vec<u64>> = BTreeMap::new();
    let mut names: BTreeMap<(String, u64), String> = BTreeMap::new();
    let mut ended: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    let mut once: BTreeMap<(String, String), usize> = BTreeMap::new();
    for (agent, event) in events {
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
        let lines = read(&format!("out/{host}/lines")).unwrap_or_default();
        for n in 0..tasks {
            let count = lines.lines().filter(|l| *l == format!("c{n}")).count();
            let status = ended[&((*host).to_string(), format!("c{n}"))][0].as_str();
            match status {
                "changed" => assert_eq!(count, 1, "c{n} on {host} is told to have run: {lines}"),
                "skipped" => assert!(count <= 1, "c{n} on {host} ran twice: {lines}"),
                other => panic!("c{n} on {host}: {other}"),
            }
            let written = read(&format!("out/{host}/w{n}"));
            let want = (0..=n).fold(String::from("0"), |kept, i| format!("k{i}-{kept}"));
            assert_eq!(written.as_deref(), Some(&*want), "w{n} on {host}");
        }
    }
}

/// A playbook of `tasks` times three tasks that tell how often they ran, for [`complete`].
pub fn counted_site(fleet: &Fleet, hosts: &[&str], tasks: usize) -> String {
    slow_counted_site(fleet, hosts, tasks, 0.03)
}

/// The same, in which each round takes so many seconds.
pub fn slow_counted_site(fleet: &Fleet, hosts: &[&str], tasks: usize, seconds: f64) -> String {
    for host in hosts {
        std::fs::create_dir_all(fleet.path(&format!("out/{host}"))).expect("a folder");
    }
    let site = site_text(&fleet.dir, tasks, seconds);
    fleet.write("site/site.yml", &site);
    fleet.path("site/site.yml").display().to_string()
}

/// Such a playbook's text, of hosts that write below `DIR/out/NAME`.
pub fn site_text(dir: &std::path::Path, tasks: usize, seconds: f64) -> String {
    let mut site = String::from(
        "- hosts: all\n  gather_facts: false\n  vars: {lks_in_flight: skip}\n  tasks:\n",
    );
    for n in 0..tasks {
        let out = format!("{}/out/{{{{ inventory_hostname }}}}", dir.display());
        site.push_str(&format!(
            "    - name: c{n}\n      shell: echo c{n} >> {out}/lines; sleep {seconds}\n\
             \x20   - name: f{n}\n      set_fact: {{kept{n}: 'k{n}-{{{{ kept{} | default(0) }}}}'}}\n\
             \x20   - name: w{n}\n      copy: {{dest: '{out}/w{n}', content: '{{{{ kept{n} }}}}'}}\n",
            n.max(1) - 1
        ));
    }
    site
}

/// Forgets what hosts wrote in an earlier run.
pub fn forget_output(fleet: &Fleet, hosts: &[&str]) {
    for host in hosts {
        let dir = fleet.path(&format!("out/{host}"));
        for entry in std::fs::read_dir(dir).expect("reads").flatten() {
            std::fs::remove_file(entry.path()).expect("removed");
        }
    }
}

/// Starts a run that nobody follows any more when this is dropped.
pub fn start_run(fleet: &Fleet, path: &str) -> Running {
    let started = Command::new(program("lks-ctl"))
        .args(["run", "-c", "agent", path])
        .env("LKS_CONTROLLER", fleet.path(&fleet.admin))
        .env("LKS_SIGN_KEY", fleet.path("sign.key"))
        .stdout(fleet.log("run.log"))
        .stderr(Stdio::null())
        .spawn();
    Running(started.expect("runs"))
}
