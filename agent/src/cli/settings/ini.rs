//! `ansible.cfg`: INI as Python's `configparser` reads it, with `;` after a space for comments.

use super::wrong;
use crate::error::Result;
use std::collections::HashMap;

/// Sections with their keys.
#[derive(Debug, Default)]
pub(super) struct Ini(HashMap<(String, String), String>);

impl Ini {
    /// Reads the text.
    ///
    /// # Errors
    /// When a line is neither a section, a key, a comment nor the continuation of a value.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let mut out = HashMap::new();
        let mut section = String::new();
        let mut last: Option<(String, String)> = None;
        for (n, raw) in text.lines().enumerate() {
            let line = without_comment(raw);
            if line.trim().is_empty() {
                continue;
            }
            let indented = line.starts_with([' ', '\t']);
            let continued = last
                .as_ref()
                .filter(|_| indented)
                .and_then(|k| out.get_mut(k));
            if let Some(value) = continued {
                let value: &mut String = value;
                value.push('\n');
                value.push_str(line.trim());
                continue;
            }
            let line = line.trim();
            if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
                section = name.to_string();
                last = None;
            } else if let Some((key, value)) = line.split_once(['=', ':']) {
                let key = (section.clone(), key.trim().to_ascii_lowercase());
                out.insert(key.clone(), value.trim().to_string());
                last = Some(key);
            } else {
                return Err(wrong(format!(
                    "ansible.cfg line {}: expected `[section]` or `key = value`, not `{line}`",
                    n + 1
                )));
            }
        }
        Ok(Self(out))
    }

    /// The value of a key.
    pub(super) fn get(&self, section: &str, key: &str) -> Option<&str> {
        let key = (section.to_string(), key.to_string());
        self.0.get(&key).map(String::as_str)
    }
}

/// A line up to its comment: `#` and `;` at the start, `;` after white space.
fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with(['#', ';']) {
        return "";
    }
    let bytes = line.as_bytes();
    let at = (1..bytes.len()).find(|&n| bytes[n] == b';' && bytes[n - 1].is_ascii_whitespace());
    at.map_or(line, |at| &line[..at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ini_file_is_read_as_configparser_does() {
        let ini = Ini::parse(
            "# c\n[defaults]\nForks = 20 ; many\nroles_path: a:b\ninventory = x,\n  y\n\n[diff]\nalways=yes#1\n",
        )
        .unwrap();
        for (section, key, want) in [
            ("defaults", "forks", Some("20")),
            ("defaults", "roles_path", Some("a:b")),
            ("defaults", "inventory", Some("x,\ny")),
            ("diff", "always", Some("yes#1")),
            ("diff", "forks", None),
        ] {
            assert_eq!(ini.get(section, key), want, "[{section}] {key}");
        }
        let error = Ini::parse("[a]\nb\n").unwrap_err();
        assert!(error.message().contains("line 2"), "{error}");
    }
}
