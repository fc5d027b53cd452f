//! Changing: the closed list of what lks does to a machine, as data.

mod command;
mod fetch;
mod http;

use super::{HostView, Probe};
use crate::error::{Error, Result};
pub use command::*;
pub use fetch::*;
pub use http::*;
use std::path::PathBuf;
use std::time::Duration;

/// A machine that can be changed. Only the engine calls it.
pub trait Host: Send {
    /// Carries one effect out, or (an overlay) remembers it.
    ///
    /// # Errors
    /// When the machine refuses. A command that ran and ended with another status than 0 is no
    /// error here: its module judges it.
    fn apply(&mut self, effect: &Effect, progress: &dyn Fn(Progress)) -> Result<Outcome>;

    /// Variables that commands of the coming task get on top of the host's own (`environment:`).
    fn set_environment(&mut self, variables: Vec<(String, String)>);

    /// The reading side.
    fn view(&self) -> &dyn HostView;
}

/// News of a long effect: shown live on a terminal, as a line in a log, and droppable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Bytes done, and how many in all if that is known.
    Bytes {
        /// So far.
        done: u64,
        /// In all.
        total: Option<u64>,
    },
    /// A line that tells what goes on (`Unpacking docker.io …`).
    Line(String),
}

/// One change to the machine.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Effect {
    /// Puts a regular file in place by an atomic rename. An existing file's owner and mode are kept
    /// where `attrs` does not say otherwise; a new one gets 0666 less the umask.
    WriteFile {
        path: PathBuf,
        content: Content,
        attrs: Attrs,
        /// Keep the file that was there, under `PATH.PID.DATE@TIME~` (Ansible's form).
        backup: bool,
        /// A command that must accept the new file (`%s` is its path) before it is put in place.
        validate: Option<String>,
        /// Write in place when a rename is impossible (a bind-mounted file).
        in_place: bool,
    },
    /// Sets owner, group, mode, times or file attributes of an entry.
    SetAttrs {
        path: PathBuf,
        attrs: Attrs,
        /// Whether a final symlink is followed.
        follow: bool,
    },
    /// Makes one directory, whose parent exists.
    MakeDir { path: PathBuf, attrs: Attrs },
    /// Makes a symlink, in the place of a link, file or empty directory that is there (atomically
    /// where the kernel can).
    Symlink { path: PathBuf, target: PathBuf },
    /// Makes a hard link, likewise.
    HardLink { path: PathBuf, target: PathBuf },
    /// Removes an entry; a directory with all that is in it.
    Remove { path: PathBuf },
    /// Moves an entry within the host.
    Rename { from: PathBuf, to: PathBuf },
    /// Fetches a URL into a file: resumed where the server allows, verified before it is put in place.
    Download(Box<Download>),
    /// Fetches a large file in parallel ranges, hashed while it comes: see [`Fetch`].
    Fetch(Box<Fetch>),
    /// Mounts a file system.
    Mount {
        source: String,
        target: PathBuf,
        fstype: String,
        options: String,
        /// Mount through the fstab entry (`mount TARGET`), or with the values given here.
        from_fstab: bool,
        /// Alternative fstab file.
        fstab: Option<PathBuf>,
    },
    /// Unmounts what is mounted on `target`.
    Unmount { target: PathBuf },
    /// Remounts with the options given (or those of fstab).
    Remount { target: PathBuf, options: String },
    /// Runs a program.
    Run {
        command: Command,
        /// What the machine will be like if it succeeds: an overlay remembers this, a real host ignores it.
        then: Vec<Consequence>,
    },
    /// An HTTP request that may change something elsewhere.
    Http(Box<Request>),
    /// Waits until something is so.
    Await {
        probe: Probe,
        /// Wait this long before the first look.
        delay: Duration,
        /// Give up after this long.
        timeout: Duration,
        /// Pause between looks.
        interval: Duration,
    },
}

/// Where the content of a file comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum Content {
    /// These bytes.
    Bytes(Vec<u8>),
    /// A file of the side that holds the playbook, by its absolute path there.
    Asset(PathBuf),
    /// Another file of this host.
    HostFile(PathBuf),
}

impl std::fmt::Debug for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            // Content may hold secrets: its size is all that is shown.
            Self::Bytes(b) => write!(f, "Bytes({})", b.len()),
            Self::Asset(p) => write!(f, "Asset({})", p.display()),
            Self::HostFile(p) => write!(f, "HostFile({})", p.display()),
        }
    }
}

/// What an entry's metadata must be; `None` leaves a part as it is.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct Attrs {
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    /// The twelve permission bits.
    pub mode: Option<u32>,
    /// Access time, seconds since 1970.
    pub atime: Option<f64>,
    /// Modification time, seconds since 1970.
    pub mtime: Option<f64>,
    /// `chattr` attributes to set, such as `+i` or `=e`.
    pub attributes: Option<String>,
    /// Parts of the SELinux context to set.
    pub context: Option<Context>,
}

/// Parts of an SELinux context; `_default` stands for what the host's policy has for the path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Context {
    pub user: Option<String>,
    pub role: Option<String>,
    pub type_: Option<String>,
    pub level: Option<String>,
}

impl Context {
    /// The value that asks for the policy's part.
    pub const DEFAULT: &str = "_default";

    /// Reads `user:role:type:level`; a level may hold colons itself.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut parts = text.trim().splitn(4, ':').map(str::to_owned);
        Self {
            user: parts.next(),
            role: parts.next(),
            type_: parts.next(),
            level: parts.next(),
        }
    }

    /// The four parts, in the order in which they are written.
    #[must_use]
    pub fn parts(&self) -> [Option<&str>; 4] {
        let parts = [&self.user, &self.role, &self.type_, &self.level];
        parts.map(Option::as_deref)
    }

    /// Whether nothing is asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What the policy has, in the place of each `_default`.
    #[must_use]
    pub fn with_defaults(&self, policy: &Self) -> Self {
        let one = |own: &Option<String>, policy: &Option<String>| match own.as_deref() {
            Some(Self::DEFAULT) => policy.clone(),
            _ => own.clone(),
        };
        Self {
            user: one(&self.user, &policy.user),
            role: one(&self.role, &policy.role),
            type_: one(&self.type_, &policy.type_),
            level: one(&self.level, &policy.level),
        }
    }
}

impl Attrs {
    /// Whether nothing is asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What carrying an effect out gave.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Outcome {
    /// It is done; there is nothing to tell.
    Done,
    /// A file was written; the backup's path, if one was made.
    Written { backup: Option<PathBuf> },
    /// A program ran.
    Ran(Output),
    /// A server answered (to [`Effect::Http`] or [`Effect::Download`]; a download's body is in the file).
    Responded(Response),
    /// A download: whether the file's content was replaced.
    Downloaded {
        response: Response,
        replaced: bool,
        backup: Option<PathBuf>,
        /// Bytes fetched in this call and bytes taken over from an earlier, broken attempt.
        fetched: u64,
        resumed: u64,
    },
    /// A large file is there.
    Fetched(Box<Fetched>),
    /// Waiting ended: whether it came to pass, after how many seconds, and the match's groups
    /// (named ones with their name).
    Awaited {
        met: bool,
        elapsed: f64,
        groups: Vec<(Option<String>, Option<String>)>,
        /// The last answer, where a server was asked, or why none came.
        answer: Option<Box<Result<Response, String>>>,
    },
    /// The effect was only remembered: check mode.
    Remembered,
}

impl Outcome {
    /// What the program printed.
    ///
    /// # Errors
    /// Of kind `Unknown` when it was not run (check mode).
    pub fn ran(&self) -> Result<&Output> {
        match self {
            Self::Ran(output) => Ok(output),
            Self::Remembered => Err(Error::unknown("the command is not run in check mode")),
            other => Err(Error::new(
                crate::error::ErrorKind::Internal,
                format!("a command was expected to run, but {other:?} came back"),
            )),
        }
    }
}
