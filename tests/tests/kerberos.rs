//! `use_gssapi` against a real key distribution centre and a server that takes its tickets.

#![allow(clippy::print_stderr)] // a skipped test says why

use lks_tests::fleet::{Running, program};
use lks_tests::ports::free_port;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

const PASSWORD: &str = "a-password";

/// A realm, its server, and a folder for all of it.
struct Realm {
    dir: PathBuf,
    web: String,
    _running: [Running; 2],
}

impl Realm {
    fn start() -> Result<Self, String> {
        for tool in [
            "/usr/sbin/krb5kdc",
            "/usr/sbin/kadmin.local",
            "/usr/bin/kinit",
        ] {
            if !Path::new(tool).exists() {
                return Err(format!("{tool} is not installed"));
            }
        }
        let library = Command::new("/usr/bin/python3")
            .args(["-c", "import gssapi"])
            .output();
        if !library.is_ok_and(|o| o.status.success()) {
            return Err("python3-gssapi is not installed".into());
        }
        let dir = std::env::temp_dir().join(format!("lks-kerberos-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).expect("a folder");
        let (kdc, web) = (free_port(), free_port());
        let at = dir.display();
        let conf = format!(
            "[libdefaults]\ndefault_realm = LKS.TEST\ndns_lookup_kdc = false\nrdns = false\n\
             dns_canonicalize_hostname = false\n[realms]\nLKS.TEST = {{\nkdc = 127.0.0.1:{kdc}\n}}\n"
        );
        let kdc_conf = format!(
            "[kdcdefaults]\nkdc_ports = {kdc}\nkdc_tcp_ports = {kdc}\nkdc_listen = {kdc}\n\
             kdc_tcp_listen = {kdc}\n[realms]\nLKS.TEST = {{\ndatabase_name = {at}/principal\n\
             key_stash_file = {at}/stash\n}}\n"
        );
        std::fs::write(dir.join("krb5.conf"), conf).expect("a file");
        std::fs::write(dir.join("kdc.conf"), kdc_conf).expect("a file");
        let tool = |name: &str, args: &[&str]| {
            let done = in_realm(&dir, name).args(args).output().expect(name);
            assert!(done.status.success(), "{name}: {}", said(&done));
        };
        tool("/usr/sbin/kdb5_util", &["create", "-s", "-P", "master"]);
        let keytab = dir.join("keytab").display().to_string();
        for query in [
            format!("addprinc -pw {PASSWORD} someone"),
            "addprinc -randkey HTTP/localhost".into(),
            format!("ktadd -k {keytab} HTTP/localhost"),
        ] {
            tool("/usr/sbin/kadmin.local", &["-q", &query]);
        }
        let start = |command: &mut Command| {
            let command = command.stdout(Stdio::null()).stderr(Stdio::null());
            Running(command.spawn().expect("starts"))
        };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("rig/negotiate.py");
        let running = [
            start(in_realm(&dir, "/usr/sbin/krb5kdc").arg("-n")),
            start(
                in_realm(&dir, "/usr/bin/python3")
                    .arg(script)
                    .arg(web.to_string())
                    .env("KRB5_KTNAME", &keytab),
            ),
        ];
        let end = Instant::now() + Duration::from_secs(20);
        for port in [kdc, web] {
            while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
                assert!(Instant::now() < end, "nobody listens at {port}");
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        let web = format!("http://localhost:{web}/");
        Ok(Self {
            dir,
            web,
            _running: running,
        })
    }

    fn run(&self, tasks: &str) -> Output {
        let play = format!("- hosts: localhost\n  gather_facts: false\n  tasks:\n{tasks}");
        let play = play
            .replace("URL", &self.web)
            .replace("DIR", &self.dir.display().to_string());
        std::fs::write(self.dir.join("play.yml"), play).expect("a file");
        let mut command = in_realm(&self.dir, &program("lks-ctl").display().to_string());
        let command = command.arg("run").arg(self.dir.join("play.yml"));
        command.output().expect("lks-ctl")
    }
}

impl Drop for Realm {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// A program that goes by the realm's settings, and keeps tickets in its folder. The Python of the
/// system is the one that has the library.
fn in_realm(dir: &Path, program: &str) -> Command {
    let mut command = Command::new(program);
    command
        .env("KRB5_CONFIG", dir.join("krb5.conf"))
        .env("KRB5_KDC_PROFILE", dir.join("kdc.conf"))
        .env("KRB5CCNAME", dir.join("tickets"))
        .env("PATH", "/usr/bin:/bin");
    command
}

fn said(done: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    )
}

#[test]
fn a_server_that_wants_a_ticket_gets_one() {
    let realm = match Realm::start() {
        Ok(realm) => realm,
        Err(why) => return eprintln!("skipped: Kerberos: {why}"),
    };
    // By name and password, the body and all.
    let done = realm.run(
        "    - uri:\n        url: URL\n        method: POST\n        body: hello\n        use_gssapi: true\n\
         \x20       url_username: someone\n        url_password: a-password\n        return_content: true\n\
         \x20     register: answer\n\
         \x20   - assert: {that: \"answer.content == 'POST by someone@LKS.TEST: hello'\"}\n",
    );
    assert!(done.status.success(), "{}", said(&done));

    // Without a ticket, and without the parameter, nobody gets in; the reason is told.
    let bare = "    - uri: {url: URL, use_gssapi: true}\n";
    let done = realm.run(bare);
    assert!(!done.status.success());
    assert!(
        said(&done).contains("no Kerberos ticket for HTTP@localhost"),
        "{}",
        said(&done)
    );
    assert!(said(&done).contains("kinit"), "{}", said(&done));
    let done =
        realm.run("    - uri: {url: URL, url_username: someone, url_password: a-password}\n");
    assert!(said(&done).contains("401"), "{}", said(&done));
    let wrong = "    - uri: {url: URL, use_gssapi: true, url_username: someone, url_password: '{{ it }}'}\n\
                 \x20     vars: {it: not-it}\n";
    let done = realm.run(wrong);
    assert!(!done.status.success());
    assert!(!said(&done).contains("not-it"), "{}", said(&done));

    // With a ticket: both modules and the lookup.
    let sh = format!("echo {PASSWORD} | /usr/bin/kinit someone");
    let done = in_realm(&realm.dir, "/bin/sh").args(["-c", &sh]).output();
    assert!(done.expect("kinit").status.success());
    let done = realm.run(
        "    - uri: {url: URL, use_gssapi: true, return_content: true}\n      register: answer\n\
         \x20   - get_url: {url: URL, dest: DIR/got, use_gssapi: true}\n\
         \x20   - assert:\n        that:\n\
         \x20         - \"answer.content == 'GET by someone@LKS.TEST: '\"\n\
         \x20         - lookup('file', 'DIR/got') == answer.content | trim\n\
         \x20         - lookup('url', 'URL', use_gssapi=true) | trim == answer.content | trim\n",
    );
    assert!(done.status.success(), "{}", said(&done));
}
