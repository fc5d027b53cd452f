//! `ipaddr` and its queries.

use super::super::super::access;
use super::super::super::call::Call;
use super::super::super::fault::{Fault, Res};
use super::super::super::text;
use super::super::super::val::Val;
use super::address::{Net, parse_ip};

/// What was given: the network, whether its prefix was written, and how it is given back.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub net: Net,
    pub prefixed: bool,
    pub value: String,
}

/// An address or network in one of the forms that `ipaddr` takes; nothing if it is none.
pub(super) fn given(text: &str, version: Option<i128>) -> Option<Given> {
    let digits = |t: &str| !t.is_empty() && t.chars().all(|c| c.is_ascii_digit());
    let numbered = |number: &str| {
        let number: u128 = number.parse().ok()?;
        let v6 = version == Some(6) || number > u128::from(u32::MAX);
        Some(Net::single(v6, number))
    };
    if digits(text) {
        let net = numbered(text)?;
        return Some(Given {
            net,
            prefixed: false,
            value: net.to_string(),
        });
    }
    if let Some(net) = Net::parse(text) {
        return Some(Given {
            net,
            prefixed: text.matches('/').count() == 1,
            value: text.to_owned(),
        });
    }
    let (address, prefix) = text.split_once('/').filter(|(a, _)| digits(a))?;
    let net = numbered(address)?;
    let prefix = prefix.parse().ok().filter(|p| *p <= net.bits())?;
    let net = Net { prefix, ..net };
    Some(Given {
        net,
        prefixed: true,
        value: net.to_string(),
    })
}

/// `ipaddr(value, query, version, alias)` as a filter.
pub(super) fn filter(c: &Call, version: Option<i128>, alias: &str) -> Res<Val> {
    let value = c.need(0)?.usable()?;
    if !matches!(
        value,
        Val::Str(_) | Val::List(_) | Val::Tuple(_) | Val::Int(_) | Val::Bool(_)
    ) {
        return Err(Fault::error(format!(
            "Unrecognized type <{}> for {alias} filter <value>",
            value.type_name()
        )));
    }
    of_value(c, value, &c.text_or(1, "")?, version, alias)
}

pub(super) fn of_value(
    c: &Call,
    value: &Val,
    query: &str,
    version: Option<i128>,
    alias: &str,
) -> Res<Val> {
    if value.is_sequence() {
        let mut out = Vec::new();
        for item in access::iterate(c.ctx, value)? {
            let found = of_value(c, item.usable()?, query, version, alias)?;
            if super::super::super::ops::truth(c.ctx, &found)? {
                out.push(found);
            }
        }
        return Ok(Val::list(out));
    }
    if matches!(value, Val::Bool(_) | Val::Null) {
        return Ok(Val::Bool(false));
    }
    match given(&text::to_text(c.ctx, value)?, version) {
        Some(given) => ask(&given, query, version, alias),
        None => Ok(Val::Bool(false)),
    }
}

/// Asks one query of an address or network.
pub(super) fn ask(given: &Given, query: &str, version: Option<i128>, alias: &str) -> Res<Val> {
    let (net, value) = (&given.net, || Val::from(given.value.as_str()));
    if version.is_some_and(|v| v != net.version()) {
        return Ok(Val::Bool(false));
    }
    let only = |holds: bool| Ok(if holds { value() } else { Val::Null });
    let some = |text: Option<String>| Ok(text.map_or(Val::Null, Val::from));
    let ip = net.text(net.ip);
    let is_network = net.size() > 1 && net.ip == net.first();
    let within = |range: &str| {
        let single = Net::single(net.v6, net.ip);
        Net::parse(range).is_some_and(|range| range.holds(&single))
    };
    let usable = || match given.prefixed {
        true => Ok(net.usable()),
        false => Err(Fault::error("Not a network address")),
    };
    match query {
        "" => Ok(Val::from(if given.prefixed { net.to_string() } else { ip })),
        "bool" => Ok(Val::Bool(true)),
        "type" => Ok(Val::from(if is_network { "network" } else { "address" })),
        "version" => Ok(Val::Int(net.version())),
        "ip" | "address" => {
            let host = !is_network || net.broadcast().is_none() || net.v6;
            some(host.then_some(ip))
        }
        "host" => {
            let host = net.size() == 1 || net.ip != net.first() || net.broadcast().is_none();
            some(host.then(|| net.to_string()))
        }
        "address/prefix" | "gateway" | "gw" | "host/prefix" | "hostnet" | "router" => {
            let edge = net.ip == net.first() || Some(net.ip) == net.broadcast();
            match net.size() > 2 && edge {
                true => Ok(Val::Bool(false)),
                false => Ok(Val::from(net.to_string())),
            }
        }
        "ip/prefix" | "ip_netmask" => {
            let host = net.size() == 2 || net.size() > 1 && net.ip != net.first();
            some(host.then(|| match query {
                "ip/prefix" => net.to_string(),
                _ => format!("{ip} {}", net.text(net.netmask())),
            }))
        }
        "cidr" => Ok(Val::from(net.to_string())),
        "subnet" | "network/prefix" => Ok(Val::from(net.network().to_string())),
        "net" => some(is_network.then(|| net.to_string())),
        "network" | "network_id" => Ok(Val::from(net.text(net.first()))),
        "netmask" => Ok(Val::from(net.text(net.netmask()))),
        "hostmask" | "wildcard" => Ok(Val::from(net.text(net.hostmask()))),
        "network_netmask" | "network_wildcard" => {
            let mask = match query {
                "network_netmask" => net.netmask(),
                _ => net.hostmask(),
            };
            Ok(Val::from(format!(
                "{} {}",
                net.text(net.first()),
                net.text(mask)
            )))
        }
        "prefix" => Ok(Val::Int(net.prefix.into())),
        "broadcast" => some((net.size() > 2).then(|| net.text(net.last()))),
        "size" => number(net.size()),
        "size_usable" => number(match net.size() {
            1 => 0,
            2 => 2,
            size => size - 2,
        }),
        "int" if given.prefixed => Ok(Val::from(format!("{}/{}", net.ip, net.prefix))),
        "int" => number(net.ip),
        "revdns" => Ok(Val::from(net.reverse_dns())),
        "first_usable" => some(usable()?.map(|(first, _)| net.text(first))),
        "last_usable" => some(usable()?.map(|(_, last)| net.text(last))),
        "range_usable" => some(usable()?.map(|(a, b)| format!("{}-{}", net.text(a), net.text(b)))),
        "next_usable" | "previous_usable" => {
            let by = if query == "next_usable" { 1 } else { -1 };
            some(usable()?.and_then(|range| neighbour(net, range, by)))
        }
        "peer" => peer(given),
        "private" => only(!net.is_global()),
        "public" => {
            only(!net.is_multicast() && net.is_global() && !net.is_loopback() && !net.is_mask())
        }
        "unicast" => only(!net.is_multicast()),
        "multicast" => only(net.is_multicast()),
        "link-local" => only(net.is_link_local()),
        "loopback" | "lo" => only(net.is_loopback()),
        "ipv4" | "v4" if net.v6 => Ok(to_v4(net).map_or(Val::Bool(false), Val::from)),
        "ipv6" | "v6" if !net.v6 => {
            let ip = 0xffff_0000_0000 | net.ip;
            let mapped = Net {
                v6: true,
                ip,
                prefix: net.prefix + 96,
            };
            Ok(Val::from(mapped.to_string()))
        }
        "ipv4" | "v4" | "ipv6" | "v6" => Ok(value()),
        "wrap" if net.v6 && given.prefixed => Ok(Val::from(format!("[{ip}]/{}", net.prefix))),
        "wrap" if net.v6 => Ok(Val::from(format!("[{ip}]"))),
        "wrap" => Ok(value()),
        "6to4" if net.v6 => {
            let host = !given.prefixed || net.ip != net.first();
            Ok(if host && within("2002::/16") {
                value()
            } else {
                Val::Bool(false)
            })
        }
        "6to4" if is_network => Ok(Val::Bool(false)),
        "6to4" => Ok(Val::from(format!(
            "2002:{:04x}:{:04x}::1/48",
            net.ip >> 16,
            net.ip & 0xffff
        ))),
        other => by_other(given, other, alias),
    }
}

/// A query that has no name: a place in the network, or another network.
fn by_other(given: &Given, query: &str, alias: &str) -> Res<Val> {
    let net = &given.net;
    if let Ok(index) = query.parse::<i128>() {
        if net.size() == 1 {
            return Ok(Val::from(match given.prefixed {
                true => net.to_string(),
                false => net.text(net.ip),
            }));
        }
        let found = net.at(index);
        return Ok(found.map_or(Val::Bool(false), |ip| {
            Val::from(format!("{}/{}", net.text(ip), net.prefix))
        }));
    }
    match Net::parse(query) {
        Some(range) if range.holds(net) => Ok(Val::from(given.value.as_str())),
        Some(_) => Ok(Val::Null),
        None => Err(Fault::error(format!(
            "{alias}: unknown filter type: {query}"
        ))),
    }
}

pub(super) fn number(n: u128) -> Res<Val> {
    i128::try_from(n)
        .map(Val::Int)
        .or_else(|_| Ok(Val::from(n.to_string())))
}

/// The address some places away, if hosts may have it.
pub(super) fn neighbour(net: &Net, (first, last): (u128, u128), by: i128) -> Option<String> {
    let found = net.ip.checked_add_signed(by)?;
    (first..=last).contains(&found).then(|| net.text(found))
}

fn peer(given: &Given) -> Res<Val> {
    let net = &given.net;
    let flip = match (given.prefixed, net.size(), net.ip % 4) {
        (false, ..) => return Err(Fault::error("Not a network address")),
        (_, 2, _) => 1,
        (_, 4, 0) => return Err(Fault::error("Network address of /30 has no peer")),
        (_, 4, 3) => return Err(Fault::error("Broadcast address of /30 has no peer")),
        (_, 4, _) => 3,
        _ => return Err(Fault::error("Not a point-to-point network")),
    };
    Ok(Val::from(net.text(net.ip ^ flip)))
}

/// The address of version 4 inside one of version 6.
fn to_v4(net: &Net) -> Option<String> {
    let mapped = net.ip >> 32;
    let inner = Net {
        v6: false,
        ip: net.ip & 0xffff_ffff,
        prefix: net.prefix.checked_sub(96)?,
    };
    matches!(mapped, 0 | 0xffff).then(|| inner.to_string())
}

/// Whether it is an address or a network, of this version if one is wanted.
pub(in super::super::super) fn is_ip(text: &str, version: Option<i128>, bare: bool) -> bool {
    let found = match bare {
        true => parse_ip(text).map(|(v6, ip)| Net::single(v6, ip)),
        false => Net::parse(text),
    };
    found.is_some_and(|net| version.is_none_or(|v| v == net.version()))
}
