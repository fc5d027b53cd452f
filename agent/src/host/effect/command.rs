//! Programs that are run: the command, what it does to the machine, what came of it.

use super::Effect;
use crate::host::UnitScope;
use std::path::PathBuf;
use std::time::Duration;

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
    User {
        user: crate::host::User,
        id_known: bool,
    },
    /// An account is gone.
    UserGone { name: String },
    /// A user is in exactly these supplementary groups.
    Membership { user: String, groups: Vec<String> },
    /// A group is this.
    Group {
        group: crate::host::Group,
        id_known: bool,
    },
    /// A group is gone.
    GroupGone { name: String },
    /// Something at or below this path changes in a way that only the real run shows.
    PathUnknown { path: PathBuf },
}
