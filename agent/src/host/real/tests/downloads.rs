use super::server::{Server, answer, range_start};
use super::*;
use crate::host::digest_of;
use std::io::Write;

const SIZE: usize = 300_000;

fn content() -> Vec<u8> {
    (0..SIZE).map(|i| (i % 253) as u8).collect()
}

fn fetch(url: &str) -> Download {
    Download {
        request: Request::new("GET", url),
        dest: "/file".into(),
        checksum: None,
        attrs: Attrs::default(),
        backup: false,
        tmp_dir: None,
        if_modified_since: None,
        attempts: 1,
        in_place: false,
    }
}

fn download(s: &Scratch, download: Download) -> Result<(bool, u64, u64)> {
    match apply(&mut s.host(), Effect::Download(Box::new(download)))? {
        Outcome::Downloaded {
            replaced,
            fetched,
            resumed,
            ..
        } => Ok((replaced, fetched, resumed)),
        other => panic!("{other:?}"),
    }
}

/// Serves the content, the rest of it where a range is asked for; the first answer breaks off.
fn breaking(tag: impl Fn(usize) -> String + Send + 'static) -> Server {
    Server::new(move |request, number| {
        let content = content();
        let tag = tag(number);
        let headers = format!("ETag: {tag}\r\n");
        let same = request.contains(&format!("if-range: {tag}"));
        match range_start(request).filter(|_| same) {
            Some(start) => {
                let range = format!("Content-Range: bytes {start}-{}/{SIZE}\r\n", SIZE - 1);
                let rest = &content[start..];
                answer("206 Partial Content", &(headers + &range), rest, rest.len())
            }
            None if number == 0 => answer("200 OK", &headers, &content[..100_000], SIZE),
            None => answer("200 OK", &headers, &content, SIZE),
        }
    })
}

#[test]
fn a_broken_download_is_resumed_by_the_next_run() {
    let s = Scratch::new();
    let server = breaking(|_| "\"v1\"".into());
    let error = download(&s, fetch(&server.url)).unwrap_err();
    assert!(!error.is_unknown());
    assert_eq!(s.names(""), [".file.lks-part", ".file.lks-part.json"]);
    let (replaced, fetched, resumed) = download(&s, fetch(&server.url)).unwrap();
    assert!(replaced);
    assert_eq!((fetched + resumed) as usize, SIZE);
    assert!(resumed > 0, "{fetched} bytes fetched again");
    assert_eq!(std::fs::read(s.path("file")).unwrap(), content());
    assert_eq!(s.names(""), ["file"]);
    // What is there already is not replaced.
    assert!(!download(&s, fetch(&server.url)).unwrap().0);
}

#[test]
fn a_new_version_is_fetched_from_the_start() {
    let s = Scratch::new();
    let server = breaking(|number| format!("\"v{number}\""));
    let mut wanted = fetch(&server.url);
    wanted.attempts = 3;
    wanted.checksum = Some((Digest::Sha256, digest_of(&content(), Digest::Sha256)));
    download(&s, wanted).unwrap();
    assert_eq!(std::fs::read(s.path("file")).unwrap(), content());
    let requests = server.requests();
    assert!(requests.len() == 2 && requests[1].contains("if-range: \"v0\""));
}

#[test]
fn passing_faults_are_tried_again_and_lasting_ones_are_not() {
    let s = Scratch::new();
    let server = Server::new(|request, number| match number {
        _ if request.contains("/lost") => answer("404 Not Found", "", b"no", 2),
        0 => answer("503 Service Unavailable", "", b"", 0),
        _ => answer("200 OK", "", b"fine", 4),
    });
    let mut wanted = fetch(&server.url);
    wanted.attempts = 2;
    download(&s, wanted).unwrap();
    assert_eq!(s.text("file"), "fine");
    let mut lost = fetch(&server.url.replace("/file", "/lost"));
    lost.attempts = 5;
    let error = download(&s, lost).unwrap_err().message();
    assert!(error.contains("HTTP 404 Not Found"), "{error}");
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn wrong_content_is_thrown_away() {
    let s = Scratch::new();
    s.write("file", "old");
    let server = Server::new(|_, _| answer("200 OK", "ETag: \"1\"\r\n", b"evil", 4));
    let mut wanted = fetch(&server.url);
    wanted.checksum = Some((Digest::Md5, "0".repeat(32)));
    let error = download(&s, wanted).unwrap_err().message();
    assert!(error.contains("checksum"), "{error}");
    assert_eq!((s.text("file").as_str(), s.names("").len()), ("old", 1));
}

#[test]
fn nothing_new_is_nothing_replaced() {
    let s = Scratch::new();
    s.write("file", "old");
    let server = Server::new(|request, _| {
        assert!(request.contains("if-modified-since: sun, 06 nov 1994 08:49:37 gmt"));
        answer("304 Not Modified", "", b"", 0)
    });
    let mut wanted = fetch(&server.url);
    wanted.if_modified_since = Some(784_111_777.0);
    assert_eq!(download(&s, wanted).unwrap(), (false, 0, 0));
    assert_eq!(s.text("file"), "old");
}

#[test]
fn a_local_url_and_another_folder_for_the_part() {
    let s = Scratch::new();
    s.write("source", "local");
    std::fs::create_dir(s.path("tmp")).unwrap();
    let mut wanted = fetch("file:///source");
    wanted.attrs.mode = Some(0o700);
    assert!(download(&s, wanted).unwrap().0);
    assert_eq!(s.text("file"), "local");
    let server = breaking(|_| "\"v1\"".into());
    let mut wanted = fetch(&server.url);
    wanted.tmp_dir = Some("/tmp".into());
    assert!(download(&s, wanted.clone()).is_err());
    assert_eq!(s.names("tmp").len(), 2);
    download(&s, wanted).unwrap();
    assert_eq!((s.names("tmp").len(), s.names("").len()), (0, 3));
    let mode = s.host().stat(Path::new("/file")).unwrap().unwrap().mode;
    assert_eq!(mode, 0o700);
}

#[test]
fn requests_follow_redirects_and_show_credentials_when_asked() {
    let s = Scratch::new();
    let server = Server::new(|request, _| {
        let authorized = request.contains("authorization: basic");
        match () {
            () if request.contains("/file") => answer("302 Found", "Location: /secret\r\n", b"", 0),
            () if authorized => answer("200 OK", "X-A: 1\r\nX-A: 2\r\n", b"hello", 5),
            () => answer(
                "401 Unauthorized",
                "WWW-Authenticate: Basic realm=x\r\n",
                b"",
                0,
            ),
        }
    });
    let mut request = Request::new("GET", &server.url);
    assert_eq!(s.host().fetch(&request).unwrap().status, 401);
    request.user = Some("ann".into());
    request.password = Some(crate::secret::Secret::new("pw".into()));
    let response = s.host().fetch(&request).unwrap();
    assert_eq!(
        (response.status, response.body.as_slice()),
        (200, &b"hello"[..])
    );
    assert!(response.url.ends_with("/secret"));
    assert_eq!(response.header("x-a"), Some("1"));
    request.max_body = 4;
    assert!(s.host().fetch(&request).is_err());
    request.redirects = Redirects::None;
    assert_eq!(s.host().fetch(&request).unwrap().status, 302);
    assert!(s.host().fetch(&Request::new("POST", &server.url)).is_err());
}

#[test]
fn a_server_that_is_not_there_or_says_nothing_is_named() {
    let s = Scratch::new();
    let refused = Request::new("GET", "http://ann:pw@127.0.0.1:9/x");
    let error = s.host().fetch(&refused).unwrap_err().message();
    assert!(
        error.contains("127.0.0.1:9/x") && error.to_lowercase().contains("refused"),
        "{error}"
    );
    assert!(!error.contains("pw"), "{error}");
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut request = Request::new("GET", format!("http://{}/", silent.local_addr().unwrap()));
    request.timeout = std::time::Duration::from_millis(200);
    let error = s.host().fetch(&request).unwrap_err().message();
    assert!(error.contains("timed out"), "{error}");
    assert!(s.host().fetch(&Request::new("GET", "no url")).is_err());
}

#[test]
fn headers_and_methods_change_at_a_redirect_as_ansible_changes_them() {
    let other = Server::new(|_, _| answer("200 OK", "", b"there", 5));
    let to = other.url.clone();
    let server = Server::new(move |request, _| match request.contains("/there") {
        true => answer("200 OK", "", b"there", 5),
        false => {
            let to = if request.contains("/away") {
                &to
            } else {
                "/there"
            };
            let status = if request.contains("307") {
                "307 T"
            } else {
                "302 F"
            };
            answer(status, &format!("Location: {to}\r\n"), b"", 0)
        }
    });
    let ask = |method: &str, path: &str| {
        let mut request = Request::new(method, server.url.replace("/file", path));
        request.redirects = Redirects::All;
        request.headers = vec![
            ("X-Kept".into(), "1".into()),
            ("X-Left".into(), "1".into()),
            ("Authorization".into(), "secret".into()),
        ];
        request.unredirected = vec!["x-left".into()];
        request.body = (method == "POST").then(|| b"body".to_vec());
        RealHost::new().request(&request).unwrap()
    };
    assert_eq!(ask("POST", "/302").body, b"there");
    let seen = server.requests();
    assert!(seen[0].starts_with("post /302") && seen[0].contains("x-left"));
    assert!(seen[1].starts_with("get /there") && !seen[1].contains("content-length"));
    assert!(seen[1].contains("x-kept") && !seen[1].contains("x-left"));
    assert!(seen[1].contains("authorization"), "the same server");
    ask("POST", "/307");
    let seen = server.requests();
    assert!(seen[3].starts_with("post /there") && seen[3].contains("content-length: 4"));
    ask("GET", "/away");
    assert!(other.requests()[0].contains("x-kept"));
    assert!(
        !other.requests()[0].contains("authorization"),
        "another server"
    );
}

#[test]
fn a_file_that_the_server_keeps_packed_is_unpacked_unless_told_otherwise() {
    let packed = {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        out.write_all(&content()).unwrap();
        out.finish().unwrap()
    };
    let body = packed.clone();
    let server = Server::new(move |_, number| {
        let headers = "ETag: \"v1\"\r\nContent-Encoding: gzip\r\n";
        let part = if number == 0 { &body[..100] } else { &body };
        answer("200 OK", headers, part, body.len())
    });
    let s = Scratch::new();
    assert!(download(&s, fetch(&server.url)).is_err(), "broke off");
    let mut whole = fetch(&server.url);
    whole.checksum = Some((Digest::Sha256, digest_of(&content(), Digest::Sha256)));
    assert!(download(&s, whole).unwrap().0);
    assert_eq!(std::fs::read(s.path("file")).unwrap(), content());
    let mut raw = fetch(&server.url);
    raw.request.decompress = false;
    assert!(download(&s, raw).unwrap().0);
    assert_eq!(std::fs::read(s.path("file")).unwrap(), packed);
}
