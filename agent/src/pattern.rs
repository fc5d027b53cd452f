//! Python's regular expressions on top of `fancy-regex`: patterns of playbooks mean here what they
//! mean in Ansible, where the two languages differ.

use crate::error::{Error, Result};
use fancy_regex::{Captures, Regex, RegexBuilder};

/// A compiled pattern.
#[derive(Clone, Debug)]
pub struct Pattern {
    regex: Regex,
    /// The same, anchored at the start of the text: Python's `match`.
    anchored: Regex,
    written: String,
    multiline: bool,
}

/// Python's flags.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flags {
    /// `re.MULTILINE`: `^` and `$` match at every line.
    pub multiline: bool,
    /// `re.DOTALL`: a dot matches a line break too.
    pub dotall: bool,
    /// `re.IGNORECASE`.
    pub ignore_case: bool,
}

impl Pattern {
    /// Compiles a pattern without flags.
    ///
    /// # Errors
    /// When it is no pattern; the message shows it.
    pub fn new(pattern: &str) -> Result<Self> {
        Self::with(pattern, Flags::default())
    }

    /// Compiles a pattern.
    ///
    /// # Errors
    /// When it is no pattern; the message shows it.
    pub fn with(pattern: &str, mut flags: Flags) -> Result<Self> {
        let body = take_flags(pattern, &mut flags);
        let mut letters = String::new();
        for (on, letter) in [
            (flags.multiline, 'm'),
            (flags.dotall, 's'),
            (flags.ignore_case, 'i'),
        ] {
            letters.extend(on.then_some(letter));
        }
        let prefix = if letters.is_empty() {
            String::new()
        } else {
            format!("(?{letters})")
        };
        let body = translate(&body, flags.multiline);
        let build = |text: &str| {
            RegexBuilder::new(text).build().map_err(|e| {
                Error::params(format!("`{pattern}` is no regular expression")).caused_by(e)
            })
        };
        Ok(Self {
            regex: build(&format!("{prefix}{body}"))?,
            anchored: build(&format!("{prefix}\\A(?:{body})"))?,
            written: pattern.to_owned(),
            multiline: flags.multiline,
        })
    }

    /// The first match anywhere (Python's `search`).
    ///
    /// # Errors
    /// When the pattern takes too long to decide.
    pub fn search<'t>(&self, text: &'t str) -> Result<Option<Captures<'t, str>>> {
        self.regex.captures(text).map_err(|e| self.too_hard(e))
    }

    /// A match at the start of the text (Python's `match`).
    ///
    /// # Errors
    /// When the pattern takes too long to decide.
    pub fn at_start<'t>(&self, text: &'t str) -> Result<Option<Captures<'t, str>>> {
        self.anchored.captures(text).map_err(|e| self.too_hard(e))
    }

    /// Whether it matches anywhere.
    ///
    /// # Errors
    /// When the pattern takes too long to decide.
    pub fn is_match(&self, text: &str) -> Result<bool> {
        self.regex.is_match(text).map_err(|e| self.too_hard(e))
    }

    /// Replaces every match, and counts them (Python's `subn`).
    ///
    /// # Errors
    /// When the replacement names a group that is not there, or the pattern takes too long.
    pub fn replace_all(&self, text: &str, with: &str) -> Result<(String, usize)> {
        let (mut out, mut last, mut count) = (String::with_capacity(text.len()), 0, 0);
        for captures in self.regex.captures_iter(text) {
            let captures = captures.map_err(|e| self.too_hard(e))?;
            let Some(whole) = captures.get(0) else {
                continue;
            };
            out.push_str(&text[last..whole.start()]);
            out.push_str(&expand(&captures, with)?);
            last = whole.end();
            count += 1;
        }
        out.push_str(&text[last..]);
        Ok((out, count))
    }

    /// Whether the pattern asks for `re.MULTILINE` itself (`(?m)`), or was given it.
    #[must_use]
    pub fn is_multiline(&self) -> bool {
        self.multiline
    }

    /// The compiled expression, for what is not offered here.
    #[must_use]
    pub fn regex(&self) -> &Regex {
        &self.regex
    }

    fn too_hard(&self, error: fancy_regex::Error) -> Error {
        Error::host(format!("cannot decide whether `{}` matches", self.written)).caused_by(error)
    }
}

/// Takes leading global flags (`(?im)`) off a pattern.
fn take_flags(pattern: &str, flags: &mut Flags) -> String {
    let Some(rest) = pattern.strip_prefix("(?") else {
        return pattern.to_owned();
    };
    let Some((letters, body)) = rest.split_once(')') else {
        return pattern.to_owned();
    };
    if letters.is_empty() || !letters.chars().all(|c| "aiLmsux".contains(c)) {
        return pattern.to_owned();
    }
    flags.ignore_case |= letters.contains('i');
    flags.multiline |= letters.contains('m');
    flags.dotall |= letters.contains('s');
    // `a`, `u` and `L` choose alphabets; text here is always Unicode.
    if letters.contains('x') {
        format!("(?x){body}")
    } else {
        body.to_owned()
    }
}

/// Rewrites what means something else to `fancy-regex`.
fn translate(pattern: &str, multiline: bool) -> String {
    let chars: Vec<char> = pattern.chars().collect();
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut i = 0;
    while i < chars.len() {
        match chars[i] {
            '\\' => i += escape(&chars[i..], false, &mut out),
            '[' => i += class(&chars[i..], &mut out),
            // Without MULTILINE, Python's `$` also matches before the last line break.
            '$' if !multiline => {
                out.push_str("(?=\\n?\\z)");
                i += 1;
            }
            '{' => i += brace(&chars[i..], &mut out),
            '(' if chars[i..].starts_with(&['(', '?', '#']) => {
                let end = chars[i..].iter().position(|c| *c == ')');
                i = end.map_or(chars.len(), |end| i + end + 1);
            }
            c => {
                out.push(c);
                i += 1;
            }
        }
    }
    out
}

/// One escape, outside or inside a class. Returns how many characters it took.
fn escape(chars: &[char], in_class: bool, out: &mut String) -> usize {
    match chars.get(1) {
        None => {
            out.push_str("\\\\");
            1
        }
        Some('Z') if !in_class => {
            out.push_str("\\z");
            2
        }
        Some('b') if in_class => {
            out.push_str("\\x08");
            2
        }
        Some('0') => {
            out.push_str("\\x00");
            2
        }
        // `\<` and `\_` are plain characters in Python, and others elsewhere.
        Some(c) if !c.is_ascii_alphanumeric() => {
            literal(*c, out);
            2
        }
        Some(c) => {
            out.push('\\');
            out.push(*c);
            2
        }
    }
}

fn literal(c: char, out: &mut String) {
    if r"\.+*?()|[]{}^$#&-~ ".contains(c) {
        out.push('\\');
    }
    out.push(c);
}

/// One class in square brackets; `[`, `&` and `~` have no meaning of their own in Python's.
fn class(chars: &[char], out: &mut String) -> usize {
    out.push('[');
    let mut i = 1;
    if chars.get(i) == Some(&'^') {
        out.push('^');
        i += 1;
    }
    if chars.get(i) == Some(&']') {
        out.push_str("\\]");
        i += 1;
    }
    while let Some(c) = chars.get(i) {
        match c {
            ']' => {
                out.push(']');
                return i + 1;
            }
            '\\' => i += escape(&chars[i..], true, out),
            '[' | '&' | '~' => {
                literal(*c, out);
                i += 1;
            }
            // A dash beside another would be a difference of classes.
            '-' if chars.get(i + 1) == Some(&'-') => {
                literal('-', out);
                i += 1;
            }
            c => {
                out.push(*c);
                i += 1;
            }
        }
    }
    i
}

/// A brace: a repetition as Python knows it, or else plain text.
fn brace(chars: &[char], out: &mut String) -> usize {
    let end = chars.iter().position(|c| *c == '}');
    let inner: String = end.map_or_else(String::new, |end| chars[1..end].iter().collect());
    let number = |t: &str| t.chars().all(|c| c.is_ascii_digit());
    let (low, high) = inner.split_once(',').unwrap_or((&inner, "1"));
    if inner.is_empty() || !number(low) || !number(high) || (low.is_empty() && !inner.contains(','))
    {
        out.push_str("\\{");
        return 1;
    }
    if low.is_empty() {
        out.push_str(&format!("{{0{inner}}}"));
    } else {
        out.push_str(&format!("{{{inner}}}"));
    }
    inner.len() + 2
}

/// Fills a replacement in as Python does: `\1`, `\g<1>`, `\g<name>`, `\n`. Groups without a match are empty.
///
/// # Errors
/// When it names a group that is not there.
pub fn expand(captures: &Captures<'_, str>, with: &str) -> Result<String> {
    let mut out = String::with_capacity(with.len());
    let mut rest = with;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let Some(next) = rest.chars().next() else {
            out.push('\\');
            break;
        };
        if rest.starts_with("g<") && rest.contains('>') {
            let (name, tail) = rest[2..].split_once('>').unwrap_or((&rest[2..], ""));
            out.push_str(group(captures, name)?);
            rest = tail;
        } else if next.is_ascii_digit() && next != '0' {
            let digits = rest
                .chars()
                .take(2)
                .take_while(char::is_ascii_digit)
                .count();
            out.push_str(group(captures, &rest[..digits])?);
            rest = &rest[digits..];
        } else {
            match next {
                'n' => out.push('\n'),
                't' => out.push('\t'),
                'r' => out.push('\r'),
                'a' => out.push('\x07'),
                'f' => out.push('\x0c'),
                'v' => out.push('\x0b'),
                '0' => out.push('\0'),
                '\\' => out.push('\\'),
                other => out.extend(['\\', other]),
            }
            rest = &rest[next.len_utf8()..];
        }
    }
    out.push_str(rest);
    Ok(out)
}

fn group<'t>(captures: &Captures<'t, str>, name: &str) -> Result<&'t str> {
    let none = || Error::params(format!("invalid group reference {name}"));
    let found = match name.parse::<usize>() {
        Ok(number) if number < captures.len() => captures.get(number),
        Ok(_) => return Err(none()),
        Err(_) => captures.name(name),
    };
    Ok(found.map_or("", |m| m.as_str()))
}

/// Whether a text matches a pattern in which `*` stands for any letters, and nothing else is special.
#[must_use]
pub fn wildcard(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_what_they_mean_in_python() {
        for (pattern, text, want) in [
            ("^foo$", "foo\n", true),
            ("^foo$", "foo\nbar", false),
            (r"foo\Z", "foo\n", false),
            ("(?m)^bar$", "foo\nbar\n", true),
            ("(?i)FOO", "foo", true),
            ("{{ x }}", "a {{ x }} b", true),
            ("a{2}", "aa", true),
            ("a{,2}b", "aab", true),
            ("[[]x", "[x", true),
            ("[&&]", "&", true),
            (r"\<b\>", "<b>", true),
            (r"\/etc\/\-\_", "/etc/-_", true),
            (r"(?P<q>['\x22])x(?P=q)", "'x'", true),
            ("a(?#why)b", "ab", true),
            ("(?<=a)b", "ab", true),
            ("[]]", "]", true),
        ] {
            let compiled = Pattern::new(pattern).unwrap_or_else(|e| panic!("{pattern}: {e}"));
            assert_eq!(
                compiled.is_match(text).unwrap(),
                want,
                "{pattern} on {text:?}"
            );
        }
        assert!(Pattern::new("(").is_err());
    }

    #[test]
    fn replacements_are_filled_in_as_python_does() {
        let pattern = Pattern::new(r"(?P<k>\w+)=(\d+)?").unwrap();
        for (with, want) in [
            (r"\2=\1", "1=a =b"),
            (r"\g<k>:\g<2>", "a:1 b:"),
            (r"$1", "$1 $1"),
            (r"\n", "\n \n"),
            (r"\.", r"\. \."),
        ] {
            assert_eq!(
                pattern.replace_all("a=1 b=", with).unwrap(),
                (want.to_owned(), 2)
            );
        }
        assert!(pattern.replace_all("a=1", r"\9").is_err());
    }
}
