//! Running apt's tools with patience: what `apt` and `apt_repository` share.

use crate::error::Result;
use crate::host::{Command, HostView, Outcome, Output};
use std::path::Path;

const PATIENT: &str = include_str!("patient.sh");
/// What the script prints when the package index changed.
pub const LISTS_CHANGED: &str = "lks: lists changed";

/// How long and how often an apt command is tried.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Attempts while the network is not up.
    pub attempts: u64,
    /// Longest pause between them, in seconds.
    pub pause: u64,
    /// Seconds to wait for a lock.
    pub lock: u64,
}

/// Settings under which apt asks nothing and says what can be read.
#[must_use]
pub fn quietly(command: Command) -> Command {
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("DEBIAN_PRIORITY", "critical")
        .env("APT_LISTCHANGES_FRONTEND", "none")
        .env("LC_ALL", "C.UTF-8")
        .env("LANG", "C.UTF-8")
        .env("LANGUAGE", "C")
}

/// The command, run with patience.
#[must_use]
pub fn patiently(patience: Patience, argv: Vec<String>) -> Command {
    let head = ["/bin/sh", "-c", PATIENT, "apt"].map(String::from);
    let numbers = [
        patience.attempts.max(1),
        patience.pause.max(1),
        patience.lock,
    ];
    let numbers = numbers.map(|n| n.to_string());
    quietly(Command::new(head.into_iter().chain(numbers).chain(argv))).with_progress()
}

/// Seconds to wait for the lock where the playbook does not say: a machine that has just booted
/// installs its first upgrades on its own, which takes minutes.
///
/// # Errors
/// When the host cannot be read.
pub fn lock_patience(host: &dyn HostView) -> Result<u64> {
    let uptime = host.read(Path::new("/proc/uptime"))?.unwrap_or_default();
    let seconds: Option<f64> = String::from_utf8_lossy(&uptime)
        .split_whitespace()
        .next()
        .and_then(|word| word.parse().ok());
    Ok(match seconds {
        Some(seconds) if seconds < 900.0 => 600,
        _ => 60,
    })
}

/// Whether any of these ran an update that changed the index.
#[must_use]
pub fn lists_changed(outcomes: &[Outcome]) -> bool {
    outcomes.iter().any(|o| match o {
        Outcome::Ran(output) => output.out().lines().any(|l| l == LISTS_CHANGED),
        _ => false,
    })
}

/// The first command that failed.
#[must_use]
pub fn failed(outcomes: &[Outcome]) -> Option<&Output> {
    outcomes.iter().find_map(|o| match o {
        Outcome::Ran(output) if !output.success() => Some(output),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{Host, RealHost, here};

    /// What apt and dpkg say when another process holds a lock: each is waited for.
    #[test]
    fn every_word_for_a_held_lock_is_waited_for() {
        for said in [
            "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 7 (apt-get)",
            "E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend)",
            "dpkg: error: dpkg frontend lock is locked by another process",
            "dpkg: error: dpkg frontend lock was locked by another process with pid 592",
        ] {
            let folder = here::private_folder().unwrap();
            let held = folder.join("held").display().to_string();
            let script =
                format!("mkdir {held} 2>/dev/null && {{ echo '{said}'; exit 2; }}; rmdir {held}");
            let patience = Patience {
                attempts: 1,
                pause: 1,
                lock: 30,
            };
            let command = patiently(patience, vec!["sh".into(), "-c".into(), script]);
            let mut host = RealHost::new();
            let outcome = host.apply(&command.effect(), &|_| {}).unwrap();
            let Outcome::Ran(output) = outcome else {
                panic!("{outcome:?}")
            };
            assert!(output.success(), "{said}: {}", output.out());
            here::remove_folder(&folder);
        }
    }
}
