//! `playbooks/nat_instance.yml` between three network namespaces: a private host, the NAT instance, and
//! a host outside that knows no way back to the private network.

#![allow(clippy::print_stderr)] // a skipped test says why

use lks_tests::rig::options::ctl;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Runs a shell line; whether it went well, and what it said.
fn sh(line: &str) -> (bool, String) {
    let done = Command::new("sh")
        .args(["-c", line])
        .env("ANSIBLE_NOCOLOR", "1")
        .env_remove("ANSIBLE_CONFIG")
        .output()
        .expect("sh runs");
    let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
    (done.status.success(), said)
}

/// The three namespaces, gone at the end, and a folder for what the NAT instance keeps.
struct Net {
    id: u32,
    dir: PathBuf,
}

impl Net {
    fn new() -> Self {
        let id = std::process::id();
        let dir = std::env::temp_dir().join(format!("lks-nat-{id}"));
        std::fs::create_dir_all(&dir).expect("a folder");
        let net = Self { id, dir };
        for name in ["priv", "out"] {
            net.must(&format!("ip netns add lks{id}{name}"));
        }
        net.boot();
        net
    }

    /// The NAT instance as it is after power-on: links and addresses, and no rules.
    fn boot(&self) {
        let id = self.id;
        let (private, nat, out) = (self.name("priv"), self.name("nat"), self.name("out"));
        // A namespace that was removed takes its ends of the links with it a moment later.
        let gone = |ns: &str, link: String| {
            let there = format!("ip -n {ns} link show {link} >/dev/null 2>&1");
            self.must(&format!(
                "for i in $(seq 100); do {there} || exit 0; sleep 0.1; done; exit 1"
            ));
        };
        gone(&private, format!("p{id}"));
        gone(&out, format!("o{id}"));
        self.must(&format!(
            "ip netns add {nat}
             ip link add p{id} netns {private} type veth peer name n{id} netns {nat}
             ip link add o{id} netns {out} type veth peer name w{id} netns {nat}
             ip -n {private} addr add 10.99.1.2/24 dev p{id}; ip -n {private} link set p{id} up
             ip -n {out} addr add 203.0.113.2/24 dev o{id}; ip -n {out} link set o{id} up
             ip -n {nat} addr add 10.99.1.1/24 dev n{id}; ip -n {nat} link set n{id} up
             ip -n {nat} addr add 203.0.113.1/24 dev w{id}; ip -n {nat} link set w{id} up
             ip -n {nat} route add default via 203.0.113.2
             ip -n {private} route add default via 10.99.1.1"
        ));
    }

    fn name(&self, what: &str) -> String {
        format!("lks{}{what}", self.id)
    }

    fn must(&self, lines: &str) {
        let (well, said) = sh(&format!("set -e\n{lines}"));
        assert!(well, "{lines}\n{said}");
    }

    /// Runs a line in a namespace. Not `ip netns exec`: that hides what /sys is.
    fn within(&self, what: &str, line: &str) -> (bool, String) {
        sh(&format!(
            "nsenter --net=/run/netns/{} {line}",
            self.name(what)
        ))
    }

    /// Whether the private host reaches the outside: a port that is closed answers that it is.
    fn reaches(&self) -> bool {
        let knock = "timeout 2 bash -c '</dev/tcp/203.0.113.2/9'";
        self.within("priv", knock).1.contains("refused")
    }

    fn play(&self) -> String {
        let playbook = Path::new(env!("CARGO_MANIFEST_DIR")).join("../playbooks/nat_instance.yml");
        let line = format!(
            "{} run {} -e '{{nat_private: [10.99.1.0/24], nat_packages: [], \
             nat_rules_file: {dir}/iptables/rules.v4, nat_sysctl_file: {dir}/nat.conf}}'",
            ctl().expect("the binary of lks-ctl").display(),
            playbook.display(),
            dir = self.dir.display()
        );
        let (well, said) = self.within("nat", &line);
        assert!(well, "{said}");
        said
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for name in ["priv", "nat", "out"] {
            sh(&format!("ip netns del {}", self.name(name)));
        }
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

#[test]
fn a_private_host_reaches_the_outside_through_it_and_does_so_after_a_reboot() {
    let needs = "test $(id -u) = 0 || exit; for t in ip nsenter bash iptables iptables-restore sysctl; do \
                 command -v $t || exit; done";
    if !sh(needs).0 {
        return eprintln!("skipped: it needs root, ip, nsenter, bash, sysctl and iptables");
    }
    let net = Net::new();
    assert!(!net.reaches(), "it does so without any NAT");
    net.play();
    assert!(net.reaches(), "it does not");
    let said = net.play();
    assert!(said.contains("changed=0"), "{said}");

    // Rules that somebody added by hand are drift, and are taken back.
    net.within("nat", "iptables -I FORWARD -j DROP");
    assert!(!net.reaches());
    let said = net.play();
    assert!(said.contains("changed=1"), "{said}");
    assert!(net.reaches());

    // A new start of the machine: nothing is left but the files, which boot loads by these programs.
    net.must(&format!("ip netns del {}", net.name("nat")));
    net.boot();
    assert!(!net.reaches());
    let dir = net.dir.display();
    for line in [
        format!("sysctl -q -p {dir}/nat.conf"),
        format!("iptables-restore {dir}/iptables/rules.v4"),
    ] {
        let (well, said) = net.within("nat", &line);
        assert!(well, "{line}: {said}");
    }
    assert!(net.reaches(), "it does not after a reboot");
    let said = net.play();
    assert!(said.contains("changed=0"), "{said}");
}
