//! A file tree in memory, laid over another one: what was changed is known here, the rest shows through.

use super::view::{FileKind, Stat};
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// A chain of symlinks longer than this is a loop (the kernel's own limit).
const MAX_LINKS: usize = 40;

/// The tree beneath: asked for what this one does not know. Paths have no symlink but, perhaps, at the end.
pub(super) trait Below {
    /// The entry at `path`, its final symlink not followed.
    fn node(&self, path: &Path) -> Result<Option<Node>>;
    /// Names in a directory.
    fn names(&self, path: &Path) -> Result<Vec<String>>;
}

/// One entry of the file system.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub stat: Stat,
    pub body: Body,
    /// A directory through which nothing of the tree beneath shows.
    pub sealed: bool,
}

/// What an entry holds.
#[derive(Clone, Debug)]
pub(super) enum Body {
    Dir,
    File(Data),
    Link(PathBuf),
    Other,
}

/// Where a file's content is to be had.
#[derive(Clone, Debug)]
pub(super) enum Data {
    Bytes(Arc<[u8]>),
    /// In the tree beneath, under this path.
    Base(PathBuf),
    /// On the side that holds the playbook.
    Asset(PathBuf),
    /// Nobody knows before the real run.
    Unknown(Arc<str>),
}

#[derive(Clone, Debug)]
enum Entry {
    Gone,
    Known(Node),
    Unknown {
        why: Arc<str>,
        /// Whether at least its existence is sure.
        exists: bool,
    },
}

/// What was changed, by canonical path.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    entries: BTreeMap<PathBuf, Entry>,
}

impl Tree {
    /// The entry at a canonical path.
    pub fn node(&self, below: &dyn Below, path: &Path) -> Result<Option<Node>> {
        match self.entries.get(path) {
            Some(Entry::Known(node)) => return Ok(Some(node.clone())),
            Some(Entry::Gone) => return Ok(None),
            Some(Entry::Unknown { why, .. }) => return Err(Error::unknown(&**why)),
            None => {}
        }
        if self.covered(path)? {
            return Ok(None);
        }
        below.node(path)
    }

    /// Whether something above `path` keeps the tree beneath from showing through.
    fn covered(&self, path: &Path) -> Result<bool> {
        for above in path.ancestors().skip(1) {
            match self.entries.get(above) {
                Some(Entry::Gone) => return Ok(true),
                Some(Entry::Known(n)) if n.sealed || !n.stat.is_dir() => return Ok(true),
                Some(Entry::Unknown { why, .. }) => return Err(Error::unknown(&**why)),
                _ => {}
            }
        }
        Ok(false)
    }

    /// Whether this very path was changed.
    pub fn knows(&self, path: &Path) -> bool {
        self.entries.contains_key(path)
    }

    /// Whether what lies below a changed path is other than beneath.
    pub fn hides(&self, path: &Path) -> bool {
        match self.entries.get(path) {
            Some(Entry::Known(node)) => node.sealed || !node.stat.is_dir(),
            Some(_) => true,
            None => false,
        }
    }

    /// The changed paths.
    pub fn changed(&self) -> impl Iterator<Item = &Path> {
        self.entries.keys().map(PathBuf::as_path)
    }

    /// Resolves symlinks as far as the path exists; the last one only if `follow`. Parts that do not
    /// exist are kept as they are.
    pub fn resolve(&self, below: &dyn Below, path: &Path, follow: bool) -> Result<PathBuf> {
        let mut todo: Vec<PathBuf> = parts(path);
        let mut at = PathBuf::from("/");
        let mut links = 0;
        while let Some(part) = todo.pop() {
            if part.as_os_str() == ".." {
                at.pop();
                continue;
            }
            let next = at.join(&part);
            // What is surely there is a mount point, and so no link.
            let sure = matches!(
                self.entries.get(&next),
                Some(Entry::Unknown { exists: true, .. })
            );
            if todo.is_empty() && (sure || !follow) {
                return Ok(next);
            }
            if sure {
                at = next;
                continue;
            }
            match self.node(below, &next)? {
                Some(Node {
                    body: Body::Link(target),
                    ..
                }) => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(Error::host(format!(
                            "{}: too many levels of symbolic links",
                            path.display()
                        )));
                    }
                    if target.is_absolute() {
                        at = PathBuf::from("/");
                    }
                    todo.extend(parts(&target));
                }
                _ => at = next,
            }
        }
        Ok(at)
    }

    /// The entry that `path` leads to, and its canonical path.
    pub fn find(
        &self,
        below: &dyn Below,
        path: &Path,
        follow: bool,
    ) -> Result<(PathBuf, Option<Node>)> {
        let at = self.resolve(below, path, follow)?;
        // A dangling link is resolved to the place it points to, where nothing is.
        let node = self.node(below, &at)?;
        Ok((at, node))
    }

    /// Names in the directory at a canonical path, sorted; `None` if it is no directory.
    pub fn list(&self, below: &dyn Below, path: &Path) -> Result<Option<Vec<String>>> {
        let Some(node) = self.node(below, path)? else {
            return Ok(None);
        };
        if !node.stat.is_dir() {
            return Ok(None);
        }
        let mut names = std::collections::BTreeSet::new();
        if !node.sealed && !self.covered(path)? {
            names.extend(below.names(path)?);
        }
        for (child, entry) in self.below(path) {
            if child.parent() != Some(path) {
                continue;
            }
            let Some(name) = child.file_name() else {
                continue;
            };
            let name = name.to_string_lossy().into_owned();
            match entry {
                Entry::Gone => _ = names.remove(&name),
                Entry::Unknown { why, exists: false } => return Err(Error::unknown(&**why)),
                _ => _ = names.insert(name),
            }
        }
        Ok(Some(names.into_iter().collect()))
    }

    fn below(&self, path: &Path) -> impl Iterator<Item = (&PathBuf, &Entry)> {
        // Paths are ordered part by part, so what lies below one follows it without a gap.
        self.entries
            .range::<Path, _>((Bound::Excluded(path), Bound::Unbounded))
            .take_while(move |(p, _)| p.starts_with(path))
    }

    fn forget_below(&mut self, path: &Path) {
        let gone: Vec<PathBuf> = self.below(path).map(|(p, _)| p.clone()).collect();
        for path in gone {
            self.entries.remove(&path);
        }
    }

    /// Puts an entry at a canonical path. A new directory, or anything that is none, hides what was there.
    pub fn put(&mut self, path: &Path, node: Node) {
        if node.sealed && !self.was_sealed(path) || !node.stat.is_dir() {
            self.forget_below(path);
        }
        self.entries.insert(path.to_owned(), Entry::Known(node));
    }

    /// Only its attributes change then: what lies below stays.
    fn was_sealed(&self, path: &Path) -> bool {
        matches!(self.entries.get(path), Some(Entry::Known(n)) if n.sealed)
    }

    /// Takes an entry away, with all that is below.
    pub fn remove(&mut self, path: &Path) {
        self.forget_below(path);
        self.entries.insert(path.to_owned(), Entry::Gone);
    }

    /// Says that nothing is known any more of an entry and of what is below.
    pub fn blur(&mut self, path: &Path, why: &str, exists: bool) {
        self.forget_below(path);
        let entry = Entry::Unknown {
            why: why.into(),
            exists,
        };
        self.entries.insert(path.to_owned(), entry);
    }

    /// Moves an entry with all that is below from one canonical path to another.
    pub fn rename(&mut self, below: &dyn Below, from: &Path, to: &Path) -> Result<()> {
        let mut moved = Vec::new();
        self.collect(below, from, &mut moved)?;
        self.remove(from);
        for (path, mut node) in moved {
            node.sealed = node.stat.is_dir();
            let rest = path.strip_prefix(from).unwrap_or(&path);
            let at = if rest.as_os_str().is_empty() {
                to.to_owned()
            } else {
                to.join(rest)
            };
            self.put(&at, node);
        }
        Ok(())
    }

    fn collect(
        &self,
        below: &dyn Below,
        path: &Path,
        into: &mut Vec<(PathBuf, Node)>,
    ) -> Result<()> {
        let Some(node) = self.node(below, path)? else {
            return Ok(());
        };
        let is_dir = node.stat.is_dir();
        into.push((path.to_owned(), node));
        if is_dir {
            for name in self.list(below, path)?.unwrap_or_default() {
                self.collect(below, &path.join(name), into)?;
            }
        }
        Ok(())
    }
}

/// The parts of a path in reverse, without `/` and `.`.
fn parts(path: &Path) -> Vec<PathBuf> {
    path.components()
        .rev()
        .filter(|c| matches!(c, Component::Normal(_) | Component::ParentDir))
        .map(|c| PathBuf::from(c.as_os_str()))
        .collect()
}

/// Metadata of something new.
pub(super) fn new_stat(kind: FileKind, mode: u32, uid: u32, gid: u32, now: f64) -> Stat {
    Stat {
        kind,
        mode,
        uid,
        gid,
        size: 0,
        nlink: 1,
        inode: 0,
        device: 0,
        atime: now,
        mtime: now,
        ctime: now,
        disk: None,
    }
}
