//! String literals as Ansible reads them.
//!
//! Within `{{ … }}` of a playbook a backslash is a backslash, so that regular expressions need no
//! doubling; in statements, conditions and template files escapes are Python's. The parser knows
//! only JSON's escapes. So the literals are rewritten before it sees them.

use super::syntax::Syntax;

/// How string literals inside `{{ … }}` are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Backslash {
    /// As a playbook writes them: a backslash is itself.
    Verbatim,
    /// As Python writes them.
    Escape,
}

/// The rewritten text, and how its offsets map back.
pub(super) struct Rewritten {
    pub text: String,
    /// Offset in the new text, and how much longer it is there than the old.
    shifts: Vec<(usize, isize)>,
    /// Where code begins that has too many operators in a row.
    pub too_long: Option<usize>,
}

/// Operators in one piece of code. The parser makes a tree as deep as a chain of them is long, and
/// a tree too deep cannot even be thrown away.
const MAX_OPERATORS: usize = 8000;

impl Rewritten {
    /// The offset in the text as written.
    pub fn original(&self, offset: usize) -> usize {
        let shift = self
            .shifts
            .iter()
            .rev()
            .find(|(at, _)| *at <= offset)
            .map_or(0, |(_, shift)| *shift);
        offset.saturating_add_signed(-shift)
    }

    fn push(&mut self, literal: &str, as_read: &str, quote: char) {
        let before = self.text.len();
        self.text.push(quote);
        for c in as_read.chars() {
            if c == '\\' || c == quote {
                self.text.push('\\');
            }
            self.text.push(c);
        }
        self.text.push(quote);
        let grown = (self.text.len() - before) as isize - literal.len() as isize;
        if grown != 0 {
            let last = self.shifts.last().map_or(0, |(_, s)| *s);
            self.shifts.push((self.text.len(), last + grown));
        }
    }
}

/// Rewrites the literals of a whole template.
pub(super) fn of_template(source: &str, syntax: &Syntax, mode: Backslash) -> Rewritten {
    let mut out = Rewritten {
        text: String::with_capacity(source.len() + 16),
        shifts: Vec::new(),
        too_long: None,
    };
    let mut rest = source;
    while let Some((at, region)) = syntax.next_start(rest) {
        let start = region.start(syntax);
        out.text.push_str(&rest[..at + start.len()]);
        rest = &rest[at + start.len()..];
        rest = match region {
            Region::Comment => skip_to(rest, &syntax.comment.1, &mut out),
            Region::Variable => code(rest, &syntax.variable.1, mode, &mut out),
            Region::Block => {
                let raw = is_raw(rest);
                let after = code(rest, &syntax.block.1, Backslash::Escape, &mut out);
                if raw {
                    skip_raw(after, syntax, &mut out)
                } else {
                    after
                }
            }
        };
    }
    out.text.push_str(rest);
    out
}

/// Rewrites the literals of a bare expression.
pub(super) fn of_expression(source: &str, mode: Backslash) -> Rewritten {
    let mut out = Rewritten {
        text: String::with_capacity(source.len() + 16),
        shifts: Vec::new(),
        too_long: None,
    };
    let rest = code(source, "", mode, &mut out);
    out.text.push_str(rest);
    out
}

/// What a start marker opens.
#[derive(Clone, Copy, Debug)]
pub(super) enum Region {
    Variable,
    Block,
    Comment,
}

impl Region {
    pub fn start(self, syntax: &Syntax) -> &str {
        match self {
            Self::Variable => &syntax.variable.0,
            Self::Block => &syntax.block.0,
            Self::Comment => &syntax.comment.0,
        }
    }
}

fn skip_to<'s>(rest: &'s str, end: &str, out: &mut Rewritten) -> &'s str {
    let stop = rest.find(end).map_or(rest.len(), |i| i + end.len());
    out.text.push_str(&rest[..stop]);
    &rest[stop..]
}

fn is_raw(rest: &str) -> bool {
    rest.trim_start_matches(['-', '+'])
        .trim_start()
        .strip_prefix("raw")
        .is_some_and(|after| !after.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
}

/// Copies up to the `endraw` tag: markers and quotes in between mean nothing.
fn skip_raw<'s>(rest: &'s str, syntax: &Syntax, out: &mut Rewritten) -> &'s str {
    let mut from = 0;
    while let Some(at) = rest[from..].find(&*syntax.block.0).map(|i| i + from) {
        let inside = at + syntax.block.0.len();
        let word = rest[inside..].trim_start_matches(['-', '+']).trim_start();
        if word.starts_with("endraw") {
            out.text.push_str(&rest[..at]);
            return &rest[at..];
        }
        from = inside;
    }
    out.text.push_str(rest);
    ""
}

/// Copies code up to and with `end`, rewriting its literals.
fn code<'s>(source: &'s str, end: &str, mode: Backslash, out: &mut Rewritten) -> &'s str {
    let mut depth = 0_usize;
    let mut at = 0;
    let mut operators = 0_usize;
    let begin = out.text.len();
    let bytes = source.as_bytes();
    while at < bytes.len() {
        if depth == 0 && !end.is_empty() && source.as_bytes()[at..].starts_with(end.as_bytes()) {
            out.text.push_str(&source[at..at + end.len()]);
            return &source[at + end.len()..];
        }
        match bytes[at] {
            quote @ (b'\'' | b'"') => {
                let Some(close) = closing(bytes, at) else {
                    break;
                };
                let inside = &source[at + 1..close];
                let as_read = match mode {
                    Backslash::Verbatim => inside.to_owned(),
                    Backslash::Escape => unescape(inside),
                };
                out.push(&source[at..=close], &as_read, quote as char);
                at = close + 1;
                continue;
            }
            b'+' if is_sign(&out.text[begin..]) => {
                // The parser knows no sign of what is positive anyway.
                out.text.push(' ');
                at += 1;
                continue;
            }
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            b'+' | b'-' | b'*' | b'/' | b'%' | b'~' | b'|' | b'.' | b'[' | b'(' | b'=' | b'<'
            | b'>' => operators += 1,
            _ => {}
        }
        if operators > MAX_OPERATORS {
            out.too_long.get_or_insert(begin);
        }
        let next = (at + 1..=bytes.len())
            .find(|i| source.is_char_boundary(*i))
            .unwrap_or(bytes.len());
        out.text.push_str(&source[at..next]);
        at = next;
    }
    &source[at..]
}

/// Whether a plus after `before` is the sign of a number and joins no two.
fn is_sign(before: &str) -> bool {
    match before.trim_end().chars().next_back() {
        // At the very start it says what happens to the blanks before the marker.
        None => !before.is_empty(),
        Some(last) => "([{,:=+-*/%<>~".contains(last),
    }
}

/// Where the literal that opens at `open` closes.
fn closing(bytes: &[u8], open: usize) -> Option<usize> {
    let mut at = open + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b if b == bytes[open] => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// Python's escapes; what is none of them keeps its backslash.
pub(super) fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        let rest = chars.as_str();
        let Some(kind) = chars.next() else {
            out.push('\\');
            break;
        };
        match kind {
            '\n' => {}
            '\\' | '\'' | '"' => out.push(kind),
            'a' => out.push('\x07'),
            'b' => out.push('\x08'),
            'f' => out.push('\x0c'),
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            'v' => out.push('\x0b'),
            'x' | 'u' | 'U' | '0'..='7' => match coded(kind, rest) {
                Some((c, used)) => {
                    out.push(c);
                    chars = rest[used..].chars();
                }
                None => out.extend(['\\', kind]),
            },
            other => out.extend(['\\', other]),
        }
    }
    out
}

/// A character by its number: how many bytes of `rest` (which starts at the kind) it takes.
fn coded(kind: char, rest: &str) -> Option<(char, usize)> {
    let (from, width, radix) = match kind {
        'x' => (1, 2, 16),
        'u' => (1, 4, 16),
        'U' => (1, 8, 16),
        _ => {
            let digits = rest
                .bytes()
                .take(3)
                .take_while(|b| (b'0'..=b'7').contains(b))
                .count();
            (0, digits, 8)
        }
    };
    let digits = rest.get(from..from + width)?;
    let code = u32::from_str_radix(digits, radix).ok()?;
    Some((char::from_u32(code)?, from + width))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_playbook_keeps_backslashes_and_a_statement_reads_them() {
        let syntax = Syntax::default();
        for (text, want) in [
            (r"{{ 'a\d' }}", r"{{ 'a\\d' }}"),
            (r"{% set x = '\x41\d' %}", r"{% set x = 'A\\d' %}"),
            (
                r"{% raw %}{{ '\d' {% endraw %}{{ '\d' }}",
                r"{% raw %}{{ '\d' {% endraw %}{{ '\\d' }}",
            ),
            (r"{# '\d #}{{ {'a': {}} }}\d", r"{# '\d #}{{ {'a': {}} }}\d"),
        ] {
            assert_eq!(of_template(text, &syntax, Backslash::Verbatim).text, want);
        }
    }

    #[test]
    fn offsets_map_back() {
        let out = of_template(r"{{ '\d' | x }}", &Syntax::default(), Backslash::Verbatim);
        assert_eq!(out.original(out.text.find('x').unwrap_or(0)), 10);
    }
}
