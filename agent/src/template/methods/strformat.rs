//! `'{:>5}'.format(x)`: Python's format strings and format specifications.

use super::super::access;
use super::super::ctx::Ctx;
use super::super::fault::{Fault, Res};
use super::super::text;
use super::super::val::{Args, Val};
use std::iter::Peekable;
use std::str::Chars;
use std::sync::Arc;

/// Widths and precisions beyond this are mistakes that would eat the memory.
const MAX_WIDTH: usize = 1 << 20;

/// `width`, unless it is absurd.
pub(in super::super) fn limited(width: usize) -> Res<usize> {
    if width > MAX_WIDTH {
        return Err(Fault::error("this width is too large"));
    }
    Ok(width)
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
    Center,
    /// Between the sign and the digits.
    Inside,
}

/// `[[fill]align][sign][#][0][width][,][.precision][kind]`
#[derive(Clone, Copy, Default)]
pub(super) struct Spec {
    pub fill: Option<char>,
    pub align: Option<Align>,
    pub sign: Option<char>,
    pub alternate: bool,
    pub zero: bool,
    pub width: Option<usize>,
    pub group: Option<char>,
    pub precision: Option<usize>,
    pub kind: Option<char>,
}

/// Python's `str.format`.
pub(in super::super) fn format(ctx: &Ctx, format: &str, args: &Args) -> Res<String> {
    Format { ctx, args, next: 0 }.run(format, 0)
}

struct Format<'c, 't> {
    ctx: &'c Ctx<'t>,
    args: &'c Args,
    next: usize,
}

impl Format<'_, '_> {
    fn run(&mut self, format: &str, depth: usize) -> Res<String> {
        if depth > 2 {
            return Err(Fault::error("max string recursion exceeded"));
        }
        let mut out = String::with_capacity(format.len());
        let mut chars = format.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '{' if chars.next_if_eq(&'{').is_some() => out.push('{'),
                '}' if chars.next_if_eq(&'}').is_some() => out.push('}'),
                '{' => {
                    let field = field(&mut chars)?;
                    out.push_str(&self.field(&field, depth)?);
                }
                '}' => return Err(Fault::error("single '}' encountered in format string")),
                c => out.push(c),
            }
        }
        Ok(out)
    }

    fn field(&mut self, field: &str, depth: usize) -> Res<String> {
        let (head, spec) = field.split_once(':').unwrap_or((field, ""));
        let (path, conversion) = match head.split_once('!') {
            Some((path, conversion)) => (path, Some(conversion)),
            None => (head, None),
        };
        let value = self.value(path)?;
        let spec = self.run(spec, depth + 1)?;
        match conversion {
            None => format_value(self.ctx, &value, &spec),
            Some("s") => parse(&spec)?.checked_text(&text::to_text(self.ctx, &value)?),
            Some("r" | "a") => parse(&spec)?.checked_text(&text::repr(self.ctx, &value)?),
            Some(other) => Err(Fault::error(format!(
                "unknown conversion specifier '{other}'"
            ))),
        }
    }

    /// `0`, `name`, `name.attr[key]`, or the next positional argument.
    fn value(&mut self, path: &str) -> Res<Val> {
        let end = path.find(['.', '[']).unwrap_or(path.len());
        let (first, mut rest) = path.split_at(end);
        let mut value = self.first(first)?;
        while !rest.is_empty() {
            let (key, after) = if let Some(inside) = rest.strip_prefix('[') {
                inside
                    .split_once(']')
                    .ok_or_else(|| Fault::error("expected ']' in format string"))?
            } else {
                let bare = &rest[1..];
                bare.split_at(bare.find(['.', '[']).unwrap_or(bare.len()))
            };
            let key: Arc<str> = key.into();
            value = match key.parse::<i64>() {
                Ok(index) => access::item(self.ctx, &value, &Val::from(index))?,
                Err(_) => access::attribute(self.ctx, &value, &key)?,
            };
            rest = after;
        }
        Ok(value)
    }

    fn first(&mut self, name: &str) -> Res<Val> {
        let index = if name.is_empty() {
            self.next += 1;
            Some(self.next - 1)
        } else {
            name.parse().ok()
        };
        let found = match index {
            Some(index) => self.args.pos.get(index),
            None => self
                .args
                .named
                .iter()
                .find(|(n, _)| **n == *name)
                .map(|(_, v)| v),
        };
        found.cloned().ok_or_else(|| {
            Fault::error(match index {
                Some(index) => format!("replacement index {index} out of range"),
                None => format!("there is no '{name}' to format"),
            })
        })
    }
}

/// The text up to the closing brace, with nested braces.
fn field(chars: &mut Peekable<Chars<'_>>) -> Res<String> {
    let mut depth = 0_usize;
    let mut out = String::new();
    for c in chars.by_ref() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return Ok(out),
            '}' => depth -= 1,
            _ => {}
        }
        out.push(c);
    }
    Err(Fault::error("expected '}' before end of string"))
}

/// Python's `format(value, spec)`.
pub(in super::super) fn format_value(ctx: &Ctx, value: &Val, spec: &str) -> Res<String> {
    if let Some(date) = super::super::datetime::strftime_of(value, spec) {
        return Ok(date);
    }
    let spec = parse(spec)?;
    match value.usable()? {
        Val::Float(f) => spec.float(*f),
        Val::Int(i) if matches!(spec.kind, Some('e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%')) => {
            spec.float(*i as f64)
        }
        Val::Int(i) => spec.integer(*i),
        Val::Bool(b) if spec.kind.is_some() => spec.integer(i128::from(*b)),
        other => spec.checked_text(&text::to_text(ctx, other)?),
    }
}

fn parse(text: &str) -> Res<Spec> {
    let align = |c: char| {
        Some(match c {
            '<' => Align::Left,
            '>' => Align::Right,
            '^' => Align::Center,
            '=' => Align::Inside,
            _ => return None,
        })
    };
    let mut spec = Spec::default();
    let mut chars = text.chars().peekable();
    let mut ahead = text.chars();
    let (first, second) = (ahead.next(), ahead.next());
    if let (Some(fill), Some(found)) = (first, second.and_then(align)) {
        spec.fill = Some(fill);
        spec.align = Some(found);
        chars.nth(1);
    } else if let Some(found) = first.and_then(align) {
        spec.align = Some(found);
        chars.next();
    }
    spec.sign = chars.next_if(|c| "+- ".contains(*c));
    spec.alternate = chars.next_if_eq(&'#').is_some();
    spec.zero = chars.next_if_eq(&'0').is_some();
    spec.width = digits(&mut chars)?;
    spec.group = chars.next_if(|c| ",_".contains(*c));
    if chars.next_if_eq(&'.').is_some() {
        spec.precision = Some(digits(&mut chars)?.unwrap_or(0));
    }
    spec.kind = chars.next();
    if chars.next().is_some() {
        return Err(Fault::error(format!("invalid format specifier '{text}'")));
    }
    Ok(spec)
}

fn digits(chars: &mut Peekable<Chars<'_>>) -> Res<Option<usize>> {
    let mut text = String::new();
    while let Some(c) = chars.next_if(char::is_ascii_digit) {
        text.push(c);
    }
    if text.is_empty() {
        return Ok(None);
    }
    limited(text.parse().unwrap_or(usize::MAX)).map(Some)
}

impl Spec {
    /// Pads text, cut to the precision.
    pub fn text(&self, text: &str) -> String {
        let cut: String = match self.precision {
            Some(n) => text.chars().take(n).collect(),
            None => text.to_owned(),
        };
        self.pad("", &cut, self.align.unwrap_or(Align::Left))
    }

    fn checked_text(&self, text: &str) -> Res<String> {
        match self.kind {
            None | Some('s') => Ok(self.text(text)),
            Some(kind) => Err(Fault::error(format!(
                "unknown format code '{kind}' for object of type 'str'"
            ))),
        }
    }

    pub fn integer(&self, number: i128) -> Res<String> {
        let magnitude = number.unsigned_abs();
        let (prefix, digits) = match self.kind {
            None | Some('d' | 'n') => ("", magnitude.to_string()),
            Some('b') => ("0b", format!("{magnitude:b}")),
            Some('o') => ("0o", format!("{magnitude:o}")),
            Some('x') => ("0x", format!("{magnitude:x}")),
            Some('X') => ("0X", format!("{magnitude:X}")),
            Some('c') => {
                let c = u32::try_from(number).ok().and_then(char::from_u32);
                return Ok(self.pad("", &c.unwrap_or('?').to_string(), Align::Left));
            }
            Some('s') => {
                return Err(Fault::error(
                    "unknown format code 's' for object of type 'int'",
                ));
            }
            Some(_) => return self.float(number as f64),
        };
        Ok(self.number(
            number < 0,
            if self.alternate { prefix } else { "" },
            &digits,
        ))
    }

    pub fn float(&self, number: f64) -> Res<String> {
        let precision = self.precision.unwrap_or(6);
        let magnitude = number.abs();
        let digits = match self.kind {
            _ if !number.is_finite() => text::float(magnitude),
            Some('f' | 'F') => format!("{magnitude:.precision$}"),
            Some('%') => format!("{:.precision$}%", magnitude * 100.0),
            Some(kind @ ('e' | 'E')) => exponent(magnitude, precision, kind),
            Some('g' | 'G' | 'n') => general(magnitude, precision),
            None if self.precision.is_some() => general(magnitude, precision),
            None => text::float(magnitude),
            Some(kind) => {
                return Err(Fault::error(format!(
                    "unknown format code '{kind}' for object of type 'float'"
                )));
            }
        };
        let digits = if matches!(self.kind, Some('E' | 'G')) {
            digits.to_uppercase()
        } else {
            digits
        };
        Ok(self.number(number.is_sign_negative() && !number.is_nan(), "", &digits))
    }

    /// Adds sign, prefix, grouping and padding to digits.
    pub fn number(&self, negative: bool, prefix: &str, digits: &str) -> String {
        let sign = match (negative, self.sign) {
            (true, _) => "-",
            (false, Some('+')) => "+",
            (false, Some(' ')) => " ",
            _ => "",
        };
        let digits = match self.group {
            Some(separator) => grouped(digits, separator),
            None => digits.to_owned(),
        };
        let align = match (self.align, self.zero) {
            (Some(align), _) => align,
            (None, true) => Align::Inside,
            (None, false) => Align::Right,
        };
        self.pad(&format!("{sign}{prefix}"), &digits, align)
    }

    fn pad(&self, lead: &str, body: &str, align: Align) -> String {
        let fill = self.fill.unwrap_or(if self.zero { '0' } else { ' ' });
        let len = lead.chars().count() + body.chars().count();
        let room = self.width.unwrap_or(0).saturating_sub(len);
        let pad = |n: usize| fill.to_string().repeat(n);
        match align {
            Align::Left => format!("{lead}{body}{}", pad(room)),
            Align::Right => format!("{}{lead}{body}", pad(room)),
            Align::Center => format!("{}{lead}{body}{}", pad(room / 2), pad(room - room / 2)),
            Align::Inside => format!("{lead}{}{body}", pad(room)),
        }
    }
}

/// Digits before the point in threes.
fn grouped(digits: &str, separator: char) -> String {
    let end = digits
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(digits.len());
    let (whole, rest) = digits.split_at(end);
    let mut out = String::new();
    for (i, c) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            out.push(separator);
        }
        out.push(c);
    }
    out + rest
}

/// `1.5e+03`: at least two digits of exponent.
fn exponent(number: f64, precision: usize, e: char) -> String {
    let text = format!("{number:.precision$e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    format!("{digits}{e}{sign}{exponent:0>2}")
}

/// The shorter of the two ways, without zeros at the end.
fn general(number: f64, precision: usize) -> String {
    let precision = precision.max(1);
    let scientific = exponent(number, precision - 1, 'e');
    let power: i64 = scientific
        .split_once('e')
        .and_then(|(_, e)| e.parse().ok())
        .unwrap_or(0);
    let trim = |digits: &str| {
        if digits.contains('.') {
            digits
                .trim_end_matches('0')
                .trim_end_matches('.')
                .to_owned()
        } else {
            digits.to_owned()
        }
    };
    if power < -4 || power >= precision as i64 {
        let (digits, e) = scientific.split_once('e').unwrap_or((&scientific, "+00"));
        return format!("{}e{e}", trim(digits));
    }
    let places = usize::try_from(precision as i64 - 1 - power).unwrap_or(0);
    trim(&format!("{number:.places$}"))
}
