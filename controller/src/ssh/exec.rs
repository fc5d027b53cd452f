//! A command on a host, talked to by lines.

use super::session::Session;
use lks_agent::engine::seat::Line;
use lks_agent::error::{Error, ErrorKind, Result};
use russh::client::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime;

/// How much of what a command complained about is kept.
const MAX_COMPLAINT: usize = 4096;

/// What a command answered.
#[derive(Debug)]
pub struct Done {
    /// Nothing if it was killed, or the connection ended first.
    pub status: Option<u32>,
    pub output: String,
    pub complaint: String,
}

/// The end of what a command wrote to standard error, for others to look at.
#[derive(Clone, Debug, Default)]
pub struct Complaint(Arc<Mutex<(Vec<u8>, Option<u32>)>>);

impl Complaint {
    /// The text, on one line.
    pub fn text(&self) -> String {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&held.0);
        let lines = text.lines().map(str::trim).filter(|l| !l.is_empty());
        lines.collect::<Vec<_>>().join("; ")
    }

    /// The exit status, once there is one.
    pub fn status(&self) -> Option<u32> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    fn add(&self, bytes: &[u8]) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.0.extend_from_slice(bytes);
        let extra = held.0.len().saturating_sub(MAX_COMPLAINT);
        held.0.drain(..extra);
    }

    fn clear(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .0
            .clear();
    }
}

/// A command that runs.
pub struct Exec {
    read: ChannelReadHalf,
    write: ChannelWriteHalf<Msg>,
    runtime: runtime::Handle,
    /// What came of a line that has not ended yet.
    partial: Vec<u8>,
    lines: VecDeque<String>,
    complaint: Complaint,
    ended: bool,
    /// The connection lives as long as something runs on it.
    _session: Arc<Session>,
}

impl Exec {
    pub(super) fn new(
        channel: Channel<Msg>,
        runtime: runtime::Handle,
        session: Arc<Session>,
    ) -> Self {
        let (read, write) = channel.split();
        Self {
            read,
            write,
            runtime,
            partial: Vec::new(),
            lines: VecDeque::new(),
            complaint: Complaint::default(),
            ended: false,
            _session: session,
        }
    }

    /// What it complains about, now and later.
    pub fn complaint(&self) -> Complaint {
        self.complaint.clone()
    }

    /// Gives it all of its input and waits for its end.
    ///
    /// # Errors
    /// When the connection fails.
    pub fn finish(mut self, input: &[u8]) -> Result<Done, russh::Error> {
        let given = self.runtime.block_on(async {
            self.write.data(input).await?;
            self.write.eof().await
        });
        while !self.ended {
            self.step();
        }
        let status = self.complaint.status();
        // A command that ended by itself said why; that it did not read on is no news.
        if status.is_none() {
            given?;
        }
        Ok(Done {
            status,
            output: self.lines.make_contiguous().join("\n"),
            complaint: self.complaint.text(),
        })
    }

    /// Waits until it says its first line or ends. If it asks for a password in between, it gets
    /// this one, once.
    ///
    /// # Errors
    /// When it asks and there is none, asks again, or ends without a line.
    pub fn begin(&mut self, asks: &dyn Fn(&str) -> bool, mut password: Option<&str>) -> Result<()> {
        let mut sent = false;
        while self.lines.is_empty() && !self.ended {
            self.step();
            if !asks(&self.complaint.text()) {
                continue;
            }
            let text = password.take().ok_or_else(|| {
                let why = if sent { "it is wrong" } else { "there is none" };
                Error::new(
                    ErrorKind::Host,
                    format!("it asks for a password, and {why}"),
                )
            })?;
            self.complaint.clear();
            self.send(text)?;
            sent = true;
        }
        if self.lines.is_empty() {
            return Err(Error::new(ErrorKind::Host, self.complaint.text()));
        }
        Ok(())
    }

    /// Takes one message in.
    fn step(&mut self) {
        match self.runtime.block_on(self.read.wait()) {
            Some(ChannelMsg::Data { data }) => self.take(&data),
            Some(ChannelMsg::ExtendedData { data, .. }) => self.complaint.add(&data),
            Some(ChannelMsg::ExitStatus { exit_status }) => self.set_status(exit_status),
            // As a shell tells of them.
            Some(ChannelMsg::ExitSignal { .. }) => self.set_status(super::KILLED),
            // The host starts no commands: an account for files only.
            Some(ChannelMsg::Failure) => {
                self.complaint.add(b"the host refuses to start commands");
                self.end();
            }
            Some(ChannelMsg::Close) | None => self.end(),
            Some(_) => {}
        }
    }

    fn set_status(&self, status: u32) {
        self.complaint
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .1 = Some(status);
    }

    fn end(&mut self) {
        self.ended = true;
        if !self.partial.is_empty() {
            self.take(b"\n");
        }
    }

    fn take(&mut self, data: &[u8]) {
        let mut rest = data;
        while let Some(at) = rest.iter().position(|b| *b == b'\n') {
            self.partial.extend_from_slice(&rest[..at]);
            let line = std::mem::take(&mut self.partial);
            let line = String::from_utf8_lossy(&line);
            self.lines
                .push_back(line.trim_end_matches('\r').to_string());
            rest = &rest[at + 1..];
        }
        self.partial.extend_from_slice(rest);
    }
}

impl Line for Exec {
    fn send(&mut self, line: &str) -> Result<()> {
        let gone = |e| Error::new(ErrorKind::Unreachable, "the connection is gone").caused_by(e);
        let text = format!("{line}\n").into_bytes();
        self.runtime
            .block_on(self.write.data_bytes(text))
            .map_err(gone)
    }

    fn receive(&mut self) -> Result<Option<String>> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Ok(Some(line));
            }
            if self.ended {
                return Ok(None);
            }
            self.step();
        }
    }
}

impl Drop for Exec {
    fn drop(&mut self) {
        // End of input is the sign to end. It may have ended already.
        let _ = self.runtime.block_on(self.write.eof());
        let _ = self.runtime.block_on(self.write.close());
    }
}
