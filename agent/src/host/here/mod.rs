//! The side that holds the playbook: its files, its clock, its terminal. The engine, the loader and
//! lookups reach them through these functions only.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this file is part of the seam"
)]

mod children;
mod clock;
mod dns;
pub mod durable;
mod password;
mod pause;
mod replace;
mod swap;
mod terminal;

pub use children::{
    Piped, Questions, detach, later, let_go, pipe, private_folder, program, program_for_others,
    run, run_in_front,
};
pub use clock::{monotonic, now, sleep, stop, stop_on_interrupt, stopped, zone};
pub use dns::ask_name_servers;
pub use password::ask_password;
pub use pause::{Paused, pause};
pub use replace::{has_program, rewrite, run_interactive, shred};
pub use swap::{become_program, swap_program, try_program};
pub use terminal::{
    ask, print, print_error, stderr, stdin, stdin_is_terminal, stdout, stdout_is_terminal,
    terminal_height, terminal_width,
};

use crate::error::{Error, Result};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// The text of a file; `None` if there is none.
///
/// # Errors
/// When it is there but cannot be read, or is no UTF-8.
pub fn read_text(path: &Path) -> Result<Option<String>> {
    let Some(bytes) = read(path)? else {
        return Ok(None);
    };
    String::from_utf8(bytes).map(Some).map_err(|e| {
        Error::host(format!(
            "{} is not UTF-8: byte {} is wrong",
            path.display(),
            e.utf8_error().valid_up_to()
        ))
    })
}

/// The content of a file; `None` if there is none.
///
/// # Errors
/// When it is there but cannot be read.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e)
            if matches!(
                e.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(e) => Err(Error::host(format!("cannot read {}", path.display())).caused_by(e)),
    }
}

/// The first bytes of a file, as many as there are; `None` if it is none or cannot be read.
#[must_use]
pub fn read_start(path: &Path, count: u64) -> Option<Vec<u8>> {
    let mut start = Vec::new();
    let file = std::fs::File::open(path).ok()?;
    file.take(count).read_to_end(&mut start).ok()?;
    Some(start)
}

/// All of standard input, as text.
///
/// # Errors
/// When it cannot be read or is no UTF-8.
pub fn read_stdin() -> Result<String> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|e| Error::host("cannot read standard input").caused_by(e))?;
    Ok(text)
}

/// All of standard input.
///
/// # Errors
/// When it cannot be read.
pub fn read_stdin_bytes() -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::io::stdin()
        .read_to_end(&mut bytes)
        .map_err(|e| Error::host("cannot read standard input").caused_by(e))?;
    Ok(bytes)
}

/// Whether anything is at this path, links followed.
#[must_use]
pub fn exists(path: &Path) -> bool {
    path.exists()
}

/// Whether it is a directory.
#[must_use]
pub fn is_dir(path: &Path) -> bool {
    path.is_dir()
}

/// Whether it is a regular file.
#[must_use]
pub fn is_file(path: &Path) -> bool {
    path.is_file()
}

/// Whether it may be executed.
#[must_use]
pub fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

/// A file's permission bits.
///
/// # Errors
/// When it cannot be looked at.
pub fn mode(path: &Path) -> Result<u32> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path)
        .map(|m| m.permissions().mode() & 0o7777)
        .map_err(|e| Error::host(format!("cannot look at {}", path.display())).caused_by(e))
}

/// Seconds since a file was changed; `None` if there is none.
#[must_use]
pub fn age(path: &Path) -> Option<f64> {
    let changed = std::fs::metadata(path).ok()?.modified().ok()?;
    // A file of the future is new.
    Some(changed.elapsed().map_or(0.0, |d| d.as_secs_f64()))
}

/// Removes a file of ours, if it is there.
pub fn remove_file(path: &Path) {
    let _ = std::fs::remove_file(path);
}

/// Names in a directory, sorted; `None` if it is none or cannot be read.
#[must_use]
pub fn list(path: &Path) -> Option<Vec<String>> {
    let mut names: Vec<String> = std::fs::read_dir(path)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    Some(names)
}

/// The path with `~` replaced by the home of the user.
#[must_use]
pub fn expand_home(path: &str) -> PathBuf {
    match (path.strip_prefix('~'), env("HOME")) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
            PathBuf::from(home).join(rest.trim_start_matches('/'))
        }
        _ => PathBuf::from(path),
    }
}

/// The path from the root, without `.` and `..`; links stay.
#[must_use]
pub fn absolute(path: &Path) -> PathBuf {
    let whole = if path.is_absolute() {
        path.to_path_buf()
    } else {
        working_dir().join(path)
    };
    let mut out = PathBuf::new();
    for part in whole.components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

/// The working directory.
#[must_use]
pub fn working_dir() -> PathBuf {
    std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"))
}

/// The path with links followed, as far as it exists.
#[must_use]
pub fn real_path(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| absolute(path))
}

/// A variable of this process's environment.
#[must_use]
pub fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// All variables of this process's environment that are UTF-8.
#[must_use]
pub fn env_all() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
        .collect()
}

/// This process's arguments, the program first.
#[must_use]
pub fn arguments() -> Vec<String> {
    std::env::args_os()
        .map(|a| a.to_string_lossy().into_owned())
        .collect()
}

/// Writes a file with these permission bits, making the directories above it.
///
/// # Errors
/// When it cannot be written.
pub fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
    let done = || -> std::io::Result<()> {
        if let Some(dir) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
            // What nobody else may read lies in folders that nobody else may read.
            let dirs = if mode & 0o077 == 0 { 0o700 } else { 0o777 };
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(dirs)
                .create(dir)?;
        }
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(mode)
            .open(path)?;
        file.write_all(bytes)
    };
    done().map_err(|e| Error::host(format!("cannot write {}", path.display())).caused_by(e))
}

/// A Python of this side, if there is one. Nothing here needs it; playbooks hand it to their commands.
#[must_use]
pub fn python() -> Option<String> {
    static FOUND: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    let find = || {
        let path = env("PATH").unwrap_or_default();
        let mut dirs = path.split(':').filter(|dir| dir.starts_with('/'));
        let found = dirs.find_map(|dir| {
            let file = Path::new(dir).join("python3");
            is_executable(&file).then_some(file)
        });
        found.map(|file| file.display().to_string())
    };
    FOUND.get_or_init(find).clone()
}

/// Random bytes of the kernel.
///
/// # Errors
/// When the kernel gives none.
pub fn random_bytes(count: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; count];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut f| f.read_exact(&mut bytes))
        .map_err(|e| Error::host("cannot read /dev/urandom").caused_by(e))?;
    Ok(bytes)
}

/// Makes a folder and those above it.
///
/// # Errors
/// When it cannot be made.
pub fn make_dir(path: &Path, mode: u32) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir_all(path)
        .and_then(|()| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode | 0o700))
        })
        .map_err(|e| Error::host(format!("cannot make {}", path.display())).caused_by(e))
}

/// Removes a folder of ours with all that is in it, as far as it goes.
pub fn remove_folder(path: &Path) {
    let _ = std::fs::remove_dir_all(path);
}

/// Makes a file to write a report to.
///
/// # Errors
/// When it cannot be made.
pub fn append(path: &Path) -> Result<Box<dyn Write + Send>> {
    let file = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .map_err(|e| Error::host(format!("cannot write {}", path.display())).caused_by(e))?;
    Ok(Box::new(file))
}

/// Lets this process open as many files as the system allows it; most start with a thousand.
pub fn open_many_files() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// The number of this process.
#[must_use]
pub fn process_id() -> u32 {
    std::process::id()
}

/// The name of the user who started this process.
#[must_use]
pub fn login_name() -> String {
    ["LOGNAME", "USER"]
        .iter()
        .find_map(|name| env(name))
        .unwrap_or_else(|| "root".into())
}

/// Opens a file for writing, empty.
///
/// # Errors
/// When it cannot be made.
pub fn create(path: &Path) -> Result<Box<dyn Write + Send>> {
    let file = std::fs::File::create(path)
        .map_err(|e| Error::host(format!("cannot write {}", path.display())).caused_by(e))?;
    Ok(Box::new(std::io::BufWriter::new(file)))
}

/// Whether a path is a symbolic link.
#[must_use]
pub fn is_link(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|m| m.is_symlink())
}

/// Puts a file in place by an atomic rename, for this user only.
///
/// # Errors
/// When it cannot be written.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    let new = PathBuf::from(name);
    write(&new, bytes, 0o600)?;
    std::fs::rename(&new, path)
        .map_err(|e| Error::host(format!("cannot write {}", path.display())).caused_by(e))
}
