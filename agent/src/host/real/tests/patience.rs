use super::server::{Server, answer};
use super::*;
use std::time::Instant;

fn patient(url: &str, tries: u32) -> Request {
    let mut request = Request::new("POST", url);
    request.only_reads = true;
    request.patience = Some(Patience {
        tries,
        words: vec!["Throttling".into()],
    });
    request
}

/// Refuses some times, then answers.
fn busy(times: usize, status: &'static str, body: &'static [u8]) -> Server {
    Server::new(move |_, number| match number < times {
        true => answer(status, "", body, body.len()),
        false => answer("200 OK", "", b"well", 4),
    })
}

#[test]
fn a_busy_server_is_asked_again() {
    let s = Scratch::new();
    for (status, body) in [
        ("503 Service Unavailable", &b""[..]),
        ("429 Too Many Requests", b""),
        ("400 Bad Request", b"<Code>Throttling</Code>"),
    ] {
        let server = busy(2, status, body);
        let told = s.host().fetch(&patient(&server.url, 4)).unwrap();
        assert_eq!((told.status, server.requests().len()), (200, 3), "{status}");
    }
}

#[test]
fn patience_has_an_end_and_refusals_are_final() {
    let s = Scratch::new();
    let server = busy(9, "503 Service Unavailable", b"");
    let told = s.host().fetch(&patient(&server.url, 3)).unwrap();
    assert_eq!((told.status, server.requests().len()), (503, 3));
    let server = busy(9, "403 Forbidden", b"no");
    s.host().fetch(&patient(&server.url, 3)).unwrap();
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_server_says_how_long_to_wait() {
    let s = Scratch::new();
    let server = Server::new(|_, number| match number {
        0 => answer("429 Too Many Requests", "Retry-After: 1\r\n", b"", 0),
        _ => answer("200 OK", "", b"", 0),
    });
    let begun = Instant::now();
    s.host().fetch(&patient(&server.url, 3)).unwrap();
    assert!(begun.elapsed().as_secs_f64() >= 1.0);
}

#[test]
fn a_post_must_be_said_to_read() {
    let s = Scratch::new();
    let server = busy(0, "", b"");
    let mut request = patient(&server.url, 1);
    request.only_reads = false;
    assert!(s.host().fetch(&request).is_err());
    assert!(server.requests().is_empty());
}
