//! Processors.

use super::cx::{Cx, put};
use crate::value::{Map, Value};
use std::collections::BTreeMap;

pub fn collect(cx: &Cx<'_>, out: &mut Map) {
    let Some(text) = cx.text("/proc/cpuinfo") else {
        return;
    };
    let mut list: Vec<Value> = Vec::new();
    // Cores of each socket, and how many threads share one.
    let mut sockets: BTreeMap<String, u64> = BTreeMap::new();
    let (mut siblings, mut cores, mut threads) = (0_u64, 0_u64, 0_u64);
    let mut socket = String::new();
    for line in text.lines() {
        let Some((key, value)) = line.split_once(':') else {
            continue;
        };
        let value = value.trim();
        match key.trim() {
            "processor" if value.starts_with(|c: char| c.is_ascii_digit()) => {
                threads += 1;
                list.push(value.into());
            }
            "vendor_id" | "model name" | "Processor" | "vendor" | "cpu" => list.push(value.into()),
            "physical id" => {
                socket = value.into();
                sockets.entry(socket.clone()).or_insert(1);
            }
            "cpu cores" => {
                cores = value.parse().unwrap_or(1);
                sockets.insert(socket.clone(), cores);
            }
            "siblings" => siblings = value.parse().unwrap_or(0),
            _ => {}
        }
    }
    put(out, "processor", Value::list(list));
    // Where the kernel does not tell sockets (ARM), every processor counts as one.
    let (count, per_socket, per_core) = if sockets.is_empty() {
        (threads.max(1), 1, 1)
    } else {
        let first = sockets.values().next().copied().unwrap_or(1).max(1);
        let per_core = u64::max(siblings.checked_div(cores).unwrap_or(1), 1);
        (sockets.len() as u64, first, per_core)
    };
    put(out, "processor_count", count);
    put(out, "processor_cores", per_socket);
    put(out, "processor_threads_per_core", per_core);
    put(out, "processor_vcpus", per_core * count * per_socket);
    put(out, "processor_nproc", usable(cx).unwrap_or(threads.max(1)));
}

/// Processors that this process may run on.
fn usable(cx: &Cx<'_>) -> Option<u64> {
    let status = cx.text("/proc/self/status")?;
    let list = status
        .lines()
        .find_map(|l| l.strip_prefix("Cpus_allowed_list:"))?;
    let mut count = 0;
    for part in list.trim().split(',') {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        count += to.parse::<u64>().ok()?.checked_sub(from.parse().ok()?)? + 1;
    }
    Some(count)
}
