//! The memory against rollback: the highest counter that was seen for each name.

use super::{Verified, refused};
use crate::error::Result;
use crate::host::here::{self, durable};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

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
        let seen = Seen {
            counter,
            bundle: bundle.id.clone(),
        };
        self.seen.insert(name.clone(), seen);
        let text = serde_json::to_vec_pretty(&self.seen)
            .map_err(|e| crate::error::Error::host("cannot write counters").caused_by(e))?;
        durable::replace(&self.path, &text, 0o600)
    }
}
