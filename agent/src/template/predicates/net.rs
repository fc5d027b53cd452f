//! Tests of `ansible.utils` on addresses and networks.

use super::super::access;
use super::super::call::Call;
use super::super::fault::{Fault, Res};
use super::super::filters::net::{Net, is_ip, is_mac};
use super::super::text;
use super::super::val::Val;
use super::Test;

const UTILS: &str = "ansible.utils";

const fn row(name: &'static str, doc: &'static str, run: fn(&Call) -> Res<Val>) -> Test {
    Test::new(name, &["value"], doc, run).of(UTILS)
}

pub(super) static TABLE: &[Test] = &[
    row("ip", "Whether it is an address or network.", |c| {
        version(c, None, false)
    }),
    row("ip_address", "Whether it is an address.", |c| {
        version(c, None, true)
    }),
    row(
        "ipv4",
        "Whether it is an address or network of version 4.",
        |c| version(c, Some(4), false),
    ),
    row(
        "ipv4_address",
        "Whether it is an address of version 4.",
        |c| version(c, Some(4), true),
    ),
    row(
        "ipv6",
        "Whether it is an address or network of version 6.",
        |c| version(c, Some(6), false),
    ),
    row(
        "ipv6_address",
        "Whether it is an address of version 6.",
        |c| version(c, Some(6), true),
    ),
    row("mac", "Whether it is a hardware address.", |c| {
        Ok(Val::Bool(is_mac(&c.text(0)?)))
    }),
    row(
        "loopback",
        "Whether it is this machine's own address.",
        |c| about(c, Net::is_loopback),
    ),
    row("multicast", "Whether it is the address of a group.", |c| {
        about(c, Net::is_multicast)
    }),
    row("private", "Whether it is reachable only from near.", |c| {
        about(c, |net| !net.is_global())
    }),
    row("public", "Whether it is reachable from everywhere.", |c| {
        about(c, Net::is_global)
    }),
    row("unspecified", "Whether it is the address of none.", |c| {
        about(c, |net| net.ip == 0)
    }),
    Test::new(
        "in_network",
        &["ip", "network"],
        "Whether an address lies in a network.",
        |c| within(c, 0, 1),
    )
    .of(UTILS),
    Test::new(
        "in_any_network",
        &["ip", "networks"],
        "Whether an address lies in one of several networks.",
        |c| {
            let ip = Net::parse(&c.text(0)?);
            for network in c.items(1)? {
                let network = Net::parse(&text::to_text(c.ctx, &network)?);
                if network
                    .zip(ip)
                    .is_some_and(|(network, ip)| network.holds(&ip))
                {
                    return Ok(Val::Bool(true));
                }
            }
            Ok(Val::Bool(false))
        },
    )
    .of(UTILS),
    Test::new(
        "subnet_of",
        &["network_a", "network_b"],
        "Whether a network lies in another.",
        |c| within(c, 0, 1),
    )
    .of(UTILS),
    Test::new(
        "supernet_of",
        &["network_a", "network_b"],
        "Whether a network holds another.",
        |c| within(c, 1, 0),
    )
    .of(UTILS),
];

fn version(c: &Call, version: Option<i128>, bare: bool) -> Res<Val> {
    Ok(Val::Bool(is_ip(&c.text(0)?, version, bare)))
}

fn about(c: &Call, test: fn(&Net) -> bool) -> Res<Val> {
    let net = Net::parse(&c.text(0)?).filter(|net| net.size() == 1);
    Ok(Val::Bool(net.is_some_and(|net| test(&net))))
}

fn within(c: &Call, inner: usize, outer: usize) -> Res<Val> {
    for i in [inner, outer] {
        if access::entries(c.ctx, c.need(i)?)?.is_some() {
            return Err(Fault::error(
                "this test takes addresses and networks as text",
            ));
        }
    }
    let (inner, outer) = (Net::parse(&c.text(inner)?), Net::parse(&c.text(outer)?));
    let held = outer
        .zip(inner)
        .is_some_and(|(outer, inner)| outer.holds(&inner));
    Ok(Val::Bool(held))
}
