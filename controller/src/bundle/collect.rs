//! Collects what a run needs into a bundle: the same files give the same bytes, on any machine.

use lks_agent::bundle::{Entry, FORMAT, FileEntry, Index, MAX_BUNDLE, Parts};
use lks_agent::error::{Error, ErrorKind, Result};
use lks_agent::host::here;
use lks_agent::host::{Digest, digest_of};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What a bundle is made of, as the command line names it.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// The folder with everything; that of the first playbook if not given.
    pub root: Option<PathBuf>,
    /// Playbooks.
    pub playbooks: Vec<String>,
    /// Sources of the inventory.
    pub inventory: Vec<String>,
    /// Extra variables: `a=b`, JSON, or `@file`.
    pub extra_vars: Vec<String>,
    /// Patterns of the hosts it is for.
    pub hosts: Vec<String>,
    /// Further flags of the run.
    pub flags: Vec<String>,
    /// What becomes of interrupted commands.
    pub in_flight: lks_agent::engine::journal::OnInterrupt,
}

/// Folders that are nobody's playbook.
const LEFT_OUT: &[&str] = &[
    ".git",
    ".hg",
    ".svn",
    ".tox",
    ".venv",
    "__pycache__",
    "target",
];

struct Collected {
    root: PathBuf,
    files: BTreeMap<String, (Vec<u8>, bool)>,
    size: usize,
}

/// Makes a bundle, not signed yet.
///
/// # Errors
/// When a file is missing, a link leaves the folder, or it gets too large.
pub fn make(source: &Source) -> Result<Vec<u8>> {
    let first = source
        .playbooks
        .first()
        .ok_or_else(|| usage("no playbook is given"))?;
    if !here::is_file(Path::new(first)) {
        return Err(usage(format!("the playbook {first} could not be found")));
    }
    let root = match &source.root {
        Some(root) => here::real_path(root),
        None => {
            let path = here::real_path(Path::new(first));
            path.parent().map(Path::to_path_buf).unwrap_or_default()
        }
    };
    let mut all = Collected {
        root: root.clone(),
        files: BTreeMap::new(),
        size: 0,
    };
    all.folder(&root, "")?;
    let mut entry = Entry {
        hosts: source.hosts.clone(),
        flags: source.flags.clone(),
        in_flight: source.in_flight,
        ..Entry::default()
    };
    for playbook in &source.playbooks {
        entry.playbooks.push(all.named(playbook)?);
    }
    for path in &source.inventory {
        if path.contains(',') {
            return Err(usage(
                "a list of hosts is no inventory for agents: use --limit",
            ));
        }
        let path = all.named(path)?;
        entry.inventory.push(path);
    }
    for vars in &source.extra_vars {
        match vars.strip_prefix('@') {
            Some(path) => entry.vars_files.push(all.named(path)?),
            None => entry.flags.push(format!("--extra-vars={vars}")),
        }
    }
    all.write(entry)
}

impl Collected {
    /// A file or folder as a path in the bundle; what lies outside the root is brought in, with the
    /// variables beside it.
    fn named(&mut self, path: &str) -> Result<String> {
        let real = here::real_path(&here::expand_home(path));
        if let Ok(below) = real.strip_prefix(&self.root) {
            let below = below.display().to_string();
            let here_already = self.files.contains_key(&below)
                || self
                    .files
                    .keys()
                    .any(|f| f.starts_with(&format!("{below}/")));
            if here_already {
                return Ok(below);
            }
        }
        let name = real
            .file_name()
            .map(|n| n.to_string_lossy().into_owned())
            .ok_or_else(|| usage(format!("{path} names no file")))?;
        let digest = digest_of(real.display().to_string().as_bytes(), Digest::Sha256);
        let dir = format!("outside/{}", &digest[..8]);
        if here::is_dir(&real) {
            self.folder(&real, &format!("{dir}/{name}/"))?;
        } else {
            self.file(&real, format!("{dir}/{name}"))?;
            for near in ["group_vars", "host_vars"] {
                let beside = real.with_file_name(near);
                if here::is_dir(&beside) {
                    self.folder(&beside, &format!("{dir}/{near}/"))?;
                }
            }
        }
        Ok(format!("{dir}/{name}"))
    }

    fn folder(&mut self, dir: &Path, prefix: &str) -> Result<()> {
        let mut names = here::list(dir)
            .ok_or_else(|| Error::host(format!("{} cannot be read", dir.display())))?;
        names.sort();
        for name in names {
            let path = dir.join(&name);
            if LEFT_OUT.contains(&name.as_str())
                || name.ends_with(".retry")
                || name.ends_with(".lksb")
            {
                continue;
            }
            let real = here::real_path(&path);
            let is_link = here::is_link(&path);
            if is_link && (here::is_dir(&real) || !real.starts_with(&self.root)) {
                return Err(Error::host(format!(
                    "{} is a link to {}: a bundle holds files, and links to files of its own folder",
                    path.display(),
                    real.display()
                )));
            }
            if here::is_dir(&path) {
                self.folder(&path, &format!("{prefix}{name}/"))?;
            } else {
                self.file(&path, format!("{prefix}{name}"))?;
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, name: String) -> Result<()> {
        if !here::is_file(path) {
            return Err(Error::host(format!("{} is no file", path.display())));
        }
        let bytes = here::read(path)?.unwrap_or_default();
        self.size += bytes.len();
        if self.size > MAX_BUNDLE / 2 {
            return Err(Error::host(format!(
                "the bundle gets larger than {} MiB with {}",
                MAX_BUNDLE >> 21,
                path.display()
            ))
            .hint("--root names the folder that is bundled; models and images are better fetched by tasks"));
        }
        let executable = here::mode(path)? & 0o111 != 0;
        self.files.insert(name, (bytes, executable));
        Ok(())
    }

    fn write(self, entry: Entry) -> Result<Vec<u8>> {
        let mut index = Index {
            format: FORMAT,
            entry,
            files: Vec::new(),
        };
        let mut bytes = Vec::with_capacity(self.size);
        for (path, (content, executable)) in self.files {
            index.files.push(FileEntry {
                path,
                size: content.len() as u64,
                sha256: digest_of(&content, Digest::Sha256),
                executable,
            });
            bytes.extend_from_slice(&content);
        }
        index.check()?;
        let index = serde_json::to_vec(&index).map_err(|e| {
            Error::new(ErrorKind::Internal, "an index cannot be written").caused_by(e)
        })?;
        Ok(Parts {
            signed: None,
            index: &index,
            files: &bytes,
        }
        .write())
    }
}

fn usage(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::Usage, text)
}
