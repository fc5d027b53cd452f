//! What is known of apt's index and cache without asking apt.

use super::{ARCHIVES, LISTS};
use crate::error::{ErrorKind, Result};
use crate::host::{Command, HostView};
use std::path::Path;

/// When the index was last updated.
pub(super) fn update_time(host: &dyn HostView) -> Result<f64> {
    for path in ["/var/lib/apt/periodic/update-success-stamp", LISTS] {
        match host.stat(Path::new(path)) {
            Ok(Some(stat)) => return Ok(stat.mtime),
            Ok(None) => {}
            Err(e) if e.kind() == ErrorKind::Unknown => return Ok(host.now()),
            Err(e) => return Err(e),
        }
    }
    Ok(0.0)
}

/// Whether an earlier task would have updated the index.
pub(super) fn lists_are_unknown(host: &dyn HostView) -> bool {
    matches!(host.list(Path::new(LISTS)), Err(e) if e.is_unknown())
}

pub(super) fn has_archives(host: &dyn HostView) -> Result<bool> {
    for dir in [ARCHIVES, "/var/cache/apt/archives/partial"] {
        let names = host.list(Path::new(dir))?.unwrap_or_default();
        if names.iter().any(|n| n != "lock" && n != "partial") {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether configuration files of a removed package are still there.
pub(super) fn has_leftovers(host: &dyn HostView, name: &str) -> Result<bool> {
    let words = ["dpkg-query", "-W", "-f", "${db:Status-Status}", name];
    Ok(host.query(&Command::new(words))?.out() == "config-files")
}
