//! Mounted file systems and their sizes.

use super::cx::{Cx, put};
use crate::host::{MountEntry, Space};
use crate::value::{Map, Value};
use std::collections::HashMap;
use std::path::Path;

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
            let space = if is_remote(m) {
                None
            } else {
                cx.host.space(Path::new(&m.target))
            };
            if let Some(space) = space {
                put_size(&mut facts, &space);
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

fn put_size(facts: &mut Map, space: &Space) {
    let block = space.block;
    put(facts, "size_total", block * space.blocks);
    put(facts, "size_available", block * space.available);
    put(facts, "block_size", block);
    put(facts, "block_total", space.blocks);
    put(facts, "block_available", space.available);
    put(
        facts,
        "block_used",
        space.blocks.saturating_sub(space.available),
    );
    put(facts, "inode_total", space.inodes);
    put(facts, "inode_available", space.inodes_free);
    put(
        facts,
        "inode_used",
        space.inodes.saturating_sub(space.inodes_free),
    );
}
