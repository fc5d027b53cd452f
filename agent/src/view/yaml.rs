//! Results as YAML (`callback_result_format = yaml`), laid out as Ansible lays them out: four spaces
//! a level, texts of several lines as blocks. How a scalar is written is the caller's to say: the
//! rules of what must be quoted are those of the YAML writer, and a view knows no playbooks.

use super::text::py_str;
use crate::value::{Map, Value};

/// Writes a scalar as YAML, on one line.
pub type Scalar = fn(&Value) -> String;

/// Spaces for each level.
const INDENT: usize = 4;

/// A result as YAML; every line has its end.
pub fn dump(value: &Value, scalar: Scalar) -> String {
    let mut writer = Writer {
        out: String::new(),
        scalar,
    };
    match value {
        Value::Map(map) if !map.is_empty() => writer.map(map, 0, false),
        Value::List(list) if !list.is_empty() => writer.list(list, 0, false),
        other => writer.leaf(other, 0),
    }
    writer.out
}

/// Puts every line that is not empty behind some spaces.
pub fn indented(text: &str) -> String {
    let line = |line: &str| {
        let spaces = if line.trim().is_empty() { 0 } else { INDENT };
        format!("{:spaces$}{line}", "")
    };
    text.split_inclusive('\n').map(line).collect()
}

struct Writer {
    out: String,
    scalar: Scalar,
}

impl Writer {
    /// Entries of a mapping; the first one stands behind a dash if it is `inline`.
    fn map(&mut self, map: &Map, column: usize, inline: bool) {
        let mut entries: Vec<_> = map.iter().collect();
        entries.sort_by_key(|(key, _)| key.to_string());
        for (n, (key, value)) in entries.into_iter().enumerate() {
            self.pad(if inline && n == 0 { 0 } else { column });
            let key = (self.scalar)(&key.to_value());
            self.out.push_str(&format!("{key}:"));
            match value {
                Value::Map(map) if !map.is_empty() => {
                    self.out.push('\n');
                    self.map(map, column + INDENT, false);
                }
                // Lists stand as far left as the key, as PyYAML has it.
                Value::List(list) if !list.is_empty() => {
                    self.out.push('\n');
                    self.list(list, column, false);
                }
                other => {
                    self.out.push(' ');
                    self.leaf(other, column);
                }
            }
        }
    }

    fn list(&mut self, list: &[Value], column: usize, inline: bool) {
        for (n, value) in list.iter().enumerate() {
            self.pad(if inline && n == 0 { 0 } else { column });
            self.out.push('-');
            match value {
                Value::Map(map) if !map.is_empty() => {
                    self.pad(INDENT - 1);
                    self.map(map, column + INDENT, true);
                }
                Value::List(list) if !list.is_empty() => {
                    self.pad(INDENT - 1);
                    self.list(list, column + INDENT, true);
                }
                other => {
                    self.out.push(' ');
                    self.leaf(other, column);
                }
            }
        }
    }

    fn leaf(&mut self, value: &Value, column: usize) {
        match value {
            Value::Map(_) => self.out.push_str("{}\n"),
            Value::List(_) => self.out.push_str("[]\n"),
            Value::Str(_) | Value::Template(_) if py_str(value).contains('\n') => {
                self.block(&readable(&py_str(value)), column + INDENT);
            }
            Value::Unknown(_) => self.leaf(&Value::from(py_str(value)), column),
            other => {
                let text = (self.scalar)(other);
                self.out.push_str(&format!("{text}\n"));
            }
        }
    }

    fn block(&mut self, text: &str, column: usize) {
        // A first line that begins with a space would be taken for the indentation.
        let hint = if text.starts_with([' ', '\n']) {
            "4"
        } else {
            ""
        };
        self.out.push_str(&format!("|{hint}-\n"));
        for line in text.lines() {
            self.pad(if line.is_empty() { 0 } else { column });
            self.out.push_str(&format!("{line}\n"));
        }
    }

    fn pad(&mut self, spaces: usize) {
        self.out.extend(std::iter::repeat_n(' ', spaces));
    }
}

/// A text as a block can hold it: no tabs, no spaces at the ends of lines, nothing unprintable.
/// Ansible, too, prefers here what reads well to what is exact.
fn readable(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.trim_end().lines() {
        let mut out = String::new();
        let mut column = 0;
        for c in line.chars() {
            match c {
                '\t' => {
                    let spaces = 8 - column % 8;
                    out.extend(std::iter::repeat_n(' ', spaces));
                    column += spaces;
                }
                c if c.is_control() || c == '\u{feff}' => {}
                c => {
                    out.push(c);
                    column += 1;
                }
            }
        }
        lines.push(out.trim_end_matches(' ').to_string());
    }
    lines.join("\n")
}
