//! A seat elsewhere: a second lks process that carries modules out as another user (`become`), or on
//! another machine. One line of JSON asks, one answers; news of long effects comes in between.
//!
//! The process is started once for a host and user and lives as long as the run.

mod client;
mod server;

pub use client::{Line, Seat, argv, as_user, is_current_user};
pub(super) use server::answer;
pub use server::serve;

use super::perform::{Mode, Performed};
use super::runner::{Background, ModuleCall};
use crate::error::{Error, ErrorKind, Result};
use crate::host::Progress;
use crate::module::{Diff, Returns};
use crate::value::{Map, Value};
use serde::{Deserialize, Serialize};

/// The name of the hidden command that serves a seat.
pub const COMMAND: &str = "seat";

/// What is asked of a seat.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Ask {
    module: String,
    args: Value,
    check: bool,
    diff: bool,
    environment: Vec<(String, String)>,
    probe: bool,
    timeout: Option<u64>,
    #[serde(default)]
    background: Option<Background>,
    /// Files of the playbook's side that the call needs.
    assets: Vec<Asset>,
}

/// A file or folder of the playbook's side, for one parameter.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Asset {
    param: String,
    /// Whether the parameter ended with a slash.
    slash: bool,
    /// The entry itself (an empty name) and, of a folder, all that is below it.
    entries: Vec<AssetEntry>,
    /// The last part of the name.
    name: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct AssetEntry {
    path: String,
    mode: u32,
    /// Base64; nothing for a folder.
    data: Option<String>,
}

/// What a seat says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Say {
    /// The seat is ready.
    Ready {
        version: String,
    },
    Line(String),
    Bytes {
        done: u64,
        total: Option<u64>,
    },
    Done(Box<Wire>),
    Failed {
        kind: String,
        message: String,
        hints: Vec<String>,
    },
}

/// [`Performed`], as JSON.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Wire {
    values: Value,
    facts: Value,
    changed: bool,
    failed: bool,
    skipped: bool,
    warnings: Vec<String>,
    may_change: Option<String>,
    unknown_values: Option<String>,
    diffs: Vec<Diff>,
}

fn map_of(value: Value) -> Map {
    match value {
        Value::Map(map) => std::sync::Arc::unwrap_or_clone(map),
        _ => Map::new(),
    }
}

impl From<Performed> for Wire {
    fn from(done: Performed) -> Self {
        Self {
            values: Value::map(done.returns.values),
            facts: Value::map(done.returns.facts),
            changed: done.changed,
            failed: done.returns.failed,
            skipped: done.returns.skipped,
            warnings: done.returns.warnings,
            may_change: done.may_change,
            unknown_values: done.unknown_values,
            diffs: done.diffs,
        }
    }
}

impl From<Wire> for Performed {
    fn from(wire: Wire) -> Self {
        Self {
            returns: Returns {
                values: map_of(wire.values),
                facts: map_of(wire.facts),
                changed: Some(wire.changed),
                failed: wire.failed,
                skipped: wire.skipped,
                warnings: wire.warnings,
                diffs: Vec::new(),
            },
            changed: wire.changed,
            may_change: wire.may_change,
            unknown_values: wire.unknown_values,
            diffs: wire.diffs,
        }
    }
}

impl From<Progress> for Say {
    fn from(progress: Progress) -> Self {
        match progress {
            Progress::Line(text) => Self::Line(text),
            Progress::Bytes { done, total } => Self::Bytes { done, total },
        }
    }
}

impl From<&Error> for Say {
    fn from(error: &Error) -> Self {
        Self::Failed {
            kind: format!("{:?}", error.kind()),
            message: error.message(),
            hints: error.hints().to_vec(),
        }
    }
}

/// The error that a seat told of.
fn told(kind: &str, message: String, hints: Vec<String>) -> Error {
    let kind = match kind {
        "Params" => ErrorKind::Params,
        "Unknown" => ErrorKind::Unknown,
        "Unreachable" => ErrorKind::Unreachable,
        "Internal" => ErrorKind::Internal,
        _ => ErrorKind::Host,
    };
    hints
        .into_iter()
        .fold(Error::new(kind, message), Error::hint)
}

impl Ask {
    pub(super) fn new(call: &ModuleCall, assets: Vec<Asset>) -> Self {
        Self {
            module: call.module.name.into(),
            args: Value::map(call.args.clone()),
            check: call.mode.check,
            diff: call.mode.diff,
            environment: call.environment.clone(),
            probe: call.probe,
            timeout: call.timeout,
            background: call.background.clone(),
            assets,
        }
    }

    /// The same, for the job that carries it out: the job's limit is all that ends it.
    pub(super) fn foreground(mut self) -> Self {
        self.timeout = self.background.take().map(|b| b.limit).filter(|l| *l > 0);
        self
    }

    /// As a line of JSON.
    pub(super) fn line(&self) -> Result<String> {
        serde_json::to_string(self)
            .map_err(|e| Error::new(ErrorKind::Internal, "cannot write a call").caused_by(e))
    }

    fn mode(&self) -> Mode {
        Mode {
            check: self.check,
            diff: self.diff,
        }
    }
}
