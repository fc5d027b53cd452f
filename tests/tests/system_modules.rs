//! The system modules on a real systemd host: a check that foretells, a run, a run that changes nothing.

#![allow(clippy::print_stderr)] // a skipped test says why

use lks_tests::rig::container::Container;
use lks_tests::rig::options::agent;
use lks_tests::rig::report::Report;
use lks_tests::rig::{Rig, can_run, data};

fn run(host: &Container, flags: &str) -> Report {
    let command = format!("/opt/lks-agent run --output json {flags} /opt/system.yml");
    let output = host.try_exec(&command).expect("the container answers");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Report::parse(&text).expect("a report")
}

#[test]
fn a_second_run_changes_nothing_and_the_check_foretold_the_first() {
    if let Err(why) = can_run(Rig::Container) {
        return eprintln!("skipped: {why}");
    }
    let host = Container::boot().expect("the container boots");
    let agent = agent().expect("the agent's binary");
    host.copy_in(&agent, "/opt/lks-agent")
        .expect("a file goes in");
    host.copy_in(&data("system.yml"), "/opt/system.yml")
        .expect("a file goes in");

    let predicted = run(&host, "--check --diff");
    host.exec("test ! -e /etc/systemd/system/lks-probe.service && ! getent passwd llm")
        .expect("the check touched nothing");
    let first = run(&host, "");
    predicted
        .foretold(&first)
        .expect("the check foretold the run");
    host.exec("systemctl is-active lks-probe && systemctl is-enabled lks-probe")
        .expect("the service runs");
    host.exec("findmnt -t tmpfs /srv/models && grep -c '^tmpfs /srv/models tmpfs ' /etc/fstab")
        .expect("the file system is mounted, and in fstab");
    assert_eq!(
        host.exec("stat -c '%U %a' /etc/lks-probe.env").unwrap(),
        "llm 640\n"
    );
    let second = run(&host, "");
    assert!(second.changed().is_empty(), "{:?}", second.changed());
}
