//! `bench ssh`: twenty hosts over SSH, by `lks-ctl run -c ssh` and by ansible-core, in one run.
//!
//! - [`hosts`]: namespaces with a real `sshd` in each; what a play left there, and whether it is right.
//! - [`who`]: the two tools, each as its own documentation says that it is fast.
//! - [`plays`]: what is run.
//!
//! Every play runs *cold* (hosts that know neither tool, no connection open) and *warm* (the run after it:
//! lks's program lies there, ansible-core's connections are still open). Controller and hosts share this
//! machine's processors, as they share its figures.

mod hosts;
mod plays;
mod who;

use std::path::PathBuf;
use std::time::Instant;

use lks_tests::rig::stage::say;
use lks_tests::rig::{Attempt, Failure, Result, setup};

use super::report::Machine;
use super::words::Choices;
use hosts::Hosts;
use plays::Play;
use who::Who;

/// What `bench ssh --help` prints.
pub const USAGE: &str = "usage: bench ssh [OPTION]...

  --ctl PATH       the lks-ctl to measure (default: built from this workspace, as released)
  --agent PATH     the lks-agent that it brings to hosts (default: the same)
  --hosts N        how many (default 20)
  --runs N         how often each play runs cold and warm (default 3 by lks; ansible-core: once cold, once warm)
  --peers WHO      ansible (default) or none
  --quick          3 hosts, one run, lks only

Needs root, for network namespaces, and sshd (apt: openssh-server).";

/// ansible-core takes at least this many times as long: the goal.
const GOAL: f64 = 50.0;

/// What to measure.
pub struct Options {
    ctl: Option<PathBuf>,
    agent: Option<PathBuf>,
    hosts: usize,
    runs: usize,
    peers: bool,
}

impl Options {
    /// Reads the words behind `ssh`; nothing if help was asked for.
    pub fn parse(words: &[String]) -> Result<Option<Self>> {
        let options = Options {
            ctl: None,
            agent: None,
            hosts: 20,
            runs: 3,
            peers: true,
        };
        options.read(words)
    }
}

impl Choices for Options {
    fn be_quick(&mut self) {
        (self.hosts, self.runs, self.peers) = (3, 1, false);
    }

    fn take(&mut self, name: &str, value: &str) -> Result<()> {
        let number = || {
            let number = value.parse::<usize>();
            number.attempt(format_args!("{name} wants a number"))
        };
        match name {
            "--ctl" => self.ctl = Some(PathBuf::from(value)),
            "--agent" => self.agent = Some(PathBuf::from(value)),
            // As many as a network of /24 has room for, in the scripts' numbering.
            "--hosts" => self.hosts = number()?.clamp(1, 200),
            "--runs" => self.runs = number()?.max(1),
            "--peers" => self.peers = value != "none",
            _ => return Err(Failure::new(format!("unknown option: {name}\n{USAGE}"))),
        }
        Ok(())
    }
}

/// Seconds of one tool's runs of one play.
struct Times {
    cold: Vec<f64>,
    warm: Vec<f64>,
}

/// Measures both tools and says what came of it.
pub fn run(options: &Options) -> Result<()> {
    if let Err(why) = setup::root().and_then(|()| setup::namespaces()) {
        say(format_args!("skipped: {why}"));
        return Ok(());
    }
    let mut tools = vec![who::lks(options.ctl.clone(), options.agent.clone())?];
    if options.peers {
        tools.push(who::ansible()?);
    }
    let mut machine = Machine::look();
    say(machine.describe());
    let hosts = Hosts::start(options.hosts)?;
    for who in &tools {
        say(format_args!("{}: {}", who.name, who.version));
    }
    say(format_args!(
        "\n{} hosts over SSH, {0} at a time, medians, in seconds\n\n\
         | play | tool | cold | warm | cold / lks | warm / lks |\n|---|---|---|---|---|---|",
        options.hosts
    ));
    let mut verdicts = Vec::new();
    for play in &plays::ALL {
        hosts.stage(play)?;
        verdicts.push(measure(play, &tools, &hosts, options)?);
    }
    say(format_args!("\n{}", verdicts.join("\n")));
    machine.look_again();
    say(machine.describe_load());
    Ok(())
}

/// One play by every tool; the line that says whether the goal is met.
fn measure(play: &Play, tools: &[Who], hosts: &Hosts, options: &Options) -> Result<String> {
    let mut base: Option<(f64, f64)> = None;
    let mut verdict = format!("{}: compared with nobody", play.id);
    for who in tools {
        let rounds = if who.is_slow { 1 } else { options.runs };
        let times = rounds_of(who, play, hosts, rounds)?;
        let (cold, warm) = (
            super::models::median(times.cold.into_iter()),
            super::models::median(times.warm.into_iter()),
        );
        let own = *base.get_or_insert((cold, warm));
        let (times_cold, times_warm) = (cold / own.0, warm / own.1);
        say(format_args!(
            "| {} | {} | {cold:.3} | {warm:.3} | {times_cold:.1} | {times_warm:.1} |",
            play.title, who.name
        ));
        if who.is_slow {
            let word = |times: f64| if times >= GOAL { "met" } else { "MISSED" };
            verdict = format!(
                "{}: at least {GOAL} times as fast as {}: cold {times_cold:.0} times: {}; warm {times_warm:.0} times: {}",
                play.id,
                who.name,
                word(times_cold),
                word(times_warm)
            );
        }
    }
    Ok(verdict)
}

fn rounds_of(who: &Who, play: &Play, hosts: &Hosts, rounds: usize) -> Result<Times> {
    let mut times = Times {
        cold: Vec::new(),
        warm: Vec::new(),
    };
    for _ in 0..rounds {
        hosts.forget_everything(who)?;
        times.cold.push(once(who, play, hosts)?);
        hosts.forget_effects()?;
        times.warm.push(once(who, play, hosts)?);
    }
    Ok(times)
}

/// One run, whose effects must be there on every host.
fn once(who: &Who, play: &Play, hosts: &Hosts) -> Result<f64> {
    let start = Instant::now();
    hosts.run(who, play)?;
    let took = start.elapsed().as_secs_f64();
    hosts.each(|number, left| {
        (play.proof)(number, left)
            .attempt(format_args!("{}, {}: host h{number}", play.id, who.name))
    })?;
    Ok(took)
}
