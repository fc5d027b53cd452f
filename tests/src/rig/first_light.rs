//! The first user's playbook on a fresh host, as a user would see it: check, run, use, run again.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::options::Options;
use super::services::EFS;
use super::stage::{say, stage};
use super::vm::Vm;
use super::{Attempt, Result, disk, ensure, llm_host, ollama, playbook_run};

/// The one task of the playbook that reports a change each time.
pub const ALWAYS_CHANGES: &str = "Run Docker Compose";

/// How long a started container may take until it answers.
const ANSWERS_WITHIN: Duration = Duration::from_secs(180);

/// Runs every stage; the first failure ends it.
pub fn run(options: &Options) -> Result<()> {
    let mut vm = booted(options)?;
    let predicted = stage("check of a fresh host", || {
        let before = fingerprint(&mut vm)?;
        let report = playbook_run::run(&mut vm, options, "check", "--check --diff")?;
        ensure(
            before == fingerprint(&mut vm)?,
            "the check changed the host",
        )?;
        Ok(report)
    })?;
    let first = stage("first run", || {
        playbook_run::run(&mut vm, options, "first", "")
    })?;
    stage("the host is as the playbook says", || converged(&mut vm))?;
    stage("the check foretold the first run's changes", || {
        let open = predicted.left_open();
        if !open.is_empty() {
            say(format_args!("     left open: {}", open.join(", ")));
        }
        predicted.foretold(&first)
    })?;
    stage("second run changes one thing", || {
        let started = container_start(&mut vm)?;
        let second = playbook_run::run(&mut vm, options, "second", "")?;
        ensure(
            second.changed() == [ALWAYS_CHANGES],
            format_args!("the second run changed {:?}", second.changed()),
        )?;
        ensure(
            started == container_start(&mut vm)?,
            "the second run started the container anew",
        )
    })?;
    stage("the host is still as the playbook says", || {
        converged(&mut vm)
    })?;
    // Minutes more under emulation: only where they are asked for.
    if std::env::var_os("LKS_RIG_LLM").is_none() {
        return Ok(());
    }
    stage("a share keeps its read-ahead and cannot hold us", || {
        llm_host::share(&mut vm)
    })?;
    stage("ollama.yml serves what compose did", || {
        llm_host::ollama(&mut vm)
    })
}

/// A fresh host with the agent on it.
pub fn booted(options: &Options) -> Result<Vm> {
    stage("images", || disk::get().and_then(|_| ollama::get()))?;
    let mut vm = stage("boot", Vm::boot)?;
    stage("agent onto the host", || {
        playbook_run::put(&mut vm, options)
    })?;
    Ok(vm)
}

/// `Err` unless the host is what the playbook describes, seen from outside the agent.
pub fn converged(vm: &mut Vm) -> Result<()> {
    mounted(vm).attempt("the share")?;
    answers(vm).attempt("the service")?;
    let names = vm.exec("docker ps --filter status=running --format '{{.Names}} {{.Image}}'")?;
    ensure(
        names.trim() == "llm ollama/ollama:latest",
        format_args!("docker ps shows {names:?}"),
    )?;
    vm.exec("systemctl is-active docker && systemctl is-enabled docker")?;
    Ok(())
}

fn mounted(vm: &mut Vm) -> Result<()> {
    let seen = vm.exec("findmnt --noheadings --output FSTYPE,SOURCE --mountpoint /share")?;
    let words: Vec<&str> = seen.split_whitespace().collect();
    ensure(
        words == ["nfs4", &format!("{EFS}:/")],
        format_args!("/share is {seen:?}"),
    )?;
    let lines = vm.exec(&format!("grep -c '^{EFS}:/' /etc/fstab || true"))?;
    ensure(
        lines.trim() == "1",
        format_args!("fstab holds {} lines of it", lines.trim()),
    )?;
    vm.exec("findmnt --verify")?;
    Ok(())
}

fn answers(vm: &mut Vm) -> Result<()> {
    let curl = "curl -sS --fail --max-time 60 http://127.0.0.1:11434";
    let tags = eventually(|| vm.exec(&format!("{curl}/api/tags")))?;
    let tags: Value = serde_json::from_str(&tags).attempt("/api/tags")?;
    ensure(
        tags["models"][0]["name"] == "tiny:latest",
        format_args!("/api/tags lists {tags}"),
    )?;
    let chat = r#"{"model":"tiny","messages":[{"role":"user","content":"hello"}]}"#;
    let last = vm.exec(&format!("{curl}/api/chat -d '{chat}' | tail -n 1"))?;
    ensure(
        last.contains("\"done\": true"),
        format_args!("/api/chat ends with {last}"),
    )?;
    let prompt = r#"{"model":"tiny","prompt":"hello","stream":false}"#;
    let answer = vm.exec(&format!("{curl}/api/generate -d '{prompt}'"))?;
    ensure(
        answer.contains("\"response\""),
        format_args!("/api/generate says {answer}"),
    )?;
    // The service keeps its models on the share: they are there when one looks from the other side.
    let model = vm.efs().join("llm/models/tiny.gguf");
    ensure(
        fs::metadata(&model).is_ok_and(|model| model.len() > 0),
        "the service's model is not on the NFS server",
    )
}

fn eventually(mut attempt: impl FnMut() -> Result<String>) -> Result<String> {
    let start = Instant::now();
    loop {
        match attempt() {
            Err(_) if start.elapsed() < ANSWERS_WITHIN => {
                std::thread::sleep(Duration::from_secs(1))
            }
            ended => return ended,
        }
    }
}

fn container_start(vm: &mut Vm) -> Result<String> {
    vm.exec("docker inspect --format '{{.Id}} {{.State.StartedAt}}' llm")
}

/// What a check must leave alone: packages, units, mounts, and every file outside of logs and caches.
fn fingerprint(vm: &mut Vm) -> Result<String> {
    vm.exec(
        "dpkg-query -W | sha256sum; findmnt -l -n -o TARGET,SOURCE | sort | sha256sum; \
         find / -xdev \\( -path /tmp -o -path /var/log -o -path /var/tmp -o -path /var/lib/systemd \
         -o -path /var/cache \\) -prune -o \\( -type f -o -type l \\) -printf '%p %s %m %u %T@\\n' | sort | sha256sum",
    )
}
