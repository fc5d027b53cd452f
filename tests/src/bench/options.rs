//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use lks_tests::rig::{Attempt, Failure, Result};

use super::tools::Tool;
use super::words::Choices;

/// What `--help` prints.
pub const USAGE: &str = "usage: bench [OPTION]...
       bench model [OPTION]...      fetching a large file: see `bench model --help`
       bench ssh [OPTION]...        twenty hosts over SSH: see `bench ssh --help`

  --agent PATH     the lks-agent to measure (default: built from this workspace, as released);
                   `none` leaves lks out
  --peers WHO      all (default), none, or a list: ansible,mitogen,pyinfra
  --shapes LIST    only these shapes, by their names in the table
  --runs N         how often each tool runs each shape (default 10)
  --budget SECONDS a tool that has used that long on one shape is not run again (default 60)
  --json FILE      the raw figures
  --quick          lks and the shell script only, two runs: do the effects come about?

Peers are installed from PyPI below $LKS_BENCH_CACHE (default ~/.cache/lks-bench), with
$LKS_BENCH_PYTHON (default python3; ansible-core wants 3.11 or newer).
Exit code 1: a tool failed, or the effects of its work were missing. Timings never fail a run.";

/// What was asked for.
pub enum Mode {
    /// Measure.
    Run(Options),
    /// Print [`USAGE`].
    Help,
}

/// What to measure, and how often.
pub struct Options {
    /// `--agent`.
    pub agent: Agent,
    /// `--peers`, in the table's order.
    pub peers: Vec<Tool>,
    /// `--runs`.
    pub runs: usize,
    /// `--budget`.
    pub budget: Duration,
    /// `--json`.
    pub json: Option<PathBuf>,
    shapes: Option<Vec<String>>,
}

/// Which lks is measured.
pub enum Agent {
    /// The workspace's, built first: never figures of yesterday's build.
    Built,
    /// The binary at this path.
    At(PathBuf),
    /// None.
    Absent,
}

impl Options {
    /// Reads the command line.
    pub fn parse(words: &[String]) -> Result<Mode> {
        let options = Options {
            agent: Agent::Built,
            peers: Tool::PEERS.to_vec(),
            runs: 10,
            budget: Duration::from_secs(60),
            json: None,
            shapes: None,
        };
        Ok(options.read(words)?.map_or(Mode::Help, Mode::Run))
    }

    /// Whether the shape called `id` is to be run.
    pub fn wants(&self, id: &str) -> bool {
        match &self.shapes {
            Some(ids) => ids.iter().any(|wanted| wanted == id),
            None => true,
        }
    }
}

impl Choices for Options {
    fn be_quick(&mut self) {
        self.peers.clear();
        self.runs = 2;
        self.budget = Duration::from_secs(10);
    }

    fn take(&mut self, name: &str, value: &str) -> Result<()> {
        match name {
            "--agent" => {
                self.agent = match value {
                    "none" => Agent::Absent,
                    path => Agent::At(PathBuf::from(path)),
                }
            }
            "--peers" => self.peers = peers(value)?,
            "--shapes" => self.shapes = Some(value.split(',').map(str::to_owned).collect()),
            "--runs" => self.runs = value.parse().attempt("--runs wants a number")?,
            "--budget" => {
                let seconds = value.parse().attempt("--budget wants seconds")?;
                self.budget = Duration::from_secs(seconds);
            }
            "--json" => self.json = Some(PathBuf::from(value)),
            _ => return Err(Failure::new(format!("unknown option: {name}\n{USAGE}"))),
        }
        Ok(())
    }
}

fn peers(list: &str) -> Result<Vec<Tool>> {
    match list {
        "none" => Ok(Vec::new()),
        "all" => Ok(Tool::PEERS.to_vec()),
        _ => list
            .split(',')
            .map(|name| {
                let known = Tool::PEERS.into_iter().find(|tool| tool.id() == name);
                known.ok_or_else(|| Failure::new(format!("unknown peer: {name}")))
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Options> {
        let words: Vec<String> = words.iter().map(|word| word.to_string()).collect();
        match Options::parse(&words)? {
            Mode::Run(options) => Ok(options),
            Mode::Help => Err(Failure::new("help")),
        }
    }

    #[test]
    fn peers_are_all_none_or_a_list() {
        assert_eq!(parse(&[]).unwrap().peers, Tool::PEERS);
        assert_eq!(parse(&["--peers", "none"]).unwrap().peers, []);
        let listed = parse(&["--peers", "pyinfra,ansible"]).unwrap().peers;
        assert_eq!(listed, [Tool::Pyinfra, Tool::Ansible]);
        assert!(parse(&["--peers", "salt"]).is_err());
    }

    #[test]
    fn what_is_not_known_is_refused() {
        assert!(parse(&["--fast"]).is_err());
        assert!(parse(&["--runs"]).is_err());
        assert!(parse(&["--runs", "many"]).is_err());
    }

    #[test]
    fn later_options_win() {
        assert_eq!(parse(&["--quick", "--runs", "5"]).unwrap().runs, 5);
    }
}
