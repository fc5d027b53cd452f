//! Splitting a command line into its arguments and quoting arguments, as Python's `shlex` does.

use crate::error::{Error, Result};

/// Splits a command line as a POSIX shell would, without expanding anything.
///
/// # Errors
/// When a quote is not closed or a backslash ends the text.
pub fn split(text: &str) -> Result<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    let open = |what: &str| Error::params(format!("{what} in the command `{text}`"));
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next().ok_or_else(|| open("no closing quotation"))? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match chars.next().ok_or_else(|| open("no closing quotation"))? {
                        '"' => break,
                        '\\' => match chars.next().ok_or_else(|| open("no escaped character"))? {
                            c @ ('"' | '\\') => word.push(c),
                            c => word.extend(['\\', c]),
                        },
                        c => word.push(c),
                    }
                }
            }
            '\\' => word
                .get_or_insert_default()
                .push(chars.next().ok_or_else(|| open("no escaped character"))?),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Ok(words)
}

/// Quotes one argument for a POSIX shell, if it needs it.
#[must_use]
pub fn quote(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./-_".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.into();
    }
    format!("'{}'", text.replace('\'', "'\"'\"'"))
}

/// Quotes and joins arguments, so that a shell reads them back.
#[must_use]
pub fn join<S: AsRef<str>>(argv: &[S]) -> String {
    let quoted: Vec<String> = argv.iter().map(|a| quote(a.as_ref())).collect();
    quoted.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_lines_are_split_as_python_splits_them() {
        for (text, want) in [
            (
                "docker compose up -d",
                vec!["docker", "compose", "up", "-d"],
            ),
            ("a 'b c' \"d e\" f\\ g", vec!["a", "b c", "d e", "f g"]),
            ("a '' \"\\x\\\"\"", vec!["a", "", "\\x\""]),
            ("  a\n b  ", vec!["a", "b"]),
        ] {
            assert_eq!(split(text).unwrap(), want, "{text}");
        }
        for bad in ["a 'b", "a \"b", "a \\"] {
            assert!(split(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_quoted_splits_back() {
        let argv = ["a", "", "b c", "it's", "$x;"];
        assert_eq!(split(&join(&argv)).unwrap(), argv);
    }
}
