//! URLs fetched into files: resumed where they broke off, verified before they are put in place.
//!
//! What was fetched lies in `.NAME.lks-part` beside the file (or in `tmp_dir`), and
//! `.NAME.lks-part.json` says of which URL and which version of it. A process that was killed leaves
//! both, and the next one goes on from there, if the server still has that version.

use super::credentials::Credentials;
use super::http::{failed, file_path, head, on_runtime, shown};
use super::redirect::send;
use super::write::{NewFile, Placing, old_file};
use super::*;
use crate::host::clock::http_date;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};
use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;

/// Pause before the second attempt; it doubles with each.
const FIRST_PAUSE: f64 = 0.5;
const LONGEST_PAUSE: f64 = 15.0;
/// News of bytes are told this often, in seconds.
const NEWS: f64 = 0.25;

/// Of which URL and version the bytes of a part are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Origin {
    url: String,
    etag: Option<String>,
    last_modified: Option<String>,
    /// The machine's start: after a power failure the file may be longer than what reached the disk.
    boot: String,
    /// Whether the bytes are packed by gzip.
    #[serde(default)]
    packed: bool,
}

impl Origin {
    fn of(url: &str, response: &Response) -> Self {
        let header = |name| response.header(name).map(str::to_owned);
        Self {
            url: url.to_owned(),
            // A weak tag does not promise the same bytes.
            etag: header("etag").filter(|t| !t.starts_with("W/")),
            last_modified: header("last-modified"),
            boot: boot_id(),
            packed: is_packed(response),
        }
    }

    /// What `If-Range` takes, if the server gave anything by which the version is known again.
    fn validator(&self) -> Option<&str> {
        self.etag.as_deref().or(self.last_modified.as_deref())
    }
}

/// Whether a server sent a file packed without being asked to: an object store does, if it was given the
/// file so.
fn is_packed(response: &Response) -> bool {
    let coding = response.header("content-encoding").unwrap_or_default();
    ["gzip", "x-gzip"].contains(&coding.to_ascii_lowercase().as_str())
}

pub(super) fn boot_id() -> String {
    let id = files::read(Path::new("/proc/sys/kernel/random/boot_id"));
    String::from_utf8_lossy(&id.ok().flatten().unwrap_or_default())
        .trim()
        .to_owned()
}

/// A download under way.
struct Fetching<'a> {
    download: &'a Download,
    /// Held from the start: two that fetch the same file would spoil each other's work.
    file: RefCell<Flock<File>>,
    part: PathBuf,
    note: PathBuf,
    client: reqwest::Client,
    /// Bytes of this call, and those that lay there before.
    fetched: Cell<u64>,
    resumed: Cell<u64>,
    host: &'a RealHost,
    credentials: RefCell<Credentials>,
    progress: &'a dyn Fn(Progress),
    told: Cell<f64>,
}

/// How an attempt ended.
enum Attempt {
    Complete(Response),
    NotModified(Response),
    /// Worth another try.
    Broken(Error),
}

impl RealHost {
    pub(super) fn download(
        &self,
        download: &Download,
        progress: &dyn Fn(Progress),
    ) -> Result<Outcome> {
        let at = self.destination(&download.dest)?;
        let old = old_file(&at)?;
        if let Some(source) = file_path(&download.request.url) {
            return self.copy_local(download, &source, &at, old.as_ref());
        }
        let (part, note) = self.part_paths(download, &at)?;
        let fetching = Fetching {
            download,
            file: RefCell::new(open_part(&part)?),
            part: part.clone(),
            note,
            client: self.client(&download.request, false)?,
            fetched: Cell::new(0),
            resumed: Cell::new(0),
            host: self,
            credentials: RefCell::new(Credentials::unasked(&download.request)),
            progress,
            told: Cell::new(0.0),
        };
        let (response, complete) = fetching.run().inspect_err(|_| fetching.tidy())?;
        if !complete {
            fetching.tidy();
            return Ok(fetching.outcome(response, false, None));
        }
        let packed = download.request.decompress && fetching.is_packed(&response);
        if !packed {
            fetching.verify()?;
        }
        let (fetched, resumed) = (fetching.fetched.get(), fetching.resumed.get());
        let note = fetching.note.clone();
        let (replaced, backup) = if packed {
            self.unpack(fetching, &at, old.as_ref())?
        } else {
            self.take_over(fetching, &at, old.as_ref())?
        };
        // The part is there still if its content was the same, or was copied.
        let _ = std::fs::remove_file(note);
        let _ = std::fs::remove_file(part);
        Ok(Outcome::Downloaded {
            response,
            replaced,
            backup,
            fetched,
            resumed,
        })
    }

    fn part_paths(&self, download: &Download, at: &Path) -> Result<(PathBuf, PathBuf)> {
        let dir = match &download.tmp_dir {
            Some(dir) => self.real(dir, true)?,
            None => at.parent().unwrap_or(Path::new("/")).to_owned(),
        };
        let name = at.file_name().unwrap_or_default().to_string_lossy();
        // Room for the suffix within the 255 bytes of a name.
        let name: String = name.chars().take(60).collect();
        let part = dir.join(format!(".{name}.lks-part"));
        let note = dir.join(format!(".{name}.lks-part.json"));
        Ok((part, note))
    }

    /// Puts the fetched file in place: by a rename, or by a copy from another file system.
    fn take_over(
        &self,
        fetching: Fetching<'_>,
        at: &Path,
        old: Option<&std::fs::Metadata>,
    ) -> Result<(bool, Option<PathBuf>)> {
        let download = fetching.download;
        let fetched = NewFile {
            file: fetching.file.into_inner(),
            path: fetching.part,
            // Kept if it cannot be put in place: it may have taken an hour.
            placed: true,
        };
        let dir = at.parent().unwrap_or(Path::new("/"));
        let device = |p: &Path| files::lstat(p).map(|s| s.map(|s| s.device));
        if device(&fetched.path)? == device(dir)? {
            return self.place_if_new(fetched, download, at, old);
        }
        let mut copy = NewFile::beside(at)?;
        let mut from = files::open(&fetched.path)?.ok_or_else(|| no_file(&fetched.path))?;
        std::io::copy(&mut from, &mut *copy.file).map_err(|e| io_error("write", &copy.path, e))?;
        self.place_if_new(copy, download, at, old)
    }

    /// Puts in place what the fetched file unpacks to; its checksum is of that.
    fn unpack(
        &self,
        fetching: Fetching<'_>,
        at: &Path,
        old: Option<&std::fs::Metadata>,
    ) -> Result<(bool, Option<PathBuf>)> {
        let mut copy = NewFile::beside(at)?;
        let from = files::open(&fetching.part)?.ok_or_else(|| no_file(&fetching.part))?;
        let mut from = flate2::read::MultiGzDecoder::new(from);
        let done = std::io::copy(&mut from, &mut *copy.file)
            .map_err(|e| io_error("unpack", &fetching.part, e));
        let done = done.and_then(|_| match &fetching.download.checksum {
            Some((algorithm, want)) => {
                check(&copy.path, *algorithm, want, &fetching.download.request.url)
            }
            None => Ok(()),
        });
        // What does not unpack, or to something else, would not do so the next time either.
        done.inspect_err(|_| fetching.clear())?;
        self.place_if_new(copy, fetching.download, at, old)
    }

    /// Puts a file in place, unless the same is there already.
    fn place_if_new(
        &self,
        new: NewFile,
        download: &Download,
        at: &Path,
        old: Option<&std::fs::Metadata>,
    ) -> Result<(bool, Option<PathBuf>)> {
        if let Some(old) = old
            && old.is_file()
            && files::stat(&new.path)?.is_some_and(|s| s.size == old.len())
            && files::digest(&new.path, Digest::Sha256)? == files::digest(at, Digest::Sha256)?
        {
            self.set_attrs(&download.dest, &download.attrs, true)?;
            return Ok((false, None));
        }
        let placing = Placing {
            attrs: &download.attrs,
            backup: download.backup,
            in_place: download.in_place,
            // A file that is there is not fetched again: it must be whole.
            durable: true,
        };
        Ok((true, self.place(new, at, old, &placing)?))
    }

    fn copy_local(
        &self,
        download: &Download,
        source: &Path,
        at: &Path,
        old: Option<&std::fs::Metadata>,
    ) -> Result<Outcome> {
        let source = self.real(source, true)?;
        let mut copy = NewFile::beside(at)?;
        let mut from = files::open(&source)?.ok_or_else(|| no_file(&source))?;
        let size = std::io::copy(&mut from, &mut *copy.file);
        let size = size.map_err(|e| io_error("write", &copy.path, e))?;
        if let Some((algorithm, want)) = &download.checksum {
            check(&copy.path, *algorithm, want, &download.request.url)?;
        }
        let (replaced, backup) = self.place_if_new(copy, download, at, old)?;
        Ok(Outcome::Downloaded {
            response: Response {
                status: 200,
                reason: "OK".to_owned(),
                url: download.request.url.clone(),
                ..Response::default()
            },
            replaced,
            backup,
            fetched: size,
            resumed: 0,
        })
    }
}

impl Fetching<'_> {
    /// Tries until the whole file is there; whether it is, or the server says that nothing is new.
    fn run(&self) -> Result<(Response, bool)> {
        let mut failures = 0;
        let mut pause = FIRST_PAUSE;
        loop {
            let before = self.fetched.get();
            let error = match on_runtime(async { Ok(self.attempt().await) })?? {
                Attempt::Complete(response) => return Ok((response, true)),
                Attempt::NotModified(response) => return Ok((response, false)),
                Attempt::Broken(error) => error,
            };
            // A line that breaks now and then still gets there: only attempts without gain count.
            if self.fetched.get() > before {
                (failures, pause) = (0, FIRST_PAUSE);
            }
            failures += 1;
            if failures >= self.download.attempts.max(1) || here::stopped() {
                return Err(error);
            }
            let news = format!("{}; trying again in {pause} s", error.message());
            (self.progress)(Progress::Line(news));
            here::sleep(pause);
            pause = (pause * 2.0).min(LONGEST_PAUSE);
        }
    }

    async fn attempt(&self) -> Result<Attempt> {
        let request = &self.download.request;
        let (offset, origin) = self.lying_there();
        let headers = self.headers(offset, origin.as_ref());
        let given = self.credentials.borrow().clone();
        let answer = send(&self.client, request, &given, &headers).await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(e) if e.kind() == ErrorKind::Params => return Err(e),
            // Refused, reset, no such name (yet), no answer: all may pass.
            Err(e) => return Ok(Attempt::Broken(e)),
        };
        let response = head(&answer);
        match response.status {
            206 if continues(&response, offset, origin.as_ref()) => {
                self.receive(answer, response, offset).await
            }
            // An earlier process had fetched all of it, and got no further.
            416 if ended_at(&response, offset) => Ok(Attempt::Complete(Response {
                status: 200,
                reason: "OK".to_owned(),
                ..response
            })),
            206 | 416 => {
                // Not the piece that was asked for: from the start.
                self.start_over()?;
                Ok(Attempt::Broken(status_error(request, &response)))
            }
            200..=299 => {
                self.note_origin(&response)?;
                self.receive(answer, response, 0).await
            }
            304 => Ok(Attempt::NotModified(response)),
            401 => match self.host.credentials_for(request, &response, &given)? {
                Some(asked) => {
                    *self.credentials.borrow_mut() = asked;
                    Box::pin(self.attempt()).await
                }
                None => Err(status_error(request, &response)),
            },
            408 | 425 | 429 | 500..=599 => Ok(Attempt::Broken(status_error(request, &response))),
            _ => Err(status_error(request, &response)),
        }
    }

    /// How much of which version an earlier attempt left.
    fn lying_there(&self) -> (u64, Option<Origin>) {
        let note = files::read(&self.note).ok().flatten().unwrap_or_default();
        let origin: Option<Origin> = serde_json::from_slice(&note).ok();
        let ours = origin.filter(|o| {
            o.url == shown(&self.download.request.url)
                && o.validator().is_some()
                && (o.boot == boot_id() || self.download.checksum.is_some())
        });
        let size = self.file.borrow().metadata().map_or(0, |m| m.len());
        match ours {
            Some(origin) if size > 0 => (size, Some(origin)),
            _ => (0, None),
        }
    }

    fn headers(&self, offset: u64, origin: Option<&Origin>) -> Vec<(String, String)> {
        let mut headers = Vec::new();
        let mut add = |name: &str, value: String| headers.push((name.to_owned(), value));
        if let Some(validator) = origin.and_then(Origin::validator) {
            add("range", format!("bytes={offset}-"));
            add("if-range", validator.to_owned());
        } else if let Some(since) = self.download.if_modified_since {
            add("if-modified-since", http_date(since));
        }
        headers
    }

    /// Forgets what lies there.
    fn start_over(&self) -> Result<()> {
        if_there(std::fs::remove_file(&self.note))
            .map_err(|e| io_error("remove", &self.note, e))?;
        let file = self.file.borrow_mut();
        file.set_len(0)
            .map_err(|e| io_error("write", &self.part, e))
    }

    /// Writes down what the coming bytes are of.
    fn note_origin(&self, response: &Response) -> Result<()> {
        // The part first: a note must never speak of other bytes.
        self.start_over()?;
        let origin = Origin::of(&shown(&self.download.request.url), response);
        let text = serde_json::to_vec(&origin).unwrap_or_default();
        create(&self.note)?
            .write_all(&text)
            .map_err(|e| io_error("write", &self.note, e))
    }

    async fn receive(
        &self,
        mut answer: reqwest::Response,
        response: Response,
        offset: u64,
    ) -> Result<Attempt> {
        let length = answer.content_length();
        let total = length.map(|l| l + offset);
        let write_error = |e| io_error("write", &self.part, e);
        self.file
            .borrow_mut()
            .seek(SeekFrom::Start(offset))
            .map_err(write_error)?;
        if self.fetched.get() == 0 {
            self.resumed.set(offset);
        }
        let mut done = offset;
        loop {
            match answer.chunk().await {
                Ok(Some(piece)) => {
                    let mut file = self.file.borrow_mut();
                    file.write_all(&piece).map_err(write_error)?;
                    drop(file);
                    done += piece.len() as u64;
                    self.fetched.set(self.fetched.get() + piece.len() as u64);
                    self.tell(done, total, false);
                }
                Ok(None) => break,
                Err(e) => return Ok(Attempt::Broken(failed(&self.download.request, e))),
            }
        }
        if total.is_some_and(|t| t != done) {
            let message = format!("the answer ended after {done} bytes");
            return Ok(Attempt::Broken(Error::host(message)));
        }
        self.tell(done, total, true);
        Ok(Attempt::Complete(response))
    }

    fn tell(&self, done: u64, total: Option<u64>, last: bool) {
        let now = here::monotonic();
        if last || now - self.told.get() >= NEWS {
            self.told.set(now);
            (self.progress)(Progress::Bytes { done, total });
        }
    }

    /// Whether what lies there is packed: the answer says so, or said so when it began.
    fn is_packed(&self, response: &Response) -> bool {
        is_packed(response) || self.lying_there().1.is_some_and(|o| o.packed)
    }

    fn verify(&self) -> Result<()> {
        let Some((algorithm, want)) = &self.download.checksum else {
            return Ok(());
        };
        let url = shown(&self.download.request.url);
        check(&self.part, *algorithm, want, &url).inspect_err(|_| self.clear())
    }

    /// Removes what an attempt left.
    fn clear(&self) {
        // What is not there need not be removed; what cannot be is overwritten next time.
        let _ = std::fs::remove_file(&self.note);
        let _ = std::fs::remove_file(&self.part);
    }

    /// Leaves nothing where nothing was fetched.
    fn tidy(&self) {
        if self.lying_there().0 == 0 {
            self.clear();
        }
    }

    fn outcome(&self, response: Response, replaced: bool, backup: Option<PathBuf>) -> Outcome {
        Outcome::Downloaded {
            response,
            replaced,
            backup,
            fetched: self.fetched.get(),
            resumed: self.resumed.get(),
        }
    }
}

/// Whether a partial answer is the rest of what lies there: same place, same version.
fn continues(response: &Response, offset: u64, origin: Option<&Origin>) -> bool {
    let range = response.header("content-range").unwrap_or("");
    let start = range.strip_prefix("bytes ").and_then(|r| r.split_once('-'));
    let start = start.and_then(|(s, _)| s.parse::<u64>().ok());
    let same = match (response.header("etag"), origin) {
        (
            Some(tag),
            Some(Origin {
                etag: Some(old), ..
            }),
        ) => tag == old,
        (_, origin) => origin.is_some(),
    };
    start == Some(offset) && same
}

/// Whether the server has nothing beyond `offset`, of the version that was asked for.
fn ended_at(response: &Response, offset: u64) -> bool {
    let range = response.header("content-range");
    offset > 0 && range == Some(&format!("bytes */{offset}"))
}

pub(super) fn status_error(request: &Request, response: &Response) -> Error {
    Error::host(format!(
        "{} {}: HTTP {} {}",
        request.method,
        shown(&request.url),
        response.status,
        response.reason
    ))
}

fn check(path: &Path, algorithm: Digest, want: &str, url: &str) -> Result<()> {
    let is = files::digest(path, algorithm)?.unwrap_or_default();
    if is.eq_ignore_ascii_case(want.trim()) {
        return Ok(());
    }
    Err(Error::host(format!(
        "the checksum of {url} is {is}, and not {want}"
    )))
}

/// The file that takes the bytes: the one an earlier attempt left, if only this account can have
/// written it, or a new one.
pub(super) fn open_part(path: &Path) -> Result<Flock<File>> {
    let ours = |s: &Stat| s.is_file() && s.uid == files::effective_uid() && s.mode & 0o022 == 0;
    let file = match files::lstat(path)?.filter(ours) {
        Some(_) => std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(nix::libc::O_NOFOLLOW)
            .open(path)
            .map_err(|e| io_error("open", path, e))?,
        None => create(path)?,
    };
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, e)| match e {
        nix::errno::Errno::EWOULDBLOCK => Error::host(format!(
            "another process is fetching into {}",
            path.display()
        )),
        e => io_error("lock", path, e.into()),
    })
}

/// An empty file that only this account may read, whatever was there under this name.
pub(super) fn create(path: &Path) -> Result<File> {
    if_there(std::fs::remove_file(path)).map_err(|e| io_error("remove", path, e))?;
    std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => {
                let dir = path.parent().unwrap_or(path);
                Error::host(format!("no such directory: {}", dir.display()))
            }
            _ => io_error("write", path, e),
        })
}
