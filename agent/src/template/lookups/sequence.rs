//! The lookup `sequence`: numbers in a row.

use super::super::fault::{Fault, Res};
use super::super::methods::percent;
use super::super::val::Val;
use super::lists::MAX_LEN;
use super::{Look, Lookup, digits};

pub(super) static TABLE: &[Lookup] = &[Lookup::new(
    "sequence",
    OPTIONS,
    "Numbers in a row: `start=1 end=9 stride=2 format=%02d`, `1-9/2:%02d` or `9`.",
    sequence,
)];

const OPTIONS: &[&str] = &["start", "end", "count", "stride", "format"];

fn sequence(l: &Look) -> Res<Vec<Val>> {
    let mut terms = l.texts()?;
    if terms.is_empty() && !l.options.is_empty() {
        terms.push(String::new());
    }
    let mut out = Vec::new();
    for term in &terms {
        // A term's own words go before the options of the call.
        let mut look = l.copy();
        if !short(&mut look, term) {
            let (raw, pairs) = l.inline(term)?;
            let raw = raw.map(|_| "_raw_params".to_owned());
            let known = |name: &&String| !OPTIONS.contains(&name.as_str());
            let unknown: Vec<String> = pairs
                .iter()
                .map(|(name, _)| name)
                .filter(known)
                .cloned()
                .chain(raw)
                .map(|name| format!("'{name}'"))
                .collect();
            if !unknown.is_empty() {
                return Err(Fault::error(format!(
                    "unrecognized arguments to with_sequence: [{}]",
                    unknown.join(", ")
                )));
            }
            for (name, value) in pairs {
                look.set(&name, Val::from(value));
            }
        }
        numbers(&look, &mut out)?;
    }
    Ok(out)
}

/// Reads `[START-]END[/STRIDE][:FORMAT]`; whether it is that.
fn short(l: &mut Look, term: &str) -> bool {
    let (rest, format) = match term.split_once(':') {
        Some((_, "")) => return false,
        Some((rest, format)) => (rest, Some(format)),
        None => (term, None),
    };
    let (range, stride) = match rest.split_once('/') {
        Some((range, stride)) => (range, Some(stride)),
        None => (rest, None),
    };
    let (start, end) = match range.split_once('-') {
        Some((start, end)) => (Some(start), end),
        None => (None, range),
    };
    let number = |text: &str| {
        !text.is_empty()
            && text
                .chars()
                .all(|c| c.is_ascii_hexdigit() || c == 'x' || c == 'X')
    };
    if ![start, Some(end), stride].into_iter().flatten().all(number) {
        return false;
    }
    let parts = [
        ("start", start),
        ("end", Some(end)),
        ("stride", stride),
        ("format", format),
    ];
    for (name, value) in parts {
        if let Some(value) = value {
            l.set(name, Val::from(value));
        }
    }
    true
}

fn numbers(l: &Look, out: &mut Vec<Val>) -> Res<()> {
    let number = |name: &str| match l.option(name) {
        Some(Val::Str(text)) => digits(text.trim()).map(Some).ok_or_else(|| {
            Fault::error(format!(
                "the option '{name}' has an invalid value: can't parse {name}={text} as integer"
            ))
        }),
        _ => l.number(name),
    };
    let start = number("start")?.unwrap_or(1);
    let stride = number("stride")?.unwrap_or(1);
    let end = match (number("end")?, number("count")?) {
        (Some(_), Some(_)) => {
            return Err(Fault::error(
                "can't specify both count and end in with_sequence",
            ));
        }
        (None, None) => return Err(Fault::error("must specify count or end in with_sequence")),
        (Some(end), None) => end,
        (None, Some(0)) => return Ok(()),
        // Ansible takes one off whichever way it counts: five from 0 by -1 end at -6.
        (None, Some(count)) => start + count * stride - 1,
    };
    if stride > 0 && end < start {
        return Err(Fault::error("to count backwards make stride negative"));
    }
    if stride < 0 && end > start {
        return Err(Fault::error("to count forward don't make stride negative"));
    }
    if stride == 0 {
        return Ok(());
    }
    let format = l.text_option("format", "%d")?;
    if format.matches('%').count() != 1 {
        return Err(Fault::error(format!("bad formatting string: {format}")));
    }
    let mut at = start;
    while if stride > 0 { at <= end } else { at >= end } {
        if out.len() as i128 >= MAX_LEN {
            return Err(Fault::error("the sequence is too long"));
        }
        let text = percent::format(l.ctx, &format, &Val::Int(at))
            .map_err(|_| Fault::error(format!("problem formatting {at} with '{format}'")))?;
        out.push(Val::from(text));
        at += stride;
    }
    Ok(())
}
