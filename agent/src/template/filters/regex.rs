//! Filters with regular expressions, which are Python's.

use super::super::access;
use super::super::call::Call;
use super::super::fault::{Fault, Res};
use super::super::ops;
use super::super::text;
use super::super::val::Val;
use super::Filter;
use crate::pattern::{Flags, Pattern};
use fancy_regex::Captures;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

pub(super) static TABLE: &[Filter] = &[
    Filter::new(
        "regex_replace",
        &[
            "value",
            "pattern",
            "replacement",
            "ignorecase",
            "multiline",
            "count",
            "mandatory_count",
        ],
        "With every match replaced.",
        replace,
    ),
    Filter::new(
        "regex_search",
        &["value", "regex", "*groups", "**options"],
        "The first match, or its groups.",
        search,
    ),
    Filter::new(
        "regex_findall",
        &["value", "regex", "multiline", "ignorecase"],
        "Every match.",
        findall,
    ),
    Filter::new(
        "regex_escape",
        &["value", "re_type"],
        "With the special characters of expressions escaped.",
        escape,
    ),
];

/// More patterns than this are not kept compiled: they are made by the playbook as it runs.
const MAX_KEPT: usize = 1000;

/// A compiled pattern; each is compiled once.
pub(in super::super) fn compiled(
    pattern: &str,
    ignore_case: bool,
    multiline: bool,
) -> Res<Arc<Pattern>> {
    type Kept = Mutex<HashMap<(String, bool, bool), Arc<Pattern>>>;
    static KEPT: OnceLock<Kept> = OnceLock::new();
    let mut kept = KEPT
        .get_or_init(Kept::default)
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let key = (pattern.to_owned(), ignore_case, multiline);
    if let Some(found) = kept.get(&key) {
        return Ok(Arc::clone(found));
    }
    let flags = Flags {
        multiline,
        dotall: false,
        ignore_case,
    };
    let made = Arc::new(Pattern::with(pattern, flags)?);
    if kept.len() >= MAX_KEPT {
        kept.clear();
    }
    kept.insert(key, Arc::clone(&made));
    Ok(made)
}

fn replace(c: &Call) -> Res<Val> {
    let value = c.text(0)?;
    let pattern = compiled(
        &c.text_or(1, "")?,
        c.truth_or(3, false)?,
        c.truth_or(4, false)?,
    )?;
    let with = c.text_or(2, "")?;
    let limit = c.size_or(5, 0)?;
    let (out, count) = if limit == 0 {
        pattern.replace_all(&value, &with)?
    } else {
        replace_some(&pattern, &value, &with, limit)?
    };
    let wanted = c.size_or(6, 0)?;
    if wanted != 0 && wanted != count {
        return Err(Fault::error(format!(
            "'regex_replace' should match {wanted} times, but matches {count} times in '{value}'"
        )));
    }
    Ok(Val::from(out))
}

/// Replaces the first `limit` matches: each by what replacing all of the match alone gives, with
/// the groups of the match in the whole text.
fn replace_some(pattern: &Pattern, text: &str, with: &str, limit: usize) -> Res<(String, usize)> {
    let (mut out, mut last, mut count) = (String::new(), 0, 0);
    for found in pattern.regex().captures_iter(text).take(limit) {
        let found = found.map_err(|e| Fault::error(format!("the pattern is too hard: {e}")))?;
        let Some(whole) = found.get(0) else { continue };
        out.push_str(&text[last..whole.start()]);
        expand(&found, with, &mut out);
        last = whole.end();
        count += 1;
    }
    out.push_str(&text[last..]);
    Ok((out, count))
}

/// `\1`, `\g<1>` and `\g<name>` in a replacement.
fn expand(found: &Captures<'_, str>, with: &str, out: &mut String) {
    let mut rest = with;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let digits = after.bytes().take(2).take_while(u8::is_ascii_digit).count();
        let (group, used) = match after.strip_prefix("g<").and_then(|n| n.split_once('>')) {
            Some((name, _)) => (name, name.len() + 3),
            None => (&after[..digits], digits),
        };
        let text = match group.parse::<usize>() {
            Ok(index) => found.get(index),
            Err(_) => found.name(group),
        };
        match (used, text) {
            (0, _) => {
                let next = after.chars().next();
                out.push(match next {
                    Some('n') => '\n',
                    Some('t') => '\t',
                    Some(c) => c,
                    None => '\\',
                });
                rest = &after[next.map_or(0, char::len_utf8)..];
                continue;
            }
            (_, Some(text)) => out.push_str(text.as_str()),
            (_, None) => {}
        }
        rest = &after[used..];
    }
    out.push_str(rest);
}

fn option(c: &Call, name: &str) -> Res<bool> {
    let found = c.named.iter().find(|(n, _)| **n == *name);
    found.map_or(Ok(false), |(_, v)| ops::truth(c.ctx, v))
}

fn search(c: &Call) -> Res<Val> {
    let value = c.text(0)?;
    let pattern = compiled(
        &c.text(1)?,
        option(c, "ignorecase")?,
        option(c, "multiline")?,
    )?;
    let mut groups = Vec::new();
    for group in &c.rest {
        match group.usable()? {
            Val::List(_) | Val::Tuple(_) => groups.extend(access::iterate(c.ctx, group)?),
            other => groups.push(other.clone()),
        }
    }
    let Some(found) = pattern.search(&value)? else {
        return Ok(Val::Null);
    };
    let part = |m: Option<fancy_regex::Match<'_>>| Val::from(m.map(|m| m.as_str()));
    if groups.is_empty() {
        return Ok(part(found.get(0)));
    }
    let mut out = Vec::new();
    for group in &groups {
        let name = text::to_text(c.ctx, group)?;
        let name = name.trim_start_matches('\\');
        let name = name
            .strip_prefix("g<")
            .and_then(|n| n.strip_suffix('>'))
            .unwrap_or(name);
        out.push(match name.parse::<usize>() {
            Ok(index) if index < found.len() => part(found.get(index)),
            Err(_) if pattern.regex().capture_names().flatten().any(|n| n == name) => {
                part(found.name(name))
            }
            _ => return Err(Fault::error(format!("no such group: {name}"))),
        });
    }
    Ok(Val::list(out))
}

fn findall(c: &Call) -> Res<Val> {
    let value = c.text(0)?;
    let pattern = compiled(&c.text(1)?, c.truth_or(3, false)?, c.truth_or(2, false)?)?;
    let mut out = Vec::new();
    for found in pattern.regex().captures_iter(&value) {
        let found = found.map_err(|e| Fault::error(format!("the pattern is too hard: {e}")))?;
        let group = |i: usize| Val::from(found.get(i).map_or("", |m| m.as_str()));
        out.push(match found.len() {
            0 | 1 => group(0),
            2 => group(1),
            len => Val::Tuple((1..len).map(group).collect()),
        });
    }
    Ok(Val::list(out))
}

fn escape(c: &Call) -> Res<Val> {
    let value = c.text(0)?;
    let special = match &*c.text_or(1, "python")? {
        // Python's `re.escape`.
        "python" => "\\.^$*+?{}[]|()-&~# \t\n\r\x0b\x0c",
        "posix_basic" => "].[^$*\\",
        "posix_extended" => {
            return Err(Fault::error(
                "Regex type (posix_extended) not yet implemented",
            ));
        }
        other => return Err(Fault::error(format!("Invalid regex type ({other})"))),
    };
    let mut out = String::new();
    for ch in value.chars() {
        if special.contains(ch) {
            out.push('\\');
        }
        out.push(ch);
    }
    Ok(Val::from(out))
}
