//! Results as YAML (`callback_result_format = yaml`), laid out as Ansible lays them out: four spaces
//! a level, texts of several lines as blocks. How a scalar is written is the caller's to say: the
//! rules of what must be quoted are those of the YAML writer, and a view knows no playbooks.

use super::text::py_str;
use crate::value::{Map, Value};

/// Writes a scalar as YAML, on one line.
pub type Scalar = fn(&Value) -> String;

/// Spaces for each level, and before every line of a result.
const INDENT: usize = 4;

/// A result as YAML; every line has its end. Where it need not be `exact`, texts of several lines are
/// changed to read well.
pub fn dump(value: &Value, scalar: Scalar, exact: bool) -> String {
    let mut writer = Writer {
        out: String::new(),
        scalar,
        indent: if exact { 2 } else { INDENT },
        exact,
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
    indent: usize,
    exact: bool,
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
                    self.map(map, column + self.indent, false);
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
                    self.pad(self.indent - 1);
                    self.map(map, column + self.indent, true);
                }
                Value::List(list) if !list.is_empty() => {
                    self.pad(self.indent - 1);
                    self.list(list, column + self.indent, true);
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
                let text = py_str(value);
                if !self.exact {
                    self.block(&readable(&text), column + self.indent);
                } else if fits_a_block(&text) {
                    self.block(&text, column + self.indent);
                } else {
                    let text = (self.scalar)(value);
                    self.out.push_str(&format!("{text}\n"));
                }
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
            self.indent.to_string()
        } else {
            String::new()
        };
        let ends = text.len() - text.trim_end_matches('\n').len();
        let chomp = match ends {
            0 => "-",
            1 if text.len() > 1 => "",
            _ => "+",
        };
        self.out.push_str(&format!("|{hint}{chomp}\n"));
        for line in text.lines() {
            self.pad(if line.is_empty() { 0 } else { column });
            self.out.push_str(&format!("{line}\n"));
        }
    }

    fn pad(&mut self, spaces: usize) {
        self.out.extend(std::iter::repeat_n(' ', spaces));
    }
}

/// Whether a block can hold the text as it is: nothing unprintable, no line that ends with a space.
fn fits_a_block(text: &str) -> bool {
    let odd = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    !text.contains(odd) && !text.lines().any(|line| line.ends_with(' '))
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
