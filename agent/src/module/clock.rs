//! Points in time as text, in UTC. (This module reads no clock: hosts and the engine have one.)

/// A point in time, broken down.
struct Calendar {
    year: i64,
    month: i64,
    day: i64,
    /// Days since a Thursday.
    weekday: usize,
    /// Seconds of the day.
    seconds: i64,
}

/// Breaks seconds since 1970-01-01 down, counting in years that begin in March.
fn calendar(seconds: f64) -> Calendar {
    let total = seconds.floor() as i64;
    let days = total.div_euclid(86_400);
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    Calendar {
        year: year + era * 400 + i64::from(month <= 2),
        month,
        day,
        weekday: days.rem_euclid(7) as usize,
        seconds: total.rem_euclid(86_400),
    }
}

/// As HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT`.
#[must_use]
pub fn http_date(seconds: f64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let at = calendar(seconds);
    format!(
        "{}, {:02} {} {} {} GMT",
        DAYS[at.weekday],
        at.day,
        MONTHS[(at.month - 1) as usize],
        at.year,
        of_day(at.seconds)
    )
}

/// As Python writes a `datetime`: `1994-11-06 08:49:37.250000`.
#[must_use]
pub fn timestamp(seconds: f64) -> String {
    let at = calendar(seconds);
    let micros = ((seconds - seconds.floor()) * 1e6) as i64;
    format!(
        "{:04}-{:02}-{:02} {}.{micros:06}",
        at.year,
        at.month,
        at.day,
        of_day(at.seconds)
    )
}

fn of_day(seconds: i64) -> String {
    format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_http_and_python_write_them() {
        assert_eq!(http_date(784_111_777.0), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(http_date(0.0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(http_date(951_782_400.0), "Tue, 29 Feb 2000 00:00:00 GMT");
        assert_eq!(timestamp(784_111_777.25), "1994-11-06 08:49:37.250000");
    }
}
