//! The network side: connections that each fetch one part after the other.
//!
//! The first answer decides: a server that gives ranges gets all connections, one that does not sends the
//! whole file over the first. Every answer must be of the version of the first (ETag, else the time of the
//! last change) and of the size that was planned with: a file that changes meanwhile is an error, never
//! a mixture.

use super::super::credentials::Credentials;
use super::super::download::status_error;
use super::super::http::{failed, head, on_runtime, shown};
use super::super::redirect::send;
use super::super::*;
use super::flush::Flusher;
use super::follow::Follower;
use super::parts::Parts;
use super::{Beside, NEWS};
use std::cell::{Cell, RefCell};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::rc::Rc;
use std::time::Duration;

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// Bytes are written in pieces of at least this size: smaller ones are collected, larger ones written as they came.
const PIECE: usize = 256 << 10;

/// A fault: one that may pass, or one that will not.
enum Fault {
    Passing(Error),
    Final(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

/// A fetch under way, shared by its connections.
struct Job {
    fetch: Fetch,
    client: reqwest::Client,
    file: File,
    parts: RefCell<Parts>,
    follower: Follower,
    flusher: Flusher,
    /// Whether the server gives ranges, once its first answer has come.
    ranges: Cell<Option<bool>>,
    fetched: Cell<u64>,
    retries: Cell<u32>,
    fault: RefCell<Option<Error>>,
    news: RefCell<Option<String>>,
    /// Whether what lay there was of another version than the server has now.
    stale: Cell<bool>,
}

/// Fetches what is missing.
pub(super) fn run(
    fetch: &Fetch,
    client: &reqwest::Client,
    file: &File,
    beside: &Beside,
    progress: &dyn Fn(Progress),
) -> Result<Fetched> {
    let failed = |e| io_error("write", &beside.part, e);
    let forget = || if_there(std::fs::remove_file(&beside.map)).map_err(failed);
    // A map of bytes that are elsewhere by now (put in place, or removed) says nothing of these.
    if file.metadata().map_err(failed)?.len() != fetch.size {
        forget()?;
    }
    let parts = Parts::read(fetch, &beside.map);
    // Room for all of it; where nothing is kept, old bytes go, and what told of them goes first.
    if parts.bytes() == 0 {
        forget()?;
        file.set_len(0).map_err(failed)?;
    }
    file.set_len(fetch.size).map_err(failed)?;
    let reader = files::open(&beside.part)?.ok_or_else(|| no_file(&beside.part))?;
    let resumed = parts.bytes();
    let job = Rc::new(Job {
        fetch: fetch.clone(),
        client: client.clone(),
        file: file.try_clone().map_err(failed)?,
        parts: RefCell::new(parts),
        follower: Follower::new(reader),
        flusher: Flusher::new(file.try_clone().map_err(failed)?),
        ranges: Cell::new(None),
        fetched: Cell::new(0),
        retries: Cell::new(0),
        fault: RefCell::new(None),
        news: RefCell::new(None),
        stale: Cell::new(false),
    });
    let reached = job.parts.borrow().reached();
    job.follower.is_there(reached);
    on_runtime(connect(Rc::clone(&job), resumed, progress))?;
    if job.stale.get() {
        forget()?;
        return run(fetch, client, file, beside, progress);
    }
    if let Some(error) = job.fault.take() {
        return Err(error);
    }
    let (fetched, retries) = (job.fetched.get(), job.retries.get());
    let Ok(job) = Rc::try_unwrap(job) else {
        return Err(Error::new(ErrorKind::Internal, "a connection is left over"));
    };
    job.flusher.finish().map_err(failed)?;
    Ok(Fetched {
        sha256: job.follower.finish()?,
        fetched,
        resumed: resumed.min(fetch.size),
        retries,
        ..Fetched::default()
    })
}

/// Runs the connections, and tells how far they are.
async fn connect(job: Rc<Job>, resumed: u64, progress: &dyn Fn(Progress)) -> Result<()> {
    let missing = job.parts.borrow().count();
    let count = (job.fetch.connections.max(1) as usize).min(missing);
    let local = tokio::task::LocalSet::new();
    let work: Vec<_> = (0..count)
        .map(|number| local.spawn_local(worker(Rc::clone(&job), number)))
        .collect();
    let tell = async {
        let mut told = here::monotonic();
        while job.fault.borrow().is_none() && !work.iter().all(|w| w.is_finished()) {
            tokio::time::sleep(Duration::from_millis(10)).await;
            if let Some(line) = job.news.take() {
                progress(Progress::Line(line));
            }
            if here::monotonic() - told >= NEWS {
                told = here::monotonic();
                let done = resumed + job.fetched.get();
                let total = Some(job.fetch.size);
                progress(Progress::Bytes { done, total });
            }
        }
    };
    local.run_until(tell).await;
    // Connections that are still open when one has failed for good end here.
    drop(local);
    Ok(())
}

/// One connection: part after part, the first one alone until it is known whether there are ranges.
async fn worker(job: Rc<Job>, number: usize) {
    while number > 0 && job.ranges.get().is_none() {
        if job.fault.borrow().is_some() || job.has_nothing_left() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    if number > 0 && job.ranges.get() == Some(false) {
        return;
    }
    loop {
        let Some(index) = job.parts.borrow_mut().take() else {
            return;
        };
        if let Err(error) = job.part(index).await {
            job.fault.borrow_mut().get_or_insert(error);
            return;
        }
        if job.ranges.get() == Some(false) {
            return;
        }
    }
}

impl Job {
    fn has_nothing_left(&self) -> bool {
        self.parts.borrow().bytes() == self.fetch.size
    }

    /// Fetches one part, however often the line breaks.
    async fn part(&self, index: usize) -> Result<()> {
        let (start, length) = self.parts.borrow().range(index);
        let mut got = 0;
        let mut failures = 0;
        let mut pause = FIRST_PAUSE;
        loop {
            let before = got;
            let error = match self.attempt(index, start, length, &mut got).await {
                Ok(()) => return Ok(()),
                Err(Fault::Final(error)) => return Err(error),
                Err(Fault::Passing(error)) => error,
            };
            if got > before {
                (failures, pause) = (0, FIRST_PAUSE);
            }
            failures += 1;
            if failures >= self.fetch.attempts.max(1) || here::stopped() {
                return Err(error);
            }
            self.retries.set(self.retries.get() + 1);
            let seconds = pause.as_secs_f64();
            let line = format!("{}; trying again in {seconds} s", error.message());
            *self.news.borrow_mut() = Some(line);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn attempt(
        &self,
        index: usize,
        start: u64,
        length: u64,
        got: &mut u64,
    ) -> Result<(), Fault> {
        let request = &self.fetch.request;
        let from = start + *got;
        let range = format!("bytes={from}-{}", start + length - 1);
        let headers = [("range".to_owned(), range)];
        // Without being asked: each of many ranges would cost a second request.
        let answer = send(&self.client, request, &Credentials::Basic, &headers).await;
        let answer = answer.map_err(|e| match e.kind() {
            ErrorKind::Params => Fault::Final(e),
            _ => Fault::Passing(e),
        })?;
        let response = head(&answer);
        match response.status {
            206 => {
                self.is_as_planned(&response, from)?;
                self.pin(&response)?;
                self.ranges.set(Some(true));
                self.receive(answer, from, got).await?;
                if *got != length {
                    return Err(ended_early(request, *got, length));
                }
                self.complete(index)
            }
            200 if self.ranges.get() != Some(true) => {
                self.pin(&response)?;
                self.ranges.set(Some(false));
                self.receive_whole(answer).await
            }
            200 | 412 | 416 => Err(Fault::Final(self.changed())),
            408 | 425 | 429 | 500..=599 => Err(Fault::Passing(status_error(request, &response))),
            _ => Err(Fault::Final(status_error(request, &response))),
        }
    }

    fn changed(&self) -> Error {
        let url = shown(&self.fetch.request.url);
        Error::host(format!("{url} changed on the server while it was fetched"))
            .hint("run it again: it starts anew with the version that is there now")
    }

    /// Whether a range is the one that was asked for, of a file of the size that was planned with.
    fn is_as_planned(&self, response: &Response, from: u64) -> Result<()> {
        let range = response.header("content-range").unwrap_or_default();
        let (place, total) = range
            .strip_prefix("bytes ")
            .and_then(|r| r.split_once('/'))
            .unwrap_or_default();
        let begins = place.split('-').next().and_then(|s| s.parse().ok()) == Some(from);
        if !begins {
            let url = shown(&self.fetch.request.url);
            let why = format!("{url} sends another range than was asked for: `{range}`");
            return Err(Error::host(why));
        }
        match total.parse::<u64>() {
            Ok(total) if total != self.fetch.size => Err(self.changed()),
            _ => Ok(()),
        }
    }

    /// Holds every answer to the version of the first.
    fn pin(&self, response: &Response) -> Result<()> {
        let header = |name| response.header(name).map(str::to_owned);
        let version = header("etag").or_else(|| header("last-modified"));
        let mut parts = self.parts.borrow_mut();
        if self.ranges.get().is_some() {
            return match parts.version() == version.as_deref() {
                true => Ok(()),
                false => Err(self.changed()),
            };
        }
        if parts.bytes() > 0 && parts.version() != version.as_deref() {
            // What an earlier process left is of an older version: it is forgotten.
            self.stale.set(true);
            return Err(self.changed());
        }
        parts.begin(version)
    }

    /// Writes what comes, from this byte on.
    async fn receive(
        &self,
        mut answer: reqwest::Response,
        from: u64,
        got: &mut u64,
    ) -> Result<(), Fault> {
        let mut at = from;
        let mut small: Vec<u8> = Vec::new();
        loop {
            let next = answer.chunk().await;
            match &next {
                Ok(Some(bytes)) if small.is_empty() && bytes.len() >= PIECE => {
                    self.write(bytes, &mut at, got)?;
                }
                Ok(Some(bytes)) => small.extend_from_slice(bytes),
                _ => {}
            }
            let ended = !matches!(next, Ok(Some(_)));
            if small.len() >= PIECE || ended {
                self.write(&small, &mut at, got)?;
                small.clear();
            }
            match next {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(()),
                Err(e) => return Err(Fault::Passing(failed(&self.fetch.request, e))),
            }
        }
    }

    /// Writes bytes to their place, and never past the end of the file.
    fn write(&self, bytes: &[u8], at: &mut u64, got: &mut u64) -> Result<(), Fault> {
        let room = self.fetch.size.saturating_sub(*at) as usize;
        let bytes = &bytes[..bytes.len().min(room)];
        self.file
            .write_all_at(bytes, *at)
            .map_err(|e| io_error("write", &self.fetch.dest, e))?;
        let count = bytes.len() as u64;
        *at += count;
        *got += count;
        self.fetched.set(self.fetched.get() + count);
        self.flusher.has_written(count);
        Ok(())
    }

    /// The whole file in one answer: a server without ranges. A break means the beginning again.
    async fn receive_whole(&self, answer: reqwest::Response) -> Result<(), Fault> {
        let mut got = 0;
        let done = self.receive(answer, 0, &mut got).await;
        if done.is_err() || got != self.fetch.size {
            self.fetched.set(self.fetched.get() - got);
            self.ranges.set(None);
        }
        done?;
        if got != self.fetch.size {
            return Err(ended_early(&self.fetch.request, got, self.fetch.size));
        }
        let count = self.parts.borrow().count();
        (0..count).try_for_each(|index| self.complete(index))
    }

    fn complete(&self, index: usize) -> Result<(), Fault> {
        let mut parts = self.parts.borrow_mut();
        parts.complete(index)?;
        self.follower.is_there(parts.reached());
        Ok(())
    }
}

fn ended_early(request: &Request, got: u64, want: u64) -> Fault {
    let url = shown(&request.url);
    Fault::Passing(Error::host(format!(
        "{url}: the answer ended after {got} bytes of {want}"
    )))
}
