//! Values as Ansible shows them: JSON as Python's `json.dumps` spaces it, text as `str()` writes it.

use crate::value::{Key, Map, Value};

/// How JSON is laid out.
#[derive(Clone, Copy, Debug, Default)]
pub struct Layout {
    /// Spaces for each level; on one line if not given.
    pub indent: Option<usize>,
    /// Whether what is not ASCII is written as `\uXXXX`.
    pub ascii: bool,
}

/// JSON on one line, keys sorted, as Ansible's results are shown.
#[must_use]
pub fn json_line(value: &Value) -> String {
    dump(value, Layout::default())
}

/// JSON over several lines, four spaces a level, keys sorted, as Ansible shows `debug`.
#[must_use]
pub fn json_pretty(value: &Value) -> String {
    dump(
        value,
        Layout {
            indent: Some(4),
            ascii: false,
        },
    )
}

/// JSON with keys sorted.
#[must_use]
pub fn dump(value: &Value, layout: Layout) -> String {
    let mut out = String::new();
    write_json(&mut out, value, layout, 0);
    out
}

fn write_json(out: &mut String, value: &Value, layout: Layout, level: usize) {
    match value {
        Value::Null | Value::Omit => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Int(i) => out.push_str(&i.to_string()),
        Value::Float(f) => out.push_str(&match f {
            f if f.is_nan() => "NaN".to_string(),
            f if f.is_infinite() => if *f > 0.0 { "Infinity" } else { "-Infinity" }.to_string(),
            f => float(*f),
        }),
        Value::Str(s) => quote(out, s, layout.ascii),
        Value::Template(t) => quote(out, &t.text, layout.ascii),
        Value::Unknown(_) => quote(out, UNKNOWN, layout.ascii),
        Value::List(list) => {
            let items = list.iter();
            write_all(out, ('[', ']'), layout, level, items, |out, item| {
                write_json(out, item, layout, level + 1);
            });
        }
        Value::Map(map) => {
            let pairs = sorted(map).into_iter();
            write_all(out, ('{', '}'), layout, level, pairs, |out, (key, item)| {
                quote(out, &key, layout.ascii);
                out.push_str(": ");
                write_json(out, item, layout, level + 1);
            });
        }
    }
}

/// What stands for a value that check mode cannot know.
const UNKNOWN: &str = "unknown in check mode";

fn write_all<T>(
    out: &mut String,
    (open, close): (char, char),
    layout: Layout,
    level: usize,
    items: impl ExactSizeIterator<Item = T>,
    mut write: impl FnMut(&mut String, T),
) {
    out.push(open);
    let empty = items.len() == 0;
    for (n, item) in items.enumerate() {
        if n > 0 {
            out.push(',');
        }
        match layout.indent {
            Some(width) => new_line(out, width * (level + 1)),
            None if n > 0 => out.push(' '),
            None => {}
        }
        write(out, item);
    }
    if let (Some(width), false) = (layout.indent, empty) {
        new_line(out, width * level);
    }
    out.push(close);
}

fn new_line(out: &mut String, spaces: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n(' ', spaces));
}

fn sorted(map: &Map) -> Vec<(String, &Value)> {
    let mut pairs: Vec<(String, &Value)> = map.iter().map(|(k, v)| (k.to_string(), v)).collect();
    pairs.sort_by(|a, b| a.0.cmp(&b.0));
    pairs
}

fn quote(out: &mut String, text: &str, ascii: bool) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            // Python leaves DEL alone in either mode.
            c if c < ' ' || (ascii && !c.is_ascii()) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// A number as Python's `repr` writes it: `1.0`, `1e+16`, `1e-05`.
fn float(f: f64) -> String {
    let magnitude = f.abs();
    if magnitude != 0.0 && !(1e-4..1e16).contains(&magnitude) {
        let text = format!("{f:e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, digits) = match exponent.strip_prefix('-') {
            Some(digits) => ('-', digits),
            None => ('+', exponent),
        };
        return format!("{mantissa}e{sign}{digits:0>2}");
    }
    format!("{f:?}")
}

/// A value as Python's `str()` shows it, which is how Ansible labels the items of a loop:
/// `{'k': 'v'}`, `[1, 'x']`, `None`.
#[must_use]
pub fn py_str(value: &Value) -> String {
    match value {
        Value::Str(s) => s.to_string(),
        Value::Template(t) => t.text.to_string(),
        Value::Unknown(_) => UNKNOWN.to_string(),
        other => py_repr(other),
    }
}

fn py_repr(value: &Value) -> String {
    match value {
        Value::Null | Value::Omit => "None".into(),
        Value::Bool(b) => if *b { "True" } else { "False" }.into(),
        Value::Int(i) => i.to_string(),
        Value::Float(f) if f.is_nan() => "nan".into(),
        Value::Float(f) if f.is_infinite() => if *f > 0.0 { "inf" } else { "-inf" }.into(),
        Value::Float(f) => float(*f),
        Value::Str(s) => py_quote(s),
        Value::Template(t) => py_quote(&t.text),
        Value::Unknown(_) => py_quote(UNKNOWN),
        Value::List(list) => {
            let items: Vec<String> = list.iter().map(py_repr).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Map(map) => {
            let pair =
                |(k, v): (&Key, &Value)| format!("{}: {}", py_repr(&k.to_value()), py_repr(v));
            let pairs: Vec<String> = map.iter().map(pair).collect();
            format!("{{{}}}", pairs.join(", "))
        }
    }
}

/// Text as Python quotes it: single quotes, unless only those are inside.
fn py_quote(text: &str) -> String {
    let mark = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    let mut out = String::from(mark);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == mark => {
                out.push('\\');
                out.push(c);
            }
            c if (c as u32) < 0x20 || (0x7f..0xa0).contains(&(c as u32)) => {
                out.push_str(&format!("\\x{:02x}", c as u32));
            }
            c => out.push(c),
        }
    }
    out.push(mark);
    out
}

/// How many columns a text takes on a terminal.
#[must_use]
pub fn columns(text: &str) -> usize {
    text.chars().map(char_columns).sum()
}

/// Columns of one character: East Asian wide ones take two, marks that combine take none.
#[must_use]
pub fn char_columns(c: char) -> usize {
    match c as u32 {
        0x0300..=0x036f | 0x200b..=0x200f | 0xfe00..=0xfe0f | 0xfeff => 0,
        0x1100..=0x115f
        | 0x2e80..=0x303e
        | 0x3041..=0xa4cf
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1f64f
        | 0x1f680..=0x1f6ff
        | 0x1f900..=0x1f9ff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// Milliseconds since 1970 as `2026-11-22T19:18:47.534000Z`.
#[must_use]
pub fn timestamp(ms: u64) -> String {
    let (days, in_day) = (ms / 86_400_000, ms % 86_400_000);
    // Howard Hinnant's `civil_from_days`: years start in March, so that leap days come last.
    let z = i64::try_from(days).unwrap_or(0) + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = doy - (153 * mp + 2) / 5 + 1;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    let (seconds, millis) = (in_day / 1000, in_day % 1000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}000Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(json: &str) -> Value {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn json_is_spaced_and_sorted_as_python_does() {
        let v = value(r#"{"b": [1, "zwölf", null, 1.5, true, {}, []], "a": "x\n\"\u001b"}"#);
        assert_eq!(
            json_line(&v),
            r#"{"a": "x\n\"\u001b", "b": [1, "zwölf", null, 1.5, true, {}, []]}"#
        );
        assert_eq!(
            json_pretty(&value(r#"{"b": {}, "a": [1]}"#)),
            "{\n    \"a\": [\n        1\n    ],\n    \"b\": {}\n}"
        );
        let ascii = Layout {
            ascii: true,
            ..Layout::default()
        };
        assert_eq!(dump(&value("\"ö𝄞\""), ascii), r#""\u00f6\ud834\udd1e""#);
    }

    #[test]
    fn numbers_are_written_as_python_writes_them() {
        for (f, want) in [
            (1.0, "1.0"),
            (0.1, "0.1"),
            (1e16, "1e+16"),
            (1.5e-5, "1.5e-05"),
            (-2.5e300, "-2.5e+300"),
            (123456789.25, "123456789.25"),
        ] {
            assert_eq!(float(f), want);
        }
    }

    #[test]
    fn items_are_labelled_as_python_shows_them() {
        for (json, want) in [
            (r#""a b""#, "a b"),
            (r#"{"k": "v"}"#, "{'k': 'v'}"),
            (
                r#"[1, "x", null, true, "it's", "a'\"b\n"]"#,
                r#"[1, 'x', None, True, "it's", 'a\'"b\n']"#,
            ),
            ("null", "None"),
        ] {
            assert_eq!(py_str(&value(json)), want);
        }
    }

    #[test]
    fn times_are_calendar_dates() {
        assert_eq!(timestamp(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(timestamp(951_827_696_789), "2000-02-29T12:34:56.789000Z");
    }
}
