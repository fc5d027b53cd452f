//! Calendar time out of seconds since 1970, in the host's own time zone.

use crate::error::Result;
use crate::host::HostView;
use std::path::{Path, PathBuf};

/// A moment as a calendar and a clock show it.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct Civil {
    pub year: i64,
    pub month: u32,
    pub day: u32,
    pub hour: u32,
    pub minute: u32,
    pub second: u32,
    pub micro: u32,
    /// Monday is 0.
    pub weekday: u32,
    /// January 1 is 0.
    pub yearday: u32,
}

impl Civil {
    /// The moment in UTC.
    #[must_use]
    pub fn utc(seconds: f64) -> Self {
        Self::at(seconds, 0)
    }

    /// The moment in a zone that is `offset` seconds east of UTC.
    #[must_use]
    pub fn at(seconds: f64, offset: i64) -> Self {
        let micros = (seconds * 1e6).round() as i64 + offset * 1_000_000;
        let (whole, micro) = (micros.div_euclid(1_000_000), micros.rem_euclid(1_000_000));
        let (days, clock) = (whole.div_euclid(86_400), whole.rem_euclid(86_400));
        let (year, month, day) = date_of(days);
        Self {
            year,
            month,
            day,
            hour: (clock / 3600) as u32,
            minute: (clock / 60 % 60) as u32,
            second: (clock % 60) as u32,
            micro: micro as u32,
            weekday: (days + 3).rem_euclid(7) as u32,
            yearday: (days - days_of(year, 1, 1)) as u32,
        }
    }
}

impl std::fmt::Display for Civil {
    /// As Python's `str(datetime)`: without microseconds if there are none.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
            self.year, self.month, self.day, self.hour, self.minute, self.second
        )?;
        match self.micro {
            0 => Ok(()),
            micro => write!(f, ".{micro:06}"),
        }
    }
}

/// Days since 1970-01-01 of a date of the proleptic Gregorian calendar.
#[must_use]
pub fn days_of(year: i64, month: u32, day: u32) -> i64 {
    // Years begin in March here, so that the leap day is the last one.
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let of_era = y.rem_euclid(400);
    let of_year = (153 * ((i64::from(month) + 9) % 12) + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn date_of(days: i64) -> (i64, u32, u32) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = (of_year - (153 * shifted + 2) / 5 + 1) as u32;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    } as u32;
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// A span of time as Python's `str(timedelta)`: `0:00:01.000200`, `1 day, 2:03:04`.
#[must_use]
pub fn delta(seconds: f64) -> String {
    let micros = (seconds.max(0.0) * 1e6).round() as i64;
    let (whole, micro) = (micros / 1_000_000, micros % 1_000_000);
    let days = match whole / 86_400 {
        0 => String::new(),
        1 => "1 day, ".into(),
        n => format!("{n} days, "),
    };
    let clock = format!(
        "{days}{}:{:02}:{:02}",
        whole % 86_400 / 3600,
        whole / 60 % 60,
        whole % 60
    );
    match micro {
        0 => clock,
        micro => format!("{clock}.{micro:06}"),
    }
}

/// A time zone's state at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offset {
    /// Seconds east of UTC.
    pub seconds: i64,
    /// Its abbreviation, such as `CET`.
    pub name: String,
    /// Whether it is summer time.
    pub summer: bool,
}

impl Offset {
    fn utc() -> Self {
        Self {
            seconds: 0,
            name: "UTC".into(),
            summer: false,
        }
    }

    /// As `+0100`.
    #[must_use]
    pub fn digits(&self) -> String {
        let minutes = self.seconds.abs() / 60;
        let sign = if self.seconds < 0 { '-' } else { '+' };
        format!("{sign}{:02}{:02}", minutes / 60, minutes % 60)
    }
}

/// The host's zone: what `TZ` or `/etc/localtime` says, UTC where neither does.
///
/// # Errors
/// When the host cannot be read.
pub fn zone(host: &dyn HostView) -> Result<Zone> {
    let path = match host
        .env("TZ")
        .as_deref()
        .map(|tz| tz.trim_start_matches(':'))
    {
        None => PathBuf::from("/etc/localtime"),
        Some("") => return Ok(Zone::default()),
        Some(name) if name.starts_with('/') => PathBuf::from(name),
        Some(name) => Path::new("/usr/share/zoneinfo").join(name),
    };
    Ok(host
        .read(&path)?
        .and_then(|bytes| Zone::parse(&bytes))
        .unwrap_or_default())
}

/// A compiled time zone (`tzfile(5)`).
#[derive(Clone, Debug, Default)]
pub struct Zone {
    transitions: Vec<(i64, usize)>,
    kinds: Vec<Offset>,
    /// The rule for times past the last transition, as in POSIX `TZ`.
    rule: String,
}

impl Zone {
    /// Reads a compiled zone; nothing if it is none.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let first = Header::read(bytes)?;
        if bytes.get(4).is_none_or(|v| *v < b'2') {
            return Self::body(bytes.get(44..)?, &first, 4, "");
        }
        // Version 2 and later repeat everything with 64-bit times, and add the rule.
        let second = bytes.get(44 + first.length(4)..)?;
        let header = Header::read(second)?;
        let footer = second.get(44 + header.length(8)..)?;
        let rule = std::str::from_utf8(footer).ok()?.trim_matches('\n');
        Self::body(second.get(44..)?, &header, 8, rule)
    }

    fn body(data: &[u8], header: &Header, width: usize, rule: &str) -> Option<Self> {
        let (times, rest) = data.split_at_checked(header.times * width)?;
        let (indices, rest) = rest.split_at_checked(header.times)?;
        let (kinds, names) = rest.split_at_checked(header.kinds * 6)?;
        let number = |b: &[u8]| {
            let sign = if b[0] & 0x80 == 0 { 0 } else { -1_i64 };
            b.iter().fold(sign, |n, byte| n << 8 | i64::from(*byte))
        };
        let kinds: Vec<Offset> = kinds
            .chunks_exact(6)
            .map(|k| {
                let name = names.get(usize::from(k[5])..)?;
                let end = name.iter().position(|b| *b == 0)?;
                Some(Offset {
                    seconds: number(&k[..4]),
                    name: String::from_utf8_lossy(&name[..end]).into_owned(),
                    summer: k[4] != 0,
                })
            })
            .collect::<Option<_>>()?;
        let transitions = times
            .chunks_exact(width)
            .map(number)
            .zip(indices.iter().map(|i| usize::from(*i)))
            .collect();
        Some(Self {
            transitions,
            kinds,
            rule: rule.into(),
        })
    }

    /// What holds at this moment.
    #[must_use]
    pub fn offset(&self, seconds: f64) -> Offset {
        let now = seconds.floor() as i64;
        let after = self.transitions.partition_point(|(at, _)| *at <= now);
        let past_the_last = after == self.transitions.len();
        if past_the_last && let Some(offset) = Rule::parse(&self.rule).map(|r| r.offset(now)) {
            return offset;
        }
        let kind = match after {
            0 => self.kinds.iter().find(|k| !k.summer),
            n => self.kinds.get(self.transitions[n - 1].1),
        };
        kind.cloned().unwrap_or_else(Offset::utc)
    }

    /// The standard and the summer abbreviation that hold around this moment.
    #[must_use]
    pub fn names(&self, seconds: f64) -> (String, String) {
        let half_year = 182.0 * 86_400.0;
        let (a, b) = (self.offset(seconds), self.offset(seconds + half_year));
        if a.summer {
            (b.name, a.name)
        } else {
            (a.name, b.name)
        }
    }
}

struct Header {
    counts: [usize; 6],
    times: usize,
    kinds: usize,
}

impl Header {
    fn read(bytes: &[u8]) -> Option<Self> {
        if bytes.get(..4)? != b"TZif" {
            return None;
        }
        let mut counts = [0; 6];
        for (count, four) in counts.iter_mut().zip(bytes.get(20..44)?.chunks_exact(4)) {
            *count = four.iter().fold(0, |n, b| n << 8 | usize::from(*b));
        }
        // A zone has some hundreds of transitions; more is no zone.
        (counts.iter().all(|c| *c < 100_000)).then_some(Self {
            counts,
            times: counts[3],
            kinds: counts[4],
        })
    }

    /// Bytes of the data that follows, with times of this width.
    fn length(&self, width: usize) -> usize {
        let [utc, std, leap, times, kinds, names] = self.counts;
        times * (width + 1) + kinds * 6 + names + leap * (width + 4) + std + utc
    }
}

/// A POSIX rule, such as `CET-1CEST,M3.5.0,M10.5.0/3`.
struct Rule {
    standard: Offset,
    summer: Option<(Offset, Change, Change)>,
}

/// The `week`th `day` of `month` (week 5: the last one), at `time` seconds of local time.
#[derive(Clone, Copy)]
struct Change {
    month: u32,
    week: i64,
    day: i64,
    time: i64,
}

impl Rule {
    /// Reads a rule; nothing for the rare forms that count days of the year.
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(',');
        let mut zones = parts.next()?;
        let name = take_name(&mut zones)?;
        let west = take_time(&mut zones)?;
        let standard = Offset {
            seconds: -west,
            name,
            summer: false,
        };
        if zones.is_empty() {
            return Some(Self {
                standard,
                summer: None,
            });
        }
        let name = take_name(&mut zones)?;
        let seconds = match zones {
            "" => standard.seconds + 3600,
            _ => -take_time(&mut zones)?,
        };
        let summer = Offset {
            seconds,
            name,
            summer: true,
        };
        let (from, to) = (Change::parse(parts.next()?)?, Change::parse(parts.next()?)?);
        Some(Self {
            standard,
            summer: Some((summer, from, to)),
        })
    }

    fn offset(&self, now: i64) -> Offset {
        let Some((summer, from, to)) = &self.summer else {
            return self.standard.clone();
        };
        let year = Civil::at(now as f64, self.standard.seconds).year;
        let start = from.moment(year) - self.standard.seconds;
        let end = to.moment(year) - summer.seconds;
        let is_summer = if start < end {
            (start..end).contains(&now)
        } else {
            !(end..start).contains(&now)
        };
        if is_summer { summer } else { &self.standard }.clone()
    }
}

impl Change {
    fn parse(text: &str) -> Option<Self> {
        let (date, mut time) = text.split_once('/').unwrap_or((text, "2"));
        let mut numbers = date.strip_prefix('M')?.split('.').map(str::parse::<i64>);
        let mut next = || numbers.next()?.ok();
        let (month, week, day) = (next()?, next()?, next()?);
        ((1..=12).contains(&month) && (1..=5).contains(&week) && (0..=6).contains(&day))
            .then_some(())?;
        Some(Self {
            month: month as u32,
            week,
            day,
            time: take_time(&mut time)?,
        })
    }

    /// Seconds since 1970 on the local clock.
    fn moment(self, year: i64) -> i64 {
        let first = days_of(year, self.month, 1);
        let next = match self.month {
            12 => days_of(year + 1, 1, 1),
            m => days_of(year, m + 1, 1),
        };
        let weekday = (first + 4).rem_euclid(7);
        let mut day = first + (self.day - weekday).rem_euclid(7) + (self.week - 1) * 7;
        if day >= next {
            day -= 7;
        }
        day * 86_400 + self.time
    }
}

fn take_name(text: &mut &str) -> Option<String> {
    let (name, rest) = match text.strip_prefix('<') {
        Some(quoted) => quoted.split_once('>')?,
        None => text.split_at(
            text.find(|c: char| !c.is_ascii_alphabetic())
                .unwrap_or(text.len()),
        ),
    };
    *text = rest;
    (!name.is_empty()).then(|| name.into())
}

/// `[+-]hh[:mm[:ss]]` as seconds.
fn take_time(text: &mut &str) -> Option<i64> {
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || "+-:".contains(c)))
        .unwrap_or(text.len());
    let (time, rest) = text.split_at(end);
    *text = rest;
    let (sign, digits) = match time.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, time.strip_prefix('+').unwrap_or(time)),
    };
    let mut seconds = 0;
    for (part, unit) in digits.split(':').zip([3600, 60, 1]) {
        seconds += part.parse::<i64>().ok().filter(|n| *n < 1000)? * unit;
    }
    Some(sign * seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_shown_as_python_shows_them() {
        assert_eq!(Civil::utc(0.0).to_string(), "1970-01-01 00:00:00");
        assert_eq!(
            Civil::utc(1_709_164_800.5).to_string(),
            "2024-02-29 00:00:00.500000"
        );
        let day = Civil::utc(1_709_164_800.0);
        assert_eq!((day.weekday, day.yearday), (3, 59));
        assert_eq!(Civil::at(-1.0, 3600).to_string(), "1970-01-01 00:59:59");
        assert_eq!(delta(0.001_234), "0:00:00.001234");
        assert_eq!(delta(90_061.0), "1 day, 1:01:01");
    }

    #[test]
    fn dates_and_days_agree() {
        for days in (-800_000..800_000).step_by(97) {
            let (y, m, d) = date_of(days);
            assert_eq!(days_of(y, m, d), days);
        }
    }

    #[test]
    fn a_rule_knows_summer() {
        let rule = Rule::parse("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        for (now, want) in [
            (1_711_846_799, "CET"),
            (1_711_846_800, "CEST"),
            (1_729_990_799, "CEST"),
            (1_729_990_800, "CET"),
        ] {
            assert_eq!(rule.offset(now).name, want, "{now}");
        }
        let south = Rule::parse("<-03>3<-02>,M3.5.0/-2,M10.5.0/-1").unwrap();
        assert_eq!(south.offset(1_704_067_200).seconds, -10_800);
        assert_eq!(Rule::parse("UTC0").unwrap().offset(0).digits(), "+0000");
    }
}
