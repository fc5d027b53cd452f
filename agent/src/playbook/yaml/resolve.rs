//! What a plain scalar means: the YAML 1.1 rules of PyYAML's `resolver.py` and `constructor.py`.
//!
//! They differ from YAML 1.2 where playbooks feel it: `yes` and `on` are truth values, `010` is
//! eight, `12:30` is 750, `1e3` and `0o17` are text.

/// The implicit type of a plain scalar, with its value where it has one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Plain {
    Null,
    Bool(bool),
    /// `None` for a number beyond 64 bits, which Python could hold and we keep as text.
    Int(Option<i64>),
    Float(f64),
    /// A date or time; the text as Python prints it.
    Timestamp(String),
    /// `<<`
    Merge,
    /// `=`, a type that nobody uses but that PyYAML's writer quotes.
    Value,
    Str,
}

/// Resolves a plain scalar.
pub(crate) fn plain(text: &str) -> Plain {
    match text.as_bytes().first() {
        None => Plain::Null,
        Some(b'0'..=b'9' | b'+' | b'-' | b'.') => number(text).unwrap_or(Plain::Str),
        Some(b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~') => {
            word(text)
        }
        Some(b'<') if text == "<<" => Plain::Merge,
        Some(b'=') if text == "=" => Plain::Value,
        Some(_) => Plain::Str,
    }
}

fn word(text: &str) -> Plain {
    match text {
        "~" | "null" | "Null" | "NULL" => Plain::Null,
        _ => boolean(text).map_or(Plain::Str, Plain::Bool),
    }
}

/// The truth value of one of the words YAML 1.1 has for it (`y` and `n` are not among PyYAML's).
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text {
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Some(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

fn number(text: &str) -> Option<Plain> {
    if let Some(value) = int(text) {
        return Some(Plain::Int(value));
    }
    if let Some(value) = float(text) {
        return Some(Plain::Float(value));
    }
    timestamp(text).map(Plain::Timestamp)
}

/// An integer in any of PyYAML's forms; the inner `None` is one beyond 64 bits.
// Two levels: "not an integer" and "an integer we cannot hold" are different answers.
#[allow(clippy::option_option)]
pub(crate) fn int(text: &str) -> Option<Option<i64>> {
    let (negative, digits) = sign(text);
    let magnitude = if let Some(binary) = digits.strip_prefix("0b") {
        radix(binary, 2)?
    } else if let Some(hex) = digits.strip_prefix("0x") {
        radix(hex, 16)?
    } else if digits == "0" {
        Some(0)
    } else if let Some(octal) = digits.strip_prefix('0') {
        let rest = octal.bytes().all(|c| matches!(c, b'0'..=b'7' | b'_'));
        if !rest {
            return None;
        }
        radix(digits, 8)?
    } else {
        decimal(digits)?
    };
    Some(magnitude.and_then(|m| i64::try_from(if negative { -m } else { m }).ok()))
}

fn sign(text: &str) -> (bool, &str) {
    match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    }
}

#[allow(clippy::option_option)]
fn radix(digits: &str, radix: u32) -> Option<Option<i128>> {
    let valid = |c: char| c == '_' || c.is_digit(radix);
    if digits.is_empty() || !digits.chars().all(valid) {
        return None;
    }
    Some(i128::from_str_radix(&digits.replace('_', ""), radix).ok())
}

/// `[1-9][0-9_]*`, optionally followed by base-60 digits as in `12:30:45`.
#[allow(clippy::option_option)]
fn decimal(digits: &str) -> Option<Option<i128>> {
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let mut parts = digits.split(':');
    let first = parts.next()?;
    let mut value = radix(first, 10)?;
    for part in parts {
        let digit = sexagesimal(part)?;
        value = value.and_then(|v| v.checked_mul(60)?.checked_add(digit));
    }
    Some(value)
}

fn sexagesimal(part: &str) -> Option<i128> {
    let valid = match part.as_bytes() {
        [a] => a.is_ascii_digit(),
        [a, b] => matches!(a, b'0'..=b'5') && b.is_ascii_digit(),
        _ => false,
    };
    if valid { part.parse().ok() } else { None }
}

/// A float in any of PyYAML's forms: it needs a dot, and its exponent a sign.
pub(crate) fn float(text: &str) -> Option<f64> {
    let (negative, rest) = sign(text);
    let magnitude = match rest {
        ".inf" | ".Inf" | ".INF" => f64::INFINITY,
        ".nan" | ".NaN" | ".NAN" if rest.len() == text.len() => return Some(f64::NAN),
        _ if rest.contains(':') => base_60_float(rest)?,
        // `.5` is a number, `-.5` is text: so says PyYAML's expression.
        _ if rest.starts_with('.') && rest.len() != text.len() => return None,
        _ => decimal_float(rest)?,
    };
    Some(if negative { -magnitude } else { magnitude })
}

fn decimal_float(text: &str) -> Option<f64> {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let (whole, fraction) = mantissa.split_once('.')?;
    let digits = |s: &str| s.bytes().all(|c| c.is_ascii_digit() || c == b'_');
    let starts = |s: &str| s.starts_with(|c: char| c.is_ascii_digit());
    let whole_ok = if whole.is_empty() {
        starts(fraction)
    } else {
        starts(whole)
    };
    let exponent_ok = exponent.is_none_or(|e| {
        e.len() > 1 && e.starts_with(['+', '-']) && e[1..].bytes().all(|c| c.is_ascii_digit())
    });
    if !(whole_ok && digits(whole) && digits(fraction) && exponent_ok) {
        return None;
    }
    text.replace('_', "").parse().ok()
}

fn base_60_float(text: &str) -> Option<f64> {
    let (whole, fraction) = text.split_once('.')?;
    let mut parts = whole.split(':');
    let first = parts.next()?;
    if !first.starts_with(|c: char| c.is_ascii_digit())
        || !fraction.bytes().all(|c| c.is_ascii_digit() || c == b'_')
    {
        return None;
    }
    let mut value = radix(first, 10)?? as f64;
    let parts: Vec<&str> = parts.collect();
    for (at, part) in parts.iter().enumerate() {
        let digit = sexagesimal(part)?;
        value = value * 60.0
            + if at + 1 == parts.len() {
                format!("{digit}.{}", fraction.replace('_', "0"))
                    .parse::<f64>()
                    .ok()?
            } else {
                digit as f64
            };
    }
    Some(value)
}

/// A date or a time, in the text that Python's `str()` gives for it.
pub(crate) fn timestamp(text: &str) -> Option<String> {
    let date = text.get(..10).filter(|d| fixed(d, "dddd-dd-dd"));
    if date.is_some() && text.len() == 10 {
        return Some(text.to_owned());
    }
    date_and_time(text)
}

fn fixed(text: &str, shape: &str) -> bool {
    text.len() == shape.len()
        && text.bytes().zip(shape.bytes()).all(|(c, s)| match s {
            b'd' => c.is_ascii_digit(),
            s => c == s,
        })
}

fn date_and_time(text: &str) -> Option<String> {
    let mut rest = text;
    let year = take(&mut rest, 4, 4)?;
    expect(&mut rest, '-')?;
    let month = take(&mut rest, 1, 2)?;
    expect(&mut rest, '-')?;
    let day = take(&mut rest, 1, 2)?;
    let trimmed = rest.trim_start_matches([' ', '\t']);
    rest = if trimmed.len() < rest.len() {
        trimmed
    } else {
        rest.strip_prefix(['T', 't'])?
    };
    let hour = take(&mut rest, 1, 2)?;
    expect(&mut rest, ':')?;
    let minute = take(&mut rest, 2, 2)?;
    expect(&mut rest, ':')?;
    let second = take(&mut rest, 2, 2)?;
    let fraction = fraction(&mut rest);
    let zone = zone(rest)?;
    let in_range = (1..=12).contains(&month) && (1..=31).contains(&day) && hour < 24;
    if !in_range || minute > 59 || second > 59 {
        return None;
    }
    Some(format!(
        "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}{fraction}{zone}"
    ))
}

fn take(rest: &mut &str, least: usize, most: usize) -> Option<u32> {
    let count = rest
        .bytes()
        .take(most)
        .take_while(u8::is_ascii_digit)
        .count();
    if count < least {
        return None;
    }
    let (digits, after) = rest.split_at(count);
    *rest = after;
    digits.parse().ok()
}

fn expect(rest: &mut &str, what: char) -> Option<()> {
    *rest = rest.strip_prefix(what)?;
    Some(())
}

/// `.5` → `.500000`; nothing for zero, as Python prints it.
fn fraction(rest: &mut &str) -> String {
    let Some(after) = rest.strip_prefix('.') else {
        return String::new();
    };
    let count = after.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, after) = after.split_at(count);
    *rest = after;
    let micros: String = digits.chars().take(6).collect();
    if micros.bytes().all(|c| c == b'0') {
        String::new()
    } else {
        format!(".{micros:0<6}")
    }
}

fn zone(rest: &str) -> Option<String> {
    let rest = rest.trim_start_matches([' ', '\t']);
    if rest.is_empty() {
        return Some(String::new());
    }
    if rest == "Z" {
        return Some("+00:00".to_owned());
    }
    let mut after = rest.strip_prefix(['+', '-'])?;
    let hours = take(&mut after, 1, 2)?;
    let minutes = if after.is_empty() {
        0
    } else {
        expect(&mut after, ':')?;
        take(&mut after, 2, 2)?
    };
    let whole = after.is_empty() && hours < 24;
    whole.then(|| format!("{}{hours:02}:{minutes:02}", &rest[..1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_mean_what_pyyaml_says() {
        let int = |i| Plain::Int(Some(i));
        let time = |s: &str| Plain::Timestamp(s.to_owned());
        for (text, want) in [
            ("", Plain::Null),
            ("~", Plain::Null),
            ("NULL", Plain::Null),
            ("yes", Plain::Bool(true)),
            ("On", Plain::Bool(true)),
            ("OFF", Plain::Bool(false)),
            ("y", Plain::Str),
            ("n", Plain::Str),
            ("oN", Plain::Str),
            ("010", int(8)),
            ("-010", int(-8)),
            ("0644", int(420)),
            ("08", Plain::Str),
            ("0", int(0)),
            ("-0", int(0)),
            ("1_000", int(1000)),
            ("0x1F", int(31)),
            ("0b11", int(3)),
            ("0b_", Plain::Int(None)),
            ("0b", Plain::Str),
            ("12:30:45", int(45045)),
            ("-1:30", int(-90)),
            ("1:60", Plain::Str),
            ("01:30", Plain::Str),
            ("0o17", Plain::Str),
            ("1e3", Plain::Str),
            ("1.5e3", Plain::Str),
            ("1.5e+3", Plain::Float(1500.0)),
            ("1.", Plain::Float(1.0)),
            (".5", Plain::Float(0.5)),
            ("-.5", Plain::Str),
            ("-.inf", Plain::Float(f64::NEG_INFINITY)),
            ("190:20:30.15", Plain::Float(685_230.15)),
            ("1.2.3", Plain::Str),
            ("-", Plain::Str),
            ("+", Plain::Str),
            (".", Plain::Str),
            ("99999999999999999999", Plain::Int(None)),
            ("<<", Plain::Merge),
            ("2024-01-02", time("2024-01-02")),
            ("2024-1-2", Plain::Str),
            (
                "2001-12-14t21:59:43.10-05:00",
                time("2001-12-14 21:59:43.100000-05:00"),
            ),
            ("2001-12-14 21:59:43", time("2001-12-14 21:59:43")),
            ("2001-12-15 2:59:43.0Z", time("2001-12-15 02:59:43+00:00")),
            ("2024-01-02é", Plain::Str),
            ("1é", Plain::Str),
        ] {
            assert_eq!(plain(text), want, "{text:?}");
        }
        assert!(matches!(plain(".NaN"), Plain::Float(f) if f.is_nan()));
    }
}
