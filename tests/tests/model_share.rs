//! Three hosts that share a folder want one model: one fetches it, another takes over when it is killed,
//! and all three know the file for right.
//!
//! A host is a process with namespaces of its own: its name and the identity of its start differ, which is
//! all by which the lease knows hosts apart. The parts that the killed one fetched are taken over, since the
//! digest in the end tells whether they are right. `LKS_MODEL_MIB=2048` makes the model that large.

#![allow(clippy::print_stderr)] // a skipped test says why

use lks_tests::models::{self, Server};
use lks_tests::rig::options::ctl;
use lks_tests::rig::{process, setup};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Seconds of silence after which a holder is taken for dead.
const LEASE: u64 = 12;
const CONNECTIONS: u64 = 4;
const PART: u64 = 4 << 20;

/// A host of its own, over the folders of this machine. When its first process is killed, all are.
const HOST: &str = "
hostname $NAME
mount --bind $BOOT /proc/sys/kernel/random/boot_id
exec $CTL run $PLAY";

struct Share {
    dir: PathBuf,
    server: Server,
    size: u64,
    sum: String,
}

impl Share {
    fn new() -> Self {
        let dir = std::env::temp_dir().join(format!("lks-share-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a folder");
        let mib = std::env::var("LKS_MODEL_MIB").ok();
        let size = mib.map_or(128, |m| m.parse().expect("a number of MiB")) << 20;
        let source = dir.join("source.bin");
        models::make(&source, size).expect("a model");
        let sum = process::run(Command::new("sha256sum").arg(&source)).expect("sha256sum");
        let sum = sum.split(' ').next().unwrap_or_default().to_owned();
        let server = Server::start("127.0.0.1", &source).expect("a server");
        let play = format!(
            "- hosts: all\n  gather_facts: false\n  tasks:\n    - lks.llm.model:\n        src: {}\n        \
             dest: {}/m.bin\n        sha256: {sum}\n        connections: {CONNECTIONS}\n        part_mib: {}\n        lease: {LEASE}\n        \
             verify: full\n      register: m\n    - debug:\n        \
             msg: another={{{{ m.files[0].by_another | default('-') }}}} {{{{ m.files[0].sha256 | default('-') }}}}\n",
            server.url(),
            dir.display(),
            PART >> 20
        );
        std::fs::write(dir.join("play.yml"), play).expect("a playbook");
        Self {
            dir,
            server,
            size,
            sum,
        }
    }

    fn host(&self, name: &str) -> Child {
        let boot = self.dir.join(format!("{name}.boot"));
        let id = format!("00000000-0000-4000-8000-{:0>12}\n", name.len());
        std::fs::write(&boot, id).expect("an identity");
        Command::new("unshare")
            .args(["--mount", "--uts", "--pid", "--fork", "--kill-child"])
            .args(["sh", "-euc", HOST])
            .env("NAME", name)
            .env("BOOT", boot)
            .env("PLAY", self.dir.join("play.yml"))
            .env("CTL", ctl().expect("the binary of lks-ctl"))
            .env_remove("ANSIBLE_CONFIG")
            .env("ANSIBLE_NOCOLOR", "1")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a host starts")
    }

    fn wait_for(&self, sent: u64) {
        let began = Instant::now();
        while self.server.sent() < sent {
            assert!(began.elapsed() < Duration::from_secs(300), "nothing comes");
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn finish(child: Child) -> String {
    let done = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
    assert!(done.status.success(), "{said}");
    said
}

#[test]
fn of_three_hosts_one_fetches_and_another_takes_over_when_its_lease_has_run_out() {
    if let Err(why) = setup::root().and_then(|()| setup::namespaces()) {
        return eprintln!("skipped: {why}");
    }
    let share = Share::new();
    // Slow, until the kill has hit.
    share.server.pause(Duration::from_millis(8));
    let mut first = share.host("a");
    share.wait_for(share.size / 8);
    let others = [share.host("bb"), share.host("ccc")];
    share.wait_for(share.size / 2);
    first.kill().expect("SIGKILL");
    first.wait().expect("it ends");
    let killed = Instant::now();
    let before = share.server.sent();
    share.server.pause(Duration::ZERO);
    // Within the lease nobody else fetches: only what the killed one asked for is still being sent. Half of
    // it, since the lease runs from the holder's last beat, and a busy disk may have held that up.
    std::thread::sleep(Duration::from_secs(LEASE / 2));
    assert!(share.server.sent() - before <= CONNECTIONS * PART);
    let said = others.map(finish);
    let count = |what: &str| said.iter().filter(|text| text.contains(what)).count();
    assert_eq!(count("another=True"), 1, "{said:?}");
    assert_eq!(count("another=False"), 1, "{said:?}");
    assert_eq!(count(&share.sum), 2, "{said:?}");
    let twice = share.server.sent().saturating_sub(share.size);
    assert!(twice <= CONNECTIONS * PART, "{twice} bytes came twice");
    // The one that was killed finds it, and reads all of it.
    let again = finish(share.host("a"));
    assert!(
        again.contains("changed=0") && again.contains(&share.sum),
        "{again}"
    );
    let sent = share.server.sent();
    assert!(sent <= share.size + CONNECTIONS * PART, "{sent}");
    let sent = sent >> 20;
    eprintln!(
        "three hosts, {} MiB: {sent} MiB sent, all there {:.1} s after the kill",
        share.size >> 20,
        killed.elapsed().as_secs_f64()
    );
}
