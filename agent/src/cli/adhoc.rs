//! `adhoc`: one task on hosts, with the flags and the output of `ansible`.

use super::app::{Args, Body, Call, Command, Io};
use super::execute;
use super::exit;
use super::flag::{Complete, Flag, join, pick};
use super::parse::{Parsed, usage};
use super::run::{Output, RunOptions};
use super::run_flags::RUN_FLAGS;
use super::settings::Settings;
use crate::engine::Connector;
use crate::engine::adhoc::Adhoc;
use crate::error::Result;
use crate::host::here;
use crate::view::Form;
use std::path::PathBuf;
use std::sync::Arc;

const TASK: &str = "The task";

static FLAGS: [Flag; 42] = join(
    [
        Flag::one(
            &["module-name"],
            "MODULE",
            "The module (default: `command`).",
        )
        .short('m')
        .complete(Complete::Module)
        .group(TASK),
        Flag::one(
            &["args"],
            "ARGS",
            "Its arguments: `key=value` words, a command line, or a JSON object.",
        )
        .short('a')
        .group(TASK),
        Flag::one(
            &["background"],
            "SECONDS",
            "Let the task go on by itself, for at most so long.",
        )
        .short('B')
        .group(TASK),
        Flag::one(
            &["poll"],
            "SECONDS",
            "How often to look at a task of `-B` (default: 15).",
        )
        .short('P')
        .group(TASK),
        Flag::one(
            &["task-timeout"],
            "SECONDS",
            "How long the task may take (default: for ever).",
        )
        .group(TASK),
        Flag::one(
            &["playbook-dir"],
            "DIR",
            "The folder that stands for a playbook's: `group_vars`, `roles`, files.",
        )
        .complete(Complete::Directory)
        .group(TASK),
        Flag::switch(&["one-line"], "Each result on one line.")
            .short('o')
            .group(OUTPUT),
        Flag::one(
            &["tree"],
            "DIR",
            "Write each host's result into a file of its name, too.",
        )
        .short('t')
        .complete(Complete::Directory)
        .group(OUTPUT),
    ],
    pick(
        RUN_FLAGS,
        [
            "inventory",
            "limit",
            "extra-vars",
            "check",
            "diff",
            "forks",
            "flush-cache",
            "module-path",
            "list-hosts",
            "syntax-check",
            "version",
            "verbose",
            "output",
            "output-file",
            "color",
            "no-color",
            "connection",
            "user",
            "timeout",
            "private-key",
            "ask-pass",
            "connection-password-file",
            "ssh-common-args",
            "ssh-extra-args",
            "sftp-extra-args",
            "scp-extra-args",
            "become",
            "become-method",
            "become-user",
            "ask-become-pass",
            "become-password-file",
            "vault-id",
            "ask-vault-password",
            "vault-password-file",
        ],
    ),
);

const OUTPUT: &str = "Output options";

/// The command, with the body that the binary gives it.
#[must_use]
pub const fn command(body: Body) -> Command {
    Command {
        name: "adhoc",
        called_as: Some("ansible"),
        summary: "Run one task on hosts",
        details: "
`adhoc web -m ping`, `adhoc all -b -a 'systemctl restart nginx'`: what `ansible` does, with its flags, its \
output and its exit codes. Arguments are checked before anything runs.
",
        args: Args {
            usage: "PATTERN",
            complete: Complete::Nothing,
        },
        flags: &FLAGS,
        body,
    }
}

/// What `adhoc` was asked.
pub struct AdhocOptions {
    /// What it shares with `run`.
    pub run: RunOptions,
    /// The task.
    pub task: Adhoc,
}

impl AdhocOptions {
    /// Puts flags over settings.
    ///
    /// # Errors
    /// When there is no pattern, or more than one, or a number is none.
    pub fn new(parsed: &Parsed, settings: &Settings) -> Result<Self> {
        let [pattern] = parsed.args.as_slice() else {
            return Err(match parsed.args.get(1..) {
                None | Some([]) => usage("the following arguments are required: PATTERN"),
                Some(more) => usage(format!("unrecognized arguments: {}", more.join(" "))),
            });
        };
        let mut run = RunOptions::shared(parsed, settings)?;
        run.form = form(parsed, settings);
        if run.form != Form::Default && !parsed.has("output") {
            run.output = Output::Human;
        }
        run.tree = parsed.value("tree").map(String::from);
        let or = |name: &str, setting: String| parsed.value(name).map_or(setting, String::from);
        let seconds = |name: &str, default: u32| -> Result<u64> {
            Ok(parsed.number(name)?.unwrap_or(default.into()))
        };
        Ok(Self {
            run,
            task: Adhoc {
                pattern: pattern.clone(),
                module: or("module-name", settings.module_name.clone()),
                args: or("args", settings.module_args.clone().unwrap_or_default()),
                seconds: seconds("background", 0)?,
                poll: seconds("poll", settings.poll_interval)?,
                timeout: seconds("task-timeout", settings.task_timeout)?,
                dir: PathBuf::from(or("playbook-dir", ".".into())),
            },
        })
    }
}

/// As Ansible: the settings' callback counts only where `bin_ansible_callbacks` is on.
fn form(parsed: &Parsed, settings: &Settings) -> Form {
    let callback = settings.stdout_callback.rsplit('.').next().unwrap_or("");
    if parsed.has("one-line") {
        return Form::OneLine;
    }
    match callback {
        "default" => Form::Minimal,
        "oneline" if settings.load_callback_plugins => Form::OneLine,
        "minimal" => Form::Minimal,
        _ if settings.load_callback_plugins => Form::Default,
        _ => Form::Minimal,
    }
}

/// Runs the task.
///
/// # Errors
/// When it could not run: the command line, settings, passwords or variables are wrong.
pub fn run_with(
    options: &AdhocOptions,
    settings: &Settings,
    call: &Call<'_>,
    io: &mut Io<'_>,
    connector: Arc<dyn Connector>,
) -> Result<i32> {
    let AdhocOptions { run, task } = options;
    let module = task.module.rsplit('.').next().unwrap_or("");
    if run.list_hosts {
        return execute::list_hosts(run, settings, task, io);
    }
    if let Some(text) = refused(module, task) {
        io.complain(&format!("[ERROR]: {text}\nTry `{} --help`.\n", call.typed));
        return Ok(exit::OPTIONS);
    }
    if let Some(dir) = &run.tree {
        here::make_dir(&here::expand_home(dir), 0o755)?;
    }
    execute::run_task(run, task, settings, io, connector)
}

/// Why this module is nothing for the command line, if it is nothing.
fn refused(module: &str, task: &Adhoc) -> Option<String> {
    let needs_args = [
        "command",
        "shell",
        "raw",
        "script",
        "win_command",
        "win_shell",
    ];
    if needs_args.contains(&module) && task.args.is_empty() {
        let slip = match [".yml", ".yaml"]
            .iter()
            .any(|end| task.pattern.ends_with(end))
        {
            true => " (did you mean to run ansible-playbook?)",
            false => "",
        };
        return Some(format!("No argument passed to {module} module{slip}"));
    }
    (module == "import_playbook").then(|| {
        format!(
            "'{}' is not a valid action for ad-hoc commands",
            task.module
        )
    })
}
