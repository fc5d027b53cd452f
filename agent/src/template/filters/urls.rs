//! Filters on addresses.

use super::super::access;
use super::super::call::Call;
use super::super::fault::{Fault, Res};
use super::super::text;
use super::super::val::Val;
use super::Filter;
use std::fmt::Write;

pub(super) static TABLE: &[Filter] = &[
    Filter::new(
        "urlsplit",
        &["url", "query"],
        "The parts of an address, or one of them.",
        urlsplit,
    ),
    Filter::new(
        "urldecode",
        &["value"],
        "With `%20` and `+` decoded.",
        |c| Ok(Val::from(decode(&c.text(0)?))),
    ),
    Filter::new(
        "urlencode",
        &["value"],
        "Encoded for an address; a mapping as a query.",
        urlencode,
    ),
];

fn urlsplit(c: &Call) -> Res<Val> {
    let url = c.text(0)?;
    let parts = split(&url);
    let Some(wanted) = c.opt_text(1)? else {
        return Ok(Val::record(parts));
    };
    if wanted.is_empty() {
        return Ok(Val::record(parts));
    }
    let found = parts.into_iter().find(|(name, _)| *name == wanted);
    found.map(|(_, v)| v).ok_or_else(|| {
        Fault::error(format!("urlsplit: unknown URL component: {wanted}")).hint(
            "it is fragment, hostname, netloc, password, path, port, query, scheme or username",
        )
    })
}

fn split(url: &str) -> Vec<(&'static str, Val)> {
    let (rest, fragment) = url.split_once('#').unwrap_or((url, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let is_scheme = |s: &str| {
        s.starts_with(|c: char| c.is_ascii_alphabetic())
            && s.chars()
                .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    };
    let (scheme, rest) = match rest.split_once(':') {
        Some((scheme, after)) if is_scheme(scheme) => (scheme.to_lowercase(), after),
        _ => (String::new(), rest),
    };
    let (netloc, path) = match rest.strip_prefix("//") {
        Some(after) => after.split_at(after.find('/').unwrap_or(after.len())),
        None => ("", rest),
    };
    let (user, host) = match netloc.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, netloc),
    };
    let (name, password) = match user.map(|u| u.split_once(':').unwrap_or((u, "\0"))) {
        Some((name, "\0")) => (Some(name), None),
        Some((name, password)) => (Some(name), Some(password)),
        None => (None, None),
    };
    let (hostname, port) = match host.strip_prefix('[').and_then(|h| h.split_once(']')) {
        Some((inner, after)) => (inner, after.strip_prefix(':')),
        None => match host.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (host, None),
        },
    };
    let hostname = (!hostname.is_empty()).then(|| hostname.to_lowercase());
    vec![
        ("fragment", Val::from(fragment)),
        ("hostname", Val::from(hostname)),
        ("netloc", Val::from(netloc)),
        ("password", Val::from(password)),
        ("path", Val::from(path)),
        ("port", Val::from(port.and_then(|p| p.parse::<i64>().ok()))),
        ("query", Val::from(query)),
        ("scheme", Val::from(scheme)),
        ("username", Val::from(name)),
    ]
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let coded = after
            .get(..2)
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (first, coded) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
                continue;
            }
            (b'+', _) => bytes.push(b' '),
            (other, _) => bytes.push(*other),
        }
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn encode(text: &str, safe: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        let c = char::from(byte);
        if c.is_ascii_alphanumeric() || "_.-~".contains(c) || safe.contains(c) {
            out.push(c);
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn urlencode(c: &Call) -> Res<Val> {
    let value = c.need(0)?.usable()?;
    let pairs: Vec<(Val, Val)> = match access::entries(c.ctx, value)? {
        Some(entries) => entries
            .into_iter()
            .map(|(k, v)| (Val::from(k), v))
            .collect(),
        None if value.is_sequence() => {
            let mut pairs = Vec::new();
            for pair in access::iterate(c.ctx, value)? {
                if let [key, value] = &access::iterate(c.ctx, &pair)?[..] {
                    pairs.push((key.clone(), value.clone()));
                }
            }
            pairs
        }
        None => return Ok(Val::from(encode(&c.text(0)?, "/"))),
    };
    let part =
        |v: &Val| -> Res<String> { Ok(encode(&text::to_text(c.ctx, v)?, "").replace("%20", "+")) };
    let pairs = pairs
        .iter()
        .map(|(k, v)| Ok(format!("{}={}", part(k)?, part(v)?)));
    Ok(Val::from(pairs.collect::<Res<Vec<_>>>()?.join("&")))
}
