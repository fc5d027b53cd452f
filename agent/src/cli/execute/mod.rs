//! Carries `run` out: settings, variables, inventory and playbooks are read, and run.

mod list;

use super::app::{Call, Io};
use super::exit;
use super::passwords;
use super::run::{RunOptions, Terminal};
use super::settings::file::settings_file;
use super::settings::{Settings, Sources};
use crate::engine::adhoc::Adhoc;
use crate::engine::job::{Findings, Job};
use crate::engine::stock::Stock;
use crate::engine::{AwsMemory, Connector, Controller, Gathering, Groups, Options, placed};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Sink;
use crate::host::here;
use crate::playbook::kv;
use crate::playbook::load::DuplicateKeys;
use crate::playbook::vault::VaultKeys;
use crate::template::Templar;
use crate::value::{Map, Value};
use crate::view::{Log, Tee};
use list::list;
pub(super) use list::list_hosts;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The command `run`: the exit code is `ansible-playbook`'s.
///
/// # Errors
/// When it could not run: the command line, settings, passwords or variables are wrong.
pub fn run(call: &Call<'_>, io: &mut Io<'_>, connector: Arc<dyn Connector>) -> Result<i32> {
    let settings = read_settings()?;
    let options = RunOptions::new(&call.parsed, &settings)?;
    run_with(&options, &settings, io, connector)
}

/// As [`run`], with options that are typed already.
///
/// # Errors
/// As [`run`].
pub fn run_with(
    options: &RunOptions,
    settings: &Settings,
    io: &mut Io<'_>,
    connector: Arc<dyn Connector>,
) -> Result<i32> {
    let job = job(options, settings, connector)?;
    prepared(job, options, settings, io)
}

/// Runs one task, as `adhoc` has it.
///
/// # Errors
/// As [`run`].
pub(super) fn run_task(
    options: &RunOptions,
    task: &Adhoc,
    settings: &Settings,
    io: &mut Io<'_>,
    connector: Arc<dyn Connector>,
) -> Result<i32> {
    let job = Job {
        adhoc: Some(task.clone()),
        ..job(options, settings, connector)?
    };
    prepared(job, options, settings, io)
}

/// Hosts and groups, for commands that run nothing. The findings hold no errors.
///
/// # Errors
/// When an inventory, a vault or extra variables cannot be read.
pub(super) fn read_inventory(
    options: &RunOptions,
    settings: &Settings,
    dirs: &[PathBuf],
) -> Result<(Groups, Findings)> {
    let vault = passwords::vault_keys(options)?.keeping_sealed();
    let extra = Arc::new(extra_vars(&options.extra_vars, &vault)?);
    let templar = Templar::new(Arc::new(Controller {
        vault: vault.clone(),
        managed: settings.ansible_managed.clone(),
        lenient: options.compat,
        setting: super::config::setting,
        aws: AwsMemory::default(),
        trusted: Default::default(),
    }));
    let stock = Stock {
        sources: &options.inventory,
        config: &settings.inventories(&extra)?,
        vault: &vault,
        templar: &templar,
        dirs,
    };
    let (groups, remarks) = stock.read()?;
    let groups = groups.all_known()?;
    let mut findings = Findings::default();
    findings.remarks(remarks, options.verbosity);
    Ok((groups, findings))
}

/// Reads, checks and runs what a job says.
fn prepared(job: Job, options: &RunOptions, settings: &Settings, io: &mut Io<'_>) -> Result<i32> {
    here::stop_on_interrupt();
    let terminal = Terminal {
        tty: here::stdout_is_terminal(),
        width: here::terminal_width(),
        height: here::terminal_height(),
    };
    let file = match &options.output_file {
        Some(path) => Some(here::create(Path::new(path))?),
        None => None,
    };
    let sink = options.view(settings, terminal, (here::stdout(), here::stderr()), file);
    let sink = with_log(sink, options, settings, terminal, io);
    if options.verbosity > 0 && options.output == super::run::Output::Human {
        io.print(&match settings_file() {
            Some(file) => format!("Using {} as config file\n", file.path),
            None => "No config file found; using defaults\n".to_string(),
        });
    }
    if options.only_lists() {
        return look(job, options, settings, io);
    }
    match job.prepare(&run_id(), sink) {
        Err(findings) => Ok(refuse(&findings, settings, io)),
        Ok((run, findings)) => {
            warn(&findings, settings, io);
            Ok(run.execute())
        }
    }
}

/// The view and, where `log_path` asks for it, the log. That the log cannot be written is no reason
/// not to run.
fn with_log(
    sink: Arc<dyn Sink>,
    options: &RunOptions,
    settings: &Settings,
    terminal: Terminal,
    io: &mut Io<'_>,
) -> Arc<dyn Sink> {
    let Some(path) = &settings.log_path else {
        return sink;
    };
    match here::append(Path::new(path)) {
        Ok(file) => {
            let who = format!(
                "p={} u={} n=ansible",
                here::process_id(),
                here::login_name()
            );
            let mut human = options.human(settings, terminal);
            let wanted = settings.log_verbosity.unwrap_or(0);
            human.verbosity = human.verbosity.max(u8::try_from(wanted).unwrap_or(u8::MAX));
            Arc::new(Tee(vec![sink, Arc::new(Log::new(file, who, human))]))
        }
        Err(error) => {
            io.complain(&format!(
                "[WARNING]: log file at {path} is not writeable and we cannot create it: {}\n",
                error.message()
            ));
            sink
        }
    }
}

/// `--list-…` and `--syntax-check`: that lks lacks a module does not make a playbook wrong.
fn look(job: Job, options: &RunOptions, settings: &Settings, io: &mut Io<'_>) -> Result<i32> {
    match job.look(Arc::new(Silent)) {
        (Some(run), findings) if findings.errors.is_empty() => {
            warn(&findings, settings, io);
            warn_absent(&findings, io);
            list(&run, options, io)
        }
        (_, findings) => Ok(refuse(&findings, settings, io)),
    }
}

/// What lks does not have, in a line for each collection.
fn warn_absent(findings: &Findings, io: &mut Io<'_>) {
    let mut by: std::collections::BTreeMap<&str, Vec<&str>> = Default::default();
    for absent in &findings.absent {
        by.entry(&absent.from).or_default().push(&absent.name);
    }
    for (from, mut names) in by {
        let uses = names.len();
        names.sort_unstable();
        names.dedup();
        io.complain(&format!(
            "[WARNING]: not available in lks, a run would be refused: {} (of {from}, used {})\n",
            names.join(", "),
            if uses == 1 {
                "once".into()
            } else {
                format!("{uses} times")
            }
        ));
    }
}

/// Takes no events: nothing runs.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Sink for Silent {
    fn emit(&self, _event: &crate::event::Event) {}
}

/// `ansible.cfg` and the environment.
///
/// # Errors
/// When the file is none, or a value is of the wrong type.
pub fn read_settings() -> Result<Settings> {
    let found = settings_file();
    Settings::read(&Sources {
        file: found.as_ref().map(|f| (&*f.text, &*f.dir)),
        env: &|name| here::env(name),
    })
}

/// The job that options and settings describe.
///
/// # Errors
/// When a vault, a password or extra variables cannot be read.
pub fn job(
    options: &RunOptions,
    settings: &Settings,
    connector: Arc<dyn Connector>,
) -> Result<Job> {
    let vault = passwords::vault_keys(options)?;
    let text = |value: &Option<String>, default: &str| value.clone().unwrap_or(default.into());
    let engine = Options {
        fact_cache: settings.fact_cache(options.flush_cache)?,
        check: options.check,
        diff: options.diff,
        verbosity: options.verbosity,
        forks: options.forks.max(1) as usize,
        tags: options.tags.clone(),
        skip_tags: options.skip_tags.clone(),
        limit: options.limit.clone(),
        start_at: options.start_at_task.clone(),
        step: options.step,
        force_handlers: options.force_handlers,
        extra_vars: Arc::new(extra_vars(&options.extra_vars, &vault)?),
        become_: options.become_,
        become_user: text(&options.become_user, "root"),
        become_method: text(&options.become_method, "sudo"),
        setting: super::config::setting,
        merge_hashes: settings.merges_hashes(),
        become_same_user: settings.become_allow_same_user,
        become_password: passwords::become_password(options)?,
        connection: options.connection.clone(),
        remote_user: options.user.clone(),
        timeout: options.timeout.unwrap_or(10),
        duplicate_keys: match settings.duplicate_dict_key.as_str() {
            "error" => DuplicateKeys::Refuse,
            "ignore" => DuplicateKeys::Ignore,
            _ => DuplicateKeys::Warn,
        },
        compat: options.compat,
        collections_path: folders(&settings.collections_path),
        library: options
            .module_path
            .iter()
            .flat_map(|text| text.split(':'))
            .filter(|dir| !dir.is_empty())
            .map(here::expand_home)
            .chain(folders(&settings.library))
            .collect(),
        roles_path: folders(&settings.roles_path),
        gather: match settings.gathering.as_str() {
            "explicit" => Gathering::Explicit,
            "smart" => Gathering::Smart,
            _ => Gathering::Implicit,
        },
        any_errors_fatal: settings.any_errors_fatal,
        managed: settings.ansible_managed.clone(),
        strategy: settings.strategy.clone(),
        debugger: settings.enable_task_debugger,
        debugger_ignores_errors: settings.task_debugger_ignore_errors,
        error_on_missing_handler: settings.error_on_missing_handler,
        debug: settings.debug,
        private_role_vars: settings.private_role_vars,
    };
    Ok(Job {
        playbooks: options.playbooks.iter().map(PathBuf::from).collect(),
        adhoc: None,
        inventory: options.inventory.clone(),
        inventory_config: settings.inventories(&engine.extra_vars)?,
        options: engine,
        vault,
        connector,
    })
}

/// A name for the run: when it began, and something that tells two runs of one moment apart.
fn run_id() -> String {
    let bytes = here::random_bytes(4).unwrap_or_default();
    let tail: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    format!("{}-{tail}", here::now() as u64)
}

/// Shows everything that is wrong; nothing was run.
pub(super) fn refuse(findings: &Findings, settings: &Settings, io: &mut Io<'_>) -> i32 {
    warn(findings, settings, io);
    for error in &findings.errors {
        io.complain(&format!("[ERROR]: {error}\n\n"));
    }
    if findings.errors.len() > 1 {
        io.complain(&format!(
            "{} errors; nothing was run\n",
            findings.errors.len()
        ));
    }
    let is_usage = |e: &Error| matches!(e.kind(), ErrorKind::Usage | ErrorKind::Host);
    if findings.errors.iter().all(is_usage) {
        exit::ERROR
    } else {
        exit::SYNTAX
    }
}

/// Shows what deserves a look.
pub(super) fn warn(findings: &Findings, settings: &Settings, io: &mut Io<'_>) {
    for text in &findings.notes {
        io.print(&format!("{text}\n"));
    }
    for text in &findings.complaints {
        io.complain(&format!("[ERROR]: {}\n", text.trim_end()));
    }
    let deprecations = findings.deprecations.iter();
    for text in deprecations.filter(|_| settings.deprecation_warnings) {
        io.complain(&format!("[DEPRECATION WARNING]: {text}\n"));
    }
    for (text, span) in &findings.warnings {
        let end = if span.is_some() { "\n\n" } else { "\n" };
        io.complain(&format!("[WARNING]: {}{end}", placed(text, span.as_ref())));
    }
}

/// All of `-e`, later ones over earlier ones.
pub(super) fn extra_vars(given: &[String], vault: &VaultKeys) -> Result<Map> {
    let mut all = Map::new();
    for text in given {
        all.extend(match text.strip_prefix('@') {
            None => kv::parse_extra_vars(text, vault)?,
            Some(path) => vars_file(path, vault)?,
        });
    }
    Ok(all)
}

fn vars_file(path: &str, vault: &VaultKeys) -> Result<Map> {
    let text = here::read_text(&here::expand_home(path))?.ok_or_else(|| {
        Error::new(
            ErrorKind::Usage,
            format!("the file of extra variables {path} does not exist"),
        )
    })?;
    match crate::engine::load_yaml(path, text, vault)? {
        Value::Map(map) => Ok((*map).clone()),
        Value::Null => Ok(Map::new()),
        other => Err(Error::new(
            ErrorKind::Syntax,
            format!("{path} must hold a mapping, not a {}", other.type_name()),
        )),
    }
}

/// Search paths, with the user's home in the place of `~`.
fn folders(paths: &[String]) -> Vec<PathBuf> {
    paths.iter().map(|path| here::expand_home(path)).collect()
}
