//! One run of one tool, and what it cost.
//!
//! Each run has a process of its own between it and the benchmark: this binary, called with
//! [`COMMAND`]. What the kernel books on that process's children is then this run and nothing else,
//! with every process that the tool started, those that it abandoned too.
//!
//! The peak is that of the largest single process of the tree, as `/usr/bin/time` shows it. The
//! kernel hands a new process its parent's peak, so nothing measures less than this binary itself
//! (some 2 MB).

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use lks_tests::rig::stage::say;
use lks_tests::rig::{Attempt, Failure, Result, ensure, process};
use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::prctl::set_child_subreaper;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use serde_json::{Value, json};

use super::tools::Ready;
use super::work::Work;

/// The hidden command that runs [`inside`].
pub const COMMAND: &str = "measure";

/// Every tool sees this and little more: a benchmark of the tools, not of somebody's shell.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How long processes that outlive their tool may take to end: their CPU time is the tool's too.
const PATIENCE: Duration = Duration::from_secs(10);

/// What one run cost.
#[derive(Clone, Debug)]
pub struct Run {
    /// From the start of the tool to its end.
    pub wall_s: f64,
    /// User and system time of the whole process tree.
    pub cpu_s: f64,
    /// Peak memory of the largest process of the tree.
    pub peak_kib: u64,
    /// How often the watched program was opened; the kernel opens a program once to execute it.
    pub opened: usize,
}

/// Runs `tool` on the shape that lies in `work`, and counts how often `watched` is opened.
pub fn run(tool: &Ready, work: &Work, watched: Option<&str>) -> Result<Run> {
    let environment = tool.environment.iter();
    let environment = environment.map(|(name, value)| (*name, value.as_str()));
    let words = tool.command(work);
    let environment = environment.collect::<Vec<_>>();
    measure(&words, &work.log(), &work.home(), watched, &environment)
}

/// Runs any command; what it says goes to `log`.
pub fn command(words: &[String], log: &Path, home: &Path) -> Result<Run> {
    measure(words, log, home, None, &[])
}

fn measure(
    words: &[String],
    log: &Path,
    home: &Path,
    watched: Option<&str>,
    environment: &[(&str, &str)],
) -> Result<Run> {
    let mut command = Command::new(std::env::current_exe()?);
    command
        .args([COMMAND, watched.unwrap_or("-")])
        .arg(log)
        .args(words)
        .env_clear()
        .env("PATH", PATH)
        .env("LANG", "C.UTF-8")
        .env("HOME", home)
        .envs(environment.iter().copied())
        .current_dir(home);
    let said = process::run(&mut command)?;
    let figures: Value = serde_json::from_str(&said).attempt("the measurement is not readable")?;
    let code = figures["code"].as_i64();
    ensure(
        code == Some(0),
        format_args!("exit code {}:\n{}", figures["code"], end_of(log)),
    )?;
    Ok(Run {
        wall_s: figures["wall_s"].as_f64().unwrap_or(f64::NAN),
        cpu_s: figures["cpu_s"].as_f64().unwrap_or(f64::NAN),
        peak_kib: figures["peak_kib"].as_u64().unwrap_or(0),
        opened: figures["opened"].as_u64().unwrap_or(0) as usize,
    })
}

fn end_of(log: &Path) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    process::tail(&String::from_utf8_lossy(&bytes)).to_owned()
}

/// The measuring process: `WATCHED LOG PROGRAM ARGUMENT...`. Prints one line of figures.
pub fn inside(words: &[String]) -> Result<()> {
    let [watched, log, program, arguments @ ..] = words else {
        return Err(Failure::new(format!("{COMMAND} is not for humans")));
    };
    set_child_subreaper(true).attempt("cannot be the parent of the abandoned")?;
    let events = watch(watched).attempt(format_args!("cannot watch {watched}"))?;
    let output = File::create(log)?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output);
    let start = Instant::now();
    let mut child = command
        .spawn()
        .attempt(format_args!("cannot start {program}"))?;
    let status = child.wait()?;
    let wall = start.elapsed();
    reap_the_abandoned()?;
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).attempt("no figures")?;
    let seconds =
        |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    say(json!({
        "code": status.code(),
        "wall_s": wall.as_secs_f64(),
        "cpu_s": seconds(usage.user_time()) + seconds(usage.system_time()),
        "peak_kib": usage.max_rss(),
        "opened": events.map_or(0, |events| opened(&events)),
    }));
    Ok(())
}

/// Waits for processes that outlived the tool; as a subreaper this process is their parent now.
fn reap_the_abandoned() -> Result<()> {
    let start = Instant::now();
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Err(Errno::ECHILD) => return Ok(()),
            Ok(WaitStatus::StillAlive) => std::thread::sleep(Duration::from_millis(2)),
            Ok(_) => {}
            Err(error) => return Err(Failure::new(error.to_string())),
        }
        ensure(
            start.elapsed() < PATIENCE,
            "the tool left processes behind that do not end",
        )?;
    }
}

/// Watches a program's file. Beside its opening, its reading and closing are watched: the kernel
/// reports equal events in a row as one, and this keeps two openings apart.
fn watch(program: &str) -> nix::Result<Option<Inotify>> {
    if program == "-" {
        return Ok(None);
    }
    let events = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
    let kinds = AddWatchFlags::IN_OPEN | AddWatchFlags::IN_ACCESS | AddWatchFlags::IN_CLOSE_NOWRITE;
    events.add_watch(program, kinds)?;
    Ok(Some(events))
}

fn opened(events: &Inotify) -> usize {
    let mut count = 0;
    while let Ok(some) = events.read_events() {
        let open = |mask: AddWatchFlags| mask.contains(AddWatchFlags::IN_OPEN);
        count += some.iter().filter(|event| open(event.mask)).count();
    }
    count
}
