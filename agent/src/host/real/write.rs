//! Files put in place by an atomic rename: whoever looks sees the old one or the new one.

use super::super::clock::stamp;
use super::*;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};

/// How a new file is to be put in place.
pub(super) struct Placing<'a> {
    pub attrs: &'a Attrs,
    pub backup: bool,
    pub in_place: bool,
    /// Safe from a power failure even if nothing was there before.
    pub durable: bool,
}

impl RealHost {
    /// Carries [`Effect::WriteFile`] out; gives the backup's path as the host sees it.
    pub(super) fn write_file(&self, effect: &Effect) -> Result<Option<PathBuf>> {
        let Effect::WriteFile {
            path,
            content,
            attrs,
            backup,
            validate,
            in_place,
        } = effect
        else {
            return Ok(None);
        };
        let at = self.destination(path)?;
        if let (true, false, Content::Bytes(bytes)) = (in_place, self.is_folder(), content)
            && ["/sys", "/proc"].iter().any(|top| at.starts_with(top))
        {
            // A knob of the kernel: there is no place beside it for a new file.
            std::fs::write(&at, bytes).map_err(|e| io_error("write", &at, e))?;
            return Ok(None);
        }
        let old = old_file(&at)?;
        let mut new = NewFile::beside(&at)?;
        self.fill(&mut new, content)?;
        if let Some(line) = validate {
            // The checker may be another account's program: it must be able to read the file as
            // it will be.
            self.finish_attrs(&new.file, &new.path, old.as_ref(), attrs)?;
            self.validate(line, &new.path)?;
        }
        let placing = Placing {
            attrs,
            backup: *backup,
            in_place: *in_place,
            durable: false,
        };
        self.place(new, &at, old.as_ref(), &placing)
    }

    /// The real path of the file itself: a symlink at `path` is followed, also to where nothing is yet.
    pub(super) fn destination(&self, path: &Path) -> Result<PathBuf> {
        if self.is_folder() {
            return self.real(path, true);
        }
        match files::lstat(path)? {
            Some(stat) if stat.kind == FileKind::Link => self.resolve(path, true),
            _ => Ok(path.to_owned()),
        }
    }

    fn fill(&self, new: &mut NewFile, content: &Content) -> Result<()> {
        let source = match content {
            Content::Bytes(bytes) => {
                return new
                    .file
                    .write_all(bytes)
                    .map_err(|e| io_error("write", &new.path, e));
            }
            Content::Asset(path) => path.clone(),
            Content::HostFile(path) => self.real(path, true)?,
        };
        let mut from = files::open(&source)?.ok_or_else(|| no_file(&source))?;
        // In the kernel where it can (copy_file_range).
        std::io::copy(&mut from, &mut *new.file).map_err(|e| io_error("write", &new.path, e))?;
        Ok(())
    }

    fn validate(&self, line: &str, new: &Path) -> Result<()> {
        let words = split_words(line)?;
        let path = new.to_string_lossy();
        let argv = words.iter().map(|word| word.replace("%s", &path));
        let output = self.run(&Command::new(argv), &|_| {})?;
        if output.success() {
            return Ok(());
        }
        Err(Error::host(format!(
            "failed to validate: rc:{} error:{}",
            output.rc,
            output.err()
        )))
    }

    /// Puts a filled file in the place of `at`.
    pub(super) fn place(
        &self,
        mut new: NewFile,
        at: &Path,
        old: Option<&std::fs::Metadata>,
        placing: &Placing<'_>,
    ) -> Result<Option<PathBuf>> {
        self.finish_attrs(&new.file, &new.path, old, placing.attrs)?;
        if placing.durable || old.is_some() {
            sync(&new)?;
        }
        let backup = match old {
            Some(_) if placing.backup => Some(backup_of(at, placing.in_place)?),
            _ => None,
        };
        match std::fs::rename(&new.path, at) {
            Ok(()) => new.placed = true,
            Err(e) if placing.in_place && rename_is_impossible(&e) => {
                overwrite(&mut new, at)?;
                let file = files::open(at)?.ok_or_else(|| no_file(at))?;
                self.finish_attrs(&file, at, None, placing.attrs)?;
            }
            Err(e) if rename_is_impossible(&e) => {
                return Err(io_error("replace", at, e)
                    .hint("`unsafe_writes: true` lets it be written in place, not atomically"));
            }
            Err(e) => return Err(io_error("replace", at, e)),
        }
        if let Some(context) = &placing.attrs.context {
            self.chcon(at, context)?;
        }
        if let Some(attributes) = &placing.attrs.attributes {
            self.chattr(at, attributes)?;
        }
        Ok(backup.map(|b| self.shown(&b)))
    }

    /// Owner, mode and times of a new file, before anybody can see it under its name.
    fn finish_attrs(
        &self,
        file: &File,
        path: &Path,
        old: Option<&std::fs::Metadata>,
        attrs: &Attrs,
    ) -> Result<()> {
        let is = file.metadata().map_err(|e| io_error("look at", path, e))?;
        let uid = attrs.uid.or(old.map(MetadataExt::uid));
        let gid = attrs.gid.or(old.map(MetadataExt::gid));
        let uid = uid.filter(|u| *u != is.uid());
        let gid = gid.filter(|g| *g != is.gid());
        if uid.is_some() || gid.is_some() {
            chown_file(file, uid, gid, path, attrs)?;
        }
        let fresh = 0o666 & !self.umask();
        let mode = attrs.mode.or(old.map(|o| o.mode() & 0o7777));
        // After the owner: changing that takes set-id bits away.
        let mode = std::fs::Permissions::from_mode(mode.unwrap_or(fresh));
        file.set_permissions(mode)
            .map_err(|e| io_error("set the mode of", path, e))?;
        if attrs.atime.is_some() || attrs.mtime.is_some() {
            let times = file_times(attrs);
            file.set_times(times)
                .map_err(|e| io_error("set the times of", path, e))?;
        }
        Ok(())
    }
}

/// Gives a file away. That the old owner cannot be kept by somebody who is not root is no error:
/// only what was asked must be.
fn chown_file(
    file: &File,
    uid: Option<u32>,
    gid: Option<u32>,
    path: &Path,
    attrs: &Attrs,
) -> Result<()> {
    match std::os::unix::fs::fchown(file, uid, gid) {
        Err(e) if attrs.uid.is_some() || attrs.gid.is_some() => {
            Err(io_error("set the owner of", path, e))
        }
        _ => Ok(()),
    }
}

pub(super) fn file_times(attrs: &Attrs) -> std::fs::FileTimes {
    let time = |t: f64| {
        let since = std::time::Duration::try_from_secs_f64(t.abs()).unwrap_or_default();
        if t < 0.0 {
            std::time::UNIX_EPOCH - since
        } else {
            std::time::UNIX_EPOCH + since
        }
    };
    let mut times = std::fs::FileTimes::new();
    if let Some(t) = attrs.atime {
        times = times.set_accessed(time(t));
    }
    if let Some(t) = attrs.mtime {
        times = times.set_modified(time(t));
    }
    times
}

/// The file that is there; an error if it is something that cannot be replaced by a file.
pub(super) fn old_file(at: &Path) -> Result<Option<std::fs::Metadata>> {
    let old = if_there(std::fs::symlink_metadata(at)).map_err(|e| io_error("look at", at, e))?;
    match old {
        Some(old) if old.is_dir() => Err(Error::host(format!("{} is a directory", at.display()))),
        other => Ok(other),
    }
}

/// Data reach the disk before the name does, so that a power failure leaves the old file or the new
/// one. A new name is not worth the wait (a disk takes milliseconds): nothing is lost that was there,
/// and the next run sees what is missing.
fn sync(new: &NewFile) -> Result<()> {
    new.file
        .sync_data()
        .map_err(|e| io_error("write", &new.path, e))
}

fn rename_is_impossible(error: &std::io::Error) -> bool {
    [Errno::EBUSY, Errno::EXDEV, Errno::ETXTBSY]
        .iter()
        .any(|e| error.raw_os_error() == Some(*e as i32))
}

/// Writes into the file that is there: a bind-mounted one cannot be replaced.
fn overwrite(new: &mut NewFile, at: &Path) -> Result<()> {
    let failed = |e| io_error("write", at, e);
    let mut from = File::open(&new.path).map_err(failed)?;
    let mut to = std::fs::OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(at)
        .map_err(failed)?;
    std::io::copy(&mut from, &mut to).map_err(failed)?;
    to.sync_data().map_err(failed)
}

/// Keeps the old file as `PATH.PID.YYYY-MM-DD@HH:MM:SS~`. A second name costs nothing and keeps
/// everything of it; a copy is made where the old file itself will be written into.
fn backup_of(at: &Path, in_place: bool) -> Result<PathBuf> {
    let mut name = at.as_os_str().to_owned();
    let pid = std::process::id();
    name.push(format!(".{pid}.{}~", stamp(local(here::now()))));
    let backup = PathBuf::from(name);
    if !in_place && std::fs::hard_link(at, &backup).is_ok() {
        return Ok(backup);
    }
    let failed = |e| io_error("back up", at, e);
    let old = std::fs::metadata(at).map_err(failed)?;
    std::fs::copy(at, &backup).map_err(failed)?;
    let copy = File::open(&backup).map_err(failed)?;
    // Only root may give files away; a backup of one's own is better than none.
    let _ = std::os::unix::fs::fchown(&copy, Some(old.uid()), Some(old.gid()));
    if let Ok(modified) = old.modified() {
        let _ = copy.set_modified(modified);
    }
    Ok(backup)
}

/// Seconds since 1970, moved by the local time zone.
#[allow(
    unsafe_code,
    reason = "std has no local time; a crate for it would do just this"
)]
fn local(seconds: f64) -> f64 {
    let time = seconds as nix::libc::time_t;
    // SAFETY: an all-zero `tm` is valid (integers and a null pointer), `time` and `tm` outlive the
    // call, and `localtime_r` writes nothing but `tm`.
    let offset = unsafe {
        let mut tm: nix::libc::tm = std::mem::zeroed();
        if nix::libc::localtime_r(&raw const time, &raw mut tm).is_null() {
            0
        } else {
            tm.tm_gmtoff
        }
    };
    seconds + offset as f64
}

/// Words as a shell splits them: quotes and backslashes, nothing else.
pub(super) fn split_words(line: &str) -> Result<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(q), c) if q == c => quote = None,
            (Some('\''), c) => word.get_or_insert_default().push(c),
            (_, '\\') => word.get_or_insert_default().extend(chars.next()),
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err(Error::params(format!("`{line}` has an open quote")));
    }
    words.extend(word);
    Ok(words)
}

/// A file that has no name yet that anybody looks at. Dropped without being placed, it is removed.
pub(super) struct NewFile {
    pub file: Flock<File>,
    pub path: PathBuf,
    pub placed: bool,
}

impl NewFile {
    /// Makes it in the folder of `at`. Its name follows from `at`'s, so that what a killed process
    /// left is found and removed; a lock tells what is left from what is being written.
    pub fn beside(at: &Path) -> Result<Self> {
        let dir = at.parent().unwrap_or(Path::new("/"));
        for attempt in 0..100_u32 {
            let path = dir.join(temporary_name(at, attempt));
            match create(&path) {
                Ok(file) => {
                    return Ok(Self {
                        file,
                        path,
                        placed: false,
                    });
                }
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
                    if remove_left_over(&path)
                        && let Ok(file) = create(&path)
                    {
                        let placed = false;
                        return Ok(Self { file, path, placed });
                    }
                }
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                    return Err(Error::host(format!("no such directory: {}", dir.display())));
                }
                Err(e) => return Err(io_error("write in", dir, e)),
            }
        }
        Err(Error::host(format!(
            "cannot write in {}: too many other writers",
            dir.display()
        )))
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.placed {
            // What stays is removed by the next writer.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn create(path: &Path) -> std::io::Result<Flock<File>> {
    let file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock)
        .map_err(|(_, e)| std::io::Error::from_raw_os_error(e as i32))
}

/// Removes a temporary file that no living process writes; whether it is gone.
fn remove_left_over(path: &Path) -> bool {
    let open = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK)
        .open(path);
    let Ok(file) = open else {
        return std::fs::remove_file(path).is_ok();
    };
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(_lock) => std::fs::remove_file(path).is_ok(),
        Err(_) => false,
    }
}

/// `.lks-NAME-HASH`, cut so that a long name stays within what file systems take.
fn temporary_name(at: &Path, attempt: u32) -> std::ffi::OsString {
    use std::os::unix::ffi::{OsStrExt, OsStringExt};
    let name = at.file_name().unwrap_or_default().as_bytes();
    // FNV-1a: only names in one folder need to be told apart.
    let hash = name.iter().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
        (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut temporary = b".lks-".to_vec();
    temporary.extend(&name[..name.len().min(180)]);
    temporary.extend(format!("-{hash:016x}").bytes());
    if attempt > 0 {
        temporary.extend(format!("-{attempt}").bytes());
    }
    std::ffi::OsString::from_vec(temporary)
}
