//! What a user types on a terminal while a run waits.

#![allow(clippy::print_stderr)] // a skipped test says why

use lks_tests::rig::options::agent;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// A program on a terminal of its own, which `script(1)` makes.
struct OnTerminal {
    child: Child,
    keys: ChildStdin,
    shown: Receiver<Vec<u8>>,
    text: String,
}

impl OnTerminal {
    fn run(command: &str) -> Self {
        let mut child = Command::new("script")
            .args(["-qefc", command, "/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("script(1) of util-linux is there");
        let (keys, mut out) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (tell, shown) = channel();
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(n @ 1..) = out.read(&mut piece) {
                if tell.send(piece[..n].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self {
            child,
            keys,
            shown,
            text: String::new(),
        }
    }

    /// Waits until the terminal shows this, and types.
    fn when(&mut self, shows: &str, typed: &str) {
        while !self.text.contains(shows) {
            let piece = self.shown.recv_timeout(Duration::from_secs(30));
            let piece = piece.unwrap_or_else(|_| panic!("no `{shows}` in:\n{}", self.text));
            self.text.push_str(&String::from_utf8_lossy(&piece));
        }
        self.keys.write_all(typed.as_bytes()).expect("keys go in");
    }

    /// The end: what was shown, and the exit code.
    fn end(mut self) -> (String, i32) {
        while let Ok(piece) = self.shown.recv_timeout(Duration::from_secs(30)) {
            self.text.push_str(&String::from_utf8_lossy(&piece));
        }
        let status = self.child.wait().expect("it ends");
        (self.text, status.code().unwrap_or(-1))
    }
}

fn playbook(name: &str, pause: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("lks-terminal-{name}-{}.yml", std::process::id()));
    let text = format!(
        "- hosts: localhost\n  gather_facts: false\n  tasks:\n    - pause: {pause}\n      \
         register: answer\n    - debug: msg='got {{{{ answer.user_input }}}}.'\n"
    );
    std::fs::write(&path, text).expect("a playbook is written");
    path
}

fn paused(name: &str, pause: &str) -> OnTerminal {
    let agent = agent().expect("the agent's binary");
    let play = playbook(name, pause);
    OnTerminal::run(&format!("{} run {}", agent.display(), play.display()))
}

#[test]
fn a_pause_takes_a_line_with_its_corrections() {
    let mut run = paused("line", "{prompt: Which one}");
    run.when("Which one:", "onf\x7fe\r");
    let (text, code) = run.end();
    assert!(text.contains("got one.") && code == 0, "{code}: {text}");
}

#[test]
fn what_is_hidden_is_not_shown() {
    let mut run = paused("hidden", "{prompt: Secret, echo: false}");
    run.when("Secret (output is hidden):", "hush\r");
    let (text, _) = run.end();
    let before = text.split("got ").next().unwrap_or_default();
    assert!(
        !before.contains("hush") && text.contains("got hush."),
        "{text}"
    );
}

#[test]
fn an_interrupted_wait_goes_on_or_ends_as_the_user_chooses() {
    let mut run = paused("continue", "{minutes: 5}");
    run.when("'A' = abort)", "\x03");
    run.when("'A' to abort", "xc");
    let (text, code) = run.end();
    assert!(text.contains("got .") && code == 0, "{code}: {text}");

    let mut run = paused("abort", "{minutes: 5}");
    run.when("'A' = abort)", "\x03");
    run.when("'A' to abort", "A");
    let (text, code) = run.end();
    assert!(text.contains("user requested abort!"), "{text}");
    assert_eq!(code, 2);
}
