//! The pipes of a running program: fed and read together, without threads.

use crate::host::Progress;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// Waits until one of the three can be used.
pub(super) fn wait_for(
    out: &Stream<PipeReader>,
    err: &Stream<PipeReader>,
    feed: &Feed<'_>,
    patience: Duration,
) -> std::io::Result<[bool; 3]> {
    let fds: [Option<BorrowedFd<'_>>; 3] = [out.fd(), err.fd(), feed.fd()];
    let mut ready = [false; 3];
    let mut polled = Vec::with_capacity(3);
    for (i, fd) in fds.iter().enumerate() {
        if let Some(fd) = fd {
            let flags = if i == 2 {
                PollFlags::POLLOUT
            } else {
                PollFlags::POLLIN
            };
            polled.push((i, PollFd::new(*fd, flags)));
        }
    }
    let timeout = PollTimeout::try_from(patience).unwrap_or(PollTimeout::from(100_u8));
    let mut list: Vec<PollFd<'_>> = polled.iter().map(|(_, p)| p.clone()).collect();
    match poll(&mut list, timeout) {
        Ok(_) => {}
        Err(Errno::EINTR) => return Ok(ready),
        Err(e) => return Err(e.into()),
    }
    for ((i, _), fd) in polled.iter().zip(&list) {
        ready[*i] = fd.any().unwrap_or(false);
    }
    Ok(ready)
}

/// One output of a program.
pub(super) struct Stream<R> {
    from: Option<R>,
    pub bytes: Vec<u8>,
}

impl<R: Read + AsFd> Stream<R> {
    pub fn new(from: Option<R>) -> Self {
        Self {
            from,
            bytes: Vec::new(),
        }
    }
    pub fn is_closed(&self) -> bool {
        self.from.is_none()
    }
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.from.as_ref().map(AsFd::as_fd)
    }
    pub fn read(&mut self, buffer: &mut [u8], mut take: impl FnMut(&[u8])) -> std::io::Result<()> {
        let Some(from) = &mut self.from else {
            return Ok(());
        };
        match from.read(buffer) {
            Ok(0) => self.from = None,
            Ok(n) => {
                self.bytes.extend_from_slice(&buffer[..n]);
                take(&buffer[..n]);
            }
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
        Ok(())
    }
}

/// What a program gets to read.
pub(super) struct Feed<'a> {
    to: Option<PipeWriter>,
    left: &'a [u8],
}

impl<'a> Feed<'a> {
    pub fn new(to: Option<PipeWriter>, left: &'a [u8]) -> std::io::Result<Self> {
        if let Some(to) = &to {
            // A program that does not read must not keep us from reading what it says.
            fcntl(to, FcntlArg::F_SETFL(OFlag::O_NONBLOCK | OFlag::O_WRONLY))?;
        }
        let mut feed = Self { to, left };
        feed.write();
        Ok(feed)
    }
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.to.as_ref().map(AsFd::as_fd)
    }
    pub fn write(&mut self) {
        let Some(to) = &mut self.to else { return };
        while !self.left.is_empty() {
            match to.write(self.left) {
                Ok(n) => self.left = &self.left[n..],
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => return,
                // It does not want more: its own business.
                Err(_) => self.left = &[],
            }
        }
        self.to = None;
    }
}

/// Output cut into lines that are told as they come.
pub(super) struct Lines<'a> {
    pub progress: Option<&'a dyn Fn(Progress)>,
    pub parts: [Vec<u8>; 2],
}

impl Lines<'_> {
    pub fn take(&mut self, stream: usize, bytes: &[u8]) {
        let Some(progress) = self.progress else {
            return;
        };
        let part = &mut self.parts[stream];
        for byte in bytes {
            if matches!(byte, b'\n' | b'\r') {
                tell(progress, part);
            } else if part.len() < 4096 {
                part.push(*byte);
            }
        }
    }
    pub fn finish(&mut self) {
        if let Some(progress) = self.progress {
            self.parts.iter_mut().for_each(|part| tell(progress, part));
        }
    }
}

fn tell(progress: &dyn Fn(Progress), part: &mut Vec<u8>) {
    let line = String::from_utf8_lossy(part).trim_end().to_owned();
    part.clear();
    if !line.is_empty() {
        progress(Progress::Line(line));
    }
}
