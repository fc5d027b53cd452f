//! Wildcards in paths.

use super::super::ctx::Ctx;
use super::super::fault::Res;
use super::super::filters::expand_user;
use super::super::outside::EntryKind;
use super::super::val::Val;
use std::path::Path;

/// The files that fit a pattern, sorted.
pub(in super::super) fn glob_files(ctx: &Ctx, pattern: &str) -> Res<Val> {
    let pattern = expand_user(ctx, pattern)?;
    let mut paths = vec![if pattern.starts_with('/') {
        "/".to_owned()
    } else {
        String::new()
    }];
    for part in pattern.split('/').filter(|p| !p.is_empty()) {
        let mut next = Vec::new();
        for base in &paths {
            let join = |name: &str| match base.as_str() {
                "" => name.to_owned(),
                base => format!("{}/{name}", base.trim_end_matches('/')),
            };
            if !part.contains(['*', '?', '[']) {
                next.push(join(part));
                continue;
            }
            let dir = if base.is_empty() { "." } else { base };
            let mut names = ctx.outside().list(Path::new(dir)).unwrap_or_default();
            names.sort();
            // Hidden files are asked for by name.
            let fits =
                |n: &&String| (part.starts_with('.') || !n.starts_with('.')) && wildcard(part, n);
            next.extend(names.iter().filter(fits).map(|n| join(n)));
        }
        paths = next;
    }
    let is_file = |path: &String| {
        let path = Path::new(path);
        match ctx.outside().entry(path, true) {
            Some(entry) => entry.kind == EntryKind::File,
            None => matches!(ctx.outside().read(path), Ok(Some(_))),
        }
    };
    Ok(Val::list(
        paths.into_iter().filter(is_file).map(Val::from).collect(),
    ))
}

/// Whether anything is at `path`.
pub(super) fn is_there(ctx: &Ctx, path: &Path) -> bool {
    ctx.outside().entry(path, true).is_some() || matches!(ctx.outside().read(path), Ok(Some(_)))
}

/// Python's `fnmatch`.
pub(super) fn wildcard(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        let step = pattern.get(p).and_then(|c| match c {
            '?' => Some(1),
            '[' => class(&pattern[p..], name[n]),
            c => (*c == name[n] && *c != '*').then_some(1),
        });
        if pattern.get(p) == Some(&'*') {
            star = Some((p, n));
            p += 1;
        } else if let Some(step) = step {
            p += step;
            n += 1;
        } else if let Some((at, from)) = star {
            p = at + 1;
            n = from + 1;
            star = Some((at, from + 1));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// How long the class is, if it holds `c`.
fn class(pattern: &[char], c: char) -> Option<usize> {
    let end = pattern.iter().skip(2).position(|c| *c == ']')? + 2;
    let inside = &pattern[1..end];
    let (negated, inside) = match inside.first() {
        Some('!') => (true, &inside[1..]),
        _ => (false, inside),
    };
    let mut i = 0;
    let mut held = false;
    while i < inside.len() {
        if inside.get(i + 1) == Some(&'-') && i + 2 < inside.len() {
            held |= (inside[i]..=inside[i + 2]).contains(&c);
            i += 3;
        } else {
            held |= inside[i] == c;
            i += 1;
        }
    }
    (held != negated).then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::wildcard;

    #[test]
    fn wildcards_are_those_of_a_shell() {
        for (pattern, name, want) in [
            ("*.yml", "a.yml", true),
            ("*.yml", "a.yaml", false),
            ("a?c", "abc", true),
            ("[a-c]*[!0]", "b1", true),
            ("[!a]x", "ax", false),
            ("*a*b", "xxaxxab", true),
            ("", "", true),
        ] {
            assert_eq!(wildcard(pattern, name), want, "{pattern} {name}");
        }
    }
}
