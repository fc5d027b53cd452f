//! What a run is asked to do, apart from the playbook.

use crate::error::Result;
use crate::playbook::load::DuplicateKeys;
use crate::value::{Map, Value};
use std::path::PathBuf;
use std::sync::Arc;

/// A setting's value by the name that `ansible-config` gives it, and who says it.
pub type SettingNamed = fn(&str) -> Result<Option<(Value, String)>>;

/// Options of a run. [`Default`] is what `ansible-playbook` does without flags.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Options {
    pub check: bool,
    pub diff: bool,
    /// `-v` count.
    pub verbosity: u8,
    /// How many hosts at once.
    pub forks: usize,
    /// `--tags`; empty means all.
    pub tags: Vec<String>,
    pub skip_tags: Vec<String>,
    /// `--limit`.
    pub limit: Option<String>,
    /// `--start-at-task`.
    pub start_at: Option<String>,
    /// `--step`: ask before each task.
    pub step: bool,
    pub force_handlers: bool,
    /// `--extra-vars`, evaluated to one mapping.
    pub extra_vars: Arc<Map>,
    /// `-b`, `--become-user`, …: what holds where the playbook says nothing.
    pub become_: bool,
    pub become_user: String,
    /// Go through the method even to become the user who is there (`become_allow_same_user`).
    pub become_same_user: bool,
    /// What the lookup `config` finds.
    pub setting: SettingNamed,
    /// Mappings of the same name add up, all the way down (`hash_behaviour = merge`).
    pub merge_hashes: bool,
    pub become_method: String,
    pub become_password: Option<crate::secret::Secret<String>>,
    /// `-c`.
    pub connection: Option<String>,
    /// `-u`.
    pub remote_user: Option<String>,
    /// `--timeout`, in seconds.
    pub timeout: u64,
    /// More folders with roles.
    pub roles_path: Vec<PathBuf>,
    /// What a key that is twice in a mapping means.
    pub duplicate_keys: DuplicateKeys,
    /// Conditions of any type, as ansible-core up to 2.18 took them (`compat`,
    /// `allow_broken_conditionals`).
    pub compat: bool,
    /// More folders with collections.
    pub collections_path: Vec<PathBuf>,
    /// Folders with modules of the user's own.
    pub library: Vec<PathBuf>,
    /// Where facts are kept between runs.
    pub fact_cache: Option<super::FactCache>,
    /// Facts are gathered when a play says nothing (`gathering = implicit`).
    pub gather: Gathering,
    /// `ANSIBLE_ANY_ERRORS_FATAL`.
    pub any_errors_fatal: bool,
    /// What `ansible_managed` is in template files where no variable says it.
    pub managed: String,
    /// The strategy of plays that name none.
    pub strategy: String,
    /// Every task that fails goes to the debugger (`ANSIBLE_ENABLE_TASK_DEBUGGER`).
    pub debugger: bool,
    /// The debugger leaves failures alone that are ignored.
    pub debugger_ignores_errors: bool,
    /// Say what is done besides tasks (`ANSIBLE_DEBUG`).
    pub debug: bool,
    /// Whether variables of roles stay theirs (`private_role_vars`), where that is said.
    pub private_role_vars: Option<bool>,
    /// A handler that nobody defined is an error, not a warning.
    pub error_on_missing_handler: bool,
}

/// When facts are gathered (`gathering` in the settings).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gathering {
    /// In every play that does not say no.
    #[default]
    Implicit,
    /// Only where a play says so.
    Explicit,
    /// In every play, for hosts whose facts are not known yet.
    Smart,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            fact_cache: None,
            check: false,
            diff: false,
            verbosity: 0,
            forks: 5,
            tags: Vec::new(),
            skip_tags: Vec::new(),
            limit: None,
            start_at: None,
            step: false,
            force_handlers: false,
            extra_vars: Arc::default(),
            become_: false,
            become_user: "root".into(),
            become_same_user: false,
            setting: |_| Ok(None),
            merge_hashes: false,
            become_method: "sudo".into(),
            become_password: None,
            connection: None,
            remote_user: None,
            timeout: 10,
            roles_path: Vec::new(),
            duplicate_keys: DuplicateKeys::default(),
            compat: false,
            collections_path: Vec::new(),
            library: Vec::new(),
            gather: Gathering::Implicit,
            any_errors_fatal: false,
            managed: "Ansible managed".into(),
            strategy: "linear".into(),
            debugger: false,
            debugger_ignores_errors: true,
            debug: false,
            private_role_vars: None,
            error_on_missing_handler: true,
        }
    }
}

impl Options {
    /// Whether tags let a task with these tags run. `always` and `never` are special; `all`,
    /// `tagged` and `untagged` stand for sets.
    #[must_use]
    pub fn selects_tags(&self, tags: &[String]) -> bool {
        let has = |name: &str| tags.iter().any(|t| t == name);
        let wants = |name: &str| self.tags.iter().any(|t| t == name);
        let skips = |name: &str| self.skip_tags.iter().any(|t| t == name);
        let is_tagged = tags.iter().any(|t| t != "untagged");
        let matches = |list: &[String]| tags.iter().any(|t| list.contains(t));
        let selected = if self.tags.is_empty() || wants("all") {
            !has("never") || matches(&self.tags)
        } else {
            has("always")
                || matches(&self.tags)
                || (wants("tagged") && is_tagged && !has("never"))
                || (wants("untagged") && !is_tagged)
        };
        let skipped = matches(&self.skip_tags)
            || (skips("all") && (!has("always") || skips("always")))
            || (skips("tagged") && is_tagged)
            || (skips("untagged") && !is_tagged);
        selected && !skipped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_select_as_ansible_does() {
        let words = |s: &str| -> Vec<String> {
            s.split(',')
                .filter(|w| !w.is_empty())
                .map(Into::into)
                .collect()
        };
        for (tags, skip, task, want) in [
            ("", "", "", true),
            ("", "", "never", false),
            ("x", "", "never,x", true),
            ("x", "", "", false),
            ("x", "", "always", true),
            ("x", "always", "always", false),
            ("all", "", "never", false),
            ("tagged", "", "a", true),
            ("tagged", "", "", false),
            ("untagged", "", "", true),
            ("untagged", "", "a", false),
            ("", "a", "a,b", false),
            ("", "tagged", "a", false),
            ("never", "", "never", true),
        ] {
            let options = Options {
                tags: words(tags),
                skip_tags: words(skip),
                ..Options::default()
            };
            assert_eq!(
                options.selects_tags(&words(task)),
                want,
                "--tags {tags} --skip-tags {skip}: {task}"
            );
        }
    }
}
