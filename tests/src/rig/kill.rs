//! `kill -9` of the agent in the middle of each task of the playbook, and a run after it that
//! brings the host to where an undisturbed one would have.

use std::time::Duration;

use super::first_light::{booted, converged};
use super::options::Options;
use super::playbook_run::{LIMIT, command, run};
use super::stage::{say, stage};
use super::vm::Vm;
use super::{Failure, Result, ensure, process};

/// The one task that reports a change each time.
const ALWAYS_CHANGES: &str = "Run Docker Compose";

/// A task that takes seconds is hit in its middle by this, a quick one at its end or just after:
/// both are moments at which a host may lose its power.
const AFTER_START: Duration = Duration::from_millis(700);

/// Kills the agent in the first task of the fresh host, then, run by run, in each later one.
pub fn run_all(options: &Options) -> Result<()> {
    let mut vm = booted(options)?;
    let mut killed = 0;
    loop {
        let number = killed + 1;
        let ended = stage(&format!("kill in task {number}"), || {
            kill_at(&mut vm, number, options)
        })?;
        if !ended {
            break;
        }
        killed = number;
    }
    ensure(killed > 0, "the agent ended before its first task")?;
    say(format_args!("killed in each of {killed} tasks"));
    stage("the host is as the playbook says", || converged(&mut vm))?;
    let last = stage("one more run", || run(&mut vm, options, "after-kill", ""))?;
    ensure(
        last.changed() == [ALWAYS_CHANGES],
        format_args!("a run after the last changed {:?}", last.changed()),
    )?;
    stage("the host is still as the playbook says", || {
        converged(&mut vm)
    })
}

/// Runs the playbook and kills the agent in its `number`th task; `false` if it has fewer.
fn kill_at(vm: &mut Vm, number: usize, options: &Options) -> Result<bool> {
    let seconds = AFTER_START.as_secs_f64();
    let _ = options;
    let script = format!(
        "python3 /usr/local/lib/rig/kill_at.py {number} {seconds} {}",
        command("")
    );
    let output = vm.run(&script, LIMIT, |_| {})?;
    let task = output
        .stdout
        .lines()
        .rev()
        .find(|line| line.starts_with("TASK ["));
    match output.code {
        0 => {
            say(format_args!("     killed in {}", task.unwrap_or("no task")));
            Ok(true)
        }
        3 if output.stdout.ends_with("ended by itself with 0\n") => Ok(false),
        _ => Err(Failure::new(process::tail(&format!(
            "{}{}",
            output.stdout, output.stderr
        )))),
    }
}
