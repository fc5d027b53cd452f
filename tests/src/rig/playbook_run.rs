//! The agent on the host: put there, and run as a user would run it.

use std::fs;
use std::time::Duration;

use super::options::Options;
use super::report::Report;
use super::services::EFS;
use super::stage::say;
use super::vm::Vm;
use super::{Attempt, Result, ensure, process};

/// An install of a docker engine under emulation, on a machine that has other things to do.
pub const LIMIT: Duration = Duration::from_secs(1800);

/// Where the agent lies on the host.
pub const AGENT: &str = "/usr/local/bin/lks-agent";
const PLAYBOOK: &str = "/root/playbook.yml";

/// Puts the agent and the playbook on the host.
pub fn put(vm: &mut Vm, options: &Options) -> Result<()> {
    vm.copy_in(&options.agent, AGENT)?;
    vm.copy_in(&options.playbook, PLAYBOOK)
}

/// The agent's command line: `efs_ip` is the one thing that a playbook is given from outside.
pub fn command(flags: &str) -> String {
    format!("{AGENT} run -e efs_ip={EFS} {flags} {PLAYBOOK}")
}

/// Runs the playbook, keeps the report as `NAME.json` and fails if a task does.
pub fn run(vm: &mut Vm, options: &Options, name: &str, flags: &str) -> Result<Report> {
    let flags = format!("--output json {flags}");
    let output = vm.run(&command(&flags), LIMIT, |_| {})?;
    fs::create_dir_all(&options.reports)?;
    let kept = options.reports.join(format!("{name}.json"));
    fs::write(&kept, &output.stdout)?;
    let said = format!("{}{}", output.stdout, output.stderr);
    ensure(
        output.code == 0,
        format_args!(
            "the {name} run ended with {}:\n{}",
            output.code,
            process::tail(&said)
        ),
    )?;
    let report = Report::parse(&output.stdout).attempt(format_args!("the {name} run"))?;
    say(report.lines().trim_end());
    say(format_args!("     report: {}", kept.display()));
    let failed = report.tasks.iter().find(|task| task.failed);
    ensure(
        failed.is_none(),
        format_args!("the {name} run ended with 0, but a task failed: {failed:?}"),
    )?;
    Ok(report)
}
