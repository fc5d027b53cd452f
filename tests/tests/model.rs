//! `lks.llm.model` against a server, for real: killed at many points it fetches no more than the parts
//! that were under way again, and of several processes that want one file one fetches it.

use lks_tests::rig::options::ctl;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const SIZE: u64 = 48 << 20;
const PART: u64 = 1 << 20;
const CONNECTIONS: u64 = 4;
/// What a socket's buffers may hold of a part that its reader never took.
const SLACK: u64 = 8 << 20;

/// The content at a place: no two parts are the same.
fn content(from: u64, length: u64) -> Vec<u8> {
    (from..from + length)
        .map(|i| (i ^ (i >> 11)).wrapping_mul(31) as u8)
        .collect()
}

/// A server of one file that gives ranges, slowly enough to be killed in between; counts what it sent.
struct Server {
    url: String,
    sent: Arc<AtomicU64>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}/m.bin", listener.local_addr().expect("its place"));
        let sent = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&sent);
        // Ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let counter = Arc::clone(&counter);
                std::thread::spawn(move || serve(stream, &counter));
            }
        });
        Self { url, sent }
    }

    fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }
}

fn serve(stream: TcpStream, sent: &AtomicU64) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut stream = stream;
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if reader.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let head = head.to_lowercase();
        let range = head
            .split("range: bytes=")
            .nth(1)
            .and_then(|r| r.lines().next())
            .and_then(|r| r.split_once('-'))
            .and_then(|(a, b)| Some((a.parse::<u64>().ok()?, b.trim().parse::<u64>().ok()?)));
        let (first, last) = range.unwrap_or((0, SIZE - 1));
        let status = if range.is_some() {
            format!("206 Partial Content\r\nContent-Range: bytes {first}-{last}/{SIZE}")
        } else {
            "200 OK".to_owned()
        };
        let length = last + 1 - first;
        write!(
            stream,
            "HTTP/1.1 {status}\r\nETag: \"1\"\r\nContent-Length: {length}\r\n\r\n"
        )
        .ok()?;
        if head.starts_with("head") {
            continue;
        }
        let step = 128 << 10;
        let mut at = first;
        while at <= last {
            let size = step.min(last + 1 - at);
            stream.write_all(&content(at, size)).ok()?;
            sent.fetch_add(size, Ordering::SeqCst);
            at += size;
            std::thread::sleep(Duration::from_millis(8));
        }
    }
}

/// A folder of the test's own, and the playbook in it.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str, url: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("lks-model-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).expect("a folder");
        let play = format!(
            "- hosts: all\n  gather_facts: false\n  tasks:\n    - lks.llm.model:\n        src: {url}\n        \
             dest: {}/m.bin\n        part_mib: 1\n        connections: {CONNECTIONS}\n",
            dir.display()
        );
        std::fs::write(dir.join("play.yml"), play).expect("a playbook");
        Self(dir)
    }

    fn start(&self) -> Child {
        Command::new(ctl().expect("the binary of lks-ctl"))
            .arg("run")
            .arg(self.0.join("play.yml"))
            .env_remove("ANSIBLE_CONFIG")
            .env("ANSIBLE_NOCOLOR", "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("lks-ctl starts")
    }

    fn finish(child: Child) -> String {
        let done = child.wait_with_output().expect("lks-ctl ends");
        let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
        assert!(done.status.success(), "{said}");
        said
    }

    fn is_right(&self) -> bool {
        std::fs::read(self.0.join("m.bin")).expect("the file") == content(0, SIZE)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_kill_costs_no_more_than_the_parts_under_way() {
    let server = Server::start();
    let scratch = Scratch::new("kill", &server.url);
    let mut kills = 0;
    // Ten random points, in order; the seed tells in a failure where they were.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let seed = now.expect("a clock").as_nanos() as u64 | 1;
    let mut state = seed;
    let mut points = [(); 10].map(|()| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % (SIZE * 9 / 10)
    });
    points.sort_unstable();
    for goal in points {
        let mut child = scratch.start();
        while server.sent() < goal && child.try_wait().expect("its state").is_none() {
            std::thread::sleep(Duration::from_millis(2));
        }
        if child.try_wait().expect("its state").is_none() {
            child.kill().expect("SIGKILL");
            kills += 1;
        }
        child.wait().expect("it ends");
        assert!(
            !scratch.0.join("m.bin").exists(),
            "half a file has the name"
        );
    }
    assert!(kills >= 8, "only {kills} kills hit (seed {seed})");
    Scratch::finish(scratch.start());
    assert!(scratch.is_right());
    let again = server.sent().saturating_sub(SIZE);
    let allowed = kills * (CONNECTIONS * PART) + SLACK;
    assert!(
        again <= allowed,
        "{again} bytes came twice, {allowed} may (seed {seed})"
    );
    let before = server.sent();
    let said = Scratch::finish(scratch.start());
    assert!(said.contains("changed=0"), "{said}");
    assert_eq!(
        server.sent(),
        before,
        "a file that is there was fetched again"
    );
}

/// A kill after the rename leaves a map of bytes that have another name by then.
#[test]
fn a_map_whose_bytes_are_gone_counts_for_nothing() {
    let server = Server::start();
    let scratch = Scratch::new("map", &server.url);
    let mut child = scratch.start();
    while server.sent() < SIZE / 2 {
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().expect("SIGKILL");
    child.wait().expect("it ends");
    let map = scratch.0.join(".m.bin.lks-map");
    let parts = std::fs::read_to_string(&map)
        .expect("the map")
        .lines()
        .count();
    assert!(parts > 10, "the map names {parts} parts");
    std::fs::remove_file(scratch.0.join(".m.bin.lks-part")).expect("the bytes");
    Scratch::finish(scratch.start());
    assert!(scratch.is_right());
}

#[test]
fn of_three_processes_one_fetches_and_another_takes_over_when_it_is_killed() {
    let server = Server::start();
    let scratch = Scratch::new("three", &server.url);
    let mut first = scratch.start();
    while server.sent() < SIZE / 4 {
        std::thread::sleep(Duration::from_millis(2));
    }
    let others = [scratch.start(), scratch.start()];
    while server.sent() < SIZE / 2 {
        std::thread::sleep(Duration::from_millis(2));
    }
    first.kill().expect("SIGKILL");
    first.wait().expect("it ends");
    for other in others {
        Scratch::finish(other);
    }
    assert!(scratch.is_right());
    let again = server.sent().saturating_sub(SIZE);
    let allowed = CONNECTIONS * PART + SLACK;
    assert!(again <= allowed, "{again} bytes came twice, {allowed} may");
    let left: Vec<_> = std::fs::read_dir(&scratch.0)
        .expect("the folder")
        .map(|e| e.expect("an entry").file_name())
        .collect();
    assert_eq!(left.len(), 3, "{left:?}");
}
