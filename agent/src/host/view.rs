//! Reading: what a module may look at while it plans.

use super::{Command, Output, Request, Response};
use crate::error::Result;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// What a module may look at while it plans. Nothing here changes the machine.
///
/// Every method may fail with an error of kind `Unknown` when the host is an overlay (check mode)
/// and the answer depends on an effect that was only remembered.
pub trait HostView: Send + Sync {
    /// The entry at `path` itself, without following a final symlink. `None` if there is none.
    fn lstat(&self, path: &Path) -> Result<Option<Stat>>;
    /// The entry that `path` leads to, following symlinks. `None` if there is none or the link dangles.
    fn stat(&self, path: &Path) -> Result<Option<Stat>>;
    /// The content of a regular file, following symlinks. `None` if there is no such file.
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>>;
    /// Hex digest of a regular file, read in pieces. `None` if there is no such file.
    fn digest(&self, path: &Path, algorithm: Digest) -> Result<Option<String>>;
    /// Several digests of a regular file, which may be read only once for them. `None` if there is no
    /// such file.
    fn digests(&self, path: &Path, algorithms: &[Digest]) -> Result<Option<Vec<String>>> {
        let each = algorithms.iter().map(|a| self.digest(path, *a));
        each.collect::<Result<_>>()
    }
    /// Where a symlink points, as written in it. `None` if `path` is no symlink.
    fn read_link(&self, path: &Path) -> Result<Option<PathBuf>>;
    /// Names in a directory, sorted. `None` if there is no such directory.
    fn list(&self, path: &Path) -> Result<Option<Vec<String>>>;
    /// Whether this process may read (4), write (2), execute (1) the path: `access(2)`.
    fn access(&self, path: &Path, mode: u32) -> Result<bool>;
    /// The absolute path with every symlink resolved, as far as the path exists.
    fn canonical(&self, path: &Path) -> Result<PathBuf>;

    /// The account with this name, from the host's name services.
    fn user(&self, name: &str) -> Result<Option<User>>;
    /// The account with this number.
    fn user_by_id(&self, uid: u32) -> Result<Option<User>>;
    /// The group with this name.
    fn group(&self, name: &str) -> Result<Option<Group>>;
    /// The group with this number.
    fn group_by_id(&self, gid: u32) -> Result<Option<Group>>;
    /// Names of all groups that list `user` as a member (primary group not included), sorted.
    fn groups_of(&self, user: &str) -> Result<Vec<String>>;
    /// The account this process runs as.
    fn current_uid(&self) -> u32;
    /// The file mode creation mask of this process: what a new file's mode lacks.
    fn umask(&self) -> u32 {
        0o022
    }

    /// The installed package of this name (dpkg's status). `None` if it is not installed.
    fn package(&self, name: &str) -> Result<Option<Package>>;
    /// A systemd unit's properties (`systemctl show`). A unit that does not exist has `LoadState=not-found`.
    fn unit(&self, scope: UnitScope, name: &str) -> Result<Unit>;
    /// The mount table, in order (`/proc/self/mountinfo`).
    fn mounts(&self) -> Result<Vec<MountEntry>>;
    /// How large the local file system at `path` is (`statvfs(3)`); `None` where that is not known.
    /// Never ask it of a server's file system: the call waits for the server.
    fn space(&self, path: &Path) -> Option<Space> {
        let _ = path;
        None
    }

    /// Runs a command that only reads, such as `dpkg-query`. It is the caller's word that it does;
    /// an overlay runs it for real, against the real machine.
    fn query(&self, command: &Command) -> Result<Output>;
    /// An HTTP request that only reads: GET, HEAD, OPTIONS, or one whose caller says so.
    fn fetch(&self, request: &Request) -> Result<Response>;
    /// Full path of a program in `PATH` (with the system's sbin folders), or nothing.
    fn which(&self, program: &str) -> Result<Option<PathBuf>>;
    /// A variable of the environment that commands of this task get.
    fn env(&self, name: &str) -> Option<String>;
    /// The variables that commands of this task get on top of those of this process.
    fn environment(&self) -> Vec<(String, String)> {
        Vec::new()
    }
    /// Seconds since 1970-01-01 UTC.
    fn now(&self) -> f64;

    /// A file or directory of the side that holds the playbook (a role's `files/`), given by its
    /// absolute path there. `None` if there is none.
    fn asset(&self, path: &Path) -> Result<Option<Stat>>;
    /// The content of such a file.
    fn asset_read(&self, path: &Path) -> Result<Vec<u8>>;
    /// Hex digest of such a file.
    fn asset_digest(&self, path: &Path, algorithm: Digest) -> Result<String>;
    /// Names in such a directory, sorted.
    fn asset_list(&self, path: &Path) -> Result<Vec<String>>;

    /// The same machine, seen with these variables (`environment:`) on top of the host's own; nothing
    /// if this kind of host does not care.
    fn with_environment(&self, variables: &[(String, String)]) -> Option<Arc<dyn HostView>> {
        let _ = variables;
        None
    }
}

/// What sort of entry a path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum FileKind {
    File,
    Dir,
    Link,
    Fifo,
    Socket,
    Char,
    Block,
}

/// Facts about one entry of the file system. Times are seconds since 1970-01-01 UTC.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Stat {
    pub kind: FileKind,
    /// The twelve permission bits.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Bytes.
    pub size: u64,
    pub nlink: u64,
    pub inode: u64,
    pub device: u64,
    pub atime: f64,
    pub mtime: f64,
    pub ctime: f64,
    /// How it lies on its device; not known of what check mode only remembers.
    pub disk: Option<Disk>,
}

/// How an entry lies on its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Blocks of 512 bytes that it takes.
    pub blocks: u64,
    /// Bytes of a block that reading and writing goes best by.
    pub block_size: u64,
    /// Number of the device that it is, for device files.
    pub device_type: u64,
}

impl Stat {
    /// The size of a file whose content check mode cannot know.
    pub const SIZE_UNKNOWN: u64 = u64::MAX;

    /// Whether it is a directory.
    #[must_use]
    pub fn is_dir(&self) -> bool {
        self.kind == FileKind::Dir
    }
    /// Whether it is a regular file.
    #[must_use]
    pub fn is_file(&self) -> bool {
        self.kind == FileKind::File
    }
}

/// A digest algorithm that Ansible's modules name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Digest {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

/// An account, as in `passwd(5)`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct User {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    pub gecos: String,
    pub home: String,
    pub shell: String,
    /// The hash in `shadow(5)`, if this process may read it.
    pub password: Option<crate::secret::Secret<String>>,
    /// Days since 1970-01-01 on which the account expires, from `shadow(5)`.
    pub expires: Option<i64>,
    /// `shadow(5)`'s minimum, maximum and warning days.
    pub password_days: [Option<i64>; 3],
}

/// A group, as in `group(5)`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Group {
    pub name: String,
    pub gid: u32,
    pub members: Vec<String>,
}

/// An installed package.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Package {
    pub name: String,
    /// `None` when check mode knows that it would be installed, but not in which version.
    pub version: Option<String>,
    pub architecture: String,
    /// Whether it is held back from upgrades.
    pub held: bool,
    /// Whether it was installed only because another needed it.
    pub automatic: bool,
}

/// Whose systemd.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnitScope {
    /// The machine's.
    #[default]
    System,
    /// The calling user's.
    User,
    /// All users' configuration.
    Global,
}

/// A systemd unit's properties, under systemd's names (`ActiveState`, `UnitFileState`, …).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unit {
    /// The properties.
    pub properties: BTreeMap<String, String>,
}

impl Unit {
    /// One property; empty if it is not there.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.properties.get(name).map_or("", String::as_str)
    }
    /// Whether systemd knows the unit.
    #[must_use]
    pub fn exists(&self) -> bool {
        !matches!(self.get("LoadState"), "" | "not-found")
    }
    /// Whether it runs, or is about to.
    #[must_use]
    pub fn is_active(&self) -> bool {
        matches!(
            self.get("ActiveState"),
            "active" | "activating" | "reloading"
        )
    }
}

/// One line of the mount table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct MountEntry {
    pub source: String,
    pub target: String,
    pub fstype: String,
    /// Mount options and super-block options, comma-separated.
    pub options: String,
    /// Path within the file system that is mounted here (`/` unless it is a bind mount).
    pub root: String,
    /// Number of its device (`0:45`), by which the kernel names it below `/sys`; empty if it is not known.
    pub device: String,
}

/// The size of a file system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Space {
    /// Bytes of a block.
    pub block: u64,
    pub blocks: u64,
    /// Blocks that are free for everybody.
    pub available: u64,
    pub inodes: u64,
    pub inodes_free: u64,
}

/// Something that is waited for.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Probe {
    /// A TCP port accepts connections (and sends something that matches).
    PortOpen {
        host: String,
        port: u16,
        search: Option<String>,
        connect_timeout: Duration,
    },
    /// A TCP port refuses connections.
    PortClosed {
        host: String,
        port: u16,
        connect_timeout: Duration,
    },
    /// No connection to a local port is in one of these states (`ESTABLISHED`, …), but from `except`.
    PortDrained {
        host: String,
        port: u16,
        except: Vec<String>,
        states: Vec<String>,
    },
    /// A path exists (and its content matches).
    PathPresent {
        path: PathBuf,
        search: Option<String>,
    },
    /// A path is gone.
    PathAbsent { path: PathBuf },
    /// A server answers a request with a 2xx status (and a body that matches). The request is sent again
    /// until it does, so it must be one that may be repeated.
    Answer {
        request: Box<Request>,
        search: Option<String>,
        /// Statuses after which no better answer is to be expected: waiting ends.
        hopeless: Vec<u16>,
    },
    /// Only time passes.
    Nothing,
}
