//! The commands that apt's tools are run with, and what their output means.

use super::{Apt, Upgrade};
use crate::error::{Error, Result};
use crate::host::{Command, HostView, Output};
use crate::module::Returns;
use crate::module::apt::{self, LISTS_CHANGED, Patience, quietly};

const SHADOW: &str = include_str!("shadow.sh");

/// What the script prints when nobody knows what an update would bring.
const UPDATE_FAILED: &str = "lks: update failed";

impl Apt {
    fn patience(&self, host: &dyn HostView) -> Result<u64> {
        match self.lock_timeout {
            Some(seconds) => Ok(seconds),
            None => apt::lock_patience(host),
        }
    }

    /// The command that is run in earnest, with patience.
    pub(super) fn patiently(&self, host: &dyn HostView, argv: Vec<String>) -> Result<Command> {
        let patience = Patience {
            attempts: self.update_cache_retries,
            pause: self.update_cache_retry_max_delay,
            lock: self.patience(host)?,
        };
        let command = apt::patiently(patience, argv);
        Ok(match self.policy_rc_d {
            Some(status) => command.env("POLICY_RC_D", status.to_string()),
            None => command,
        })
    }

    /// `apt-get` with the options that all of its verbs get.
    pub(super) fn apt_get(&self, host: &dyn HostView) -> Result<Vec<String>> {
        let mut argv: Vec<String> = vec!["apt-get".into(), "-y".into()];
        for option in self.dpkg_options.split(',').filter(|o| !o.is_empty()) {
            argv.extend(["-o".into(), format!("Dpkg::Options::=--{option}")]);
        }
        argv.extend([
            "-o".into(),
            format!("DPkg::Lock::Timeout={}", self.patience(host)?),
        ]);
        // Without a terminal of its own, dpkg does not count files while it reads its database.
        argv.extend(["-o", "Dpkg::Use-Pty=0"].map(String::from));
        if let Some(release) = &self.default_release {
            argv.extend(["-t".into(), release.clone()]);
        }
        match self.install_recommends {
            Some(true) => argv.extend(["-o", "APT::Install-Recommends=yes"].map(String::from)),
            Some(false) => argv.extend(["-o", "APT::Install-Recommends=no"].map(String::from)),
            None => {}
        }
        for (wanted, option) in [
            (
                self.allow_unauthenticated || self.force,
                "--allow-unauthenticated",
            ),
            (self.allow_downgrade || self.force, "--allow-downgrades"),
            (
                self.allow_change_held_packages || self.force,
                "--allow-change-held-packages",
            ),
            (self.force, "--allow-remove-essential"),
            (self.fail_on_autoremove, "--no-remove"),
            (self.only_upgrade, "--only-upgrade"),
        ] {
            if wanted {
                argv.push(option.into());
            }
        }
        Ok(argv)
    }

    /// The verb of `apt-get` for `upgrade`.
    pub(super) fn upgrade_verb(&self, upgrade: Upgrade) -> Vec<String> {
        let mut verb: Vec<String> = match upgrade {
            Upgrade::Dist | Upgrade::Full => vec!["dist-upgrade".into()],
            _ => vec!["upgrade".into(), "--with-new-pkgs".into()],
        };
        if self.autoremove {
            verb.push("--auto-remove".into());
        }
        verb
    }
}

/// What asking apt gave.
pub struct Answer {
    /// Standard output.
    pub out: String,
    /// Whether an update would change the index; `None` if it was not asked.
    pub lists_change: Option<bool>,
}

/// Asks apt what `argv` would do (`-s` is added).
///
/// # Errors
/// When apt says that it cannot be done.
pub fn simulate(host: &dyn HostView, argv: &[String]) -> Result<Answer> {
    let output = host.query(&quietly(Command::new(simulation(argv))))?;
    if !output.success() {
        return Err(refused(argv, &output));
    }
    Ok(Answer {
        out: output.out(),
        lists_change: None,
    })
}

/// Asks apt what `argv` would do after an update of the index, which is made in a temporary folder.
///
/// # Errors
/// Of kind `Unknown` when the index cannot be fetched; else when apt says that it cannot be done.
pub fn simulate_after_update(host: &dyn HostView, argv: &[String]) -> Result<Answer> {
    let words = if argv.is_empty() {
        Vec::new()
    } else {
        simulation(argv)
    };
    let head = ["/bin/sh", "-c", SHADOW, "apt", "update"].map(String::from);
    let output = host.query(&quietly(Command::new(head.into_iter().chain(words))))?;
    let out = output.out();
    let failed = out.lines().any(|l| l == UPDATE_FAILED);
    if failed || (argv.is_empty() && !output.success()) {
        let why = crate::module::command::complaint(&output);
        return Err(Error::unknown(format!(
            "the package index cannot be fetched: {why}"
        )));
    }
    if !output.success() {
        return Err(refused(argv, &output));
    }
    Ok(Answer {
        lists_change: Some(out.lines().any(|l| l == LISTS_CHANGED)),
        out,
    })
}

fn simulation(argv: &[String]) -> Vec<String> {
    let mut words = argv.to_vec();
    words.insert(1, "-s".into());
    words
}

/// Ansible's words for what apt refuses.
fn refused(argv: &[String], output: &Output) -> Error {
    let text = output.err();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("E: Unable to locate package ") {
            return Error::host(format!("No package matching '{name}' is available")).hint(
                "is the name right, and the package index up to date (`update_cache: true`)?",
            );
        }
        if let Some(rest) = line.strip_prefix("E: Package '")
            && let Some((name, _)) = rest.split_once("' has no installation candidate")
        {
            return Error::host(format!("no available installation candidate for {name}"));
        }
    }
    Error::host(failure(argv, output))
}

/// `'apt-get …' failed: …`
pub fn failure(argv: &[String], output: &Output) -> String {
    let errors: Vec<String> = output
        .err()
        .lines()
        .chain(output.out().lines())
        .filter(|l| l.starts_with("E: ") || l.starts_with("dpkg: error"))
        .map(String::from)
        .collect();
    let why = match errors.is_empty() {
        true => crate::module::command::complaint(output),
        false => errors.join("\n"),
    };
    format!("'{}' failed: {why}", crate::module::shlex::join(argv))
}

/// Puts a command's output into the return values, without this module's own marks.
pub fn show(returns: &mut Returns, output: &Output) {
    let own = |line: &&str| !line.starts_with("lks: ");
    let text: Vec<String> = output.out().lines().filter(own).map(String::from).collect();
    let out = text.iter().map(|l| format!("{l}\n")).collect::<String>();
    returns
        .set("stdout", out)
        .set("stdout_lines", text)
        .set("stderr", output.err())
        .set("stderr_lines", crate::module::command::lines(&output.err()));
}
