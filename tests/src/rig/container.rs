//! A systemd container over the hosts' root file system: systemd as PID 1, in seconds.
//!
//! It shares this machine's kernel, so it cannot mount NFS or run a container engine of its own;
//! [`super::vm`] can. Its packages come from the rig's apt repository, its network is a loopback.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::namespace::Namespace;
use super::services::Surroundings;
use super::{Attempt, Failure, Result, ensure, process, rootfs};

/// How long systemd may take to come up or to end, on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// What a login of root has; a command inside sees nothing of the rig's own environment.
const ENVIRONMENT: [&str; 3] = [
    "HOME=/root",
    "LANG=C.UTF-8",
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
];

/// What a container changes lies in memory, above a root file system that it cannot write.
const OVERLAY: &str = "
mkdir -p $DIR
mount -t tmpfs -o mode=755 rig-host $DIR
mkdir $DIR/upper $DIR/work $DIR/root
mount -t overlay -o lowerdir=$LOWER,upperdir=$DIR/upper,workdir=$DIR/work overlay $DIR/root
";

/// Each container gets a cgroup of its own: two that share one would end each other's services.
const LAUNCH: &str = "
for group in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
    if [ -d $group/$NAME ]; then mkdir -p $group/$NAME/$MACHINE; echo $$ > $group/$NAME/$MACHINE/cgroup.procs; fi
done
unified=0
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then unified=1; fi
export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=$unified
exec systemd-nspawn --quiet --boot --register=no --keep-unit --machine=$MACHINE --directory=$DIR/root \\
    --resolv-conf=off --timezone=off --link-journal=no --console=pipe --capability=CAP_NET_ADMIN \\
    --bind-ro=$POOL:$MOUNTED_POOL
";

/// A running container, with the network that it is alone on; both end when it is dropped.
pub struct Container {
    machine: Machine,
    // Last: fields are dropped in order, and everything above lives inside it.
    around: Surroundings,
}

impl Container {
    /// Boots a fresh one and waits until its services are up.
    pub fn boot() -> Result<Self> {
        Self::boot_in(Surroundings::bare()?, |_| Ok(()))
    }

    /// Boots a fresh one whose files were prepared, on a network with servers on it, and waits until its
    /// services are up.
    pub fn boot_in(
        around: Surroundings,
        prepare: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<Self> {
        let machine = Machine::boot(&around.namespace, "host", prepare)?;
        Ok(Container { machine, around })
    }

    /// What is around it.
    pub fn around(&mut self) -> &mut Surroundings {
        &mut self.around
    }

    /// Reboots it: what was written stays, everything that ran has ended.
    pub fn reboot(&mut self) -> Result<()> {
        self.machine.reboot(&self.around.namespace)
    }

    /// What systemd and the kernel's console said since the last start.
    pub fn console(&self) -> String {
        self.machine.console(&self.around.namespace)
    }
}

impl std::ops::Deref for Container {
    type Target = Machine;

    fn deref(&self) -> &Machine {
        &self.machine
    }
}

/// One of the machines of a namespace, which share its network. It ends with the namespace.
pub struct Machine {
    nspawn: Child,
    init: u32,
    name: &'static str,
}

impl Machine {
    /// Boots a fresh one whose files were prepared, and waits until its services are up. The name is its
    /// own among those of the namespace, and that of its log.
    pub fn boot(
        namespace: &Namespace,
        name: &'static str,
        prepare: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<Self> {
        let dir = namespace.dir().join(name);
        let mut overlay = namespace.command("sh");
        overlay
            .args(["-euc", OVERLAY])
            .env("DIR", &dir)
            .env("LOWER", rootfs::root()?);
        process::run(&mut overlay).attempt("cannot mount the container's file system")?;
        // Seen through the namespace: the overlay is mounted there and nowhere else.
        prepare(&namespace.see(&dir.join("root")))?;
        let (nspawn, init) = launch(namespace, name)?;
        Ok(Self { nspawn, init, name })
    }

    /// Its root directory, seen from this machine.
    pub fn root(&self) -> std::path::PathBuf {
        format!("/proc/{}/root", self.init).into()
    }

    /// A command that runs inside, as root, in root's home.
    pub fn command(&self, program: &str) -> Command {
        enter(self.init, program)
    }

    /// Runs a shell command inside.
    pub fn try_exec(&self, script: &str) -> Result<Output> {
        self.command("sh")
            .args(["-c", script])
            .stdin(Stdio::null())
            .output()
            .attempt("cannot enter the container")
    }

    /// Runs a shell command inside and gives its standard output; a non-zero end is an error.
    pub fn exec(&self, script: &str) -> Result<String> {
        process::run(self.command("sh").args(["-c", script]))
    }

    /// Copies a file of this machine to `to` inside, with its mode.
    pub fn copy_in(&self, from: &Path, to: &str) -> Result<()> {
        let target = self.root().join(to.trim_start_matches('/'));
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::copy(from, target)
            .attempt(format_args!(
                "cannot copy {} into the container",
                from.display()
            ))
            .map(drop)
    }

    /// Reboots it: what was written stays, everything that ran has ended.
    pub fn reboot(&mut self, namespace: &Namespace) -> Result<()> {
        self.try_exec("systemctl reboot --no-block")?;
        let start = Instant::now();
        while self.nspawn.try_wait()?.is_none() {
            ensure(start.elapsed() < LIMIT, "the container does not go down")?;
            std::thread::sleep(Duration::from_millis(20));
        }
        (self.nspawn, self.init) = launch(namespace, self.name)?;
        Ok(())
    }

    /// What systemd and the kernel's console said since the last start.
    pub fn console(&self, namespace: &Namespace) -> String {
        namespace.log(self.name)
    }
}

fn launch(namespace: &Namespace, name: &str) -> Result<(Child, u32)> {
    let mut command = namespace.command("sh");
    command
        .args(["-euc", LAUNCH])
        .env("DIR", namespace.dir().join(name))
        .env("NAME", namespace.name())
        .env("MACHINE", name)
        .env("POOL", rootfs::pool()?)
        .env("MOUNTED_POOL", rootfs::MOUNTED_POOL);
    let mut nspawn = namespace.serve(name, &mut command)?;
    let start = Instant::now();
    loop {
        if let Some(init) = init_of(&nspawn).filter(|init| is_up(*init)) {
            return Ok((nspawn, init));
        }
        let late = start.elapsed() > LIMIT;
        if late || nspawn.try_wait()?.is_some() {
            let log = namespace.log(name);
            // What it still waits for.
            let jobs = init_of(&nspawn).and_then(|init| {
                let script = "systemctl list-jobs; tail -n 20 /var/log/cloud-init-output.log";
                enter(init, "sh").args(["-c", script]).output().ok()
            });
            let jobs = jobs.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
            return Err(Failure::new(format!(
                "the container does not come up:\n{}\n{}",
                process::tail(&log),
                process::tail(&jobs.unwrap_or_default())
            )));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// nsenter's child is systemd-nspawn, whose child is the container's PID 1.
fn init_of(nspawn: &Child) -> Option<u32> {
    let outer = process::children_of(nspawn.id());
    let inner = process::children_of(*outer.first()?);
    inner.into_iter().find(|pid| {
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        name.trim() == "systemd"
    })
}

/// A container may call itself degraded: some units want hardware that it has not.
fn is_up(init: u32) -> bool {
    let mut ask = enter(init, "systemctl");
    let answer = ask.arg("is-system-running").stdin(Stdio::null()).output();
    let state = answer.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_string());
    matches!(state.as_deref(), Ok("running" | "degraded"))
}

fn enter(init: u32, program: &str) -> Command {
    let mut command = Command::new("nsenter");
    command
        .args([
            "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root",
        ])
        .args([
            "--target",
            &init.to_string(),
            "--",
            "/usr/bin/env",
            "-i",
            "--chdir=/root",
        ])
        .args(ENVIRONMENT)
        .arg(program);
    command
}
