//! Names that playbooks may give.

use crate::error::{Error, Result};

/// Python's keywords: none of them can be a variable.
const KEYWORDS: &[&str] = &[
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue",
    "def", "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import",
    "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while",
    "with", "yield",
];

/// Refuses what cannot be the name of a variable.
///
/// # Errors
/// When it is no identifier, or a keyword of Python.
pub fn check_variable_name(name: &str) -> Result<()> {
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let goes_on = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if begins && goes_on && !KEYWORDS.contains(&name) {
        return Ok(());
    }
    Err(Error::params(format!("Invalid variable name '{name}'"))
        .hint("letters, digits and underscores, not beginning with a digit, and no Python keyword"))
}
