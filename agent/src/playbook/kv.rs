//! `key=value` arguments: `copy: src=a dest="b c"`, `shell: make chdir=/src`, `-e version=3`.
//!
//! A port of `ansible/parsing/splitter.py` of ansible-core 2.19, oddities included, that also
//! knows where each argument stands.

mod split;

pub use split::{Word, split_args};

use super::vault::VaultKeys;
use super::yaml;
use crate::error::{Error, ErrorKind, Result};
use crate::source::{SourceFile, Span};
use crate::value::{Map, Value};
use std::borrow::Cow;

/// The arguments that a free-form command (`command`, `shell`, `script` …) gives up; all other
/// `key=value` words belong to the command.
pub const FREE_FORM_ARGUMENTS: [&str; 8] = [
    "creates",
    "removes",
    "chdir",
    "executable",
    "warn",
    "stdin",
    "stdin_add_newline",
    "strip_empty_ends",
];

/// One `key=value`: name, value and where it was written.
pub type Argument = (String, Value, Span);

/// Splits arguments into the free-form text, if there is any, and the `key=value` pairs.
///
/// With `free_form`, only [`FREE_FORM_ARGUMENTS`] are pairs. Without it the free-form text is what
/// has no `=`; most modules refuse such text, which is for the caller to say. Of a key written
/// twice the last value counts. `span` is where `text` starts.
///
/// # Errors
/// With the place, if a quote or a `{{` is not closed.
pub fn parse_kv(
    text: &str,
    span: &Span,
    free_form: bool,
) -> Result<(Option<String>, Vec<Argument>)> {
    let mut raw: Vec<String> = Vec::new();
    let mut arguments: Vec<Argument> = Vec::new();
    for word in split_args(text, span)? {
        let decoded = decode_escapes(&word.text);
        match split_pair(&decoded) {
            Some((key, value)) if !free_form || FREE_FORM_ARGUMENTS.contains(&key) => {
                let place = place(span, text, word.offset, word.text.trim_end());
                let value = Value::written(unquote(value.trim()), Some(&place));
                let key = key.trim();
                match arguments.iter_mut().find(|(name, ..)| name == key) {
                    Some(argument) => (argument.1, argument.2) = (value, place),
                    None => arguments.push((key.to_owned(), value, place)),
                }
            }
            None if decoded.contains('=') => raw.push(decoded.replace("\\=", "=")),
            _ => raw.push(word.text),
        }
    }
    Ok(((!raw.is_empty()).then(|| join_args(&raw)), arguments))
}

/// What `-e` says: `key=value` words, or a YAML or JSON mapping. The caller resolves `@file`.
///
/// # Errors
/// If it is neither, or cannot be read.
pub fn parse_extra_vars(text: &str, vault: &VaultKeys) -> Result<Map> {
    let file = SourceFile::new("<--extra-vars>", text);
    match text.chars().next() {
        None => Ok(Map::new()),
        Some('[' | '{') => match yaml::load(&file)?.single()? {
            Some(node) => {
                let map = node.to_map(vault)?;
                // Marks mean something in JSON alone, as in Ansible.
                match serde_json::from_str::<serde::de::IgnoredAny>(text) {
                    Ok(_) => unmark_all(&map, vault),
                    Err(_) => Ok(map),
                }
            }
            None => Ok(Map::new()),
        },
        Some('/' | '.') => Err(Error::new(
            ErrorKind::Usage,
            format!("`{text}` looks like the name of a file"),
        )
        .hint(format!("to read variables from a file, write `-e @{text}`"))),
        Some(_) => extra_pairs(text, &Span::new(&file, 1, 1, 1)),
    }
}

/// What Ansible's JSON marks: `{"__ansible_unsafe": "…"}` is text that is never evaluated,
/// `{"__ansible_vault": "…"}` a vault.
fn unmark_all(map: &Map, vault: &VaultKeys) -> Result<Map> {
    let entries = map.iter();
    entries
        .map(|(key, value)| Ok((key.clone(), unmark(value, vault)?)))
        .collect()
}

fn unmark(value: &Value, vault: &VaultKeys) -> Result<Value> {
    let text = |value: &Value| match value {
        Value::Template(t) => Some(t.text.clone()),
        Value::Str(s) => Some(s.clone()),
        _ => None,
    };
    Ok(match value {
        Value::Map(map) => match (map.len(), map.first().map(|(k, v)| (k.as_str(), text(v)))) {
            (1, Some((Some("__ansible_unsafe"), Some(text)))) => Value::Str(text),
            (1, Some((Some("__ansible_vault"), Some(text)))) => {
                Value::from(vault.decrypt_text(&text)?)
            }
            _ => Value::map(unmark_all(map, vault)?),
        },
        Value::List(items) => {
            let items = items.iter().map(|item| unmark(item, vault));
            Value::list(items.collect::<Result<_>>()?)
        }
        other => other.clone(),
    })
}

fn extra_pairs(text: &str, span: &Span) -> Result<Map> {
    let (raw, arguments) = parse_kv(text, span, false)?;
    if let Some(raw) = raw {
        return Err(Error::new(
            ErrorKind::Usage,
            format!(
                "extra variables are written key=value, but `{}` is not",
                raw.trim()
            ),
        )
        .at(span)
        .hint("put values with spaces in quotes twice: -e 'motto=\"two words\"'"));
    }
    let pairs = arguments.into_iter();
    Ok(pairs.map(|(key, value, _)| (key.into(), value)).collect())
}

/// Key and value around the first `=` that is neither escaped nor at the start.
fn split_pair(word: &str) -> Option<(&str, &str)> {
    let mut equals = word.match_indices('=').map(|(at, _)| at);
    let at = equals.find(|at| *at > 0 && !word[..*at].ends_with('\\'))?;
    Some((&word[..at], &word[at + 1..]))
}

fn join_args(words: &[String]) -> String {
    let mut out = String::new();
    for word in words {
        if !out.is_empty() && !out.ends_with('\n') {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

/// Removes the quotes around a value; not if the last one is escaped.
fn unquote(text: &str) -> &str {
    let inner = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    match inner('"').or_else(|| inner('\'')) {
        Some(inner) if !inner.ends_with('\\') => inner,
        _ => text,
    }
}

/// Python's escapes, where they are complete: `\n`, `\x41`, `\u00e9` …
fn decode_escapes(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        match escape(&rest[at + 1..]) {
            Some((c, length)) => {
                out.push(c);
                rest = &rest[at + 1 + length..];
            }
            None => {
                out.push('\\');
                rest = &rest[at + 1..];
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The character that an escape stands for, and the escape's length without the backslash.
fn escape(text: &str) -> Option<(char, usize)> {
    let first = text.chars().next()?;
    let simple = match first {
        '\\' | '\'' | '"' => first,
        'a' => '\u{7}',
        'b' => '\u{8}',
        'f' => '\u{C}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{B}',
        'x' | 'u' | 'U' => {
            let digits = match first {
                'x' => 2,
                'u' => 4,
                _ => 8,
            };
            let hex = text.get(1..=digits)?;
            let code = u32::from_str_radix(hex, 16).ok()?;
            return Some((char::from_u32(code)?, 1 + digits));
        }
        _ => return None,
    };
    Some((simple, 1))
}

/// Where `part`, which starts at byte `offset` of `text`, stands in the file, if `text` starts at
/// `span`. YAML may have folded lines or resolved escapes in between: then it is looked for.
pub(crate) fn place(span: &Span, text: &str, offset: usize, part: &str) -> Span {
    let before = text.get(..offset).unwrap_or_default();
    let row = number(before.matches('\n').count());
    let column = number(
        before
            .rsplit('\n')
            .next()
            .unwrap_or_default()
            .chars()
            .count(),
    );
    let part = part.lines().next().unwrap_or_default();
    let len = number(part.chars().count()).max(1);
    let straight = Span::new(&span.file, span.line + row, span.column + column, len);
    // Text as long as its source, on one line: nothing was folded. Most arguments are like that,
    // and finding a line in a large file takes its time.
    if !text.contains('\n') && number(text.chars().count()) == span.len {
        return straight;
    }
    let lines = (span.line..).zip(span.file.text.lines().skip((span.line.max(1) - 1) as usize));
    let first_guess = lines.clone().nth(row as usize);
    if first_guess.is_some_and(|(_, line)| from(line, straight.column).starts_with(part)) {
        return straight;
    }
    let mut near = lines.take(50);
    let found = near.find_map(|(line_number, line)| {
        let at = line.find(part)?;
        let column = number(line[..at].chars().count()) + 1;
        Some(Span::new(&span.file, line_number, column, len))
    });
    found.unwrap_or_else(|| span.clone())
}

/// The rest of a line from a column on.
fn from(line: &str, column: u32) -> &str {
    let mut starts = line.char_indices().map(|(at, _)| at);
    let at = starts.nth((column.max(1) - 1) as usize);
    at.map_or("", |at| &line[at..])
}

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> Span {
        Span::new(&SourceFile::new("args", text), 1, 1, 1)
    }

    /// Against what `parse_kv` of ansible-core 2.19.14 answered.
    #[test]
    fn arguments_are_split_as_ansible_splits_them() {
        let mut wrong = Vec::new();
        for line in include_str!("tests/kv.jsonl").lines() {
            let case: serde_json::Value = serde_json::from_str(line).unwrap();
            let text = case["text"].as_str().unwrap();
            let free_form = case["free_form"].as_bool().unwrap();
            let got = parse_kv(text, &whole(text), free_form)
                .ok()
                .map(|(raw, arguments)| {
                    let pairs: Vec<_> = arguments
                        .iter()
                        .map(|(k, v, _)| serde_json::json!([k, v.to_json()]))
                        .collect();
                    (serde_json::json!(raw), serde_json::json!(pairs))
                });
            let error = case.get("error").is_some();
            let want = (!error).then(|| (case["raw"].clone(), case["options"].clone()));
            if got != want {
                wrong.push(format!(
                    "{text:?} free={free_form}\n  want {want:?}\n  got  {got:?}"
                ));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn arguments_know_their_place() {
        let file = SourceFile::new(
            "t.yml",
            "- copy: src=a\n    dest=\"b c\"\n    mode={{ m }}\n- shell: |\n    echo a\n    chdir=/x\n",
        );
        let docs = yaml::load(&file).unwrap().docs;
        let node = |at: usize| docs[0].as_seq().unwrap()[at].as_map().unwrap()[0].1.clone();
        let places = |at: usize, free_form| {
            let text = node(at);
            let (_, arguments) = parse_kv(text.as_str().unwrap(), &text.span, free_form).unwrap();
            let show = |(name, _, span): &Argument| {
                format!("{name} {}:{}+{}", span.line, span.column, span.len)
            };
            arguments.iter().map(show).collect::<Vec<_>>()
        };
        assert_eq!(
            places(0, false),
            ["src 1:9+5", "dest 2:5+10", "mode 3:5+12"]
        );
        assert_eq!(places(1, true), ["chdir 6:5+8"]);
    }

    #[test]
    fn what_is_not_closed_is_shown() {
        for (text, want) in [
            (
                "a=1 b='c d",
                "the quote ' is not closed in these arguments\n --> args:1:5",
            ),
            (
                "a=1 b={{ c",
                "`{{` is not closed in these arguments\n --> args:1:5",
            ),
        ] {
            let error = parse_kv(text, &whole(text), false).unwrap_err().to_string();
            assert!(error.starts_with(want), "{error}");
        }
    }

    #[test]
    fn extra_variables_come_in_three_forms() {
        let read = |text| parse_extra_vars(text, &VaultKeys::none());
        let map = read("a=1 b='x y' c={{ d }}").unwrap();
        assert_eq!(map.get("a"), Some(&Value::from("1")));
        assert_eq!(map.get("b"), Some(&Value::from("x y")));
        assert!(matches!(map.get("c"), Some(Value::Template(_))));
        let map = read("{\"a\": 1, \"b\": [true]}").unwrap();
        assert_eq!(map.get("a"), Some(&Value::Int(1)));
        assert_eq!(read("{a: yes}").unwrap().get("a"), Some(&Value::Bool(true)));
        assert!(read("").unwrap().is_empty());
        let map = read(r#"{"u": [{"__ansible_unsafe": "{{ x }}"}], "t": "{{ x }}"}"#).unwrap();
        let unsafe_ = Value::list(vec![Value::from("{{ x }}")]);
        assert_eq!(map.get("u"), Some(&unsafe_));
        assert!(matches!(map.get("t"), Some(Value::Template(_))));
        for (text, want) in [
            ("vars.yml", "key=value"),
            ("./vars.yml", "write `-e @./vars.yml`"),
            ("[1]", "expected a mapping"),
            ("{a: 1", "t"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(want), "{error}");
        }
    }
}
