//! Check mode's host: effects are remembered, and what is asked later is answered from them.

use super::memory::{Memory, view_by};
use super::tree::Data;
use super::words::CommandWords;
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
            let lists_mounts =
                matches!(program.as_str(), "mount" | "findmnt" | "df" | "mountpoint");
            if lists_mounts && self.memory.mounts.is_some() {
                return Err(depends("the mount table"));
            }
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
        let at = self.canonical(path)?;
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
