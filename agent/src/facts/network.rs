//! Interfaces, their addresses, and where packets leave by default.
//!
//! The kernel's files name IPv4 addresses without their interfaces (`fib_trie`); the interface is the
//! one whose connected route holds the address, or the default route's where there is none (clouds
//! that hand out a single address without its network).

use super::cx::{Cx, put};
use crate::value::{Map, Value};
use std::net::{Ipv4Addr, Ipv6Addr};

/// An IPv4 route of `/proc/net/route`.
struct Route {
    interface: String,
    destination: u32,
    gateway: u32,
    mask: u32,
    metric: u32,
}

/// An IPv4 address on its interface.
struct V4 {
    interface: String,
    address: u32,
    mask: u32,
    broadcast: Option<u32>,
}

/// An IPv6 address on its interface.
struct V6 {
    interface: String,
    address: Ipv6Addr,
    prefix: u32,
    scope: &'static str,
}

pub fn collect(cx: &Cx<'_>, out: &mut Map) {
    let routes = routes(&cx.text("/proc/net/route").unwrap_or_default());
    let trie = cx.text("/proc/net/fib_trie").unwrap_or_default();
    let v4 = addresses(&trie, &routes);
    let v6 = addresses6(&cx.text("/proc/net/if_inet6").unwrap_or_default());
    let names = cx.list("/sys/class/net");
    let mut interfaces: Vec<(String, Map)> = Vec::new();
    for name in names
        .into_iter()
        .filter(|n| cx.exists(format!("/sys/class/net/{n}/ifindex")))
    {
        let mut facts = link(cx, &name);
        put_v4(&mut facts, v4.iter().filter(|a| a.interface == name));
        put_v6(&mut facts, v6.iter().filter(|a| a.interface == name));
        interfaces.push((name, facts));
    }
    let facts_of = |name: &str| interfaces.iter().find(|(n, _)| n == name).map(|(_, f)| f);
    put(out, "default_ipv4", default_v4(&routes, &v4, &facts_of));
    let routes6 = cx.text("/proc/net/ipv6_route").unwrap_or_default();
    put(out, "default_ipv6", default_v6(&routes6, &v6, &facts_of));
    let shown: Vec<String> = v4
        .iter()
        .map(|a| Ipv4Addr::from(a.address))
        .filter(|a| !a.is_loopback())
        .map(|a| a.to_string())
        .collect();
    put(out, "all_ipv4_addresses", shown);
    let shown: Vec<String> = v6
        .iter()
        .filter(|a| !a.address.is_loopback())
        .map(|a| a.address.to_string())
        .collect();
    put(out, "all_ipv6_addresses", shown);
    put(out, "locally_reachable_ips", reachable(&trie, &v6));
    let names: Vec<&str> = interfaces.iter().map(|(n, _)| n.as_str()).collect();
    put(out, "interfaces", names);
    for (name, facts) in interfaces {
        put(out, &name.replace('-', "_"), facts);
    }
}

/// What `/sys/class/net` tells.
fn link(cx: &Cx<'_>, name: &str) -> Map {
    let base = format!("/sys/class/net/{name}");
    let read = |file: &str| cx.word(format!("{base}/{file}"));
    let mut facts = Map::new();
    put(&mut facts, "device", name);
    if let Some(mac) = read("address").filter(|m| m != "00:00:00:00:00:00") {
        put(&mut facts, "macaddress", mac);
    }
    if let Some(mtu) = cx.number(format!("{base}/mtu")) {
        put(&mut facts, "mtu", mtu);
    }
    if let Some(state) = read("operstate") {
        put(&mut facts, "active", state != "down");
    }
    if let Some(module) = cx.link_name(format!("{base}/device/driver/module")) {
        put(&mut facts, "module", module);
    }
    if let Some(kind) = read("type") {
        put(
            &mut facts,
            "type",
            match kind.as_str() {
                "1" => "ether",
                "32" => "infiniband",
                "512" => "ppp",
                "772" => "loopback",
                "65534" => "tunnel",
                _ => "unknown",
            },
        );
    }
    let members = |dir: &str| cx.list(format!("{base}/{dir}"));
    if cx.exists(format!("{base}/bridge")) {
        put(&mut facts, "type", "bridge");
        put(&mut facts, "interfaces", members("brif"));
        put(
            &mut facts,
            "id",
            read("bridge/bridge_id").unwrap_or_default(),
        );
        put(
            &mut facts,
            "stp",
            read("bridge/stp_state").is_some_and(|s| s == "1"),
        );
    }
    if cx.exists(format!("{base}/bonding")) {
        let words = |file: &str| read(file).unwrap_or_default();
        let first = |file: &str| {
            words(file)
                .split(' ')
                .next()
                .unwrap_or_default()
                .to_string()
        };
        let slaves: Vec<String> = words("bonding/slaves")
            .split_whitespace()
            .map(String::from)
            .collect();
        put(&mut facts, "type", "bonding");
        put(&mut facts, "slaves", slaves);
        put(&mut facts, "mode", first("bonding/mode"));
        put(&mut facts, "miimon", first("bonding/miimon"));
        put(&mut facts, "lacp_rate", first("bonding/lacp_rate"));
        if let Some(primary) = read("bonding/primary") {
            put(&mut facts, "primary", primary);
        }
    }
    if let Some(pci) = cx.link_name(format!("{base}/device")) {
        put(&mut facts, "pciid", pci);
    }
    if let Some(speed) = cx.number(format!("{base}/speed")) {
        put(&mut facts, "speed", speed);
    }
    let flags =
        read("flags").and_then(|f| u32::from_str_radix(f.trim_start_matches("0x"), 16).ok());
    put(&mut facts, "promisc", flags.is_some_and(|f| f & 0x100 != 0));
    facts
}

fn dotted(bits: u32) -> String {
    Ipv4Addr::from(bits).to_string()
}

fn describe(address: &V4) -> Map {
    let mut facts = Map::new();
    let broadcast = address.broadcast.map(dotted).unwrap_or_default();
    put(&mut facts, "address", dotted(address.address));
    put(&mut facts, "broadcast", broadcast);
    put(&mut facts, "netmask", dotted(address.mask));
    put(
        &mut facts,
        "network",
        dotted(address.address & address.mask),
    );
    put(&mut facts, "prefix", address.mask.count_ones().to_string());
    facts
}

fn put_v4<'a>(facts: &mut Map, mut addresses: impl Iterator<Item = &'a V4>) {
    if let Some(first) = addresses.next() {
        put(facts, "ipv4", describe(first));
    }
    let more: Vec<Value> = addresses.map(|a| describe(a).into()).collect();
    if !more.is_empty() {
        put(facts, "ipv4_secondaries", Value::list(more));
    }
}

fn put_v6<'a>(facts: &mut Map, addresses: impl Iterator<Item = &'a V6>) {
    let all: Vec<Value> = addresses
        .map(|a| {
            let mut one = Map::new();
            put(&mut one, "address", a.address.to_string());
            put(&mut one, "prefix", a.prefix.to_string());
            put(&mut one, "scope", a.scope);
            one.into()
        })
        .collect();
    if !all.is_empty() {
        put(facts, "ipv6", Value::list(all));
    }
}

fn default_v4<'a>(
    routes: &[Route],
    addresses: &[V4],
    facts_of: &dyn Fn(&str) -> Option<&'a Map>,
) -> Map {
    let mut facts = Map::new();
    let Some(route) = default_route(routes) else {
        return facts;
    };
    put(&mut facts, "gateway", dotted(route.gateway));
    put(&mut facts, "interface", route.interface.as_str());
    let on_it = || addresses.iter().filter(|a| a.interface == route.interface);
    let near = on_it().find(|a| a.address & a.mask == route.gateway & a.mask);
    if let Some(address) = near.or_else(|| on_it().next()) {
        facts.extend(describe(address));
    }
    finish_default(&mut facts, facts_of(&route.interface), &route.interface);
    facts
}

/// What both defaults repeat of their interface.
fn finish_default(facts: &mut Map, link: Option<&Map>, interface: &str) {
    for name in ["macaddress", "mtu", "type"] {
        if let Some(value) = link.and_then(|f| f.get(name)) {
            put(facts, name, value.clone());
        }
    }
    if facts.contains_key("broadcast") {
        put(facts, "alias", interface);
    }
}

fn default_route(routes: &[Route]) -> Option<&Route> {
    routes
        .iter()
        .filter(|r| r.destination == 0 && r.mask == 0)
        .min_by_key(|r| r.metric)
}

fn default_v6<'a>(text: &str, addresses: &[V6], facts_of: &dyn Fn(&str) -> Option<&'a Map>) -> Map {
    let mut facts = Map::new();
    // Destination, its prefix, source, its prefix, next hop, metric, uses, count, flags, interface.
    let best = text
        .lines()
        .map(|l| l.split_whitespace().collect::<Vec<_>>())
        .filter(|f| {
            f.len() == 10 && f[1] == "00" && f[0].bytes().all(|b| b == b'0') && f[9] != "lo"
        })
        .filter(|f| u32::from_str_radix(f[8], 16).is_ok_and(|flags| flags & 1 != 0))
        .min_by_key(|f| u32::from_str_radix(f[5], 16).unwrap_or(u32::MAX));
    let Some(fields) = best else {
        return facts;
    };
    if let Some(gateway) = address6(fields[4]).filter(|a| !a.is_unspecified()) {
        put(&mut facts, "gateway", gateway.to_string());
    }
    put(&mut facts, "interface", fields[9]);
    let address = addresses
        .iter()
        .find(|a| a.interface == fields[9] && a.scope == "global");
    if let Some(address) = address {
        put(&mut facts, "address", address.address.to_string());
        put(&mut facts, "prefix", address.prefix.to_string());
        put(&mut facts, "scope", address.scope);
    }
    finish_default(&mut facts, facts_of(fields[9]), fields[9]);
    facts
}

fn routes(text: &str) -> Vec<Route> {
    let read = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let bits = |at: usize| {
            u32::from_str_radix(fields.get(at)?, 16)
                .ok()
                .map(u32::swap_bytes)
        };
        Some(Route {
            interface: (*fields.first()?).into(),
            destination: bits(1)?,
            gateway: bits(2)?,
            metric: fields.get(6)?.parse().ok()?,
            mask: bits(7)?,
        })
    };
    text.lines().skip(1).filter_map(read).collect()
}

/// The entries of one kind in `fib_trie`: address and prefix.
fn entries(trie: &str, kind: &str) -> Vec<(u32, u32)> {
    let mut out = Vec::new();
    let mut leaf = None;
    for line in trie.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.parse::<Ipv4Addr>().ok();
        } else if let Some(rest) = line.strip_prefix('/')
            && let Some(address) = leaf
            && rest.split_whitespace().last() == Some(kind)
            && let Some(prefix) = rest.split_whitespace().next().and_then(|p| p.parse().ok())
            && !out.contains(&(u32::from(address), prefix))
        {
            out.push((u32::from(address), prefix));
        }
    }
    out
}

fn addresses(trie: &str, routes: &[Route]) -> Vec<V4> {
    let broadcasts: Vec<u32> = entries(trie, "BROADCAST")
        .into_iter()
        .map(|(a, _)| a)
        .collect();
    let local = entries(trie, "LOCAL").into_iter().filter(|(_, p)| *p == 32);
    local
        .filter_map(|(address, _)| {
            if Ipv4Addr::from(address).is_loopback() {
                let mask = 0xff00_0000;
                let interface = "lo".into();
                return Some(V4 {
                    interface,
                    address,
                    mask,
                    broadcast: None,
                });
            }
            let connected = routes
                .iter()
                .filter(|r| r.gateway == 0 && r.mask != 0 && address & r.mask == r.destination)
                .max_by_key(|r| r.mask.count_ones());
            let (route, mask) = match connected {
                Some(route) => (route, route.mask),
                None => (default_route(routes)?, u32::MAX),
            };
            Some(V4 {
                interface: route.interface.clone(),
                address,
                mask,
                broadcast: broadcasts
                    .iter()
                    .copied()
                    .find(|b| *b == address | !mask && mask != u32::MAX),
            })
        })
        .collect()
}

fn address6(hex: &str) -> Option<Ipv6Addr> {
    u128::from_str_radix(hex, 16).ok().map(Ipv6Addr::from)
}

fn addresses6(text: &str) -> Vec<V6> {
    let number = |hex: &str| u32::from_str_radix(hex, 16).ok();
    let read = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [address, _, prefix, scope, _, interface] = fields.as_slice() else {
            return None;
        };
        Some(V6 {
            interface: (*interface).into(),
            address: address6(address)?,
            prefix: number(prefix)?,
            scope: match number(scope)? {
                0x10 => "host",
                0x20 => "link",
                0x40 => "site",
                _ => "global",
            },
        })
    };
    text.lines().filter_map(read).collect()
}

fn reachable(trie: &str, v6: &[V6]) -> Map {
    let v4: Vec<String> = entries(trie, "LOCAL")
        .into_iter()
        .map(|(address, prefix)| match prefix {
            32 => dotted(address),
            _ => format!("{}/{prefix}", dotted(address)),
        })
        .collect();
    let v6: Vec<String> = v6.iter().map(|a| a.address.to_string()).collect();
    let mut facts = Map::new();
    put(&mut facts, "ipv4", v4);
    put(&mut facts, "ipv6", v6);
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRIE: &str = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 127.0.0.0\n        /8 host LOCAL\n     |-- 127.0.0.1\n        /32 host LOCAL\n     |-- 192.0.2.0\n        /24 link UNICAST\n     |-- 192.0.2.2\n        /32 host LOCAL\n     |-- 192.0.2.255\n        /32 link BROADCAST\n     |-- 10.128.0.7\n        /32 host LOCAL\nLocal:\n     |-- 192.0.2.2\n        /32 host LOCAL\n";
    const ROUTES: &str = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\neth0 00000000 010200C0 0003 0 0 100 00000000 0 0 0\neth0 000200C0 00000000 0001 0 0 0 00FFFFFF 0 0 0\n";

    #[test]
    fn addresses_find_their_interfaces() {
        let routes = routes(ROUTES);
        let found = addresses(TRIE, &routes);
        let shown: Vec<String> = found
            .iter()
            .map(|a| {
                format!(
                    "{} {}/{}",
                    a.interface,
                    dotted(a.address),
                    a.mask.count_ones()
                )
            })
            .collect();
        assert_eq!(
            shown,
            ["lo 127.0.0.1/8", "eth0 192.0.2.2/24", "eth0 10.128.0.7/32"]
        );
        let default = default_v4(&routes, &found, &|_| None);
        assert_eq!(default.get("gateway"), Some(&"192.0.2.1".into()));
        assert_eq!(default.get("address"), Some(&"192.0.2.2".into()));
        assert_eq!(default.get("broadcast"), Some(&"192.0.2.255".into()));
    }

    #[test]
    fn ipv6_addresses_are_read() {
        let text = "fd000000000000000000000000000002 04 40 00 82     eth0\n00000000000000000000000000000001 01 80 10 80       lo\n";
        let found = addresses6(text);
        assert_eq!(found[0].address.to_string(), "fd00::2");
        assert_eq!((found[0].prefix, found[1].scope), (64, "host"));
    }
}
