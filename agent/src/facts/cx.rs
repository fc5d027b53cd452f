//! Reading small files of a host, where what cannot be read counts as not there.

use crate::host::{HostView, Stat};
use crate::value::{Key, Map, Value};
use std::path::{Path, PathBuf};

/// What collectors read from.
pub struct Cx<'a> {
    /// The host.
    pub host: &'a dyn HostView,
    /// Folder of local facts.
    pub local: &'a str,
    /// The Python that the inventory names (`ansible_python_interpreter`).
    pub python: Option<&'a str>,
}

impl<'a> Cx<'a> {
    pub fn new(host: &'a dyn HostView, local: &'a str) -> Self {
        Self {
            host,
            local,
            python: None,
        }
    }

    /// A file as text, without line ends at its end.
    pub fn text(&self, path: impl AsRef<Path>) -> Option<String> {
        let bytes = self.host.read(path.as_ref()).ok()??;
        let text = String::from_utf8_lossy(&bytes);
        Some(text.trim_end_matches(['\n', '\0']).to_string())
    }

    /// A file's text without white space around it, if there is any.
    pub fn word(&self, path: impl AsRef<Path>) -> Option<String> {
        let text = self.text(path)?.trim().to_string();
        (!text.is_empty()).then_some(text)
    }

    /// A file's number.
    pub fn number(&self, path: impl AsRef<Path>) -> Option<i64> {
        self.word(path)?.parse().ok()
    }

    /// Names in a folder, sorted.
    pub fn list(&self, path: impl AsRef<Path>) -> Vec<String> {
        self.host
            .list(path.as_ref())
            .ok()
            .flatten()
            .unwrap_or_default()
    }

    pub fn stat(&self, path: impl AsRef<Path>) -> Option<Stat> {
        self.host.stat(path.as_ref()).ok().flatten()
    }

    pub fn exists(&self, path: impl AsRef<Path>) -> bool {
        self.host.lstat(path.as_ref()).ok().flatten().is_some()
    }

    pub fn link(&self, path: impl AsRef<Path>) -> Option<PathBuf> {
        self.host.read_link(path.as_ref()).ok().flatten()
    }

    /// The last part of where a symlink leads.
    pub fn link_name(&self, path: impl AsRef<Path>) -> Option<String> {
        let target = self.link(path)?;
        Some(target.file_name()?.to_string_lossy().into_owned())
    }
}

/// Sets a fact.
pub fn put(out: &mut Map, name: &str, value: impl Into<Value>) {
    out.insert(Key::from(name), value.into());
}

/// `KEY=value` lines with the value's quotes taken off, as in `os-release(5)`.
pub fn assignments(text: &str) -> Vec<(String, String)> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| {
            let value = value.trim();
            let bare = ['"', '\'']
                .iter()
                .find_map(|q| value.strip_prefix(*q)?.strip_suffix(*q))
                .unwrap_or(value);
            (
                key.trim().to_string(),
                bare.replace("\\\"", "\"").replace("\\$", "$"),
            )
        })
        .collect()
}
