//! What this machine can do at best: the bytes over its loopback into nothing, one core's SHA-256 of
//! them, and its disk's taking them in.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use lks_tests::rig::{Attempt, Failure, Result, ensure, process};

use super::Place;

/// Seconds for the whole file.
pub struct Limits {
    loopback: f64,
    sha256: f64,
    disk: f64,
}

impl Limits {
    /// Measures all three.
    pub fn measure(place: &Place) -> Result<Self> {
        let source = place.root.join("source.bin");
        Ok(Self {
            loopback: timed(|| discard(place))?,
            sha256: timed(|| digest(&source).map(drop))?,
            disk: timed(|| copy(&source, &place.root.join("copy.bin")))?,
        })
    }

    /// What they mean for a client that took so long.
    pub fn describe(&self, own: f64) -> String {
        let Self {
            loopback,
            sha256,
            disk,
        } = self;
        let hardest = loopback.max(*sha256).max(*disk);
        format!(
            "limits of this machine: loopback into nothing {loopback:.2} s, SHA-256 on one core {sha256:.2} s, \
             writing with fsync {disk:.2} s; lks reaches {:.0} % of the hardest",
            hardest / own * 100.0
        )
    }
}

/// The best of each: what disturbs a run says nothing of what the machine can do.
pub fn best(all: &[Limits]) -> Limits {
    let of = |pick: fn(&Limits) -> f64| all.iter().map(pick).fold(f64::INFINITY, f64::min);
    Limits {
        loopback: of(|l| l.loopback),
        sha256: of(|l| l.sha256),
        disk: of(|l| l.disk),
    }
}

fn timed(work: impl FnOnce() -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    work()?;
    Ok(start.elapsed().as_secs_f64())
}

/// The file's SHA-256, by the fastest program there is for it.
pub fn digest(file: &Path) -> Result<String> {
    let said = process::run(
        Command::new("openssl")
            .args(["dgst", "-sha256", "-r"])
            .arg(file),
    )?;
    let digest = said.split_whitespace().next().map(str::to_owned);
    digest.ok_or_else(|| Failure::new("openssl gives no digest"))
}

/// Fetches the file over two connections, one for each half, and looks at nothing.
fn discard(place: &Place) -> Result<()> {
    let half = place.size / 2;
    let (address, size) = (place.server.address.as_str(), place.size);
    let one = |first: u64, end: u64| -> Result<()> {
        let mut stream = TcpStream::connect(address)?;
        let range = format!("bytes={first}-{}", end - 1);
        write!(stream, "GET /m.bin HTTP/1.1\r\nRange: {range}\r\n\r\n")?;
        let mut buffer = vec![0; 1 << 20];
        let mut left = end - first;
        while left > 0 {
            let count = stream.read(&mut buffer)?;
            ensure(count > 0, "the server hung up")?;
            // The head of the answer is taken for content: some hundred bytes of gigabytes.
            left = left.saturating_sub(count as u64);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(move || one(half, size));
        one(0, half)?;
        other
            .join()
            .map_err(|_| Failure::new("a reader ended badly"))?
    })
}

/// Writes the file's bytes anew, past the page cache: what the disk takes, whatever the kernel does with the
/// memory in between.
fn copy(source: &Path, to: &Path) -> Result<()> {
    let file = |name: &str, path: &Path| format!("{name}={}", path.display());
    process::run(
        Command::new("dd")
            .args([file("if", source), file("of", to)])
            .args(["bs=16M", "oflag=direct", "conv=fsync", "status=none"]),
    )?;
    std::fs::remove_file(to).attempt("cannot remove the copy")
}
