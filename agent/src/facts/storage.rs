//! What models lie on, as `lks_storage`: file systems with their options, read-ahead and room, and disks
//! with what EC2 says that they are.

use super::cx::{Cx, put};
use crate::host::{MountEntry, Space};
use crate::module::llm::share::{Health, is_remote};
use crate::value::{Map, Value};
use std::path::Path;
use std::time::Duration;

/// How long a server may take to say how large its file system is.
const GLANCE: Duration = Duration::from_secs(3);
const GIB: f64 = (1_u64 << 30) as f64;
/// Disks that only exist in memory, or stand for others.
const NO_DISKS: &[&str] = &["loop", "ram", "zram", "sr", "fd", "nbd"];

pub fn collect(cx: &Cx<'_>, out: &mut Map) {
    let mounts = cx.host.mounts().unwrap_or_default();
    let counts = |m: &&MountEntry| is_remote(m) || m.source.starts_with("/dev/");
    let mounts: Vec<Value> = mounts.iter().filter(counts).map(|m| mount(cx, m)).collect();
    let names = cx.list("/sys/block");
    let is_disk = |name: &&String| !NO_DISKS.iter().any(|n| name.starts_with(n));
    let disks: Vec<Value> = names
        .iter()
        .filter(is_disk)
        .map(|name| disk(cx, name))
        .collect();
    let mut facts = Map::new();
    put(&mut facts, "mounts", Value::list(mounts));
    put(&mut facts, "disks", Value::list(disks));
    put(out, "lks_storage", facts);
}

fn mount(cx: &Cx<'_>, entry: &MountEntry) -> Value {
    let mut facts = Map::new();
    for (name, text) in [
        ("path", &entry.target),
        ("source", &entry.source),
        ("fstype", &entry.fstype),
        ("options", &entry.options),
    ] {
        put(&mut facts, name, text.as_str());
    }
    let remote = is_remote(entry);
    put(&mut facts, "remote", remote);
    let ahead = cx.number(format!("/sys/class/bdi/{}/read_ahead_kb", entry.device));
    if let Some(kib) = ahead.filter(|_| !entry.device.is_empty()) {
        put(&mut facts, "read_ahead_kib", kib);
    }
    let space = match remote {
        false => cx.host.space(Path::new(&entry.target)),
        true => {
            let health = Health::of(cx.host, &entry.target, GLANCE);
            let space = match health {
                Ok(Health::Answers(space)) => Some(space),
                _ => None,
            };
            put(&mut facts, "answers", space.is_some());
            space
        }
    };
    if let Some(space) = space {
        put_room(&mut facts, &space);
    }
    facts.into()
}

fn put_room(facts: &mut Map, space: &Space) {
    let gib = |blocks: u64| (space.block as f64 * blocks as f64 / GIB * 100.0).round() / 100.0;
    put(facts, "size_gib", gib(space.blocks));
    put(facts, "free_gib", gib(space.available));
}

fn disk(cx: &Cx<'_>, name: &str) -> Value {
    let base = format!("/sys/block/{name}");
    let mut facts = Map::new();
    put(&mut facts, "name", name);
    let model = cx.word(format!("{base}/device/model"));
    // The models of NVMe devices on EC2 (User Guide, "NVMe on Linux instances").
    let kind = match model.as_deref() {
        Some(m) if m.contains("Instance Storage") => Some("instance_store"),
        Some(m) if m.contains("Elastic Block Store") => Some("ebs"),
        _ => None,
    };
    if let Some(kind) = kind {
        put(&mut facts, "kind", kind);
    }
    if let Some(model) = model {
        put(&mut facts, "model", model);
    }
    if let Some(sectors) = cx.number(format!("{base}/size")) {
        put(
            &mut facts,
            "size_gib",
            (sectors as f64 * 512.0 / GIB * 100.0).round() / 100.0,
        );
    }
    if let Some(kib) = cx.number(format!("{base}/queue/read_ahead_kb")) {
        put(&mut facts, "read_ahead_kib", kib);
    }
    if let Some(rotates) = cx.number(format!("{base}/queue/rotational")) {
        put(&mut facts, "rotational", rotates == 1);
    }
    if let Some(text) = cx.word(format!("{base}/queue/scheduler")) {
        let chosen = text
            .split_once('[')
            .and_then(|(_, rest)| rest.split_once(']'));
        put(
            &mut facts,
            "scheduler",
            chosen.map_or(text.as_str(), |(one, _)| one),
        );
    }
    facts.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::FakeHost;

    #[test]
    fn shares_and_disks_are_told_with_what_matters_for_models() {
        let host = FakeHost::new()
            .with_mount(
                "10.0.0.5:/",
                "/share",
                "nfs4",
                "rw,vers=4.1,hard,noresvport",
            )
            .with_mount("10.0.0.6:/", "/dead", "nfs4", "rw")
            .with_mount("tmpfs", "/run", "tmpfs", "rw")
            .with_file("/sys/class/bdi/0:40/read_ahead_kb", "128\n")
            .answering(
                &["stat", "--file-system", "--format=%S %b %a %c %d", "/share"],
                "1048576 8192 2048 0 0\n",
            )
            .with_file(
                "/sys/block/nvme1n1/device/model",
                "Amazon EC2 NVMe Instance Storage        \n",
            )
            .with_file("/sys/block/nvme1n1/size", "1835008000\n")
            .with_file("/sys/block/nvme1n1/queue/rotational", "0\n")
            .with_file("/sys/block/nvme1n1/queue/scheduler", "[none] mq-deadline\n")
            .with_file("/sys/block/loop0/size", "0\n");
        let mut out = Map::new();
        collect(&Cx::new(&host, "/none"), &mut out);
        let want = serde_json::json!({
            "mounts": [
                {"path": "/share", "source": "10.0.0.5:/", "fstype": "nfs4",
                 "options": "rw,vers=4.1,hard,noresvport", "remote": true, "read_ahead_kib": 128,
                 "answers": true, "size_gib": 8.0, "free_gib": 2.0},
                {"path": "/dead", "source": "10.0.0.6:/", "fstype": "nfs4", "options": "rw", "remote": true,
                 "answers": false},
            ],
            "disks": [
                {"name": "nvme1n1", "kind": "instance_store", "model": "Amazon EC2 NVMe Instance Storage",
                 "size_gib": 875.0, "rotational": false, "scheduler": "none"},
            ],
        });
        assert_eq!(Value::from(out).to_json()["lks_storage"], want);
    }
}
