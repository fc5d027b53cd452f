//! Differences, as `--diff` shows them.

use super::State;
use super::screen::{Colour, clean};
use crate::event::{Report, Status};
use crate::module::Diff;
use crate::value::Value;
use crate::view::diff::{lines, unified};
use crate::view::text::{Layout, dump, py_str};
use crate::view::yaml::{Scalar, dump as dump_yaml, indented};
use std::io::Write;

impl<W: Write, E: Write> State<W, E> {
    /// Prints the differences of a result, each followed by an empty line.
    pub(in crate::view) fn diffs(&mut self, report: &Report) {
        let wanted = matches!(report.status, Status::Changed | Status::MayChange);
        if !wanted {
            return;
        }
        let mut text = String::new();
        for diff in &report.diffs {
            for line in diff_lines(diff, self.options.yaml) {
                let line = clean(&line, self.options.tty);
                text.push_str(&self.screen.paint_line(colour(&line), &line));
            }
        }
        if !text.is_empty() {
            self.screen.raw(text.strip_suffix('\n').unwrap_or(&text));
        }
    }
}

fn colour(line: &str) -> Colour {
    match line.as_bytes().first() {
        Some(b'+') => Colour::Ok,
        Some(b'-') => Colour::Failed,
        _ if line.starts_with("@@") => Colour::Skip,
        _ => Colour::Plain,
    }
}

/// One difference, its lines with their ends. Nothing if both sides look the same.
fn diff_lines(diff: &Diff, yaml: Option<Scalar>) -> Vec<String> {
    if [&diff.before, &diff.after]
        .iter()
        .any(|side| is_binary(side))
    {
        return vec!["diff skipped: destination file appears to be binary\n".into()];
    }
    let header = |word: &str, side: &Value| match side {
        Value::Null => word.to_string(),
        Value::Map(map) if map.values().any(|v| v.as_str() == Some(&diff.subject)) => word.into(),
        _ if diff.subject.is_empty() => word.to_string(),
        _ => format!("{word}: {}", diff.subject),
    };
    let mut out = unified(
        &lines(&side_text(&diff.before, yaml)),
        &lines(&side_text(&diff.after, yaml)),
        &header("before", &diff.before),
        &header("after", &diff.after),
    );
    if !out.is_empty() {
        out.push("\n".into());
    }
    out
}

fn is_binary(side: &Value) -> bool {
    side.as_str().is_some_and(|text| text.contains('\0'))
}

/// One side as text: mappings as JSON or YAML.
fn side_text(side: &Value, yaml: Option<Scalar>) -> String {
    match (side, yaml) {
        (Value::Null | Value::Omit, _) => String::new(),
        (Value::Map(_) | Value::List(_), Some(scalar)) => {
            indented(&dump_yaml(side, scalar, false)) + "\n"
        }
        (Value::Map(_) | Value::List(_), None) => {
            let layout = Layout {
                indent: Some(4),
                ascii: true,
            };
            dump(side, layout) + "\n"
        }
        (other, _) => py_str(other),
    }
}
