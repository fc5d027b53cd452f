//! Names that playbooks may give.

use crate::error::{Error, Result};

/// Names that mean something else in every template (ansible-core 2.19's list; Python's other
/// keywords are names like any other since then).
const KEYWORDS: &[&str] = &["true", "false", "none", "True", "False", "None", "not"];

/// Refuses what cannot be the name of a variable.
///
/// # Errors
/// When it is no identifier, or one of the words that templates know.
pub fn check_variable_name(name: &str) -> Result<()> {
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let goes_on = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if begins && goes_on && !KEYWORDS.contains(&name) {
        return Ok(());
    }
    Err(Error::params(format!("Invalid variable name '{name}'"))
        .hint("letters, digits and underscores, not beginning with a digit, and none of `true`, `false`, `none`, `not`"))
}
