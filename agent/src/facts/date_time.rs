//! Date and time.

use super::cx::{Cx, put};
use crate::module::time::{Civil, days_of, zone};
use crate::value::Map;

const WEEKDAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

pub fn collect(cx: &Cx<'_>, out: &mut Map) {
    let now = cx.host.now();
    let zone = zone(cx.host).unwrap_or_default();
    let offset = zone.offset(now);
    let local = Civil::at(now, offset.seconds);
    let utc = Civil::utc(now);
    let (standard, summer) = zone.names(now);
    let mut facts = Map::new();
    let mut set = |name: &str, value: String| put(&mut facts, name, value);
    set("year", local.year.to_string());
    set("month", format!("{:02}", local.month));
    set("weekday", WEEKDAYS[local.weekday as usize % 7].into());
    set("weekday_number", ((local.weekday + 1) % 7).to_string());
    set("weeknumber", format!("{:02}", week(&local)));
    set("day", format!("{:02}", local.day));
    set("hour", format!("{:02}", local.hour));
    set("minute", format!("{:02}", local.minute));
    set("second", format!("{:02}", local.second));
    set("epoch", (now.floor() as i64).to_string());
    set("epoch_int", (now.floor() as i64).to_string());
    set("date", date(&local, "-"));
    set("time", clock(&local, ":"));
    let iso = format!("{}T{}", date(&utc, "-"), clock(&utc, ":"));
    set("iso8601_micro", format!("{iso}.{:06}Z", utc.micro));
    set("iso8601", format!("{iso}Z"));
    let basic = format!("{}T{}", date(&local, ""), clock(&local, ""));
    set("iso8601_basic", format!("{basic}{:06}", local.micro));
    set("iso8601_basic_short", basic);
    set("tz", offset.name.clone());
    set("tz_dst", if summer == standard { standard } else { summer });
    set("tz_offset", offset.digits());
    put(out, "date_time", facts);
}

fn date(t: &Civil, between: &str) -> String {
    format!("{:04}{between}{:02}{between}{:02}", t.year, t.month, t.day)
}

fn clock(t: &Civil, between: &str) -> String {
    format!(
        "{:02}{between}{:02}{between}{:02}",
        t.hour, t.minute, t.second
    )
}

/// The week of the year that begins on Mondays (`%W`).
fn week(t: &Civil) -> u32 {
    debug_assert!(days_of(t.year, 1, 1) <= days_of(t.year, t.month, t.day));
    (t.yearday + 7 - t.weekday) / 7
}
