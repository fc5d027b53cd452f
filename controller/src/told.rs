//! Numbers, times and spans as people read them. Programs get the numbers themselves, as JSON.

use lks_agent::module::time::Civil;

/// So many of something, in English: `1 host`, `2 hosts`.
#[must_use]
pub fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// One of something, in English: `a viewer`, `an operator`.
#[must_use]
pub fn one(noun: &str) -> String {
    let vowel = noun.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {noun}", if vowel { "an" } else { "a" })
}

/// Seconds since 1970 as a date and a time of day in UTC: `2026-11-30 15:04:05Z`. 0 stands for what is not known.
#[must_use]
pub fn moment(at: u64) -> String {
    match at {
        0 => "-".into(),
        at => format!("{}Z", Civil::utc(at as f64)),
    }
}

/// How long ago a time was, for those of the last day: `40 s ago`. Older ones, and such that a clock calls
/// the future, are told as [`moment`] tells them.
#[must_use]
pub fn since(at: u64, now: u64) -> String {
    match now.checked_sub(at) {
        Some(seconds @ 0..60) => format!("{seconds} s ago"),
        Some(seconds @ 60..3600) => format!("{} min ago", seconds / 60),
        Some(seconds @ 3600..86_400) => format!("{} h ago", seconds / 3600),
        _ => moment(at),
    }
}

/// A span in the largest unit that it is whole in: `30 days`, `1 hour`, `90 seconds`.
#[must_use]
pub fn lasting(seconds: u64) -> String {
    let units = [(86_400, "day"), (3600, "hour"), (60, "minute")];
    let whole = units
        .iter()
        .find(|(unit, _)| seconds > 0 && seconds.is_multiple_of(*unit));
    let (unit, noun) = whole.copied().unwrap_or((1, "second"));
    counted((seconds / unit) as usize, noun)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_no_plural() {
        assert_eq!(counted(1, "host"), "1 host");
        assert_eq!(counted(0, "host"), "0 hosts");
        assert_eq!([one("viewer"), one("admin")], ["a viewer", "an admin"]);
        assert_eq!(lasting(86_400), "1 day");
        assert_eq!(lasting(30 * 86_400), "30 days");
        assert_eq!(lasting(5400), "90 minutes");
        assert_eq!(lasting(61), "61 seconds");
        assert_eq!(lasting(0), "0 seconds");
    }

    #[test]
    fn times_are_dates_in_utc_and_fresh_ones_are_told_from_now() {
        let at = 1_796_051_045;
        assert_eq!(moment(at), "2026-11-30 15:04:05Z");
        assert_eq!(moment(0), "-");
        assert_eq!(since(at, at + 40), "40 s ago");
        assert_eq!(since(at, at + 3599), "59 min ago");
        assert_eq!(since(at, at + 7200), "2 h ago");
        assert_eq!(since(at, at + 86_400), moment(at));
        assert_eq!(since(at, at - 5), moment(at), "a clock that is behind");
        assert_eq!(since(0, at), "-");
    }
}
