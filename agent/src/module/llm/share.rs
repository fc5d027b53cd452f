//! File systems of servers: what may hang, and what several hosts have in common.

use crate::error::Result;
use crate::host::{HostView, MountEntry};
use std::path::Path;

/// Types of file systems of servers.
const REMOTE: &[&str] = &[
    "nfs", "cifs", "smb3", "fuse", "ceph", "lustre", "9p", "gfs2", "efs",
];

/// Whether a file system lies on a server.
#[must_use]
pub fn is_remote(mount: &MountEntry) -> bool {
    REMOTE.iter().any(|kind| mount.fstype.starts_with(kind))
}

/// The file system that a path lies on, by the table alone: its server is not asked.
///
/// # Errors
/// When the table cannot be read.
pub fn mount_of(host: &dyn HostView, path: &Path) -> Result<Option<MountEntry>> {
    let mut best: Option<MountEntry> = None;
    for mount in host.mounts()? {
        let longer = |b: &MountEntry| b.target.len() <= mount.target.len();
        if path.starts_with(&mount.target) && best.as_ref().is_none_or(longer) {
            best = Some(mount);
        }
    }
    Ok(best)
}

/// The server's file system that a path lies on, if it does.
///
/// # Errors
/// When the table cannot be read.
pub fn shared(host: &dyn HostView, path: &Path) -> Result<Option<MountEntry>> {
    Ok(mount_of(host, path)?.filter(is_remote))
}
