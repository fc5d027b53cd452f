//! The rig of real hosts, from the command line. Needs root.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use lks_tests::rig::container::Container;
use lks_tests::rig::options::{self, Options};
use lks_tests::rig::stage::{say, stage};
use lks_tests::rig::vm::Vm;
use lks_tests::rig::{
    Attempt, Result, Rig, can_run, clock, disk, ensure, first_light, kill, launch, ollama, rootfs,
    setup, shared_model,
};

const USAGE: &str = "usage: rig COMMAND

  setup        install what the rigs need and build their images (quick when that is done)
  can-run      say which rigs can run here, and why not
  first-light  the first user's playbook on a real host: check, run, use, run again
  launch [worker|kinds|llm]  an EC2 instance from its launch to a report, with user-data as all it gets: the
               first user's playbook (worker), the same within playbooks/worker.yml, as each of the three kinds
               of worker behind its target group (kinds), a model behind a load balancer and out again (llm);
               all of them if not said
  kill         kill -9 of the agent in the middle of each task; a rerun converges
  shared-model [--mib N]  three hosts on one NFS export want one model of 2048 MiB: one fetch, kill -9 of its
               holder, another takes over, kill -9 of that, all three verify (no --playbook)
  clock [both|agent|controller]  a controller and an agent work while the clock of both, or of one of them,
               jumps on a real host; each in turn if not said
  exec CMD     boot a real host, run one shell command on it, end it
  shell        boot a real host and log in on its serial line (Ctrl-] leaves)
  light [CMD]  boot a systemd container, run one shell command in it, end it

first-light, launch, kill, shared-model and clock take --agent PATH (default: built from this workspace), --playbook PATH and
--reports DIR. Images are kept in $LKS_RIG_CACHE (default ~/.cache/lks-rig); nothing else remains,
however the rig ends. LKS_RIG_ACCEL=kvm uses KVM; LKS_RIG_COMPOSE=FILE serves a real compose plugin in
place of the stand-in. Exit code: 0 passed, 1 failed, 2 wrong usage, 75 cannot run here.";

/// sysexits' EX_TEMPFAIL, for callers that skip what a machine cannot run.
const CANNOT_RUN: u8 = 75;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some((command, rest)) = words.split_first() else {
        say(USAGE);
        return ExitCode::from(2);
    };
    let rig = match command.as_str() {
        "setup" => return ended(set_up()),
        "can-run" => return report_rigs(),
        "first-light" | "launch" | "kill" | "clock" | "shared-model" | "exec" | "shell" => Rig::Vm,
        "light" => Rig::Container,
        _ => {
            say(USAGE);
            return ExitCode::from(2);
        }
    };
    if let Err(why) = can_run(rig) {
        say(format_args!("skipped: {why}"));
        return ExitCode::from(CANNOT_RUN);
    }
    ended(match command.as_str() {
        "first-light" => Options::parse(rest).and_then(|options| first_light::run(&options)),
        "launch" => launched(rest),
        "kill" => Options::parse(rest).and_then(|options| kill::run_all(&options)),
        "clock" => jumped(rest),
        "shared-model" => shared(rest),
        "exec" => exec(&rest.join(" ")),
        "shell" => shell(),
        _ => light(&rest.join(" ")),
    })
}

type Launch = fn(&Options) -> Result<()>;

/// What can be launched, by its name.
const LAUNCHES: &[(&str, Launch)] = &[
    ("worker", launch::worker),
    ("kinds", launch::kinds),
    ("llm", launch::llm),
];

fn launched(words: &[String]) -> Result<()> {
    let (which, rest) = match words.split_first() {
        Some((which, rest)) if LAUNCHES.iter().any(|(name, _)| name == which) => {
            (Some(which), rest)
        }
        _ => (None, words),
    };
    let options = Options::parse(rest)?;
    LAUNCHES
        .iter()
        .filter(|(name, _)| which.is_none_or(|which| which == name))
        .try_for_each(|(_, launch)| launch(&options))
}

fn shared(words: &[String]) -> Result<()> {
    let (mib, rest) = match words {
        [option, mib, rest @ ..] if option == "--mib" => {
            (mib.parse().attempt("--mib wants a number")?, rest)
        }
        _ => (shared_model::MIB, words),
    };
    shared_model::run(&Options::parse(rest)?, mib)
}

fn jumped(words: &[String]) -> Result<()> {
    let (only, rest) = match words.split_first() {
        Some((word, rest)) if clock::is_case(word) => (Some(word.as_str()), rest),
        _ => (None, words),
    };
    clock::run(&Options::parse(rest)?, &options::released_ctl()?, only)
}

fn ended(result: Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(format_args!("rig: {failure}"));
            ExitCode::FAILURE
        }
    }
}

fn set_up() -> Result<()> {
    stage("tools", setup::install)?;
    stage("root file system", rootfs::root)?;
    stage("disk", disk::get)?;
    stage("image of the inference server", ollama::get)?;
    Ok(())
}

fn report_rigs() -> ExitCode {
    for rig in [Rig::Container, Rig::Vm] {
        match can_run(rig) {
            Ok(()) => say(format_args!("{rig:?}: yes")),
            Err(why) => say(format_args!("{rig:?}: no: {why}")),
        }
    }
    ExitCode::SUCCESS
}

fn exec(command: &str) -> Result<()> {
    let mut vm = stage("boot", Vm::boot)?;
    let output = vm.run(command, Duration::from_secs(3600), |part| {
        let _ = std::io::stdout().write_all(part);
        let _ = std::io::stdout().flush();
    })?;
    ensure(output.code == 0, format_args!("ended with {}", output.code))
}

fn light(command: &str) -> Result<()> {
    let container = stage("boot", Container::boot)?;
    let command = if command.is_empty() {
        "systemctl --no-pager"
    } else {
        command
    };
    say(stage("command", || container.exec(command))?.trim_end());
    Ok(())
}

/// Joins this terminal to the host's serial line.
fn shell() -> Result<()> {
    const LEAVE: u8 = 0x1d;
    let vm = stage("boot", Vm::boot)?;
    say("the host's serial line; Ctrl-] leaves");
    let mut line = UnixStream::connect(vm.serial())?;
    let mut from_host = line.try_clone()?;
    std::thread::spawn(move || std::io::copy(&mut from_host, &mut std::io::stdout()));
    terminal(&["raw", "-echo"]);
    line.write_all(b"\n")?;
    let mut typed = [0; 256];
    loop {
        let count = std::io::stdin().read(&mut typed)?;
        if count == 0 || typed[..count].contains(&LEAVE) {
            break;
        }
        line.write_all(&typed[..count])?;
    }
    terminal(&["sane"]);
    Ok(())
}

/// Without a terminal there is nothing to set, and a pipe works as it is.
fn terminal(settings: &[&str]) {
    let mut stty = Command::new("stty");
    let _ = stty.args(settings).stderr(Stdio::null()).status();
}
