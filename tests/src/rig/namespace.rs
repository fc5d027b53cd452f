//! A place for a rig's processes, mounts and network that vanishes with the rig.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns};

use super::{Attempt, Failure, Result, cache, process};

/// PID 1 of the namespace. It waits on its standard input, which closes when the rig's process ends
/// in whatever way, `kill -9` included; then nothing of the rig is left, on disk neither. Cgroups
/// are the one thing that no namespace takes along.
const HOLDER: &str = r#"
dir=$1 name=$2
ip link set lo up || exit 1
for group in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
    if [ -e "$group/cgroup.procs" ]; then mkdir -p "$group/$name"; fi
done
echo ready
read -r _
kill -9 -1
sleep 0.1
umount -R "$dir"/* 2>/dev/null
rm -rf --one-file-system "$dir"
for group in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
    if [ -d "$group/$name" ]; then find "$group/$name" -depth -type d -exec rmdir {} +; fi
done 2>/dev/null
"#;

/// Network, mount and process namespaces of their own, with a directory.
pub struct Namespace {
    holder: Child,
    init: u32,
    name: String,
    dir: PathBuf,
}

impl Namespace {
    /// Opens a fresh one: only a loopback interface, the machine's files, no processes.
    pub fn open() -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let runs = cache::dir().join("runs");
        sweep(&runs);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("lks-rig-{}-{number}", std::process::id());
        let dir = runs.join(&name);
        fs::create_dir_all(&dir).attempt("cannot make the rig's run directory")?;
        let mut holder = Command::new("unshare")
            .args(["--net", "--mount", "--pid", "--fork", "--mount-proc"])
            .args(["--kill-child", "sh", "-c", HOLDER, "rig-holder"])
            .args([dir.as_os_str(), name.as_ref()])
            // Ctrl-C is for the rig alone; the holder hears of it by its closing input.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .attempt("cannot start unshare")?;
        let init = wait_until_ready(&mut holder)?;
        Ok(Namespace {
            holder,
            init,
            name,
            dir,
        })
    }

    /// A directory that vanishes with the namespace.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A path of the namespace, with what is mounted there, as this process reaches it.
    pub fn see(&self, path: &Path) -> PathBuf {
        let inside = path.strip_prefix("/").unwrap_or(path);
        PathBuf::from(format!("/proc/{}/root", self.init)).join(inside)
    }

    /// The namespace's name, unique on this machine; also that of its cgroup.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A command that runs inside. It ends with the namespace at the latest.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["--net", "--mount", "--pid", "--target"])
            .arg(self.init.to_string())
            .args(["--", program])
            .process_group(0);
        command
    }

    /// Runs a shell script inside, stopping at its first error.
    pub fn script(&self, script: &str) -> Result<String> {
        process::run(self.command("sh").args(["-euc", script]))
    }

    /// A listener on the namespace's network, for a server that is a thread of this process.
    pub fn listen(&self, address: &str) -> Result<TcpListener> {
        let network = File::open(format!("/proc/{}/ns/net", self.init))?;
        let address = address.to_owned();
        // A thread of its own enters: the socket stays in the network that it was made in.
        let made = std::thread::spawn(move || -> Result<TcpListener> {
            setns(network, CloneFlags::CLONE_NEWNET).attempt("cannot enter the network")?;
            TcpListener::bind(&address).attempt(format_args!("cannot listen on {address}"))
        });
        let made = made.join();
        made.unwrap_or_else(|_| Err(Failure::new("cannot listen in the namespace")))
    }

    /// Starts a server inside that writes to the log `name` in the namespace's directory.
    pub fn serve(&self, name: &str, command: &mut Command) -> Result<Child> {
        let log = File::create(self.dir.join(format!("{name}.log")))?;
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .attempt(format_args!("cannot start {name}"))
    }

    /// What the server `name` has written so far.
    pub fn log(&self, name: &str) -> String {
        let bytes = fs::read(self.dir.join(format!("{name}.log"))).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(10) {
            if !matches!(self.holder.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

fn wait_until_ready(holder: &mut Child) -> Result<u32> {
    let mut line = String::new();
    if let Some(stdout) = &mut holder.stdout {
        BufReader::new(stdout).read_line(&mut line)?;
    }
    if line != "ready\n" {
        let status = holder.wait()?;
        return Err(Failure::new(format!(
            "cannot open a namespace: unshare ended with {status}"
        )));
    }
    process::children_of(holder.id())
        .first()
        .copied()
        .ok_or_else(|| Failure::new("the namespace has no first process"))
}

/// Removes what a rig left that was killed together with its holder.
fn sweep(runs: &Path) {
    for entry in fs::read_dir(runs).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.trim_start_matches("lks-rig-").split('-').next();
        let alive = owner.is_some_and(|pid| Path::new("/proc").join(pid).exists());
        if !alive {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
