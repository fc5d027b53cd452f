//! What `run` was asked, typed: flags over environment over `ansible.cfg` over defaults.

use super::app::{Args, Body, Command};
use super::flag::Complete;
use super::parse::{Parsed, usage};
use super::run_flags::RUN_FLAGS;
use super::settings::Settings;
use crate::error::Result;
use crate::event::Sink;
use crate::host::here;
use crate::playbook::yaml::{Style, to_styled_string};
use crate::value::Value;
use crate::view::{Form, Human, HumanOptions, Json, Junit, Lines, Tee, Tree};
use std::io::Write;
use std::sync::Arc;

/// The form of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Output {
    /// Text for people, as Ansible's.
    #[default]
    Human,
    /// One JSON document at the end.
    Json,
    /// JUnit XML.
    Junit,
    /// Every event as a line of JSON.
    Events,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colour {
    /// On a terminal.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// What `run` was asked.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct RunOptions {
    pub playbooks: Vec<String>,
    pub inventory: Vec<String>,
    pub limit: Option<String>,
    /// As given: `key=value`, YAML, JSON or `@file`.
    pub extra_vars: Vec<String>,
    /// Split at commas.
    pub tags: Vec<String>,
    pub skip_tags: Vec<String>,
    pub check: bool,
    pub diff: bool,
    pub forks: u32,
    pub verbosity: u8,
    pub force_handlers: bool,
    pub start_at_task: Option<String>,
    pub step: bool,
    pub yes: bool,
    pub flush_cache: bool,
    pub module_path: Vec<String>,
    pub list_hosts: bool,
    pub list_tasks: bool,
    pub list_tags: bool,
    pub syntax_check: bool,
    pub connection: Option<String>,
    pub user: Option<String>,
    pub timeout: Option<u64>,
    pub private_key: Option<String>,
    pub ask_pass: bool,
    pub connection_password_file: Option<String>,
    pub ssh_common_args: Option<String>,
    pub ssh_extra_args: Option<String>,
    pub sftp_extra_args: Option<String>,
    pub scp_extra_args: Option<String>,
    pub become_: bool,
    pub become_method: Option<String>,
    pub become_user: Option<String>,
    pub ask_become_pass: bool,
    pub become_password_file: Option<String>,
    pub vault_ids: Vec<String>,
    pub ask_vault_password: bool,
    pub vault_password_files: Vec<String>,
    /// Conditions as ansible-core up to 2.18 took them.
    pub compat: bool,
    /// The label of passwords without one.
    pub vault_identity: String,
    /// Only a password of a vault's own label opens it.
    pub vault_id_match: bool,
    pub output: Output,
    pub output_file: Option<String>,
    pub colour: Colour,
    /// The form of the text for people.
    pub form: Form,
    /// A folder for one file of results for each host.
    pub tree: Option<String>,
}

impl RunOptions {
    /// Puts flags over settings.
    ///
    /// # Errors
    /// When no playbook is given or a number is none.
    pub fn new(parsed: &Parsed, settings: &Settings) -> Result<Self> {
        if parsed.args.is_empty() {
            return Err(usage("the following arguments are required: PLAYBOOK"));
        }
        Ok(Self {
            playbooks: parsed.args.clone(),
            ..Self::shared(parsed, settings)?
        })
    }

    /// As [`RunOptions::new`], for commands without playbooks.
    ///
    /// # Errors
    /// When a number is none.
    pub fn shared(parsed: &Parsed, settings: &Settings) -> Result<Self> {
        let has = |name: &str| parsed.has(name);
        let text = |name: &str| parsed.value(name).map(String::from);
        let or = |name: &str, setting: &Option<String>| text(name).or_else(|| setting.clone());
        let verbosity = match parsed.count("verbose") {
            0 => settings.verbosity,
            given => u32::try_from(given).unwrap_or(u32::MAX),
        };
        Ok(Self {
            playbooks: Vec::new(),
            inventory: or_list(parsed.values("inventory"), &settings.inventory),
            limit: text("limit"),
            extra_vars: parsed.values("extra-vars"),
            tags: or_list(words(&parsed.values("tags")), &settings.tags),
            skip_tags: or_list(words(&parsed.values("skip-tags")), &settings.skip_tags),
            check: has("check"),
            diff: has("diff") || settings.diff,
            forks: forks(parsed, settings)?,
            verbosity: u8::try_from(verbosity).unwrap_or(u8::MAX),
            force_handlers: has("force-handlers") || settings.force_handlers,
            start_at_task: text("start-at-task"),
            step: has("step"),
            yes: has("yes"),
            flush_cache: has("flush-cache"),
            module_path: parsed.values("module-path"),
            list_hosts: has("list-hosts"),
            list_tasks: has("list-tasks"),
            list_tags: has("list-tags"),
            syntax_check: has("syntax-check"),
            connection: or("connection", &settings.transport),
            user: or("user", &settings.remote_user),
            timeout: Some(parsed.number("timeout")?.unwrap_or(settings.timeout.into())),
            private_key: or("private-key", &settings.private_key_file),
            ask_pass: has("ask-pass") || settings.ask_pass,
            connection_password_file: or(
                "connection-password-file",
                &settings.connection_password_file,
            ),
            ssh_common_args: or("ssh-common-args", &settings.ssh_common_args),
            ssh_extra_args: or("ssh-extra-args", &settings.ssh_extra_args),
            sftp_extra_args: or("sftp-extra-args", &settings.sftp_extra_args),
            scp_extra_args: or("scp-extra-args", &settings.scp_extra_args),
            become_: has("become") || settings.r#become,
            become_method: text("become-method").or(Some(settings.become_method.clone())),
            become_user: text("become-user").or(Some(settings.become_user.clone())),
            ask_become_pass: has("ask-become-pass") || settings.become_ask_pass,
            become_password_file: or("become-password-file", &settings.become_password_file),
            vault_ids: [
                settings.vault_identity_list.clone(),
                parsed.values("vault-id"),
            ]
            .concat(),
            ask_vault_password: has("ask-vault-password") || settings.ask_vault_pass,
            vault_password_files: {
                let mut files = parsed.values("vault-password-file");
                files.extend(settings.vault_password_file.clone());
                files
            },
            vault_identity: settings.vault_identity.clone(),
            vault_id_match: settings.vault_id_match,
            compat: settings.allow_broken_conditionals
                || is_before_2_19(or("compat", &settings.compat).as_deref())?,
            output: output(parsed.value("output"), &settings.stdout_callback),
            output_file: text("output-file"),
            colour: colour(parsed, settings),
            form: match (
                parsed.value("output"),
                settings.stdout_callback.rsplit('.').next(),
            ) {
                (Some("fleet"), _) | (None, Some("fleet")) => Form::Fleet,
                (_, Some("minimal")) => Form::Minimal,
                (_, Some("oneline")) => Form::OneLine,
                _ => Form::Default,
            },
            tree: None,
        })
    }

    /// Whether something is printed instead of run.
    #[must_use]
    pub fn only_lists(&self) -> bool {
        self.list_hosts || self.list_tasks || self.list_tags || self.syntax_check
    }
}

fn or_list(given: Vec<String>, setting: &[String]) -> Vec<String> {
    if given.is_empty() {
        setting.to_vec()
    } else {
        given
    }
}

/// Values split at commas.
fn words(values: &[String]) -> Vec<String> {
    let parts = values.iter().flat_map(|v| v.split(','));
    parts
        .map(str::trim)
        .filter(|w| !w.is_empty())
        .map(Into::into)
        .collect()
}

/// `--compat`: the version of ansible-core whose rules hold.
fn is_before_2_19(version: Option<&str>) -> Result<bool> {
    let Some(version) = version else {
        return Ok(false);
    };
    let mut parts = version.split('.').map(str::parse::<u32>);
    match (parts.next(), parts.next()) {
        (Some(Ok(2)), Some(Ok(minor))) => Ok(minor < 19),
        _ => Err(usage(format!(
            "--compat: `{version}` is no version of ansible-core, such as 2.18"
        ))),
    }
}

fn forks(parsed: &Parsed, settings: &Settings) -> Result<u32> {
    match parsed.number("forks")?.unwrap_or(settings.forks) {
        0 => Err(usage("the number of processes (--forks) must be 1 or more")),
        forks => Ok(forks),
    }
}

/// The flag decides, then the name of the callback that the settings ask for.
fn output(word: Option<&str>, callback: &str) -> Output {
    let callback = callback.rsplit('.').next().unwrap_or(callback);
    match word.unwrap_or(callback) {
        "json" => Output::Json,
        "junit" => Output::Junit,
        "events" => Output::Events,
        _ => Output::Human,
    }
}

fn colour(parsed: &Parsed, settings: &Settings) -> Colour {
    if parsed.has("no-color") {
        Colour::Never
    } else if parsed.has("color") || settings.force_color {
        // `force_color` wins over `nocolor`, as in Ansible.
        Colour::Always
    } else if settings.nocolor {
        Colour::Never
    } else {
        Colour::Auto
    }
}

/// Whether results are to be YAML: by the setting, or by the name of the callback that once did it.
fn wants_yaml(settings: &Settings) -> bool {
    let callback = settings.stdout_callback.rsplit('.').next();
    settings.callback_result_format == "yaml" || callback == Some("yaml")
}

/// A scalar as YAML on one line.
#[must_use]
pub fn yaml_scalar(value: &Value) -> String {
    let style = Style {
        width: usize::MAX,
        allow_unicode: true,
        ..Style::nice()
    };
    let text = to_styled_string(value, &style);
    let text = text.strip_suffix("...\n").unwrap_or(&text);
    text.trim_end_matches('\n').to_string()
}

/// What the terminal is like: for the binary to find out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terminal {
    /// Whether standard output is one.
    pub tty: bool,
    /// Its columns, if known.
    pub width: Option<usize>,
    /// Its lines, if known.
    pub height: Option<usize>,
}

impl RunOptions {
    /// How the view for people is to be.
    #[must_use]
    pub fn human(&self, settings: &Settings, terminal: Terminal) -> HumanOptions {
        HumanOptions {
            form: self.form,
            colour: match self.colour {
                Colour::Auto => terminal.tty,
                Colour::Always => true,
                Colour::Never => false,
            },
            width: terminal.width.unwrap_or(80),
            height: terminal.height.unwrap_or(24),
            tty: terminal.tty,
            verbosity: self.verbosity,
            diff: self.diff,
            check_markers: settings.check_mode_markers,
            display_ok_hosts: settings.display_ok_hosts,
            display_skipped_hosts: settings.display_skipped_hosts,
            show_custom_stats: settings.show_custom_stats,
            failed_stderr: settings.display_failed_stderr,
            deprecations: settings.deprecation_warnings,
            task_path_on_failure: settings.show_task_path_on_failure,
            display_args: settings.display_args_to_stdout,
            pretty: settings.callback_format_pretty,
            per_host_start: settings.show_per_host_start,
            yaml: wants_yaml(settings).then_some(yaml_scalar as fn(&Value) -> String),
        }
    }

    /// The view that was asked for. With a `file` (`--output-file`), the form goes there, and the
    /// terminal gets the view for people.
    pub fn view<W, E>(
        &self,
        settings: &Settings,
        terminal: Terminal,
        (out, err): (W, E),
        file: Option<Box<dyn Write + Send>>,
    ) -> Arc<dyn Sink>
    where
        W: Write + Send + 'static,
        E: Write + Send + 'static,
    {
        let human = self.human(settings, terminal);
        let Some(file) = file else {
            let sink = match self.output {
                Output::Human => Arc::new(Human::new(out, err, human)),
                form => form.sink(Box::new(out), human),
            };
            return self.with_tree(sink);
        };
        let plain = HumanOptions {
            colour: self.colour == Colour::Always,
            tty: false,
            width: 80,
            ..human
        };
        Arc::new(Tee(vec![
            Arc::new(Human::new(out, err, human)),
            self.output.sink(file, plain),
        ]))
    }

    /// With files of results beside it, where those were asked for.
    fn with_tree(&self, sink: Arc<dyn Sink>) -> Arc<dyn Sink> {
        let Some(tree) = &self.tree else {
            return sink;
        };
        let dir = here::expand_home(tree);
        let tree = Tree::new(move |host, result| {
            if let Err(error) = here::write(&dir.join(host), result.as_bytes(), 0o644) {
                here::print_error(&format!("[WARNING]: {error}"));
            }
        });
        Arc::new(Tee(vec![sink, Arc::new(tree)]))
    }
}

impl Output {
    /// The view of this form, all into one place.
    fn sink(self, out: Box<dyn Write + Send>, human: HumanOptions) -> Arc<dyn Sink> {
        match self {
            Self::Human => Arc::new(Human::new(out, std::io::sink(), human)),
            Self::Json => Arc::new(Json::new(out)),
            Self::Junit => Arc::new(Junit::new(out)),
            Self::Events => Arc::new(Lines::new(out)),
        }
    }
}

/// The command `run`, with the body that the binary gives it.
#[must_use]
pub const fn command(body: Body) -> Command {
    Command {
        name: "run",
        called_as: Some("ansible-playbook"),
        summary: "Run playbooks",
        details: DETAILS,
        args: Args {
            usage: "PLAYBOOK...",
            complete: Complete::File,
        },
        flags: RUN_FLAGS,
        body,
    }
}

const DETAILS: &str = "
Settings are read from `ansible.cfg` and `ANSIBLE_*` as Ansible reads them; flags go over both.

Exit codes: 0 all went well, 1 it could not run, 2 a host failed (or the command line is wrong), \
4 a host was unreachable (or a playbook cannot be read), 130 interrupted.
";
