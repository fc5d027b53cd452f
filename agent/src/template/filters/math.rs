//! Filters on numbers.

use super::super::call::Call;
use super::super::fault::{Fault, Res};
use super::super::methods::strformat;
use super::super::ops;
use super::super::val::Val;
use super::Filter;

pub(super) static TABLE: &[Filter] = &[
    Filter::new("abs", &["value"], "Without its sign.", abs),
    Filter::new(
        "round",
        &["value", "precision", "method"],
        "Rounded: `common`, `ceil` or `floor`.",
        round,
    ),
    Filter::new("log", &["value", "base"], "The logarithm.", log),
    Filter::new("pow", &["value", "exponent"], "To a power.", |c| {
        let value = number(c, 0, "pow() can only be used on numbers")?;
        Ok(Val::Float(value.powf(c.float(1)?)))
    }),
    Filter::new("root", &["value", "base"], "The root.", root),
    Filter::new(
        "human_readable",
        &["size", "isbits", "unit"],
        "A number of bytes as people write it.",
        human_readable,
    ),
    Filter::new(
        "human_to_bytes",
        &["size", "default_unit", "isbits"],
        "A size as people write it, in bytes.",
        human_to_bytes,
    ),
    Filter::new(
        "filesizeformat",
        &["value", "binary"],
        "A number of bytes as people write it.",
        filesizeformat,
    ),
];

fn abs(c: &Call) -> Res<Val> {
    match c.need(0)?.usable()? {
        Val::Float(f) => Ok(Val::Float(f.abs())),
        other => other.as_int().map(|i| Val::Int(i.abs())).ok_or_else(|| {
            Fault::error(format!(
                "bad operand type for abs(): '{}'",
                other.type_name()
            ))
        }),
    }
}

fn round(c: &Call) -> Res<Val> {
    let precision = i32::try_from(c.int_or(1, 0)?.clamp(-300, 300)).unwrap_or(0);
    let value = c.need(0)?.usable()?;
    let Some(number) = value.as_float() else {
        return Err(Fault::error(format!(
            "type {} doesn't define __round__ method",
            value.type_name()
        )));
    };
    let scale = 10_f64.powi(precision);
    Ok(match &*c.text_or(2, "common")? {
        "common" if matches!(value, Val::Int(_)) && precision >= 0 => value.clone(),
        // Python rounds by decimal digits, and a half to the even side: so does Rust's formatting.
        "common" if precision >= 0 => {
            let digits = usize::try_from(precision).unwrap_or(0);
            let text = format!("{number:.digits$}");
            Val::Float(text.parse().unwrap_or(number))
        }
        "common" => Val::Float((number * scale).round_ties_even() / scale),
        "ceil" => Val::Float((number * scale).ceil() / scale),
        "floor" => Val::Float((number * scale).floor() / scale),
        _ => return Err(Fault::error("method must be common, ceil or floor")),
    })
}

fn log(c: &Call) -> Res<Val> {
    let value = number(c, 0, "log() can only be used on numbers")?;
    if value <= 0.0 {
        return Err(Fault::error("math domain error"));
    }
    Ok(Val::Float(match c.given(1) {
        None => value.ln(),
        Some(Val::Int(10)) => value.log10(),
        Some(_) => value.ln() / c.float(1)?.ln(),
    }))
}

fn number(c: &Call, i: usize, message: &str) -> Res<f64> {
    let value = c.need(i)?.usable()?;
    value.as_float().ok_or_else(|| {
        Fault::error(format!(
            "{message}: must be real number, not {}",
            value.type_name()
        ))
    })
}

fn root(c: &Call) -> Res<Val> {
    let value = number(c, 0, "root() can only be used on numbers")?;
    let base = c.given(1).map_or(Ok(2.0), |_| c.float(1))?;
    if value < 0.0 && base == 2.0 {
        return Err(Fault::error("math domain error"));
    }
    Ok(Val::Float(if base == 2.0 {
        value.sqrt()
    } else {
        value.powf(1.0 / base)
    }))
}

const UNITS: [(char, i128); 9] = [
    ('Y', 1 << 80),
    ('Z', 1 << 70),
    ('E', 1 << 60),
    ('P', 1 << 50),
    ('T', 1 << 40),
    ('G', 1 << 30),
    ('M', 1 << 20),
    ('K', 1 << 10),
    ('B', 1),
];

fn human_readable(c: &Call) -> Res<Val> {
    let size = match c.need(0)?.usable()? {
        Val::Str(s) => s.trim().parse().ok(),
        other => other.as_float(),
    };
    let Some(size) = size else {
        return Err(Fault::error("human_readable() failed on bad input"));
    };
    let base = if c.truth_or(1, false)? {
        "bits"
    } else {
        "Bytes"
    };
    let unit = c.opt_text(2)?.and_then(|u| u.to_uppercase().chars().next());
    let wanted = |(letter, limit): &(char, i128)| match unit {
        None => size >= *limit as f64,
        Some(unit) => unit == *letter,
    };
    let (letter, limit) = UNITS
        .iter()
        .find(|u| wanted(u))
        .copied()
        .unwrap_or(('B', 1));
    let suffix = if limit == 1 {
        base.to_owned()
    } else {
        format!("{letter}{}", if base == "bits" { "b" } else { "B" })
    };
    Ok(Val::from(format!("{:.2} {suffix}", size / limit as f64)))
}

fn human_to_bytes(c: &Call) -> Res<Val> {
    let text = c.text(0)?;
    let bits = c.truth_or(2, false)?;
    to_bytes(&text, c.opt_text(1)?.as_deref(), bits).map(Val::Int)
}

/// A size such as `10M`, `1.5 GB` or `2 Kb` in bytes (or bits).
fn to_bytes(text: &str, default_unit: Option<&str>, bits: bool) -> Res<i128> {
    let failed = |why: &str| {
        Fault::error(format!(
            "human_to_bytes() can't interpret following string: {text}: {why}"
        ))
    };
    let trimmed = text.trim();
    let end = trimmed
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(trimmed.len());
    let (digits, unit) = (&trimmed[..end], trimmed[end..].trim());
    let number: f64 = digits
        .parse()
        .map_err(|_| failed("it begins with no number"))?;
    let unit = if unit.is_empty() {
        default_unit.unwrap_or("")
    } else {
        unit
    };
    let Some(first) = unit.chars().next() else {
        return Ok(number.round_ties_even() as i128);
    };
    let (long_name, letter) = if bits { ("bit", 'b') } else { ("byte", 'B') };
    let Some((_, limit)) = UNITS.iter().find(|(l, _)| *l == first.to_ascii_uppercase()) else {
        return Err(failed("the unit must be one of B, K, M, G, T, P, E, Z, Y"));
    };
    let rest = &unit[first.len_utf8()..];
    let is_base = first.eq_ignore_ascii_case(&'b');
    let fits = if is_base {
        rest.is_empty() || unit.to_lowercase().trim_end_matches('s') == long_name
    } else {
        rest.is_empty()
            || rest.chars().eq([letter])
            || rest.eq_ignore_ascii_case("ib") && rest.ends_with(letter)
            || rest
                .to_lowercase()
                .trim_end_matches('s')
                .ends_with(long_name)
    };
    let mismatched = is_base && rest.is_empty() && first != letter && bits;
    if !fits || mismatched {
        return Err(failed(&format!(
            "the unit '{unit}' is none of {long_name}s"
        )));
    }
    Ok((number * *limit as f64).round_ties_even() as i128)
}

/// Jinja's own, in steps of 1000 unless `binary`.
fn filesizeformat(c: &Call) -> Res<Val> {
    let bytes = match c.need(0)?.usable()? {
        Val::Str(s) => s.trim().parse().unwrap_or(0.0),
        other => other.as_float().unwrap_or(0.0),
    };
    let binary = ops::truth(c.ctx, c.get(1).unwrap_or(&Val::Bool(false)))?;
    let base = if binary { 1024.0 } else { 1000.0 };
    if bytes == 1.0 {
        return Ok(Val::from("1 Byte"));
    }
    if bytes < base {
        return Ok(Val::from(format!("{} Bytes", bytes as i128)));
    }
    let mut unit = base;
    let mut name = 'k';
    for (i, letter) in "kMGTPEZY".chars().enumerate() {
        name = letter;
        unit = base.powi(i32::try_from(i).unwrap_or(0) + 2);
        if bytes < unit {
            break;
        }
    }
    let number = strformat::format_value(c.ctx, &Val::Float(base * bytes / unit), ".1f")?;
    let name = if binary {
        format!("{}iB", name.to_ascii_uppercase())
    } else {
        format!("{name}B")
    };
    Ok(Val::from(format!("{number} {name}")))
}
