//! `run -c agent`: a bundle is made and signed here, and run by enrolled hosts.

use super::connection::Connection;
use crate::bundle::{self, LIFETIME, SigningKey, Source};
use crate::fleet::{self, Follow};
use crate::told::counted;
use lks_agent::cli::{Call, Io, Parsed};
use lks_agent::engine::journal::OnInterrupt;
use lks_agent::error::{Error, ErrorKind, Result};
use std::path::Path;

/// Flags of `run` that mean something for enrolled hosts.
const MEANT: &[&str] = &[
    "inventory",
    "limit",
    "extra-vars",
    "tags",
    "skip-tags",
    "check",
    "diff",
    "force-handlers",
    "start-at-task",
    "connection",
    "become",
    "become-user",
    "become-method",
    "vault-password-file",
    "verbose",
    "forks",
];

/// Whether a call of `run` is for enrolled hosts.
pub(super) fn is_meant(parsed: &Parsed) -> bool {
    parsed.value("connection") == Some("agent")
}

/// Runs over enrolled hosts: all of them, or those that `--limit` names.
pub(super) fn run(call: &Call<'_>, io: &mut Io<'_>) -> Result<i32> {
    if let Some((flag, _)) = call
        .parsed
        .flags
        .iter()
        .find(|(f, _)| !MEANT.contains(&f.name()))
    {
        return Err(usage(format!(
            "--{} has no meaning for enrolled hosts",
            flag.name()
        )));
    }
    let playbooks = &call.parsed.args;
    let mut source = source_of(&call.parsed, playbooks)?;
    source.hosts = match call.parsed.value("limit") {
        Some(limit) => limit
            .split([',', ':'])
            .map(|p| p.trim().to_string())
            .collect(),
        None => vec!["*".into()],
    };
    let key = SigningKey::read(&SigningKey::default_path())?;
    let first = playbooks.first().map(Path::new);
    let name = first
        .and_then(Path::file_stem)
        .map(|s| s.to_string_lossy().into_owned())
        .unwrap_or_default();
    let signed = bundle::sign(&bundle::make(&source)?, &name, LIFETIME, &key)?;
    let client = Connection::known()?.client()?;
    let started = fleet::start(&client, signed, &source.hosts)?;
    io.print(&format!(
        "run {} on {}\n",
        started.run,
        counted(started.hosts.len(), "host")
    ));
    fleet::follow(&client, &started.run, Follow::UntilOver, io)
}

/// What the flags of `run` and `bundle make` say: they have the same names.
pub(super) fn source_of(parsed: &Parsed, playbooks: &[String]) -> Result<Source> {
    let mut flags = Vec::new();
    for name in ["check", "diff", "force-handlers", "become"] {
        if parsed.has(name) {
            flags.push(format!("--{name}"));
        }
    }
    for name in [
        "tags",
        "skip-tags",
        "start-at-task",
        "become-user",
        "become-method",
    ] {
        for value in parsed.values(name) {
            flags.push(format!("--{name}={value}"));
        }
    }
    for path in parsed.values("vault-password-file") {
        if !path.starts_with('/') {
            return Err(usage(format!(
                "--vault-password-file names a file of the hosts: `{path}` is no absolute path"
            )));
        }
        flags.push(format!("--vault-password-file={path}"));
    }
    let mut hosts = parsed.values("hosts");
    if hosts.is_empty() {
        hosts.push("*".into());
    }
    let in_flight = parsed.value("in-flight").unwrap_or("stop");
    Ok(Source {
        root: None,
        playbooks: playbooks.to_vec(),
        inventory: parsed.values("inventory"),
        extra_vars: parsed.values("extra-vars"),
        hosts,
        flags,
        in_flight: OnInterrupt::named(in_flight)
            .ok_or_else(|| usage(format!("`{in_flight}` is none of stop, rerun and skip")))?,
    })
}

fn usage(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::Usage, text)
}
