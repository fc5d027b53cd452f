//! The settings of inventories and of cached facts, as their users take them.

use super::{Settings, wrong};
use crate::engine::FactCache;
use crate::error::Result;
use crate::inventory::{Config, GroupChars};
use crate::value::Map;
use std::sync::Arc;

impl Settings {
    /// Where facts are kept between runs; `None` if nowhere.
    ///
    /// # Errors
    /// When a folder is needed and not named, or the cache is one that lks does not have.
    pub fn fact_cache(&self, flush: bool) -> Result<Option<FactCache>> {
        let name = self.fact_caching.as_str();
        match name.rsplit('.').next() {
            Some("memory" | "") => Ok(None),
            Some("jsonfile") => match &self.fact_caching_connection {
                Some(dir) => Ok(Some(FactCache {
                    dir: dir.into(),
                    prefix: self.fact_caching_prefix.clone().unwrap_or_default(),
                    timeout: self.fact_caching_timeout.into(),
                    flush,
                })),
                None => Err(wrong(format!(
                    "error, '{name}' cache plugin requires the 'fact_caching_connection' config option to be set (to a writeable directory path)"
                ))),
            },
            _ => Err(wrong(format!(
                "facts cannot be kept by `{name}` (fact_caching): lks has `memory` and `jsonfile`"
            ))),
        }
    }

    /// Whether mappings of one name add up.
    pub(in crate::cli) fn merges_hashes(&self) -> bool {
        self.hash_behaviour == "merge"
    }

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
            merge_hashes: self.merges_hashes(),
            ignored_endings: self.inventory_ignore_extensions.clone(),
            ignored_patterns: self.inventory_ignore_patterns.clone(),
            script_stderr: self.inventory_script_stderr,
            use_extra_vars: self.inventory_use_extra_vars,
            extra_vars: Arc::clone(extra_vars),
        })
    }
}
