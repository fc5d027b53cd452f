//! What waiting looks for.

use crate::error::{Error, Result};

/// The groups of a match, named ones with their name.
pub(super) type Groups = Vec<(Option<String>, Option<String>)>;

/// Searches text for a Python regular expression, line starts and ends included, as `wait_for` does.
///
/// # Errors
/// When the expression cannot be compiled.
pub(super) fn search(regex: &str, text: &[u8]) -> Result<Option<Groups>> {
    let bad = |e: fancy_regex::Error| {
        Error::params(format!("`{regex}` is no regular expression")).caused_by(e)
    };
    let compiled = fancy_regex::Regex::new(&format!("(?m){regex}")).map_err(bad)?;
    let text = String::from_utf8_lossy(text);
    let Some(found) = compiled.captures(&*text).map_err(bad)? else {
        return Ok(None);
    };
    let groups = compiled
        .capture_names()
        .enumerate()
        .skip(1)
        .map(|(i, name)| {
            let group = found.get(i).map(|m| m.as_str().to_owned());
            (name.map(str::to_owned), group)
        });
    Ok(Some(groups.collect()))
}
