//! The hosts' root file system: a fresh Debian 12 as a cloud image has it, with a kernel, systemd and
//! apt, without anything that the playbook is to bring. And the apt repository it installs from.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::cache::Kept;
use super::stage::say;
use super::{Attempt, Result, process};

/// What the fresh host has, as cloud images do. Python is there for the console's end in the guest;
/// a docker engine starts no container on a kernel with AppArmor where its parser is missing.
const PACKAGES: &str = "apparmor,systemd,systemd-sysv,dbus,iproute2,ca-certificates,python3,procps,kmod,udev,netbase,\
     cloud-init,wget,initramfs-tools,busybox,linux-image-cloud-amd64";

/// A file that keeps cloud-init from running: a container has no metadata service.
pub const NO_CLOUD_INIT: &str = "etc/cloud/cloud-init.disabled";

/// What can be installed on it, with everything these need.
const POOL: &[&str] = &[
    "nfs-common",
    "docker.io",
    "gpg",
    "curl",
    "jq",
    "python3-venv",
    "libgomp1",
];

/// Timers that would take apt's lock or the processor at a moment of their own, and a clock that
/// nobody serves.
const MASKED: &[&str] = &[
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "systemd-timesyncd.service",
];

/// Where a host finds the apt repository when it is mounted rather than served.
pub const MOUNTED_POOL: &str = "/var/lib/rig-apt";

fn kept() -> Kept {
    let recipe = include_str!("rootfs.rs");
    Kept::new("rootfs", &[PACKAGES, recipe])
}

/// Whether it lies in the cache.
pub fn is_built() -> bool {
    kept().is_built()
}

/// The root directory of the file system, built first if need be (half a minute, needs the network).
pub fn root() -> Result<PathBuf> {
    Ok(get()?.join("root"))
}

/// The apt repository: a flat directory with its index.
pub fn pool() -> Result<PathBuf> {
    Ok(get()?.join("pool"))
}

/// The certificate authority that the hosts trust: `ca.pem`, and `tls.pem` with `tls.key` signed by it.
pub fn certificates() -> Result<PathBuf> {
    Ok(get()?.join("tls"))
}

fn get() -> Result<PathBuf> {
    kept().get(|dir| {
        say("building the root file system (half a minute)");
        certify(&dir.join("tls")).attempt("cannot make the test's certificates")?;
        bootstrap(&dir.join("root"), &dir.join("pool"))?;
        index(&dir.join("pool")).attempt("cannot index the apt repository")?;
        finish(&dir.join("root"), &dir.join("tls/ca.pem"))
            .attempt("cannot finish the root file system")
    })
}

/// Runs mmdebstrap with the machine's own apt sources.
pub fn mmdebstrap(variant: &str, packages: &str, hook: Option<String>, root: &Path) -> Result<()> {
    let mut command = Command::new("mmdebstrap");
    command
        .args([
            "--mode=root",
            "--format=directory",
            "--dpkgopt=force-unsafe-io",
        ])
        .args(["--aptopt=APT::Install-Recommends \"false\""])
        // A snapshot of the archive is as good as the archive.
        .args(["--aptopt=Acquire::Check-Valid-Until \"false\""])
        .arg(format!("--variant={variant}"))
        .arg(format!("--include={packages}"))
        .args(hook.map(|hook| format!("--customize-hook={hook}")))
        .arg("bookworm")
        .arg(root)
        .args(apt_sources());
    process::run(&mut command).map(drop)
}

/// The machine's sources, if it is a Debian of the hosts' release; else mmdebstrap's own default.
fn apt_sources() -> Option<PathBuf> {
    if let Some(file) = std::env::var_os("LKS_RIG_APT_SOURCES") {
        return Some(file.into());
    }
    let files = [
        "/etc/apt/sources.list.d/debian.sources",
        "/etc/apt/sources.list",
    ];
    let speaks_of_it = |file: &&str| {
        let text = fs::read_to_string(file).unwrap_or_default();
        text.contains("bookworm") && text.contains("main")
    };
    files.into_iter().find(speaks_of_it).map(PathBuf::from)
}

fn bootstrap(root: &Path, pool: &Path) -> Result<()> {
    fs::create_dir_all(pool.join("partial"))?;
    // The hook fetches, with the apt that has just built the host, what the host will miss.
    let hook = format!(
        "APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get -y -q --download-only -o Dir::Cache::archives={} install {}",
        pool.display(),
        POOL.join(" ")
    );
    mmdebstrap("apt", PACKAGES, Some(hook), root).attempt("cannot build the root file system")
}

fn index(pool: &Path) -> Result<()> {
    fs::remove_dir_all(pool.join("partial"))?;
    let script = "rm -f lock; apt-ftparchive packages . > Packages; gzip -k -n Packages
        apt-ftparchive -o APT::FTPArchive::Release::Suite=rig release . > Release.new; mv Release.new Release";
    process::run(Command::new("sh").args(["-euc", script]).current_dir(pool)).map(drop)
}

fn certify(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir)?;
    let script = "
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -keyout ca.key -out ca.pem \
            -subj '/CN=lks rig test CA' -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout tls.key -out tls.csr -subj '/CN=github.com'
        printf '%s\\n' subjectAltName=DNS:github.com,DNS:release-assets.githubusercontent.com,DNS:*.us-east-1.amazonaws.com \
            basicConstraints=CA:FALSE extendedKeyUsage=serverAuth > tls.ext
        openssl x509 -req -in tls.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 -extfile tls.ext -out tls.pem";
    process::run(Command::new("sh").args(["-euc", script]).current_dir(dir)).map(drop)
}

fn finish(root: &Path, authority: &Path) -> Result<()> {
    fs::copy(
        authority,
        root.join("usr/local/share/ca-certificates/rig.crt"),
    )?;
    process::run(
        Command::new("chroot")
            .arg(root)
            .arg("update-ca-certificates"),
    )?;
    write(root, NO_CLOUD_INIT, "")?;
    write(root, "etc/hostname", "host\n")?;
    write(root, "etc/hosts", "127.0.0.1 localhost\n127.0.1.1 host\n")?;
    // Nobody answers there, at once: an address that nobody answers at all would cost half a minute.
    let _ = fs::remove_file(root.join("etc/resolv.conf"));
    write(root, "etc/resolv.conf", "nameserver 127.0.0.1\n")?;
    write(root, "etc/machine-id", "")?;
    write(
        root,
        "etc/apt/apt.conf.d/90rig",
        "Acquire::Languages \"none\";\n",
    )?;
    let _ = fs::remove_dir_all(root.join("etc/apt/sources.list.d"));
    apt_source(root, &format!("file:{MOUNTED_POOL}"))?;
    fs::create_dir_all(root.join(&MOUNTED_POOL[1..]))?;
    for unit in MASKED {
        let link = root.join("etc/systemd/system").join(unit);
        let _ = fs::remove_file(&link);
        symlink("/dev/null", link)?;
    }
    Ok(())
}

/// Makes `uri` the host's only apt source.
pub fn apt_source(root: &Path, uri: &str) -> Result<()> {
    fs::create_dir_all(root.join("etc/apt/sources.list.d"))?;
    write(
        root,
        "etc/apt/sources.list",
        &format!("deb [trusted=yes] {uri} ./\n"),
    )
}

/// Writes a file of the host, with its directories.
pub fn write(root: &Path, path: &str, text: &str) -> Result<()> {
    let path = root.join(path);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(&path, text).attempt(format_args!("cannot write {}", path.display()))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644))?;
    Ok(())
}
