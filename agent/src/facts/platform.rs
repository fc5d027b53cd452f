//! Kernel, machine and names.

use super::cx::{Cx, put};
use crate::value::Map;

pub fn collect(cx: &Cx<'_>, out: &mut Map) {
    let kernel = |name: &str| cx.word(format!("/proc/sys/kernel/{name}"));
    put(out, "system", "Linux");
    put(out, "kernel", kernel("osrelease"));
    put(out, "kernel_version", kernel("version"));
    // The kernel says its architecture since 6.1; before, this program's own is taken.
    let machine = kernel("arch").unwrap_or_else(|| std::env::consts::ARCH.into());
    put(out, "machine", machine.as_str());
    put(out, "userspace_bits", "64");
    put(out, "userspace_architecture", machine.as_str());
    put(out, "architecture", machine);
    let node = kernel("hostname").unwrap_or_else(|| "localhost".into());
    let full = full_name(cx, &node);
    let domain = full.split_once('.').map_or("", |(_, domain)| domain);
    put(out, "hostname", node.split('.').next().unwrap_or(&node));
    put(out, "domain", domain);
    put(out, "fqdn", full.as_str());
    put(out, "nodename", node);
    let id = cx
        .word("/etc/machine-id")
        .or_else(|| cx.word("/var/lib/dbus/machine-id"));
    put(out, "machine_id", id);
}

/// As the resolver finds it in the host's own table: the first name with a dot among those of the
/// line that names the host. Servers are not asked: that could take seconds.
fn full_name(cx: &Cx<'_>, node: &str) -> String {
    if node.contains('.') {
        return node.into();
    }
    for line in cx.text("/etc/hosts").unwrap_or_default().lines() {
        let text = line.split('#').next().unwrap_or_default();
        let names: Vec<&str> = text.split_whitespace().skip(1).collect();
        if names.iter().any(|n| n.eq_ignore_ascii_case(node)) {
            let full = names.iter().find(|n| n.contains('.'));
            return (*full.unwrap_or(&node)).into();
        }
    }
    node.into()
}

/// Whether `/` is another one than that of the first process.
pub fn chroot(cx: &Cx<'_>, out: &mut Map) {
    let ours = cx.stat("/");
    let is_chroot = match (&ours, cx.stat("/proc/1/root/.")) {
        (Some(a), Some(b)) => a.inode != b.inode || a.device != b.device,
        // Roots of ext4 and XFS have these numbers.
        (Some(a), None) => !matches!(a.inode, 2 | 128 | 256),
        _ => false,
    };
    put(
        out,
        "is_chroot",
        is_chroot || cx.host.env("debian_chroot").is_some_and(|v| !v.is_empty()),
    );
}

pub fn loadavg(cx: &Cx<'_>, out: &mut Map) {
    let text = cx.text("/proc/loadavg").unwrap_or_default();
    let mut facts = Map::new();
    for (name, word) in ["1m", "5m", "15m"].into_iter().zip(text.split_whitespace()) {
        if let Ok(load) = word.parse::<f64>() {
            put(&mut facts, name, load);
        }
    }
    put(out, "loadavg", facts);
}

pub fn uptime(cx: &Cx<'_>, out: &mut Map) {
    let text = cx.text("/proc/uptime").unwrap_or_default();
    let seconds = text
        .split_whitespace()
        .next()
        .and_then(|w| w.parse::<f64>().ok());
    if let Some(seconds) = seconds {
        put(out, "uptime_seconds", seconds as i64);
    }
}
