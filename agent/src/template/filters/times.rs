//! Filters on dates.

use super::super::call::Call;
use super::super::datetime::{self, DateTime};
use super::super::fault::{Fault, Res};
use super::super::val::Val;
use super::Filter;

pub(super) static TABLE: &[Filter] = &[
    Filter::new(
        "strftime",
        &["format", "second", "utc"],
        "A moment (now, unless given) after a format.",
        strftime,
    ),
    Filter::new(
        "to_datetime",
        &["value", "format"],
        "The date that a text means.",
        |c| datetime::strptime(&c.text(0)?, &c.text_or(1, "%Y-%m-%d %H:%M:%S")?).map(Val::object),
    ),
];

fn strftime(c: &Call) -> Res<Val> {
    let format = c.text(0)?;
    let unix = match c.given(1) {
        None => {
            let clock = c.ctx.outside().now();
            clock.unix as f64 + f64::from(clock.micros) / 1e6
        }
        Some(value) => {
            let number = match value.usable()? {
                Val::Str(s) => s.trim().parse().ok(),
                other => other.as_float(),
            };
            number.filter(|n: &f64| n.abs() < 1e14).ok_or_else(|| {
                Fault::error(format!(
                    "Invalid value for epoch value ({})",
                    c.text(1).unwrap_or_default()
                ))
            })?
        }
    };
    let (offset, zone) = if c.truth_or(2, false)? {
        (0, "UTC".to_owned())
    } else {
        c.ctx.outside().zone(unix as i64)
    };
    let date = DateTime::at(unix.floor(), offset, &zone);
    Ok(Val::from(datetime::strftime(&date, &format)))
}
