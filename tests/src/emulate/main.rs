//! How one controller bears a large fleet: emulated agents over real TLS connections, each with a key
//! and a certificate of its own, against one real `lks-ctl serve`.
//!
//! Enrols them, connects them, lets them wait, gives all of them one run, and holds that every event of
//! every agent is stored. Prints seconds, events a second and the server's memory for each agent.

mod agent;
mod fleet;
mod http;
mod server;

use std::process::ExitCode;
use std::time::Duration;

/// What is asked for.
pub(crate) struct Options {
    /// Numbers of agents, one round each.
    agents: Vec<usize>,
    /// How long they wait for work.
    idle: Duration,
    /// The controller's program.
    program: String,
    /// Where it keeps its events, if not in a file.
    store: Option<String>,
}

const USAGE: &str =
    "usage: emulate [--agents N[,N...]] [--idle SECONDS] [--ctl PROGRAM] [--store URL]

1000, 3000 and 10000 agents and 20 seconds if not given; PROGRAM is the lks-ctl beside this one.";

fn options() -> Option<Options> {
    let own = std::env::current_exe().ok()?;
    let mut options = Options {
        agents: vec![1000, 3000, 10_000],
        idle: Duration::from_secs(20),
        program: own.with_file_name("lks-ctl").display().to_string(),
        store: None,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let value = words.next()?;
        match word.as_str() {
            "--agents" => {
                options.agents = value
                    .split(',')
                    .map(str::parse)
                    .collect::<Result<_, _>>()
                    .ok()?;
            }
            "--idle" => options.idle = Duration::from_secs(value.parse().ok()?),
            "--ctl" => options.program = value,
            "--store" => options.store = Some(value),
            _ => return None,
        }
    }
    Some(options)
}

#[allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is a program for people"
)]
fn main() -> ExitCode {
    let Some(options) = options() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    println!(
        "{:>7} {:>8} {:>9} {:>10} {:>10} {:>9} {:>8} {:>9} {:>10} {:>10}",
        "agents",
        "enrol s",
        "connect s",
        "KiB/agent",
        "idle CPU %",
        "run s",
        "events",
        "events/s",
        "run CPU s",
        "peak MiB"
    );
    for count in &options.agents {
        match runtime.block_on(fleet::round(&options, *count)) {
            Ok(row) => println!("{row}"),
            Err(why) => {
                eprintln!("{count} agents: {why}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
