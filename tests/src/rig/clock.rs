//! A clock that jumps, on a host with a kernel of its own: `date -s` while a controller and an agent work,
//! both of them on the host, or one there and the other beside it with a clock that is right. Elsewhere it
//! cannot be tried: a namespace shifts only the clocks that count from the boot, and no library can be put in
//! front of a static program.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::options::Options;
use super::playbook_run::AGENT;
use super::stage::{say, stage};
use super::vm::Vm;
use super::{Attempt, Result, disk, ensure, ollama, process};
use crate::fleet::{events_of, judge, site_text};

/// Rounds of tasks of a run, and seconds that each takes: long enough for a jump in its middle.
const ROUNDS: usize = 10;
const EACH: f64 = 1.0;
/// How long a host that wants in is watched while the clock is wrong.
const WATCHED: Duration = Duration::from_secs(15);
/// Around the life of a bundle and of a join token, and before every certificate's first day.
const JUMPS: [(&str, &str); 4] = [
    ("a minute ahead", "+60"),
    ("a minute back", "-60"),
    ("two days ahead", "+172800"),
    ("to 1970, as a host without a clock boots", "@86400"),
];

/// Where a program of the fleet runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// On the host whose clock jumps.
    Host,
    /// On this machine, beside it.
    Beside,
}

/// Who lives with the clock that jumps.
#[derive(Clone, Copy, Debug)]
struct Case {
    /// How the command line calls it.
    name: &'static str,
    what: &'static str,
    controller: Place,
    agent: Place,
    /// People have a right clock where anybody has.
    operator: Place,
    /// The controller's address for all of them.
    address: &'static str,
}

const CASES: [Case; 3] = [
    Case {
        name: "both",
        what: "the controller and the agent",
        controller: Place::Host,
        agent: Place::Host,
        operator: Place::Host,
        address: "127.0.0.1",
    },
    Case {
        name: "agent",
        what: "the agent alone",
        controller: Place::Beside,
        agent: Place::Host,
        operator: Place::Beside,
        address: "10.77.0.1",
    },
    Case {
        name: "controller",
        what: "the controller alone",
        controller: Place::Host,
        agent: Place::Beside,
        operator: Place::Beside,
        address: "10.77.0.10",
    },
];

/// Whether a word names a case.
#[must_use]
pub fn is_case(word: &str) -> bool {
    CASES.iter().any(|case| case.name == word)
}

/// Every jump in the middle of a run, and back again after it, for each case or the one of this name.
///
/// # Errors
/// When an event is lost or doubled, a task ran twice, or somebody does not recover.
pub fn run(options: &Options, ctl: &Path, only: Option<&str>) -> Result<()> {
    stage("images", || disk::get().and_then(|_| ollama::get()))?;
    let mut vm = stage("boot", Vm::boot)?;
    vm.copy_in(&options.agent, AGENT)?;
    vm.copy_in(ctl, "/usr/local/bin/lks-ctl")?;
    // Nobody else sets this clock.
    vm.exec("systemctl disable --now systemd-timesyncd 2>/dev/null || true")?;
    for case in CASES {
        if only.is_some_and(|name| name != case.name) {
            continue;
        }
        let programs = [ctl.to_path_buf(), options.agent.clone()];
        let mut fleet = stage(&format!("a fleet: the clock of {}", case.what), || {
            Fleet::start(&mut vm, case, programs)
        })?;
        for (number, (what, jump)) in JUMPS.iter().enumerate() {
            stage(&format!("it jumps {what}"), || {
                fleet.through(number + 1, jump)
            })?;
        }
        fleet.end()?;
    }
    Ok(())
}

/// A controller, an operator and agents.
struct Fleet<'v> {
    vm: &'v mut Vm,
    case: Case,
    /// `lks-ctl` and `lks-agent` of this machine.
    programs: [PathBuf; 2],
    pin: String,
}

impl<'v> Fleet<'v> {
    fn start(vm: &'v mut Vm, case: Case, programs: [PathBuf; 2]) -> Result<Self> {
        let pin = String::new();
        let mut fleet = Self {
            vm,
            case,
            programs,
            pin,
        };
        for place in [Place::Host, Place::Beside] {
            let dir = fleet.dir(place);
            fleet.sh(place, &format!("rm -rf {dir}/* && mkdir -p {dir}/site"))?;
        }
        let address = case.address;
        fleet.spawn(
            case.controller,
            "server",
            &format!("$CTL serve --name {address} --listen {address}:8443 --data ctl"),
        )?;
        let up = format!("test -s ctl/admin.json && bash -c '</dev/tcp/{address}/8443'");
        fleet.eventually(case.controller, &up)?;
        let admin = fleet.sh(case.controller, "cat ctl/admin.json")?;
        fleet.write(case.operator, "admin.json", &admin)?;
        let admin: Value = serde_json::from_str(&admin).attempt("admin.json")?;
        admin["pin"]
            .as_str()
            .unwrap_or_default()
            .clone_into(&mut fleet.pin);
        let agents = PathBuf::from(fleet.dir(case.agent));
        fleet.write(
            case.operator,
            "site/site.yml",
            &site_text(&agents, ROUNDS, EACH),
        )?;
        let keys = fleet.sh(case.operator, "$CTL bundle key")?;
        fleet.write(case.agent, "keys", &keys)?;
        fleet.sh(case.agent, "mkdir -p out/web1")?;
        fleet.bring_token("web1")?;
        fleet.agent("web1")?;
        fleet.eventually(case.agent, "grep -q 'this host is' web1.log")?;
        Ok(fleet)
    }

    /// The fleet's folder at a place; relative paths are below it.
    fn dir(&mut self, place: Place) -> String {
        match place {
            Place::Host => "/root/fleet".into(),
            Place::Beside => {
                let namespace = self.vm.around().namespace.dir();
                namespace.join("fleet").display().to_string()
            }
        }
    }

    /// Runs a shell script in the fleet's folder at a place.
    fn sh(&mut self, place: Place, script: &str) -> Result<String> {
        let dir = self.dir(place);
        let programs = match place {
            Place::Host => ["/usr/local/bin/lks-ctl".into(), AGENT.into()],
            Place::Beside => self.programs.clone(),
        };
        let [ctl, agent] = programs.map(|p: PathBuf| p.display().to_string());
        let script = format!(
            "mkdir -p {dir} && cd {dir} && export CTL={ctl} AGENT={agent} LKS_CONTROLLER={dir}/admin.json \
             LKS_SIGN_KEY={dir}/sign.key && {script}"
        );
        match place {
            Place::Host => self.vm.exec(&script),
            Place::Beside => {
                let mut sh = self.vm.around().namespace.command("sh");
                process::run(sh.args(["-c", &script]))
            }
        }
    }

    fn write(&mut self, place: Place, name: &str, text: &str) -> Result<()> {
        self.sh(place, &format!("cat > {name} <<'END'\n{text}\nEND\n"))
            .map(drop)
    }

    /// Starts a program that goes on, with its process id in `NAME.pid`.
    fn spawn(&mut self, place: Place, name: &str, command: &str) -> Result<()> {
        self.sh(
            place,
            &format!(
                "(setsid sh -c 'echo $$ > {name}.pid; {command}' >> {name}.log 2>&1 < /dev/null &)"
            ),
        )
        .map(drop)
    }

    /// Ends it, and whatever it started, by kill -9.
    fn kill(&mut self, place: Place, name: &str) -> Result<()> {
        self.sh(place, &format!("kill -9 -$(cat {name}.pid)"))
            .map(drop)
    }

    fn bring_token(&mut self, name: &str) -> Result<()> {
        let token = self.sh(self.case.operator, "$CTL token new")?;
        self.write(self.case.agent, &format!("{name}.token"), token.trim())
    }

    fn daemon(&self, name: &str) -> String {
        format!(
            "$AGENT daemon --name {name} --pin {} --controller https://{}:8443 --token-file {name}.token \
             --bundle-keys keys --state {name}",
            self.pin, self.case.address
        )
    }

    /// An agent that is started again when it ends, as systemd does.
    fn agent(&mut self, name: &str) -> Result<()> {
        let daemon = self.daemon(name);
        let command = format!("while :; do {daemon}; sleep 1; done");
        self.spawn(self.case.agent, name, &command)
    }

    /// One run with a jump in its middle; a kill -9 of the agent and a host that joins while the clock is
    /// wrong; and the way back.
    fn through(&mut self, number: usize, jump: &str) -> Result<()> {
        let case = self.case;
        let joins = format!("new{number}");
        self.bring_token(&joins)?;
        self.sh(case.agent, "rm -rf out/web1/*")?;
        self.sh(
            case.operator,
            "(setsid $CTL run -c agent -l web1 site/site.yml > run.log 2>&1 < /dev/null &)",
        )?;
        self.eventually(case.agent, "test -s out/web1/lines")?;
        let run = self.newest(number)?;
        let shift = self.set_clock(jump)?;
        std::thread::sleep(Duration::from_secs(2));
        self.kill(case.agent, "web1")?;
        self.agent("web1")?;
        self.agent(&joins)?;
        let last = ROUNDS - 1;
        self.eventually(
            case.agent,
            &format!("test \"$(wc -l < out/web1/lines)\" -ge {last} && test -s out/web1/w{last}"),
        )?;
        let joined = self.watch(&joins)?;
        self.set_clock(&format!("{:+}", -shift))?;
        let back = Instant::now();
        let over = format!(
            "$CTL runs {run} --json > state.json && python3 -c 'import json,sys; \
             sys.exit(any(p[1] is None for p in json.load(open(\"state.json\"))[\"hosts\"]))'"
        );
        self.eventually(case.operator, &over)?;
        let waited = back.elapsed();
        // Who was let in can come again, by the certificate that it was given.
        self.eventually(case.agent, &format!("grep -q 'this host is' {joins}.log"))?;
        self.kill(case.agent, &joins)?;
        let trial = format!("{} --trial", self.daemon(&joins));
        self.eventually(case.agent, &trial)?;
        let recovered = back.elapsed();
        let count = self.judge(&run)?;
        say(format_args!(
            "     {shift} s and back: {count} events, each once, {:.1} s after the clock was right again; a host \
             that joined meanwhile: {joined}, well after {:.1} s",
            waited.as_secs_f64(),
            recovered.as_secs_f64()
        ));
        Ok(())
    }

    /// Sets the host's clock: `@SECONDS`, or by how many seconds it jumps. By how many it did.
    fn set_clock(&mut self, jump: &str) -> Result<i64> {
        let to = match jump.starts_with('@') {
            true => jump.to_owned(),
            false => format!("@$(( $(date +%s) {jump} ))"),
        };
        let shift = self.vm.exec(&format!(
            "a=$(date +%s); date -s {to} >/dev/null; b=$(date +%s); echo $((b - a))"
        ))?;
        shift.trim().parse().attempt("the clock's shift")
    }

    /// What becomes of a host that wants in while the clock is wrong.
    fn watch(&mut self, name: &str) -> Result<String> {
        let begun = Instant::now();
        loop {
            let log = self.sh(self.case.agent, &format!("cat {name}.log"))?;
            if log.contains("this host is") {
                return Ok("let in at once".into());
            }
            if begun.elapsed() > WATCHED {
                let said = log.lines().rfind(|l| !l.trim().is_empty());
                let said = said.unwrap_or("nothing").trim();
                return Ok(format!("not until then (`{said}`)"));
            }
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    /// Holds what the controller has of a run against what the host did.
    fn judge(&mut self, run: &str) -> Result<usize> {
        let events = self.sh(self.case.operator, &format!("$CTL events {run} --json"))?;
        let events = events_of(&events);
        let count = events.len();
        let mut files = BTreeMap::new();
        let names = (0..ROUNDS).map(|n| format!("w{n}"));
        for name in std::iter::once("lines".to_owned()).chain(names) {
            let text = self.sh(self.case.agent, &format!("cat out/web1/{name}"))?;
            files.insert(format!("out/web1/{name}"), text);
        }
        judge(events, |name| files.get(name).cloned(), &["web1"], ROUNDS);
        Ok(count)
    }

    fn newest(&mut self, number: usize) -> Result<String> {
        let text = self.sh(self.case.operator, "$CTL runs --json")?;
        let runs: Vec<Value> = serde_json::from_str(&text).attempt("the runs")?;
        ensure(
            runs.len() == number,
            format_args!("{} runs, and not {number}", runs.len()),
        )?;
        Ok(runs[0]["run"].as_str().unwrap_or_default().to_owned())
    }

    /// Waits until a command succeeds.
    fn eventually(&mut self, place: Place, command: &str) -> Result<String> {
        let end = Instant::now() + Duration::from_secs(240);
        loop {
            match self.sh(place, command) {
                Ok(said) => return Ok(said),
                Err(error) if Instant::now() > end => {
                    let mut logs = String::new();
                    for place in [Place::Host, Place::Beside] {
                        logs += &self.sh(place, "tail -n 20 *.log 2>/dev/null || true")?;
                    }
                    return Err(error).attempt(logs);
                }
                Err(_) => std::thread::sleep(Duration::from_millis(300)),
            }
        }
    }

    fn end(mut self) -> Result<()> {
        self.kill(self.case.agent, "web1")?;
        self.kill(self.case.controller, "server")
    }
}
