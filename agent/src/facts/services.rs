//! Which programs manage services and packages.

use super::cx::{Cx, put};
use crate::value::Map;

pub fn service_mgr(cx: &Cx<'_>, out: &mut Map) {
    let first = cx.word("/proc/1/comm").unwrap_or_default();
    let manager = if cx.exists("/run/systemd/system") || first == "systemd" {
        "systemd"
    } else if matches!(
        first.as_str(),
        "runit" | "svscan" | "s6-svscan" | "procd" | "upstart"
    ) {
        match first.as_str() {
            "runit" => "runit",
            "procd" => "procd",
            "upstart" => "upstart",
            _ => "svc",
        }
    } else if cx.exists("/sbin/openrc") || cx.exists("/usr/sbin/openrc") {
        "openrc"
    } else if cx.exists("/usr/bin/systemctl")
        && cx.link_name("/sbin/init").is_some_and(|n| n == "systemd")
    {
        "systemd"
    } else if cx.exists("/etc/init.d") {
        "sysvinit"
    } else {
        "service"
    };
    put(out, "service_mgr", manager);
}

/// Best first, where several are there.
const PACKAGE_MANAGERS: &[(&str, &str)] = &[
    ("/usr/bin/apt-get", "apt"),
    ("/usr/bin/dnf5", "dnf5"),
    ("/usr/bin/dnf-3", "dnf"),
    ("/usr/bin/dnf", "dnf"),
    ("/usr/bin/yum", "yum"),
    ("/usr/bin/zypper", "zypper"),
    ("/sbin/apk", "apk"),
    ("/usr/sbin/apk", "apk"),
    ("/usr/bin/pacman", "pacman"),
    ("/usr/bin/emerge", "portage"),
    ("/usr/sbin/urpmi", "urpmi"),
    ("/usr/bin/rpm-ostree", "atomic_container"),
];

pub fn pkg_mgr(cx: &Cx<'_>, out: &mut Map) {
    let found = PACKAGE_MANAGERS.iter().find(|(path, _)| cx.exists(path));
    put(out, "pkg_mgr", found.map_or("unknown", |(_, name)| name));
}
