//! Filters of `ansible.utils` on addresses, networks and hardware addresses.

mod address;
mod mac;
mod query;
mod subnets;

pub(in super::super) use address::Net;
pub(in super::super) use mac::is_mac;
pub(in super::super) use query::is_ip;

use super::super::val::Val;
use super::super::{access, ops};
use super::Filter;

const UTILS: &str = "ansible.utils";

pub(super) static TABLE: &[Filter] = &[
    Filter::new(
        "ipaddr",
        &["value", "query"],
        "An address or network, or what a query finds of it.",
        |c| query::filter(c, None, "ipaddr"),
    )
    .of(UTILS),
    Filter::new(
        "ipv4",
        &["value", "query"],
        "As `ipaddr`, of version 4 only.",
        |c| query::filter(c, Some(4), "ipv4"),
    )
    .of(UTILS),
    Filter::new(
        "ipv6",
        &["value", "query"],
        "As `ipaddr`, of version 6 only.",
        |c| query::filter(c, Some(6), "ipv6"),
    )
    .of(UTILS),
    Filter::new(
        "ipwrap",
        &["value", "query"],
        "Addresses of version 6 in brackets.",
        |c| {
            let query = c.text_or(1, "")?;
            let wrap = |value: &Val| {
                let found = query::of_value(c, value, &query, None, "ipwrap");
                match found {
                    Ok(found) if ops::truth(c.ctx, &found)? => {
                        let whole = if query.is_empty() { value } else { &found };
                        query::of_value(c, whole, "wrap", None, "ipwrap")
                    }
                    _ => Ok(value.clone()),
                }
            };
            let value = c.need(0)?.usable()?;
            match value.is_sequence() {
                true => {
                    let items = access::iterate(c.ctx, value)?;
                    let wrapped = items.iter().map(wrap).collect::<Result<Vec<_>, _>>()?;
                    Ok(Val::list(wrapped))
                }
                false => wrap(value),
            }
        },
    )
    .of(UTILS),
    Filter::new(
        "ipsubnet",
        &["value", "query", "index"],
        "A network's subnets: how many, one of them, or its place.",
        subnets::ipsubnet,
    )
    .of(UTILS),
    Filter::new(
        "ipmath",
        &["value", "amount"],
        "The address some places away.",
        subnets::ipmath,
    )
    .of(UTILS),
    Filter::new(
        "nthhost",
        &["value", "query"],
        "The address at a place of a network.",
        subnets::nthhost,
    )
    .of(UTILS),
    Filter::new(
        "next_nth_usable",
        &["value", "offset"],
        "The address some places after, if hosts may have it.",
        |c| subnets::nth_usable(c, 1),
    )
    .of(UTILS),
    Filter::new(
        "previous_nth_usable",
        &["value", "offset"],
        "The address some places before, if hosts may have it.",
        |c| subnets::nth_usable(c, -1),
    )
    .of(UTILS),
    Filter::new(
        "network_in_network",
        &["value", "test"],
        "Whether a network holds an address or network.",
        |c| subnets::network_in(c, false),
    )
    .of(UTILS),
    Filter::new(
        "network_in_usable",
        &["value", "test"],
        "Whether an address or network is of what hosts may have.",
        |c| subnets::network_in(c, true),
    )
    .of(UTILS),
    Filter::new(
        "reduce_on_network",
        &["value", "network"],
        "The addresses that a network holds.",
        subnets::reduce,
    )
    .of(UTILS),
    Filter::new(
        "cidr_merge",
        &["value", "action"],
        "Networks joined where they touch, or the one around all.",
        subnets::cidr_merge,
    )
    .of(UTILS),
    Filter::new(
        "usable_range",
        &["ip"],
        "Every address of a network.",
        subnets::usable_range,
    )
    .of(UTILS),
    Filter::new(
        "ip4_hex",
        &["arg", "delimiter"],
        "An address of version 4 in hexadecimal digits.",
        subnets::ip4_hex,
    )
    .of(UTILS),
    Filter::new(
        "ipv6form",
        &["value", "format"],
        "An address of version 6, expanded or compressed.",
        subnets::ipv6form,
    )
    .of(UTILS),
    Filter::new(
        "slaac",
        &["value", "query"],
        "The address that a network card gives itself in a network.",
        mac::slaac,
    )
    .of(UTILS),
    Filter::new(
        "hwaddr",
        &["value", "query"],
        "A hardware address, in the form that a query wants.",
        |c| mac::hwaddr(c, "hwaddr"),
    )
    .of(UTILS),
    Filter::new("macaddr", &["value", "query"], "As `hwaddr`.", |c| {
        mac::hwaddr(c, "macaddr")
    })
    .of(UTILS),
];
