//! `agent`: brings a new version of the agent to the hosts.

use super::connection::Connection;
use super::look::usage;
use super::table::answer_table;
use crate::bundle::SigningKey;
use lks_agent::bundle::{FORMAT, Release};
use lks_agent::cli::{Args, Call, Command, Complete, Flag, Io, exit};
use lks_agent::error::{Error, ErrorKind, Result};
use lks_agent::host::here;
use lks_agent::host::{Digest, digest_of};
use serde_json::Value;
use std::path::{Path, PathBuf};

pub(super) const AGENT: Command = Command {
    name: "agent",
    called_as: None,
    summary: "Publish a new version of the agent; list those that were",
    details: "`agent publish FILE` signs the program with your key and brings it to the controller. Hosts whose \
key file has the key take it, between two runs: they try it first, and go back to the old one if it does not \
report. `hosts` shows who runs what; who did not take it says why in the audit log.\n",
    args: Args {
        usage: "[publish FILE]",
        complete: Complete::Words(&["publish"]),
    },
    flags: FLAGS,
    body: |call, io| {
        let words: Vec<&str> = call.parsed.args.iter().map(String::as_str).collect();
        match words.as_slice() {
            [] => {
                let answer = Connection::known()?.client()?.get("/v1/releases")?;
                answer_table(
                    call,
                    io,
                    &answer,
                    &["counter", "version", "machine", "hosts", "made_by", "at"],
                )
            }
            ["publish", file] => publish(call, Path::new(file), io),
            _ => Err(usage("agent [publish FILE]")),
        }
    },
};

static FLAGS: &[Flag] = &[
    Flag::switch(&["json"], "Print JSON."),
    Flag::one(
        &["as-version"],
        "VERSION",
        "The version of the program. This program's own if not given.",
    ),
    Flag::many(
        &["hosts"],
        "PATTERN",
        "Hosts that take it, `*` for any letters. All if not given.",
    ),
    Flag::one(
        &["key"],
        "FILE",
        "The signing key. ~/.config/lks/sign.key (or LKS_SIGN_KEY) if not given.",
    )
    .complete(Complete::File),
];

fn publish(call: &Call<'_>, file: &Path, io: &mut Io<'_>) -> Result<i32> {
    let program = here::read(file)?.ok_or_else(|| {
        Error::new(
            ErrorKind::Usage,
            format!("{} does not exist", file.display()),
        )
    })?;
    let key: PathBuf = call
        .parsed
        .value("key")
        .map_or_else(SigningKey::default_path, here::expand_home);
    let key = SigningKey::read(&key)?;
    let mut hosts = call.parsed.values("hosts");
    if hosts.is_empty() {
        hosts.push("*".into());
    }
    let now = here::now();
    let release = Release {
        format: FORMAT,
        // Grows without being kept anywhere, as a bundle's.
        counter: (now * 1000.0) as u64,
        version: call
            .parsed
            .value("as-version")
            .unwrap_or(env!("CARGO_PKG_VERSION"))
            .to_string(),
        machine: machine(&program)
            .ok_or_else(|| {
                Error::host(format!(
                    "{} is no program for Linux on x86_64 or aarch64",
                    file.display()
                ))
            })?
            .to_string(),
        hosts,
        sha256: digest_of(&program, Digest::Sha256),
        signed_at: now as u64,
    };
    let bytes = release.write(&program, |message| key.sign(message))?;
    let made: Value = Connection::known()?
        .client()?
        .put("/v1/releases", bytes)?
        .json()?;
    io.print(&format!(
        "published {} for {} on {}\n",
        release.version,
        release.hosts.join(", "),
        made["machine"].as_str().unwrap_or_default()
    ));
    Ok(exit::OK)
}

/// The architecture of an ELF program of 64 bits (elf(5): `e_machine`), as Rust calls it; of a script, this
/// machine's.
fn machine(program: &[u8]) -> Option<&'static str> {
    if program.starts_with(b"#!") {
        return Some(std::env::consts::ARCH);
    }
    match (program.starts_with(b"\x7fELF\x02"), program.get(18..20)?) {
        (true, [62, 0]) => Some("x86_64"),
        (true, [183, 0]) => Some("aarch64"),
        _ => None,
    }
}
