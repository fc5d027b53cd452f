//! SELinux, AppArmor, FIPS.

use super::cx::{Cx, assignments, put};
use crate::value::Map;

pub fn apparmor(cx: &Cx<'_>, out: &mut Map) {
    let on = cx.exists("/sys/kernel/security/apparmor");
    let mut facts = Map::new();
    put(
        &mut facts,
        "status",
        if on { "enabled" } else { "disabled" },
    );
    put(out, "apparmor", facts);
}

pub fn fips(cx: &Cx<'_>, out: &mut Map) {
    let on = cx
        .word("/proc/sys/crypto/fips_enabled")
        .is_some_and(|v| v == "1");
    put(out, "fips", on);
}

pub fn selinux(cx: &Cx<'_>, out: &mut Map) {
    let mut facts = Map::new();
    let enforce = cx.word("/sys/fs/selinux/enforce");
    put(out, "selinux_python_present", true);
    let Some(enforce) = enforce else {
        put(&mut facts, "status", "disabled");
        put(out, "selinux", facts);
        return;
    };
    put(&mut facts, "status", "enabled");
    let version = cx.number("/sys/fs/selinux/policyvers");
    put(&mut facts, "policyvers", version);
    put(
        &mut facts,
        "mode",
        if enforce == "1" {
            "enforcing"
        } else {
            "permissive"
        },
    );
    let config = assignments(&cx.text("/etc/selinux/config").unwrap_or_default());
    for (key, name) in [("SELINUX", "config_mode"), ("SELINUXTYPE", "type")] {
        let value = config
            .iter()
            .find(|(k, _)| k == key)
            .map(|(_, v)| v.as_str());
        put(&mut facts, name, value.unwrap_or("unknown"));
    }
    put(out, "selinux", facts);
}
