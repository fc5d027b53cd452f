//! A clock that jumps, on a host with a kernel of its own: `date -s` while a controller and an agent work.
//! Elsewhere it cannot be tried: a namespace shifts only the clocks that count from the boot, and no library
//! can be put in front of a static program.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::options::Options;
use super::playbook_run::AGENT;
use super::stage::{say, stage};
use super::vm::Vm;
use super::{Attempt, Result, disk, ensure, ollama};
use crate::fleet::{events_of, judge, site_text};

/// Where everything of the fleet lies on the host.
const DIR: &str = "/root/fleet";
/// Rounds of tasks of a run, and seconds that each takes: long enough for a jump in its middle.
const ROUNDS: usize = 10;
const EACH: f64 = 1.0;
/// Longer than a bundle is good, a certificate, and the machine's life.
const JUMPS: [(&str, &str); 4] = [
    ("a minute back", "-60"),
    ("two days ahead: the bundle is over", "+172800"),
    ("two days back: no certificate is good yet", "-172800"),
    (
        "to 1970, as a host without a clock of its own boots",
        "@86400",
    ),
];

/// Every jump in the middle of a run, and back again after it.
pub fn run(options: &Options, ctl: &Path) -> Result<()> {
    stage("images", || disk::get().and_then(|_| ollama::get()))?;
    let mut vm = stage("boot", Vm::boot)?;
    stage("a controller and an agent on the host", || {
        set_up(&mut vm, options, ctl)
    })?;
    for (number, (what, jump)) in JUMPS.iter().enumerate() {
        stage(&format!("a clock that jumps {what}"), || {
            through(&mut vm, number + 1, jump)
        })?;
    }
    Ok(())
}

/// A command with what it needs to reach the controller as its admin.
fn with_admin(command: &str) -> String {
    format!(
        "cd {DIR} && export LKS_CONTROLLER={DIR}/ctl/admin.json LKS_SIGN_KEY={DIR}/sign.key && {command}"
    )
}

fn set_up(vm: &mut Vm, options: &Options, ctl: &Path) -> Result<()> {
    vm.copy_in(&options.agent, AGENT)?;
    vm.copy_in(ctl, "/usr/local/bin/lks-ctl")?;
    vm.exec(&format!("mkdir -p {DIR}/site {DIR}/out/web1"))?;
    let site = site_text(Path::new(DIR), ROUNDS, EACH);
    vm.exec(&format!("cat > {DIR}/site/site.yml <<'END'\n{site}END\n"))?;
    // Nobody else sets this clock.
    vm.exec("systemctl disable --now systemd-timesyncd 2>/dev/null || true")?;
    serve(vm)?;
    vm.exec(&with_admin(
        "lks-ctl bundle key > keys && lks-ctl token new > token",
    ))?;
    agent(vm)?;
    eventually(vm, &format!("grep -q 'this host is' {DIR}/agent.log")).map(drop)
}

fn serve(vm: &mut Vm) -> Result<()> {
    vm.exec(&format!(
        "systemd-run --quiet --unit lks-serve -p StandardOutput=append:{DIR}/server.log -p StandardError=append:{DIR}/server.log \
         /usr/local/bin/lks-ctl serve --name 127.0.0.1 --listen 127.0.0.1:8443 --data {DIR}/ctl"
    ))?;
    eventually(
        vm,
        &format!("test -s {DIR}/ctl/admin.json && bash -c '</dev/tcp/127.0.0.1/8443'"),
    )
    .map(drop)
}

fn agent(vm: &mut Vm) -> Result<()> {
    let pin = vm.exec(&format!(
        "python3 -c 'import json; print(json.load(open(\"{DIR}/ctl/admin.json\"))[\"pin\"])'"
    ))?;
    let pin = pin.trim();
    vm.exec(&format!(
        "systemd-run --quiet --unit lks-agent -p StandardOutput=append:{DIR}/agent.log -p StandardError=append:{DIR}/agent.log \
         {AGENT} daemon --name web1 --pin {pin} --controller https://127.0.0.1:8443 --token-file {DIR}/token \
         --bundle-keys {DIR}/keys --state {DIR}/web1"
    ))
    .map(drop)
}

/// One run with a jump in its middle, a kill -9 of the agent while the clock is wrong, and the way back.
fn through(vm: &mut Vm, number: usize, jump: &str) -> Result<()> {
    vm.exec(&format!("rm -rf {DIR}/out/web1/*"))?;
    vm.exec(&with_admin(
        "(setsid lks-ctl run -c agent site/site.yml > run.log 2>&1 < /dev/null &)",
    ))?;
    eventually(vm, &format!("test -s {DIR}/out/web1/lines"))?;
    let run = newest(vm, number)?;
    let set = match jump.strip_prefix('@') {
        Some(time) => format!("date -s @{time}"),
        None => format!("date -s @$(( $(date +%s) {jump} ))"),
    };
    let shift = vm.exec(&format!(
        "a=$(date +%s); {set} >/dev/null; b=$(date +%s); echo $((b - a))"
    ))?;
    let shift: i64 = shift.trim().parse().attempt("the clock's shift")?;
    vm.exec("sleep 2; systemctl kill -s KILL lks-agent; sleep 0.5; systemctl reset-failed lks-agent 2>/dev/null || true")?;
    agent(vm)?;
    eventually(
        vm,
        &format!(
            "test \"$(wc -l < {DIR}/out/web1/lines)\" -ge {} && test -s {DIR}/out/web1/w{}",
            ROUNDS - 1,
            ROUNDS - 1
        ),
    )?;
    vm.exec(&format!("date -s @$(( $(date +%s) - {shift} )) >/dev/null"))?;
    let back = Instant::now();
    eventually(
        vm,
        &with_admin(&format!(
            "lks-ctl runs {run} --json > state.json && python3 -c 'import json,sys; sys.exit(any(p[1] is None for p in json.load(open(\"state.json\"))[\"hosts\"]))'"
        )),
    )?;
    let waited = back.elapsed();
    let events = events_of(&vm.exec(&with_admin(&format!("lks-ctl events {run} --json")))?);
    let count = events.len();
    let mut files = std::collections::BTreeMap::new();
    for name in std::iter::once("lines".to_owned()).chain((0..ROUNDS).map(|n| format!("w{n}"))) {
        let text = vm.exec(&format!("cat {DIR}/out/web1/{name}"))?;
        files.insert(format!("out/web1/{name}"), text);
    }
    judge(events, |name| files.get(name).cloned(), &["web1"], ROUNDS);
    say(format_args!(
        "     {shift} s and back: {count} events, each once, {:.1} s after the clock was right again",
        waited.as_secs_f64()
    ));
    Ok(())
}

fn newest(vm: &mut Vm, number: usize) -> Result<String> {
    let text = vm.exec(&with_admin("lks-ctl runs --json"))?;
    let runs: Vec<Value> = serde_json::from_str(&text).attempt("the runs")?;
    ensure(
        runs.len() == number,
        format_args!("{} runs, and not {number}", runs.len()),
    )?;
    Ok(runs[0]["run"].as_str().unwrap_or_default().to_owned())
}

/// Waits until a command succeeds.
fn eventually(vm: &mut Vm, command: &str) -> Result<String> {
    let end = Instant::now() + Duration::from_secs(240);
    loop {
        match vm.exec(command) {
            Ok(said) => return Ok(said),
            Err(error) if Instant::now() > end => {
                let logs = vm.exec(&format!("tail -n 30 {DIR}/*.log"))?;
                return Err(error).attempt(logs);
            }
            Err(_) => std::thread::sleep(Duration::from_millis(300)),
        }
    }
}
