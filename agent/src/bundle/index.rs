//! The index of a bundle: what is in it, and what is to be run.

use super::{FORMAT, refused};
use crate::engine::journal::OnInterrupt;
use crate::error::Result;
use crate::host::{Digest, digest_of};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// What is in a bundle, and what is to be run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Index {
    /// The version of this format.
    pub format: u32,
    /// What is to be run: signed with the files, so that who carries a bundle cannot bend it.
    pub entry: Entry,
    /// The files, ordered by path.
    pub files: Vec<FileEntry>,
}

/// What is to be run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Names of hosts, `*` for any letters: no other host runs it.
    pub hosts: Vec<String>,
    /// Playbooks, in order, as paths in the bundle.
    pub playbooks: Vec<String>,
    /// Sources of the inventory, as paths in the bundle; none means the host alone.
    pub inventory: Vec<String>,
    /// Files of extra variables, as paths in the bundle.
    pub vars_files: Vec<String>,
    /// Flags of `lks-agent run`: `--check`, `--tags=x`, `--extra-vars=a=b`, …
    pub flags: Vec<String>,
    /// What becomes of a command that a crash interrupted.
    pub in_flight: OnInterrupt,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Relative, with `/` between its parts.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256, in hex.
    pub sha256: String,
    /// Whether it may be executed (inventory scripts, files that playbooks copy).
    pub executable: bool,
}

impl Index {
    /// Reads and checks an index.
    ///
    /// # Errors
    /// When it is none, of another version, or names what no bundle may hold.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let index: Self = serde_json::from_slice(bytes)
            .map_err(|e| refused("its index cannot be read").caused_by(e))?;
        index.check()?;
        Ok(index)
    }

    /// Checks that paths stay in the bundle's folder, that none stands twice or below a file, and that
    /// what is to be run is there.
    ///
    /// # Errors
    /// When one does not.
    pub fn check(&self) -> Result<()> {
        if self.format != FORMAT {
            return Err(refused(format!(
                "it is of format {}; this program reads {FORMAT}",
                self.format
            )));
        }
        let mut last: Option<&str> = None;
        let mut files: HashSet<&str> = HashSet::new();
        for file in &self.files {
            check_path(&file.path)?;
            if last.is_some_and(|l| l >= file.path.as_str()) {
                return Err(refused(format!("`{}` is out of order", file.path)));
            }
            last = Some(&file.path);
            files.insert(&file.path);
        }
        for file in &self.files {
            let mut end = file.path.len();
            while let Some(slash) = file.path[..end].rfind('/') {
                end = slash;
                if files.contains(&file.path[..end]) {
                    return Err(refused(format!(
                        "`{}` is a file and a folder",
                        &file.path[..end]
                    )));
                }
            }
        }
        self.check_entry(&files)
    }

    fn check_entry(&self, files: &HashSet<&str>) -> Result<()> {
        let entry = &self.entry;
        if entry.playbooks.is_empty() || entry.hosts.is_empty() {
            return Err(refused("it names no playbook, or no hosts"));
        }
        for path in entry.playbooks.iter().chain(&entry.vars_files) {
            if !files.contains(path.as_str()) {
                return Err(refused(format!("`{path}` is not in it")));
            }
        }
        for path in &entry.inventory {
            let below = format!("{path}/");
            let has = |f: &&str| **f == *path || f.starts_with(&below);
            if !files.iter().any(has) {
                return Err(refused(format!("the inventory `{path}` is not in it")));
            }
        }
        match entry.flags.iter().find(|f| !is_allowed(f)) {
            Some(flag) => Err(refused(format!(
                "the flag `{flag}` has no place in a bundle"
            ))),
            None => Ok(()),
        }
    }

    /// The files' bytes, each with its own digest.
    ///
    /// # Errors
    /// When bytes are missing, too many, or others than the index names.
    pub fn split<'a>(&self, mut bytes: &'a [u8]) -> Result<Vec<&'a [u8]>> {
        let mut out = Vec::with_capacity(self.files.len());
        for file in &self.files {
            let (own, rest) = usize::try_from(file.size)
                .ok()
                .and_then(|n| bytes.split_at_checked(n))
                .ok_or_else(|| refused(format!("it ends within `{}`", file.path)))?;
            if digest_of(own, Digest::Sha256) != file.sha256 {
                return Err(refused(format!(
                    "`{}` is not what its index says",
                    file.path
                )));
            }
            out.push(own);
            bytes = rest;
        }
        if bytes.is_empty() {
            Ok(out)
        } else {
            Err(refused("something follows its last file"))
        }
    }
}

/// Flags that a signed bundle may hand to a run. Not among them: whatever chooses hosts, connections,
/// passwords or files of the host.
const FLAGS: &[&str] = &[
    "--check",
    "--diff",
    "--force-handlers",
    "--become",
    "--tags=",
    "--skip-tags=",
    "--extra-vars=",
    "--start-at-task=",
    "--become-user=",
    "--become-method=",
    "--vault-password-file=/",
];

fn is_allowed(flag: &str) -> bool {
    // Variables from a file of the host would be chosen by whoever may write there.
    !flag.starts_with("--extra-vars=@")
        && FLAGS.iter().any(|allowed| match allowed.contains('=') {
            true => flag.starts_with(allowed),
            false => flag == *allowed,
        })
}

fn check_path(path: &str) -> Result<()> {
    let bad = |why: &str| Err(refused(format!("the path {path:?} {why}")));
    if path.is_empty() || path.len() > 1024 {
        return bad("is empty or too long");
    }
    if path.chars().any(|c| c.is_control() || c == '\\') {
        return bad("holds letters that no path needs");
    }
    for part in path.split('/') {
        if matches!(part, "" | "." | "..") || part.len() > 255 {
            return bad("leaves its folder, or is none");
        }
    }
    Ok(())
}
