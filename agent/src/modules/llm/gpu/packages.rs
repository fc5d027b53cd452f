//! The driver's packages, of one version, and held.

use super::{Fabric, Gpu};
use crate::error::{Error, Result};
use crate::host::{Attrs, Command, Consequence, Content, Effect, HostView, UnitScope};
use crate::module::apt::{Patience, patiently, quietly};
use crate::module::{Diff, Plan};
use crate::value::Value;
use std::path::Path;

/// What keeps them out of unattended upgrades.
const UNATTENDED: &str = "/etc/apt/apt.conf.d/52lks-gpu-hold";
const UNATTENDED_TEXT: &str = "// Written by lks.llm.gpu: upgrading a driver under a loaded module breaks it until the next boot.\n\
    Unattended-Upgrade::Package-Blacklist {\n    \"^nvidia-\";\n    \"^libnvidia-\";\n    \"^cuda-drivers\";\n};\n";

/// Installs packages, if one is missing.
pub fn install(host: &dyn HostView, plan: &mut Plan, names: &[String], lock: u64) -> Result<()> {
    let mut missing = Vec::new();
    for name in names {
        let bare = name.split('=').next().unwrap_or(name);
        if host.package(bare)?.is_none() {
            missing.push(name.clone());
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let patience = Patience {
        attempts: 4,
        pause: 20,
        lock,
    };
    let head = [
        "apt-get",
        "-y",
        "-o",
        "Dpkg::Options::=--force-confold",
        "--no-install-recommends",
        "install",
    ];
    let argv = head
        .map(String::from)
        .into_iter()
        .chain(missing.clone())
        .collect();
    let then = missing
        .iter()
        .map(|name| Consequence::PackageInstalled {
            name: name.split('=').next().unwrap_or(name).to_owned(),
            version: None,
        })
        .collect();
    plan.change(
        Diff::new("packages", Value::Null, format!("{}\n", missing.join("\n"))),
        patiently(patience, argv).then(then),
    );
    Ok(())
}

/// The driver, with the headers that its module is built against.
pub fn driver(gpu: &Gpu, host: &dyn HostView, plan: &mut Plan) -> Result<()> {
    let Some(branch) = &gpu.driver else {
        return Ok(());
    };
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !branch.starts_with(|c: char| c.is_ascii_digit()) || !branch.chars().all(fits) {
        return Err(
            Error::params(format!("`{branch}` is no branch of the driver"))
                .context("write it as in the package's name: 570-server, 570-server-open, 580"),
        );
    }
    let mut names = vec![format!("nvidia-driver-{branch}")];
    let release = host
        .read(Path::new("/proc/sys/kernel/osrelease"))?
        .unwrap_or_default();
    let release = String::from_utf8_lossy(&release).trim().to_owned();
    if !release.is_empty() && host.package(&names[0])?.is_none() {
        names.insert(0, format!("linux-headers-{release}"));
    }
    install(host, plan, &names, gpu.lock_timeout)
}

/// The fabric manager, of exactly the driver's version.
pub fn fabric(gpu: &Gpu, host: &dyn HostView, plan: &mut Plan, switches: usize) -> Result<()> {
    let wanted = match gpu.fabric_manager {
        Fabric::Auto => switches > 0,
        Fabric::Present => true,
        Fabric::Absent => return Ok(()),
    };
    let Some(branch) = gpu.driver.as_deref().filter(|_| wanted) else {
        return Ok(());
    };
    let number = branch.split('-').next().unwrap_or(branch);
    let name = format!("nvidia-fabricmanager-{number}");
    let driver = host.package(&format!("nvidia-driver-{branch}"))?;
    let Some(driver) = driver.and_then(|p| p.version) else {
        return Err(Error::unknown(
            "the driver's version is known once it is installed",
        ));
    };
    let upstream = upstream(&driver);
    match host.package(&name)?.and_then(|p| p.version) {
        None => install(
            host,
            plan,
            &[format!("{name}={upstream}*")],
            gpu.lock_timeout,
        )?,
        Some(version) if self::upstream(&version) != upstream => {
            let argv = [
                "apt-get",
                "-y",
                "--allow-downgrades",
                "--allow-change-held-packages",
                "install",
            ];
            let argv = argv
                .map(String::from)
                .into_iter()
                .chain([format!("{name}={upstream}*")]);
            let patience = Patience {
                attempts: 4,
                pause: 20,
                lock: gpu.lock_timeout,
            };
            let then = Consequence::PackageInstalled {
                name: name.clone(),
                version: Some(driver.clone()),
            };
            plan.change(
                Diff::new(
                    name.as_str(),
                    format!("{version}\n"),
                    format!("{upstream}\n"),
                ),
                patiently(patience, argv.collect()).then(vec![then]),
            );
        }
        Some(_) => {}
    }
    let service = "nvidia-fabricmanager.service";
    let unit = host.unit(UnitScope::System, service)?;
    if !unit.is_active() || unit.get("UnitFileState") != "enabled" {
        let then = Consequence::Unit {
            scope: UnitScope::System,
            name: service.into(),
            active: Some(true),
            enabled: Some(true),
            masked: None,
        };
        plan.change(
            Diff::new(service, "stopped\n", "started\n"),
            Command::new(["systemctl", "enable", "--now", service]).then(vec![then]),
        );
    }
    Ok(())
}

/// The version without the distribution's part: `570.172.08-0ubuntu1` is 570.172.08.
fn upstream(version: &str) -> &str {
    let version = version.split_once(':').map_or(version, |(_, v)| v);
    version.split('-').next().unwrap_or(version)
}

/// Holds what is installed.
pub fn hold(gpu: &Gpu, host: &dyn HostView, plan: &mut Plan) -> Result<()> {
    if !gpu.hold || host.which("apt-mark")?.is_none() {
        return Ok(());
    }
    let all = installed(host)?;
    let held = host.query(&Command::new(["apt-mark", "showhold"]))?.out();
    let held: Vec<&str> = held
        .split_whitespace()
        .map(|n| n.split(':').next().unwrap_or(n))
        .collect();
    let free: Vec<String> = all
        .into_iter()
        .filter(|n| !held.contains(&n.as_str()))
        .collect();
    if !free.is_empty() {
        let words = ["apt-mark", "hold"]
            .map(String::from)
            .into_iter()
            .chain(free.clone());
        let after = format!("held: {}\n", free.join(" "));
        plan.change(
            Diff::new("packages", "not held\n", after),
            quietly(Command::new(words)).effect(),
        );
    }
    let before = host.read(Path::new(UNATTENDED))?;
    if before.as_deref() != Some(UNATTENDED_TEXT.as_bytes()) {
        let before = before.map_or(Value::Null, |b| {
            String::from_utf8_lossy(&b).into_owned().into()
        });
        plan.change(
            Diff::new(UNATTENDED, before, UNATTENDED_TEXT),
            file(UNATTENDED, UNATTENDED_TEXT),
        );
    }
    Ok(())
}

/// Names of the driver's packages that are installed. The container toolkit is no part of it: it may move.
pub fn installed(host: &dyn HostView) -> Result<Vec<String>> {
    let words = [
        "dpkg-query",
        "--show",
        "--showformat=${db:Status-Abbrev} ${Package}\\n",
        "nvidia-*",
        "libnvidia-*",
    ];
    // It ends with 1 where one of the patterns fits nothing.
    let said = host.query(&Command::new(words))?.out();
    let names = said
        .lines()
        .filter_map(|l| l.strip_prefix("ii ").or_else(|| l.strip_prefix("hi ")));
    let mut names: Vec<String> = names
        .map(|n| n.trim().to_owned())
        .filter(|n| !n.contains("container") && !n.contains("docker"))
        .collect();
    names.sort();
    names.dedup();
    Ok(names)
}

/// A file for root, read by all.
pub fn file(path: &str, content: &str) -> Effect {
    Effect::WriteFile {
        path: path.into(),
        content: Content::Bytes(content.as_bytes().to_vec()),
        attrs: Attrs {
            mode: Some(0o644),
            ..Attrs::default()
        },
        backup: false,
        validate: None,
        in_place: false,
    }
}
