//! Disks and their partitions, and how the host is known to storage networks.

use super::cx::{Cx, put};
use crate::value::{Map, Value};
use std::collections::{BTreeMap, HashMap};

/// Links of each device: `ids`, `uuids`, `labels`, and the devices made of it.
type Links = BTreeMap<&'static str, HashMap<String, Vec<String>>>;

pub fn collect(cx: &Cx<'_>, out: &mut Map) {
    let links = links(cx);
    let mut all = Map::new();
    for name in cx.list("/sys/block") {
        let facts = disk(cx, &name, &links);
        put(&mut all, &name, facts);
    }
    let mut shown = Map::new();
    for (kind, by_device) in &links {
        let mut names: Vec<&String> = by_device.keys().collect();
        names.sort();
        let mut map = Map::new();
        for name in names {
            put(&mut map, name, by_device[name].clone());
        }
        put(&mut shown, kind, map);
    }
    put(out, "devices", all);
    put(out, "device_links", shown);
}

fn links(cx: &Cx<'_>) -> Links {
    let mut out = Links::new();
    for (kind, dir) in [
        ("ids", "/dev/disk/by-id"),
        ("uuids", "/dev/disk/by-uuid"),
        ("labels", "/dev/disk/by-label"),
    ] {
        let by_device = out.entry(kind).or_default();
        for name in cx.list(dir) {
            if let Some(device) = cx.link_name(format!("{dir}/{name}")) {
                by_device.entry(device).or_default().push(name);
            }
        }
    }
    let masters = out.entry("masters").or_default();
    for name in cx.list("/sys/block") {
        for slave in cx.list(format!("/sys/block/{name}/slaves")) {
            masters.entry(slave).or_default().push(name.clone());
        }
    }
    out
}

fn links_of(links: &Links, device: &str) -> Map {
    let mut map = Map::new();
    for (kind, by_device) in links {
        put(
            &mut map,
            kind,
            by_device.get(device).cloned().unwrap_or_default(),
        );
    }
    map
}

fn disk(cx: &Cx<'_>, name: &str, links: &Links) -> Map {
    let base = format!("/sys/block/{name}");
    let read = |file: &str| cx.word(format!("{base}/{file}"));
    let mut facts = Map::new();
    let is_virtual = cx
        .link(&base)
        .is_some_and(|t| t.to_string_lossy().contains("/virtual/"));
    put(&mut facts, "virtual", i64::from(is_virtual));
    put(&mut facts, "links", links_of(links, name));
    // An empty loop device or RAM disk has nothing else to tell, and hosts have many of them.
    if is_virtual && cx.number(format!("{base}/size")) == Some(0) {
        put_sizes(&mut facts, 0, 512);
        put(&mut facts, "holders", Vec::<Value>::new());
        put(&mut facts, "partitions", Map::new());
        return facts;
    }
    for key in ["vendor", "model"] {
        put(&mut facts, key, read(&format!("device/{key}")));
    }
    for key in ["sas_address", "sas_device_handle"] {
        put(&mut facts, key, Value::Null);
    }
    if let Some(serial) = read("device/serial").or_else(|| read("serial")) {
        put(&mut facts, "serial", serial);
    }
    if let Some(wwn) = read("device/wwid").or_else(|| read("wwid")) {
        put(&mut facts, "wwn", wwn);
    }
    put(&mut facts, "removable", read("removable"));
    put(
        &mut facts,
        "support_discard",
        read("queue/discard_granularity"),
    );
    put(&mut facts, "rotational", read("queue/rotational"));
    let scheduler = read("queue/scheduler").unwrap_or_default();
    let mode = scheduler
        .split_once('[')
        .and_then(|(_, rest)| rest.split_once(']'));
    put(
        &mut facts,
        "scheduler_mode",
        mode.map_or("", |(mode, _)| mode),
    );
    let sector = cx
        .number(format!("{base}/queue/logical_block_size"))
        .unwrap_or(512);
    put_size(cx, &mut facts, &base, sector);
    put(&mut facts, "host", "");
    put(&mut facts, "holders", cx.list(format!("{base}/holders")));
    let mut partitions = Map::new();
    for part in cx.list(&base).into_iter().filter(|p| p.starts_with(name)) {
        let path = format!("{base}/{part}");
        if let Some(start) = cx.word(format!("{path}/start")) {
            let mut one = Map::new();
            put(&mut one, "links", links_of(links, &part));
            put(&mut one, "start", start);
            put_size(cx, &mut one, &path, sector);
            let uuid = links["uuids"].get(&part).and_then(|u| u.first().cloned());
            put(&mut one, "uuid", uuid);
            put(&mut one, "holders", cx.list(format!("{path}/holders")));
            put(&mut partitions, &part, one);
        }
    }
    put(&mut facts, "partitions", partitions);
    facts
}

/// The kernel counts in pieces of 512 bytes, whatever the sector's size.
fn put_size(cx: &Cx<'_>, facts: &mut Map, path: &str, sector: i64) {
    put_sizes(
        facts,
        cx.number(format!("{path}/size")).unwrap_or(0),
        sector,
    );
}

fn put_sizes(facts: &mut Map, pieces: i64, sector: i64) {
    put(facts, "sectors", pieces.to_string());
    put(facts, "sectorsize", sector.to_string());
    put(facts, "size", human(pieces.saturating_mul(512)));
}

/// `8.00 GB`, in powers of 1024.
fn human(bytes: i64) -> String {
    let units = [("TB", 40), ("GB", 30), ("MB", 20), ("KB", 10)];
    match units.into_iter().find(|(_, shift)| bytes >= 1 << shift) {
        Some((unit, shift)) => format!("{:.2} {unit}", bytes as f64 / (1_i64 << shift) as f64),
        None => format!("{:.2} Bytes", bytes as f64),
    }
}

/// Names of the host in iSCSI, NVMe and Fibre Channel.
pub fn initiators(cx: &Cx<'_>, out: &mut Map) {
    let text = cx
        .text("/etc/iscsi/initiatorname.iscsi")
        .unwrap_or_default();
    let name = text.lines().find_map(|l| l.strip_prefix("InitiatorName="));
    put(out, "iscsi_iqn", name.unwrap_or_default().trim());
    put(
        out,
        "hostnqn",
        cx.word("/etc/nvme/hostnqn").unwrap_or_default(),
    );
    let ports: Vec<String> = cx
        .list("/sys/class/fc_host")
        .iter()
        .filter_map(|h| cx.word(format!("/sys/class/fc_host/{h}/port_name")))
        .map(|p| p.trim_start_matches("0x").to_string())
        .collect();
    put(out, "fibre_channel_wwn", ports);
}
