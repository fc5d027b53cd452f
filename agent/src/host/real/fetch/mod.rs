//! Large files: fetched in ranges over several connections, hashed while they come, by one host at a
//! time where several share the folder, and put in place by a rename.
//!
//! Beside the file lie, while it comes, `.NAME.lks-part` (the bytes), `.NAME.lks-map` (which parts of
//! which version are there: [`parts`]) and `.NAME.lks-lease` (who fetches: [`lease`]). A process that was
//! killed leaves them, and the next one fetches only the parts that were under way.

mod flush;
mod follow;
mod lease;
mod parts;
mod stream;

use super::download::open_part;
use super::http::{file_path, shown};
use super::write::{NewFile, Placing, old_file};
use super::*;
use crate::host::{FetchNote, unsigned, weights};
use lease::Lease;
use nix::fcntl::Flock;
use std::fs::File;
use std::io::{Read, Write};

/// A server's lock of a client that died is let go within two minutes (NFSv4's lease is 90 s).
const LOCK_PATIENCE: f64 = 120.0;
/// News of bytes are told this often, in seconds.
const NEWS: f64 = 0.25;

/// The files that lie beside the one that comes.
struct Beside {
    part: PathBuf,
    map: PathBuf,
    lease: PathBuf,
}

impl Beside {
    fn of(at: &Path) -> Self {
        let dir = at.parent().unwrap_or(Path::new("/"));
        let name = at.file_name().unwrap_or_default().to_string_lossy();
        // Room for the suffix within the 255 bytes of a name; blobs are named by 71 characters.
        let name: String = name.chars().take(60).collect();
        let path = |what: &str| dir.join(format!(".{name}.lks-{what}"));
        let (part, map, lease) = (path("part"), path("map"), path("lease"));
        Self { part, map, lease }
    }

    fn clear(&self) {
        // What is not there need not be removed; what cannot be is overwritten next time.
        let _ = std::fs::remove_file(&self.map);
        let _ = std::fs::remove_file(&self.part);
    }
}

impl RealHost {
    pub(super) fn fetch_file(&self, fetch: &Fetch, progress: &dyn Fn(Progress)) -> Result<Outcome> {
        let began = here::monotonic();
        let at = self.destination(&fetch.dest)?;
        let old = old_file(&at)?;
        let beside = Beside::of(&at);
        let lease = Lease::take(&beside.lease, fetch.patience, progress)?;
        let mut fetched = self.fetched_by_another(fetch, &at, progress)?;
        if fetched.is_none() {
            fetched = Some(match file_path(&fetch.request.url) {
                Some(source) => self.stage(fetch, &source, &at, old.as_ref(), progress)?,
                None => self.fetch_parts(fetch, &at, old.as_ref(), &beside, &lease, progress)?,
            });
        }
        self.note(fetch, &at, fetched.as_ref())?;
        drop(lease);
        let mut fetched = fetched.unwrap_or_default();
        fetched.seconds = here::monotonic() - began;
        Ok(Outcome::Fetched(Box::new(fetched)))
    }

    /// What another host put there since it was planned to fetch it, if it is what we want: while it was
    /// waited for, or before. Of a model with many files others have some while we verify one.
    fn fetched_by_another(
        &self,
        fetch: &Fetch,
        at: &Path,
        progress: &dyn Fn(Progress),
    ) -> Result<Option<Fetched>> {
        let Some(stat) = files::stat(at)?.filter(|s| s.size == fetch.size) else {
            return Ok(None);
        };
        // Without a digest, an older version of the same size would pass for the new one.
        if fetch.sha256.is_none() {
            let note = match &fetch.note {
                Some(path) => files::read(&self.real(path, true)?)?,
                None => None,
            };
            let note = FetchNote::read(&note.unwrap_or_default());
            let url = unsigned(&fetch.request.url);
            let is_it =
                note.is_of(stat.size, stat.mtime) && note.is_from(url, fetch.version.as_deref());
            if !is_it {
                return Ok(None);
            }
        }
        progress(Progress::Line(format!("verifying {}", at.display())));
        let sha256 = files::digest(at, Digest::Sha256)?.unwrap_or_default();
        let wanted = fetch.sha256.as_ref().is_none_or(|want| *want == sha256);
        Ok(wanted.then(|| Fetched {
            sha256,
            by_another: true,
            ..Fetched::default()
        }))
    }

    fn fetch_parts(
        &self,
        fetch: &Fetch,
        at: &Path,
        old: Option<&std::fs::Metadata>,
        beside: &Beside,
        lease: &Lease,
        progress: &dyn Fn(Progress),
    ) -> Result<Fetched> {
        let file = open_patiently(&beside.part, progress)?;
        let client = self.client(&fetch.request, false)?;
        let done = stream::run(fetch, &client, &file, beside, progress)?;
        let judged = self.judge(fetch, &beside.part, &done.sha256);
        // What is wrong now would be wrong the next time too.
        judged.inspect_err(|_| beside.clear())?;
        if lease.is_lost() {
            let why = "another host took the fetch over, since this one was silent for too long";
            return Err(Error::host(why));
        }
        // Before its mode and owner are set: after a kill in these seconds it must still be known as ours.
        file.sync_data()
            .map_err(|e| io_error("write", &beside.part, e))?;
        let new = NewFile {
            file,
            path: beside.part.clone(),
            // Kept if it cannot be put in place: it may have taken an hour.
            placed: true,
        };
        self.publish(new, fetch, at, old)?;
        let _ = std::fs::remove_file(&beside.map);
        Ok(done)
    }

    /// Copies a file of this machine (a share, another disk), hashing it as it goes.
    fn stage(
        &self,
        fetch: &Fetch,
        source: &Path,
        at: &Path,
        old: Option<&std::fs::Metadata>,
        progress: &dyn Fn(Progress),
    ) -> Result<Fetched> {
        let source = self.real(source, true)?;
        let mut from = files::open(&source)?.ok_or_else(|| no_file(&source))?;
        let mut new = NewFile::beside(at)?;
        let mut hasher = Hasher::new(Digest::Sha256);
        let mut buffer = vec![0; 1 << 20];
        let (mut done, mut told) = (0, 0.0);
        loop {
            let n = from
                .read(&mut buffer)
                .map_err(|e| io_error("read", &source, e))?;
            if n == 0 {
                break;
            }
            hasher.update(&buffer[..n]);
            new.file
                .write_all(&buffer[..n])
                .map_err(|e| io_error("write", &new.path, e))?;
            done += n as u64;
            if here::stopped() {
                return Err(Error::host("the copy was stopped by the user"));
            }
            if here::monotonic() - told > NEWS {
                told = here::monotonic();
                let total = Some(fetch.size);
                progress(Progress::Bytes { done, total });
            }
        }
        let sha256 = hasher.hex();
        self.judge(fetch, &new.path, &sha256)?;
        self.publish(new, fetch, at, old)?;
        Ok(Fetched {
            sha256,
            fetched: done,
            ..Fetched::default()
        })
    }

    /// Whether the content is what was wanted, and a whole file of weights.
    fn judge(&self, fetch: &Fetch, path: &Path, sha256: &str) -> Result<()> {
        let url = shown(&fetch.request.url);
        if let Some(want) = fetch.sha256.as_ref().filter(|want| *want != sha256) {
            return Err(weights::wrong_digest(&url, sha256, want));
        }
        let mut file = files::open(path)?.ok_or_else(|| no_file(path))?;
        let size = file.metadata().map_or(0, |m| m.len());
        if size != fetch.size {
            let want = fetch.size;
            return Err(Error::host(format!(
                "{url} has {size} bytes, and not {want}"
            )));
        }
        weights::check(&fetch.dest, &mut file, size)
    }

    /// Writes down what the file is, so that the next plan need not read all of it.
    fn note(&self, fetch: &Fetch, at: &Path, fetched: Option<&Fetched>) -> Result<()> {
        let (Some(path), Some(fetched)) = (&fetch.note, fetched) else {
            return Ok(());
        };
        let stat = files::stat(at)?.ok_or_else(|| no_file(at))?;
        let text = FetchNote::of(fetch, &fetched.sha256, stat.mtime).text();
        let effect = Effect::WriteFile {
            path: path.clone(),
            content: Content::Bytes(text.into_bytes()),
            attrs: Attrs::default(),
            backup: false,
            validate: None,
            in_place: false,
        };
        self.write_file(&effect).map(drop)
    }

    fn publish(
        &self,
        new: NewFile,
        fetch: &Fetch,
        at: &Path,
        old: Option<&std::fs::Metadata>,
    ) -> Result<()> {
        let placing = Placing {
            attrs: &fetch.attrs,
            backup: false,
            in_place: false,
            // A file that is there is not fetched again: it must be whole.
            durable: true,
        };
        self.place(new, at, old, &placing).map(drop)
    }
}

/// Opens the part; waits for the lock of a client that died.
fn open_patiently(path: &Path, progress: &dyn Fn(Progress)) -> Result<Flock<File>> {
    let until = here::monotonic() + LOCK_PATIENCE;
    loop {
        match open_part(path) {
            Err(e) if e.message().contains("another process") && here::monotonic() < until => {
                progress(Progress::Line(e.message()));
                here::sleep(1.0);
                if here::stopped() {
                    return Err(e);
                }
            }
            other => return other,
        }
    }
}
