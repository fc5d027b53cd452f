//! `kill -9` of the agent in the middle of each task of the playbook, and a run after it that
//! brings the host to where an undisturbed one would have.

use super::first_light::{ALWAYS_CHANGES, booted, converged};
use super::options::Options;
use super::playbook_run::{LIMIT, command, run};
use super::stage::{say, stage};
use super::vm::Vm;
use super::{Failure, Result, ensure, process};

/// Seconds after a task's start at which the blows fall, one run each, as long as the task lasts:
/// the first hits the quick ones, the others a download, an unpacking, a service that starts.
const BLOWS: [u32; 4] = [0, 1, 10, 40];

/// How a run with a blow in it ended.
#[derive(Debug, PartialEq, Eq)]
enum Ended {
    /// Killed in the task that was meant.
    InTask,
    /// The task was over sooner; killed at the start of the next.
    InNext,
    /// The playbook was over, and well.
    Undisturbed,
}

/// Kills the agent in the first task of the fresh host, then, run by run, in each later one. Every
/// run starts from what the killed one before left, and while what that one had started still runs.
pub fn run_all(options: &Options) -> Result<()> {
    let mut vm = booted(options)?;
    let mut number = 1;
    while blows(&mut vm, number)? {
        number += 1;
    }
    ensure(number > 1, "the agent ended before its first task")?;
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

/// All the blows in one task; `false` if the playbook went through before it came to that task.
fn blows(vm: &mut Vm, number: usize) -> Result<bool> {
    for seconds in BLOWS {
        let name = format!("kill -9 at {seconds} s of task {number}");
        match stage(&name, || kill_at(vm, number, seconds))? {
            Ended::InTask => {}
            Ended::InNext => break,
            // A late blow in the last task finds nothing left to kill: the run before it had.
            Ended::Undisturbed => return Ok(seconds != BLOWS[0]),
        }
    }
    Ok(true)
}

fn kill_at(vm: &mut Vm, number: usize, seconds: u32) -> Result<Ended> {
    let agent = command("");
    let script = format!("python3 /usr/local/lib/rig/kill_at.py {number} {seconds} {agent}");
    let output = vm.run(&script, LIMIT, |_| {})?;
    let mut starts = output
        .stdout
        .lines()
        .filter(|line| line.starts_with("TASK ["));
    let task = starts.nth(number - 1).unwrap_or("no such task");
    let (ended, word) = match output.code {
        0 => (Ended::InTask, "killed in"),
        4 => (Ended::InNext, "killed right after"),
        3 if output.stdout.ends_with("\nended by itself with 0\n") => {
            (Ended::Undisturbed, "went through:")
        }
        _ => {
            let said = format!("{}{}", output.stdout, output.stderr);
            return Err(Failure::new(process::tail(&said)));
        }
    };
    say(format_args!(
        "     {word} {}",
        task.trim_end_matches([' ', '*'])
    ));
    Ok(ended)
}
