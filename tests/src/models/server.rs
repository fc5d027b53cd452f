//! A server of one file, as fast as the kernel sends: ranges, an ETag, connections that are kept. It answers
//! at any path, so that it is a web server (`/m.bin`) and an S3 bucket (`/bucket/m.bin`) alike.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::Duration;

use crate::rig::{Attempt, Result};

/// Sent between two looks at the counter.
const STEP: u64 = 256 << 10;

/// The server; it ends with the process.
pub struct Server {
    /// Where it listens, as `127.0.0.1:PORT`.
    pub address: String,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    sent: AtomicU64,
    requests: AtomicUsize,
    /// Pause after each [`STEP`], in microseconds.
    pause: AtomicU64,
}

impl Server {
    /// Serves `file` on a free port of `ip`.
    pub fn start(ip: &str, file: &Path) -> Result<Self> {
        Self::over(TcpListener::bind((ip, 0)).attempt("no free port")?, file)
    }

    /// Serves `file` to whoever connects there, which may be in another network than this process.
    pub fn over(listener: TcpListener, file: &Path) -> Result<Self> {
        let address = listener.local_addr()?.to_string();
        let counts = Arc::new(Counts::default());
        let (path, shared) = (file.to_owned(), Arc::clone(&counts));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (path, counts) = (path.clone(), Arc::clone(&shared));
                // A client that goes away, or is killed, is nothing to talk about.
                std::thread::spawn(move || serve(stream, path, &counts));
            }
        });
        Ok(Self { address, counts })
    }

    /// The file's URL.
    pub fn url(&self) -> String {
        format!("http://{}/m.bin", self.address)
    }

    /// Bytes of content sent so far.
    pub fn sent(&self) -> u64 {
        self.counts.sent.load(Ordering::SeqCst)
    }

    /// Answered requests for content so far.
    pub fn requests(&self) -> usize {
        self.counts.requests.load(Ordering::SeqCst)
    }

    /// Makes it slower: each connection pauses this long after each quarter of a MiB.
    pub fn pause(&self, pause: Duration) {
        let micros = pause.as_micros() as u64;
        self.counts.pause.store(micros, Ordering::SeqCst);
    }
}

fn serve(mut stream: TcpStream, path: PathBuf, counts: &Counts) -> io::Result<()> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head)? == 0 {
                return Ok(());
            }
        }
        let head = head.to_lowercase();
        let (first, last) = range(&head).unwrap_or((0, u64::MAX));
        let last = last.min(size - 1);
        let length = last + 1 - first;
        let status = match range(&head) {
            Some(_) => format!("206 Partial Content\r\nContent-Range: bytes {first}-{last}/{size}"),
            None => "200 OK".to_owned(),
        };
        let answer = format!(
            "HTTP/1.1 {status}\r\nETag: \"1\"\r\nLast-Modified: Sun, 01 Nov 2026 00:00:00 GMT\r\n\
             Accept-Ranges: bytes\r\nContent-Type: application/octet-stream\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all(answer.as_bytes())?;
        if head.starts_with("head") {
            continue;
        }
        counts.requests.fetch_add(1, Ordering::SeqCst);
        file.seek(SeekFrom::Start(first))?;
        send(&mut file, &mut stream, length, counts)?;
    }
}

fn send(file: &mut File, to: &mut TcpStream, length: u64, counts: &Counts) -> io::Result<()> {
    let mut left = length;
    while left > 0 {
        // From a file to a socket this is sendfile(2): no byte is copied.
        let sent = io::copy(&mut Read::by_ref(file).take(left.min(STEP)), to)?;
        if sent == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        counts.sent.fetch_add(sent, Ordering::SeqCst);
        left -= sent;
        let pause = counts.pause.load(Ordering::SeqCst);
        if pause > 0 {
            sleep(Duration::from_micros(pause));
        }
    }
    Ok(())
}

/// First and last byte that are asked for.
fn range(head: &str) -> Option<(u64, u64)> {
    let range = head.split("range: bytes=").nth(1)?.lines().next()?;
    let (first, last) = range.split_once('-')?;
    Some((first.parse().ok()?, last.trim().parse().unwrap_or(u64::MAX)))
}
