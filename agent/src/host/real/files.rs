//! Reading files, under any root.

use super::super::digest::Hasher;
use super::super::tree::{Below, Body, Node, Tree};
use super::*;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};

impl RealHost {
    /// Where a path of the host lies on this machine.
    pub(super) fn real(&self, path: &Path, follow: bool) -> Result<PathBuf> {
        match &self.shared.root {
            None => Ok(path.to_owned()),
            Some(root) => {
                let at = Tree::default().resolve(&Folder(root), path, follow)?;
                Ok(below(root, &at))
            }
        }
    }

    /// How the host sees a path of this machine.
    pub(super) fn shown(&self, real: &Path) -> PathBuf {
        match &self.shared.root {
            Some(root) => Path::new("/").join(real.strip_prefix(root).unwrap_or(real)),
            None => real.to_owned(),
        }
    }

    /// The path with symlinks resolved, as far as it exists; the last one only if `follow`.
    pub(super) fn resolve(&self, path: &Path, follow: bool) -> Result<PathBuf> {
        let root = self.shared.root.as_deref().unwrap_or(Path::new("/"));
        if self.shared.root.is_none()
            && follow
            && let Ok(found) = std::fs::canonicalize(path)
        {
            return Ok(found);
        }
        Tree::default().resolve(&Folder(root), path, follow)
    }
}

fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// A folder as a tree whose symlinks lead nowhere outside.
struct Folder<'a>(&'a Path);

impl Below for Folder<'_> {
    fn node(&self, path: &Path) -> Result<Option<Node>> {
        let at = below(self.0, path);
        let Some(stat) = lstat(&at)? else {
            return Ok(None);
        };
        let body = match stat.kind {
            FileKind::Link => Body::Link(read_link(&at)?.unwrap_or_default()),
            FileKind::Dir => Body::Dir,
            _ => Body::Other,
        };
        Ok(Some(Node {
            stat,
            body,
            sealed: false,
        }))
    }
    fn names(&self, path: &Path) -> Result<Vec<String>> {
        Ok(list(&below(self.0, path))?.unwrap_or_default())
    }
}

/// Facts of an entry, as the kernel gave them.
pub(super) fn stat_of(meta: &std::fs::Metadata) -> Stat {
    let kind = meta.file_type();
    let kind = match () {
        () if kind.is_file() => FileKind::File,
        () if kind.is_dir() => FileKind::Dir,
        () if kind.is_symlink() => FileKind::Link,
        () if kind.is_fifo() => FileKind::Fifo,
        () if kind.is_socket() => FileKind::Socket,
        () if kind.is_block_device() => FileKind::Block,
        () => FileKind::Char,
    };
    let time = |seconds: i64, nanos: i64| seconds as f64 + nanos as f64 / 1e9;
    Stat {
        kind,
        mode: meta.mode() & 0o7777,
        uid: meta.uid(),
        gid: meta.gid(),
        size: meta.size(),
        nlink: meta.nlink(),
        inode: meta.ino(),
        device: meta.dev(),
        atime: time(meta.atime(), meta.atime_nsec()),
        mtime: time(meta.mtime(), meta.mtime_nsec()),
        ctime: time(meta.ctime(), meta.ctime_nsec()),
        disk: Some(Disk {
            blocks: meta.blocks(),
            block_size: meta.blksize(),
            device_type: meta.rdev(),
        }),
    }
}

pub(super) fn lstat(path: &Path) -> Result<Option<Stat>> {
    let meta = if_there(std::fs::symlink_metadata(path));
    let meta = meta.map_err(|e| io_error("look at", path, e))?;
    Ok(meta.as_ref().map(stat_of))
}

pub(super) fn stat(path: &Path) -> Result<Option<Stat>> {
    let meta = if_there(std::fs::metadata(path)).map_err(|e| io_error("look at", path, e))?;
    Ok(meta.as_ref().map(stat_of))
}

/// Opens a regular file. A FIFO or a device is refused and does not block.
pub(super) fn open(path: &Path) -> Result<Option<std::fs::File>> {
    let file = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_NONBLOCK | nix::libc::O_NOCTTY)
        .open(path);
    let Some(file) = if_there(file).map_err(|e| io_error("read", path, e))? else {
        return Ok(None);
    };
    let meta = file.metadata().map_err(|e| io_error("read", path, e))?;
    if meta.is_dir() {
        return Err(Error::host(format!("{} is a directory", path.display())));
    }
    if !meta.is_file() {
        return Err(Error::host(format!(
            "{} is not a regular file",
            path.display()
        )));
    }
    Ok(Some(file))
}

pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    let Some(mut file) = open(path)? else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)
        .map_err(|e| io_error("read", path, e))?;
    Ok(Some(bytes))
}

pub(super) fn digest(path: &Path, algorithm: Digest) -> Result<Option<String>> {
    let digests = digests(path, &[algorithm])?;
    Ok(digests.and_then(|all| all.into_iter().next()))
}

/// All of them in one reading.
pub(super) fn digests(path: &Path, algorithms: &[Digest]) -> Result<Option<Vec<String>>> {
    let Some(mut file) = open(path)? else {
        return Ok(None);
    };
    let mut hashers: Vec<_> = algorithms.iter().map(|a| Hasher::new(*a)).collect();
    let size = file.metadata().map_or(u64::MAX, |m| m.len());
    each_piece(&mut file, size, |piece| {
        hashers.iter_mut().for_each(|h| h.update(piece));
    })
    .map_err(|e| io_error("read", path, e))?;
    Ok(Some(hashers.into_iter().map(Hasher::hex).collect()))
}

/// Reads to the end in pieces of 128 KiB, or of what a small file of this size needs.
fn each_piece(file: &mut impl Read, size: u64, mut take: impl FnMut(&[u8])) -> std::io::Result<()> {
    const PIECE: u64 = 128 << 10;
    // Files of /proc say that they are empty.
    let mut buffer = vec![0; size.clamp(4096, PIECE) as usize];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => take(&buffer[..n]),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

pub(super) fn read_link(path: &Path) -> Result<Option<PathBuf>> {
    match std::fs::read_link(path) {
        // EINVAL: it is there, but no link.
        Err(e) if e.kind() == std::io::ErrorKind::InvalidInput => Ok(None),
        other => if_there(other).map_err(|e| io_error("read the link", path, e)),
    }
}

pub(super) fn list(path: &Path) -> Result<Option<Vec<String>>> {
    let failed = |e| io_error("list", path, e);
    let Some(entries) = if_there(std::fs::read_dir(path)).map_err(failed)? else {
        return Ok(None);
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        names.push(name.to_string_lossy().into_owned());
    }
    names.sort();
    Ok(Some(names))
}

pub(super) fn access(path: &Path, mode: u32) -> bool {
    use nix::unistd::AccessFlags;
    let flags = AccessFlags::from_bits_truncate(mode as i32);
    // The effective account is the one that will act.
    nix::unistd::eaccess(path, flags).is_ok()
}

/// Reading the mask by `umask(2)` would change it for a moment, for all threads.
pub(super) fn umask() -> u32 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("Umask:"));
    line.and_then(|l| u32::from_str_radix(l.trim(), 8).ok())
        .unwrap_or(0o022)
}

#[allow(
    unsafe_code,
    reason = "nix has it only with the functions that load plugins"
)]
pub(super) fn effective_uid() -> u32 {
    // SAFETY: `geteuid` takes nothing, touches no memory and cannot fail.
    unsafe { nix::libc::geteuid() }
}
