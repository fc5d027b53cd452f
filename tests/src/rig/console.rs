//! The rig's end of the console: runs commands in a virtual machine with no help from its network.
//! The protocol is told in `tests/rig/console.py`.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Attempt, Failure, Result, ensure, process};

/// The most that goes into one frame.
const FRAME: usize = 64 * 1024;

/// A connection to the guest's console.
pub struct Console {
    port: UnixStream,
    /// What has arrived and is not yet a whole frame.
    pending: Vec<u8>,
}

/// How a command ended.
#[derive(Debug, Default)]
pub struct Output {
    /// Its exit code; negative after a signal, as Python counts.
    pub code: i32,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Output {
    /// The standard output, or an error if the command failed.
    pub fn good(self) -> Result<String> {
        let said = format!("{}{}", self.stdout, self.stderr);
        ensure(
            self.code == 0,
            format_args!("ended with {}:\n{}", self.code, process::tail(&said)),
        )?;
        Ok(self.stdout)
    }
}

impl Console {
    /// Connects to the machine's end of the port.
    pub fn connect(socket: &Path) -> Result<Self> {
        let port = UnixStream::connect(socket).attempt("cannot connect to the console")?;
        port.set_read_timeout(Some(Duration::from_millis(500)))?;
        let pending = Vec::new();
        Ok(Console { port, pending })
    }

    /// Waits until the guest's end is up. `alive` is asked now and then whether that can still happen.
    pub fn wait_for_hello(
        &mut self,
        limit: Duration,
        mut alive: impl FnMut() -> Result<()>,
    ) -> Result<()> {
        let deadline = Instant::now() + limit;
        loop {
            match self.receive()? {
                Some((b'H', _)) => return Ok(()),
                Some(_) => {}
                None => alive()?,
            }
            ensure(
                Instant::now() < deadline,
                format_args!("no console after {limit:?}"),
            )?;
        }
    }

    /// Runs a shell command with standard input `input`; `heard` gets the output as it comes.
    pub fn run(
        &mut self,
        command: &str,
        input: &[u8],
        limit: Duration,
        mut heard: impl FnMut(&[u8]),
    ) -> Result<Output> {
        let deadline = Instant::now() + limit;
        self.send(b'R', command.as_bytes())?;
        for part in input.chunks(FRAME) {
            self.send(b'I', part)?;
        }
        self.send(b'E', b"")?;
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let code = loop {
            match self.receive()? {
                Some((b'O', part)) => {
                    heard(&part);
                    stdout.extend(part);
                }
                Some((b'X', part)) => {
                    heard(&part);
                    stderr.extend(part);
                }
                Some((b'Q', code)) => break String::from_utf8_lossy(&code).parse().unwrap_or(-1),
                Some((b'H', _)) => return Err(Failure::new("the host's console started anew")),
                Some(_) | None => {}
            }
            if Instant::now() > deadline {
                self.kill()?;
                let said = String::from_utf8_lossy(&stdout).into_owned();
                let said = process::tail(&said);
                return Err(Failure::new(format!(
                    "not done after {limit:?}: {command}\n{said}"
                )));
            }
        };
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let (stdout, stderr) = (text(stdout), text(stderr));
        Ok(Output {
            code,
            stdout,
            stderr,
        })
    }

    /// Kills the running command, and reads what it still says: it would pass for the next one's.
    fn kill(&mut self) -> Result<()> {
        self.send(b'K', b"")?;
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            if matches!(self.receive()?, Some((b'Q', _))) {
                break;
            }
        }
        Ok(())
    }

    fn send(&mut self, letter: u8, payload: &[u8]) -> Result<()> {
        let length = u32::try_from(payload.len()).attempt("the frame is too long")?;
        let mut frame = vec![letter];
        frame.extend(length.to_be_bytes());
        frame.extend(payload);
        self.port
            .write_all(&frame)
            .attempt("cannot write to the console")
    }

    /// The next frame, or `None` if none is whole within half a second.
    fn receive(&mut self) -> Result<Option<(u8, Vec<u8>)>> {
        loop {
            if let Some(frame) = take_frame(&mut self.pending) {
                return Ok(Some(frame));
            }
            let mut part = [0; FRAME];
            match self.port.read(&mut part) {
                Ok(0) => return Err(Failure::new("the machine is gone: its console closed")),
                Ok(count) => self.pending.extend(&part[..count]),
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    return Ok(None);
                }
                Err(error) => return Err(error).attempt("cannot read from the console"),
            }
        }
    }
}

fn take_frame(pending: &mut Vec<u8>) -> Option<(u8, Vec<u8>)> {
    let (header, rest) = pending.split_first_chunk::<5>()?;
    let [letter, length @ ..] = *header;
    let length = u32::from_be_bytes(length) as usize;
    let payload = rest.get(..length)?.to_vec();
    pending.drain(..5 + length);
    Some((letter, payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_taken_when_it_is_whole() {
        let mut pending = b"O\0\0\0\x02h".to_vec();
        assert_eq!(take_frame(&mut pending), None);
        pending.extend(b"iQ");
        assert_eq!(take_frame(&mut pending), Some((b'O', b"hi".to_vec())));
        assert_eq!(pending, b"Q");
    }
}
