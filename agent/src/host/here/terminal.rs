//! What is printed, and what the user types.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this file is part of the seam"
)]

use super::{env, stopped};
use crate::error::{Error, Result};
use nix::sys::termios::{
    LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr,
};
use std::io::{IsTerminal, Write};

/// Whether the user sees standard output on a terminal.
#[must_use]
pub fn stdout_is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Columns of the terminal, if standard output is one (or `COLUMNS` says it).
#[must_use]
pub fn terminal_width() -> Option<usize> {
    if let Some(columns) = env("COLUMNS").and_then(|c| c.parse().ok()) {
        return Some(columns);
    }
    let size = window()?;
    (size.ws_col > 0).then(|| usize::from(size.ws_col))
}

/// How many lines standard output has, if it is a terminal.
#[must_use]
pub fn terminal_height() -> Option<usize> {
    if let Some(lines) = env("LINES").and_then(|c| c.parse().ok()) {
        return Some(lines);
    }
    let size = window()?;
    (size.ws_row > 0).then(|| usize::from(size.ws_row))
}

fn window() -> Option<nix::libc::winsize> {
    let mut size = nix::libc::winsize {
        ws_row: 0,
        ws_col: 0,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: TIOCGWINSZ writes one `winsize`, and `size` is one.
    #[allow(unsafe_code)]
    let done = unsafe { nix::libc::ioctl(1, nix::libc::TIOCGWINSZ, &raw mut size) };
    (done == 0).then_some(size)
}

/// Whether the user can type answers.
#[must_use]
pub fn stdin_is_terminal() -> bool {
    std::io::stdin().is_terminal()
}

/// Asks the user for a line. `None` when there is no terminal.
///
/// # Errors
/// When the terminal cannot be used, or the user asked the run to stop.
pub fn ask(prompt: &str, echo: bool) -> Result<Option<String>> {
    let terminal = |e| Error::host("cannot use the terminal").caused_by(e);
    if !stdin_is_terminal() {
        return Ok(None);
    }
    let mut out = std::io::stdout();
    write!(out, "{prompt}")
        .and_then(|()| out.flush())
        .map_err(terminal)?;
    let hidden = if echo {
        None
    } else {
        Some(TerminalMode::without(LocalFlags::ECHO)?)
    };
    let line = read_line()?;
    if hidden.is_some() {
        writeln!(out).map_err(terminal)?;
    }
    Ok(line)
}

/// Reads a line from the terminal, looking at the stop flag ten times a second.
fn read_line() -> Result<Option<String>> {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::os::fd::AsFd;
    loop {
        if stopped() {
            return Err(Error::host("stopped by the user"));
        }
        let stdin = std::io::stdin();
        let mut fds = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::from(100_u8)) {
            Ok(0) | Err(nix::errno::Errno::EINTR) => {}
            Ok(_) => {
                let mut line = String::new();
                let read = std::io::stdin()
                    .read_line(&mut line)
                    .map_err(|e| Error::host("cannot read the terminal").caused_by(e))?;
                return Ok((read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_string()));
            }
            Err(e) => return Err(Error::host("cannot read the terminal").caused_by(e)),
        }
    }
}

/// A terminal that behaves otherwise (hides what is typed, gives single keys), until this is dropped.
pub(super) struct TerminalMode(Termios);

impl TerminalMode {
    /// Takes these habits from the terminal.
    pub fn without(habits: LocalFlags) -> Result<Self> {
        let failed = |e| Error::host("cannot use the terminal").caused_by(e);
        let before = tcgetattr(std::io::stdin()).map_err(failed)?;
        let mut changed = before.clone();
        changed.local_flags.remove(habits);
        tcsetattr(std::io::stdin(), SetArg::TCSANOW, &changed).map_err(failed)?;
        Ok(Self(before))
    }

    /// The key that interrupts, and the one that erases.
    pub fn keys(&self) -> (u8, u8) {
        let key = |index: SpecialCharacterIndices| self.0.control_chars[index as usize];
        (
            key(SpecialCharacterIndices::VINTR),
            key(SpecialCharacterIndices::VERASE),
        )
    }
}

impl Drop for TerminalMode {
    fn drop(&mut self) {
        // Nothing better can be done when this fails than to leave the terminal as it is.
        let _ = tcsetattr(std::io::stdin(), SetArg::TCSANOW, &self.0);
    }
}

/// Standard output, to be written to in pieces.
#[must_use]
pub fn stdout() -> Box<dyn Write + Send> {
    Box::new(std::io::stdout())
}

/// Standard error.
#[must_use]
pub fn stderr() -> Box<dyn Write + Send> {
    Box::new(std::io::stderr())
}

/// Prints text and a line break. A reader that went away (`| head`) is no error of ours.
pub fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Prints text and a line break to standard error.
pub fn print_error(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Standard input, line by line.
#[must_use]
pub fn stdin() -> Box<dyn std::io::BufRead> {
    Box::new(std::io::stdin().lock())
}
