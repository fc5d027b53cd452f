//! `run -c agent`: a bundle is made and signed here, or comes ready, and is run by enrolled hosts.

use super::bundle::stem;
use super::connection::Connection;
use crate::bundle::{self, Given, LIFETIME, SigningKey, Source};
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
    only_flags(&call.parsed, MEANT, "has no meaning for enrolled hosts")?;
    let (signed, hosts) = match Given::read(&call.parsed.args)? {
        Some(given) => ready(call, given)?,
        None => signed_here(call)?,
    };
    let client = Connection::known()?.client()?;
    let started = fleet::start(&client, signed, &hosts)?;
    io.print(&format!(
        "run {} on {}\n",
        started.run,
        counted(started.hosts.len(), "host")
    ));
    fleet::follow(&client, &started.run, Follow::UntilOver, io)
}

/// A bundle that was signed elsewhere: what it does is said in it, and only who runs it now is said here.
fn ready(call: &Call<'_>, given: Given) -> Result<(Vec<u8>, Vec<String>)> {
    let who = ["limit", "connection", "verbose", "forks"];
    only_flags(&call.parsed, &who, SAID_BY_ITS_SIGNER)?;
    Ok((given.bytes, limit(&call.parsed).unwrap_or(given.hosts)))
}

/// A bundle of the playbooks that are named, signed with the key that lies here.
fn signed_here(call: &Call<'_>) -> Result<(Vec<u8>, Vec<String>)> {
    let playbooks = &call.parsed.args;
    let mut source = source_of(&call.parsed, playbooks)?;
    source.hosts = limit(&call.parsed).unwrap_or_else(|| vec!["*".into()]);
    let key = SigningKey::read(&SigningKey::default_path())?;
    let name = playbooks
        .first()
        .map_or_else(String::new, |p| stem(Path::new(p)));
    let signed = bundle::sign(&bundle::make(&source)?, &name, LIFETIME, &key)?;
    Ok((signed, source.hosts))
}

/// The hosts that `--limit` names.
fn limit(parsed: &Parsed) -> Option<Vec<String>> {
    let names = parsed.value("limit")?.split([',', ':']);
    Some(names.map(|p| p.trim().to_string()).collect())
}

/// Why a bundle that comes signed takes few flags.
pub(super) const SAID_BY_ITS_SIGNER: &str =
    "has no meaning for a bundle that is signed: it belongs to `bundle make`";

/// Refuses flags other than these, and says why.
pub(super) fn only_flags(parsed: &Parsed, meant: &[&str], why: &str) -> Result<()> {
    let mut flags = parsed.flags.iter().map(|(flag, _)| flag.name());
    match flags.find(|name| !meant.contains(name)) {
        Some(name) => Err(usage(format!("--{name} {why}"))),
        None => Ok(()),
    }
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
