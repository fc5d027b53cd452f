//! How inventories are read: what `ansible.cfg` and the environment say of it, and what the readers
//! borrow from outside.

use super::source::Files;
use crate::error::{Error, ErrorKind, Result};
use crate::playbook::vault::VaultKeys;
use crate::source::Span;
use crate::value::{Map, Value};
use std::borrow::Cow;
use std::sync::Arc;

/// The settings of inventories, under Ansible's defaults.
#[derive(Clone, Debug)]
pub struct Config {
    /// The readers that are tried on each source, in order (`INVENTORY_ENABLED`).
    pub enabled: Vec<String>,
    /// A source that no reader understands ends the run; otherwise it is a warning.
    pub any_unparsed_is_failed: bool,
    /// It ends the run when no source at all is understood.
    pub unparsed_is_failed: bool,
    /// Whether to warn when no source at all is understood.
    pub unparsed_warning: bool,
    /// What becomes of group names that would not do as a variable's.
    pub group_chars: GroupChars,
    /// Mappings that several sources give a host or group under one name add up (`hash_behaviour = merge`).
    pub merge_hashes: bool,
    /// Endings of files in an inventory directory that are no inventory.
    pub ignored_endings: Vec<String>,
    /// Regular expressions for names in an inventory directory that are no inventory.
    pub ignored_patterns: Vec<String>,
    /// Show what inventory scripts write to standard error even when they succeed.
    pub script_stderr: bool,
    /// Whether `constructed` sees extra variables.
    pub use_extra_vars: bool,
    /// The run's extra variables.
    pub extra_vars: Arc<Map>,
}

impl Default for Config {
    fn default() -> Self {
        let words = |text: &str| text.split(' ').map(String::from).collect();
        Self {
            enabled: words(ENABLED),
            any_unparsed_is_failed: false,
            unparsed_is_failed: false,
            unparsed_warning: true,
            group_chars: GroupChars::Never,
            merge_hashes: false,
            ignored_endings: words(IGNORED_ENDINGS),
            ignored_patterns: Vec::new(),
            script_stderr: false,
            use_extra_vars: false,
            extra_vars: Arc::default(),
        }
    }
}

/// The default of `INVENTORY_ENABLED`.
pub const ENABLED: &str = "host_list script auto yaml ini toml";
/// The default of `INVENTORY_IGNORE_EXTS`.
pub const IGNORED_ENDINGS: &str =
    ".pyc .pyo .swp .bak ~ .rpm .md .txt .rst .orig .cfg .retry .ini.bak";

/// `TRANSFORM_INVALID_GROUP_CHARS`: what becomes of characters other than letters, digits and `_`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GroupChars {
    /// They are replaced by `_`, with a warning.
    Always,
    /// They stay, with a warning.
    #[default]
    Never,
    /// They stay.
    Ignore,
    /// They are replaced by `_`.
    Silently,
}

impl GroupChars {
    /// The word of the settings.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Some(match word.trim().to_ascii_lowercase().as_str() {
            // Truth values are how it was written before there were four choices.
            "always" | "true" | "yes" | "on" | "1" => Self::Always,
            "never" | "false" | "no" | "off" | "0" | "" => Self::Never,
            "ignore" => Self::Ignore,
            "silently" => Self::Silently,
            _ => return None,
        })
    }

    /// The name that a group gets.
    #[must_use]
    pub fn name(self, written: &str) -> Cow<'_, str> {
        if matches!(self, Self::Never | Self::Ignore) || !is_odd(written) {
            return Cow::Borrowed(written);
        }
        Cow::Owned(sanitized(written))
    }
}

/// A name with `_` for each character that a variable's name cannot have.
#[must_use]
pub fn sanitized(name: &str) -> String {
    let good =
        |at: usize, c: char| (c.is_alphanumeric() || c == '_') && (at > 0 || !c.is_numeric());
    let chars = name.chars().enumerate();
    chars
        .map(|(at, c)| if good(at, c) { c } else { '_' })
        .collect()
}

/// Whether a name would not do as a variable's.
pub(super) fn is_odd(name: &str) -> bool {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    !name.chars().all(word) || name.starts_with(|c: char| c.is_ascii_digit())
}

/// What the readers borrow from outside.
#[derive(Clone, Copy)]
pub struct Tools<'a> {
    /// Files.
    pub files: &'a dyn Files,
    /// Keys of vaults.
    pub vault: &'a VaultKeys,
    /// Settings.
    pub config: &'a Config,
    /// Templates, for `generator` and `constructed`.
    pub templates: &'a dyn Templates,
}

/// How `generator` and `constructed` evaluate what their files say.
pub trait Templates {
    /// Evaluates the templates in a value.
    ///
    /// # Errors
    /// When one cannot be evaluated.
    fn resolve(&self, value: &Value, vars: &Arc<Map>) -> Result<Value>;

    /// Evaluates an expression, which is written without braces.
    ///
    /// # Errors
    /// As [`Templates::resolve`].
    fn expression(&self, text: &str, span: Option<&Span>, vars: &Arc<Map>) -> Result<Value>;

    /// Whether a condition holds.
    ///
    /// # Errors
    /// As [`Templates::resolve`].
    fn condition(&self, condition: &Value, span: Option<&Span>, vars: &Arc<Map>) -> Result<bool>;
}

/// No templates: for callers whose inventories have none.
#[derive(Clone, Copy, Debug)]
pub struct NoTemplates;

impl Templates for NoTemplates {
    fn resolve(&self, value: &Value, _: &Arc<Map>) -> Result<Value> {
        match value.has_template() {
            true => Err(none()),
            false => Ok(value.clone()),
        }
    }
    fn expression(&self, _: &str, _: Option<&Span>, _: &Arc<Map>) -> Result<Value> {
        Err(none())
    }
    fn condition(&self, _: &Value, _: Option<&Span>, _: &Arc<Map>) -> Result<bool> {
        Err(none())
    }
}

fn none() -> Error {
    Error::new(ErrorKind::Internal, "no templates can be evaluated here")
}

/// How loud a [`Remark`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Shown at `-vvv`.
    Verbose,
    /// Works today, not for ever.
    Deprecation,
    /// Deserves a look.
    Warning,
    /// An error that does not end the run: what a script wrote to standard error.
    Error,
}

/// What reading inventories found worth saying.
#[derive(Clone, Debug)]
pub struct Remark {
    /// How loud.
    pub weight: Weight,
    /// What.
    pub message: String,
    /// Where, if it has a place.
    pub span: Option<Span>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn group_names_are_made_variable_names_only_where_that_is_asked_for() {
        for (how, written, want) in [
            (GroupChars::Always, "a-b.c", "a_b_c"),
            (GroupChars::Silently, "1a", "_a"),
            (GroupChars::Never, "a-b", "a-b"),
            (GroupChars::Ignore, "a-b", "a-b"),
            (GroupChars::Always, "ünder_1", "ünder_1"),
        ] {
            assert_eq!(how.name(written), want);
        }
        assert_eq!(GroupChars::of("sometimes"), None);
    }
}
