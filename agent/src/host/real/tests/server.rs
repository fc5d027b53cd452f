//! A server that misbehaves as told.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::sync::{Arc, Mutex};

/// Answers each connection with what a function makes of the request and its number, and closes it.
pub struct Server {
    pub url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub fn new(answer: impl Fn(&str, usize) -> Vec<u8> + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/file", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        // Ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let request = head_of(&mut stream);
                let number = {
                    let mut seen = seen.lock().unwrap();
                    seen.push(request.clone());
                    seen.len() - 1
                };
                let _ = stream.write_all(&answer(&request, number));
                let _ = stream.shutdown(Shutdown::Write);
                // Until the client has closed, or a reset would eat what it has not read.
                let _ = stream.read(&mut [0; 1]);
            }
        });
        Self { url, requests }
    }

    /// The requests so far, in lower case.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn head_of(stream: &mut impl Read) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => break,
        }
    }
    String::from_utf8_lossy(&head).to_lowercase()
}

/// An answer with this status line, headers and body; `Content-Length` speaks of `length` bytes.
pub fn answer(status: &str, headers: &str, body: &[u8], length: usize) -> Vec<u8> {
    let mut text = format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n"
    )
    .into_bytes();
    text.extend_from_slice(body);
    text
}

/// Where the request wants the answer to start.
pub fn range_start(request: &str) -> Option<usize> {
    let range = request.split("range: bytes=").nth(1)?;
    range.split('-').next()?.parse().ok()
}
