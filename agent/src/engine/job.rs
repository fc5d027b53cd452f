//! From what a user asks for to a run that is ready: playbooks, inventory and variables are read and
//! checked, and all that is wrong is told at once.

use super::absent::Absent;
use super::adhoc::Adhoc;
use super::aws::AwsMemory;
use super::context::{Connector, RunCx};
use super::emit::Emitter;
use super::groups::Groups;
use super::load::HereFiles;
use super::options::Options;
use super::outside::Controller;
use super::preflight::Preflight;
use super::run::{self, Run};
use super::stock::{Restock, Stock};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Sink;
use crate::host::here;
use crate::inventory::{self, Remark, Weight};
use crate::playbook::keyword::Kw;
use crate::playbook::load::Loader;
use crate::playbook::play::Play;
use crate::playbook::vault::VaultKeys;
use crate::source::Span;
use crate::template::{Templar, Variables};
use crate::value::{Key, Map, Value};
use crate::vars::{Layer, Stack};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a user asks for.
pub struct Job {
    /// Playbooks, in order.
    pub playbooks: Vec<PathBuf>,
    /// One task in their place.
    pub adhoc: Option<Adhoc>,
    /// `-i`, in order; none means this machine.
    pub inventory: Vec<String>,
    /// How inventories are read.
    pub inventory_config: inventory::Config,
    /// Options.
    pub options: Options,
    /// Keys of vaults.
    pub vault: VaultKeys,
    /// The way to hosts.
    pub connector: Arc<dyn Connector>,
}

/// What was found wrong before anything ran, and what deserves a look.
#[derive(Debug, Default)]
pub struct Findings {
    /// Errors: nothing runs.
    pub errors: Vec<Error>,
    /// What the very first task meets. Nothing was touched before it, so that it is left to the run,
    /// which fails as Ansible's does; beside other errors it is one of them.
    pub met_first: Vec<Error>,
    /// Warnings.
    pub warnings: Vec<(String, Option<Span>)>,
    /// What is used and lks does not have, where that is not an error ([`Job::look`]).
    pub absent: Vec<Absent>,
    /// Words that work today, and not for ever.
    pub deprecations: Vec<String>,
    /// Errors that do not end the run: what scripts wrote to standard error.
    pub complaints: Vec<String>,
    /// Lines for the curious.
    pub notes: Vec<String>,
}

impl Findings {
    /// Takes what reading inventories found.
    pub fn remarks(&mut self, remarks: Vec<Remark>, verbosity: u8) {
        for Remark {
            weight,
            message,
            span,
        } in remarks
        {
            match weight {
                Weight::Warning => self.warnings.push((message, span)),
                Weight::Deprecation => self.deprecations.push(message),
                Weight::Error => self.complaints.push(message),
                Weight::Verbose if verbosity >= 3 => self.notes.push(message),
                Weight::Verbose => {}
            }
        }
    }
}

impl Job {
    /// Reads and checks everything. Warnings come back beside the run.
    ///
    /// # Errors
    /// All that is wrong, at once.
    pub fn prepare(
        self,
        run_id: &str,
        sink: Arc<dyn Sink>,
    ) -> Result<(Run, Findings), Box<Findings>> {
        match self.read(run_id, sink) {
            (Some(run), findings) if findings.errors.is_empty() => Ok((run, findings)),
            (_, findings) => Err(Box::new(findings)),
        }
    }

    /// As [`Job::prepare`], to look at the plays and not to run them: what lks does not have is told
    /// apart from mistakes, and mistakes leave what could be read.
    #[must_use]
    pub fn look(self, sink: Arc<dyn Sink>) -> (Option<Run>, Findings) {
        let mut dirs: Vec<PathBuf> = self.playbooks.iter().map(|p| run::vars_dir(p)).collect();
        dirs.extend(self.options.roles_path.iter().cloned());
        let (run, mut findings) = self.read("look", sink);
        let plays = run
            .iter()
            .flat_map(|r| r.playbooks.iter().flat_map(|(_, plays)| plays));
        dirs.extend(plays.flat_map(|p| p.roles.iter().map(|r| r.path.clone())));
        findings.set_aside_absent(&dirs);
        (run, findings)
    }

    fn read(self, run_id: &str, sink: Arc<dyn Sink>) -> (Option<Run>, Findings) {
        let templar = Templar::new(Arc::new(Controller {
            vault: self.vault.clone(),
            managed: self.options.managed.clone(),
            lenient: self.options.compat,
            setting: self.options.setting,
            aws: AwsMemory::default(),
            trusted: Default::default(),
        }))
        .with_compat(self.options.compat);
        let emit = Emitter::new(run_id, sink);
        let cx = run::context(self.options, templar, emit, self.vault, self.connector);
        let mut findings = Findings::default();
        let mut playbooks = read_playbooks(&cx, &self.playbooks, &mut findings);
        let mut dirs: Vec<PathBuf> = self.playbooks.iter().map(|p| run::vars_dir(p)).collect();
        if let Some(adhoc) = &self.adhoc {
            dirs.push(adhoc.dir.clone());
            playbooks.push(read_adhoc(&cx, adhoc, &mut findings));
        }
        let stock = Stock {
            sources: &self.inventory,
            config: &self.inventory_config,
            vault: &cx.vault,
            templar: &cx.templar,
            dirs: &dirs,
        };
        let mut groups = match stock.read() {
            Ok((groups, remarks)) => {
                findings.remarks(remarks, cx.options.verbosity);
                Some(groups)
            }
            Err(error) => {
                findings.errors.push(error);
                None
            }
        };
        if let Some(groups) = &mut groups {
            let limit = cx.options.limit.as_deref();
            let problems = groups.problems(&concerned(groups, &playbooks, limit));
            findings.errors.extend(problems);
        }
        if let (Some(groups), Some(adhoc)) = (&groups, &self.adhoc) {
            somebody_is_meant(groups, adhoc, cx.options.limit.as_deref(), &mut findings);
        } else if let Some(groups) = &groups
            && let Err(error) = somebody_is_left(groups, cx.options.limit.as_deref())
        {
            findings.errors.push(error);
        }
        if !findings.errors.is_empty() {
            findings.errors.append(&mut findings.met_first);
        }
        let run = groups.map(|groups| {
            let mut run = Run::new(cx, groups, playbooks);
            run.sources = Some(Restock {
                sources: self.inventory,
                config: self.inventory_config,
                dirs,
            });
            run
        });
        (run, findings)
    }
}

fn read_playbooks(
    cx: &RunCx,
    paths: &[PathBuf],
    findings: &mut Findings,
) -> Vec<(String, Vec<Arc<Play>>)> {
    let mut out = Vec::new();
    let mut preflight = Preflight::new(&cx.templar, &cx.library);
    preflight.missing_handlers_are_errors = cx.options.error_on_missing_handler;
    preflight.options = Some(&cx.options);
    for path in paths {
        let dir = path.parent().map(Path::to_path_buf).unwrap_or_default();
        let render = |value: &Value, vars: &Map| render(cx, &dir, vars, value);
        let base = dir.clone();
        let mut loader = Loader::new(&HereFiles, &cx.library, &cx.vault, &render, base);
        loader.roles_path.clone_from(&cx.options.roles_path);
        loader.private_role_vars = cx.options.private_role_vars;
        loader
            .collections_path
            .clone_from(&cx.options.collections_path);
        loader.duplicate_keys = cx.options.duplicate_keys;
        if !here::is_file(path) {
            findings.errors.push(no_playbook(path));
            continue;
        }
        cx.library.add(&dir.join("library"));
        let plays: Vec<Arc<Play>> = loader.playbook(path).into_iter().map(Arc::new).collect();
        for play in &plays {
            preflight.play(play);
        }
        for role in std::mem::take(&mut preflight.roles) {
            let before = loader.problems.errors.len();
            loader.find_role(&role.name, &role.span, &role.scope);
            let found = loader.problems.errors.split_off(before);
            if role.first {
                findings.met_first.extend(found);
            } else if role.handled {
                found.into_iter().for_each(|e| loader.problems.demote(e));
            } else {
                loader.problems.errors.extend(found);
            }
        }
        findings.errors.append(&mut loader.problems.errors);
        findings.warnings.append(&mut loader.problems.warnings);
        out.push((path.display().to_string(), plays));
    }
    let mut problems = preflight.finish();
    findings.errors.append(&mut problems.errors);
    findings.warnings.append(&mut problems.warnings);
    findings.errors.sort_by_key(|e| {
        e.span()
            .map(|s| (s.file.name.clone(), s.line, s.column))
            .unwrap_or_default()
    });
    out
}

/// The hosts that the plays touch; those of a play that computes its own are known once it begins.
fn concerned(
    groups: &Groups,
    playbooks: &[(String, Vec<Arc<Play>>)],
    limit: Option<&str>,
) -> Vec<Arc<str>> {
    let mut hosts = Vec::new();
    for play in playbooks.iter().flat_map(|(_, plays)| plays) {
        let setting = play.get(Kw::Hosts).filter(|s| !s.value.has_template());
        let pattern = setting.map(|s| s.words_kept().join(","));
        // A pattern or a limit that is none is told elsewhere.
        let found = pattern.map(|p| groups.matching(&p, limit, "").unwrap_or_default());
        hosts.extend(found.unwrap_or_default());
    }
    hosts.sort();
    hosts.dedup();
    hosts
}

/// The play of one task.
fn read_adhoc(cx: &RunCx, adhoc: &Adhoc, findings: &mut Findings) -> (String, Vec<Arc<Play>>) {
    let mut preflight = Preflight::new(&cx.templar, &cx.library);
    let render_in = |value: &Value, vars: &Map| render(cx, &adhoc.dir, vars, value);
    let dir = adhoc.dir.clone();
    let mut loader = Loader::new(&HereFiles, &cx.library, &cx.vault, &render_in, dir);
    loader.roles_path.clone_from(&cx.options.roles_path);
    let node = adhoc.play(&cx.vault, &|value| render_in(value, &Map::new()));
    let plays: Vec<Arc<Play>> = match node {
        Ok(node) => loader
            .lone_play(&node, &adhoc.dir)
            .into_iter()
            .map(Arc::new)
            .collect(),
        Err(error) => {
            findings.errors.push(error);
            Vec::new()
        }
    };
    for play in &plays {
        preflight.play(play);
    }
    findings.errors.append(&mut loader.problems.errors);
    findings.errors.append(&mut preflight.problems.errors);
    findings.warnings.append(&mut loader.problems.warnings);
    findings.warnings.append(&mut preflight.problems.warnings);
    (ADHOC.into(), plays)
}

/// The name that Ansible gives to the playbook of one task.
const ADHOC: &str = "__adhoc_playbook__";

/// A pattern without hosts is a warning, as in Ansible; a limit that leaves nobody is an error.
fn somebody_is_meant(groups: &Groups, adhoc: &Adhoc, limit: Option<&str>, findings: &mut Findings) {
    let pattern = adhoc.hosts();
    if crate::value::has_markers(pattern) {
        return;
    }
    match groups.matching(pattern, limit, "") {
        Err(error) => findings.errors.push(error),
        Ok(hosts) if hosts.is_empty() => {
            for part in groups.unmatched(pattern).unwrap_or_default() {
                let text = format!("Could not match supplied host pattern, ignoring: {part}");
                findings.warnings.push((text, None));
            }
            if limit.is_some() {
                findings.errors.push(Error::host(
                    "Specified inventory, host pattern and/or --limit leaves us with no hosts to target.",
                ));
            } else {
                findings
                    .warnings
                    .push(("No hosts matched, nothing to do".into(), None));
            }
        }
        Ok(_) => {}
    }
}

fn no_playbook(path: &Path) -> Error {
    let dir = path.parent().filter(|p| !p.as_os_str().is_empty());
    let beside = here::list(dir.unwrap_or(Path::new("."))).unwrap_or_default();
    let name = path
        .file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default();
    Error::new(
        ErrorKind::Usage,
        format!("the playbook: {} could not be found", path.display()),
    )
    .did_you_mean(&name, beside.iter().map(String::as_str))
}

/// Evaluates a value before a play runs: with extra variables over those of the play.
///
/// # Errors
/// When it needs more than those.
pub(super) fn render(cx: &RunCx, dir: &Path, vars: &Map, value: &Value) -> Result<Value> {
    let mut stack = Stack::default();
    stack.push(Layer::PlayVars, &Arc::new(vars.clone()));
    stack.push(Layer::Extra, &cx.options.extra_vars);
    let dir = Value::from(here::absolute(dir).display().to_string());
    let magic: Map = [(Key::from("playbook_dir"), dir)].into_iter().collect();
    stack.push(Layer::Magic, &Arc::new(magic));
    let vars: Arc<dyn Variables> = Arc::new(stack);
    cx.templar.resolve(value, &vars)
}

/// A limit that leaves nobody is a slip: nothing would run, and that would look like success.
fn somebody_is_left(groups: &Groups, limit: Option<&str>) -> Result<()> {
    if limit.is_none() || !groups.matching("all", limit, "")?.is_empty() {
        return Ok(());
    }
    Err(Error::host(
        "Specified inventory, host pattern and/or --limit leaves us with no hosts to target.",
    ))
}
