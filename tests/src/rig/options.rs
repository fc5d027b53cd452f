//! What is tested: the agent's binary, the playbook, and where reports are put.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::stage::say;
use super::{Attempt, Failure, Result, data, process};

/// The command line's options, with their defaults filled in.
pub struct Options {
    /// The binary that runs on the host.
    pub agent: PathBuf,
    /// The playbook that it runs.
    pub playbook: PathBuf,
    /// Where each run's report is kept for a human.
    pub reports: PathBuf,
}

impl Options {
    /// Reads `--agent PATH`, `--playbook PATH` and `--reports DIR`; the agent is built if not given.
    pub fn parse(words: &[String]) -> Result<Self> {
        let (mut agent, mut playbook, mut reports) = (None, None, None);
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let slot = match word.as_str() {
                "--agent" => &mut agent,
                "--playbook" => &mut playbook,
                "--reports" => &mut reports,
                _ => return Err(Failure::new(format!("unknown option: {word}"))),
            };
            let value = words.next();
            *slot =
                Some(PathBuf::from(value.ok_or_else(|| {
                    Failure::new(format!("{word} wants a path"))
                })?));
        }
        let agent = match agent {
            Some(agent) => agent,
            None => build_agent()?,
        };
        Ok(Options {
            reports: reports.unwrap_or_else(|| beside(&agent)),
            agent,
            playbook: playbook.unwrap_or_else(|| data("first-user.yml")),
        })
    }
}

/// The agent's binary: the one that `LKS_AGENT` names, or a release build.
pub fn agent() -> Result<PathBuf> {
    match std::env::var_os("LKS_AGENT") {
        Some(path) => Ok(PathBuf::from(path)),
        None => build_agent(),
    }
}

/// A build directory is a fine place for reports: it is there, and nobody commits it.
fn beside(agent: &Path) -> PathBuf {
    agent.parent().unwrap_or(Path::new(".")).join("rig-reports")
}

/// `lks-ctl`: the one that `LKS_CTL` names, or a debug build.
pub fn ctl() -> Result<PathBuf> {
    match std::env::var_os("LKS_CTL") {
        Some(path) => Ok(PathBuf::from(path)),
        None => build("lks-ctl", &[]),
    }
}

/// `lks-ctl` as it is shipped: the one that `LKS_CTL` names, or a release build.
pub fn released_ctl() -> Result<PathBuf> {
    match std::env::var_os("LKS_CTL") {
        Some(path) => Ok(PathBuf::from(path)),
        None => build("lks-ctl", &["--release"]),
    }
}

/// Builds the agent as it is shipped.
fn build_agent() -> Result<PathBuf> {
    say("building the agent");
    build("lks-agent", &["--release"])
}

/// Builds a package's program, and asks cargo where it put it.
fn build(package: &str, flags: &[&str]) -> Result<PathBuf> {
    let mut cargo = crate::cargo::command();
    cargo
        .args(["build", "--package", package, "--message-format=json"])
        .args(flags)
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    let messages = process::run(&mut cargo).attempt(format!("cannot build {package}"))?;
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
        .next_back()
        .ok_or_else(|| Failure::new(format!("{package} has no binary yet")))
}
