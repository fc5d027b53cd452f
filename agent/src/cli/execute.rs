//! Carries `run` out: reads passwords, variables, inventory and playbooks, picks the view, runs.

use super::listing;
use crate::engine::context::Connector;
use crate::engine::job::{Findings, Job};
use crate::engine::run::status;
use crate::engine::{Options, Run};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Sink;
use crate::host::here;
use crate::playbook::kv;
use crate::playbook::vault::{DEFAULT_ID, VaultKeys};
use crate::secret::Secret;
use crate::source::Span;
use crate::value::Map;
use crate::view::{Human, HumanOptions, Json, Junit, Lines};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What `run` is asked for, after flags, environment and settings file were read.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct Request {
    pub playbooks: Vec<String>,
    pub inventory: Vec<String>,
    /// `-e`, in order: `k=v`, JSON, YAML or `@FILE`.
    pub extra_vars: Vec<String>,
    /// `--vault-id LABEL@SOURCE`, `--vault-password-file`: label (empty for the default) and source,
    /// where `prompt` asks.
    pub vault: Vec<(String, String)>,
    pub ask_become_password: bool,
    pub become_password_file: Option<String>,
    pub ask_connection_password: bool,
    pub connection_password_file: Option<String>,
    pub output: Output,
    pub output_file: Option<PathBuf>,
    pub list_hosts: bool,
    pub list_tasks: bool,
    pub list_tags: bool,
    pub syntax_check: bool,
    pub options: Options,
    pub human: HumanOptions,
}

/// The form of the report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Output {
    /// As Ansible's default callback.
    #[default]
    Human,
    /// One JSON document at the end, as Ansible's `json` callback.
    Json,
    /// JUnit's XML.
    Junit,
    /// One event a line, as it happens.
    Events,
}

/// Runs. The exit status is `ansible-playbook`'s.
#[must_use]
pub fn execute(request: Request, connector: Arc<dyn Connector>) -> i32 {
    here::stop_on_interrupt();
    match prepare_and_run(request, connector) {
        Ok(status) => status,
        Err(error) => {
            here::print_error(&format!("[ERROR]: {error}"));
            exit_status(&error)
        }
    }
}

/// The exit status that an error before a run means.
#[must_use]
pub fn exit_status(error: &Error) -> i32 {
    match error.kind() {
        ErrorKind::Syntax | ErrorKind::Params | ErrorKind::Template | ErrorKind::Undefined => {
            status::PARSER
        }
        ErrorKind::Usage => 2,
        _ => status::ERROR,
    }
}

fn prepare_and_run(mut request: Request, connector: Arc<dyn Connector>) -> Result<i32> {
    let vault = vault_keys(&request.vault)?;
    request.options.extra_vars = Arc::new(extra_vars(&request.extra_vars, &vault)?);
    request.options.become_password = become_password(&request)?;
    let sink = sink(&request)?;
    let job = Job {
        playbooks: request.playbooks.iter().map(PathBuf::from).collect(),
        inventory: request.inventory.clone(),
        options: request.options.clone(),
        vault,
        connector,
    };
    match job.prepare(&run_id(), sink) {
        Err(findings) => Ok(report(&findings)),
        Ok((run, findings)) => {
            warn(&findings);
            Ok(go(run, &request))
        }
    }
}

fn go(run: Run, request: &Request) -> i32 {
    if request.list_hosts || request.list_tasks || request.list_tags {
        return match listing::list(&run, request) {
            Ok(text) => {
                here::print(&text);
                status::OK
            }
            Err(error) => {
                here::print_error(&format!("[ERROR]: {error}"));
                exit_status(&error)
            }
        };
    }
    if request.syntax_check {
        for playbook in &request.playbooks {
            here::print(&format!("\nplaybook: {playbook}\n"));
        }
        return status::OK;
    }
    run.execute()
}

/// A name for the run: when it began, and something that tells two runs of one moment apart.
fn run_id() -> String {
    let bytes = here::random_bytes(4).unwrap_or_default();
    let tail: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    format!("{}-{tail}", here::now() as u64)
}

fn sink(request: &Request) -> Result<Arc<dyn Sink>> {
    let out: Box<dyn Write + Send> = match &request.output_file {
        Some(path) => here::create(path)?,
        None => here::stdout(),
    };
    Ok(match request.output {
        Output::Human => Arc::new(Human::new(out, here::stderr(), request.human)),
        Output::Json => Arc::new(Json::new(out)),
        Output::Junit => Arc::new(Junit::new(out)),
        Output::Events => Arc::new(Lines::new(out)),
    })
}

/// Shows everything that is wrong, and says how to go on.
fn report(findings: &Findings) -> i32 {
    warn(findings);
    for error in &findings.errors {
        here::print_error(&format!("[ERROR]: {error}\n"));
    }
    let count = findings.errors.len();
    if count > 1 {
        here::print_error(&format!("{count} errors; nothing was run"));
    }
    let only_usage = findings
        .errors
        .iter()
        .all(|e| matches!(e.kind(), ErrorKind::Usage | ErrorKind::Host));
    if only_usage {
        status::ERROR
    } else {
        status::PARSER
    }
}

fn warn(findings: &Findings) {
    for (text, span) in &findings.warnings {
        let mut line = format!("[WARNING]: {text}");
        if let Some(span) = span {
            line.push('\n');
            // Writing into a string cannot fail.
            let _ = Span::write_excerpt(span, &mut line);
        }
        here::print_error(&line);
    }
}

/// All of `-e`, later ones over earlier ones.
fn extra_vars(given: &[String], vault: &VaultKeys) -> Result<Map> {
    let mut all = Map::new();
    for text in given {
        let map = match text.strip_prefix('@') {
            None => kv::parse_extra_vars(text, vault)?,
            Some(path) => vars_file(path, vault)?,
        };
        all.extend(map);
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
        crate::value::Value::Map(map) => Ok((*map).clone()),
        crate::value::Value::Null => Ok(Map::new()),
        other => Err(Error::new(
            ErrorKind::Syntax,
            format!("{path} must hold a mapping, not a {}", other.type_name()),
        )),
    }
}

/// Reads the passwords of vaults: prompts, files, programs.
fn vault_keys(sources: &[(String, String)]) -> Result<VaultKeys> {
    let mut keys = VaultKeys::none();
    for (label, source) in sources {
        let id = if label.is_empty() { DEFAULT_ID } else { label };
        let password = if source == "prompt" || source == "prompt_ask_vault_pass" {
            let prompt = if label.is_empty() {
                "Vault password: ".to_string()
            } else {
                format!("Vault password ({label}): ")
            };
            ask(&prompt)?
        } else {
            secret_from(source, Some(label))?
        };
        keys.add(id, password);
    }
    Ok(keys)
}

fn ask(prompt: &str) -> Result<Secret<String>> {
    match here::ask(prompt, false, None)? {
        Some(text) => Ok(Secret::new(text)),
        None => Err(Error::new(
            ErrorKind::Usage,
            "a password is needed, but there is no terminal to ask on",
        )
        .hint("name a file or a program that gives it")),
    }
}

/// A secret in a file, or printed by a program (a file that may be executed), or from standard input.
fn secret_from(source: &str, label: Option<&str>) -> Result<Secret<String>> {
    if source == "-" {
        return Ok(Secret::new(here::read_stdin()?.trim_end().to_string()));
    }
    let path = here::expand_home(source);
    if here::is_executable(&path) {
        return secret_of_program(&path, label);
    }
    let text = here::read_text(&path)?.ok_or_else(|| {
        Error::new(
            ErrorKind::Usage,
            format!("the password file {source} does not exist"),
        )
    })?;
    Ok(Secret::new(text.trim_end_matches(['\r', '\n']).to_string()))
}

/// Programs whose name ends in `-client` are told which label is asked for, as Ansible does.
fn secret_of_program(path: &Path, label: Option<&str>) -> Result<Secret<String>> {
    let mut argv = vec![here::absolute(path).display().to_string()];
    let is_client = path
        .file_stem()
        .is_some_and(|s| s.to_string_lossy().ends_with("-client"));
    if let (true, Some(label)) = (is_client, label.filter(|l| !l.is_empty())) {
        argv.extend(["--vault-id".to_string(), label.to_string()]);
    }
    let done = here::run(&argv)?;
    if !done.success() {
        return Err(Error::host(format!(
            "the password program {} failed with status {}: {}",
            path.display(),
            done.rc,
            done.err().trim()
        )));
    }
    Ok(Secret::new(
        done.out().trim_end_matches(['\r', '\n']).to_string(),
    ))
}

fn become_password(request: &Request) -> Result<Option<Secret<String>>> {
    if request.ask_become_password {
        return ask("BECOME password: ").map(Some);
    }
    request
        .become_password_file
        .as_deref()
        .map(|f| secret_from(f, None))
        .transpose()
}
