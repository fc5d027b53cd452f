//! How the command line reaches a controller: a small file, named by `LKS_CONTROLLER`.

use lks_agent::error::{Error, ErrorKind, Result};
use lks_agent::host::here::{self, durable};
use lks_agent::uplink::Client;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A controller, and an operator's token for it.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Connection {
    /// Its address.
    pub controller: String,
    /// The SHA-256 of its authority's certificate.
    pub pin: String,
    /// The operator's token.
    pub token: String,
}

impl Connection {
    /// Reads one from a file.
    pub fn read(path: &Path) -> Result<Self> {
        let text = here::read(path)?.ok_or_else(|| {
            Error::new(
                ErrorKind::Usage,
                format!("no controller is known: {} does not exist", path.display()),
            )
            .hint("`lks-ctl serve` writes admin.json; name it: export LKS_CONTROLLER=…/admin.json")
        })?;
        serde_json::from_slice(&text).map_err(|e| {
            Error::host(format!("{} describes no controller", path.display())).caused_by(e)
        })
    }

    /// Keeps it in a file that its owner alone may read.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_vec_pretty(self)
            .map_err(|e| Error::host("cannot write JSON").caused_by(e))?;
        durable::replace(path, &text, 0o600)
    }

    /// The one that is meant on this machine.
    pub fn known() -> Result<Self> {
        let path = here::env("LKS_CONTROLLER").map_or_else(
            || here::expand_home("~/.config/lks/controller.json"),
            PathBuf::from,
        );
        Self::read(&path)
    }

    /// A client that speaks as the operator.
    pub fn client(&self) -> Result<Client> {
        Ok(Client::new(&self.controller, &self.pin, None)?.with_bearer(&self.token))
    }
}
