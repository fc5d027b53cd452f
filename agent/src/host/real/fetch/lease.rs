//! Who fetches a file that several hosts want on a file system that they share.
//!
//! A lease is a file that one host makes (by a hard link: atomic on NFS too) and rewrites every few
//! seconds. Who waits compares what it reads with what it read before, by its own clock: no two hosts'
//! clocks are ever compared. A holder that was silent for too long is taken for dead; one of this very
//! machine is known to be dead at once, by the lock on its file. A bare lock file would outlive its
//! holder, and stall every host for ever.

use super::super::download::{boot_id, create};
use super::super::*;
use nix::fcntl::{Flock, FlockArg};
use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Beats within the time after which silence means death.
const BEATS: u32 = 6;

/// A lease that is held; let go when it is dropped.
pub(super) struct Lease {
    path: PathBuf,
    /// Locked until the lease is gone: who finds it unlocked takes its holder for dead.
    file: Arc<Flock<File>>,
    lost: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
    heart: Option<JoinHandle<()>>,
}

impl Lease {
    /// Takes the lease, once nobody else has it.
    pub(super) fn take(
        path: &Path,
        patience: Duration,
        progress: &dyn Fn(Progress),
    ) -> Result<Self> {
        let mut seen: (Vec<u8>, f64) = (Vec::new(), here::monotonic());
        loop {
            if let Some(file) = make(path)? {
                return Ok(Self::held(path, file, patience));
            }
            // Gone again already: the next round makes it.
            let Some(text) = files::read(path)? else {
                continue;
            };
            if text != seen.0 {
                if seen.0.is_empty() {
                    let owner = String::from_utf8_lossy(&text);
                    let owner = owner.split_whitespace().next().unwrap_or("another host");
                    let news = format!("{owner} is fetching it: waiting for that");
                    progress(Progress::Line(news));
                }
                seen = (text.clone(), here::monotonic());
            }
            let silent = here::monotonic() - seen.1 > patience.as_secs_f64();
            if silent || died_here(path, &text) {
                take_away(path, &text)?;
                continue;
            }
            here::sleep(0.5);
            if here::stopped() {
                return Err(Error::host("waiting was stopped by the user"));
            }
        }
    }

    fn held(path: &Path, file: Flock<File>, patience: Duration) -> Self {
        let lost = Arc::new(AtomicBool::new(false));
        let over = Arc::new(AtomicBool::new(false));
        let file = Arc::new(file);
        let heart = Heart {
            path: path.to_owned(),
            file: Arc::clone(&file),
            lost: Arc::clone(&lost),
            over: Arc::clone(&over),
            pause: patience / BEATS,
        };
        Self {
            path: path.to_owned(),
            file,
            lost,
            over,
            heart: Some(std::thread::spawn(move || heart.beat())),
        }
    }

    /// Whether another took it for dead's.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::SeqCst)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        if let Some(heart) = self.heart.take() {
            heart.thread().unpark();
            let _ = heart.join();
        }
        if is_there(&self.file, &self.path) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// What keeps a lease alive.
struct Heart {
    path: PathBuf,
    file: Arc<Flock<File>>,
    lost: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
    pause: Duration,
}

impl Heart {
    fn beat(&self) {
        let mut count: u64 = 0;
        while !self.over.load(Ordering::SeqCst) {
            if !is_there(&self.file, &self.path) {
                self.lost.store(true, Ordering::SeqCst);
                return;
            }
            count += 1;
            let text = format!("{} {count:<20}\n", owner());
            // A beat that cannot be written is missed: others judge by what they see.
            let _ = self.file.write_all_at(text.as_bytes(), 0);
            let _ = self.file.sync_data();
            std::thread::park_timeout(self.pause);
        }
    }
}

/// Whether it is this file that has the name.
fn is_there(file: &File, path: &Path) -> bool {
    let number = |m: std::fs::Metadata| (m.dev(), m.ino());
    let there = std::fs::symlink_metadata(path).map(number).ok();
    there.is_some() && there == file.metadata().map(number).ok()
}

/// This process, as the lease names it: its machine, its number, and the machine's start.
fn owner() -> String {
    let name = files::read(Path::new("/proc/sys/kernel/hostname"));
    let name = name.ok().flatten().unwrap_or_default();
    let name = String::from_utf8_lossy(&name).trim().replace(' ', "-");
    format!("{name} {} {}", std::process::id(), boot_id())
}

/// Makes the lease, with its lock held before anybody can see it; nothing if one is there.
fn make(path: &Path) -> Result<Option<Flock<File>>> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::SeqCst);
    let mut name = path.as_os_str().to_owned();
    // Names of two hosts on one share must differ too.
    name.push(format!(".{}.{number}.{}", std::process::id(), boot_id()));
    let own = PathBuf::from(name);
    let file = create(&own)?;
    file.write_all_at(format!("{} 0\n", owner()).as_bytes(), 0)
        .map_err(|e| io_error("write", &own, e))?;
    let file = Flock::lock(file, FlockArg::LockExclusiveNonblock)
        .map_err(|(_, e)| io_error("lock", &own, e.into()))?;
    let linked = std::fs::hard_link(&own, path);
    let _ = std::fs::remove_file(&own);
    match linked {
        Ok(()) => Ok(Some(file)),
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => Ok(None),
        Err(e) => Err(io_error("make the lease", path, e)),
    }
}

/// Whether the lease is one of this machine since its start, and nobody holds its lock.
fn died_here(path: &Path, text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    if text.split_whitespace().nth(2) != Some(boot_id().as_str()) {
        return false;
    }
    // NFS gives such a lock only to who may write.
    match File::options().read(true).write(true).open(path) {
        Ok(file) => Flock::lock(file, FlockArg::LockExclusiveNonblock).is_ok(),
        Err(_) => false,
    }
}

/// Takes a dead holder's lease away. If it is a new one by now, it is put back.
fn take_away(path: &Path, seen: &[u8]) -> Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".dead.{}.{}", std::process::id(), boot_id()));
    let dead = PathBuf::from(name);
    match std::fs::rename(path, &dead) {
        Ok(()) => {}
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(io_error("take away", path, e)),
    }
    if files::read(&dead)?.is_some_and(|now| now != seen) {
        // Its holder lives. If a third made one meanwhile, the holder will see that it lost.
        let _ = std::fs::hard_link(&dead, path);
    }
    let _ = std::fs::remove_file(&dead);
    Ok(())
}
