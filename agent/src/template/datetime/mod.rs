//! Dates: `now()`, `to_datetime`, their differences, and how they print.

pub(super) mod calendar;
mod format;
mod parse;

use super::call::Call;
use super::ctx::Ctx;
use super::fault::{Fault, Res};
use super::program::Binary;
use super::val::{Args, Object, Val};
use calendar::Civil;
use std::cmp::Ordering;

pub(super) use format::strftime;
pub(super) use parse::strptime;

const MICROS: i128 = 1_000_000;
const DAY: i128 = 86_400 * MICROS;

/// Python's `datetime`: a wall clock, with its distance from UTC if that is known.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct DateTime {
    /// Microseconds of the wall clock since 1970.
    pub micros: i128,
    /// Seconds ahead of UTC, and the zone's name.
    pub zone: Option<(i32, String)>,
}

/// Python's `timedelta`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Delta(i128);

/// `now(utc=False, fmt=None)`.
pub(super) fn now(c: &Call) -> Res<Val> {
    let clock = c.ctx.outside().now();
    let offset = if c.truth_or(0, false)? {
        0
    } else {
        c.ctx.outside().zone(clock.unix).0
    };
    let seconds = i128::from(clock.unix) + i128::from(offset);
    let date = DateTime {
        micros: seconds * MICROS + i128::from(clock.micros),
        zone: None,
    };
    match c.given(1) {
        Some(_) => Ok(Val::from(strftime(&date, &c.text(1)?))),
        None => Ok(Val::object(date)),
    }
}

/// Order of two dates or two differences.
pub(super) fn order(a: &Val, b: &Val) -> Option<Ordering> {
    if let (Some(a), Some(b)) = (a.downcast::<DateTime>(), b.downcast::<DateTime>()) {
        return Some(a.utc_micros().cmp(&b.utc_micros()));
    }
    let (a, b) = (a.downcast::<Delta>()?, b.downcast::<Delta>()?);
    Some(a.0.cmp(&b.0))
}

/// Arithmetic with dates; nothing if neither side is one.
pub(super) fn binary(op: Binary, a: &Val, b: &Val) -> Option<Res<Val>> {
    let (date_a, date_b) = (a.downcast::<DateTime>(), b.downcast::<DateTime>());
    let (delta_a, delta_b) = (a.downcast::<Delta>(), b.downcast::<Delta>());
    let result = match (op, date_a, date_b, delta_a, delta_b) {
        (Binary::Sub, Some(a), Some(b), ..) => Val::object(Delta(a.utc_micros() - b.utc_micros())),
        (Binary::Add, Some(d), _, _, Some(by)) | (Binary::Add, _, Some(d), Some(by), _) => {
            Val::object(d.moved(by.0))
        }
        (Binary::Sub, Some(d), _, _, Some(by)) => Val::object(d.moved(-by.0)),
        (Binary::Add, _, _, Some(a), Some(b)) => Val::object(Delta(a.0 + b.0)),
        (Binary::Sub, _, _, Some(a), Some(b)) => Val::object(Delta(a.0 - b.0)),
        (Binary::Div, _, _, Some(a), Some(b)) if b.0 != 0 => Val::Float(a.0 as f64 / b.0 as f64),
        (Binary::Mul, _, _, Some(a), _) => Val::object(Delta(a.0.checked_mul(b.as_int()?)?)),
        _ => return None,
    };
    Some(Ok(result))
}

/// `'{:%Y}'.format(date)`.
pub(super) fn strftime_of(value: &Val, spec: &str) -> Option<String> {
    let date = value.downcast::<DateTime>()?;
    Some(if spec.is_empty() {
        date.text()
    } else {
        strftime(date, spec)
    })
}

impl DateTime {
    /// The wall clock at `unix` seconds, `offset` seconds ahead of UTC.
    pub fn at(unix: f64, offset: i32, zone: &str) -> Self {
        let micros = (unix * 1e6).round() as i128;
        Self {
            micros: micros + i128::from(offset) * MICROS,
            zone: Some((offset, zone.to_owned())),
        }
    }

    fn utc_micros(&self) -> i128 {
        let offset = self.zone.as_ref().map_or(0, |(o, _)| *o);
        self.micros - i128::from(offset) * MICROS
    }

    fn moved(&self, by: i128) -> Self {
        Self {
            micros: self.micros.saturating_add(by),
            zone: self.zone.clone(),
        }
    }

    pub fn civil(&self) -> Civil {
        Civil::of(self.micros.div_euclid(MICROS))
    }

    pub fn micro(&self) -> i128 {
        self.micros.rem_euclid(MICROS)
    }

    /// Seconds since 1970; a clock without a zone is taken for UTC.
    pub fn unix(&self) -> i128 {
        self.utc_micros().div_euclid(MICROS)
    }

    fn iso(&self, between: char) -> String {
        let c = self.civil();
        let mut out = format!(
            "{:04}-{:02}-{:02}{between}{:02}:{:02}:{:02}",
            c.year, c.month, c.day, c.hour, c.minute, c.second
        );
        if self.micro() != 0 {
            out.push_str(&format!(".{:06}", self.micro()));
        }
        if let Some((offset, _)) = &self.zone {
            let minutes = offset.abs() / 60;
            let sign = if *offset < 0 { '-' } else { '+' };
            out.push_str(&format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60));
        }
        out
    }
}

impl Object for DateTime {
    fn type_name(&self) -> &'static str {
        "datetime"
    }

    fn attr(&self, _ctx: &Ctx, name: &str) -> Res<Option<Val>> {
        let c = self.civil();
        Ok(Some(Val::from(match name {
            "year" => c.year,
            "month" => c.month,
            "day" => c.day,
            "hour" => c.hour,
            "minute" => c.minute,
            "second" => c.second,
            "microsecond" => i64::try_from(self.micro()).unwrap_or(0),
            _ => return Ok(None),
        })))
    }

    fn method(&self, ctx: &Ctx, name: &str, args: &Args) -> Option<Res<Val>> {
        let c = self.civil();
        Some(match name {
            "strftime" => match args.pos.first().and_then(Val::as_str) {
                Some(format) => Ok(Val::from(strftime(self, format))),
                None => Err(Fault::error("strftime() needs a format")),
            },
            "isoformat" => {
                let sep = args.pos.first().and_then(Val::as_str);
                Ok(Val::from(
                    self.iso(sep.and_then(|s| s.chars().next()).unwrap_or('T')),
                ))
            }
            "timestamp" => {
                // A clock without a zone is local time.
                let wall = i64::try_from(self.micros.div_euclid(MICROS)).unwrap_or(0);
                let offset = match &self.zone {
                    Some(_) => 0,
                    None => ctx.outside().zone(wall).0,
                };
                let micros = self.utc_micros() - i128::from(offset) * MICROS;
                Ok(Val::Float(micros as f64 / 1e6))
            }
            "date" => Ok(Val::object(DateTime {
                micros: self.micros - self.micros.rem_euclid(DAY),
                zone: None,
            })),
            "weekday" => Ok(Val::from((c.weekday + 6) % 7)),
            "isoweekday" => Ok(Val::from((c.weekday + 6) % 7 + 1)),
            _ => return None,
        })
    }

    fn text(&self) -> String {
        self.iso(' ')
    }

    fn plain(&self, _ctx: &Ctx) -> Option<Val> {
        Some(Val::from(self.text()))
    }
}

impl Object for Delta {
    fn type_name(&self) -> &'static str {
        "timedelta"
    }

    fn attr(&self, _ctx: &Ctx, name: &str) -> Res<Option<Val>> {
        Ok(Some(Val::Int(match name {
            "days" => self.0.div_euclid(DAY),
            "seconds" => self.0.rem_euclid(DAY) / MICROS,
            "microseconds" => self.0.rem_euclid(MICROS),
            _ => return Ok(None),
        })))
    }

    fn method(&self, _ctx: &Ctx, name: &str, _args: &Args) -> Option<Res<Val>> {
        (name == "total_seconds").then(|| Ok(Val::Float(self.0 as f64 / 1e6)))
    }

    fn text(&self) -> String {
        let (days, rest) = (self.0.div_euclid(DAY), self.0.rem_euclid(DAY));
        let seconds = rest / MICROS;
        let mut out = match days {
            0 => String::new(),
            1 | -1 => format!("{days} day, "),
            _ => format!("{days} days, "),
        };
        out.push_str(&format!(
            "{}:{:02}:{:02}",
            seconds / 3600,
            seconds / 60 % 60,
            seconds % 60
        ));
        if rest % MICROS != 0 {
            out.push_str(&format!(".{:06}", rest % MICROS));
        }
        out
    }

    fn plain(&self, _ctx: &Ctx) -> Option<Val> {
        Some(Val::from(self.text()))
    }
}
