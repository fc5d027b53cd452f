//! How values print: Python's `str` and `repr`.

use super::ctx::Ctx;
use super::fault::{Fault, Res};
use super::val::Val;
use std::fmt::Write;

/// Containers that hold themselves must end somewhere.
const MAX_DEPTH: usize = 100;

/// Python's `str(value)`.
pub(super) fn to_text(ctx: &Ctx, value: &Val) -> Res<String> {
    match value.usable()? {
        Val::Str(s) => Ok(s.to_string()),
        Val::Object(o) => match o.plain(ctx) {
            Some(map @ Val::Map(_)) => repr(ctx, &map),
            _ => Ok(o.text()),
        },
        other => repr(ctx, other),
    }
}

/// As text between other text of a template: there, tuples have become lists.
pub(super) fn printed(ctx: &Ctx, value: &Val) -> Res<String> {
    match value.usable()? {
        Val::List(_) | Val::Tuple(_) | Val::Map(_) => {
            let mut out = String::new();
            let lists = Tuples::AsLists;
            write_repr(ctx, value, lists, &mut out, 0)?;
            Ok(out)
        }
        other => to_text(ctx, other),
    }
}

/// Python's `repr(value)`.
pub(super) fn repr(ctx: &Ctx, value: &Val) -> Res<String> {
    let mut out = String::new();
    write_repr(ctx, value, Tuples::Kept, &mut out, 0)?;
    Ok(out)
}

/// How tuples are written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tuples {
    Kept,
    AsLists,
}

fn write_repr(ctx: &Ctx, value: &Val, tuples: Tuples, out: &mut String, depth: usize) -> Res<()> {
    if depth > MAX_DEPTH {
        return Err(Fault::error("a container holds itself"));
    }
    match value.usable()? {
        Val::Null => out.push_str("None"),
        Val::Bool(true) => out.push_str("True"),
        Val::Bool(false) => out.push_str("False"),
        Val::Int(i) => {
            let _ = write!(out, "{i}");
        }
        Val::Float(f) => out.push_str(&float(*f)),
        Val::Str(s) => quoted(s, out),
        Val::List(l) => write_items(ctx, &l.items(ctx), ("[", "]"), tuples, out, depth)?,
        Val::Tuple(t) if tuples == Tuples::AsLists && !t.has_names() => {
            write_items(ctx, t, ("[", "]"), tuples, out, depth)?;
        }
        Val::Tuple(t) => {
            let close = if t.len() == 1 { ",)" } else { ")" };
            write_items(ctx, t, ("(", close), tuples, out, depth)?;
        }
        Val::Map(m) => {
            out.push('{');
            let entries = m.entries(ctx);
            let kept = entries.iter().filter(|(_, v)| !matches!(v, Val::Omit));
            for (i, (key, value)) in kept.enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                write_repr(ctx, &Val::from(key.clone()), tuples, out, depth + 1)?;
                out.push_str(": ");
                write_repr(ctx, value, tuples, out, depth + 1)?;
            }
            out.push('}');
        }
        Val::Omit => out.push_str("<<Omit>>"),
        Val::Object(o) => match o.plain(ctx) {
            Some(plain) => write_repr(ctx, &plain, tuples, out, depth + 1)?,
            None => out.push_str(&o.text()),
        },
        Val::Missing(_) | Val::Unknown(_) => {}
    }
    Ok(())
}

fn write_items(
    ctx: &Ctx,
    items: &[Val],
    (open, close): (&str, &str),
    tuples: Tuples,
    out: &mut String,
    depth: usize,
) -> Res<()> {
    out.push_str(open);
    let kept = items.iter().filter(|v| !matches!(v, Val::Omit));
    for (i, item) in kept.enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        write_repr(ctx, item, tuples, out, depth + 1)?;
    }
    out.push_str(close);
    Ok(())
}

/// Python's `repr` of a float: the shortest digits that read back the same.
pub(super) fn float(f: f64) -> String {
    if f.is_nan() {
        return "nan".into();
    }
    if f.is_infinite() {
        return if f > 0.0 { "inf" } else { "-inf" }.into();
    }
    let magnitude = f.abs();
    if magnitude != 0.0 && !(1e-4..1e16).contains(&magnitude) {
        let text = format!("{f:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, number) = match exponent.strip_prefix('-') {
            Some(number) => ('-', number),
            None => ('+', exponent),
        };
        return format!("{digits}e{sign}{number:0>2}");
    }
    let text = format!("{f}");
    if text.contains('.') {
        text
    } else {
        format!("{text}.0")
    }
}

/// Python's `repr` of text.
fn quoted(text: &str, out: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() && (c as u32) < 0x100 => {
                let _ = write!(out, "\\x{:02x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push(quote);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_print_as_python_prints_them() {
        for (f, want) in [
            (1.0, "1.0"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e20, "1e+20"),
            (1e16, "1e+16"),
            (123456789.123, "123456789.123"),
            (1e-5, "1e-05"),
            (2.5e-7, "2.5e-07"),
            (-0.0, "-0.0"),
        ] {
            assert_eq!(float(f), want);
        }
    }

    #[test]
    fn text_is_quoted_as_python_quotes_it() {
        for (text, want) in [
            ("a", "'a'"),
            ("it's", "\"it's\""),
            ("'\"", "'\\'\"'"),
            ("a\nb\\\x01", "'a\\nb\\\\\\x01'"),
            ("é", "'é'"),
        ] {
            let mut out = String::new();
            quoted(text, &mut out);
            assert_eq!(out, want);
        }
    }
}
