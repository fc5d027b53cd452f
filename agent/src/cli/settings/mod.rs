//! Settings: what `ansible.cfg` and `ANSIBLE_*` say, under Ansible's names. Environment goes over
//! file, file over default. The texts come from the caller: only `file` reads anything.

pub(super) mod file;
mod ini;
mod inventories;
mod names;
mod read;

use crate::error::{Error, ErrorKind, Result};
use crate::value::Value;
use ini::Ini;
use read::{Place, Setting};

/// One row of the table of settings.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// Its name here.
    pub name: &'static str,
    /// Sections and keys of `ansible.cfg`, the first one that is set counts.
    pub ini: &'static [(&'static str, &'static str)],
    /// Environment variables, likewise.
    pub env: &'static [&'static str],
    /// What it is.
    pub doc: &'static str,
    /// What stands between the parts of a list.
    pub separator: char,
}

/// A setting, to be shown.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Its row.
    pub spec: &'static Spec,
    /// Ansible's word for its type.
    pub type_name: &'static str,
    /// What it is now.
    pub value: Value,
    /// What it would be by itself.
    pub default: Value,
    /// The environment variable or the key that says it; none if it is the default.
    pub origin: Option<String>,
}

/// Where settings are read from.
pub struct Sources<'a> {
    /// The text of `ansible.cfg` and the directory that relative paths in it start from.
    pub file: Option<(&'a str, &'a str)>,
    /// The environment.
    pub env: &'a dyn Fn(&str) -> Option<String>,
}

/// Files that may hold the settings, the first one that exists counts. Ansible's rule that a file in
/// a directory which everybody may write to is left aside is for the caller to hold.
#[must_use]
pub fn candidates(env: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let mut files: Vec<String> = env("ANSIBLE_CONFIG").into_iter().collect();
    files.push("ansible.cfg".into());
    files.extend(env("HOME").map(|home| format!("{home}/.ansible.cfg")));
    files.push("/etc/ansible/ansible.cfg".into());
    files
}

/// Declares the settings: struct, defaults, table and reading, all from one text.
macro_rules! settings {
    ($( $(#[doc = $doc:literal])+ $field:ident: $type:ty = $default:expr,
        [$($section:literal $key:literal),+] [$($env:literal),*] $place:ident; )*) => {
        /// What `ansible.cfg` and the environment say.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Settings {
            $( $(#[doc = $doc])+ pub $field: $type, )*
        }

        impl Default for Settings {
            fn default() -> Self {
                Self { $( $field: $default, )* }
            }
        }

        /// One row for each setting.
        pub static SETTINGS: &[Spec] = &[
            $( Spec {
                name: crate::module::plain_name(stringify!($field)),
                ini: &[$(($section, $key)),+],
                env: &[$($env),*],
                doc: concat!($($doc),+),
                separator: Place::$place.separator(),
            }, )*
        ];

        impl Settings {
            /// Reads them.
            ///
            /// # Errors
            /// When the file is no `ansible.cfg`, or a value does not fit its type.
            pub fn read(sources: &Sources<'_>) -> Result<Self> {
                let ini = match sources.file {
                    Some((text, _)) => Ini::parse(text)?,
                    None => Ini::default(),
                };
                let mut rows = SETTINGS.iter();
                Ok(Self { $(
                    $field: match rows.next().and_then(|spec| given(spec, sources, &ini)) {
                        Some((text, origin)) => {
                            let place = Place::$place;
                            <$type as Setting>::parse(&text, &origin, place, sources)
                                .map_err(|e| e.context(&origin))?
                        }
                        None => $default,
                    },
                )* })
            }
        }

        /// Each setting as it is now, its default, and where it comes from.
        ///
        /// # Errors
        /// As [`Settings::read`].
        pub fn shown(sources: &Sources<'_>) -> Result<Vec<Shown>> {
            let now = Settings::read(sources)?;
            let default = Settings::default();
            let ini = match sources.file {
                Some((text, _)) => Ini::parse(text)?,
                None => Ini::default(),
            };
            let mut rows = SETTINGS.iter();
            let mut out = Vec::new();
            $(
                if let Some(spec) = rows.next() {
                    out.push(Shown {
                        spec,
                        type_name: <$type as Setting>::type_name(),
                        value: Setting::value(&now.$field),
                        default: Setting::value(&default.$field),
                        origin: given(spec, sources, &ini).map(|(_, origin)| origin),
                    });
                }
            )*
            Ok(out)
        }
    };
}

/// A default that is a list.
fn texts(items: &[&str]) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}

settings! {
    /// How many hosts are worked on at once.
    forks: u32 = 5, ["defaults" "forks"] ["ANSIBLE_FORKS"] Plain;
    /// Inventories.
    inventory: Vec<String> = Vec::new(), ["defaults" "inventory"] ["ANSIBLE_INVENTORY"] Paths;
    /// Directories with roles.
    roles_path: Vec<String> = texts(&["~/.ansible/roles", "/usr/share/ansible/roles", "/etc/ansible/roles"]), ["defaults" "roles_path"] ["ANSIBLE_ROLES_PATH"] Search;
    /// Directories with modules of the user's own.
    library: Vec<String> = texts(&["~/.ansible/plugins/modules", "/usr/share/ansible/plugins/modules"]), ["defaults" "library"] ["ANSIBLE_LIBRARY"] Search;
    /// Directories with collections.
    collections_path: Vec<String> = texts(&["~/.ansible/collections", "/usr/share/ansible/collections"]), ["defaults" "collections_path"] ["ANSIBLE_COLLECTIONS_PATH"] Search;
    /// Whether host keys are checked.
    host_key_checking: bool = true, ["defaults" "host_key_checking", "ssh_connection" "host_key_checking"] ["ANSIBLE_HOST_KEY_CHECKING", "ANSIBLE_SSH_HOST_KEY_CHECKING"] Plain;
    /// The user to log in as.
    remote_user: Option<String> = None, ["defaults" "remote_user"] ["ANSIBLE_REMOTE_USER"] Plain;
    /// The port to log in at.
    remote_port: Option<u32> = None, ["defaults" "remote_port"] ["ANSIBLE_REMOTE_PORT"] Plain;
    /// The key to log in with.
    private_key_file: Option<String> = None, ["defaults" "private_key_file"] ["ANSIBLE_PRIVATE_KEY_FILE"] Path;
    /// Seconds that reaching a host may take.
    timeout: u32 = 10, ["defaults" "timeout", "ssh_connection" "timeout"] ["ANSIBLE_TIMEOUT", "ANSIBLE_SSH_TIMEOUT"] Plain;
    /// How hosts are reached.
    transport: Option<String> = None, ["defaults" "transport"] ["ANSIBLE_TRANSPORT"] Plain;
    /// Ask for the password to log in with.
    ask_pass: bool = false, ["defaults" "ask_pass"] ["ANSIBLE_ASK_PASS"] Plain;
    /// File with the password to log in with.
    connection_password_file: Option<String> = None, ["defaults" "connection_password_file"] ["ANSIBLE_CONNECTION_PASSWORD_FILE"] Path;
    /// Options of `ssh`.
    ssh_args: Option<String> = None, ["ssh_connection" "ssh_args"] ["ANSIBLE_SSH_ARGS"] Plain;
    /// Options for every SSH connection.
    ssh_common_args: Option<String> = None, ["ssh_connection" "ssh_common_args"] ["ANSIBLE_SSH_COMMON_ARGS"] Plain;
    /// Options for commands over SSH.
    ssh_extra_args: Option<String> = None, ["ssh_connection" "ssh_extra_args"] ["ANSIBLE_SSH_EXTRA_ARGS"] Plain;
    /// Options for files over SFTP.
    sftp_extra_args: Option<String> = None, ["ssh_connection" "sftp_extra_args"] ["ANSIBLE_SFTP_EXTRA_ARGS"] Plain;
    /// Options for files over SCP.
    scp_extra_args: Option<String> = None, ["ssh_connection" "scp_extra_args"] ["ANSIBLE_SCP_EXTRA_ARGS"] Plain;
    /// How often connecting is tried again.
    ssh_retries: u32 = 0, ["connection" "retries", "ssh_connection" "retries"] ["ANSIBLE_SSH_RETRIES"] Plain;
    /// Work as another user.
    r#become: bool = false, ["privilege_escalation" "become"] ["ANSIBLE_BECOME"] Plain;
    /// How to become that user.
    become_method: String = "sudo".into(), ["privilege_escalation" "become_method"] ["ANSIBLE_BECOME_METHOD"] Plain;
    /// The user to become.
    become_user: String = "root".into(), ["privilege_escalation" "become_user"] ["ANSIBLE_BECOME_USER"] Plain;
    /// Go through the method even to become the user who is there.
    become_allow_same_user: bool = false, ["privilege_escalation" "become_allow_same_user"] ["ANSIBLE_BECOME_ALLOW_SAME_USER"] Plain;
    /// Ask for the password that becoming needs.
    become_ask_pass: bool = false, ["privilege_escalation" "become_ask_pass"] ["ANSIBLE_BECOME_ASK_PASS"] Plain;
    /// File with the password that becoming needs.
    become_password_file: Option<String> = None, ["defaults" "become_password_file"] ["ANSIBLE_BECOME_PASSWORD_FILE"] Path;
    /// File with the vault's password.
    vault_password_file: Option<String> = None, ["defaults" "vault_password_file"] ["ANSIBLE_VAULT_PASSWORD_FILE"] Path;
    /// Vault identities.
    vault_identity_list: Vec<String> = Vec::new(), ["defaults" "vault_identity_list"] ["ANSIBLE_VAULT_IDENTITY_LIST"] Plain;
    /// The label of new vaults.
    vault_identity: String = "default".into(), ["defaults" "vault_identity"] ["ANSIBLE_VAULT_IDENTITY"] Plain;
    /// Open a vault with an identity only by passwords of that identity.
    vault_id_match: bool = false, ["defaults" "vault_id_match"] ["ANSIBLE_VAULT_ID_MATCH"] Plain;
    /// The identity that encrypts, where several are known.
    vault_encrypt_identity: Option<String> = None, ["defaults" "vault_encrypt_identity"] ["ANSIBLE_VAULT_ENCRYPT_IDENTITY"] Plain;
    /// The salt of new vaults, so that the same text gives the same vault; random where it is not set.
    vault_encrypt_salt: Option<String> = None, ["defaults" "vault_encrypt_salt"] ["ANSIBLE_VAULT_ENCRYPT_SALT"] Plain;
    /// The program that edits files.
    editor: String = "vi".into(), ["defaults" "editor"] ["ANSIBLE_EDITOR", "EDITOR"] Plain;
    /// The module of `adhoc`.
    module_name: String = "command".into(), ["defaults" "module_name"] [] Plain;
    /// The arguments of that module.
    module_args: Option<String> = None, ["defaults" "module_args"] ["ANSIBLE_MODULE_ARGS"] Plain;
    /// `adhoc` prints in the form that `stdout_callback` names.
    load_callback_plugins: bool = false, ["defaults" "bin_ansible_callbacks"] ["ANSIBLE_LOAD_CALLBACK_PLUGINS"] Plain;
    /// Ask for the vault's password.
    ask_vault_pass: bool = false, ["defaults" "ask_vault_pass"] ["ANSIBLE_ASK_VAULT_PASS"] Plain;
    /// When facts are gathered: `implicit`, `explicit`, `smart`.
    gathering: String = "implicit".into(), ["defaults" "gathering"] ["ANSIBLE_GATHERING"] Plain;
    /// Where facts are kept between runs.
    fact_caching: String = "memory".into(), ["defaults" "fact_caching"] ["ANSIBLE_CACHE_PLUGIN"] Plain;
    /// The place of that cache.
    fact_caching_connection: Option<String> = None, ["defaults" "fact_caching_connection"] ["ANSIBLE_CACHE_PLUGIN_CONNECTION"] Path;
    /// What the names of that cache's files begin with.
    fact_caching_prefix: Option<String> = None, ["defaults" "fact_caching_prefix"] ["ANSIBLE_CACHE_PLUGIN_PREFIX"] Plain;
    /// Seconds for which cached facts are good.
    fact_caching_timeout: u32 = 86_400, ["defaults" "fact_caching_timeout"] ["ANSIBLE_CACHE_PLUGIN_TIMEOUT"] Plain;
    /// Whether facts are variables of their own, too (`ansible_distribution`).
    inject_facts_as_vars: bool = true, ["defaults" "inject_facts_as_vars"] ["ANSIBLE_INJECT_FACT_VARS"] Plain;
    /// What happens to mappings of the same name: `replace`, `merge`.
    hash_behaviour: String = "replace".into(), ["defaults" "hash_behaviour"] ["ANSIBLE_HASH_BEHAVIOUR"] Plain;
    /// The strategy of plays that say nothing.
    strategy: String = "linear".into(), ["defaults" "strategy"] ["ANSIBLE_STRATEGY"] Plain;
    /// Run handlers even where a task failed.
    force_handlers: bool = false, ["defaults" "force_handlers"] ["ANSIBLE_FORCE_HANDLERS"] Plain;
    /// A failure of one host ends the play for all.
    any_errors_fatal: bool = false, ["defaults" "any_errors_fatal"] ["ANSIBLE_ANY_ERRORS_FATAL"] Plain;
    /// Tasks that fail go to the debugger.
    enable_task_debugger: bool = false, ["defaults" "enable_task_debugger"] ["ANSIBLE_ENABLE_TASK_DEBUGGER"] Plain;
    /// The debugger leaves failures alone that are ignored.
    task_debugger_ignore_errors: bool = true, ["defaults" "task_debugger_ignore_errors"] ["ANSIBLE_TASK_DEBUGGER_IGNORE_ERRORS"] Plain;
    /// Say what is done besides tasks.
    debug: bool = false, ["defaults" "debug"] ["ANSIBLE_DEBUG"] Plain;
    /// Variables of roles stay theirs; no means that even included roles share them.
    private_role_vars: Option<bool> = None, ["defaults" "private_role_vars"] ["ANSIBLE_PRIVATE_ROLE_VARS"] Plain;
    /// A handler that is notified and that nobody defined is an error.
    error_on_missing_handler: bool = true, ["defaults" "error_on_missing_handler"] ["ANSIBLE_ERROR_ON_MISSING_HANDLER"] Plain;
    /// Seconds that a task may take; 0 is for ever.
    task_timeout: u32 = 0, ["defaults" "task_timeout"] ["ANSIBLE_TASK_TIMEOUT"] Plain;
    /// Seconds between looks at an asynchronous task.
    poll_interval: u32 = 15, ["defaults" "poll_interval"] ["ANSIBLE_POLL_INTERVAL"] Plain;
    /// What `ansible_managed` is in template files.
    ansible_managed: String = "Ansible managed".into(), ["defaults" "ansible_managed"] [] Plain;
    /// Hide the results of every task.
    no_log: bool = false, ["defaults" "no_log"] ["ANSIBLE_NO_LOG"] Plain;
    /// The shell that commands are run by.
    executable: String = "/bin/sh".into(), ["defaults" "executable"] ["ANSIBLE_EXECUTABLE"] Plain;
    /// Tags to run.
    tags: Vec<String> = Vec::new(), ["tags" "run"] ["ANSIBLE_RUN_TAGS"] Plain;
    /// Tags to leave out.
    skip_tags: Vec<String> = Vec::new(), ["tags" "skip"] ["ANSIBLE_SKIP_TAGS"] Plain;
    /// Show differences.
    diff: bool = false, ["diff" "always"] ["ANSIBLE_DIFF_ALWAYS"] Plain;
    /// Files larger than this are not compared.
    max_diff_size: u32 = 104_448, ["defaults" "max_diff_size"] ["ANSIBLE_MAX_DIFF_SIZE"] Plain;
    /// How much is said.
    verbosity: u32 = 0, ["defaults" "verbosity"] ["ANSIBLE_VERBOSITY"] Plain;
    /// No colours.
    nocolor: bool = false, ["defaults" "nocolor"] ["ANSIBLE_NOCOLOR", "NO_COLOR"] Plain;
    /// Colours even without a terminal.
    force_color: bool = false, ["defaults" "force_color"] ["ANSIBLE_FORCE_COLOR"] Plain;
    /// The form of the output: `default`, `json`, `junit`, ….
    stdout_callback: String = "default".into(), ["defaults" "stdout_callback"] ["ANSIBLE_STDOUT_CALLBACK"] Plain;
    /// The form of results in the text for people: `json`, `yaml`.
    callback_result_format: String = "json".into(), ["defaults" "callback_result_format"] ["ANSIBLE_CALLBACK_RESULT_FORMAT"] Plain;
    /// Lay results out over several lines: always, or (if not said) where the form asks for it.
    callback_format_pretty: Option<bool> = None, ["defaults" "callback_format_pretty"] ["ANSIBLE_CALLBACK_FORMAT_PRETTY"] Plain;
    /// Say when a task starts on a host.
    show_per_host_start: bool = false, ["defaults" "show_per_host_start"] ["ANSIBLE_SHOW_PER_HOST_START"] Plain;
    /// Show hosts where nothing changed.
    display_ok_hosts: bool = true, ["defaults" "display_ok_hosts"] ["ANSIBLE_DISPLAY_OK_HOSTS"] Plain;
    /// Show hosts where a task was skipped.
    display_skipped_hosts: bool = true, ["defaults" "display_skipped_hosts"] ["ANSIBLE_DISPLAY_SKIPPED_HOSTS"] Plain;
    /// Send failures to standard error.
    display_failed_stderr: bool = false, ["defaults" "display_failed_stderr"] ["ANSIBLE_DISPLAY_FAILED_STDERR"] Plain;
    /// Show arguments of tasks.
    display_args_to_stdout: bool = false, ["defaults" "display_args_to_stdout"] ["ANSIBLE_DISPLAY_ARGS_TO_STDOUT"] Plain;
    /// Say `[CHECK MODE]`.
    check_mode_markers: bool = false, ["defaults" "check_mode_markers"] ["ANSIBLE_CHECK_MODE_MARKERS"] Plain;
    /// Show what `set_stats` gathered.
    show_custom_stats: bool = false, ["defaults" "show_custom_stats"] ["ANSIBLE_SHOW_CUSTOM_STATS"] Plain;
    /// Show the file and line of a task that failed.
    show_task_path_on_failure: bool = false, ["defaults" "show_task_path_on_failure"] ["ANSIBLE_SHOW_TASK_PATH_ON_FAILURE"] Plain;
    /// Show warnings about words that will go.
    deprecation_warnings: bool = true, ["defaults" "deprecation_warnings"] ["ANSIBLE_DEPRECATION_WARNINGS"] Plain;
    /// Warn when there is no inventory.
    localhost_warning: bool = true, ["defaults" "localhost_warning"] ["ANSIBLE_LOCALHOST_WARNING"] Plain;
    /// What a pattern that matches nothing is: `error`, `warning`, `ignore`.
    host_pattern_mismatch: String = "warning".into(), ["inventory" "host_pattern_mismatch"] ["ANSIBLE_HOST_PATTERN_MISMATCH"] Plain;
    /// An inventory that cannot be read ends the run.
    any_unparsed_is_failed: bool = false, ["inventory" "any_unparsed_is_failed"] ["ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED"] Plain;
    /// Inventories of which none can be read end the run.
    unparsed_is_failed: bool = false, ["inventory" "unparsed_is_failed"] ["ANSIBLE_INVENTORY_UNPARSED_FAILED"] Plain;
    /// Warn when no inventory at all can be read.
    unparsed_warning: bool = true, ["inventory" "inventory_unparsed_warning"] ["ANSIBLE_INVENTORY_UNPARSED_WARNING"] Plain;
    /// The readers that are tried on each inventory, in order.
    inventory_enabled: Vec<String> = words(crate::inventory::ENABLED), ["inventory" "enable_plugins"] ["ANSIBLE_INVENTORY_ENABLED"] Plain;
    /// Endings of files in an inventory directory that are no inventory.
    inventory_ignore_extensions: Vec<String> = words(crate::inventory::IGNORED_ENDINGS), ["defaults" "inventory_ignore_extensions", "inventory" "ignore_extensions"] ["ANSIBLE_INVENTORY_IGNORE"] Plain;
    /// Regular expressions for files in an inventory directory that are no inventory.
    inventory_ignore_patterns: Vec<String> = Vec::new(), ["defaults" "inventory_ignore_patterns", "inventory" "ignore_patterns"] ["ANSIBLE_INVENTORY_IGNORE_REGEX"] Plain;
    /// Group names that would not do as a variable's: `always` and `silently` change them, `never` warns, `ignore` does nothing.
    transform_invalid_group_chars: String = "never".into(), ["defaults" "force_valid_group_names"] ["ANSIBLE_TRANSFORM_INVALID_GROUP_CHARS"] Plain;
    /// `inventory --list` shows what each group and host says itself.
    inventory_export: bool = false, ["inventory" "export"] ["ANSIBLE_INVENTORY_EXPORT"] Plain;
    /// Show what inventory scripts write to standard error, also when they succeed.
    inventory_script_stderr: bool = true, ["inventory_plugin_script" "always_show_stderr"] ["ANSIBLE_INVENTORY_PLUGIN_SCRIPT_STDERR"] Plain;
    /// Inventory plugins see extra variables.
    inventory_use_extra_vars: bool = false, ["inventory_plugins" "use_extra_vars"] ["ANSIBLE_INVENTORY_USE_EXTRA_VARS"] Plain;
    /// A key that is twice in a mapping: `error`, `warn`, `ignore`.
    duplicate_dict_key: String = "warn".into(), ["defaults" "duplicate_dict_key"] ["ANSIBLE_DUPLICATE_YAML_DICT_KEY"] Plain;
    /// Rules of `lint` that are looked at: names, or `all`; none given means those that are on.
    lint_select: Vec<String> = Vec::new(), ["lint" "select"] ["LKS_LINT_SELECT"] Plain;
    /// Rules of `lint` that are left out.
    lint_ignore: Vec<String> = Vec::new(), ["lint" "ignore"] ["LKS_LINT_IGNORE"] Plain;
    /// Conditions may be of any type, as before ansible-core 2.19.
    allow_broken_conditionals: bool = false, ["defaults" "allow_broken_conditionals"] ["ANSIBLE_ALLOW_BROKEN_CONDITIONALS"] Plain;
    /// The version of ansible-core whose rules hold: `2.18` and earlier take conditions of any type.
    compat: Option<String> = None, ["lks" "compat"] ["LKS_COMPAT"] Plain;
    /// How much is written to the log; as much as is shown if nothing is said.
    log_verbosity: Option<u32> = None, ["defaults" "log_verbosity"] ["ANSIBLE_LOG_VERBOSITY"] Plain;
    /// Where the output is written, too.
    log_path: Option<String> = None, ["defaults" "log_path"] ["ANSIBLE_LOG_PATH"] Path;
}

/// A default that is a list.
fn words(text: &str) -> Vec<String> {
    text.split(' ').map(String::from).collect()
}

/// The text that is given for a setting, and where: environment first.
fn given(spec: &Spec, sources: &Sources<'_>, ini: &Ini) -> Option<(String, String)> {
    for name in spec.env {
        if let Some(text) = (sources.env)(name) {
            return Some((text, (*name).to_string()));
        }
    }
    spec.ini.iter().find_map(|(section, key)| {
        let text = ini.get(section, key)?;
        Some((text.to_string(), format!("ansible.cfg [{section}] {key}")))
    })
}

/// An error about a setting.
fn wrong(text: String) -> Error {
    Error::new(ErrorKind::Usage, text)
}
