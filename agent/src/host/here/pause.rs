//! A pause that the user can cut short or turn into an abort, key by key.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this file is part of the seam"
)]

use super::terminal::TerminalMode;
use super::{monotonic, stdin_is_terminal, stopped};
use crate::error::{Error, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::LocalFlags;
use std::io::Write;
use std::os::fd::AsFd;

/// How a pause ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Paused {
    /// Its time was up.
    TimeUp,
    /// The user typed a line.
    Answer(String),
    /// Ctrl-C, then `C`.
    Continued,
    /// Ctrl-C, then `A`.
    Aborted,
}

/// Waits for the user: a line, a time in seconds that is up, or Ctrl-C and a choice. `None` when there
/// is no terminal; then no time passes.
///
/// # Errors
/// When the terminal cannot be used, or the run is asked to stop.
pub fn pause(prompt: &str, echo: bool, seconds: Option<f64>) -> Result<Option<Paused>> {
    if !stdin_is_terminal() {
        return Ok(None);
    }
    let mode = TerminalMode::without(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG)?;
    let (interrupt, erase) = mode.keys();
    show(prompt)?;
    let mut line = Line {
        typed: Vec::new(),
        echo,
        erase,
    };
    let end = seconds.map(|s| monotonic() + s);
    loop {
        match key(end)? {
            None => return Ok(Some(Paused::TimeUp)),
            Some(b'\r' | b'\n') => {
                show("\n")?;
                let text = String::from_utf8_lossy(&line.typed).into_owned();
                return Ok(Some(Paused::Answer(text)));
            }
            Some(byte) if byte == interrupt => return menu().map(Some),
            Some(byte) => line.take(byte)?,
        }
    }
}

/// What to do after Ctrl-C.
fn menu() -> Result<Paused> {
    show("\nPress 'C' to continue the play or 'A' to abort \n")?;
    loop {
        match key(None)?.map(|k| k.to_ascii_lowercase()) {
            Some(b'c') => return Ok(Paused::Continued),
            Some(b'a') | None => return Ok(Paused::Aborted),
            Some(_) => {}
        }
    }
}

/// What was typed so far.
struct Line {
    typed: Vec<u8>,
    echo: bool,
    erase: u8,
}

impl Line {
    fn take(&mut self, byte: u8) -> Result<()> {
        match byte {
            _ if byte == self.erase || byte == 0x08 || byte == 0x7f => {
                if self.typed.pop().is_some() && self.echo {
                    show("\x08 \x08")?;
                }
            }
            // Ctrl-U: all of it.
            0x15 => {
                while !self.typed.is_empty() {
                    self.take(self.erase)?;
                }
            }
            _ => {
                self.typed.push(byte);
                if self.echo {
                    write(&[byte])?;
                }
            }
        }
        Ok(())
    }
}

/// The next key; nothing when the time is up or the terminal is gone.
fn key(end: Option<f64>) -> Result<Option<u8>> {
    let cannot = |e: nix::errno::Errno| Error::host("cannot read the terminal").caused_by(e);
    loop {
        if stopped() {
            return Err(Error::host("stopped by the user"));
        }
        let left = end.map_or(f64::INFINITY, |end| end - monotonic());
        if left <= 0.0 {
            return Ok(None);
        }
        // Ten times a second the stop flag is looked at; the last wait is as long as it must be.
        let patience = (left.min(0.1) * 1000.0).ceil() as u8;
        let stdin = std::io::stdin();
        let mut fds = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::from(patience)) {
            Ok(0) | Err(nix::errno::Errno::EINTR) => continue,
            Ok(_) => {}
            Err(e) => return Err(cannot(e)),
        }
        let mut byte = [0];
        match nix::unistd::read(stdin.as_fd(), &mut byte) {
            Ok(0) => return Ok(None),
            Ok(_) => return Ok(Some(byte[0])),
            Err(nix::errno::Errno::EINTR | nix::errno::Errno::EAGAIN) => {}
            Err(e) => return Err(cannot(e)),
        }
    }
}

fn show(text: &str) -> Result<()> {
    write(text.as_bytes())
}

fn write(bytes: &[u8]) -> Result<()> {
    let mut out = std::io::stdout();
    out.write_all(bytes)
        .and_then(|()| out.flush())
        .map_err(|e| Error::host("cannot use the terminal").caused_by(e))
}
