//! The keys by which hosts are known: `known_hosts`, plain and hashed.

use super::config::matches_any;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lks_agent::error::{Error, Result};
use lks_agent::host::here;
use russh::keys::{Algorithm, HashAlg, PublicKey, parse_public_key_base64};
use std::path::{Path, PathBuf};

/// How strictly hosts are checked (`StrictHostKeyChecking`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strict {
    /// Only known hosts.
    #[default]
    Yes,
    /// A host that was never seen is trusted, and known from then on.
    AcceptNew,
    /// Any host.
    No,
}

/// What is known of one host.
#[derive(Debug, Default)]
pub struct Known(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    key: PublicKey,
    revoked: bool,
    file: PathBuf,
    line: usize,
}

/// What a host's key is.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The one that is known.
    Known,
    /// Nothing is known of the host.
    Unknown,
    /// Another one is known: its place.
    Changed(String),
    /// Marked `@revoked`: its place.
    Revoked(String),
}

/// The name under which a host is known: the port is part of it unless it is SSH's own.
pub fn known_name(host: &str, port: u16) -> String {
    match port {
        22 => host.to_string(),
        port => format!("[{host}]:{port}"),
    }
}

impl Known {
    /// Reads what these files say of the host of this name. A file that is not there says nothing.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn read(files: &[PathBuf], name: &str) -> Result<Self> {
        let mut entries = Vec::new();
        for file in files {
            // A name in another encoding must not hide the others.
            let bytes = here::read(file)?.unwrap_or_default();
            for (index, line) in String::from_utf8_lossy(&bytes).lines().enumerate() {
                if let Some((key, revoked)) = parse(line, name) {
                    entries.push(Entry {
                        key,
                        revoked,
                        file: file.clone(),
                        line: index + 1,
                    });
                }
            }
        }
        Ok(Self(entries))
    }

    /// What this key is.
    pub fn judge(&self, key: &PublicKey) -> Verdict {
        let same = |e: &&Entry| e.key.key_data() == key.key_data();
        let place = |e: &Entry| format!("{}:{}", e.file.display(), e.line);
        if let Some(entry) = self.0.iter().filter(|e| e.revoked).find(same) {
            return Verdict::Revoked(place(entry));
        }
        let mut good = self.0.iter().filter(|e| !e.revoked);
        if good.clone().any(|e| same(&e)) {
            return Verdict::Known;
        }
        // A key of another sort says nothing of this one: the host got one more.
        good.find(|e| e.key.algorithm() == key.algorithm())
            .map_or(Verdict::Unknown, |e| Verdict::Changed(place(e)))
    }

    /// Sorts of keys, those first by which the host is known: it must show one that can be compared.
    pub fn prefer(&self, all: &[Algorithm]) -> Vec<Algorithm> {
        let is_known = |a: &Algorithm| {
            self.0.iter().any(|e| match e.key.algorithm() {
                // One key of RSA signs in several ways.
                Algorithm::Rsa { .. } => matches!(a, Algorithm::Rsa { .. }),
                known => known == *a,
            })
        };
        let (mut first, rest): (Vec<_>, Vec<_>) = all.iter().cloned().partition(is_known);
        first.extend(rest);
        first
    }
}

/// The key of a line that is about the host of this name, and whether it is revoked.
fn parse(line: &str, name: &str) -> Option<(PublicKey, bool)> {
    let mut words = line.split_whitespace();
    let mut hosts = words.next().filter(|w| !w.starts_with('#'))?;
    let mut revoked = false;
    match hosts {
        "@revoked" => (revoked, hosts) = (true, words.next()?),
        // Authorities sign certificates of hosts; only plain keys are asked for here.
        "@cert-authority" => return None,
        _ => {}
    }
    let about = match hosts.strip_prefix("|1|") {
        Some(hash) => is_hash_of(hash, name),
        None => matches_any(&hosts.split(',').collect::<Vec<_>>(), name),
    };
    let key = words.nth(1)?;
    about
        .then(|| parse_public_key_base64(key).ok())
        .flatten()
        .map(|key| (key, revoked))
}

/// `SALT|HASH`: HMAC-SHA1 of the name, the salt as its key.
fn is_hash_of(text: &str, name: &str) -> bool {
    let Some((salt, hash)) = text.split_once('|') else {
        return false;
    };
    let (Ok(salt), Ok(hash)) = (STANDARD.decode(salt), STANDARD.decode(hash)) else {
        return false;
    };
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &salt);
    ring::hmac::verify(&key, name.as_bytes(), &hash).is_ok()
}

/// Writes a host's key down.
///
/// # Errors
/// When the file cannot be written.
pub fn learn(file: &Path, name: &str, key: &PublicKey) -> Result<()> {
    let mut text = here::read(file)?.unwrap_or_default();
    if !text.is_empty() && !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    let written = key
        .to_openssh()
        .map_err(|e| Error::host("a host's key cannot be written down").caused_by(e))?;
    text.extend(format!("{name} {}\n", written.trim_end()).bytes());
    here::write(file, &text, 0o600)
}

/// The short form of a key that people compare.
pub fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const OTHER: &str = "AAAAC3NzaC1lZDI1NTE5AAAAILIG2T/B0l0gaqj3puu510tu9N1OkQ4znY3LYuEm5zCF";
    const HASHED: &str = "|1|O33ESRMWPVkMYIwJ1Uw+n877jTo=|nuuC5vEqXlEZ/8BXQR7m619W6Ak=";

    fn known(text: &str, name: &str) -> Known {
        let entries = text.lines().enumerate().filter_map(|(i, line)| {
            let (key, revoked) = parse(line, name)?;
            Some(Entry {
                key,
                revoked,
                file: "known_hosts".into(),
                line: i + 1,
            })
        });
        Known(entries.collect())
    }

    fn judge(text: &str, name: &str, key: &str) -> Verdict {
        known(text, name).judge(&parse_public_key_base64(key).unwrap())
    }

    #[test]
    fn a_host_is_known_by_name_port_pattern_or_hash() {
        let text = format!(
            "a,[b]:2222 ssh-ed25519 {KEY} me\n{HASHED} ssh-ed25519 {OTHER}\n*.x,!z.x ssh-ed25519 {KEY}"
        );
        for (name, key, want) in [
            ("a", KEY, Verdict::Known),
            ("[b]:2222", KEY, Verdict::Known),
            ("b", KEY, Verdict::Unknown),
            ("y.x", KEY, Verdict::Known),
            ("z.x", KEY, Verdict::Unknown),
            ("example.com", OTHER, Verdict::Known),
            ("a", OTHER, Verdict::Changed("known_hosts:1".into())),
        ] {
            assert_eq!(judge(&text, name, key), want, "{name}");
        }
    }

    #[test]
    fn a_revoked_key_is_none() {
        let text = format!("@revoked * ssh-ed25519 {KEY}\na ssh-ed25519 {KEY}");
        assert_eq!(
            judge(&text, "a", KEY),
            Verdict::Revoked("known_hosts:1".into())
        );
    }

    #[test]
    fn known_sorts_of_keys_are_asked_for_first() {
        let known = known(&format!("a ssh-ed25519 {KEY}"), "a");
        let rsa = Algorithm::Rsa { hash: None };
        assert_eq!(
            known.prefer(&[rsa.clone(), Algorithm::Ed25519]),
            [Algorithm::Ed25519, rsa]
        );
    }
}
