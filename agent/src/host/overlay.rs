//! Check mode's host: effects are remembered, and what is asked later is answered from them.

use super::memory::{Memory, unit_name, view_by};
use super::pending::ShippedUnit;
use super::tree::Data;
use super::words::{CommandWords, base_name};
use super::*;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A host over another one that it never changes: it remembers effects, and answers from what it
/// remembers, so that a later task sees what an earlier one *would* have done. What it cannot know is
/// an error of kind `Unknown`.
pub struct Overlay {
    memory: Memory,
    /// The host without the task's environment.
    origin: Arc<dyn HostView>,
}

view_by!(Overlay, memory);

impl Overlay {
    /// Over this host.
    #[must_use]
    pub fn over(host: Arc<dyn HostView>) -> Self {
        Self {
            memory: Memory::over(Arc::clone(&host), true),
            origin: host,
        }
    }

    /// Really runs a command that is known only to read, unless its answer could depend on what is
    /// only remembered: a word of it names a changed path, account, package, unit or mount, or its
    /// program would be installed first.
    ///
    /// # Errors
    /// Of kind `Unknown` in such a case; else as the host's [`HostView::query`].
    pub fn probe(&self, command: &Command) -> Result<Output> {
        let words = CommandWords::of(command);
        for program in &words.programs {
            self.memory.pending.program(&*self.memory.base, program)?;
            if let Some(path) = self.which(program)? {
                self.check_path(&path, false)?;
            }
            self.check_subject(base_name(program), &words.words)?;
        }
        if let Some(dir) = &command.chdir {
            self.check_path(dir, false)?;
        }
        for word in &words.words {
            self.check_word(word, command.chdir.as_deref())?;
        }
        self.memory
            .base
            .query(&self.memory.with_environment(command))
    }

    /// An error if the program tells of something that was changed without naming it.
    fn check_subject(&self, program: &str, words: &[String]) -> Result<()> {
        let pending = self.memory.pending.any();
        let services = pending || !self.memory.units.is_empty();
        let (changed, subject) = match program {
            "mount" | "findmnt" | "df" | "mountpoint" | "lsblk" => {
                (self.memory.mounts.is_some(), "the mount table")
            }
            "dpkg" | "dpkg-query" | "apt" | "apt-get" | "apt-mark" => {
                (!self.memory.packages.is_empty(), "the installed packages")
            }
            "ps" | "pgrep" | "pidof" | "ss" | "netstat" | "lsof" | "curl" | "wget" | "nc" => {
                (services, "which services run")
            }
            "systemctl" | "service" => {
                let lists = words.iter().any(|w| w.starts_with("list-"));
                return match services && lists {
                    true => Err(depends("which units there are")),
                    false => self.check_names(words, |base, name| {
                        let name = unit_name(name);
                        let is_there = base.unit(UnitScope::System, &name)?.exists();
                        Ok(is_there || self.memory.pending.unit(base, &name)? == ShippedUnit::No)
                    }),
                };
            }
            "id" | "groups" | "getent" => {
                return self.check_names(words, |base, name| {
                    let is_there = base.user(name)?.is_some() || base.group(name)?.is_some();
                    Ok(is_there || self.memory.pending.account(base, name).is_ok())
                });
            }
            _ => return Ok(()),
        };
        match changed {
            true => Err(depends(subject)),
            false => Ok(()),
        }
    }

    /// An error if one of the words is a name that a package which would be installed may bring.
    fn check_names(
        &self,
        words: &[String],
        is_known: impl Fn(&dyn HostView, &str) -> Result<bool>,
    ) -> Result<()> {
        const VERBS: [&str; 10] = [
            "is-active",
            "is-enabled",
            "is-failed",
            "status",
            "show",
            "cat",
            "passwd",
            "group",
            "/dev/null",
            "shadow",
        ];
        if !self.memory.pending.any() {
            return Ok(());
        }
        let names = words
            .iter()
            .filter(|w| !w.starts_with('-') && !VERBS.contains(&w.as_str()));
        for name in names {
            if !is_known(&*self.memory.base, name)? {
                return Err(depends(name));
            }
        }
        Ok(())
    }

    fn check_word(&self, word: &str, dir: Option<&Path>) -> Result<()> {
        let pieces = word.split(['=', ',', ':', '@']).chain([word]);
        for piece in pieces {
            let path = Path::new(piece);
            if path.is_absolute() {
                // Only a whole word may name a folder in which something changed: `HOST:/` does not
                // mean the root.
                self.check_path(path, piece.len() == word.len() && piece.len() > 1)?;
            } else if let Some(dir) = dir {
                self.check_path(&dir.join(path), false)?;
            }
            if self.memory.words.iter().any(|w| w == piece) {
                return Err(depends(piece));
            }
            let name = piece.strip_suffix(".service").unwrap_or(piece);
            let unit = |(_, unit): &(UnitScope, String)| {
                unit == piece || unit.strip_suffix(".service") == Some(name)
            };
            if self.memory.packages.contains_key(piece) || self.memory.units.keys().any(unit) {
                return Err(depends(piece));
            }
        }
        Ok(())
    }

    /// An error if the path, something above it or (`whole`) something below it was changed.
    fn check_path(&self, path: &Path, whole: bool) -> Result<()> {
        let (at, node) = self.memory.find(path, true)?;
        if node.is_some() && self.memory.base.lstat(&at)?.is_none() {
            return Err(depends(&path.display().to_string()));
        }
        let mut changed = self.memory.tree.changed();
        let hit = changed.any(|c| {
            // Of a folder above, only its going or coming matters, not its mode.
            let above = at != c && at.starts_with(c) && self.memory.tree.hides(c);
            at == c || above || (whole && c.starts_with(&at))
        });
        match hit {
            true => Err(depends(&path.display().to_string())),
            false => Ok(()),
        }
    }

    fn download(&mut self, download: &Download) -> Result<()> {
        let why = format!(
            "what {} holds is known only once it is fetched",
            download.request.url
        );
        let data = Data::Unknown(why.into());
        self.memory.downloaded(download, data).map(|_| ())
    }
}

fn depends(what: &str) -> Error {
    Error::unknown(format!(
        "the answer depends on {what}, which an earlier task would have changed"
    ))
}

impl Host for Overlay {
    fn apply(&mut self, effect: &Effect, _: &dyn Fn(Progress)) -> Result<Outcome> {
        if self.memory.remember(effect)?.is_some() {
            return Ok(Outcome::Remembered);
        }
        match effect {
            Effect::Run { then, .. } => {
                for consequence in then {
                    self.memory.consequence(consequence)?;
                }
            }
            Effect::Download(download) => self.download(download)?,
            Effect::Fetch(fetch) => {
                let why = format!(
                    "what {} holds is known only once it is fetched",
                    fetch.request.url
                );
                self.memory.fetched(fetch, Data::Unknown(why.into()))?;
            }
            _ => {}
        }
        Ok(Outcome::Remembered)
    }

    fn set_environment(&mut self, variables: Vec<(String, String)>) {
        match self.origin.with_environment(&variables) {
            Some(base) => self.memory.base = base,
            None => self.memory.environment = variables,
        }
    }

    fn view(&self) -> &dyn HostView {
        self
    }
}

#[cfg(test)]
#[path = "overlay_tests.rs"]
mod tests;
