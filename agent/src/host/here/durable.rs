//! Files that must survive a kill and a loss of power: logs that grow by frames, and files that are
//! replaced whole.
//!
//! A frame is its length and its CRC-32 (both little-endian, four bytes each) and then its bytes. What
//! a kill left half-written fails one of the two and is cut off when the log is opened again.

use crate::error::{Error, Result};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A frame longer than this is no frame: a length that a crash left as rubbish is not believed.
pub const MAX_FRAME: usize = 64 << 20;
const HEAD: usize = 8;

/// A log that only grows, in frames.
#[derive(Debug)]
pub struct FrameLog {
    path: PathBuf,
    file: File,
    /// Bytes that are whole frames.
    len: u64,
}

/// What an opened log held.
#[derive(Debug, Default)]
pub struct Recovered {
    /// The frames, in order.
    pub frames: Vec<Vec<u8>>,
    /// Bytes at the end that were no whole frame, and were cut off.
    pub torn: u64,
}

impl FrameLog {
    /// Opens a log, or makes it (readable by its owner alone); cuts off what a crash left half-written.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn open(path: &Path) -> Result<(Self, Recovered)> {
        let done = || -> std::io::Result<(Self, Recovered)> {
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(path)?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            let (frames, good) = whole_frames(&bytes);
            let torn = (bytes.len() - good) as u64;
            if torn > 0 {
                file.set_len(good as u64)?;
                file.sync_all()?;
            }
            file.seek(SeekFrom::Start(good as u64))?;
            let log = Self {
                path: path.to_path_buf(),
                file,
                len: good as u64,
            };
            Ok((log, Recovered { frames, torn }))
        };
        done().map_err(|e| Error::host(format!("cannot open {}", path.display())).caused_by(e))
    }

    /// How many bytes of whole frames it holds.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a frame. It survives a kill of this process at once, a loss of power after
    /// [`FrameLog::sync`]. When it cannot be written whole, nothing of it stays.
    ///
    /// # Errors
    /// When the disk is full or broken.
    pub fn append(&mut self, payload: &[u8]) -> Result<()> {
        if payload.len() > MAX_FRAME {
            return Err(Error::host(format!(
                "{} bytes are too many for one record of {}",
                payload.len(),
                self.path.display()
            )));
        }
        let mut frame = Vec::with_capacity(HEAD + payload.len());
        frame.extend_from_slice(&(payload.len() as u32).to_le_bytes());
        frame.extend_from_slice(&crc(payload).to_le_bytes());
        frame.extend_from_slice(payload);
        match self.file.write_all(&frame) {
            Ok(()) => {
                self.len += frame.len() as u64;
                Ok(())
            }
            Err(e) => {
                let _ = self.file.set_len(self.len);
                let _ = self.file.seek(SeekFrom::Start(self.len));
                Err(Error::host(format!("cannot write {}", self.path.display())).caused_by(e))
            }
        }
    }

    /// Whole frames from a byte on, up to about `most` bytes, each with the byte behind it.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn read_from(&self, from: u64, most: u64) -> Result<Vec<(Vec<u8>, u64)>> {
        let end = self.len;
        let mut at = from.min(end);
        let start = at;
        let mut out = Vec::new();
        let done = |at: &mut u64, out: &mut Vec<(Vec<u8>, u64)>| -> std::io::Result<()> {
            use std::os::unix::fs::FileExt;
            while *at < end && *at - start < most {
                let mut head = [0; HEAD];
                self.file.read_exact_at(&mut head, *at)?;
                let len = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
                let mut payload = vec![0; (len as usize).min(MAX_FRAME)];
                self.file.read_exact_at(&mut payload, *at + HEAD as u64)?;
                *at += HEAD as u64 + u64::from(len);
                out.push((payload, *at));
            }
            Ok(())
        };
        done(&mut at, &mut out).map_err(|e| {
            Error::host(format!("cannot read {}", self.path.display())).caused_by(e)
        })?;
        Ok(out)
    }

    /// Waits until all frames are on the disk itself.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn sync(&self) -> Result<()> {
        self.file
            .sync_data()
            .map_err(|e| Error::host(format!("cannot sync {}", self.path.display())).caused_by(e))
    }
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// The whole frames at the beginning of `bytes`, and how many bytes they take.
fn whole_frames(bytes: &[u8]) -> (Vec<Vec<u8>>, usize) {
    let mut frames = Vec::new();
    let mut at = 0;
    while let Some(head) = bytes.get(at..at + HEAD) {
        let word = |i: usize| u32::from_le_bytes([head[i], head[i + 1], head[i + 2], head[i + 3]]);
        let len = word(0) as usize;
        let Some(payload) = bytes.get(at + HEAD..at + HEAD + len) else {
            break;
        };
        if len > MAX_FRAME || crc(payload) != word(4) {
            break;
        }
        frames.push(payload.to_vec());
        at += HEAD + len;
    }
    (frames, at)
}

/// Replaces a file: after this returns, the new content is on the disk; before, the old one is there.
///
/// # Errors
/// When it cannot be written.
pub fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let temporary = path.with_extension("new");
    let done = || -> std::io::Result<()> {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(mode)
            .open(&temporary)?;
        file.set_permissions(std::fs::Permissions::from_mode(mode))?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)?;
        sync_parent(path)
    };
    done().map_err(|e| Error::host(format!("cannot write {}", path.display())).caused_by(e))
}

/// Writes a file that must not be there yet, in a folder of ours, and never through a link.
///
/// # Errors
/// When something is there already, or the disk refuses.
pub fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    let done = || -> std::io::Result<()> {
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir)?;
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .custom_flags(nix::libc::O_NOFOLLOW)
            .open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    done().map_err(|e| Error::host(format!("cannot write {}", path.display())).caused_by(e))
}

/// Gives a finished folder its name: it is there as a whole, or not at all.
///
/// # Errors
/// When it cannot be renamed.
pub fn rename_folder(from: &Path, to: &Path) -> Result<()> {
    std::fs::rename(from, to)
        .and_then(|()| sync_parent(to))
        .map_err(|e| Error::host(format!("cannot make {}", to.display())).caused_by(e))
}

fn sync_parent(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        // A bare name lies in the folder that we are in.
        Some(dir) if dir.as_os_str().is_empty() => File::open(".")?.sync_all(),
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}

/// Held as long as this process holds the folder; the kernel lets go when the process ends.
#[derive(Debug)]
pub struct FolderLock(#[allow(dead_code, reason = "held, not read")] Flock<File>);

/// Makes sure that one process works with a folder.
///
/// # Errors
/// When another one does.
pub fn lock_folder(dir: &Path) -> Result<FolderLock> {
    let path = dir.join("lock");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(|e| Error::host(format!("cannot open {}", path.display())).caused_by(e))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock)
        .map(FolderLock)
        .map_err(|(_, e)| {
            let taken = Error::host(format!("another process works with {}", dir.display()));
            match e {
                Errno::EWOULDBLOCK => {
                    taken.hint("end that one first, or give this one a folder of its own")
                }
                other => taken.caused_by(other),
            }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> PathBuf {
        super::super::private_folder().expect("a folder")
    }

    #[test]
    fn a_log_cut_anywhere_keeps_its_whole_frames() {
        let dir = folder();
        let path = dir.join("log");
        let (mut log, _) = FrameLog::open(&path).expect("opens");
        let payloads: Vec<Vec<u8>> = (0u8..5).map(|n| vec![n; usize::from(n) * 7]).collect();
        let mut ends = vec![0u64];
        for payload in &payloads {
            log.append(payload).expect("appends");
            ends.push(log.len());
        }
        log.sync().expect("syncs");
        let whole = std::fs::read(&path).expect("reads");
        for cut in 0..=whole.len() {
            std::fs::write(&path, &whole[..cut]).expect("writes");
            let (mut log, found) = FrameLog::open(&path).expect("opens");
            let want = ends.iter().filter(|e| **e <= cut as u64).count() - 1;
            assert_eq!(found.frames, payloads[..want], "cut at {cut}");
            assert_eq!(found.torn, cut as u64 - ends[want]);
            // And it goes on from there.
            log.append(b"next").expect("appends");
            let (_, found) = FrameLog::open(&path).expect("opens");
            assert_eq!(found.frames.last().map(Vec::as_slice), Some(&b"next"[..]));
            assert_eq!(found.torn, 0);
        }
        super::super::remove_folder(&dir);
    }

    #[test]
    fn a_flipped_bit_ends_the_log_there() {
        let dir = folder();
        let path = dir.join("log");
        let (mut log, _) = FrameLog::open(&path).expect("opens");
        log.append(b"one").expect("appends");
        log.append(b"two").expect("appends");
        let mut bytes = std::fs::read(&path).expect("reads");
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(&path, &bytes).expect("writes");
        let (_, found) = FrameLog::open(&path).expect("opens");
        assert_eq!(found.frames, [b"one".to_vec()]);
        super::super::remove_folder(&dir);
    }

    #[test]
    fn a_folder_is_locked_once() {
        let dir = folder();
        let held = lock_folder(&dir).expect("locks");
        assert!(lock_folder(&dir).is_err());
        drop(held);
        assert!(lock_folder(&dir).is_ok());
        super::super::remove_folder(&dir);
    }
}
