//! Which parts of which version of a file are there. The map's first line says of which URL and version;
//! each further line is a part that is whole. A line is written once its part's bytes are, and a torn
//! last line counts for nothing: a kill at any point costs no more than the parts under way.

use super::super::download::boot_id;
use super::super::http::shown;
use super::super::*;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Write;

/// What the bytes are of.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Origin {
    url: String,
    size: u64,
    part: u64,
    /// What the server knows the version by.
    pub(super) version: Option<String>,
    /// The machine's start: after a power failure a part may be missing that the map has.
    boot: String,
}

/// The parts, and the map on disk.
pub(super) struct Parts {
    origin: Origin,
    path: PathBuf,
    map: Option<File>,
    done: Vec<bool>,
    /// Parts from the beginning on without a gap.
    whole: usize,
    next: usize,
}

impl Parts {
    /// Reads what an earlier process left, if it is of the same file.
    pub(super) fn read(fetch: &Fetch, path: &Path) -> Self {
        let origin = Origin {
            url: shown(&fetch.request.url),
            size: fetch.size,
            part: fetch.part.max(1),
            version: None,
            boot: boot_id(),
        };
        let count = fetch.size.div_ceil(origin.part) as usize;
        let mut parts = Self {
            origin,
            path: path.to_owned(),
            map: None,
            done: vec![false; count],
            whole: 0,
            next: 0,
        };
        if let Some(version) = parts.left_by(fetch) {
            parts.origin.version = version;
            parts.whole = parts.gap();
        } else {
            parts.done.fill(false);
        }
        parts
    }

    /// Marks the parts that the map has; the version that they are of.
    fn left_by(&mut self, fetch: &Fetch) -> Option<Option<String>> {
        let text = files::read(&self.path).ok().flatten()?;
        let text = String::from_utf8_lossy(&text);
        let mut lines = text.split_inclusive('\n');
        let was: Origin = serde_json::from_str(lines.next()?).ok()?;
        let same = (&was.url, was.size, was.part)
            == (&self.origin.url, self.origin.size, self.origin.part);
        // Without a digest in the end, only what cannot have been lost is believed.
        let sure = fetch.sha256.is_some() || was.boot == self.origin.boot;
        if !same || !sure || (was.version.is_none() && fetch.sha256.is_none()) {
            return None;
        }
        for line in lines.filter(|l| l.ends_with('\n')) {
            if let Some(done) = line
                .trim()
                .parse()
                .ok()
                .and_then(|i: usize| self.done.get_mut(i))
            {
                *done = true;
            }
        }
        Some(was.version)
    }

    fn gap(&self) -> usize {
        let gap = self.done.iter().position(|done| !done);
        gap.unwrap_or(self.done.len())
    }

    /// First byte and length of a part.
    pub(super) fn range(&self, index: usize) -> (u64, u64) {
        let start = index as u64 * self.origin.part;
        (start, self.origin.part.min(self.origin.size - start))
    }

    /// The next part that nobody fetches yet.
    pub(super) fn take(&mut self) -> Option<usize> {
        while self.next < self.done.len() {
            let index = self.next;
            self.next += 1;
            if !self.done[index] {
                return Some(index);
            }
        }
        None
    }

    /// Bytes that are there.
    pub(super) fn bytes(&self) -> u64 {
        let done = (0..self.done.len()).filter(|i| self.done[*i]);
        done.map(|i| self.range(i).1).sum()
    }

    pub(super) fn count(&self) -> usize {
        self.done.len()
    }

    /// Up to where the file is there without a gap.
    pub(super) fn reached(&self) -> u64 {
        (self.whole as u64 * self.origin.part).min(self.origin.size)
    }

    pub(super) fn version(&self) -> Option<&str> {
        self.origin.version.as_deref()
    }

    /// Says of which version the parts are, before any of them comes.
    pub(super) fn begin(&mut self, version: Option<String>) -> Result<()> {
        self.origin.version = version;
        let failed = |e| io_error("write", &self.path, e);
        let mut text = serde_json::to_string(&self.origin).unwrap_or_default();
        text.push('\n');
        for (index, _) in self.done.iter().enumerate().filter(|(_, done)| **done) {
            text.push_str(&format!("{index}\n"));
        }
        let mut map = super::super::download::create(&self.path)?;
        map.write_all(text.as_bytes()).map_err(failed)?;
        self.map = Some(map);
        Ok(())
    }

    /// A part is whole.
    pub(super) fn complete(&mut self, index: usize) -> Result<()> {
        self.done[index] = true;
        while self.done.get(self.whole) == Some(&true) {
            self.whole += 1;
        }
        let failed = |e| io_error("write", &self.path, e);
        match &mut self.map {
            Some(map) => map
                .write_all(format!("{index}\n").as_bytes())
                .map_err(failed),
            None => Ok(()),
        }
    }
}
