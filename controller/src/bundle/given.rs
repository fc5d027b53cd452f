//! Bundles that come ready and signed, from wherever the key is.

use lks_agent::bundle::{Index, Parts};
use lks_agent::error::{Error, ErrorKind, Result};
use lks_agent::host::here;
use std::path::Path;

/// How names of bundles end.
const ENDING: &str = "lksb";

/// A bundle that is as its signer wants it.
#[derive(Debug)]
pub struct Given {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Patterns of the hosts that it is for.
    pub hosts: Vec<String>,
}

impl Given {
    /// The bundle, if what is to be run is one and no playbook. Its signature is believed by hosts, and by
    /// nobody before them.
    ///
    /// # Errors
    /// When it cannot be read, is none, or is not signed; when it is not alone.
    pub fn read(names: &[String]) -> Result<Option<Self>> {
        let is_bundle = |name: &String| Path::new(name).extension().is_some_and(|e| e == ENDING);
        let Some(name) = names.iter().find(|n| is_bundle(n)) else {
            return Ok(None);
        };
        let wrong = |text: &str| Error::new(ErrorKind::Usage, format!("{name} {text}"));
        if names.len() > 1 {
            return Err(wrong("is a bundle, and a bundle is run alone"));
        }
        let bytes = here::read(Path::new(name))?.ok_or_else(|| wrong("does not exist"))?;
        let parts = Parts::read(&bytes)?;
        if parts.signed.is_none() {
            return Err(wrong("is not signed")
                .hint(format!("`lks-ctl bundle sign {name}`, where the key is")));
        }
        let hosts = Index::read(parts.index)?.entry.hosts;
        Ok(Some(Self { bytes, hosts }))
    }
}
