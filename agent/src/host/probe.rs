//! What waiting looks for.

use super::{Probe, Response};
use crate::error::{Error, Result};
use std::net::IpAddr;

/// The groups of a match, named ones with their name.
pub(super) type Groups = Vec<(Option<String>, Option<String>)>;

/// Searches text for a Python regular expression, line starts and ends included, as `wait_for` does.
///
/// # Errors
/// When the expression cannot be compiled.
pub(super) fn search(regex: &str, text: &[u8]) -> Result<Option<Groups>> {
    let bad = |e: fancy_regex::Error| {
        Error::params(format!("`{regex}` is no regular expression")).caused_by(e)
    };
    let compiled = fancy_regex::Regex::new(&format!("(?m){regex}")).map_err(bad)?;
    let text = String::from_utf8_lossy(text);
    let Some(found) = compiled.captures(&*text).map_err(bad)? else {
        return Ok(None);
    };
    let groups = compiled
        .capture_names()
        .enumerate()
        .skip(1)
        .map(|(i, name)| {
            let group = found.get(i).map(|m| m.as_str().to_owned());
            (name.map(str::to_owned), group)
        });
    Ok(Some(groups.collect()))
}

impl Probe {
    /// Whether this answer says that a better one is not to be expected.
    pub(super) fn is_hopeless(&self, answer: Option<&Result<Response, String>>) -> bool {
        match (self, answer) {
            (Self::Answer { hopeless, .. }, Some(Ok(response))) => {
                hopeless.contains(&response.status)
            }
            _ => false,
        }
    }
}

/// Whether an answer is the one that is waited for: a 2xx status, and a body that matches.
///
/// # Errors
/// When the expression cannot be compiled.
pub(super) fn answers(
    answer: &Result<Response, String>,
    regex: Option<&str>,
) -> Result<Option<Groups>> {
    match (answer, regex) {
        (Ok(response), None) if (200..300).contains(&response.status) => Ok(Some(Vec::new())),
        (Ok(response), Some(regex)) if (200..300).contains(&response.status) => {
            search(regex, &response.body)
        }
        _ => Ok(None),
    }
}

/// An answer in one line: its status, and the beginning of what it says.
pub(super) fn said(response: &Response) -> String {
    let body = String::from_utf8_lossy(&response.body);
    let line: String = body.split_whitespace().collect::<Vec<_>>().join(" ");
    let short: String = line.chars().take(200).collect();
    format!("HTTP {} {} {short}", response.status, response.reason)
}

/// One TCP connection of this machine.
#[derive(Debug, PartialEq)]
pub(super) struct Connection {
    pub local: (IpAddr, u16),
    pub remote: (IpAddr, u16),
    /// Its name in `wait_for`'s `active_connection_states`.
    pub state: &'static str,
}

/// A line of `/proc/net/tcp` or `tcp6` (see `proc_net(5)` and the kernel's `tcp_states.h`).
pub(super) fn connection(line: &str) -> Option<Connection> {
    const STATES: [&str; 12] = [
        "",
        "ESTABLISHED",
        "SYN_SENT",
        "SYN_RECV",
        "FIN_WAIT1",
        "FIN_WAIT2",
        "TIME_WAIT",
        "CLOSE",
        "CLOSE_WAIT",
        "LAST_ACK",
        "LISTEN",
        "CLOSING",
    ];
    let mut fields = line.split_whitespace().skip(1);
    let local = address(fields.next()?)?;
    let remote = address(fields.next()?)?;
    let state = usize::from_str_radix(fields.next()?, 16).ok()?;
    Some(Connection {
        local,
        remote,
        state: STATES.get(state)?,
    })
}

/// `0100007F:0016`: words in the machine's byte order.
fn address(text: &str) -> Option<(IpAddr, u16)> {
    let (ip, port) = text.split_once(':')?;
    let mut bytes = Vec::with_capacity(16);
    for word in ip.as_bytes().chunks(8) {
        let word = u32::from_str_radix(std::str::from_utf8(word).ok()?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }
    let ip = match <[u8; 4]>::try_from(&bytes[..]) {
        Ok(four) => IpAddr::from(four),
        // A client of an IPv6 socket that came over IPv4 shows as such.
        Err(_) => IpAddr::from(<[u8; 16]>::try_from(&bytes[..]).ok()?).to_canonical(),
    };
    Some((ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_of_both_tables_are_read() {
        let line = "  0: 0100007F:1F90 0200000A:C350 01 00000000:00000000 00:00000000 0 0 0";
        let found = connection(line).unwrap();
        assert_eq!(found.local, ("127.0.0.1".parse().unwrap(), 8080));
        assert_eq!(found.remote, ("10.0.0.2".parse().unwrap(), 50000));
        assert_eq!(found.state, "ESTABLISHED");
        let six =
            "  1: 0000000000000000FFFF00000100007F:0016 00000000000000000000000000000000:0000 0A";
        assert_eq!(connection(six).unwrap().local.0, found.local.0);
        assert_eq!(connection("  sl  local_address rem_address   st"), None);
    }

    #[test]
    fn groups_come_with_their_names() {
        let groups = search("^port=(?P<port>\\d+) (x)?", b"a\nport=22 y").unwrap();
        let want = vec![(Some("port".into()), Some("22".into())), (None, None)];
        assert_eq!(groups, Some(want));
        assert!(search("(", b"").is_err());
    }
}
