//! File systems of servers: what may hang, and what several hosts have in common.

use super::finding::Finding;
use crate::error::Result;
use crate::host::{Command, HostView, MountEntry, Space};
use std::path::Path;
use std::time::Duration;

/// Name of the check.
pub const CHECK: &str = "share";
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

/// What a server says of its file system, asked by a child process with a time limit: a hard mount of a
/// dead server would hold whoever asks for ever.
#[derive(Clone, Debug, PartialEq)]
pub enum Health {
    /// It answers.
    Answers(Space),
    /// It does not answer within the time.
    Silent,
    /// It answers with an error (`Stale file handle`).
    Broken(String),
}

impl Health {
    /// Asks.
    ///
    /// # Errors
    /// When no program can be run.
    pub fn of(host: &dyn HostView, path: &str, limit: Duration) -> Result<Self> {
        // Block size, blocks, blocks available, inodes, inodes free.
        let mut command = Command::new(["stat", "--file-system", "--format=%S %b %a %c %d", path]);
        command.timeout = Some(limit);
        let output = host.query(&command)?;
        if output.timed_out {
            return Ok(Self::Silent);
        }
        if !output.success() {
            return Ok(Self::Broken(crate::module::command::complaint(&output)));
        }
        let text = output.out();
        let numbers: Vec<u64> = text
            .split_whitespace()
            .filter_map(|w| w.parse().ok())
            .collect();
        Ok(match numbers.as_slice() {
            [block, blocks, available, inodes, inodes_free] => Self::Answers(Space {
                block: *block,
                blocks: *blocks,
                available: *available,
                inodes: *inodes,
                inodes_free: *inodes_free,
            }),
            _ => Self::Broken(format!("`stat` says `{}`", text.trim())),
        })
    }

    /// As a finding about a mount.
    #[must_use]
    pub fn finding(&self, mount: &MountEntry, limit: Duration) -> Finding {
        let (target, source) = (&mount.target, &mount.source);
        match self {
            Self::Answers(_) => Finding::ok(
                CHECK,
                format!("the server of `{target}` ({source}) answers"),
            ),
            Self::Silent => Finding::fail(
                CHECK,
                format!(
                    "the server of `{target}` ({source}) does not answer within {} s",
                    limit.as_secs()
                ),
                "is it reachable on port 2049 (security group of the mount target, route, NAT or peering)? \
                 `umount -f -l` frees the mount point; programs that wait in it end with it",
            ),
            Self::Broken(why) => Finding::fail(
                CHECK,
                format!("`{target}` ({source}) is broken: {why}"),
                format!("unmount it (`umount -f -l {target}`) and mount it again"),
            ),
        }
    }
}
