//! The hosts: network namespaces on a bridge, each with a real `sshd`, a home and a `/mnt` of its own.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lks_tests::rig::namespace::Namespace;
use lks_tests::rig::{Attempt, Failure, Result, ensure, process};

use super::plays::{PAGE, Play};
use super::who::Who;
use crate::work::repeat;

const NETWORK: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/bench/ssh/network.sh"));
const HOST: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/bench/ssh/host.sh"));
const SSHD: &str = "/usr/sbin/sshd";
/// Hosts are to be there within this.
const PATIENCE: Duration = Duration::from_secs(60);

/// All of them; they end with this value.
pub struct Hosts {
    namespace: Namespace,
    count: usize,
    _network: Child,
}

impl Hosts {
    /// Starts so many, and waits until each shows its key.
    pub fn start(count: usize) -> Result<Self> {
        ensure(
            Path::new(SSHD).exists(),
            format_args!("{SSHD} is not there (apt install openssh-server)"),
        )?;
        // The server's own folder, which its package makes at boot.
        fs::create_dir_all("/run/sshd")?;
        let namespace = Namespace::open()?;
        let root = namespace.dir().to_owned();
        for name in ["home", "play"] {
            fs::create_dir_all(root.join(name))?;
        }
        let own = root.join("key");
        key(&own)?;
        for number in 1..=count {
            prepare(&root, number)?;
        }
        fs::write(root.join("network.sh"), NETWORK)?;
        fs::write(root.join("host.sh"), HOST)?;
        let mut network = namespace.command("sh");
        network.arg(root.join("network.sh")).arg(count.to_string());
        network.arg(&root).arg(root.join("host.sh"));
        let network = namespace.serve("network", &mut network)?;
        let hosts = Hosts {
            namespace,
            count,
            _network: network,
        };
        hosts.wait()?;
        fs::write(root.join("play/hosts"), hosts.inventory())?;
        Ok(hosts)
    }

    fn root(&self) -> &Path {
        self.namespace.dir()
    }

    fn host(&self, number: usize) -> PathBuf {
        self.root().join(format!("h{number}"))
    }

    /// Waits until all answer, and writes down their keys.
    fn wait(&self) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        for number in 1..=self.count {
            let open = format!("exec 3<>/dev/tcp/{}/22", address(number));
            while process::run(self.namespace.command("bash").args(["-c", &open])).is_err() {
                let log = fs::read_to_string(self.host(number).join("log")).unwrap_or_default();
                let network = self.namespace.log("network");
                ensure(
                    Instant::now() < end,
                    format_args!("h{number}: {log}{network}"),
                )?;
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        let known: Result<String> = (1..=self.count)
            .map(|number| {
                let key = fs::read_to_string(self.host(number).join("host_key.pub"))?;
                Ok(format!("{} {key}", address(number)))
            })
            .collect();
        fs::write(self.root().join("known_hosts"), known?).attempt("cannot write known_hosts")
    }

    /// The same inventory for both tools.
    fn inventory(&self) -> String {
        let (key, known) = (self.root().join("key"), self.root().join("known_hosts"));
        let hosts = (1..=self.count).map(|n| format!("h{n} ansible_host={}\n", address(n)));
        format!(
            "{}[all:vars]\nansible_user=root\nansible_ssh_private_key_file={}\n\
             ansible_ssh_common_args=-o UserKnownHostsFile={}\n",
            hosts.collect::<String>(),
            key.display(),
            known.display()
        )
    }

    /// Writes a play's files.
    pub fn stage(&self, play: &Play) -> Result<()> {
        let folder = self.root().join("play");
        fs::write(folder.join("page.j2"), PAGE)?;
        fs::write(folder.join(format!("{}.yml", play.id)), repeat(play.text))?;
        Ok(())
    }

    /// Runs a play on all hosts at once; an error has the end of what the tool said.
    pub fn run(&self, who: &Who, play: &Play) -> Result<()> {
        let (program, words) = who
            .words
            .split_first()
            .ok_or_else(|| Failure::new("no program"))?;
        // To a file: the masters of connections that stay open would hold a pipe.
        let log = self.root().join("log");
        let output = fs::File::create(&log)?;
        let mut command = self.namespace.command("env");
        command
            .arg("-C")
            .arg(self.root().join("play"))
            .arg(program)
            .args(words)
            .args(["-i", "hosts", "--forks", &self.count.to_string()])
            .arg(format!("{}.yml", play.id))
            .env_clear()
            .env(
                "PATH",
                "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            )
            .env("LANG", "C.UTF-8")
            .env("HOME", self.root().join("home"))
            .envs(who.environment.iter().map(|(name, value)| (*name, value)))
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        let status = command.status().attempt(program)?;
        let said = || fs::read_to_string(&log).unwrap_or_default();
        ensure(
            status.success(),
            format_args!("{}: {status}\n{}", who.name, process::tail(&said())),
        )
    }

    /// Looks at each host's `/mnt`.
    pub fn each(&self, look: impl Fn(usize, &Path) -> Result<()>) -> Result<()> {
        (1..=self.count).try_for_each(|number| look(number, &self.host(number).join("mnt")))
    }

    /// Empties each host's `/mnt`.
    pub fn forget_effects(&self) -> Result<()> {
        self.each(|_, folder| empty(folder))
    }

    /// The hosts as they were before any tool came, and no connection open.
    pub fn forget_everything(&self, who: &Who) -> Result<()> {
        self.forget_effects()?;
        (1..=self.count).try_for_each(|number| empty(&self.host(number).join("home")))?;
        if who.is_slow {
            // The masters of ControlPersist go when the sockets' processes are told to.
            let stop = "for s in \"$0\"/.ansible/cp/*; do [ -S \"$s\" ] && ssh -o ControlPath=\"$s\" -O exit x; done; true";
            let mut command = self.namespace.command("sh");
            command.args(["-c", stop]).arg(self.root().join("home"));
            process::run(&mut command)?;
        }
        Ok(())
    }
}

fn address(number: usize) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, (number + 10) as u8)
}

fn key(path: &Path) -> Result<()> {
    let mut keygen = Command::new("ssh-keygen");
    keygen
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(path);
    process::run(&mut keygen).map(drop)
}

/// A host's folders, key and configuration.
fn prepare(root: &Path, number: usize) -> Result<()> {
    let dir = root.join(format!("h{number}"));
    for name in ["home", "mnt"] {
        fs::create_dir_all(dir.join(name))?;
    }
    key(&dir.join("host_key"))?;
    let config = format!(
        "HostKey {0}/host_key\nAuthorizedKeysFile {1}/key.pub\nPidFile none\nStrictModes no\nUsePAM no\n\
         PermitRootLogin yes\nPasswordAuthentication no\nSubsystem sftp internal-sftp\n\
         SetEnv HOME={0}/home\n",
        dir.display(),
        root.display()
    );
    fs::write(dir.join("sshd_config"), config).attempt("cannot write sshd_config")
}

fn empty(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => fs::remove_dir_all(entry.path())?,
            false => fs::remove_file(entry.path())?,
        }
    }
    Ok(())
}
