//! What is written down beside a file that was fetched, so that it need not be read whole again to be known.

use super::Fetch;
use serde::{Deserialize, Serialize};

/// What is known of a file that was found right.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FetchNote {
    /// Where it comes from, without what signs a request.
    pub url: String,
    /// Its version there, an ETag for example.
    pub version: Option<String>,
    /// Its size in bytes.
    pub size: u64,
    /// When it was last written to, in seconds since 1970.
    pub mtime: f64,
    /// Its digest, in hex.
    pub sha256: Option<String>,
}

impl FetchNote {
    /// What is to be written down of what was fetched.
    pub(super) fn of(fetch: &Fetch, sha256: &str, mtime: f64) -> Self {
        Self {
            url: super::unsigned(&fetch.request.url).to_owned(),
            version: fetch.version.clone(),
            size: fetch.size,
            mtime,
            sha256: Some(sha256.to_owned()),
        }
    }

    /// Reads one; of what is none, a note that fits no file.
    #[must_use]
    pub fn read(text: &[u8]) -> Self {
        serde_json::from_slice(text).unwrap_or_default()
    }

    /// Its text: JSON in a line.
    #[must_use]
    pub fn text(&self) -> String {
        let line = serde_json::to_string(self).unwrap_or_default();
        format!("{line}\n")
    }

    /// Whether a file of this size and time is the one that was looked at.
    #[must_use]
    pub fn is_of(&self, size: u64, mtime: f64) -> bool {
        self.size == size && (self.mtime - mtime).abs() < 1e-3
    }

    /// Whether that file was this version of what is there.
    #[must_use]
    pub fn is_from(&self, url: &str, version: Option<&str>) -> bool {
        self.url == url && self.version.as_deref() == version
    }
}
