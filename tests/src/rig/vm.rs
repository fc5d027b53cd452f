//! A virtual machine with its own kernel, booted from a throw-away copy of the cached disk.

use std::fs;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use super::console::{Console, Output};
use super::namespace::Namespace;
use super::services::Surroundings;
use super::{Attempt, Failure, Result, disk, ensure, process};

/// A calm machine takes a tenth of it; an emulator on a busy one needs patience.
const BOOT_LIMIT: Duration = Duration::from_secs(600);

/// For commands that should take seconds.
const SHORT: Duration = Duration::from_secs(300);

/// A running host with everything around it.
pub struct Vm {
    console: Console,
    qemu: Child,
    // Last: fields are dropped in order, and everything above lives inside it.
    around: Surroundings,
}

impl Vm {
    /// Boots a fresh host and waits until its services are up.
    pub fn boot() -> Result<Self> {
        let mut vm = Self::power_on(Surroundings::open()?, &[])?;
        vm.wait()?;
        Ok(vm)
    }

    /// Switches a fresh host on, and does not wait for it; `more` are words for QEMU.
    pub fn power_on(around: Surroundings, more: &[&str]) -> Result<Self> {
        let disk = disk::get()?;
        let namespace = &around.namespace;
        let overlay = namespace.dir().join("overlay.qcow2");
        let mut image = Command::new("qemu-img");
        image.args(["create", "-q", "-f", "qcow2", "-F", "raw", "-b"]);
        process::run(image.arg(disk.join("disk.ext4")).arg(&overlay))?;
        let mut qemu = namespace.command("qemu-system-x86_64");
        qemu.args(machine(&disk, namespace.dir())).args(more);
        let mut qemu = namespace.serve("qemu", &mut qemu)?;
        let console = connect(namespace, &mut qemu)?;
        Ok(Vm {
            console,
            qemu,
            around,
        })
    }

    /// Waits until a host that was switched on is up.
    pub fn wait(&mut self) -> Result<()> {
        self.wait_for_hello()?;
        self.wait_until_up()
    }

    /// What is around it.
    pub fn around(&mut self) -> &mut Surroundings {
        &mut self.around
    }

    /// Runs a shell command that should be quick; a non-zero end is an error.
    pub fn exec(&mut self, command: &str) -> Result<String> {
        self.try_exec(command)?
            .good()
            .attempt(format_args!("`{command}` on the host"))
    }

    /// Runs a shell command that should be quick, and says how it ended.
    pub fn try_exec(&mut self, command: &str) -> Result<Output> {
        self.console.run(command, b"", SHORT, |_| {})
    }

    /// Runs a shell command of any length; `heard` gets its output as it comes.
    pub fn run(
        &mut self,
        command: &str,
        limit: Duration,
        heard: impl FnMut(&[u8]),
    ) -> Result<Output> {
        self.console.run(command, b"", limit, heard)
    }

    /// Copies a file of this machine to `to` on the host, executable if it is so here.
    pub fn copy_in(&mut self, from: &Path, to: &str) -> Result<()> {
        use std::os::unix::fs::PermissionsExt;
        let bytes = fs::read(from).attempt(format_args!("cannot read {}", from.display()))?;
        let mode = fs::metadata(from)?.permissions().mode() & 0o777;
        let command =
            format!("mkdir -p \"$(dirname '{to}')\" && cat > '{to}' && chmod {mode:o} '{to}'");
        self.console
            .run(&command, &bytes, SHORT, |_| {})?
            .good()
            .attempt(format_args!("cannot copy {} to the host", from.display()))
            .map(drop)
    }

    /// Reboots the host and waits until it is up again.
    pub fn reboot(&mut self) -> Result<()> {
        self.try_exec("systemctl reboot --no-block")?.good()?;
        self.wait()
    }

    /// The directory that stands for the EFS file system, seen from the server's side.
    pub fn efs(&self) -> std::path::PathBuf {
        self.around.namespace.dir().join("efs")
    }

    /// What a server of the rig wrote: `efs`, `internet`, `qemu` or `serial`.
    pub fn log(&self, name: &str) -> String {
        self.around.namespace.log(name)
    }

    /// `Err` once the machine has ended, or a server that it has.
    pub fn still_runs(&mut self) -> Result<()> {
        let Surroundings {
            services,
            namespace,
        } = &mut self.around;
        services.still_run(namespace)?;
        still_runs(&mut self.qemu, namespace)
    }

    /// The socket of the host's serial line, on which root is logged in.
    pub fn serial(&self) -> std::path::PathBuf {
        self.around.namespace.dir().join("serial")
    }

    fn wait_for_hello(&mut self) -> Result<()> {
        let (console, qemu, namespace) =
            (&mut self.console, &mut self.qemu, &self.around.namespace);
        console.wait_for_hello(BOOT_LIMIT, || still_runs(qemu, namespace))
    }

    /// A host may call itself degraded for reasons of its own; it must only have come to an end.
    fn wait_until_up(&mut self) -> Result<()> {
        let state = self.run("systemctl is-system-running --wait", BOOT_LIMIT, |_| {})?;
        let state = state.stdout.trim();
        ensure(
            matches!(state, "running" | "degraded"),
            format_args!("the host came up {state}"),
        )
    }
}

/// QEMU without KVM unless `LKS_RIG_ACCEL` names it: where this runs, KVM is often missing or unable
/// to boot a distribution's kernel.
fn machine(disk: &Path, dir: &Path) -> Vec<String> {
    let accel =
        std::env::var("LKS_RIG_ACCEL").unwrap_or_else(|_| "tcg,thread=multi,tb-size=512".into());
    let (disk, dir) = (disk.display(), dir.display());
    // mitigations cost time and guard nothing here.
    let kernel = "root=/dev/vda rw console=ttyS0 net.ifnames=0 mitigations=off quiet";
    let words = [
        ["-M", "q35"],
        ["-accel", &accel],
        ["-cpu", "max"],
        ["-smp", "2"],
        ["-m", "1536"],
        ["-display", "none"],
        ["-kernel", &format!("{disk}/vmlinuz")],
        ["-initrd", &format!("{disk}/initrd")],
        ["-append", kernel],
        [
            "-drive",
            &format!("file={dir}/overlay.qcow2,if=virtio,format=qcow2,cache=unsafe"),
        ],
        ["-device", "virtio-rng-pci"],
        ["-netdev", "tap,id=net,ifname=tap0,script=no,downscript=no"],
        ["-device", "virtio-net-pci,netdev=net,romfile="],
        ["-device", "virtio-serial-pci"],
        [
            "-chardev",
            &format!("socket,id=rig,path={dir}/console,server=on,wait=off"),
        ],
        ["-device", "virtserialport,chardev=rig,name=rig"],
        [
            "-chardev",
            &format!("socket,id=tty,path={dir}/serial,server=on,wait=off,logfile={dir}/serial.log"),
        ],
        ["-serial", "chardev:tty"],
    ];
    words.iter().flatten().map(ToString::to_string).collect()
}

fn connect(namespace: &Namespace, qemu: &mut Child) -> Result<Console> {
    let socket = namespace.dir().join("console");
    let start = Instant::now();
    while !socket.exists() {
        still_runs(qemu, namespace)?;
        ensure(
            start.elapsed() < Duration::from_secs(60),
            "QEMU does not start",
        )?;
        std::thread::sleep(Duration::from_millis(50));
    }
    Console::connect(&socket)
}

fn still_runs(qemu: &mut Child, namespace: &Namespace) -> Result<()> {
    match qemu.try_wait()? {
        None => Ok(()),
        Some(status) => Err(Failure::new(format!(
            "QEMU ended with {status}:\n{}",
            process::tail(&namespace.log("qemu"))
        ))),
    }
}
