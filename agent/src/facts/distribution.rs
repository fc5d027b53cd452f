//! Which Linux it is.

use super::cx::{Cx, assignments, put};
use crate::value::Map;
use std::collections::HashMap;

/// `ID` of os-release, Ansible's name of the distribution, its family.
const DISTRIBUTIONS: &[(&str, &str, &str)] = &[
    ("almalinux", "AlmaLinux", "RedHat"),
    ("alpine", "Alpine", "Alpine"),
    ("amzn", "Amazon", "RedHat"),
    ("arch", "Archlinux", "Archlinux"),
    ("centos", "CentOS", "RedHat"),
    ("debian", "Debian", "Debian"),
    ("devuan", "Devuan", "Debian"),
    ("fedora", "Fedora", "RedHat"),
    ("flatcar", "Flatcar", "Flatcar"),
    ("gentoo", "Gentoo", "Gentoo"),
    ("kali", "Kali", "Debian"),
    ("linuxmint", "Linux Mint", "Debian"),
    ("manjaro", "Manjaro", "Archlinux"),
    ("neon", "KDE neon", "Debian"),
    ("ol", "OracleLinux", "RedHat"),
    ("openEuler", "openEuler", "RedHat"),
    ("opensuse-leap", "openSUSE Leap", "Suse"),
    ("opensuse-tumbleweed", "openSUSE Tumbleweed", "Suse"),
    ("parrot", "Parrot", "Debian"),
    ("pop", "Pop!_OS", "Debian"),
    ("raspbian", "Debian", "Debian"),
    ("rhel", "RedHat", "RedHat"),
    ("rocky", "Rocky", "RedHat"),
    ("sled", "SLED", "Suse"),
    ("sles", "SLES", "Suse"),
    ("ubuntu", "Ubuntu", "Debian"),
];

fn os_release(cx: &Cx<'_>) -> (HashMap<String, String>, &'static str) {
    for path in ["/etc/os-release", "/usr/lib/os-release"] {
        if let Some(text) = cx.text(path) {
            return (assignments(&text).into_iter().collect(), path);
        }
    }
    (HashMap::new(), "/etc/os-release")
}

pub fn collect(cx: &Cx<'_>, out: &mut Map) {
    let (release, path) = os_release(cx);
    let get = |key: &str| release.get(key).map(String::as_str).unwrap_or_default();
    let id = get("ID");
    let known = DISTRIBUTIONS.iter().find(|(i, ..)| *i == id);
    let name = known.map_or(
        if id.is_empty() {
            "OtherLinux"
        } else {
            get("NAME")
        },
        |k| k.1,
    );
    let like = get("ID_LIKE");
    let family = match known {
        Some((_, _, family)) => family,
        None if like.contains("debian") || like.contains("ubuntu") => "Debian",
        None if like.contains("rhel") || like.contains("fedora") => "RedHat",
        None if like.contains("suse") => "Suse",
        None => name,
    };
    let version = version(cx, id, get("VERSION_ID"));
    let mut parts = version.split('.');
    let major = parts.next().unwrap_or_default().to_string();
    let codename = [get("VERSION_CODENAME"), get("UBUNTU_CODENAME")]
        .into_iter()
        .find(|c| !c.is_empty())
        .unwrap_or("NA");
    put(out, "distribution", name);
    put(out, "distribution_version", version.as_str());
    put(out, "distribution_major_version", major);
    put(out, "distribution_release", codename);
    if let Some(minor) = parts
        .next()
        .filter(|_| matches!(name, "Debian" | "CentOS" | "Amazon"))
    {
        put(out, "distribution_minor_version", minor);
    }
    put(out, "distribution_file_path", path);
    put(out, "distribution_file_variety", family);
    put(out, "distribution_file_parsed", true);
    put(out, "os_family", family);
}

/// Debian's own file has the point release, where it is not a name such as `trixie/sid`.
fn version(cx: &Cx<'_>, id: &str, os_release: &str) -> String {
    if id == "debian"
        && let Some(point) = cx.word("/etc/debian_version")
        && point.starts_with(|c: char| c.is_ascii_digit())
    {
        return point;
    }
    match os_release {
        "" => "NA".into(),
        version => version.into(),
    }
}

/// What `lsb_release` would say, which reads the same files.
pub fn lsb(cx: &Cx<'_>, out: &mut Map) {
    let mut facts = Map::new();
    let file: HashMap<String, String> = cx
        .text("/etc/lsb-release")
        .map(|text| assignments(&text).into_iter().collect())
        .unwrap_or_default();
    let (release, _) = os_release(cx);
    let has_program = cx.exists("/usr/bin/lsb_release");
    if !file.is_empty() || has_program {
        for (name, ours, theirs) in [
            ("id", "DISTRIB_ID", "NAME"),
            ("description", "DISTRIB_DESCRIPTION", "PRETTY_NAME"),
            ("release", "DISTRIB_RELEASE", "VERSION_ID"),
            ("codename", "DISTRIB_CODENAME", "VERSION_CODENAME"),
        ] {
            if let Some(value) = file.get(ours).or_else(|| release.get(theirs)) {
                // `NAME="Debian GNU/Linux"`
                let value = if name == "id" {
                    value.split(' ').next().unwrap_or(value)
                } else {
                    value
                };
                put(&mut facts, name, value);
            }
        }
        if let Some(major) = facts
            .get("release")
            .and_then(|r| r.as_str()?.split('.').next().map(String::from))
        {
            put(&mut facts, "major_release", major);
        }
    }
    put(out, "lsb", facts);
}
