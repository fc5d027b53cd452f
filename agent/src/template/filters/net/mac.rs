//! Hardware addresses.

use super::super::super::call::Call;
use super::super::super::fault::{Fault, Res};
use super::super::super::val::Val;
use super::address::text_of;
use super::query;

/// The number of a hardware address of 48 bits in one of its usual forms.
fn parse(text: &str) -> Option<u64> {
    let hex = |part: &str, longest: usize| {
        let fits = (1..=longest).contains(&part.len());
        let digits = part.chars().all(|c| c.is_ascii_hexdigit());
        (fits && digits)
            .then(|| u64::from_str_radix(part, 16).ok())
            .flatten()
    };
    let parts: Vec<&str> = text.split([':', '-', '.']).collect();
    let bits = match parts.len() {
        6 => 8,
        3 => 16,
        2 => 24,
        1 if text.len() == 12 => 48,
        _ => return None,
    };
    let mut out = 0;
    for part in parts {
        out = out << bits | hex(part, bits / 4)?;
    }
    Some(out)
}

/// Whether it is a hardware address.
pub(in super::super::super) fn is_mac(text: &str) -> bool {
    parse(text).is_some()
}

/// Groups of `digits` hexadecimal digits between `sep`.
fn grouped(mac: u64, digits: usize, sep: &str) -> String {
    let text = format!("{mac:012x}");
    let groups: Vec<&str> = (0..12 / digits)
        .map(|i| &text[i * digits..(i + 1) * digits])
        .collect();
    groups.join(sep)
}

pub(super) fn hwaddr(c: &Call, alias: &str) -> Res<Val> {
    let (value, query) = (c.text(0)?, c.text_or(1, "")?);
    let Some(mac) = parse(&value) else {
        return match &*query {
            "" | "bool" => Ok(Val::Null),
            _ => Err(Fault::error(format!(
                "{alias}: not a hardware address: {value}"
            ))),
        };
    };
    Ok(Val::from(match &*query {
        "" => value,
        "bool" => return Ok(Val::Bool(true)),
        "int" => return Ok(Val::Int(mac.into())),
        "bare" => grouped(mac, 12, "").to_uppercase(),
        "cisco" => grouped(mac, 4, "."),
        "eui48" | "win" => grouped(mac, 2, "-").to_uppercase(),
        "linux" => grouped(mac, 2, ":"),
        "pgsql" | "postgresql" | "psql" => grouped(mac, 6, ":"),
        "unix" => {
            let octets = grouped(mac, 2, ":");
            let octets = octets.split(':').map(|o| o.strip_prefix('0').unwrap_or(o));
            octets.collect::<Vec<_>>().join(":")
        }
        other => {
            return Err(Fault::error(format!(
                "{alias}: unknown filter type: {other}"
            )));
        }
    }))
}

/// A network's number and the card's, with the bit of what is unique in the world turned over
/// (RFC 4291, appendix A).
pub(super) fn slaac(c: &Call) -> Res<Val> {
    let net = query::given(&c.text(0)?, None).map(|given| given.net);
    let mac = parse(&c.text_or(1, "")?);
    let (Some(net), Some(mac)) = (net.filter(|n| n.v6), mac) else {
        return Ok(Val::Bool(false));
    };
    let (vendor, card) = (mac >> 24, mac & 0xff_ffff);
    let id = (vendor << 40 | 0xff_fe00_0000 | card) ^ 1 << 57;
    let ip = net.first().wrapping_add(id.into());
    Ok(Val::from(text_of(true, ip)))
}
