//! Text to tokens.

use super::Comparison;
use crate::value::Value;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// An identifier; whether it was quoted.
    Name(String, bool),
    Number(i64),
    Literal(Value),
    Compare(Comparison),
    Dot,
    Star,
    Flatten,
    Filter,
    LBracket,
    RBracket,
    LBrace,
    RBrace,
    LParen,
    RParen,
    Comma,
    Colon,
    Pipe,
    Or,
    And,
    Not,
    Current,
    Reference,
}

pub(super) fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let chars: Vec<char> = text.chars().collect();
    let mut lexer = Lexer { chars, at: 0 };
    let mut out = Vec::new();
    while let Some(token) = lexer.next()? {
        out.push(token);
    }
    Ok(out)
}

struct Lexer {
    chars: Vec<char>,
    at: usize,
}

impl Lexer {
    fn take(&mut self, c: char) -> bool {
        let found = self.chars.get(self.at) == Some(&c);
        self.at += usize::from(found);
        found
    }

    fn next(&mut self) -> Result<Option<Token>, String> {
        while self.chars.get(self.at).is_some_and(|c| c.is_whitespace()) {
            self.at += 1;
        }
        let Some(c) = self.chars.get(self.at).copied() else {
            return Ok(None);
        };
        let start = self.at;
        self.at += 1;
        Ok(Some(match c {
            '.' => Token::Dot,
            '*' => Token::Star,
            ']' => Token::RBracket,
            '{' => Token::LBrace,
            '}' => Token::RBrace,
            '(' => Token::LParen,
            ')' => Token::RParen,
            ',' => Token::Comma,
            ':' => Token::Colon,
            '@' => Token::Current,
            '[' if self.take(']') => Token::Flatten,
            '[' if self.take('?') => Token::Filter,
            '[' => Token::LBracket,
            '|' if self.take('|') => Token::Or,
            '|' => Token::Pipe,
            '&' if self.take('&') => Token::And,
            '&' => Token::Reference,
            '=' if self.take('=') => Token::Compare(Comparison::Eq),
            '!' if self.take('=') => Token::Compare(Comparison::Ne),
            '!' => Token::Not,
            '<' if self.take('=') => Token::Compare(Comparison::Le),
            '<' => Token::Compare(Comparison::Lt),
            '>' if self.take('=') => Token::Compare(Comparison::Ge),
            '>' => Token::Compare(Comparison::Gt),
            '\'' => Token::Literal(Value::from(self.until('\'')?.replace("\\'", "'"))),
            '`' => Token::Literal(literal(&self.until('`')?.replace("\\`", "`"))),
            '"' => Token::Name(quoted(&self.until('"')?)?, true),
            '-' | '0'..='9' => {
                self.run(|c| c.is_ascii_digit());
                let text: String = self.chars[start..self.at].iter().collect();
                Token::Number(text.parse().map_err(|_| format!("bad number `{text}`"))?)
            }
            c if c.is_ascii_alphabetic() || c == '_' => {
                self.run(|c| c.is_ascii_alphanumeric() || c == '_');
                Token::Name(self.chars[start..self.at].iter().collect(), false)
            }
            other => return Err(format!("unknown character `{other}`")),
        }))
    }

    fn run(&mut self, fits: fn(char) -> bool) {
        while self.chars.get(self.at).is_some_and(|c| fits(*c)) {
            self.at += 1;
        }
    }

    /// The text up to `end`; a backslash keeps the character after it from ending it.
    fn until(&mut self, end: char) -> Result<String, String> {
        let mut out = String::new();
        loop {
            match self.chars.get(self.at) {
                None => return Err(format!("unclosed {end} delimiter")),
                Some(c) if *c == end => break,
                Some('\\') => {
                    out.push('\\');
                    self.at += 1;
                    out.extend(self.chars.get(self.at));
                }
                Some(c) => out.push(*c),
            }
            self.at += 1;
        }
        self.at += 1;
        Ok(out)
    }
}

/// A literal between backquotes is JSON; what is no JSON is text.
fn literal(text: &str) -> Value {
    let text = text.trim_start();
    serde_json::from_str::<serde_json::Value>(text).map_or_else(|_| Value::from(text), Value::from)
}

fn quoted(text: &str) -> Result<String, String> {
    serde_json::from_str(&format!("\"{text}\"")).map_err(|e| format!("bad name \"{text}\": {e}"))
}
