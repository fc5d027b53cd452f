//! Tests of versions and of patterns.

use super::super::call::Call;
use super::super::fault::{Fault, Res};
use super::super::filters::regex;
use super::super::ops;
use super::super::val::Val;
use super::Test;
use std::cmp::Ordering;

pub(super) static TABLE: &[Test] = &[
    Test::new(
        "version",
        &["value", "version", "operator", "strict", "version_type"],
        "How two versions compare.",
        version,
    ),
    Test::new(
        "version_compare",
        &["value", "version", "operator", "strict", "version_type"],
        "As `version`.",
        version,
    ),
    Test::new(
        "match",
        &["value", "pattern", "ignorecase", "multiline"],
        "Whether a pattern fits at the start.",
        |c| fits(c, "match"),
    ),
    Test::new(
        "search",
        &["value", "pattern", "ignorecase", "multiline"],
        "Whether a pattern fits anywhere.",
        |c| fits(c, "search"),
    ),
    Test::new(
        "regex",
        &["value", "pattern", "ignorecase", "multiline", "match_type"],
        "Whether a pattern fits.",
        |c| {
            let how = c.text_or(4, "search")?;
            fits(c, &how)
        },
    ),
];

fn fits(c: &Call, how: &str) -> Res<Val> {
    let value = c.text(0)?;
    let pattern = c.text_or(1, "")?;
    let pattern = if how == "fullmatch" {
        format!("(?:{pattern})\\Z")
    } else {
        pattern
    };
    let pattern = regex::compiled(&pattern, c.truth_or(2, false)?, c.truth_or(3, false)?)?;
    Ok(Val::Bool(match how {
        "match" | "fullmatch" => pattern.at_start(&value)?.is_some(),
        _ => pattern.is_match(&value)?,
    }))
}

fn version(c: &Call) -> Res<Val> {
    if !ops::truth(c.ctx, c.need(0)?)? {
        return Err(Fault::error("Input version value cannot be empty"));
    }
    if !ops::truth(c.ctx, c.need(1)?)? {
        return Err(Fault::error(
            "Version parameter to compare against cannot be empty",
        ));
    }
    if c.given(3).is_some() && c.given(4).is_some() {
        return Err(Fault::error(
            "Cannot specify both 'strict' and 'version_type'",
        ));
    }
    let kind = if c.truth_or(3, false)? {
        "strict".to_owned()
    } else {
        c.text_or(4, "loose")?
    };
    let (a, b) = (c.text(0)?, c.text(1)?);
    let order = match &*kind {
        "loose" => loose(&a, &b)?,
        "strict" => strict(&a)?.cmp(&strict(&b)?),
        "semver" | "semantic" => semantic(&a)?.cmp(&semantic(&b)?),
        "pep440" => pep440(&a)?.cmp(&pep440(&b)?),
        other => {
            return Err(Fault::error(format!("Invalid version type ({other})"))
                .hint("it is loose, strict, semver, semantic or pep440"));
        }
    };
    Ok(Val::Bool(match &*c.text_or(2, "eq")? {
        "==" | "=" | "eq" => order.is_eq(),
        "<" | "lt" => order.is_lt(),
        "<=" | "le" => order.is_le(),
        ">" | "gt" => order.is_gt(),
        ">=" | "ge" => order.is_ge(),
        "!=" | "<>" | "ne" => order.is_ne(),
        other => {
            return Err(Fault::error(format!("Invalid operator type ({other})"))
                .hint("it is ==, !=, <, <=, >, >= or eq, ne, lt, le, gt, ge"));
        }
    }))
}

#[derive(PartialEq, Eq, Debug)]
enum Part {
    Number(u64),
    Word(String),
}

/// Numbers and words, as Python's `LooseVersion` takes a version apart.
fn parts(version: &str) -> Vec<Part> {
    let mut out = Vec::new();
    let mut rest = version;
    while let Some(c) = rest.chars().next() {
        let same = |a: char| -> u8 {
            match a {
                '0'..='9' => 0,
                'a'..='z' => 1,
                '.' => 2,
                _ => 3,
            }
        };
        let len = match c {
            '.' => 1,
            c => rest.find(|o| same(o) != same(c)).unwrap_or(rest.len()),
        };
        let part = &rest[..len];
        rest = &rest[len..];
        if c != '.' {
            out.push(
                part.parse()
                    .map_or_else(|_| Part::Word(part.to_owned()), Part::Number),
            );
        }
    }
    out
}

pub(in super::super) fn loose(a: &str, b: &str) -> Res<Ordering> {
    let (a, b) = (parts(a), parts(b));
    for (x, y) in a.iter().zip(&b) {
        let order = match (x, y) {
            (Part::Number(x), Part::Number(y)) => x.cmp(y),
            (Part::Word(x), Part::Word(y)) => x.cmp(y),
            (x, _) => {
                let (left, right) = match x {
                    Part::Number(_) => ("int", "str"),
                    Part::Word(_) => ("str", "int"),
                };
                return Err(Fault::error(format!(
                    "Version comparison failed: '<' not supported between instances of '{left}' and '{right}'"
                )));
            }
        };
        if order.is_ne() {
            return Ok(order);
        }
    }
    Ok(a.len().cmp(&b.len()))
}

/// Numbers, and what marks a version as one before the release (which sorts before it).
type Released = (Vec<u64>, bool, Vec<(bool, u64, String)>);

fn strict(text: &str) -> Res<Released> {
    let bad = || {
        Fault::error(format!(
            "Version comparison failed: invalid version number '{text}'"
        ))
    };
    let end = text.find(['a', 'b']).unwrap_or(text.len());
    let mut numbers = numbers(&text[..end])
        .filter(|n| (2..=3).contains(&n.len()))
        .ok_or_else(bad)?;
    numbers.resize(3, 0);
    let pre = &text[end..];
    if pre.is_empty() {
        return Ok((numbers, true, Vec::new()));
    }
    let number = pre[1..].parse().map_err(|_| bad())?;
    Ok((numbers, false, vec![(true, number, pre[..1].to_owned())]))
}

fn numbers(text: &str) -> Option<Vec<u64>> {
    text.split('.').map(|part| part.parse().ok()).collect()
}

fn semantic(text: &str) -> Res<Released> {
    let bad = || {
        Fault::error(format!(
            "Version comparison failed: invalid semantic version '{text}'"
        ))
    };
    let core = text.split_once('+').map_or(text, |(core, _)| core);
    let (core, pre) = core
        .split_once('-')
        .map_or((core, None), |(c, p)| (c, Some(p)));
    let numbers = numbers(core).filter(|n| n.len() == 3).ok_or_else(bad)?;
    let pre = pre.map(|pre| {
        // Numbers sort before words.
        let part = |p: &str| {
            p.parse()
                .map_or_else(|_| (true, 0, p.to_owned()), |n| (false, n, String::new()))
        };
        pre.split('.').map(part).collect()
    });
    Ok((numbers, pre.is_none(), pre.unwrap_or_default()))
}

/// Epoch, release, and the sort of what follows: development, pre-release, nothing, post-release.
type Pep440 = (u64, Vec<u64>, i8, u64, u64);

fn pep440(text: &str) -> Res<Pep440> {
    let bad = || {
        Fault::error(format!(
            "Version comparison failed: Invalid version: '{text}'"
        ))
    };
    let lower = text.trim().to_lowercase();
    let lower = lower.strip_prefix('v').unwrap_or(&lower);
    let lower = lower.split_once('+').map_or(lower, |(public, _)| public);
    let (epoch, rest) = match lower.split_once('!') {
        Some((epoch, rest)) => (epoch.parse().map_err(|_| bad())?, rest),
        None => (0, lower),
    };
    let end = rest
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(rest.len());
    let mut release = numbers(rest[..end].trim_end_matches('.')).ok_or_else(bad)?;
    while release.last() == Some(&0) {
        release.pop();
    }
    let (mut phase, mut number, mut minor) = (0, 0, u64::MAX);
    let mut suffix = &rest[end..];
    while !suffix.is_empty() {
        let bare = suffix.trim_start_matches(['.', '-', '_']);
        let word_len = bare
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(bare.len());
        let after = bare[word_len..].trim_start_matches(['.', '-', '_']);
        let digits = after
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(after.len());
        let value = after[..digits].parse().unwrap_or(0);
        match &bare[..word_len] {
            "dev" if phase == 0 => (phase, number) = (-4, value),
            "dev" => minor = value,
            "a" | "alpha" => (phase, number) = (-3, value),
            "b" | "beta" => (phase, number) = (-2, value),
            "rc" | "c" | "pre" | "preview" => (phase, number) = (-1, value),
            "post" | "rev" | "r" => (phase, number) = (1, value),
            "" if digits > 0 => (phase, number) = (1, value),
            _ => return Err(bad()),
        }
        suffix = &after[digits..];
    }
    Ok((epoch, release, phase, number, minor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_people_mean_them() {
        let order = |a, b| loose(a, b).unwrap_or(Ordering::Equal);
        assert!(order("1.10", "1.9").is_gt());
        assert!(order("2.9.6", "2.9").is_gt());
        assert!(order("1.0a", "1.0b").is_lt());
        let semver = |a, b| match (semantic(a), semantic(b)) {
            (Ok(a), Ok(b)) => a.cmp(&b),
            _ => Ordering::Equal,
        };
        assert!(semver("1.0.0-rc.1", "1.0.0").is_lt());
        assert!(semver("1.0.0-alpha.9", "1.0.0-alpha.10").is_lt());
        let pep = |a, b| match (pep440(a), pep440(b)) {
            (Ok(a), Ok(b)) => a.cmp(&b),
            _ => Ordering::Equal,
        };
        assert!(pep("1.0rc1", "1.0").is_lt());
        assert!(pep("1.0.dev3", "1.0a1").is_lt());
        assert!(pep("1.0.post1", "1.0").is_gt());
        assert!(pep("1.0", "1.0.0").is_eq());
    }
}
