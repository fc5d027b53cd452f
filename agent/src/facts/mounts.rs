//! Mounted file systems and their sizes.

use super::cx::{Cx, put};
use crate::host::{Command, MountEntry};
use crate::value::{Map, Value};
use std::collections::HashMap;
use std::time::Duration;

/// File systems of servers that may not answer: their size is not asked.
fn is_remote(entry: &MountEntry) -> bool {
    let kind = entry.fstype.as_str();
    kind.starts_with("nfs")
        || kind.starts_with("fuse")
        || matches!(
            kind,
            "cifs"
                | "smb3"
                | "smbfs"
                | "ceph"
                | "glusterfs"
                | "lustre"
                | "9p"
                | "afs"
                | "autofs"
                | "gfs2"
        )
        || entry.source.contains(":/")
}

pub fn collect(cx: &Cx<'_>, out: &mut Map) {
    let mounts: Vec<MountEntry> = cx
        .host
        .mounts()
        .unwrap_or_default()
        .into_iter()
        .filter(|m| {
            m.fstype != "none" && (m.source.starts_with(['/', '\\']) || m.source.contains(":/"))
        })
        .collect();
    let sizes = sizes(cx, &mounts);
    let uuids = by_link(cx, "/dev/disk/by-uuid");
    let all: Vec<Value> = mounts
        .iter()
        .map(|m| {
            let mut facts = Map::new();
            put(&mut facts, "mount", m.target.as_str());
            put(&mut facts, "device", m.source.as_str());
            put(&mut facts, "fstype", m.fstype.as_str());
            put(&mut facts, "options", m.options.as_str());
            put(&mut facts, "dump", 0);
            put(&mut facts, "passno", 0);
            if let Some(size) = sizes.get(m.target.as_str()) {
                put_size(&mut facts, size);
            }
            let name = m.source.rsplit('/').next().unwrap_or_default();
            put(
                &mut facts,
                "uuid",
                uuids.get(name).map_or("N/A", String::as_str),
            );
            facts.into()
        })
        .collect();
    put(out, "mounts", Value::list(all));
}

/// Names of devices by what a folder of symlinks to them calls them.
fn by_link(cx: &Cx<'_>, dir: &str) -> HashMap<String, String> {
    cx.list(dir)
        .into_iter()
        .filter_map(|name| Some((cx.link_name(format!("{dir}/{name}"))?, name)))
        .collect()
}

/// Asks for the sizes of all local file systems at once, and not for long.
fn sizes(cx: &Cx<'_>, mounts: &[MountEntry]) -> HashMap<String, [u64; 5]> {
    let local = mounts
        .iter()
        .filter(|m| !is_remote(m))
        .map(|m| m.target.as_str());
    let words = ["stat", "-f", "-c", "%S %b %a %c %d %n", "--"];
    let argv: Vec<&str> = words.into_iter().chain(local).collect();
    if argv.len() == words.len() {
        return HashMap::new();
    }
    let mut command = Command::new(argv);
    command.timeout = Some(Duration::from_secs(2));
    let output = cx.host.query(&command).map(|o| o.out()).unwrap_or_default();
    output.lines().filter_map(size_line).collect()
}

fn size_line(line: &str) -> Option<(String, [u64; 5])> {
    let mut words = line.splitn(6, ' ');
    let mut numbers = [0; 5];
    for number in &mut numbers {
        *number = words.next()?.parse().ok()?;
    }
    Some((words.next()?.into(), numbers))
}

fn put_size(facts: &mut Map, [block, total, available, inodes, inodes_free]: &[u64; 5]) {
    put(facts, "size_total", block * total);
    put(facts, "size_available", block * available);
    put(facts, "block_size", *block);
    put(facts, "block_total", *total);
    put(facts, "block_available", *available);
    put(facts, "block_used", total.saturating_sub(*available));
    put(facts, "inode_total", *inodes);
    put(facts, "inode_available", *inodes_free);
    put(facts, "inode_used", inodes.saturating_sub(*inodes_free));
}
