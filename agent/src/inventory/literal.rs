//! Values of ini inventories: Python literals where they are some, else text.
//!
//! From `_parse_value` of `ansible/plugins/inventory/ini.py`, which calls `ast.literal_eval`.

use crate::source::Span;
use crate::value::{Key, Map, Value};

/// The value of `text`: `5`, `True`, `['a', 1]`, `{'k': None}` are what Python makes of them, all
/// else is text (`yes`, `0644`, `1.2.3`).
pub(super) fn value(text: &str, span: &Span) -> Value {
    let mut parser = Parser {
        rest: text.trim_start_matches([' ', '\t']),
        span,
        depth: 0,
    };
    let parsed = parser.expression().filter(|_| parser.at_end());
    parsed.unwrap_or_else(|| Value::written(text, Some(span)))
}

struct Parser<'t> {
    rest: &'t str,
    span: &'t Span,
    depth: usize,
}

impl Parser<'_> {
    /// White space or a comment may follow.
    fn at_end(&mut self) -> bool {
        self.skip();
        self.rest.is_empty() || self.rest.starts_with('#')
    }

    fn skip(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, token: &str) -> bool {
        self.skip();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// A value, or several with commas between them: a tuple, which Ansible makes a list.
    fn expression(&mut self) -> Option<Value> {
        let first = self.item()?;
        if !self.eat(",") {
            return Some(first);
        }
        let mut items = vec![first];
        while !self.at_end() {
            items.push(self.item()?);
            if !self.eat(",") {
                break;
            }
        }
        Some(Value::list(items))
    }

    fn item(&mut self) -> Option<Value> {
        self.skip();
        self.depth += 1;
        if self.depth > 64 {
            return None;
        }
        let value = match self.rest.chars().next()? {
            '[' => self
                .bracketed("[", "]")
                .map(|(items, _)| Value::list(items)),
            '(' => self.tuple(),
            '{' => self.mapping(),
            '\'' | '"' => self.strings(),
            '.' if self.eat("...") => Some(Value::from("...")),
            '+' | '-' | '.' | '0'..='9' => self.number(),
            _ => self.word(),
        };
        self.depth -= 1;
        value
    }

    /// The items between brackets, and whether the last one had a comma behind it.
    fn bracketed(&mut self, open: &str, close: &str) -> Option<(Vec<Value>, bool)> {
        self.eat(open);
        let mut items = Vec::new();
        let mut comma = false;
        while !self.eat(close) {
            if !items.is_empty() && !comma {
                return None;
            }
            items.push(self.item()?);
            comma = self.eat(",");
        }
        Some((items, comma))
    }

    fn tuple(&mut self) -> Option<Value> {
        let (mut items, comma) = self.bracketed("(", ")")?;
        match items.len() {
            1 if !comma => items.pop(),
            _ => Some(Value::list(items)),
        }
    }

    /// A mapping, or a set, which becomes a list.
    fn mapping(&mut self) -> Option<Value> {
        self.eat("{");
        let mut map = Map::new();
        let mut set = Vec::new();
        while !self.eat("}") {
            let key = self.item()?;
            if self.eat(":") {
                map.insert(as_key(&key)?, self.item()?);
            } else {
                set.push(key);
            }
            if !self.eat(",") && !self.rest.trim_start().starts_with('}') {
                return None;
            }
        }
        match (map.is_empty(), set.is_empty()) {
            (_, true) => Some(Value::map(map)),
            (true, false) => Some(Value::list(set)),
            (false, false) => None,
        }
    }

    /// Text; pieces that follow each other are joined, as in Python.
    fn strings(&mut self) -> Option<Value> {
        let mut text = String::new();
        while self.rest.starts_with(['\'', '"']) {
            self.string(&mut text, true)?;
            self.skip();
        }
        Some(Value::written(text, Some(self.span)))
    }

    fn string(&mut self, out: &mut String, escapes: bool) -> Option<()> {
        let quote = self.rest.chars().next()?;
        let mut chars = self.rest[1..].char_indices();
        loop {
            let (at, c) = chars.next()?;
            match c {
                c if c == quote => {
                    self.rest = &self.rest[at + 2..];
                    return Some(());
                }
                '\n' => return None,
                '\\' if escapes => out.push_str(&unescape(&mut chars)?),
                c => out.push(c),
            }
        }
    }

    fn number(&mut self) -> Option<Value> {
        let negative = match self.rest.as_bytes().first() {
            Some(b'-') => true,
            Some(b'+') => false,
            _ => return self.unsigned(),
        };
        self.rest = &self.rest[1..];
        self.skip();
        match self.unsigned()? {
            Value::Int(i) if negative => i.checked_neg().map(Value::Int),
            Value::Float(f) if negative => Some(Value::Float(-f)),
            number => Some(number),
        }
    }

    fn unsigned(&mut self) -> Option<Value> {
        let mut end = 0;
        for (at, c) in self.rest.char_indices() {
            let sign = matches!(c, '+' | '-') && self.rest[..at].ends_with(['e', 'E']);
            let hex = self.rest.starts_with("0x") || self.rest.starts_with("0X");
            if !(c.is_ascii_alphanumeric() || matches!(c, '.' | '_') || sign && !hex) {
                break;
            }
            end = at + c.len_utf8();
        }
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        number(token).or_else(|| imaginary(token))
    }

    fn word(&mut self) -> Option<Value> {
        if let Some(rest) = self.rest.strip_prefix("set()") {
            self.rest = rest;
            return Some(Value::list(Vec::new()));
        }
        let end = self
            .rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_'))
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        let value = match word {
            "True" => Value::Bool(true),
            "False" => Value::Bool(false),
            "None" => Value::Null,
            _ => return self.prefixed(word),
        };
        self.rest = rest;
        Some(value)
    }

    /// `r'…'`, `b"…"`, `u'…'`
    fn prefixed(&mut self, word: &str) -> Option<Value> {
        let prefix = word.to_ascii_lowercase();
        if !matches!(prefix.as_str(), "r" | "u" | "b" | "br" | "rb") {
            return None;
        }
        self.rest = &self.rest[word.len()..];
        if !self.rest.starts_with(['\'', '"']) {
            return None;
        }
        let mut text = String::new();
        self.string(&mut text, !prefix.contains('r'))?;
        Some(Value::written(text, Some(self.span)))
    }
}

fn as_key(value: &Value) -> Option<Key> {
    match value {
        Value::Str(s) => Some(Key::Str(s.clone())),
        Value::Template(t) => Some(Key::Str(t.text.clone())),
        Value::Int(i) => Some(Key::Int(*i)),
        Value::Bool(b) => Some(Key::Bool(*b)),
        Value::Null => Some(Key::Null),
        _ => None,
    }
}

fn number(token: &str) -> Option<Value> {
    let underscores = token.starts_with('_') || token.ends_with('_') || token.contains("__");
    if token.is_empty() || underscores {
        return None;
    }
    let plain = token.replace('_', "").to_ascii_lowercase();
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = plain.strip_prefix(prefix) {
            return i64::from_str_radix(digits, radix).ok().map(Value::Int);
        }
    }
    if plain.bytes().all(|c| c.is_ascii_digit()) {
        // `0644` is no number to Python 3, `000` is.
        let leading = plain.len() > 1 && plain.starts_with('0') && plain.contains(|c| c != '0');
        return plain.parse().ok().filter(|_| !leading).map(Value::Int);
    }
    let float = plain.contains(['.', 'e']) && plain.contains(|c: char| c.is_ascii_digit());
    let letters = plain.contains(|c: char| c.is_ascii_alphabetic() && c != 'e');
    if float && !letters {
        plain.parse().ok().map(Value::Float)
    } else {
        None
    }
}

/// `1j`, which Ansible keeps as text.
fn imaginary(token: &str) -> Option<Value> {
    let digits = token.strip_suffix(['j', 'J'])?;
    let real = number(digits).or_else(|| digits.parse().ok().map(Value::Float))?;
    Some(Value::from(match real {
        Value::Float(f) if f.fract() != 0.0 || f.abs() >= 1e16 => format!("{f:?}j"),
        Value::Float(f) => format!("{f:.0}j"),
        whole => format!("{}j", whole.as_int()?),
    }))
}

fn unescape(chars: &mut std::str::CharIndices<'_>) -> Option<String> {
    let (_, c) = chars.next()?;
    let simple = match c {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'a' => '\u{7}',
        'b' => '\u{8}',
        'f' => '\u{C}',
        'v' => '\u{B}',
        '\\' | '\'' | '"' => c,
        'x' | 'u' | 'U' => {
            let digits = match c {
                'x' => 2,
                'u' => 4,
                _ => 8,
            };
            let hex: String = chars.by_ref().take(digits).map(|(_, c)| c).collect();
            let code = u32::from_str_radix(&hex, 16).ok();
            return code.and_then(char::from_u32).map(String::from);
        }
        '0'..='7' => return octal(c, chars),
        _ => return Some(format!("\\{c}")),
    };
    Some(simple.to_string())
}

/// Up to three octal digits.
fn octal(first: char, chars: &mut std::str::CharIndices<'_>) -> Option<String> {
    let mut code = first.to_digit(8)?;
    for _ in 0..2 {
        let Some(digit) = chars.clone().next().and_then(|(_, c)| c.to_digit(8)) else {
            break;
        };
        chars.next();
        code = code * 8 + digit;
    }
    char::from_u32(code).map(String::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceFile;

    fn python(value: &Value) -> String {
        match value {
            Value::Null => "None".to_owned(),
            Value::Bool(true) => "True".to_owned(),
            Value::Bool(false) => "False".to_owned(),
            Value::Int(i) => i.to_string(),
            Value::Float(f) => format!("{f:?}"),
            Value::List(items) => {
                let items: Vec<String> = items.iter().map(python).collect();
                format!("[{}]", items.join(", "))
            }
            Value::Map(map) => {
                let entry =
                    |(k, v): (&Key, &Value)| format!("{}: {}", python(&k.to_value()), python(v));
                let entries: Vec<String> = map.iter().map(entry).collect();
                format!("{{{}}}", entries.join(", "))
            }
            text => format!("{:?}", text.as_str().unwrap()),
        }
    }

    /// Against what `ast.literal_eval` of Python 3.11 answered; `text` where it refused.
    #[test]
    fn values_are_what_python_says() {
        let file = SourceFile::new("hosts", "");
        let span = Span::new(&file, 1, 1, 1);
        for line in include_str!("tests/literals.txt").lines() {
            let (text, want) = line.split_once(" => ").unwrap();
            let got = value(text, &span);
            let refused = format!("{text:?}");
            let want = if want == "text" { &refused } else { want };
            assert_eq!(python(&got), want, "{text}");
        }
        let big = "99999999999999999999";
        assert_eq!(
            value(big, &span),
            Value::from(big),
            "our numbers have 64 bits"
        );
        let deep = "[".repeat(100_000);
        assert_eq!(value(&deep, &span), Value::from(deep.as_str()));
    }
}
