//! Shell patterns, as Python's `fnmatch` and `glob` know them.

use crate::error::Result;
use crate::host::HostView;
use std::path::Path;

/// Whether the text has any of a pattern's signs.
#[must_use]
pub fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Whether `text` as a whole matches `pattern` (`*`, `?`, `[a-z]`, `[!a]`).
#[must_use]
pub fn matches(pattern: &str, text: &str) -> bool {
    let (p, t): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut pi, mut ti) = (0, 0);
    // Where to go on if the last `*` has to take one more character.
    let mut star: Option<(usize, usize)> = None;
    while ti < t.len() {
        let step = match p.get(pi) {
            Some('*') => {
                star = Some((pi + 1, ti));
                pi += 1;
                continue;
            }
            Some('?') => Some(pi + 1),
            Some('[') => class(&p, pi, t[ti]),
            Some(c) if *c == t[ti] => Some(pi + 1),
            _ => None,
        };
        match (step, star) {
            (Some(next), _) => {
                pi = next;
                ti += 1;
            }
            (None, Some((after, from))) => {
                star = Some((after, from + 1));
                pi = after;
                ti = from + 1;
            }
            (None, None) => return false,
        }
    }
    p[pi..].iter().all(|c| *c == '*')
}

/// Where the pattern goes on if the class at `at` takes `c`. A bracket that is never closed is itself.
fn class(p: &[char], at: usize, c: char) -> Option<usize> {
    let negated = matches!(p.get(at + 1), Some('!' | '^'));
    let start = at + 1 + usize::from(negated);
    let Some(end) = (start + 1..p.len()).find(|i| p[*i] == ']') else {
        return (c == '[').then_some(at + 1);
    };
    let mut found = false;
    let mut i = start;
    while i < end {
        if i + 2 < end && p[i + 1] == '-' {
            found |= (p[i]..=p[i + 2]).contains(&c);
            i += 3;
        } else {
            found |= p[i] == c;
            i += 1;
        }
    }
    (found != negated).then_some(end + 1)
}

/// Every path of the host that matches, in the order of names. As a shell's, a pattern does not
/// match a leading dot by a sign.
///
/// # Errors
/// When a directory cannot be read.
pub fn expand(host: &dyn HostView, pattern: &Path) -> Result<Vec<String>> {
    let text = pattern.to_string_lossy();
    let mut found = vec![if text.starts_with('/') { "/" } else { "" }.to_string()];
    for part in text.split('/').filter(|p| !p.is_empty()) {
        let mut next = Vec::new();
        for base in found {
            let join = |name: &str| match base.as_str() {
                "" => name.to_string(),
                "/" => format!("/{name}"),
                base => format!("{base}/{name}"),
            };
            if !is_pattern(part) {
                next.push(join(part));
                continue;
            }
            let dir = if base.is_empty() { "." } else { &base };
            let names = host.list(Path::new(dir))?.unwrap_or_default();
            next.extend(
                names
                    .iter()
                    .filter(|n| matches(part, n) && (!n.starts_with('.') || part.starts_with('.')))
                    .map(|n| join(n)),
            );
        }
        found = next;
    }
    let mut out = Vec::new();
    for path in found {
        if host.lstat(Path::new(&path))?.is_some() {
            out.push(path);
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_as_pythons_fnmatch() {
        for (pattern, text, want) in [
            ("1.2*", "1.2.3-1", true),
            ("1.2*", "1.3", false),
            ("*", "", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[!a-c]x", "dx", true),
            ("a[", "a[", true),
            ("*a*b", "xaybzb", true),
            ("*a*b", "xaybz", false),
            ("[]]", "]", true),
        ] {
            assert_eq!(matches(pattern, text), want, "{pattern} {text}");
        }
    }
}
