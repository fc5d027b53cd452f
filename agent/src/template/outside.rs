//! What lookups and a few filters may ask of the machine that templates are evaluated on.

use super::scope::Variables;
use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::secret::Secret;
use std::fmt::Debug;
use std::path::{Path, PathBuf};

/// What lookups may ask of the controller. The engine implements it over the host seam; what it
/// leaves out answers that it cannot be done here.
pub trait Outside: Send + Sync + Debug {
    /// An environment variable.
    fn env(&self, name: &str) -> Option<String>;

    /// A file's content, or nothing if it is not there.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>>;

    /// Where Ansible looks for `name`: `kind` is "files", "templates" or "vars", and the scope
    /// says which role and playbook ask.
    fn find(&self, kind: &str, name: &str, scope: &dyn Variables) -> Option<PathBuf>;

    /// What is at `path`, or nothing. With `follow`, what a link points at.
    fn entry(&self, _path: &Path, _follow: bool) -> Option<Entry> {
        None
    }

    /// The names in a directory.
    ///
    /// # Errors
    /// When it cannot be read.
    fn list(&self, dir: &Path) -> Result<Vec<String>> {
        Err(cannot(&format!("list {}", dir.display())))
    }

    /// Runs a command through the shell.
    ///
    /// # Errors
    /// When it cannot be started.
    fn pipe(&self, _command: &str) -> Result<Piped> {
        Err(cannot("run commands"))
    }

    /// The time, and where on the globe its clock hangs.
    fn now(&self) -> Clock;

    /// Seconds that local time is ahead of UTC at `unix`, and the zone's name.
    fn zone(&self, _unix: i64) -> (i32, String) {
        (0, "UTC".into())
    }

    /// A random number.
    fn random(&self) -> u64;

    /// The body of a URL.
    ///
    /// # Errors
    /// When it cannot be had.
    fn fetch(&self, fetch: &Fetch) -> Result<Vec<u8>> {
        Err(cannot(&format!("fetch {}", fetch.url)))
    }

    /// A parameter or secret that AWS keeps.
    ///
    /// # Errors
    /// When AWS cannot be asked, or refuses for another reason than those of [`AwsFound`].
    fn aws(&self, _asked: &AskAws) -> Result<AwsFound> {
        Err(cannot("ask AWS"))
    }

    /// The answer of a name server to a DNS message; the lookup `dig`. Without `servers`, this machine's.
    ///
    /// # Errors
    /// When none answers.
    fn ask_name_servers(
        &self,
        _servers: &[String],
        _message: &[u8],
        _tcp: bool,
    ) -> Result<Vec<u8>> {
        Err(cannot("ask a name server"))
    }

    /// Writes a file with `mode`, making the directories above it (the lookup `password`).
    ///
    /// # Errors
    /// When it cannot be written.
    fn write(&self, path: &Path, _bytes: &[u8], _mode: u32) -> Result<()> {
        Err(cannot(&format!("write {}", path.display())))
    }

    /// The path with links followed, as far as it exists.
    fn real_path(&self, path: &Path) -> PathBuf {
        path.to_path_buf()
    }

    /// The directory that relative paths start from.
    fn working_dir(&self) -> PathBuf {
        PathBuf::from("/")
    }

    /// The name of the machine.
    fn host_name(&self) -> String {
        String::new()
    }

    /// Decrypts vaulted text.
    ///
    /// # Errors
    /// When there is no secret that fits.
    fn decrypt(&self, _text: &str) -> Result<Vec<u8>> {
        Err(cannot("decrypt vaulted text"))
    }

    /// Remembers a text without markers that is trusted all the same: values do not bear that mark.
    fn note_trusted(&self, _text: &str) {}

    /// Whether such a text was remembered: the tag `TrustedAsTemplate`.
    fn was_trusted(&self, _text: &str) -> bool {
        false
    }

    /// Whether a value of this run that was vaulted holds this text.
    fn was_vaulted(&self, _text: &str) -> bool {
        false
    }

    /// A setting and where it came from, for the lookup `config`: one of the program, or of the
    /// plugin of that type and name. Nothing if there is no such setting.
    ///
    /// # Errors
    /// When there is no such plugin, or the setting has no value and must have one.
    fn setting(
        &self,
        _name: &str,
        _plugin: Option<(&str, &str)>,
        _scope: &dyn Variables,
    ) -> Result<Option<(crate::value::Value, String)>> {
        Ok(None)
    }

    /// Whether to warn of text with template markers that is not evaluated, since a host answered it
    /// or a file marked it (`_ANSIBLE_TEMPLAR_UNTRUSTED_TEMPLATE_BEHAVIOR=warning`).
    fn tells_of_untrusted(&self) -> bool {
        false
    }

    /// Shows a warning.
    fn warn(&self, _message: &str) {}
}

fn cannot(what: &str) -> Error {
    Error::host(format!("cannot {what} here"))
}

/// What the lookup `url` asks for, and how.
#[derive(Clone, Debug)]
pub struct Fetch {
    /// The address.
    pub url: String,
    /// Headers of the request.
    pub headers: Vec<(String, String)>,
    /// Verify the server's certificate.
    pub validate_certs: bool,
    /// Use the proxy that the environment names.
    pub use_proxy: bool,
    /// Name to log in with.
    pub user: Option<String>,
    /// Password to log in with.
    pub password: Option<Secret<String>>,
    /// Send them without waiting to be asked.
    pub force_basic_auth: bool,
    /// Log in by Kerberos where the server asks for it.
    pub negotiate: bool,
    /// Take them from `~/.netrc` if none are given.
    pub use_netrc: bool,
    /// Seconds to wait for data.
    pub timeout: f64,
    /// Whether redirects are followed; nothing: those of GET and HEAD.
    pub follow_redirects: Option<bool>,
    /// Talk through this socket.
    pub unix_socket: Option<PathBuf>,
    /// PEM file with more certificates to trust.
    pub ca_path: Option<PathBuf>,
}

/// What the lookups of AWS's parameters and secrets ask for, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AskAws {
    /// What.
    pub what: AwsSecret,
    /// As whom, and where.
    pub caller: Caller,
}

/// Something that AWS keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum AwsSecret {
    /// A parameter of Systems Manager.
    Parameter { name: String, decrypt: bool },
    /// All parameters below a path.
    Parameters {
        path: String,
        recursive: bool,
        decrypt: bool,
    },
    /// A secret of Secrets Manager.
    Secret {
        id: String,
        version_id: Option<String>,
        version_stage: Option<String>,
    },
    /// All secrets whose names begin so.
    Secrets { path: String },
}

/// What AWS answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AwsFound {
    /// Names and values.
    Values(Vec<(String, Secret<String>)>),
    /// There is none: why.
    Missing(String),
    /// It is not for this machine: why.
    Denied(String),
    /// It is about to be deleted: why.
    Deleted(String),
}

/// A moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// Whole seconds since 1970, UTC.
    pub unix: i64,
    /// Microseconds on top.
    pub micros: u32,
}

/// What a command printed, and how it ended.
#[derive(Clone, Debug, Default)]
pub struct Piped {
    /// Exit status.
    pub status: i32,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

/// What is at a path.
#[derive(Clone, Debug)]
pub struct Entry {
    /// File, directory, link …
    pub kind: EntryKind,
    /// Size in bytes.
    pub size: u64,
    /// Permission bits.
    pub mode: u32,
    /// Number of the owner.
    pub uid: u32,
    /// Number of the group.
    pub gid: u32,
    /// Name of the owner, if it has one.
    pub owner: Option<String>,
    /// Name of the group, if it has one.
    pub group: Option<String>,
    /// Time of the last change of content, seconds since 1970.
    pub mtime: f64,
    /// Time of the last change of attributes, seconds since 1970.
    pub ctime: f64,
    /// Where a link points.
    pub target: Option<PathBuf>,
    /// Device and inode: the same for the same file.
    pub identity: (u64, u64),
    /// Whether a file system is mounted there.
    pub mounted: bool,
}

/// Sort of an [`Entry`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A device, socket or pipe.
    Other,
}

/// An outside where there is nothing: for checking templates without a machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nowhere;

impl Outside for Nowhere {
    fn env(&self, _name: &str) -> Option<String> {
        None
    }
    fn read(&self, _path: &Path) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }
    fn find(&self, _kind: &str, _name: &str, _scope: &dyn Variables) -> Option<PathBuf> {
        None
    }
    fn now(&self) -> Clock {
        Clock::default()
    }
    fn random(&self) -> u64 {
        4
    }
}
