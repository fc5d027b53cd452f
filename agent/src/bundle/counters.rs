//! The memory against rollback: the highest counter that was seen for each name.

use super::{Verified, refused};
use crate::error::Result;
use crate::host::here::{self, durable};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The name of releases of the agent among those of bundles, which cannot have a colon.
const RELEASE: &str = "release:lks-agent";

/// The highest counters seen, kept in a file.
#[derive(Debug)]
pub struct Counters {
    path: PathBuf,
    seen: BTreeMap<String, Seen>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    counter: u64,
    bundle: String,
}

impl Counters {
    /// Reads the memory; a host that has seen nothing has none.
    ///
    /// # Errors
    /// When it is there but cannot be read: then nothing is believed.
    pub fn open(path: &Path) -> Result<Self> {
        let seen = match here::read(path)? {
            None => BTreeMap::new(),
            Some(bytes) => serde_json::from_slice(&bytes)
                .map_err(|e| refused(format!("{} cannot be read", path.display())).caused_by(e))?,
        };
        Ok(Self {
            path: path.to_path_buf(),
            seen,
        })
    }

    /// The counter of the newest release of this program that was seen; 0 if none was.
    #[must_use]
    pub fn release(&self) -> u64 {
        self.seen.get(RELEASE).map_or(0, |seen| seen.counter)
    }

    /// Remembers that a release was seen, whatever becomes of it: it is tried once.
    ///
    /// # Errors
    /// When it is not newer than the last one, or cannot be remembered.
    pub fn accept_release(&mut self, counter: u64, sha256: &str) -> Result<()> {
        if counter <= self.release() {
            return Err(crate::error::Error::host(format!(
                "the new agent is refused: its counter is {counter}, and {} was here already",
                self.release()
            )));
        }
        self.keep(RELEASE, counter, sha256)
    }

    /// Refuses what is older than what was seen, and remembers the rest, on the disk, before anything
    /// of the bundle is used.
    ///
    /// # Errors
    /// When it is older, or another bundle had the same counter, or it cannot be remembered.
    pub fn accept(&mut self, bundle: &Verified<'_>) -> Result<()> {
        let (name, counter) = (&bundle.statement.name, bundle.statement.counter);
        if let Some(seen) = self.seen.get(name) {
            if counter < seen.counter {
                return Err(refused(format!(
                    "its counter is {counter}, and `{name}` {} was here already",
                    seen.counter
                ))
                .hint("sign what is to run again: `lks-ctl bundle sign`"));
            }
            if counter == seen.counter {
                return if seen.bundle == bundle.id {
                    Ok(())
                } else {
                    Err(refused(format!(
                        "another bundle `{name}` with the counter {counter} was here already"
                    )))
                };
            }
        }
        self.keep(name, counter, &bundle.id)
    }

    fn keep(&mut self, name: &str, counter: u64, id: &str) -> Result<()> {
        let seen = Seen {
            counter,
            bundle: id.to_string(),
        };
        self.seen.insert(name.to_string(), seen);
        let text = serde_json::to_vec_pretty(&self.seen)
            .map_err(|e| crate::error::Error::host("cannot write counters").caused_by(e))?;
        durable::replace(&self.path, &text, 0o600)
    }
}
