use super::server::{Server, answer};
use super::*;
use crate::host::digest_of;
use std::time::{Duration, Instant};

const SIZE: usize = 1_000_000;
const PART: u64 = 100_000;

fn content(version: u8) -> Vec<u8> {
    (0..SIZE).map(|i| (i % 251) as u8 ^ version).collect()
}

fn wanted(url: &str, version: u8) -> Fetch {
    Fetch {
        request: Request::new("GET", url),
        dest: "/models/m.bin".into(),
        size: SIZE as u64,
        sha256: Some(digest_of(&content(version), Digest::Sha256)),
        version: Some("\"1\"".into()),
        note: Some("/models/.m.bin.lks-model".into()),
        attrs: Attrs::default(),
        connections: 4,
        part: PART,
        attempts: 3,
        patience: Duration::from_secs(6),
    }
}

fn fetch(s: &Scratch, fetch: Fetch) -> Result<Fetched> {
    match apply(&mut s.host(), Effect::Fetch(Box::new(fetch)))? {
        Outcome::Fetched(fetched) => Ok(*fetched),
        other => panic!("{other:?}"),
    }
}

fn folder() -> Scratch {
    let s = Scratch::new();
    std::fs::create_dir_all(s.path("models")).unwrap();
    s
}

/// First and last byte that a request asks for.
fn range(request: &str) -> Option<(usize, usize)> {
    let range = request.split("range: bytes=").nth(1)?.lines().next()?;
    let (first, last) = range.split_once('-')?;
    Some((first.parse().ok()?, last.trim().parse().ok()?))
}

/// The range that was asked for, of this version.
fn part(request: &str, version: u8) -> Vec<u8> {
    let (first, last) = range(request).expect("a range is asked for");
    let headers = format!("ETag: \"{version}\"\r\nContent-Range: bytes {first}-{last}/{SIZE}\r\n");
    let body = &content(version)[first..=last];
    answer("206 Partial Content", &headers, body, body.len())
}

#[test]
fn a_file_comes_in_parts_and_is_right() {
    let s = folder();
    let server = Server::new(|request, _| part(request, 1));
    let done = fetch(&s, wanted(&server.url, 1)).unwrap();
    assert_eq!(
        (done.fetched, done.resumed, done.retries),
        (SIZE as u64, 0, 0)
    );
    assert_eq!(done.sha256, digest_of(&content(1), Digest::Sha256));
    assert!(std::fs::read(s.path("models/m.bin")).unwrap() == content(1));
    // Nothing but the file and what is written down of it is left.
    assert_eq!(s.names("models"), [".m.bin.lks-model", "m.bin"]);
    assert_eq!(server.requests().len(), SIZE / PART as usize);
    let note: serde_json::Value = serde_json::from_str(&s.text("models/.m.bin.lks-model")).unwrap();
    assert_eq!(note["sha256"], done.sha256);
}

#[test]
fn parts_that_are_there_are_not_fetched_again() {
    let s = folder();
    let url = {
        let broken = Server::new(|request, number| match number {
            0..6 => part(request, 1),
            _ => answer("403 Forbidden", "", b"", 0),
        });
        assert!(fetch(&s, wanted(&broken.url, 1)).is_err());
        broken.url
    };
    assert!(!s.path("models/m.bin").exists());
    // The map knows the URL: the rest has to come from the same.
    let map = s.text("models/.m.bin.lks-map");
    let whole = Server::new(|request, _| part(request, 1));
    std::fs::write(
        s.path("models/.m.bin.lks-map"),
        // A torn last line counts for nothing.
        format!("{}9", map.replace(&url, &whole.url)),
    )
    .unwrap();
    let done = fetch(&s, wanted(&whole.url, 1)).unwrap();
    let kept = map.lines().count() as u64 - 1;
    assert!(kept >= 3, "{map}");
    assert_eq!(
        (done.resumed, done.fetched),
        (kept * PART, (10 - kept) * PART)
    );
    assert!(std::fs::read(s.path("models/m.bin")).unwrap() == content(1));
}

#[test]
fn a_line_that_breaks_goes_on_where_it_broke() {
    let s = folder();
    let server = Server::new(|request, _| {
        let mut whole = part(request, 1);
        // Each part breaks once.
        if range(request).unwrap().0.is_multiple_of(PART as usize) {
            whole.truncate(whole.len() - 30_000);
        }
        whole
    });
    let done = fetch(&s, wanted(&server.url, 1)).unwrap();
    assert_eq!((done.fetched, done.retries), (SIZE as u64, 10));
}

#[test]
fn a_server_without_ranges_sends_all_of_it_over_one_connection() {
    let s = folder();
    let server = Server::new(|_, _| answer("200 OK", "", &content(1), SIZE));
    let done = fetch(&s, wanted(&server.url, 1)).unwrap();
    assert_eq!(done.fetched, SIZE as u64);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn two_versions_are_never_mixed() {
    let s = folder();
    let server = Server::new(|request, number| part(request, if number < 4 { 1 } else { 2 }));
    let error = fetch(&s, wanted(&server.url, 1)).unwrap_err();
    assert!(error.message().contains("changed on the server"), "{error}");
    // The next run finds the new version, and begins with it.
    let done = fetch(&s, wanted(&server.url, 2)).unwrap();
    assert_eq!((done.resumed, done.fetched), (0, SIZE as u64));
    assert!(std::fs::read(s.path("models/m.bin")).unwrap() == content(2));
}

#[test]
fn a_wrong_digest_leaves_nothing_that_would_be_taken_up_again() {
    let s = folder();
    let server = Server::new(|request, _| part(request, 2));
    let error = fetch(&s, wanted(&server.url, 1)).unwrap_err();
    assert!(error.message().contains("the SHA-256 of"), "{error}");
    assert!(s.names("models").is_empty(), "{:?}", s.names("models"));
}

#[test]
fn a_holder_of_another_machine_is_replaced_when_it_falls_silent() {
    let s = folder();
    let server = Server::new(|request, _| part(request, 1));
    s.write("models/.m.bin.lks-lease", "other 1 another-boot 7\n");
    let mut quick = wanted(&server.url, 1);
    quick.patience = Duration::from_secs(1);
    let began = Instant::now();
    assert!(!fetch(&s, quick).unwrap().by_another);
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_eq!(s.names("models"), [".m.bin.lks-model", "m.bin"]);
}

#[test]
fn a_holder_of_this_machine_that_died_is_replaced_at_once() {
    let s = folder();
    let server = Server::new(|request, _| part(request, 1));
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let lease = format!("here 1 {} 7\n", boot.trim());
    s.write("models/.m.bin.lks-lease", lease);
    let began = Instant::now();
    fetch(&s, wanted(&server.url, 1)).unwrap();
    assert!(began.elapsed() < Duration::from_secs(3));
}

#[test]
fn of_several_that_want_a_file_one_fetches_it() {
    let s = folder();
    let server = Server::new(|request, _| {
        std::thread::sleep(Duration::from_millis(30));
        part(request, 1)
    });
    let url = &server.url;
    let done: Vec<Fetched> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| fetch(&s, wanted(url, 1)).unwrap()))
            .collect();
        all.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert_eq!(done.iter().filter(|d| d.by_another).count(), 2);
    assert_eq!(server.requests().len(), SIZE / PART as usize);
    let right = digest_of(&content(1), Digest::Sha256);
    assert!(done.iter().all(|d| d.sha256 == right));
}

#[test]
fn what_another_put_there_since_the_plan_is_not_fetched_again() {
    let s = folder();
    let server = Server::new(|request, _| part(request, 1));
    let unknown = |version: &str| Fetch {
        sha256: None,
        version: Some(version.into()),
        ..wanted(&server.url, 1)
    };
    for it in [wanted(&server.url, 1), unknown("\"1\"")] {
        let _ = std::fs::remove_file(s.path("models/m.bin"));
        fetch(&s, it.clone()).unwrap();
        let before = server.requests().len();
        // It was planned when nothing was there, and nobody has the lease any more.
        let late = fetch(&s, it).unwrap();
        assert!(late.by_another && late.fetched == 0, "{late:?}");
        assert_eq!(late.sha256, digest_of(&content(1), Digest::Sha256));
        assert_eq!(server.requests().len(), before);
    }
    // Without a digest an older version of the same size is not taken for the new one.
    let newer = Server::new(|request, _| part(request, 2));
    let mut new = unknown("\"2\"");
    new.request = Request::new("GET", &newer.url);
    assert!(!fetch(&s, new).unwrap().by_another);
    assert!(std::fs::read(s.path("models/m.bin")).unwrap() == content(2));
}

#[test]
fn a_file_of_the_machine_is_staged_with_its_digest() {
    let s = folder();
    s.write("share/m.bin", content(1));
    let done = fetch(&s, wanted("file:///share/m.bin", 1)).unwrap();
    assert_eq!(done.fetched, SIZE as u64);
    assert!(std::fs::read(s.path("models/m.bin")).unwrap() == content(1));
}
