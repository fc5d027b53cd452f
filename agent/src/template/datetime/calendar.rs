//! The calendar: days since 1970 to year, month and day, and back.

/// A wall clock taken apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in super::super) struct Civil {
    pub year: i64,
    pub month: i64,
    pub day: i64,
    pub hour: i64,
    pub minute: i64,
    pub second: i64,
    /// 0 is Sunday.
    pub weekday: i64,
    /// 1 is the first of January.
    pub yearday: i64,
}

impl Civil {
    /// The clock at `seconds` since 1970.
    pub fn of(seconds: i128) -> Self {
        // Years beyond a few millions are of no use to anybody, and would not fit.
        let limit = 100_000_000_000_000;
        let seconds = i64::try_from(seconds.clamp(-limit, limit)).unwrap_or(0);
        let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let (year, month, day) = date(days);
        Self {
            year,
            month,
            day,
            hour: rest / 3600,
            minute: rest / 60 % 60,
            second: rest % 60,
            weekday: (days + 4).rem_euclid(7),
            yearday: days - self::days(year, 1, 1) + 1,
        }
    }

    /// Week of the year, where weeks begin on `first` (0 is Sunday); 0 before the first full one.
    pub fn week(&self, first: i64) -> i64 {
        (self.yearday + 6 - (self.weekday - first).rem_euclid(7)) / 7
    }

    /// Year and week as ISO 8601 counts them.
    pub fn iso_week(&self) -> (i64, i64) {
        let weekday = (self.weekday + 6) % 7;
        let week = (self.yearday - 1 - weekday + 10) / 7;
        if week < 1 {
            return (self.year - 1, weeks(self.year - 1));
        }
        if week > weeks(self.year) {
            return (self.year + 1, 1);
        }
        (self.year, week)
    }
}

/// ISO weeks in a year: 53 if it begins or ends on a Thursday.
fn weeks(year: i64) -> i64 {
    let weekday = |month, day| (days(year, month, day) + 4).rem_euclid(7);
    if weekday(1, 1) == 4 || weekday(12, 31) == 4 {
        53
    } else {
        52
    }
}

/// Days from 1970-01-01. Counted in years that begin in March, so that the leap day comes last.
pub(in super::super) fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

/// Days in a month.
pub(in super::super) fn month_len(year: i64, month: i64) -> i64 {
    let (next_year, next) = if month == 12 {
        (year + 1, 1)
    } else {
        (year, month + 1)
    };
    days(next_year, next, 1) - days(year, month, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_agree_over_eight_centuries() {
        for day in (-150_000..150_000).step_by(37) {
            let (y, m, d) = date(day);
            assert_eq!(days(y, m, d), day, "{y}-{m}-{d}");
        }
        assert_eq!(days(1970, 1, 1), 0);
        assert_eq!(days(2000, 3, 1), 11_017);
    }

    #[test]
    fn weeks_are_those_of_iso() {
        let week = |y, m, d| Civil::of(i128::from(days(y, m, d)) * 86_400).iso_week();
        assert_eq!(week(2021, 1, 3), (2020, 53));
        assert_eq!(week(2018, 12, 31), (2019, 1));
        assert_eq!(week(2024, 7, 1), (2024, 27));
    }
}
