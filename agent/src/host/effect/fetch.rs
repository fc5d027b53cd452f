//! Files that come over the network.

use super::Attrs;
use super::http::Request;
use crate::host::Digest;
use std::path::PathBuf;
use std::time::Duration;

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
