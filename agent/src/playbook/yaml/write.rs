//! Writing YAML the way PyYAML does through libyaml, for `to_yaml` and `to_nice_yaml`.
//!
//! A port of `emitter.c` of libyaml 0.2.5 and of PyYAML's `representer.py`, without what values
//! cannot ask for: anchors, tags, block scalars.

use super::scalar::{Quotes, Scalar, escape, is_break, is_printable};
use crate::value::{Key, Map, Value};
use std::cmp::Ordering;

/// How YAML is laid out; the fields are the arguments of Python's `yaml.dump`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Style {
    /// Spaces per level; outside 2–9 it counts as 2.
    pub indent: usize,
    /// Where long lines are folded, at a space.
    pub width: usize,
    /// Whether mappings are sorted by key.
    pub sort_keys: bool,
    /// `Some(true)`: all in braces; `Some(false)`: all in block style; `None`: braces around
    /// collections that hold only scalars.
    pub default_flow_style: Option<bool>,
    /// Write text beyond ASCII as it is.
    pub allow_unicode: bool,
    /// Start with `---`.
    pub explicit_start: bool,
    /// End with `...`.
    pub explicit_end: bool,
}

impl Default for Style {
    /// That of the filter `to_yaml`.
    fn default() -> Self {
        Self {
            indent: 2,
            width: 80,
            sort_keys: true,
            default_flow_style: None,
            allow_unicode: true,
            explicit_start: false,
            explicit_end: false,
        }
    }
}

impl Style {
    /// That of the filter `to_nice_yaml`.
    #[must_use]
    pub fn nice() -> Self {
        Self {
            indent: 4,
            default_flow_style: Some(false),
            ..Self::default()
        }
    }
}

/// `value` as the filter `to_yaml` writes it.
#[must_use]
pub fn to_string(value: &Value) -> String {
    to_styled_string(value, &Style::default())
}

/// `value` as the filter `to_nice_yaml` writes it.
#[must_use]
pub fn to_nice_string(value: &Value) -> String {
    to_styled_string(value, &Style::nice())
}

/// `value` as YAML, laid out by `style`.
#[must_use]
pub fn to_styled_string(value: &Value, style: &Style) -> String {
    let mut writer = Writer::new(style);
    if style.explicit_start {
        writer.indicator("---", true, false, false);
    }
    writer.node(value, Context::default());
    writer.write_indent();
    if style.explicit_end {
        writer.indicator("...", true, false, false);
        writer.write_indent();
    }
    writer.out
}

/// `repr(float)` with PyYAML's changes: `.inf`, `.nan`, and `1.0e+17` for Python's `1e+17`.
pub(crate) fn python_float(f: f64) -> String {
    if f.is_nan() {
        return ".nan".to_owned();
    }
    if f.is_infinite() {
        return if f > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    // Rust's Debug changes to exponents where Python does, but writes them otherwise.
    let text = format!("{f:?}");
    let Some((mantissa, exponent)) = text.split_once('e') else {
        return text;
    };
    let point = if mantissa.contains('.') { "" } else { ".0" };
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    format!("{mantissa}{point}e{sign}{digits:0>2}")
}

/// Where a node stands; it decides its style.
#[derive(Clone, Copy, Default)]
struct Context {
    mapping: bool,
    simple_key: bool,
}

struct Writer<'s> {
    style: &'s Style,
    out: String,
    best_indent: usize,
    best_width: usize,
    /// `None` before the root.
    indent: Option<usize>,
    flow_level: usize,
    column: usize,
    /// The last character was white space.
    whitespace: bool,
    /// Nothing but indentation and indicators is on this line.
    indention: bool,
}

impl<'s> Writer<'s> {
    fn new(style: &'s Style) -> Self {
        let best_indent = if (2..=9).contains(&style.indent) {
            style.indent
        } else {
            2
        };
        let best_width = if style.width <= best_indent * 2 {
            80
        } else {
            style.width
        };
        Self {
            style,
            out: String::new(),
            best_indent,
            best_width,
            indent: None,
            flow_level: 0,
            column: 0,
            whitespace: true,
            indention: true,
        }
    }

    fn node(&mut self, value: &Value, context: Context) {
        match value {
            Value::List(items) => self.list(items, context),
            Value::Map(map) => self.map(map),
            scalar => self.scalar(&Scalar::of(scalar, self.style.allow_unicode), context),
        }
    }

    fn is_flow(&self, scalars_only: bool) -> bool {
        self.flow_level > 0 || self.style.default_flow_style.unwrap_or(scalars_only)
    }

    fn list(&mut self, items: &[Value], context: Context) {
        if items.is_empty() || self.is_flow(items.iter().all(is_scalar)) {
            self.flow("[", "]", items.iter(), |w, item| {
                w.node(item, Context::default());
            });
            return;
        }
        let outer = self.indent;
        // A list right under its key is not indented further.
        let indentless = context.mapping && !self.indention;
        self.deeper(false, indentless);
        for item in items {
            self.write_indent();
            self.indicator("-", true, false, true);
            self.node(item, Context::default());
        }
        self.indent = outer;
    }

    fn map(&mut self, map: &Map) {
        let entries = self.entries(map);
        if entries.is_empty() || self.is_flow(map.values().all(is_scalar)) {
            self.flow("{", "}", entries.into_iter(), Self::flow_entry);
            return;
        }
        let outer = self.indent;
        self.deeper(false, false);
        for (key, value) in entries {
            self.write_indent();
            let key = Scalar::of(&key.to_value(), self.style.allow_unicode);
            let indented = if key.is_simple() {
                self.key(&key);
                false
            } else {
                self.complex_key(&key);
                self.write_indent();
                true
            };
            self.indicator(":", indented, false, indented);
            self.node(
                value,
                Context {
                    mapping: true,
                    simple_key: false,
                },
            );
        }
        self.indent = outer;
    }

    fn entries<'m>(&self, map: &'m Map) -> Vec<(&'m Key, &'m Value)> {
        let mut entries: Vec<_> = map.iter().collect();
        // Python cannot sort keys of mixed types, and PyYAML then leaves them as they are.
        let sortable = entries
            .windows(2)
            .all(|w| compare(w[0].0, w[1].0).is_some());
        if self.style.sort_keys && sortable {
            entries.sort_by(|a, b| compare(a.0, b.0).unwrap_or(Ordering::Equal));
        }
        entries
    }

    fn flow<T>(
        &mut self,
        open: &str,
        close: &str,
        items: impl Iterator<Item = T>,
        write: impl Fn(&mut Self, T),
    ) {
        let outer = self.indent;
        self.indicator(open, true, true, false);
        self.deeper(true, false);
        self.flow_level += 1;
        for (at, item) in items.enumerate() {
            if at > 0 {
                self.indicator(",", false, false, false);
            }
            if self.column > self.best_width {
                self.write_indent();
            }
            write(self, item);
        }
        self.flow_level -= 1;
        self.indent = outer;
        self.indicator(close, false, false, false);
    }

    fn flow_entry(&mut self, (key, value): (&Key, &Value)) {
        let key = Scalar::of(&key.to_value(), self.style.allow_unicode);
        if key.is_simple() {
            self.key(&key);
            self.indicator(":", false, false, false);
        } else {
            self.complex_key(&key);
            if self.column > self.best_width {
                self.write_indent();
            }
            self.indicator(":", true, false, false);
        }
        self.node(
            value,
            Context {
                mapping: true,
                simple_key: false,
            },
        );
    }

    fn key(&mut self, key: &Scalar) {
        self.scalar(
            key,
            Context {
                mapping: true,
                simple_key: true,
            },
        );
    }

    fn complex_key(&mut self, key: &Scalar) {
        self.indicator("?", true, false, self.flow_level == 0);
        self.scalar(
            key,
            Context {
                mapping: true,
                simple_key: false,
            },
        );
    }

    fn deeper(&mut self, flow: bool, indentless: bool) {
        self.indent = Some(match self.indent {
            None if flow => self.best_indent,
            None => 0,
            Some(indent) if indentless => indent,
            Some(indent) => indent + self.best_indent,
        });
    }

    fn scalar(&mut self, scalar: &Scalar, context: Context) {
        let outer = self.indent;
        self.deeper(true, false);
        match scalar.quotes(self.flow_level > 0, context.simple_key) {
            Quotes::None => self.plain(&scalar.text, !context.simple_key),
            Quotes::Single => self.single_quoted(&scalar.text, !context.simple_key),
            Quotes::Double => self.double_quoted(&scalar.text, !context.simple_key),
        }
        self.indent = outer;
    }

    fn put(&mut self, c: char) {
        self.out.push(c);
        self.column += 1;
    }

    fn put_break(&mut self, c: char) {
        self.out.push(c);
        self.column = 0;
    }

    fn indicator(&mut self, text: &str, spaced: bool, whitespace: bool, indention: bool) {
        if spaced && !self.whitespace {
            self.put(' ');
        }
        self.out.push_str(text);
        self.column += text.len();
        self.whitespace = whitespace;
        self.indention = self.indention && indention;
    }

    fn write_indent(&mut self) {
        let indent = self.indent.unwrap_or(0);
        if !self.indention || self.column > indent || self.column == indent && !self.whitespace {
            self.put_break('\n');
        }
        while self.column < indent {
            self.put(' ');
        }
        self.whitespace = true;
        self.indention = true;
    }

    fn plain(&mut self, text: &str, may_break: bool) {
        if !self.whitespace && (!text.is_empty() || self.flow_level > 0) {
            self.put(' ');
        }
        let mut spaces = false;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            let alone = chars.peek() != Some(&' ');
            if c == ' ' && may_break && !spaces && self.column > self.best_width && alone {
                self.write_indent();
            } else {
                self.put(c);
            }
            spaces = c == ' ';
        }
        self.whitespace = false;
        self.indention = false;
    }

    fn single_quoted(&mut self, text: &str, may_break: bool) {
        self.indicator("'", true, false, false);
        let (mut spaces, mut breaks) = (false, false);
        let last = text.chars().count().saturating_sub(1);
        let mut chars = text.chars().enumerate().peekable();
        while let Some((at, c)) = chars.next() {
            let alone = chars.peek().is_none_or(|(_, next)| *next != ' ');
            if c == ' ' {
                let inside = at > 0 && at < last;
                let fold = may_break && !spaces && self.column > self.best_width;
                if fold && inside && alone {
                    self.write_indent();
                } else {
                    self.put(c);
                }
                spaces = true;
            } else if is_break(c) {
                if !breaks && c == '\n' {
                    self.put_break('\n');
                }
                self.put_break(c);
                self.indention = true;
                breaks = true;
            } else {
                if breaks {
                    self.write_indent();
                }
                if c == '\'' {
                    self.put('\'');
                }
                self.put(c);
                self.indention = false;
                (spaces, breaks) = (false, false);
            }
        }
        if breaks {
            self.write_indent();
        }
        self.indicator("'", false, false, false);
        self.whitespace = false;
        self.indention = false;
    }

    fn double_quoted(&mut self, text: &str, may_break: bool) {
        self.indicator("\"", true, false, false);
        let mut spaces = false;
        let last = text.chars().count().saturating_sub(1);
        let mut chars = text.chars().enumerate().peekable();
        while let Some((at, c)) = chars.next() {
            let unicode = self.style.allow_unicode || c.is_ascii();
            if !is_printable(c) || !unicode || is_break(c) || matches!(c, '"' | '\\') {
                let escaped = escape(c);
                self.column += escaped.len();
                self.out.push_str(&escaped);
                spaces = false;
            } else if c == ' ' {
                let inside = at > 0 && at < last;
                if may_break && !spaces && self.column > self.best_width && inside {
                    self.write_indent();
                    if chars.peek().is_some_and(|(_, next)| *next == ' ') {
                        self.put('\\');
                    }
                } else {
                    self.put(c);
                }
                spaces = true;
            } else {
                self.put(c);
                spaces = false;
            }
        }
        self.indicator("\"", false, false, false);
        self.whitespace = false;
        self.indention = false;
    }
}

fn is_scalar(value: &Value) -> bool {
    !matches!(value, Value::List(_) | Value::Map(_))
}

/// Python's order of keys, where there is one.
fn compare(a: &Key, b: &Key) -> Option<Ordering> {
    let number = |key: &Key| match key {
        Key::Int(i) => Some(*i),
        Key::Bool(b) => Some(i64::from(*b)),
        Key::Str(_) | Key::Null => None,
    };
    match (a, b) {
        (Key::Str(a), Key::Str(b)) => Some(a.cmp(b)),
        _ => Some(number(a)?.cmp(&number(b)?)),
    }
}
