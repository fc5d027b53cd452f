//! The table: a head, the rows of each shape, a legend.

use super::goals;
use super::series::Series;
use super::tools::{Ready, Tool};

const HEADS: [&str; 8] = [
    "tool", "n", "median s", "min s", "/ lks", "/ sh", "CPU s", "peak MB",
];
const WIDTHS: [usize; 8] = [9, 4, 10, 10, 8, 8, 9, 9];

/// The line above it all.
pub fn head() -> String {
    format!("\n{}  goal of lks\n", line(&HEADS.map(String::from)))
}

/// The rows of one shape, printed as soon as they are there: a whole table takes a quarter of an hour.
pub fn rows(shape: &[Series]) -> String {
    let mut text = String::new();
    for group in groups(shape) {
        if !text.is_empty() {
            text.push('\n');
        }
        text += &format!("{}: {}", group[0].id(), group[0].title());
        let mut proofs = group.iter().map(|series| series.proof.as_str());
        if let Some(proof) = proofs.rfind(|proof| !proof.is_empty()) {
            text += &format!(" (proof: {proof})");
        }
        for series in &group {
            text += &format!("\n{}", row(series, &group).trim_end());
        }
        text.push('\n');
    }
    text
}

/// What the columns mean, and what was measured.
pub fn legend(tools: &[Ready]) -> String {
    let mut text = String::from(
        "/ lks, / sh: how many times as long as that tool takes, by the medians. CPU s: user and system\n\
         time of the whole process tree, median. peak MB: the largest process of the tree, maximum.",
    );
    for ready in tools {
        text += &format!("\n{}: {}", ready.tool.id(), ready.version);
    }
    text
}

fn groups(all: &[Series]) -> Vec<Vec<&Series>> {
    let mut groups: Vec<Vec<&Series>> = Vec::new();
    for series in all {
        match groups.last_mut() {
            Some(group) if group[0].id() == series.id() => group.push(series),
            _ => groups.push(vec![series]),
        }
    }
    groups
}

fn row(series: &Series, group: &[&Series]) -> String {
    let tool = series.tool.id();
    if let Some(failure) = &series.failure {
        let first = failure.lines().next().unwrap_or_default();
        return format!("  {tool:7}  FAILED: {first}");
    }
    let Some(wall) = series.wall() else {
        return format!("  {tool:7}  not run");
    };
    let than = |tool| {
        let other = group.iter().find(|series| series.tool == tool);
        let other = other.and_then(|series| series.wall());
        other.map_or(String::from("-"), |other| three_digits(wall / other))
    };
    let cells = [
        tool.to_owned(),
        series.runs.len().to_string(),
        seconds(wall),
        seconds(series.best().unwrap_or(wall)),
        than(Tool::Lks),
        than(Tool::Sh),
        series
            .median(|run| run.cpu_s)
            .map_or_else(String::new, seconds),
        format!("{:.1}", series.peak().unwrap_or(0.0) / 1e6),
    ];
    format!("{}  {}", line(&cells), goals::verdict(series, group))
}

/// The tool's name stands left, figures stand right.
fn line(cells: &[String; 8]) -> String {
    let mut line = String::from("  ");
    for (cell, width) in cells.iter().zip(WIDTHS) {
        line += &match cell == &cells[0] {
            true => format!("{cell:width$}"),
            false => format!("{cell:>width$}"),
        };
    }
    line
}

/// Seconds, down to tens of microseconds: a start takes a few milliseconds.
fn seconds(value: f64) -> String {
    match value {
        ..0.1 => format!("{value:.5}"),
        ..10.0 => format!("{value:.3}"),
        _ => format!("{value:.1}"),
    }
}

fn three_digits(value: f64) -> String {
    match value {
        ..9.995 => format!("{value:.2}"),
        ..99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_keep_the_digits_that_matter() {
        assert_eq!(seconds(0.00123), "0.00123");
        assert_eq!(seconds(1.2345), "1.234");
        assert_eq!(seconds(38.71), "38.7");
        assert_eq!(three_digits(1.0), "1.00");
        assert_eq!(three_digits(9.999), "10.0");
        assert_eq!(three_digits(312.4), "312");
    }
}
