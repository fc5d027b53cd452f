//! Passwords that the user types: on the terminal itself, also when standard input is a pipe.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this file is part of the seam"
)]

use super::stopped;
use crate::error::{Error, Result};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;

/// Asks for a secret on the terminal that controls this process; without one, reads a line of
/// standard input, as Python's `getpass` does. `None` at the end of the input.
///
/// # Errors
/// When neither can be read, or the user asked to stop.
pub fn ask_password(prompt: &str) -> Result<Option<String>> {
    let terminal = File::options().read(true).write(true).open("/dev/tty");
    let Ok(mut terminal) = terminal else {
        let _ = write!(std::io::stderr(), "{prompt}");
        let line = line(&std::io::stdin(), &mut std::io::stdin().lock());
        let _ = writeln!(std::io::stderr());
        return line;
    };
    let failed = |e| Error::host("cannot use the terminal").caused_by(e);
    write!(terminal, "{prompt}").map_err(failed)?;
    let quiet = Quiet::start(&terminal)?;
    let mut reader = terminal.try_clone().map_err(failed)?;
    let line = line(&terminal, &mut reader);
    drop(quiet);
    writeln!(terminal).map_err(failed)?;
    line
}

/// A line, byte by byte, looking at the stop flag ten times a second.
fn line(ready: &impl AsFd, from: &mut dyn Read) -> Result<Option<String>> {
    let failed = |e: std::io::Error| Error::host("cannot read the terminal").caused_by(e);
    let mut bytes = Vec::new();
    loop {
        if stopped() {
            return Err(Error::host("stopped by the user"));
        }
        let mut fds = [PollFd::new(ready.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::from(100_u8)) {
            Ok(0) | Err(nix::errno::Errno::EINTR) => continue,
            Ok(_) => {}
            Err(e) => return Err(failed(e.into())),
        }
        // What standard input has buffered is not seen by `poll`: so a whole line at once there.
        let mut byte = [0];
        loop {
            match from.read(&mut byte).map_err(failed)? {
                0 if bytes.is_empty() => return Ok(None),
                0 => return Ok(Some(text(&bytes))),
                _ if byte[0] == b'\n' => return Ok(Some(text(&bytes))),
                _ => bytes.push(byte[0]),
            }
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .trim_end_matches('\r')
        .to_owned()
}

/// Keeps what is typed from being shown, until it is dropped.
struct Quiet<'t>(&'t File, Termios);

impl<'t> Quiet<'t> {
    fn start(terminal: &'t File) -> Result<Self> {
        let failed = |e| Error::host("cannot use the terminal").caused_by(e);
        let before = tcgetattr(terminal).map_err(failed)?;
        let mut quiet = before.clone();
        quiet.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(terminal, SetArg::TCSAFLUSH, &quiet).map_err(failed)?;
        Ok(Self(terminal, before))
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        // Nothing better can be done when this fails than to leave the terminal as it is.
        let _ = tcsetattr(self.0, SetArg::TCSANOW, &self.1);
    }
}
