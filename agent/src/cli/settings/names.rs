//! What `ansible-config` calls the settings.

use super::Spec;

/// Those whose name is not ours in capitals.
const OTHERS: &[(&str, &str)] = &[
    ("inventory", "DEFAULT_HOST_LIST"),
    ("collections_path", "COLLECTIONS_PATHS"),
    ("fact_caching", "CACHE_PLUGIN"),
    ("fact_caching_connection", "CACHE_PLUGIN_CONNECTION"),
    ("fact_caching_prefix", "CACHE_PLUGIN_PREFIX"),
    ("fact_caching_timeout", "CACHE_PLUGIN_TIMEOUT"),
    ("tags", "TAGS_RUN"),
    ("skip_tags", "TAGS_SKIP"),
    ("diff", "DIFF_ALWAYS"),
    ("max_diff_size", "MAX_FILE_SIZE_FOR_DIFF"),
    ("nocolor", "ANSIBLE_NOCOLOR"),
    ("force_color", "ANSIBLE_FORCE_COLOR"),
    ("any_unparsed_is_failed", "INVENTORY_ANY_UNPARSED_IS_FAILED"),
    ("unparsed_is_failed", "INVENTORY_UNPARSED_IS_FAILED"),
    ("unparsed_warning", "INVENTORY_UNPARSED_WARNING"),
    ("inventory_ignore_extensions", "INVENTORY_IGNORE_EXTS"),
    ("duplicate_dict_key", "DUPLICATE_YAML_DICT_KEY"),
];

/// The oldest settings, with a word before their name.
const DEFAULTS: &[&str] = &[
    "forks",
    "roles_path",
    "remote_user",
    "remote_port",
    "private_key_file",
    "timeout",
    "transport",
    "ask_pass",
    "become",
    "become_method",
    "become_user",
    "become_ask_pass",
    "vault_password_file",
    "vault_identity_list",
    "vault_identity",
    "vault_id_match",
    "vault_encrypt_identity",
    "module_name",
    "module_args",
    "load_callback_plugins",
    "ask_vault_pass",
    "gathering",
    "hash_behaviour",
    "strategy",
    "force_handlers",
    "poll_interval",
    "private_role_vars",
    "no_log",
    "executable",
    "verbosity",
    "stdout_callback",
    "log_path",
];

impl Spec {
    /// The name that `ansible-config` gives it; of what is no setting of ansible-core's own, ours.
    #[must_use]
    pub fn ansible_name(&self) -> String {
        if let Some((_, name)) = OTHERS.iter().find(|(ours, _)| *ours == self.name) {
            return (*name).to_owned();
        }
        let upper = self.name.to_ascii_uppercase();
        if DEFAULTS.contains(&self.name) {
            format!("DEFAULT_{upper}")
        } else {
            upper
        }
    }
}
