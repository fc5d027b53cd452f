//! `strftime`, in the C locale.

use super::DateTime;

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub(super) const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// The date after `format`; directives that do not exist stay as they are.
pub(in super::super) fn strftime(date: &DateTime, format: &str) -> String {
    let mut out = String::with_capacity(format.len() + 16);
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let Some(mut kind) = chars.next() else {
            out.push('%');
            break;
        };
        // glibc's flags: no padding, blanks, zeros.
        let flag = if "-_0".contains(kind) {
            let flag = kind;
            kind = chars.next().unwrap_or('%');
            Some(flag)
        } else {
            None
        };
        let text = directive(date, kind);
        match flag {
            Some('-') if text.len() > 1 => {
                let bare = text.trim_start_matches(['0', ' ']);
                out.push_str(if bare.is_empty() { "0" } else { bare });
            }
            Some('_') => {
                let bare = text.trim_start_matches('0');
                out.push_str(&format!(
                    "{:>1$}",
                    if bare.is_empty() { "0" } else { bare },
                    text.len()
                ));
            }
            _ => out.push_str(&text),
        }
    }
    out
}

fn directive(date: &DateTime, kind: char) -> String {
    let c = date.civil();
    let twelve = (c.hour + 11) % 12 + 1;
    let name = |names: &[&str], i: i64| {
        let i = usize::try_from(i).unwrap_or(0);
        names.get(i).unwrap_or(&"?").to_string()
    };
    let again = |format: &str| strftime(date, format);
    match kind {
        'Y' => c.year.to_string(),
        'C' => format!("{:02}", c.year / 100),
        'y' => format!("{:02}", c.year.rem_euclid(100)),
        'm' => format!("{:02}", c.month),
        'd' => format!("{:02}", c.day),
        'e' => format!("{:2}", c.day),
        'H' => format!("{:02}", c.hour),
        'k' => format!("{:2}", c.hour),
        'I' => format!("{twelve:02}"),
        'l' => format!("{twelve:2}"),
        'M' => format!("{:02}", c.minute),
        'S' => format!("{:02}", c.second),
        'f' => format!("{:06}", date.micro()),
        'j' => format!("{:03}", c.yearday),
        'p' => if c.hour < 12 { "AM" } else { "PM" }.into(),
        'P' => if c.hour < 12 { "am" } else { "pm" }.into(),
        'a' => name(&DAYS, c.weekday)[..3].to_owned(),
        'A' => name(&DAYS, c.weekday),
        'b' | 'h' => name(&MONTHS, c.month - 1)[..3].to_owned(),
        'B' => name(&MONTHS, c.month - 1),
        'u' => ((c.weekday + 6) % 7 + 1).to_string(),
        'w' => c.weekday.to_string(),
        'U' => format!("{:02}", c.week(0)),
        'W' => format!("{:02}", c.week(1)),
        'V' => format!("{:02}", c.iso_week().1),
        'G' => c.iso_week().0.to_string(),
        'g' => format!("{:02}", c.iso_week().0.rem_euclid(100)),
        's' => date.unix().to_string(),
        'z' => date.zone.as_ref().map_or(String::new(), |(offset, _)| {
            let minutes = offset.abs() / 60;
            let sign = if *offset < 0 { '-' } else { '+' };
            format!("{sign}{:02}{:02}", minutes / 60, minutes % 60)
        }),
        'Z' => date
            .zone
            .as_ref()
            .map_or(String::new(), |(_, name)| name.clone()),
        'D' | 'x' => again("%m/%d/%y"),
        'F' => again("%Y-%m-%d"),
        'T' | 'X' => again("%H:%M:%S"),
        'R' => again("%H:%M"),
        'r' => again("%I:%M:%S %p"),
        'c' => again("%a %b %e %H:%M:%S %Y"),
        'n' => "\n".into(),
        't' => "\t".into(),
        '%' => "%".into(),
        other => format!("%{other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_those_of_c() {
        let date = DateTime::at(1_700_000_000.0, 3600, "CET");
        for (format, want) in [
            ("%Y-%m-%d %H:%M:%S", "2023-11-14 23:13:20"),
            ("%A %a %B %b %j", "Tuesday Tue November Nov 318"),
            ("%I:%M %p %z %Z", "11:13 PM +0100 CET"),
            ("%s %-d %_H %% %Q", "1700000000 14 23 % %Q"),
            ("%c|%D|%V", "Tue Nov 14 23:13:20 2023|11/14/23|46"),
        ] {
            assert_eq!(strftime(&date, format), want);
        }
    }
}
