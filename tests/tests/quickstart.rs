//! `playbooks/quickstart.yml`, for real: a runtime out of the package index, a model made on the spot,
//! a token over HTTP, a second run that changes nothing, and a tidy end.

use lks_tests::ports::free_port;
use lks_tests::rig::options::ctl;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A folder and a port of the test's own; whatever happens, the server is stopped at the end.
struct Start {
    dir: PathBuf,
    port: u16,
}

impl Start {
    fn new(name: &str) -> Self {
        let name = format!("lks-quickstart-{name}-{}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        let port = free_port();
        Self { dir, port }
    }

    /// Runs the playbook: its exit code, and what it said.
    fn run(&self, more: &[&str]) -> (i32, String) {
        let playbook = Path::new(env!("CARGO_MANIFEST_DIR")).join("../playbooks/quickstart.yml");
        let done = Command::new(ctl().expect("the binary of lks-ctl"))
            .arg("run")
            .arg(playbook)
            .args(["-e", &format!("quickstart_dir={}", self.dir.display())])
            .args(["-e", &format!("quickstart_port={}", self.port)])
            .args(["-e", "{quickstart_model_url: ''}"])
            .args(more)
            .env_remove("ANSIBLE_CONFIG")
            .env("ANSIBLE_NOCOLOR", "1")
            .output()
            .expect("lks-ctl runs");
        let said = [done.stdout, done.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        (done.status.code().unwrap_or(-1), said)
    }

    fn ask(&self, body: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        write!(
            stream,
            "POST /v1/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

impl Drop for Start {
    fn drop(&mut self) {
        self.run(&["-e", "quickstart_state=absent"]);
    }
}

fn changed(said: &str) -> &str {
    let recap = said.lines().find(|l| l.contains("unreachable="));
    let word = recap.and_then(|l| l.split_whitespace().find(|w| w.starts_with("changed=")));
    word.unwrap_or("no recap")
}

#[test]
fn a_model_answers_in_the_first_minutes_and_is_gone_when_it_is_sent_away() {
    let start = Start::new("first");
    let (code, said) = start.run(&["--check"]);
    assert_eq!(code, 0, "{said}");
    assert!(!start.dir.exists(), "check mode touched something");

    let (code, said) = start.run(&[]);
    assert_eq!(code, 0, "{said}");
    let url = format!("http://127.0.0.1:{}", start.port);
    assert!(said.contains(&format!("answers at {url}")), "{said}");
    let answer = start.ask(r#"{"model": "tiny-random", "prompt": "hello", "max_tokens": 3}"#);
    let answer = answer.expect("the server answers");
    assert!(answer.contains(r#""completion_tokens":3"#), "{answer}");

    let (code, said) = start.run(&[]);
    assert_eq!((code, changed(&said)), (0, "changed=0"), "{said}");

    let (code, said) = start.run(&["-e", "quickstart_context=1024"]);
    assert_eq!(code, 0, "{said}");
    let restarted = changed(&said) == "changed=2" && start.ask("{}").is_ok();
    assert!(restarted, "new settings need a new server: {said}");

    let (code, said) = start.run(&["-e", "quickstart_state=absent"]);
    assert_eq!(code, 0, "{said}");
    assert!(!start.dir.exists(), "the folder is still there");
    assert!(start.ask("{}").is_err(), "the server still answers");
    let (_, said) = start.run(&["-e", "quickstart_state=absent"]);
    assert_eq!(changed(&said), "changed=0", "{said}");
}

#[test]
fn a_port_that_is_taken_is_named_before_anything_is_started() {
    let start = Start::new("taken");
    let taken = TcpListener::bind(("127.0.0.1", start.port)).expect("the port");
    let other = std::thread::spawn(move || {
        for stream in taken.incoming().take(1) {
            let mut stream = stream.expect("a connection");
            let _ = stream.read(&mut [0; 4096]);
            let body = r#"{"data": [{"id": "other"}]}"#;
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                body.len()
            );
        }
    });
    let (code, said) = start.run(&[]);
    assert_ne!(code, 0, "{said}");
    assert!(said.contains("choose another port"), "{said}");
    assert!(!start.dir.join("server.pid").exists());
    other.join().expect("the other server");
}
