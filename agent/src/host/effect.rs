//! Changing: the closed list of what lks does to a machine, as data.

use super::{Digest, HostView, Probe, UnitScope};
use crate::error::{Error, Result};
use crate::secret::Secret;
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

/// A program to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    /// Program and arguments. A program without a slash is looked for in `PATH`.
    pub argv: Vec<String>,
    /// Variables on top of the task's environment.
    pub env: Vec<(String, String)>,
    /// Working directory.
    pub chdir: Option<PathBuf>,
    /// Standard input; empty if not given.
    pub stdin: Option<Vec<u8>>,
    /// File mode creation mask.
    pub umask: Option<u32>,
    /// Ended (SIGTERM, then SIGKILL to its group) after this long.
    pub timeout: Option<Duration>,
    /// Whether each line of output is news to show while it runs.
    pub progress: bool,
}

impl Command {
    /// A program with its arguments.
    pub fn new<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Self {
        Self {
            argv: argv.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }
    /// Adds a variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }
    /// Shows its output while it runs.
    #[must_use]
    pub fn with_progress(mut self) -> Self {
        self.progress = true;
        self
    }
    /// The effect of running it.
    #[must_use]
    pub fn effect(self) -> Effect {
        self.then(Vec::new())
    }
    /// The effect of running it, and what the machine is like afterwards.
    #[must_use]
    pub fn then(self, then: Vec<Consequence>) -> Effect {
        Effect::Run {
            command: self,
            then,
        }
    }
}

/// What a program printed, and how it ended.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct Output {
    /// Exit status; the negative signal number if a signal ended it (as Python has it).
    pub rc: i32,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    /// Seconds since 1970-01-01 UTC.
    pub start: f64,
    pub end: f64,
    /// Whether it was ended because its time was up.
    pub timed_out: bool,
}

impl Output {
    /// Standard output as text; what is no UTF-8 is replaced.
    #[must_use]
    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
    /// Standard error as text.
    #[must_use]
    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
    /// Whether it ended with status 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.rc == 0
    }
}

/// What a command is declared to bring about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Consequence {
    /// A package is installed (`version` if known).
    PackageInstalled {
        name: String,
        version: Option<String>,
    },
    /// A package is gone.
    PackageRemoved { name: String },
    /// A unit's state is this; `None` leaves a part as it is.
    Unit {
        scope: UnitScope,
        name: String,
        active: Option<bool>,
        enabled: Option<bool>,
        masked: Option<bool>,
    },
    /// An account is this (a new one without a given number has uid `None`).
    User { user: super::User, id_known: bool },
    /// An account is gone.
    UserGone { name: String },
    /// A user is in exactly these supplementary groups.
    Membership { user: String, groups: Vec<String> },
    /// A group is this.
    Group { group: super::Group, id_known: bool },
    /// A group is gone.
    GroupGone { name: String },
    /// Something at or below this path changes in a way that only the real run shows.
    PathUnknown { path: PathBuf },
}

/// An HTTP request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Request {
    pub method: String,
    pub url: String,
    pub headers: Vec<(String, String)>,
    pub body: Option<Vec<u8>>,
    /// For the whole answer's head, and for each pause between bytes of its body.
    pub timeout: Duration,
    pub validate_certs: bool,
    /// PEM file with more certificates to trust.
    pub ca_path: Option<PathBuf>,
    pub client_cert: Option<PathBuf>,
    pub client_key: Option<PathBuf>,
    /// TLS ciphers by OpenSSL's names; none means all that are safe.
    pub ciphers: Vec<String>,
    pub redirects: Redirects,
    /// Names of headers that are left behind at the first redirect.
    pub unredirected: Vec<String>,
    /// Unpack an answer that says that it is packed by gzip.
    pub decompress: bool,
    pub user: Option<String>,
    pub password: Option<Secret<String>>,
    /// Send the credentials without being asked for them.
    pub force_basic_auth: bool,
    /// Log in by Kerberos where the server asks for `Negotiate`.
    pub negotiate: bool,
    pub use_proxy: bool,
    /// Talk through this socket and not through TCP.
    pub unix_socket: Option<PathBuf>,
    /// Give up past this many bytes of body.
    pub max_body: u64,
    /// The caller's word that it changes nothing, although its method (POST, PUT) may: as for a
    /// [`HostView::query`].
    pub only_reads: bool,
    /// Send it again when the server is too busy.
    pub patience: Option<Patience>,
}

/// How a request is sent again: with growing pauses of random length, while the server cannot be reached
/// or says that it is too busy (429, 500, 502, 503, 504, or one of these words in a refusal). It must be
/// one that may be repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How often it is sent at most.
    pub tries: u32,
    /// Words in the body of a refusal, such as an error's code.
    pub words: Vec<String>,
}

impl Request {
    /// A plain request with a time-out of 30 s.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            url: url.into(),
            headers: Vec::new(),
            body: None,
            timeout: Duration::from_secs(30),
            validate_certs: true,
            ca_path: None,
            client_cert: None,
            client_key: None,
            ciphers: Vec::new(),
            redirects: Redirects::Safe,
            unredirected: Vec::new(),
            decompress: true,
            user: None,
            password: None,
            force_basic_auth: false,
            negotiate: false,
            use_proxy: true,
            unix_socket: None,
            max_body: 256 << 20,
            only_reads: false,
            patience: None,
        }
    }
}

/// A signed URL (S3, and what speaks like it) without its signature, which opens it to anybody: it is the
/// same thing whenever it was signed.
#[must_use]
pub fn unsigned(url: &str) -> &str {
    match url.split_once('?') {
        Some((bare, query)) if query.contains("X-Amz-Signature=") => bare,
        _ => url,
    }
}

/// Which redirects are followed (`follow_redirects` of Ansible's `uri`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Redirects {
    /// All.
    All,
    /// Those of GET and HEAD.
    #[default]
    Safe,
    /// None.
    None,
}

/// An HTTP answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Response {
    pub status: u16,
    /// The reason phrase (`OK`).
    pub reason: String,
    /// The final URL.
    pub url: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of this name (lower case).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.as_str())
    }
}

/// A URL to fetch into a file.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Download {
    pub request: Request,
    pub dest: PathBuf,
    /// The content must have this digest (hex).
    pub checksum: Option<(Digest, String)>,
    pub attrs: Attrs,
    pub backup: bool,
    /// Where the partial file lies meanwhile (`dest`'s folder if not given).
    pub tmp_dir: Option<PathBuf>,
    /// Ask the server for the file only if it is newer than this (seconds since 1970).
    pub if_modified_since: Option<f64>,
    /// Attempts on passing faults (connection refused or reset, name not found, 5xx, short body).
    pub attempts: u32,
    pub in_place: bool,
}

/// A large file to fetch: in ranges over several connections, resumed part by part after a kill, hashed
/// while it comes, and by one host at a time where several share the folder.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct Fetch {
    pub request: Request,
    pub dest: PathBuf,
    /// Bytes, as the server said; a server that has another size later is not believed.
    pub size: u64,
    /// SHA-256 that the content must have (hex).
    pub sha256: Option<String>,
    /// What the server knows the version by, to be written down.
    pub version: Option<String>,
    /// Where to write down what the file is.
    pub note: Option<PathBuf>,
    pub attrs: Attrs,
    pub connections: u32,
    /// Bytes of a part.
    pub part: u64,
    /// Attempts on passing faults without any gain.
    pub attempts: u32,
    /// Another host that holds the file's lease is taken for dead when it was silent for this long.
    pub patience: Duration,
}

/// How a [`Fetch`] went.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct Fetched {
    pub sha256: String,
    /// Bytes that came in this call, and those that an earlier one had left.
    pub fetched: u64,
    pub resumed: u64,
    pub seconds: f64,
    /// Requests that had to be sent again.
    pub retries: u32,
    /// Whether another host or process fetched it meanwhile.
    pub by_another: bool,
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
