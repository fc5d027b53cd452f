//! `strptime`, in the C locale.

use super::super::fault::{Fault, Res};
use super::calendar;
use super::format::{DAYS, MONTHS};
use super::{DateTime, MICROS};

#[derive(Default)]
struct Parts {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    yearday: Option<i64>,
    hour: i64,
    minute: i64,
    second: i64,
    micros: i64,
    afternoon: Option<bool>,
    zone: Option<(i32, String)>,
}

/// Reads `text` after `format`.
pub(in super::super) fn strptime(text: &str, format: &str) -> Res<DateTime> {
    let mismatch = || {
        Fault::error(format!(
            "time data '{text}' does not match format '{format}'"
        ))
    };
    let mut parts = Parts::default();
    let rest = read(text, format, &mut parts).ok_or_else(mismatch)?;
    if !rest.is_empty() {
        return Err(Fault::error(format!("unconverted data remains: {rest}")));
    }
    finish(parts).ok_or_else(mismatch)
}

fn read<'t>(text: &'t str, format: &str, parts: &mut Parts) -> Option<&'t str> {
    let mut rest = text;
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        match c {
            '%' => {
                let kind = chars.next()?;
                rest = match kind {
                    'T' | 'X' => read(rest, "%H:%M:%S", parts)?,
                    'F' => read(rest, "%Y-%m-%d", parts)?,
                    'D' | 'x' => read(rest, "%m/%d/%y", parts)?,
                    'R' => read(rest, "%H:%M", parts)?,
                    'c' => read(rest, "%a %b %d %H:%M:%S %Y", parts)?,
                    '%' => rest.strip_prefix('%')?,
                    kind => directive(rest, kind, parts)?,
                };
            }
            c if c.is_whitespace() => rest = rest.trim_start(),
            c => rest = rest.strip_prefix(c)?,
        }
    }
    Some(rest)
}

/// A number of at most `width` digits.
fn number(text: &str, width: usize) -> Option<(i64, &str)> {
    let len = text
        .bytes()
        .take(width)
        .take_while(u8::is_ascii_digit)
        .count();
    Some((text[..len].parse().ok()?, &text[len..]))
}

/// One of `names`, in full or its first three letters.
fn named<'t>(text: &'t str, names: &[&str]) -> Option<(i64, &'t str)> {
    let fits = |name: &str| {
        let head = text.get(..name.len())?;
        head.eq_ignore_ascii_case(name).then(|| &text[name.len()..])
    };
    names.iter().enumerate().find_map(|(i, name)| {
        let rest = fits(name).or_else(|| fits(&name[..3]))?;
        Some((i64::try_from(i).ok()?, rest))
    })
}

fn directive<'t>(text: &'t str, kind: char, parts: &mut Parts) -> Option<&'t str> {
    let (value, rest) = match kind {
        'Y' => number(text, 4)?,
        'j' => number(text, 3)?,
        'f' => {
            let (value, rest) = number(text, 6)?;
            let digits = u32::try_from(text.len() - rest.len()).ok()?;
            (value * 10_i64.pow(6 - digits), rest)
        }
        'm' | 'd' | 'e' | 'H' | 'I' | 'M' | 'S' | 'y' => number(text.trim_start(), 2)?,
        'b' | 'B' | 'h' => named(text, &MONTHS).map(|(i, r)| (i + 1, r))?,
        'a' | 'A' => named(text, &DAYS)?,
        'p' => named(text, &["AM.", "PM."]).or_else(|| {
            Some((
                i64::from(text.get(..2)?.eq_ignore_ascii_case("PM")),
                &text[2..],
            ))
        })?,
        'z' => return zone(text, parts),
        'Z' => {
            let end = text
                .find(|c: char| !c.is_alphabetic())
                .unwrap_or(text.len());
            if matches!(&text[..end], "UTC" | "GMT") {
                parts.zone.get_or_insert((0, "UTC".into()));
            }
            return Some(&text[end..]);
        }
        _ => return None,
    };
    match kind {
        'Y' => parts.year = Some(value),
        'y' => {
            parts.year = Some(if value < 69 {
                2000 + value
            } else {
                1900 + value
            })
        }
        'm' | 'b' | 'B' | 'h' => parts.month = Some(value),
        'd' | 'e' => parts.day = Some(value),
        'j' => parts.yearday = Some(value),
        'H' | 'I' => parts.hour = value,
        'M' => parts.minute = value,
        'S' => parts.second = value,
        'f' => parts.micros = value,
        'p' => parts.afternoon = Some(value == 1),
        _ => {}
    }
    Some(rest)
}

/// `+0100`, `-05:30` or `Z`.
fn zone<'t>(text: &'t str, parts: &mut Parts) -> Option<&'t str> {
    if let Some(rest) = text.strip_prefix(['Z', 'z']) {
        parts.zone = Some((0, "UTC".into()));
        return Some(rest);
    }
    let sign = match text.chars().next()? {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let (hours, rest) = number(&text[1..], 2)?;
    let (minutes, rest) = number(rest.strip_prefix(':').unwrap_or(rest), 2)?;
    let offset = i32::try_from(sign * (hours * 3600 + minutes * 60)).ok()?;
    let name = format!("UTC{}", &text[..text.len() - rest.len()]);
    parts.zone = Some((offset, if offset == 0 { "UTC".into() } else { name }));
    Some(rest)
}

fn finish(parts: Parts) -> Option<DateTime> {
    let hour = match parts.afternoon {
        Some(afternoon) => parts.hour % 12 + if afternoon { 12 } else { 0 },
        None => parts.hour,
    };
    let (year, month, day) = (
        parts.year.unwrap_or(1900),
        parts.month.unwrap_or(1),
        parts.day.unwrap_or(1),
    );
    let fits = (1..=12).contains(&month)
        && (1..=calendar::month_len(year, month)).contains(&day)
        && hour < 24
        && parts.minute < 60
        && parts.second < 62;
    if !fits {
        return None;
    }
    let days = match parts.yearday {
        Some(yearday) => calendar::days(year, 1, 1) + yearday - 1,
        None => calendar::days(year, month, day),
    };
    let seconds = days * 86_400 + hour * 3600 + parts.minute * 60 + parts.second;
    Some(DateTime {
        micros: i128::from(seconds) * MICROS + i128::from(parts.micros),
        zone: parts.zone,
    })
}

#[cfg(test)]
mod tests {
    use super::super::strftime;
    use super::*;

    #[test]
    fn what_is_printed_is_read_back() {
        for (text, format) in [
            ("2016-08-14 20:00:12", "%Y-%m-%d %H:%M:%S"),
            ("14 Nov 2023 11:13 PM", "%d %b %Y %I:%M %p"),
            ("2024-02-29T00:00:00.000120", "%Y-%m-%dT%H:%M:%S.%f"),
            ("2023-11-14 +0130", "%Y-%m-%d %z"),
            ("Tuesday 318 2023", "%A %j %Y"),
        ] {
            let date = strptime(text, format).unwrap_or_else(|f| panic!("{}", f.message()));
            assert_eq!(strftime(&date, format), text);
        }
        assert!(strptime("2023-02-30", "%Y-%m-%d").is_err());
        assert!(strptime("2023-02-03x", "%Y-%m-%d").is_err());
    }
}
