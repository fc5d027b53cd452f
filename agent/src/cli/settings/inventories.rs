//! The settings of inventories, as the readers take them.

use super::{Settings, wrong};
use crate::error::Result;
use crate::inventory::{Config, GroupChars};
use crate::value::Map;
use std::sync::Arc;

impl Settings {
    /// How inventories are read.
    ///
    /// # Errors
    /// When a setting has none of its words.
    pub fn inventories(&self, extra_vars: &Arc<Map>) -> Result<Config> {
        let word = &self.transform_invalid_group_chars;
        let group_chars = GroupChars::of(word).ok_or_else(|| {
            wrong(format!(
                "`{word}` is not one of `always`, `never`, `ignore`, `silently` (force_valid_group_names)"
            ))
        })?;
        Ok(Config {
            enabled: self.inventory_enabled.clone(),
            any_unparsed_is_failed: self.any_unparsed_is_failed,
            unparsed_is_failed: self.unparsed_is_failed,
            unparsed_warning: self.unparsed_warning,
            group_chars,
            ignored_endings: self.inventory_ignore_extensions.clone(),
            ignored_patterns: self.inventory_ignore_patterns.clone(),
            script_stderr: self.inventory_script_stderr,
            use_extra_vars: self.inventory_use_extra_vars,
            extra_vars: Arc::clone(extra_vars),
        })
    }
}
