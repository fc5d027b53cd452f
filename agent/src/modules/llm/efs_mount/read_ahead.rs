//! How much the kernel reads ahead: set now, and at every mount from now on.
//!
//! The kernel makes a new number for every mount and begins with its own default, so that a value in
//! `/sys` is gone with the mount. A rule of udev is run when the kernel makes that number, whoever mounts:
//! the fstab at boot, a unit, or a hand.

use super::{file, reload};
use crate::error::Result;
use crate::host::{Attrs, HostView, MountEntry};
use crate::module::{Diff, Plan};
use crate::value::Value;
use std::path::Path;

/// The rule.
pub const RULE: &str = "/etc/udev/rules.d/60-lks-nfs-read-ahead.rules";

/// Sets that of a mount.
pub fn set(
    host: &dyn HostView,
    plan: &mut Plan,
    current: Option<&MountEntry>,
    kib: u64,
) -> Result<()> {
    // A mount that is only imagined (check mode) has no number yet.
    let Some(current) = current.filter(|c| !c.device.is_empty()) else {
        return Ok(());
    };
    let path = format!("/sys/class/bdi/{}/read_ahead_kb", current.device);
    let Some(bytes) = host.read(Path::new(&path))? else {
        let why = format!(
            "`{path}` is not there: the read-ahead of `{}` stays as it is",
            current.target
        );
        plan.returns.warnings.push(why);
        return Ok(());
    };
    let is = String::from_utf8_lossy(&bytes).trim().to_owned();
    plan.returns.set("read_ahead_kib", kib);
    if is != kib.to_string() {
        let (before, after) = (format!("{is}\n"), format!("{kib}\n"));
        plan.change(
            Diff::new(path.as_str(), before, after.as_str()),
            file(&path, &after, Attrs::default(), true),
        );
    }
    Ok(())
}

/// Keeps it.
pub fn keep(host: &dyn HostView, plan: &mut Plan, kib: u64) -> Result<()> {
    let text = rule(kib);
    let before = host.read(Path::new(RULE))?;
    if before.as_deref() == Some(text.as_bytes()) {
        return Ok(());
    }
    let folder = Path::new(RULE).parent().unwrap_or(Path::new("/"));
    if host.stat(folder)?.is_none() {
        let why =
            "this host has no udev: after the next mount its read-ahead is the kernel's again";
        plan.returns.warnings.push(why.into());
        return Ok(());
    }
    let before = before.map_or(Value::Null, |b| {
        String::from_utf8_lossy(&b).into_owned().into()
    });
    let attrs = Attrs {
        mode: Some(0o644),
        ..Attrs::default()
    };
    plan.change(
        Diff::new(RULE, before, text.as_str()),
        file(RULE, &text, attrs, false),
    );
    if host.which("udevadm")?.is_some() {
        reload(plan, &["udevadm", "control", "--reload"]);
    }
    Ok(())
}

/// `/proc/fs/nfsfs/volumes` has a line for every NFS file system, with its number between blanks; it is
/// there before udev is told.
fn rule(kib: u64) -> String {
    format!(
        "# Written by lks.llm.efs_mount: every NFS file system of this host reads {kib} KiB ahead.\n\
         SUBSYSTEM==\"bdi\", ACTION==\"add\", PROGRAM=\"/bin/grep -qs ' %k ' /proc/fs/nfsfs/volumes\", ATTR{{read_ahead_kb}}=\"{kib}\"\n"
    )
}
