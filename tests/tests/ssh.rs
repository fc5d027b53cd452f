//! Hosts over SSH: a real `sshd` on this machine, reached under several names.

#![allow(clippy::print_stderr)] // a skipped test says why

use lks_tests::ports::free_port;
use lks_tests::rig::setup;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const SSHD: &str = "/usr/sbin/sshd";

/// A server with keys of its own, that ends with this value.
struct Sshd {
    server: Child,
    dir: PathBuf,
    port: u16,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// A server, or the reason why there can be none.
fn start(name: &str) -> Result<Sshd, String> {
    setup::root()
        .map_err(|_| "only root can start an sshd that becomes other users".to_string())?;
    if !Path::new(SSHD).exists() {
        return Err(format!("{SSHD} is not there (openssh-server)"));
    }
    let dir = std::env::temp_dir().join(format!("lks-ssh-{name}-{}", std::process::id()));
    for folder in ["home", "user/.ssh", "out", "play/files", "play/templates"] {
        std::fs::create_dir_all(dir.join(folder)).expect("folders are made");
    }
    // The server's own folder, which its package makes at boot.
    std::fs::create_dir_all("/run/sshd").expect("/run/sshd is made");
    for key in ["host", "other_host", "key", "other_key"] {
        sh(&format!(
            "ssh-keygen -q -t ed25519 -N '' -C {key} -f {}",
            dir.join(key).display()
        ));
    }
    let port = free_port();
    let at = dir.display();
    let config = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {at}/host\nAuthorizedKeysFile {at}/key.pub\n\
         PidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin yes\nPasswordAuthentication no\n\
         MaxStartups 100\nSetEnv HOME={at}/home\n"
    );
    std::fs::write(dir.join("sshd_config"), config).expect("written");
    let server = Command::new(SSHD)
        .args(["-D", "-e", "-f"])
        .arg(dir.join("sshd_config"))
        .stderr(std::fs::File::create(dir.join("log")).expect("a log"))
        .spawn()
        .expect("sshd starts");
    let sshd = Sshd { server, dir, port };
    let end = Instant::now() + Duration::from_secs(20);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < end, "sshd: {}", sshd.read("log"));
        std::thread::sleep(Duration::from_millis(20));
    }
    sshd.trust("host");
    Ok(sshd)
}

fn sh(script: &str) {
    let done = Command::new("sh")
        .args(["-c", script])
        .output()
        .expect("sh");
    assert!(done.status.success(), "{script}: {done:?}");
}

impl Sshd {
    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("written");
    }

    /// Makes this key the one by which the server is known.
    fn trust(&self, key: &str) {
        let key = self.read(&format!("{key}.pub"));
        let line = format!("[127.0.0.1]:{} {key}", self.port);
        self.write("user/.ssh/known_hosts", &line);
    }

    /// An inventory of these names, each with its variables: of two values the last one counts.
    fn hosts(&self, hosts: &[(&str, &str)]) {
        let key = self.path("key").display().to_string();
        let port = self.port;
        let lines = hosts.iter().map(|(name, vars)| {
            format!(
                "{name} ansible_host=127.0.0.1 ansible_port={port} ansible_user=root \
                 ansible_ssh_private_key_file={key} {vars}\n"
            )
        });
        self.write("play/hosts", &lines.collect::<String>());
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let done = self.command(arguments).output().expect("lks-ctl runs");
        if !done.status.success() {
            eprintln!("{}", text(&done));
        }
        done
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(ctl());
        command
            .args(["run", "-i", "hosts", "site.yml", "--no-color"])
            .args(arguments)
            .current_dir(self.path("play"))
            .env("HOME", self.path("user"))
            .env(
                "LKS_AGENT_BINARY",
                std::env::var_os("LKS_AGENT").unwrap_or(ctl().into()),
            )
            .env_remove("SSH_AUTH_SOCK")
            .stdin(Stdio::null());
        command
    }

    /// Runs a playbook that only pings, and expects that the host is out of reach.
    fn refused(&self, vars: &str, arguments: &[&str], words: &[&str]) {
        self.hosts(&[("web", vars)]);
        self.write("play/site.yml", PING);
        let done = self.run(arguments);
        let text = text(&done);
        assert_eq!(done.status.code(), Some(4), "{text}");
        assert!(text.contains("unreachable=1"), "{text}");
        for word in words {
            assert!(text.contains(word), "`{word}` is not said:\n{text}");
        }
    }

    /// Runs a playbook that only pings, and expects that the host answers.
    fn answers(&self, vars: &str, arguments: &[&str]) {
        self.hosts(&[("web", vars)]);
        self.write("play/site.yml", PING);
        let done = self.run(arguments);
        assert_eq!(
            done.status.code(),
            Some(0),
            "{}\n{}",
            text(&done),
            self.read("log")
        );
    }
}

fn text(done: &Output) -> String {
    let (out, err) = (&done.stdout, &done.stderr);
    format!(
        "{}{}",
        String::from_utf8_lossy(out),
        String::from_utf8_lossy(err)
    )
}

/// The program: named by the environment, or built beside these tests.
fn ctl() -> PathBuf {
    static BUILT: std::sync::Once = std::sync::Once::new();
    if let Some(path) = std::env::var_os("LKS_CTL") {
        return path.into();
    }
    BUILT.call_once(|| {
        let built = lks_tests::cargo::command()
            .args(["build", "-p", "lks-ctl", "--quiet", "--offline"])
            .status();
        assert!(built.is_ok_and(|s| s.success()), "lks-ctl does not build");
    });
    let own = std::env::current_exe().expect("a path");
    own.ancestors()
        .nth(2)
        .expect("target/…/debug")
        .join("lks-ctl")
}

const PING: &str = "
- hosts: all
  gather_facts: false
  tasks:
    - ping:
";

const SITE: &str = "
- hosts: all
  tasks:
    - name: A file of the playbook's side
      copy:
        src: note.txt
        dest: '{{ out }}/{{ inventory_hostname }}.txt'
        mode: '0644'
    - name: A template, with a fact of the host
      template:
        src: page.j2
        dest: '{{ out }}/{{ inventory_hostname }}.html'
    - name: Another user
      command: id -un
      become: true
      become_user: nobody
      register: who
      changed_when: false
    - name: A file of another user
      copy:
        content: mine
        dest: '{{ out }}/{{ inventory_hostname }}.nobody'
      become: true
      become_user: nobody
    - name: Once
      command: touch '{{ out }}/{{ inventory_hostname }}.touched'
      args:
        creates: '{{ out }}/{{ inventory_hostname }}.touched'
    - assert:
        that:
          - who.stdout == 'nobody'
          - ansible_facts.user_id == 'root'
          - ansible_facts.system == 'Linux'
";

macro_rules! server_or_skip {
    ($name:literal) => {
        match start($name) {
            Ok(server) => server,
            Err(why) => return eprintln!("skipped: {why}"),
        }
    };
}

#[test]
fn a_playbook_runs_on_hosts_and_runs_again_without_changes() {
    let sshd = server_or_skip!("play");
    sh(&format!("chmod 777 {}", sshd.path("out").display()));
    sshd.hosts(&[("one", ""), ("two", ""), ("three", "")]);
    sshd.write("play/site.yml", SITE);
    sshd.write("play/files/note.txt", "from the playbook's side\n");
    sshd.write(
        "play/templates/page.j2",
        "{{ inventory_hostname }} is {{ ansible_facts.system }}\n",
    );
    let out = format!("out={}", sshd.path("out").display());
    let first = sshd.run(&["-e", &out]);
    assert_eq!(
        first.status.code(),
        Some(0),
        "{}\n{}",
        text(&first),
        sshd.read("log")
    );
    for host in ["one", "two", "three"] {
        assert_eq!(
            sshd.read(&format!("out/{host}.txt")),
            "from the playbook's side\n"
        );
        assert_eq!(
            sshd.read(&format!("out/{host}.html")),
            format!("{host} is Linux\n")
        );
    }
    sh(&format!(
        "test \"$(stat -c %U {}/one.nobody)\" = nobody",
        sshd.path("out").display()
    ));
    assert_eq!(
        text(&first).matches("changed=4 ").count(),
        3,
        "{}",
        text(&first)
    );
    let second = sshd.run(&["-e", &out]);
    assert_eq!(second.status.code(), Some(0));
    assert_eq!(
        text(&second).matches("changed=0 ").count(),
        3,
        "{}",
        text(&second)
    );
    // The agent lies there once, and no copy for another user stays.
    let agents = std::fs::read_dir(sshd.path("home/.cache/lks")).expect("the agent's folder");
    assert_eq!(agents.count(), 1);
}

/// After a power failure a file may have its name and its size, and nothing in it.
#[test]
fn an_agent_that_was_damaged_on_the_host_is_brought_again() {
    let sshd = server_or_skip!("damaged");
    sshd.answers("", &[]);
    let agent = || {
        let mut found = std::fs::read_dir(sshd.path("home/.cache/lks")).expect("a folder");
        found.next().expect("the agent").expect("an entry").path()
    };
    let whole = std::fs::read(agent()).expect("reads");
    std::fs::write(agent(), vec![0; whole.len()]).expect("written");
    sshd.answers("", &[]);
    assert!(std::fs::read(agent()).expect("reads") == whole);
    // What lies there is used as it is: nothing is written, and one login is all.
    let written = std::fs::metadata(agent()).and_then(|m| m.modified());
    sshd.answers("", &[]);
    let after = std::fs::metadata(agent()).and_then(|m| m.modified());
    assert_eq!(written.expect("a time"), after.expect("a time"));
}

/// Each keyword in each place: `GOOD` leads to the server, `BAD` to a port where nobody listens.
const KEYWORDS: &str = "
- hosts: web
  gather_facts: false
  GOOD
  tasks:
    - ping:
- hosts: web
  gather_facts: false
  roles:
    - { role: r, GOOD, }
    - { role: r, tags: again, BAD, }
  tasks:
    - { block: [ping: ], GOOD, }
    - { block: [ping: ], BAD, }
    - { ping: , GOOD, }
    - { ping: , BAD, }
    - { command: echo, GOOD, notify: [good, bad], }
  handlers:
    - { name: good, ping: , GOOD, }
    - { name: bad, ping: , BAD, }
- hosts: web
  gather_facts: false
  BAD
  tasks:
    - ping:
";

fn keywords(good: &str, bad: &str) -> String {
    let lines = KEYWORDS.lines().map(|line| {
        // In a play they are lines of a block mapping, elsewhere entries between braces.
        let between = if line.contains('{') { ", " } else { "\n  " };
        let put = |words: &str| words.replace("; ", between);
        line.replace("GOOD", &put(good)).replace("BAD", &put(bad))
    });
    lines.map(|line| line.replace(", }", " }") + "\n").collect()
}

#[test]
fn keywords_say_how_to_get_there() {
    let sshd = server_or_skip!("keywords");
    let key = sshd.path("key").display().to_string();
    let way = format!("ansible_host=127.0.0.1 ansible_ssh_private_key_file={key}");
    sshd.write("play/hosts", &format!("web {way}\n"));
    sh(&format!(
        "mkdir -p {}/play/roles/r/tasks",
        sshd.dir.display()
    ));
    sshd.write("play/roles/r/tasks/main.yml", "- ping:\n");
    let good = format!("port: {}; remote_user: root; connection: ssh", sshd.port);
    let site = keywords(&good, &good.replace("root", "nobody_of_this_name"));
    // Whoever is not known there is as unreachable as a port where nobody listens.
    sshd.write("play/site.yml", &site);
    let done = sshd.run(&[]);
    assert_eq!(done.status.code(), Some(4), "{}\n{site}", text(&done));
    assert!(text(&done).contains("ok=2 "), "{}", text(&done));
    sshd.write("play/site.yml", &keywords(&good, &good));
    let done = sshd.run(&[]);
    assert_eq!(done.status.code(), Some(0), "{}", sshd.read("log"));
    assert!(text(&done).contains("ok=11 "), "{}", text(&done));
}

#[test]
fn a_host_that_cannot_be_reached_may_be_ignored() {
    let sshd = server_or_skip!("ignored");
    // The inventory's port would win over the keyword.
    let key = sshd.path("key").display().to_string();
    let way = format!("ansible_host=127.0.0.1 ansible_ssh_private_key_file={key}");
    sshd.write("play/hosts", &format!("web {way} ansible_user=root\n"));
    sh(&format!(
        "mkdir -p {}/play/roles/r/tasks",
        sshd.dir.display()
    ));
    sshd.write("play/roles/r/tasks/main.yml", "- ping:\n");
    let good = format!("port: {}", sshd.port);
    let bad = format!("port: {}; ignore_unreachable: true", free_port());
    sshd.write("play/site.yml", &keywords(&good, &bad));
    let done = sshd.run(&[]);
    let text = text(&done);
    assert_eq!(done.status.code(), Some(0), "{text}");
    for count in ["ok=11 ", "unreachable=0 ", "ignored=5 ", "failed=0 "] {
        assert!(text.contains(count), "{count}\n{text}");
    }
    // Without it, the first of them ends the run.
    let bad = bad.replace("true", "false");
    sshd.write("play/site.yml", &keywords(&good, &bad));
    assert_eq!(sshd.run(&[]).status.code(), Some(4));
}

#[test]
fn a_host_that_is_not_the_one_it_was_is_refused() {
    let sshd = server_or_skip!("keys");
    sshd.trust("other_host");
    sshd.refused(
        "",
        &[],
        &[
            "its key has CHANGED",
            "known_hosts:1",
            "ssh-keygen -R '[127.0.0.1]:",
        ],
    );
    sshd.write("user/.ssh/known_hosts", "");
    sshd.refused(
        "",
        &[],
        &["its key is not known", "SHA256:", "ssh-keyscan -p"],
    );
    sshd.answers(
        "",
        &["--ssh-common-args", "-o StrictHostKeyChecking=accept-new"],
    );
    assert!(
        sshd.read("user/.ssh/known_hosts").contains("ssh-ed25519"),
        "the key is learnt"
    );
    sshd.answers("", &[]);
    sh(&format!(
        "ssh-keygen -q -H -f {}",
        sshd.path("user/.ssh/known_hosts").display()
    ));
    assert!(sshd.read("user/.ssh/known_hosts").starts_with("|1|"));
    sshd.answers("", &[]);
    sshd.trust("other_host");
    sshd.answers("ansible_host_key_checking=false", &[]);
}

#[test]
fn each_way_to_fail_has_its_own_words() {
    let sshd = server_or_skip!("faults");
    let other = format!(
        "ansible_ssh_private_key_file={}",
        sshd.path("other_key").display()
    );
    sshd.refused(
        &other,
        &[],
        &["logging in as root failed", "other_key", "--private-key"],
    );
    let closed = format!("ansible_port={}", free_port());
    sshd.refused(
        &closed,
        &[],
        &["nothing listens on port", "is sshd running there?"],
    );
    sshd.refused(
        "ansible_host=lks.invalid",
        &[],
        &["the name is not known", "ansible_host"],
    );
    let odd = "ansible_ssh_common_args='-o Ciphers=aes128-ctr'";
    sshd.refused(odd, &[], &["`-o Ciphers=aes128-ctr` is not understood"]);
    // Something that listens and says nothing.
    let mute = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = mute.local_addr().expect("an address").port();
    let mute_port = format!("ansible_port={port}");
    sshd.refused(
        &mute_port,
        &["--timeout", "1"],
        &["no answer on port", "within 1 s"],
    );
}

#[test]
fn an_agent_holds_the_key() {
    let sshd = server_or_skip!("agent");
    let socket = sshd.path("agent");
    let mut agent = Command::new("ssh-agent")
        .arg("-D")
        .arg("-a")
        .arg(&socket)
        .stdout(Stdio::null())
        .spawn()
        .expect("ssh-agent starts");
    let end = Instant::now() + Duration::from_secs(20);
    while !socket.exists() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(20));
    }
    let (socket, key) = (socket.display(), sshd.path("key"));
    sh(&format!(
        "SSH_AUTH_SOCK={socket} ssh-add -q {}",
        key.display()
    ));
    sshd.write(
        "play/hosts",
        &format!(
            "web ansible_host=127.0.0.1 ansible_port={} ansible_user=root\n",
            sshd.port
        ),
    );
    sshd.write("play/site.yml", PING);
    let done = sshd
        .command(&[])
        .env("SSH_AUTH_SOCK", socket.to_string())
        .output();
    let _ = agent.kill();
    let _ = agent.wait();
    let done = done.expect("lks-ctl runs");
    assert_eq!(
        done.status.code(),
        Some(0),
        "{}\n{}",
        text(&done),
        sshd.read("log")
    );
}

#[test]
fn the_users_configuration_leads_through_another_host() {
    let sshd = server_or_skip!("config");
    let (at, port) = (sshd.dir.display(), sshd.port);
    sshd.write(
        "user/.ssh/config",
        &format!(
            "Host inner\n  HostName 127.0.0.1\n  ProxyJump outer\nHost outer inner\n  HostName 127.0.0.1\n  \
             Port {port}\n  User root\n  IdentityFile {at}/key\n"
        ),
    );
    sshd.write("play/site.yml", PING);
    sshd.write("play/hosts", "inner\n");
    let done = sshd.run(&[]);
    assert_eq!(
        done.status.code(),
        Some(0),
        "{}\n{}",
        text(&done),
        sshd.read("log")
    );
    let logins = sshd.read("log").matches("Accepted publickey").count();
    assert_eq!(logins, 2, "one on the way, one there: {}", sshd.read("log"));
}
