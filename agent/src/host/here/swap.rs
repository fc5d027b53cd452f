//! A program that puts another one in its own place: tries it, swaps the files, and becomes it.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this file is part of the seam"
)]

use super::durable;
use crate::error::{Error, Result};
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Runs a program to its end, at most so many seconds, and gives the end of what it wrote to `log`.
///
/// # Errors
/// When it does not start, does not end in time, or ends badly: with what it wrote.
pub fn try_program(program: &Path, arguments: &[String], log: &Path, seconds: f64) -> Result<()> {
    let failed = |why: String| {
        let text = std::fs::read(log).unwrap_or_default();
        let tail = String::from_utf8_lossy(&text[text.len().saturating_sub(500)..]).into_owned();
        Error::host(format!("{why}: {}", tail.trim()))
    };
    let cannot =
        |e: std::io::Error| Error::host(format!("cannot start {}", program.display())).caused_by(e);
    let out = File::create(log).map_err(cannot)?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(out.try_clone().map_err(cannot)?)
        .stderr(out)
        // It and what it starts are ended together.
        .process_group(0)
        .spawn()
        .map_err(cannot)?;
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    loop {
        match child.try_wait().map_err(cannot)? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(failed(format!("it ended with {status}"))),
            None if Instant::now() > end => {
                let group = nix::unistd::Pid::from_raw(-(child.id() as i32));
                let _ = nix::sys::signal::kill(group, nix::sys::signal::Signal::SIGKILL);
                let _ = child.wait();
                return Err(failed(format!(
                    "it did not report within {seconds} seconds"
                )));
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// Puts `new` in the place of `current`, which is kept as `previous`. At every moment one of the two is
/// there under its name.
///
/// # Errors
/// When the files cannot be changed.
pub fn swap_program(new: &Path, current: &Path, previous: &Path) -> Result<()> {
    let done = || -> std::io::Result<()> {
        let _ = std::fs::remove_file(previous);
        std::fs::hard_link(current, previous)
    };
    done().map_err(|e| Error::host(format!("cannot keep {}", current.display())).caused_by(e))?;
    durable::rename_folder(new, current)
}

/// Becomes another program, under the same process id. Returns only if that fails.
#[must_use]
pub fn become_program(program: &Path, arguments: &[String]) -> Error {
    let error = Command::new(program).args(arguments).exec();
    Error::host(format!("cannot start {}", program.display())).caused_by(error)
}
