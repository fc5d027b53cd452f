//! Where `copy` takes files from: text of the task, files beside the playbook, files of the host.

use crate::error::Result;
use crate::host::{Content, Digest, FileKind, HostView, Stat};
use std::path::{Path, PathBuf};

/// What is copied.
pub enum Source {
    /// This text.
    Text(Vec<u8>),
    /// A file of the playbook's side.
    Asset(PathBuf, Stat),
    /// A file of the host.
    Host(PathBuf, Stat),
    /// A directory of either.
    Tree(Tree),
    /// Nothing is there; why.
    Missing(String),
}

/// A directory, and the side that it is on.
pub struct Tree {
    /// The directory.
    pub top: PathBuf,
    /// Whether it is on the host, and not beside the playbook.
    pub on_host: bool,
    /// Only what is in it, and not the directory itself.
    pub inside: bool,
}

impl Source {
    /// The mode of the file, if it is one.
    pub fn mode(&self) -> Option<u32> {
        match self {
            Self::Asset(_, stat) | Self::Host(_, stat) => Some(stat.mode),
            _ => None,
        }
    }

    /// The path of the file, if it is one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Asset(path, _) | Self::Host(path, _) => Some(path),
            _ => None,
        }
    }

    /// The content, as effects name it.
    pub fn content(&self) -> Content {
        match self {
            Self::Asset(path, _) => Content::Asset(path.clone()),
            Self::Host(path, _) => Content::HostFile(path.clone()),
            Self::Text(text) => Content::Bytes(text.clone()),
            Self::Tree(_) | Self::Missing(_) => Content::Bytes(Vec::new()),
        }
    }

    /// Bytes.
    pub fn size(&self) -> u64 {
        match self {
            Self::Asset(_, stat) | Self::Host(_, stat) => stat.size,
            Self::Text(text) => text.len() as u64,
            _ => 0,
        }
    }

    /// All bytes, for a diff.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn bytes(&self, host: &dyn HostView) -> Result<Vec<u8>> {
        match self {
            Self::Asset(path, _) => host.asset_read(path),
            Self::Host(path, _) => Ok(host.read(path)?.unwrap_or_default()),
            Self::Text(text) => Ok(text.clone()),
            Self::Tree(_) | Self::Missing(_) => Ok(Vec::new()),
        }
    }

    /// SHA-1 of a file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn sha1(&self, host: &dyn HostView) -> Result<Option<String>> {
        match self {
            Self::Asset(path, _) => host.asset_digest(path, Digest::Sha1).map(Some),
            Self::Host(path, _) => host.digest(path, Digest::Sha1),
            _ => Ok(None),
        }
    }

    /// Whether a file of the host has this content.
    ///
    /// # Errors
    /// When one of them cannot be read.
    pub fn is_content_of(&self, host: &dyn HostView, path: &Path, stat: &Stat) -> Result<bool> {
        // Check mode may not know a size; then the content decides, or is unknown too.
        if stat.size != self.size() && stat.size != Stat::SIZE_UNKNOWN {
            return Ok(false);
        }
        match self {
            Self::Text(text) => Ok(host.read(path)?.as_deref() == Some(text)),
            _ => Ok(host.digest(path, Digest::Sha1)? == self.sha1(host)?),
        }
    }
}

/// One entry of a tree, by its path within it.
pub struct Entry {
    /// The path; empty for the top itself.
    pub path: PathBuf,
    /// What it is.
    pub what: What,
}

/// What an entry of a tree is.
pub enum What {
    /// A directory, with its mode.
    Dir(u32),
    /// A file.
    File(Source),
    /// A link, and what is written in it.
    Link(PathBuf),
}

impl Tree {
    /// Everything in it, parents first. Links become what they lead to if they are followed,
    /// but for those that lead in a circle.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn entries(&self, host: &dyn HostView, follow: bool) -> Result<Vec<Entry>> {
        let mut out = vec![Entry {
            path: PathBuf::new(),
            what: What::Dir(0o755),
        }];
        // The folders on the way down, by their own numbers, so that a circle of links ends.
        let mut waiting = vec![(PathBuf::new(), Vec::new())];
        while let Some((folder, above)) = waiting.pop() {
            let names = self.names(host, &folder)?;
            let mut inner = Vec::new();
            for name in names {
                let path = folder.join(name);
                let Some(stat) = self.stat(host, &path)? else {
                    continue;
                };
                let link = self.link(host, &path)?;
                let circle = above.contains(&(stat.device, stat.inode));
                let what = match link {
                    Some(target) if circle || !follow => What::Link(target),
                    _ if stat.is_dir() => What::Dir(stat.mode),
                    _ if stat.kind == FileKind::File => What::File(self.file(&path, stat.clone())),
                    // Devices, sockets and pipes are not copied.
                    _ => continue,
                };
                if matches!(what, What::Dir(_)) {
                    let mut above = above.clone();
                    above.push((stat.device, stat.inode));
                    inner.push((path.clone(), above));
                }
                out.push(Entry { path, what });
            }
            waiting.extend(inner.into_iter().rev());
        }
        Ok(out)
    }

    fn names(&self, host: &dyn HostView, folder: &Path) -> Result<Vec<String>> {
        let path = self.top.join(folder);
        if self.on_host {
            Ok(host.list(&path)?.unwrap_or_default())
        } else {
            host.asset_list(&path)
        }
    }

    fn stat(&self, host: &dyn HostView, path: &Path) -> Result<Option<Stat>> {
        let path = self.top.join(path);
        if self.on_host {
            host.stat(&path)
        } else {
            host.asset(&path)
        }
    }

    /// The target of a link. Links of the playbook's side are followed by the side that reads them.
    fn link(&self, host: &dyn HostView, path: &Path) -> Result<Option<PathBuf>> {
        if self.on_host {
            host.read_link(&self.top.join(path))
        } else {
            Ok(None)
        }
    }

    fn file(&self, path: &Path, stat: Stat) -> Source {
        let path = self.top.join(path);
        if self.on_host {
            Source::Host(path, stat)
        } else {
            Source::Asset(path, stat)
        }
    }
}
