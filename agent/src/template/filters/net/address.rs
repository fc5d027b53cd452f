//! Addresses and networks as numbers.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// An address with the length of its network's prefix. The bits after the prefix stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super::super) struct Net {
    pub v6: bool,
    pub ip: u128,
    pub prefix: u32,
}

/// The number of an address as text; whether it is of version 6.
pub(in super::super::super) fn parse_ip(text: &str) -> Option<(bool, u128)> {
    match text.parse::<Ipv4Addr>() {
        Ok(ip) => Some((false, u32::from(ip).into())),
        Err(_) => text.parse::<Ipv6Addr>().ok().map(|ip| (true, ip.into())),
    }
}

/// An address of version 4 of which the last parts may be left out: `10.1`.
fn partial(text: &str) -> Option<u128> {
    let parts: Vec<&str> = text.split('.').collect();
    let digits = |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
    if parts.len() > 4 || !parts.iter().all(digits) {
        return None;
    }
    let mut ip = 0;
    for i in 0..4 {
        let part: u8 = parts.get(i).map_or(Ok(0), |p| p.parse()).ok()?;
        ip = ip << 8 | u128::from(part);
    }
    Some(ip)
}

pub(super) fn text_of(v6: bool, ip: u128) -> String {
    if !v6 {
        return Ipv4Addr::from(ip as u32).to_string();
    }
    // As the C library writes them: the last four bytes of what was an address of version 4.
    match ip {
        0x1_0000..=0xffff_ffff => format!("::{}", Ipv4Addr::from(ip as u32)),
        _ => Ipv6Addr::from(ip).to_string(),
    }
}

impl Net {
    /// An address, or an address and the length of its prefix or its mask.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let (v6, ip) = match parse_ip(address) {
            Some(found) => found,
            None => (false, partial(address)?),
        };
        let bits = if v6 { 128 } else { 32 };
        let prefix = match prefix {
            None => bits,
            Some(length) => match length.parse::<u32>() {
                Ok(length) => Some(length).filter(|l| *l <= bits && !length_has_sign(prefix))?,
                Err(_) => mask_length(v6, length)?,
            },
        };
        Some(Self { v6, ip, prefix })
    }

    pub fn single(v6: bool, ip: u128) -> Self {
        let prefix = if v6 { 128 } else { 32 };
        Self { v6, ip, prefix }
    }

    pub fn bits(&self) -> u32 {
        if self.v6 { 128 } else { 32 }
    }

    pub fn version(&self) -> i128 {
        if self.v6 { 6 } else { 4 }
    }

    /// The bits after the prefix, all set.
    pub fn hostmask(&self) -> u128 {
        let host = self.bits() - self.prefix;
        1_u128.checked_shl(host).map_or(u128::MAX, |n| n - 1)
    }

    pub fn netmask(&self) -> u128 {
        let all = if self.v6 {
            u128::MAX
        } else {
            u128::from(u32::MAX)
        };
        all & !self.hostmask()
    }

    pub fn first(&self) -> u128 {
        self.ip & self.netmask()
    }

    pub fn last(&self) -> u128 {
        self.ip | self.hostmask()
    }

    /// The largest there is counts as one less than it is: 2 to the power of 128 is no number here.
    pub fn size(&self) -> u128 {
        self.hostmask().saturating_add(1)
    }

    /// The last address, where that is no host's.
    pub fn broadcast(&self) -> Option<u128> {
        (self.v6 || self.bits() - self.prefix > 1).then(|| self.last())
    }

    /// The first and last addresses that hosts may have.
    pub fn usable(&self) -> Option<(u128, u128)> {
        match self.size() {
            1 => None,
            2 => Some((self.first(), self.last())),
            _ => Some((self.first() + 1, self.last() - 1)),
        }
    }

    /// The network without the bits after the prefix.
    pub fn network(&self) -> Self {
        Self {
            ip: self.first(),
            ..*self
        }
    }

    pub fn holds(&self, other: &Self) -> bool {
        self.v6 == other.v6 && self.first() <= other.first() && other.last() <= self.last()
    }

    /// The address at a place of the network, counted from either end.
    pub fn at(&self, index: i128) -> Option<u128> {
        let found = match index >= 0 {
            true => self.first().checked_add(index.unsigned_abs())?,
            false => self.last().checked_sub(index.unsigned_abs() - 1)?,
        };
        (self.first()..=self.last())
            .contains(&found)
            .then_some(found)
    }

    /// An address of the same version as text.
    pub fn text(&self, ip: u128) -> String {
        text_of(self.v6, ip)
    }

    fn in_any(&self, v4: &[&str], v6: &[&str]) -> bool {
        let single = Self::single(self.v6, self.ip);
        let nets = if self.v6 { v6 } else { v4 };
        nets.iter()
            .filter_map(|n| Self::parse(n))
            .any(|net| net.holds(&single))
    }

    pub fn is_multicast(&self) -> bool {
        self.in_any(&["224.0.0.0/4"], &["ff00::/8"])
    }

    pub fn is_loopback(&self) -> bool {
        self.in_any(&["127.0.0.0/8"], &["::1"])
    }

    pub fn is_link_local(&self) -> bool {
        self.in_any(&["169.254.0.0/16"], &["fe80::/10"])
    }

    /// Whether it is reachable from everywhere (IANA's registries of special-purpose addresses).
    pub fn is_global(&self) -> bool {
        let except = ["192.0.0.9", "192.0.0.10"];
        let except_v6 = [
            "2001:1::1",
            "2001:1::2",
            "2001:3::/32",
            "2001:4:112::/48",
            "2001:20::/28",
            "2001:30::/28",
        ];
        let special = [
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "240.0.0.0/4",
        ];
        let special_v6 = [
            "::1",
            "::",
            "::ffff:0:0/96",
            "64:ff9b:1::/48",
            "100::/64",
            "2001::/23",
            "2001:db8::/32",
            "2002::/16",
            "fc00::/7",
            "fe80::/10",
        ];
        self.in_any(&except, &except_v6) || !self.in_any(&special, &special_v6)
    }

    /// Whether the address looks like a mask of a network or of its hosts.
    pub fn is_mask(&self) -> bool {
        let all = Self { prefix: 0, ..*self }.hostmask();
        let low = |n: u128| n & n.wrapping_add(1) == 0;
        low(self.ip) || low(all ^ self.ip)
    }

    pub fn reverse_dns(&self) -> String {
        if self.v6 {
            let digits = format!("{:032x}", self.ip);
            let parts: Vec<String> = digits.chars().rev().map(String::from).collect();
            return format!("{}.ip6.arpa.", parts.join("."));
        }
        let parts: Vec<String> = (0..4)
            .map(|i| (self.ip >> (8 * i) & 0xff).to_string())
            .collect();
        format!("{}.in-addr.arpa.", parts.join("."))
    }
}

fn length_has_sign(text: Option<&str>) -> bool {
    text.is_some_and(|t| t.starts_with('+'))
}

/// The length of the prefix that a mask of a network or of its hosts stands for.
fn mask_length(v6: bool, mask: &str) -> Option<u32> {
    let (mask_v6, mask) = parse_ip(mask)?;
    if mask_v6 != v6 {
        return None;
    }
    let bits = if v6 { 128 } else { 32 };
    (0..=bits).find(|length| {
        let net = Net {
            v6,
            ip: 0,
            prefix: *length,
        };
        net.netmask() == mask || net.hostmask() == mask
    })
}

impl fmt::Display for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.text(self.ip), self.prefix)
    }
}
