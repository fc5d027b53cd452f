//! Host names as inventories write them: with a port, with ranges such as `web[01:10]`.
//!
//! From `ansible/parsing/utils/addresses.py` and `ansible/plugins/inventory/__init__.py`.

use std::net::{Ipv4Addr, Ipv6Addr};

/// One pattern may not stand for more hosts than this: `[0:999999999]` is a slip.
const MOST_HOSTS: usize = 100_000;

/// Said of a range such as `[1:]`.
pub(super) const NO_END: &str = "host range must specify end value: it needs a last value";

/// A name and its port, if `text` looks like a host name or address. Ranges may stand in it.
pub(super) fn parse(text: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = split_port(text);
    is_host(host).then_some((host, port))
}

/// `[::1]:22`, `host:22`; a port only counts if what is before it has no bare colon.
fn split_port(text: &str) -> (&str, Option<u16>) {
    let Some((host, digits)) = text.rsplit_once(':') else {
        return (text, None);
    };
    let port = digits.parse().ok().filter(|_| is_number(digits));
    let bracketed = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
    match (port, bracketed) {
        (Some(port), Some(inner)) if !inner.is_empty() && !is_range(inner) => (inner, Some(port)),
        (Some(port), _) if !without_ranges(host).contains([':', '[', ']']) => (host, Some(port)),
        _ => (text, None),
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit())
}

/// The text with `0` for each `[…]`.
fn without_ranges(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        let Some((_, tail)) = after.split_once(']') else {
            break;
        };
        out.push_str(before);
        out.push('0');
        rest = tail;
    }
    out.push_str(rest);
    out
}

fn is_host(text: &str) -> bool {
    let ranges_ok = text.split('[').skip(1).all(|part| {
        part.split_once(']')
            .is_some_and(|(range, _)| is_range(range))
    });
    let bare = without_ranges(text);
    ranges_ok
        && (bare.parse::<Ipv4Addr>().is_ok()
            || bare.parse::<Ipv6Addr>().is_ok()
            || bare.split('.').all(is_label))
}

/// `1:5`, `01:10:2`, `a:f`
fn is_range(text: &str) -> bool {
    let mut parts = text.split(':');
    let (first, last, step) = (parts.next(), parts.next(), parts.next());
    let (Some(first), Some(last), None) = (first, last, parts.next()) else {
        return false;
    };
    let letter = |s: &str| s.len() == 1 && s.bytes().all(|c| c.is_ascii_alphabetic());
    let hex = |s: &str| !s.is_empty() && s.bytes().all(|c| c.is_ascii_hexdigit());
    let bounds = letter(first) && letter(last) || hex(first) && hex(last);
    bounds && step.is_none_or(is_number)
}

fn is_label(label: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let mut chars = label.chars();
    chars.next().is_some_and(word)
        && chars.all(|c| word(c) || c == '-')
        && !label.ends_with(['-', '_'])
}

/// The hosts that a host entry of an inventory stands for, and the port for all of them.
///
/// # Errors
/// A message, if a range is wrong.
pub(super) fn expand(entry: &str) -> Result<(Vec<String>, Option<u16>), String> {
    let (pattern, port) = parse(entry).unwrap_or((entry, None));
    let mut hosts = Vec::new();
    expand_ranges(pattern, &mut hosts)?;
    Ok((hosts, port))
}

fn expand_ranges(pattern: &str, out: &mut Vec<String>) -> Result<(), String> {
    let Some((head, rest)) = pattern.split_once('[') else {
        out.push(pattern.to_owned());
        return Ok(());
    };
    let (range, tail) = rest
        .split_once(']')
        .ok_or_else(|| format!("the `[` in `{pattern}` is never closed"))?;
    for item in range_items(range)? {
        expand_ranges(&format!("{head}{item}{tail}"), out)?;
        if out.len() > MOST_HOSTS {
            return Err(format!("the range stands for more than {MOST_HOSTS} hosts"));
        }
    }
    Ok(())
}

fn range_items(range: &str) -> Result<Vec<String>, String> {
    let parts: Vec<&str> = range.split(':').collect();
    let (first, last, step) = match parts.as_slice() {
        [first, last] => (*first, *last, "1"),
        [first, last, step] => (*first, *last, *step),
        _ => return Err("a host range is written [first:last] or [first:last:step]".to_owned()),
    };
    if last.is_empty() {
        return Err(NO_END.to_owned());
    }
    let first = if first.is_empty() { "0" } else { first };
    let step: usize = match step.parse() {
        Ok(step) if step > 0 => step,
        _ => {
            return Err(format!(
                "the step `{step}` of a host range must be a number above 0"
            ));
        }
    };
    letters(first, last, step).unwrap_or_else(|| numbers(first, last, step))
}

/// In Python's order of letters, `a` to `z` before `A` to `Z`; nothing if these are not letters.
fn letters(first: &str, last: &str, step: usize) -> Option<Result<Vec<String>, String>> {
    let alphabet: Vec<char> = ('a'..='z').chain('A'..='Z').collect();
    let index = |text: &str| {
        let mut chars = text.chars();
        let c = chars.next().filter(|_| chars.next().is_none())?;
        alphabet.iter().position(|letter| *letter == c)
    };
    let (from, to) = (index(first)?, index(last)?);
    if from > to {
        return Some(Err("a host range must not end before it begins".to_owned()));
    }
    let letters = alphabet[from..=to].iter().step_by(step);
    Some(Ok(letters.map(char::to_string).collect()))
}

fn numbers(first: &str, last: &str, step: usize) -> Result<Vec<String>, String> {
    let padded = first.len() > 1 && first.starts_with('0');
    if padded && first.len() != last.len() {
        return Err(format!(
            "the ends of the host range `{first}:{last}` must have the same number of digits"
        ));
    }
    let number = |text: &str| {
        text.parse::<usize>()
            .map_err(|_| format!("`{text}` in a host range is neither a number nor a letter"))
    };
    let (from, to) = (number(first)?, number(last)?);
    if to.saturating_sub(from) / step > MOST_HOSTS {
        return Err(format!("the range stands for more than {MOST_HOSTS} hosts"));
    }
    let width = if padded { first.len() } else { 0 };
    Ok((from..=to)
        .step_by(step)
        .map(|n| format!("{n:0width$}"))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_from_patterns() {
        for (text, want) in [
            ("web1", Some(("web1", None))),
            ("web1:2222", Some(("web1", Some(2222)))),
            (
                "web[01:10].example.org:22",
                Some(("web[01:10].example.org", Some(22))),
            ),
            ("10.0.0.[1:5]", Some(("10.0.0.[1:5]", None))),
            ("::1", Some(("::1", None))),
            ("[::1]:22", Some(("::1", Some(22)))),
            ("fe80::1", Some(("fe80::1", None))),
            ("web:&prod", None),
            ("web:!db", None),
            ("web:prod", None),
            ("web*", None),
            ("~web", None),
            ("-x", None),
            ("a_b", Some(("a_b", None))),
            ("web:", None),
            ("", None),
        ] {
            assert_eq!(parse(text), want, "{text}");
        }
    }

    #[test]
    fn ranges_are_written_out() {
        for (text, want) in [
            ("web[08:10]", "web08 web09 web10"),
            ("web[8:10]", "web8 web9 web10"),
            ("db-[a:c].x", "db-a.x db-b.x db-c.x"),
            ("n[1:2]-[a:b]", "n1-a n1-b n2-a n2-b"),
            ("n[01:05:2]", "n01 n03 n05"),
            ("n[:2]", "n0 n1 n2"),
            ("n[y:B]", "ny nz nA nB"),
            ("n[3:1]", ""),
            ("plain", "plain"),
        ] {
            assert_eq!(expand(text).unwrap().0.join(" "), want, "{text}");
        }
        for (text, want) in [
            ("n[1]", "[first:last]"),
            ("n[1:]", "last value"),
            ("n[01:100]", "same number of digits"),
            ("n[1:x]", "neither a number nor a letter"),
            ("n[c:a]", "end before"),
            ("n[1:5:0]", "above 0"),
            ("n[1", "never closed"),
            ("n[0:999999999]", "more than"),
            ("n[0:9999]-[0:9999]", "more than"),
        ] {
            let error = expand(text).unwrap_err();
            assert!(error.contains(want), "{text}: {error}");
        }
    }
}
