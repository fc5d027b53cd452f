//! Which style a scalar may be written in: `yaml_emitter_analyze_scalar` of libyaml 0.2.5.

use super::resolve::{self, Plain};
use super::write::python_float;
use crate::value::Value;

/// How a scalar is written.
pub(super) enum Quotes {
    None,
    Single,
    Double,
}

/// A scalar's text, and which styles it may be written in.
pub(super) struct Scalar {
    pub(super) text: String,
    /// Read back without quotes it has the same type.
    plain_implicit: bool,
    multiline: bool,
    flow_plain: bool,
    block_plain: bool,
    single_quoted: bool,
}

impl Scalar {
    pub(super) fn of(value: &Value, unicode: bool) -> Self {
        let (text, is_text) = match value {
            Value::Bool(b) => (b.to_string(), false),
            Value::Int(i) => (i.to_string(), false),
            Value::Float(f) => (python_float(*f), false),
            Value::Str(s) => (s.to_string(), true),
            Value::Template(t) => (t.text.to_string(), true),
            Value::Unknown(_) => ("unknown in check mode".to_owned(), true),
            Value::Null | Value::Omit | Value::List(_) | Value::Map(_) => ("null".into(), false),
        };
        let mut scalar = Self::analyze(text, unicode);
        scalar.plain_implicit = !is_text || resolve::plain(&scalar.text) == Plain::Str;
        scalar
    }

    fn analyze(text: String, unicode: bool) -> Self {
        let marks = Marks::of(&text, unicode);
        let edges = marks.edge_white || marks.break_space;
        let plain = !(edges || marks.special || marks.breaks);
        Self {
            plain_implicit: true,
            multiline: marks.breaks,
            flow_plain: plain && !marks.flow_indicators && !text.is_empty(),
            block_plain: plain && !marks.block_indicators,
            single_quoted: !(marks.break_space || marks.special),
            text,
        }
    }

    /// Whether it can stand before a colon.
    pub(super) fn is_simple(&self) -> bool {
        !self.multiline && self.text.len() <= 128
    }

    pub(super) fn quotes(&self, flow: bool, simple_key: bool) -> Quotes {
        if simple_key && self.multiline {
            return Quotes::Double;
        }
        let allowed = if flow {
            self.flow_plain
        } else {
            self.block_plain
        };
        let empty = self.text.is_empty() && (flow || simple_key);
        if allowed && !empty && self.plain_implicit {
            Quotes::None
        } else if self.single_quoted {
            Quotes::Single
        } else {
            Quotes::Double
        }
    }
}

/// What `yaml_emitter_analyze_scalar` looks for.
#[derive(Default)]
struct Marks {
    block_indicators: bool,
    flow_indicators: bool,
    breaks: bool,
    /// Unprintable, or white space before a break: only double quotes can hold it.
    special: bool,
    edge_white: bool,
    break_space: bool,
}

impl Marks {
    fn of(text: &str, unicode: bool) -> Self {
        let mut marks = Self::default();
        if text.starts_with("---") || text.starts_with("...") {
            marks.block_indicators = true;
            marks.flow_indicators = true;
        }
        let mut before: Option<char> = None;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            let after = chars.peek().copied();
            marks.indicator(c, before, after.is_none_or(is_blank));
            marks.special |= !is_printable(c) || !(unicode || c.is_ascii());
            marks.breaks |= is_break(c);
            let edge = before.is_none() || after.is_none();
            marks.edge_white |= edge && (c == ' ' || is_break(c));
            marks.break_space |= c == ' ' && before.is_some_and(is_break);
            marks.special |= is_break(c) && before == Some(' ');
            before = Some(c);
        }
        marks
    }

    fn indicator(&mut self, c: char, before: Option<char>, blank_after: bool) {
        let (flow, block) = match (c, before) {
            (
                '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%'
                | '@' | '`',
                None,
            ) => (true, true),
            ('?' | ':', None) | (':', Some(_)) => (true, blank_after),
            ('-', None) => (blank_after, blank_after),
            (',' | '?' | '[' | ']' | '{' | '}', Some(_)) => (true, false),
            ('#', Some(before)) if is_blank(before) => (true, true),
            _ => (false, false),
        };
        self.flow_indicators |= flow;
        self.block_indicators |= block;
    }
}

pub(super) fn is_break(c: char) -> bool {
    matches!(c, '\r' | '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\0') || is_break(c)
}

/// libyaml's idea, which leaves out everything beyond the basic plane, emoji among it.
pub(super) fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{A0}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}')
        && c != '\u{FEFF}'
}

/// A character as double quotes hold it.
pub(super) fn escape(c: char) -> String {
    let short = match c {
        '\0' => '0',
        '\u{7}' => 'a',
        '\u{8}' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\u{B}' => 'v',
        '\u{C}' => 'f',
        '\r' => 'r',
        '\u{1B}' => 'e',
        '"' => '"',
        '\\' => '\\',
        '\u{85}' => 'N',
        '\u{A0}' => '_',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        _ => {
            let code = u32::from(c);
            return match code {
                0..=0xFF => format!("\\x{code:02X}"),
                0x100..=0xFFFF => format!("\\u{code:04X}"),
                _ => format!("\\U{code:08X}"),
            };
        }
    };
    format!("\\{short}")
}
