//! What the rigs need of the machine: found missing with a clear word, or installed by `rig setup`.

use std::fs::OpenOptions;
use std::path::PathBuf;
use std::process::Command;

use super::stage::say;
use super::{Failure, Result, Rig, cache, ensure, process};

/// A tool, the Debian package it comes from, and whether the container rig needs it too.
const TOOLS: &[(&str, &str, bool)] = &[
    ("unshare", "util-linux", true),
    ("ip", "iproute2", true),
    ("mmdebstrap", "mmdebstrap", true),
    ("apt-ftparchive", "apt-utils", true),
    ("openssl", "openssl", true),
    // Not the rigs, but tests/tests/aws and gates.rs.
    ("curl", "curl", false),
    // Not the rigs, but tests/tests/ssh.rs.
    ("sshd", "openssh-server", false),
    // An instance's address (launch).
    ("dnsmasq", "dnsmasq-base", false),
    // tests/tests/nat.rs.
    ("iptables", "iptables", false),
    // tests/tests/kerberos.rs.
    ("krb5kdc", "krb5-kdc", false),
    ("kadmin.local", "krb5-admin-server", false),
    ("kinit", "krb5-user", false),
    // tests/tests/store/ and controllers.rs; it puts no program on the path but this.
    ("pg_lsclusters", "postgresql", false),
    ("systemd-nspawn", "systemd-container", true),
    ("ganesha.nfsd", "nfs-ganesha", false),
    ("qemu-system-x86_64", "qemu-system-x86", false),
    ("qemu-img", "qemu-utils", false),
    ("mke2fs", "e2fsprogs", false),
    ("python3", "python3-venv", false),
    ("strip", "binutils", false),
];

/// Packages that bring no tool by which one could see them.
const PLUGINS: &[(&str, &str)] = &[
    (
        "/usr/lib/x86_64-linux-gnu/ganesha/libfsalvfs.so",
        "nfs-ganesha-vfs",
    ),
    (
        "/usr/lib/python3/dist-packages/gssapi/__init__.py",
        "python3-gssapi",
    ),
];

/// The inference server of the image, and what writes its model.
const PYTHON: &[&str] = &["xllamacpp", "gguf", "numpy"];

/// What `playbooks/llama_cpp.yml` installs, for hosts without a network.
const WHEELS: &[&str] = &["xllamacpp==2026.10.11549"];

/// The linter of the CloudFormation templates.
const CFN_LINT: &[&str] = &["cfn-lint==1.58.0"];

/// Installs what is missing. Quick when nothing is.
pub fn install() -> Result<()> {
    root()?;
    let wanted: Vec<&str> = missing(|_| true)
        .iter()
        .map(|(_, package)| *package)
        .collect();
    if wanted.is_empty() {
        say("every tool is there");
    } else {
        say(format_args!("installing {}", wanted.join(" ")));
        apt(&["update"])?;
        apt_install(&wanted)?;
    }
    python()?;
    cfn_lint()?;
    crate::aws::python()?;
    Ok(())
}

/// The directory of the Python environment's packages, which is made first if need be.
pub fn python() -> Result<PathBuf> {
    environment("venv", PYTHON)
}

/// A Python environment with the module `cfnlint`, made first if need be.
pub fn cfn_lint() -> Result<PathBuf> {
    environment("cfn-lint", CFN_LINT)
}

fn environment(kind: &'static str, packages: &[&str]) -> Result<PathBuf> {
    cache::Kept::new(kind, packages).get(|partial| {
        say(format_args!("installing {} from PyPI", packages.join(" ")));
        process::run(Command::new("python3").args(["-m", "venv"]).arg(partial))?;
        // `python -m pip`: the scripts of an environment that is renamed afterwards do not run.
        let mut pip = Command::new(partial.join("bin/python"));
        process::run(pip.args(["-m", "pip", "install", "--quiet"]).args(packages)).map(drop)
    })
}

/// The directory of the Python packages that hosts install, which are fetched first if need be.
pub fn wheels() -> Result<PathBuf> {
    let python = python()?.join("bin/python");
    cache::Kept::new("wheels", WHEELS).get(|partial| {
        let mut pip = Command::new(python);
        pip.args(["-m", "pip", "download", "--quiet", "--no-deps"]);
        pip.args(["--only-binary", ":all:", "--dest"]).arg(partial);
        process::run(pip.args(WHEELS)).map(drop)
    })
}

/// `Err` unless this process is root.
pub fn root() -> Result<()> {
    let id = process::run(Command::new("id").arg("-u"))?;
    ensure(
        id.trim() == "0",
        "only root can make namespaces and containers",
    )
}

/// `Err` naming the tools that `rig` lacks.
pub fn tools(rig: Rig) -> Result<()> {
    let lacking = missing(|light| light || rig == Rig::Vm);
    let names: Vec<&str> = lacking.iter().map(|(tool, _)| *tool).collect();
    ensure(
        names.is_empty(),
        format_args!(
            "not installed: {} (`cargo run -p lks-tests --bin rig -- setup` installs what is missing)",
            names.join(", ")
        ),
    )
}

/// `Err` if this machine does not let root make namespaces, as in most unprivileged containers.
pub fn namespaces() -> Result<()> {
    let mut probe = Command::new("unshare");
    probe.args([
        "--net",
        "--mount",
        "--pid",
        "--fork",
        "--mount-proc",
        "true",
    ]);
    process::run(&mut probe)
        .map(drop)
        .map_err(|error| Failure::new(format!("this machine allows no namespaces: {error}")))
}

/// `Err` if there is no way to give a virtual machine a network of its own.
pub fn tun() -> Result<()> {
    let tun = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/net/tun");
    tun.map(drop)
        .map_err(|error| Failure::new(format!("/dev/net/tun cannot be opened: {error}")))
}

fn missing(wanted: impl Fn(bool) -> bool) -> Vec<(&'static str, &'static str)> {
    let tools = TOOLS
        .iter()
        .filter(|(tool, _, light)| wanted(*light) && !process::exists(tool))
        .map(|(tool, package, _)| (*tool, *package));
    let plugins = PLUGINS
        .iter()
        .filter(|(file, _)| wanted(false) && !std::path::Path::new(file).exists())
        .copied();
    tools.chain(plugins).collect()
}

fn apt_install(packages: &[&str]) -> Result<()> {
    let mut plain = vec!["install", "-y", "--no-install-recommends"];
    plain.extend(packages);
    if apt(&plain).is_ok() {
        return Ok(());
    }
    // A machine with a newer qemu-utils from backports refuses the release's qemu-system-x86: take
    // both from the release.
    let release =
        process::run(Command::new("sh").args(["-c", ". /etc/os-release; echo $VERSION_CODENAME"]))?;
    let utils = format!("qemu-utils/{}", release.trim());
    plain.extend(["--allow-downgrades", &utils]);
    plain.retain(|word| *word != "qemu-utils");
    apt(&plain)
}

fn apt(words: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command
        .args(["-q", "-o", "DPkg::Lock::Timeout=600"])
        .args(words);
    process::run(command.env("DEBIAN_FRONTEND", "noninteractive")).map(drop)
}
