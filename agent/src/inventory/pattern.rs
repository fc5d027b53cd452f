//! Host patterns: `web:&prod:!db`, `~web\d+`, `web[0]`, `*.example.org`, and `--limit`.
//!
//! From `ansible/inventory/manager.py` of ansible-core 2.19.

use super::source::Files;
use super::{ALL, HostName, Inventory, LOCALHOST, address};
use crate::error::{Error, ErrorKind, Result};
use fancy_regex::Regex;
use indexmap::IndexSet;
use std::path::Path;

/// What a pattern selects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// The hosts, each once, in Ansible's order.
    pub hosts: Vec<HostName>,
    /// The parts of the pattern that match no host and no group: Ansible warns of them.
    pub unmatched: Vec<String>,
}

/// What `--limit` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit(Vec<String>);

impl Limit {
    /// Reads a limit; `@file` stands for the lines of that file.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn parse(text: &str, files: &dyn Files) -> Result<Self> {
        let mut patterns = Vec::new();
        for part in split(text) {
            let Some(path) = part.strip_prefix('@') else {
                patterns.push(part);
                continue;
            };
            let at = Path::new(path);
            if files.list(at)?.is_some() {
                return Err(usage(format!(
                    "a limit `@{path}` must be a file, not a folder"
                )));
            }
            let lines = files
                .read(at)?
                .ok_or_else(|| usage(format!("there is no limit file `{path}`")))?;
            patterns.extend(lines.lines().map(|line| line.trim().to_owned()));
        }
        patterns.retain(|pattern| !pattern.is_empty());
        Ok(Self(patterns))
    }
}

impl Inventory {
    /// The hosts that `pattern` selects.
    ///
    /// # Errors
    /// If the pattern is no pattern, or its subscript is past the end.
    pub fn matching(&self, pattern: &str) -> Result<Vec<HostName>> {
        Ok(self.select(&[pattern], None)?.hosts)
    }

    /// The hosts that `patterns`, the value or the list under `hosts:`, select within `limit`.
    ///
    /// # Errors
    /// As [`Inventory::matching`].
    pub fn select<P: AsRef<str>>(
        &self,
        patterns: &[P],
        limit: Option<&Limit>,
    ) -> Result<Selection> {
        let mut unmatched = Vec::new();
        let patterns: Vec<String> = patterns.iter().flat_map(|p| split(p.as_ref())).collect();
        let mut hosts = self.evaluate(&patterns, &mut unmatched)?;
        if let Some(Limit(patterns)) = limit {
            let within = self.evaluate(patterns, &mut unmatched)?;
            hosts.retain(|host| within.contains(host));
        }
        Ok(Selection {
            hosts: hosts.into_iter().collect(),
            unmatched,
        })
    }

    fn evaluate(
        &self,
        patterns: &[String],
        unmatched: &mut Vec<String>,
    ) -> Result<IndexSet<HostName>> {
        let mut hosts: IndexSet<HostName> = IndexSet::new();
        for pattern in in_order(patterns) {
            if let Some((name, _)) = self.hosts.get_key_value(pattern) {
                hosts.insert(name.clone());
                continue;
            }
            let bare = pattern.strip_prefix(['!', '&']).unwrap_or(pattern);
            let found: IndexSet<HostName> = self.one(bare, unmatched)?.into_iter().collect();
            match pattern.chars().next() {
                Some('!') => hosts.retain(|host| !found.contains(host)),
                Some('&') => hosts.retain(|host| found.contains(host)),
                _ => hosts.extend(found),
            }
        }
        Ok(hosts)
    }

    /// The hosts that one pattern without `!` and `&` selects.
    fn one(&self, pattern: &str, unmatched: &mut Vec<String>) -> Result<Vec<HostName>> {
        let (pattern, subscript) = split_subscript(pattern);
        let hosts = self.enumerate(pattern)?;
        if hosts.is_empty() && !self.groups.contains_key(pattern) && pattern != ALL {
            unmatched.push(pattern.to_owned());
        }
        match subscript {
            Some(subscript) if !hosts.is_empty() => subscript.of(&hosts).ok_or_else(|| {
                usage(format!(
                    "the pattern `{pattern}` selects {} hosts, so it has none at that subscript",
                    hosts.len()
                ))
            }),
            _ => Ok(hosts),
        }
    }

    fn enumerate(&self, pattern: &str) -> Result<Vec<HostName>> {
        let matcher = Matcher::new(pattern)?;
        let mut hosts = Vec::new();
        let mut group_matched = false;
        for name in self.groups.keys() {
            if matcher.matches(name) {
                group_matched = true;
                hosts.extend(self.hosts_of(name));
            }
        }
        if !group_matched || pattern.starts_with('~') || pattern.contains(['.', '?', '*', '[']) {
            let names = self.hosts.keys().filter(|name| matcher.matches(name));
            hosts.extend(names.cloned());
        }
        if hosts.is_empty() && LOCALHOST.contains(&pattern) {
            hosts.extend(self.localhost(pattern).map(|host| host.name));
        }
        Ok(hosts)
    }
}

fn usage(message: String) -> Error {
    Error::new(ErrorKind::Usage, message)
}

/// Plain patterns first, then `&`, then `!`; without a plain one, all hosts are meant.
fn in_order(patterns: &[String]) -> Vec<&str> {
    let with = |mark: Option<char>| {
        patterns.iter().map(String::as_str).filter(move |pattern| {
            pattern.chars().next().filter(|c| matches!(c, '&' | '!')) == mark && !pattern.is_empty()
        })
    };
    let mut ordered: Vec<&str> = with(None).collect();
    if ordered.is_empty() {
        ordered.push(ALL);
    }
    ordered.extend(with(Some('&')));
    ordered.extend(with(Some('!')));
    ordered
}

/// Splits at commas, or else at colons unless they belong to an address or a range.
fn split(pattern: &str) -> Vec<String> {
    let parts: Vec<&str> = if pattern.contains(',') {
        pattern.split(',').collect()
    } else if address::parse(pattern).is_some() {
        vec![pattern]
    } else {
        split_colons(pattern)
    };
    let parts = parts.into_iter().map(str::trim);
    parts.filter(|p| !p.is_empty()).map(str::to_owned).collect()
}

fn split_colons(pattern: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    pattern
        .split(|c: char| {
            match c {
                '[' => depth += 1,
                ']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && (c == ':' || c.is_whitespace())
        })
        .collect()
}

/// `[2]`, `[-1]`, `[1:3]` (the end belongs to it), `[2:]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subscript {
    One(i64),
    Range(usize, Option<usize>),
}

impl Subscript {
    fn of(self, hosts: &[HostName]) -> Option<Vec<HostName>> {
        match self {
            Self::One(index) => {
                let back = usize::try_from(index.unsigned_abs()).ok()?;
                let at = if index < 0 {
                    hosts.len().checked_sub(back)?
                } else {
                    back
                };
                hosts.get(at).map(|host| vec![host.clone()])
            }
            // Python gives what there is of a range, and a lone first host for `[0:0]`.
            Self::Range(start, end) => {
                let end = end.map_or(hosts.len(), |end| end.saturating_add(1));
                let range = hosts.iter().take(end).skip(start);
                Some(range.cloned().collect())
            }
        }
    }
}

fn split_subscript(pattern: &str) -> (&str, Option<Subscript>) {
    let parts = || {
        let (name, inside) = pattern.strip_suffix(']')?.rsplit_once('[')?;
        if name.is_empty() || pattern.starts_with('~') {
            return None;
        }
        let digits = |s: &str| !s.is_empty() && s.bytes().all(|c| c.is_ascii_digit());
        if digits(inside.strip_prefix('-').unwrap_or(inside)) {
            return Some((name, Subscript::One(inside.parse().ok()?)));
        }
        let (start, end) = inside.split_once([':', '-'])?;
        let end = match end {
            "" => None,
            end if digits(end) => Some(end.parse().ok()?),
            _ => return None,
        };
        let start = digits(start).then(|| start.parse().ok())??;
        Some((name, Subscript::Range(start, end)))
    };
    match parts() {
        Some((name, subscript)) => (name, Some(subscript)),
        None => (pattern, None),
    }
}

/// A shell pattern, or a regular expression behind `~`.
enum Matcher<'p> {
    Glob(Vec<char>),
    Exact(&'p str),
    Regex(Regex),
}

impl<'p> Matcher<'p> {
    fn new(pattern: &'p str) -> Result<Self> {
        if let Some(expression) = pattern.strip_prefix('~') {
            // Python's `match` holds the expression to the start of the name.
            let anchored = format!("^(?:{expression})");
            return Regex::new(&anchored)
                .map(Self::Regex)
                .map_err(|e| usage(format!("`{pattern}` is not a host pattern")).caused_by(e));
        }
        if pattern.contains(['*', '?', '[']) {
            return Ok(Self::Glob(pattern.chars().collect()));
        }
        Ok(Self::Exact(pattern))
    }

    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Exact(pattern) => *pattern == name,
            Self::Regex(regex) => regex.is_match(name).unwrap_or(false),
            Self::Glob(pattern) => glob(pattern, &name.chars().collect::<Vec<_>>()),
        }
    }
}

/// Python's `fnmatch`, without a trace of exponential time.
fn glob(pattern: &[char], text: &[char]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to take up again: behind the last star, with one more character given to it.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        let step = match pattern.get(p) {
            Some('*') => {
                retry = Some((p + 1, t));
                p += 1;
                continue;
            }
            Some('?') => Some(p + 1),
            Some('[') => class(pattern, p, text[t]),
            Some(c) if *c == text[t] => Some(p + 1),
            _ => None,
        };
        match (step, retry) {
            (Some(next), _) => {
                p = next;
                t += 1;
            }
            (None, Some((star, from))) => {
                retry = Some((star, from + 1));
                (p, t) = (star, from + 1);
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// Where the pattern goes on behind the `[…]` at `at`, if `c` is in it.
fn class(pattern: &[char], at: usize, c: char) -> Option<usize> {
    let negated = pattern.get(at + 1) == Some(&'!');
    let first = at + 1 + usize::from(negated);
    // A bracket right behind the opening one is a member.
    let close = pattern.iter().skip(first + 1).position(|c| *c == ']');
    let Some(close) = close.map(|offset| first + 1 + offset) else {
        return (c == '[').then_some(at + 1);
    };
    let mut members = &pattern[first..close];
    let mut found = false;
    while let Some((low, rest)) = members.split_first() {
        if let ['-', high, after @ ..] = rest {
            found |= (*low..=*high).contains(&c);
            members = after;
        } else {
            found |= *low == c;
            members = rest;
        }
    }
    (found != negated).then_some(close + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_as_fnmatch_does() {
        for (pattern, text, want) in [
            ("web*", "web1", true),
            ("*.x", "a.b.x", true),
            ("w?b", "web", true),
            ("w[a-f]b", "web", true),
            ("w[!e]b", "web", false),
            ("[]]x", "]x", true),
            ("w[", "w[", true),
            ("*a*b*c", "xaybzc", true),
            ("*a*b*c", "xaybz", false),
            ("a", "a\n", false),
        ] {
            let (p, t): (Vec<char>, Vec<char>) =
                (pattern.chars().collect(), text.chars().collect());
            assert_eq!(glob(&p, &t), want, "{pattern} {text}");
        }
        let (stars, text) = ("*a".repeat(50), "a".repeat(2000) + "b");
        let (p, t): (Vec<char>, Vec<char>) = (stars.chars().collect(), text.chars().collect());
        assert!(!glob(&p, &t));
    }
}
