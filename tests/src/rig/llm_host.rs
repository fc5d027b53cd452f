//! What a host for language models needs a kernel of its own for: a real NFS mount with its read-ahead, a
//! server that goes away, and a runtime in a real container engine.

use std::path::Path;
use std::time::Instant;

use super::console::Output;
use super::playbook_run::{AGENT, LIMIT};
use super::report::Report;
use super::services::EFS;
use super::vm::Vm;
use super::{Attempt, Result, data, ensure, process};

const AHEAD: &str = "cat /sys/class/bdi/$(mountpoint -d /models)/read_ahead_kb";

/// `lks.llm.efs_mount` on a real NFS server: mounted, read ahead, kept, and a server that is gone.
pub fn share(vm: &mut Vm) -> Result<()> {
    vm.copy_in(&data("share.yml"), "/root/share.yml")?;
    // Something to measure by: the tiny model is too small.
    vm.exec("dd if=/dev/zero of=/share/some bs=1M count=6 2>/dev/null")?;
    let first = good(vm, "share.yml", "")?;
    ensure(
        first.changed() == ["Mount it"],
        format_args!("the first run changed {:?}", first.changed()),
    )?;
    ahead(vm, "after the mount")?;
    vm.exec("findmnt --verify && grep -c '/models nfs4 nfsvers=4.1,.*_netdev 0 0' /etc/fstab")?;
    vm.exec("umount /models && mount /models")?;
    ahead(vm, "after a mount by hand")?;
    let second = good(vm, "share.yml", "")?;
    ensure(
        second.changed().is_empty(),
        format_args!("the second run changed {:?}", second.changed()),
    )?;
    gone(vm)?;
    vm.exec("umount /models && rm /share/some")?;
    Ok(())
}

fn ahead(vm: &mut Vm, when: &str) -> Result<()> {
    let is = vm.exec(AHEAD)?;
    ensure(
        is.trim() == "15360",
        format_args!("{when}, the kernel reads {} KiB ahead", is.trim()),
    )
}

/// A server that no longer answers is told within seconds, though the mount is a hard one.
fn gone(vm: &mut Vm) -> Result<()> {
    let rule = "OUTPUT -p tcp --dport 2049 -j DROP";
    vm.exec(&format!("iptables -I {rule}"))?;
    let start = Instant::now();
    let output = run(vm, "share.yml", "-e patience=3");
    let seconds = start.elapsed().as_secs();
    vm.exec(&format!("iptables -D {rule}"))?;
    let output = output?;
    ensure(
        output.code != 0 && output.stdout.contains("does not answer within 3 s"),
        format_args!("a dead server is told as {}", process::tail(&output.stdout)),
    )?;
    ensure(
        seconds < 90,
        format_args!("it took {seconds} s to say that the server is gone"),
    )
}

/// `playbooks/ollama.yml` with a real engine, in the place of the compose project that served before.
pub fn ollama(vm: &mut Vm) -> Result<()> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../playbooks/ollama.yml");
    vm.copy_in(&file, "/root/ollama.yml")?;
    let flags = "-e ollama_store=/share/llm/models -e ollama_fetch=false -e '{\"ollama_models\": [\"tiny\"]}'";
    let taken = run(vm, "ollama.yml", flags)?;
    ensure(
        taken.code != 0 && taken.stdout.contains("port 11434 is taken by"),
        format_args!(
            "a port that compose has is told as {}",
            process::tail(&taken.stdout)
        ),
    )?;
    vm.exec("cd /opt/llm && docker compose down")?;
    good(vm, "ollama.yml", flags)?;
    vm.exec("systemctl is-active lks-ollama && systemctl is-enabled lks-ollama")?;
    let unit = vm.exec("cat /etc/systemd/system/lks-ollama.service")?;
    ensure(
        unit.contains("--env OLLAMA_NOPRUNE=1"),
        "a store on a share would be pruned",
    )?;
    let second = good(vm, "ollama.yml", flags)?;
    ensure(
        second.changed().is_empty(),
        format_args!("the second run changed {:?}", second.changed()),
    )
}

fn run(vm: &mut Vm, name: &str, flags: &str) -> Result<Output> {
    let command = format!("{AGENT} run --output json -e efs_ip={EFS} {flags} /root/{name}");
    vm.run(&command, LIMIT, |_| {})
}

fn good(vm: &mut Vm, name: &str, flags: &str) -> Result<Report> {
    let output = run(vm, name, flags)?;
    let said = format!("{}{}", output.stdout, output.stderr);
    ensure(
        output.code == 0,
        format_args!(
            "{name} ended with {}:\n{}",
            output.code,
            process::tail(&said)
        ),
    )?;
    Report::parse(&output.stdout).attempt(name)
}
