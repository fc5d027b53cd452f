//! What a controller answers, as a table for people. `--json` prints the answer as it came.

use crate::told;
use lks_agent::cli::{Call, Io, exit};
use lks_agent::error::{Error, Result};
use lks_agent::host::here;
use lks_agent::uplink::Answer;
use serde_json::Value;

/// Rows of an answer, as a table or as JSON.
pub(super) fn answer_table(
    call: &Call<'_>,
    io: &mut Io<'_>,
    answer: &Answer,
    columns: &[&str],
) -> Result<i32> {
    if call.parsed.has("json") {
        return raw(io, answer);
    }
    print_table(io, &answer.json::<Vec<Value>>()?, columns);
    Ok(exit::OK)
}

/// Prints an answer as JSON.
pub(super) fn raw(io: &mut Io<'_>, answer: &Answer) -> Result<i32> {
    pretty(io, &answer.json()?)
}

/// Prints JSON over several lines.
pub(super) fn pretty(io: &mut Io<'_>, value: &Value) -> Result<i32> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|e| Error::host("cannot write JSON").caused_by(e))?;
    io.print(&format!("{text}\n"));
    Ok(exit::OK)
}

/// Prints rows below their columns' names.
pub(super) fn print_table(io: &mut Io<'_>, rows: &[Value], columns: &[&str]) {
    io.print(&table(rows, columns, here::now() as u64));
}

/// A value as a cell of a table shows it.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(s) if s.is_empty() => "-".into(),
        Value::String(s) => s.clone(),
        Value::Null => "-".into(),
        Value::Array(list) => list.iter().map(text).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// The names of fields say which hold times: `at`, `expires_at`.
fn cell(column: &str, value: &Value, now: u64) -> String {
    match value.as_u64() {
        Some(at) if column == "seen_at" => told::since(at, now),
        Some(at) if column == "at" || column.ends_with("_at") => told::moment(at),
        _ => text(value),
    }
}

fn table(rows: &[Value], columns: &[&str], now: u64) -> String {
    let head = columns.iter().map(|c| (*c).to_string()).collect();
    let cells: Vec<Vec<String>> = std::iter::once(head)
        .chain(rows.iter().map(|row| {
            let of_row = columns.iter().map(|c| cell(c, &row[*c], now));
            of_row.collect()
        }))
        .collect();
    let width = |i: usize| cells.iter().map(|row| row[i].chars().count()).max();
    let widths: Vec<usize> = (0..columns.len()).filter_map(width).collect();
    let mut out = String::new();
    for row in &cells {
        let line: String = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:<width$}  "))
            .collect();
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_that_hold_times_are_shown_as_times() {
        let rows = [
            json!({"name": "web1", "cpus": 2, "seen_at": 1_796_051_000, "expires_at": 1_796_051_045,
                "hosts": ["web*", "db*"]}),
            json!({"name": "db1", "cpus": 16, "seen_at": 0, "expires_at": 0, "hosts": []}),
        ];
        let columns = ["name", "cpus", "seen_at", "expires_at", "hosts"];
        assert_eq!(
            table(&rows, &columns, 1_796_051_040),
            "name  cpus  seen_at   expires_at            hosts\n\
             web1  2     40 s ago  2026-11-30 15:04:05Z  web*, db*\n\
             db1   16    -         -\n"
        );
    }
}
