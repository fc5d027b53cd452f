//! `slurp`.

use crate::error::{Error, Result};
use crate::module::attrs::shown;
use crate::module::{HostPath, Module, Plan, PlanCx, Returns};
use crate::params;
use base64::Engine as _;

params! {
    /// Reads a file of the host, as Base64.
    ///
    /// ```yaml
    /// - slurp:
    ///     src: /etc/machine-id
    ///   register: machine
    ///
    /// - debug:
    ///     msg: "{{ machine.content | b64decode }}"
    /// ```
    pub struct Slurp {
        /// The file.
        required src | "path": HostPath,
    }
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[
    ("content", "The file's content as Base64."),
    ("encoding", "`base64`."),
    ("source", "Path of the file."),
];

impl Module for Slurp {
    fn plan(&self, cx: &PlanCx<'_>) -> Result<Plan> {
        let path = self.src.expand(cx.host)?;
        if cx.host.stat(&path)?.is_some_and(|s| s.is_dir()) {
            return Err(Error::host(format!(
                "Source is a directory and must be a file: {}",
                shown(&path)
            )));
        }
        if cx.host.stat(&path)?.is_some() && !cx.host.access(&path, 4)? {
            return Err(Error::host(format!(
                "File is not readable: {}",
                shown(&path)
            )));
        }
        let Some(content) = cx.host.read(&path)? else {
            return Err(Error::host(format!("File not found: {}", shown(&path))));
        };
        let content = base64::engine::general_purpose::STANDARD.encode(content);
        let returns = Returns::default()
            .with("content", content)
            .with("source", shown(&path))
            .with("encoding", "base64");
        Ok(Plan::returning(returns))
    }

    fn only_reads(&self) -> bool {
        true
    }
}
