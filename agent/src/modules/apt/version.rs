//! Comparing versions of Debian packages, as `dpkg --compare-versions` does.

use std::cmp::Ordering;

/// Compares two versions (`[epoch:]upstream[-revision]`).
#[must_use]
pub fn compare(a: &str, b: &str) -> Ordering {
    let ((ea, ua, ra), (eb, ub, rb)) = (parts(a), parts(b));
    ea.cmp(&eb)
        .then_with(|| compare_part(ua, ub))
        .then_with(|| compare_part(ra, rb))
}

fn parts(version: &str) -> (u64, &str, &str) {
    let version = version.trim();
    let (epoch, rest) = match version.split_once(':') {
        Some((epoch, rest)) => (epoch.parse().unwrap_or(0), rest),
        None => (0, version),
    };
    let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
    (epoch, upstream, revision)
}

/// Text and numbers by turns: text by letters before signs and `~` before everything, numbers by size.
fn compare_part(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    loop {
        let order = compare_text(&mut a, &mut b).then_with(|| compare_number(&mut a, &mut b));
        if order != Ordering::Equal || (a.is_empty() && b.is_empty()) {
            return order;
        }
    }
}

fn compare_text(a: &mut &[u8], b: &mut &[u8]) -> Ordering {
    let weight = |byte: Option<&u8>| match byte {
        Some(b'~') => -1,
        None => 0,
        Some(b) if b.is_ascii_digit() => 0,
        Some(b) if b.is_ascii_alphabetic() => i32::from(*b),
        Some(b) => i32::from(*b) + 256,
    };
    let is_text = |bytes: &[u8]| bytes.first().is_some_and(|b| !b.is_ascii_digit());
    while is_text(a) || is_text(b) {
        match weight(a.first()).cmp(&weight(b.first())) {
            Ordering::Equal => {}
            other => return other,
        }
        *a = a.get(1..).unwrap_or_default();
        *b = b.get(1..).unwrap_or_default();
    }
    Ordering::Equal
}

fn compare_number(a: &mut &[u8], b: &mut &[u8]) -> Ordering {
    let take = |bytes: &mut &[u8]| -> Vec<u8> {
        let end = bytes
            .iter()
            .position(|b| !b.is_ascii_digit())
            .unwrap_or(bytes.len());
        let (number, rest) = bytes.split_at(end);
        *bytes = rest;
        let zeros = number.iter().take_while(|b| **b == b'0').count();
        number[zeros..].to_vec()
    };
    let (x, y) = (take(a), take(b));
    x.len().cmp(&y.len()).then_with(|| x.cmp(&y))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_dpkg_orders_them() {
        let ascending = [
            "1.0~rc1-1",
            "1.0~rc2",
            "1.0",
            "1.0-1",
            "1.0-1+b1",
            "1.0a",
            "1.0+x",
            "1.2",
            "1.10",
            "1.10.1",
            "2",
            "1:0.1",
        ];
        for (i, a) in ascending.iter().enumerate() {
            for (j, b) in ascending.iter().enumerate() {
                assert_eq!(compare(a, b), i.cmp(&j), "{a} {b}");
            }
        }
        assert_eq!(compare("0:1.0", "1.0"), Ordering::Equal);
        assert_eq!(compare("1.00", "1.0"), Ordering::Equal);
    }
}
