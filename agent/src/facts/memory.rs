//! Memory and swap.

use super::cx::{Cx, put};
use crate::value::Map;

pub fn collect(cx: &Cx<'_>, out: &mut Map) {
    let Some(text) = cx.text("/proc/meminfo") else {
        return;
    };
    let mb = |name: &str| -> i64 {
        let line = text
            .lines()
            .find_map(|l| l.strip_prefix(name)?.strip_prefix(':'));
        let kb = line.and_then(|l| l.split_whitespace().next()?.parse::<i64>().ok());
        kb.unwrap_or(0) / 1024
    };
    let (total, free) = (mb("MemTotal"), mb("MemFree"));
    let (swap, swap_free) = (mb("SwapTotal"), mb("SwapFree"));
    let cached = mb("Cached") + mb("Buffers");
    put(out, "memtotal_mb", total);
    put(out, "memfree_mb", free);
    put(out, "swaptotal_mb", swap);
    put(out, "swapfree_mb", swap_free);
    let group = |pairs: &[(&str, i64)]| {
        let mut map = Map::new();
        for (name, value) in pairs {
            put(&mut map, name, *value);
        }
        map
    };
    let mut all = Map::new();
    put(
        &mut all,
        "real",
        group(&[("total", total), ("used", total - free), ("free", free)]),
    );
    put(
        &mut all,
        "nocache",
        group(&[("free", free + cached), ("used", total - free - cached)]),
    );
    let swap_cached = mb("SwapCached");
    put(
        &mut all,
        "swap",
        group(&[
            ("total", swap),
            ("free", swap_free),
            ("used", swap - swap_free),
            ("cached", swap_cached),
        ]),
    );
    put(out, "memory_mb", all);
}
