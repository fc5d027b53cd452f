//! The virtual machine's disk: the hosts' root file system with a console, an address and an initrd.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::cache::Kept;
use super::rootfs::{self, write};
use super::stage::say;
use super::{Attempt, Failure, Result, data, process};

/// Room for a docker engine and its images.
const SIZE: &str = "4G";

/// The guest's end of the console, started as early as a service can be.
const CONSOLE_UNIT: &str = "[Unit]
Description=The test rig's console
ConditionPathExists=/dev/virtio-ports/rig
[Service]
ExecStart=/usr/bin/python3 /usr/local/lib/rig/console.py
Restart=always
RestartSec=0.2
KillMode=process
";

/// The port's device starts the console, whenever its driver is loaded.
const CONSOLE_RULE: &str = "SUBSYSTEM==\"virtio-ports\", ATTR{name}==\"rig\", SYMLINK+=\"virtio-ports/rig\", \
     TAG+=\"systemd\", ENV{SYSTEMD_WANTS}+=\"rig-console.service\"\n";

const NETWORK: &str = "[Match]\nName=eth0\n[Network]\nAddress=10.77.0.10/24\nGateway=10.77.0.1\n";

const HOSTS: &str = "127.0.0.1 localhost
127.0.1.1 host
10.77.0.30 github.com release-assets.githubusercontent.com
10.77.0.40 elasticloadbalancing.us-east-1.amazonaws.com sts.us-east-1.amazonaws.com
";

/// What an image for EC2 says to cloud-init beside the defaults: its address and the size of its disk are its
/// own, and nobody logs in over SSH. Without a metadata service cloud-init does not run at all.
pub const CLOUD_INIT: &str = "growpart: {mode: 'off'}
locale: false
network: {config: disabled}
resize_rootfs: false
ssh_deletekeys: false
ssh_genkeytypes: []
";

/// Images come from the rig's mirror. The file stands before the docker package does.
const DOCKER: &str = "{\"registry-mirrors\": [\"http://10.77.0.1:5000\"]}\n";

/// Only what this machine's four virtio devices and its disk need.
const MODULES: &str = "virtio_pci\nvirtio_blk\nvirtio_net\nvirtio_console\next4\n";

/// Slow under emulation and of no use in a test.
const MASKED: &[&str] = &[
    "getty@tty1.service",
    "systemd-hwdb-update.service",
    "systemd-binfmt.service",
    "systemd-pstore.service",
    "modprobe@drm.service",
    "modprobe@efi_pstore.service",
    "modprobe@dm_mod.service",
    "modprobe@loop.service",
];

/// Gives the directory with `disk.ext4`, `vmlinuz` and `initrd`, building it first if need be.
pub fn get() -> Result<PathBuf> {
    let root = rootfs::root()?;
    let console = fs::read_to_string(data("console.py"))?;
    let name = root.display().to_string();
    Kept::new("disk", &[include_str!("disk.rs"), &console, &name]).get(|dir| {
        say("building the disk (a quarter of a minute)");
        let tree = dir.join("tree");
        process::run(
            Command::new("cp")
                .args(["-a", "--reflink=auto"])
                .args([&root, &tree]),
        )?;
        prepare(&tree).attempt("cannot prepare the disk's files")?;
        format(&tree, dir)
    })
}

fn prepare(tree: &Path) -> Result<()> {
    write(tree, "etc/fstab", "/dev/vda / ext4 rw,noatime 0 0\n")?;
    write(tree, "etc/hosts", HOSTS)?;
    write(tree, "etc/cloud/cloud.cfg.d/90_rig.cfg", CLOUD_INIT)?;
    fs::remove_file(tree.join(rootfs::NO_CLOUD_INIT))?;
    write(tree, "etc/docker/daemon.json", DOCKER)?;
    write(tree, "etc/systemd/network/10-rig.network", NETWORK)?;
    write(tree, "etc/systemd/system/rig-console.service", CONSOLE_UNIT)?;
    write(tree, "etc/udev/rules.d/99-rig.rules", CONSOLE_RULE)?;
    write(
        tree,
        "usr/local/lib/rig/console.py",
        &fs::read_to_string(data("console.py"))?,
    )?;
    write(
        tree,
        "usr/local/lib/rig/kill_at.py",
        &fs::read_to_string(data("kill_at.py"))?,
    )?;
    // A human's way in, by `rig shell`; nothing listens on the network.
    let login =
        "[Service]\nExecStart=\nExecStart=-/sbin/agetty --autologin root --noclear %I vt220\n";
    write(
        tree,
        "etc/systemd/system/serial-getty@ttyS0.service.d/login.conf",
        login,
    )?;
    rootfs::apt_source(tree, "http://10.77.0.1")?;
    for unit in MASKED {
        symlink("/dev/null", tree.join("etc/systemd/system").join(unit))?;
    }
    let chroot = |words: &[&str]| process::run(Command::new("chroot").arg(tree).args(words));
    chroot(&["passwd", "--delete", "root"])?;
    chroot(&["systemctl", "enable", "systemd-networkd"])?;
    write(tree, "etc/initramfs-tools/modules", MODULES)?;
    let settings = "MODULES=list\nBUSYBOX=auto\nCOMPRESS=lz4\n";
    write(tree, "etc/initramfs-tools/conf.d/rig.conf", settings)?;
    chroot(&["update-initramfs", "-u"])?;
    Ok(())
}

fn format(tree: &Path, dir: &Path) -> Result<()> {
    for (prefix, name) in [("vmlinuz-", "vmlinuz"), ("initrd.img-", "initrd")] {
        fs::copy(newest(&tree.join("boot"), prefix)?, dir.join(name))?;
    }
    let mut format = Command::new("mke2fs");
    format.args(["-q", "-t", "ext4", "-L", "root", "-d"]);
    process::run(format.arg(tree).arg(dir.join("disk.ext4")).arg(SIZE))?;
    fs::remove_dir_all(tree)?;
    Ok(())
}

fn newest(boot: &Path, prefix: &str) -> Result<PathBuf> {
    let files = fs::read_dir(boot)?.flatten().map(|entry| entry.path());
    let named = |path: &PathBuf| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with(prefix))
    };
    files
        .filter(named)
        .max()
        .ok_or_else(|| Failure::new(format!("no {prefix}* in the root file system")))
}
