//! Networks within networks.

use super::super::super::call::Call;
use super::super::super::fault::{Fault, Res};
use super::super::super::text;
use super::super::super::val::Val;
use super::address::{Net, parse_ip, text_of};
use super::query::{given, neighbour};

/// Whether it is a network and not one address of it.
fn is_network(net: &Net) -> bool {
    net.size() > 1 && net.ip == net.first()
}

pub(super) fn ipsubnet(c: &Call) -> Res<Val> {
    let (value, query) = (c.text(0)?, c.text_or(1, "")?);
    let Some(asked) = given(&value, None).map(|g| g.net) else {
        return Ok(Val::Bool(false));
    };
    // The host's bits are gone from here on: what was an address of a network is the network.
    let net = asked.network();
    if query.is_empty() {
        return Ok(Val::from(net.to_string()));
    }
    if !query.chars().all(|d| d.is_ascii_digit()) {
        return place_in(&net, &query);
    }
    let Some(length) = query.parse::<u32>().ok().filter(|l| *l <= net.bits()) else {
        return Ok(Val::Bool(false));
    };
    let index = c.given(2).map(|_| c.int(2)).transpose()?;
    if net.size() == 1 {
        return supernet(&net, length, index);
    }
    let Some(index) = index else {
        return match length.checked_sub(net.prefix) {
            Some(more) => Ok(Val::from(2_u128.saturating_pow(more).to_string())),
            None => Err(Fault::error(format!(
                "Requested subnet size of {length} is invalid"
            ))),
        };
    };
    let count = match length.checked_sub(net.prefix) {
        Some(more) => 2_i128.saturating_pow(more),
        None => i128::from(index == 0),
    };
    let index = if index < 0 { index + count } else { index };
    if !(0..count).contains(&index) {
        return Ok(Val::Bool(false));
    }
    let step = (index as u128)
        .checked_shl(net.bits() - length)
        .unwrap_or(0);
    let found = Net {
        ip: net.first() + step,
        prefix: length,
        ..net
    };
    Ok(Val::from(found.to_string()))
}

/// The network of that length around an address, or one of those between.
fn supernet(net: &Net, length: u32, index: Option<i128>) -> Res<Val> {
    let above: Vec<Net> = (length..net.prefix)
        .map(|prefix| Net { prefix, ..*net }.network())
        .collect();
    let index = index.unwrap_or(0);
    let at = if index < 0 {
        index + above.len() as i128
    } else {
        index
    };
    match usize::try_from(at).ok().and_then(|at| above.get(at)) {
        Some(found) => Ok(Val::from(found.to_string())),
        None => Err(Fault::error(
            "there is no network at this index around the address",
        )),
    }
}

/// Which of the networks of its size inside `query` it is, from one on.
fn place_in(net: &Net, query: &str) -> Res<Val> {
    let Some(outer) = given(query, None).map(|g| g.net.network()) else {
        return Err(Fault::error(format!(
            "You must pass a valid subnet or IP address; {query} is invalid"
        )));
    };
    if !outer.holds(net) {
        return Err(Fault::error(format!("{net} is not in the subnet {outer}")));
    }
    let distance = net.first() - outer.first();
    let place = distance.checked_shr(net.bits() - net.prefix).unwrap_or(0) + 1;
    Ok(Val::from(place.to_string()))
}

pub(super) fn ipmath(c: &Call) -> Res<Val> {
    let value = c.text(0)?;
    let invalid = || {
        Fault::error(format!(
            "You must pass a valid IP address; {value} is invalid"
        ))
    };
    let net = match value.contains('/') {
        true => Net::parse(&value),
        false => parse_ip(&value).map(|(v6, ip)| Net::single(v6, ip)),
    };
    let net = net.ok_or_else(invalid)?;
    let Val::Int(amount) = c.need(1)?.usable()? else {
        return Err(Fault::error(format!(
            "You must pass an integer for arithmetic; {} is not a valid integer",
            c.text(1)?
        )));
    };
    let all = Net { prefix: 0, ..net }.hostmask();
    let moved = net.ip.checked_add_signed(*amount).filter(|ip| *ip <= all);
    moved
        .map(|ip| Val::from(net.text(ip)))
        .ok_or_else(|| Fault::error("the result is no address"))
}

pub(super) fn nthhost(c: &Call) -> Res<Val> {
    let found = given(&c.text(0)?, None).map(|g| g.net.network());
    let nth = c.text_or(1, "")?.trim().parse::<i128>().ok();
    let found = found
        .zip(nth)
        .and_then(|(net, nth)| Some(net.text(net.at(nth)?)));
    Ok(found.map_or(Val::Bool(false), Val::from))
}

pub(super) fn nth_usable(c: &Call, sign: i128) -> Res<Val> {
    let Some(asked) = given(&c.text(0)?, None) else {
        return Ok(Val::Bool(false));
    };
    let Val::Int(offset) = c.need(1)?.usable()? else {
        return Err(Fault::error("Must pass in an integer"));
    };
    let net = asked.net;
    let found = net
        .usable()
        .and_then(|range| neighbour(&net, range, sign * offset));
    Ok(found.into())
}

/// The first and last address of an address or network.
fn bounds(value: &str) -> Option<(bool, u128, u128)> {
    let net = given(value, None)?.net;
    let net = if is_network(&net) {
        net
    } else {
        Net::single(net.v6, net.ip)
    };
    Some((net.v6, net.first(), net.last()))
}

pub(super) fn network_in(c: &Call, usable: bool) -> Res<Val> {
    let (value, test) = (c.text(0)?, c.text(1)?);
    let Some(outer) = given(&value, None).map(|g| g.net.network()) else {
        return Ok(Val::Bool(false));
    };
    let (first, last) = match usable.then(|| outer.usable()).flatten() {
        Some(range) => range,
        None => (outer.first(), outer.last()),
    };
    let held = bounds(&test).is_some_and(|(v6, a, b)| v6 == outer.v6 && first <= a && b <= last);
    Ok(Val::Bool(held))
}

pub(super) fn reduce(c: &Call) -> Res<Val> {
    let network = c.text(1)?;
    let outer = given(&network, None).map(|g| g.net.network());
    let mut out = Vec::new();
    for item in c.items(0)? {
        let inner = bounds(&text::to_text(c.ctx, &item)?);
        let held = outer.zip(inner).is_some_and(|(outer, (v6, a, b))| {
            v6 == outer.v6 && outer.first() <= a && b <= outer.last()
        });
        if held {
            out.push(item);
        }
    }
    Ok(Val::list(out))
}

pub(super) fn cidr_merge(c: &Call) -> Res<Val> {
    let mut nets = Vec::new();
    for item in c.sequence(0)? {
        let text = text::to_text(c.ctx, &item)?;
        let net = Net::parse(&text);
        nets.push(net.ok_or_else(|| {
            Fault::error(format!(
                "cidr_merge: error in netaddr:\ninvalid IPNetwork {text}"
            ))
        })?);
    }
    match &*c.text_or(1, "merge")? {
        "merge" => Ok(Val::list(
            merged(nets)
                .iter()
                .map(|n| Val::from(n.to_string()))
                .collect(),
        )),
        "span" => span(&nets),
        other => Err(Fault::error(format!(
            "cidr_merge: invalid action '{other}'"
        ))),
    }
}

/// The same addresses in as few networks as there can be.
fn merged(mut nets: Vec<Net>) -> Vec<Net> {
    nets.sort_by_key(|n| (n.v6, n.first(), n.prefix));
    let mut ranges: Vec<(bool, u128, u128)> = Vec::new();
    for net in nets {
        match ranges.last_mut() {
            Some((v6, _, last)) if *v6 == net.v6 && net.first() <= last.saturating_add(1) => {
                *last = (*last).max(net.last());
            }
            _ => ranges.push((net.v6, net.first(), net.last())),
        }
    }
    let mut out = Vec::new();
    for (v6, mut first, last) in ranges {
        loop {
            // The largest network that begins here and does not go past the end.
            let single = Net::single(v6, first);
            let prefix = (0..=single.bits()).find(|prefix| {
                let net = Net {
                    prefix: *prefix,
                    ..single
                };
                net.first() == first && net.last() <= last
            });
            let net = Net {
                prefix: prefix.unwrap_or(single.bits()),
                ..single
            };
            out.push(net);
            match net.last() {
                end if end >= last => break,
                end => first = end + 1,
            }
        }
    }
    out
}

/// The smallest network around all.
fn span(nets: &[Net]) -> Res<Val> {
    let Some(one) = nets.first() else {
        return Ok(Val::Null);
    };
    if nets.len() == 1 {
        return Ok(Val::from(one.to_string()));
    }
    let around = |prefix: &u32| {
        let outer = Net {
            prefix: *prefix,
            ..*one
        };
        nets.iter().all(|net| outer.holds(net))
    };
    let prefix = (0..=one.prefix).rev().find(around);
    match prefix {
        Some(prefix) => Ok(Val::from(Net { prefix, ..*one }.network().to_string())),
        None => Err(Fault::error(
            "cidr_merge: error in netaddr:\nIP sequence cannot contain both IPv4 and IPv6!",
        )),
    }
}

/// More addresses than this are not made into a list.
const MAX: u128 = 1 << 20;

pub(super) fn usable_range(c: &Call) -> Res<Val> {
    let value = c.text(0)?;
    let wrong = |why: &str| {
        Fault::error(format!(
            "Error while using plugin 'usable_range': {value} {why}"
        ))
    };
    let net =
        Net::parse(&value).ok_or_else(|| wrong("does not appear to be an IPv4 or IPv6 network"))?;
    if net.ip != net.first() {
        return Err(wrong("has host bits set"));
    }
    if net.size() > MAX {
        return Err(wrong("has too many addresses for a list"));
    }
    let addresses = (net.first()..=net.last()).map(|ip| Val::from(net.text(ip)));
    Ok(Val::record([
        ("usable_ips", Val::list(addresses.collect())),
        ("number_of_ips", Val::Int(net.size() as i128)),
    ]))
}

pub(super) fn ip4_hex(c: &Call) -> Res<Val> {
    let (value, between) = (c.text(0)?, c.text_or(1, "")?);
    match parse_ip(&value) {
        Some((false, ip)) => {
            let octets = (0..4)
                .rev()
                .map(|i| format!("{:02x}", ip >> (8 * i) & 0xff));
            Ok(Val::from(octets.collect::<Vec<_>>().join(&between)))
        }
        _ => Err(Fault::error(format!(
            "You must pass a valid IP address; {value} is invalid"
        ))),
    }
}

pub(super) fn ipv6form(c: &Call) -> Res<Val> {
    let (value, format) = (c.text(0)?, c.text_or(1, "")?);
    let Some((v6, ip)) = parse_ip(&value) else {
        return Err(Fault::error(format!(
            "You must pass a valid IP address; {value} is invalid"
        )));
    };
    let groups = |write: fn(u128) -> String| {
        let parts = (0..8).rev().map(|i| write(ip >> (16 * i) & 0xffff));
        parts.collect::<Vec<_>>().join(":")
    };
    Ok(Val::from(match &*format {
        "expand" if v6 => groups(|g| format!("{g:04x}")),
        "x509" if v6 => groups(|g| format!("{g:x}")),
        "expand" | "compress" | "x509" => text_of(v6, ip),
        _ => return Ok(Val::Null),
    }))
}
