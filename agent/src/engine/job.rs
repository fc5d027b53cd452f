//! From what a user asks for to a run that is ready: playbooks, inventory and variables are read and
//! checked, and all that is wrong is told at once.

use super::context::{Connector, RunCx};
use super::emit::Emitter;
use super::groups::{Groups, InventoryFiles};
use super::load::{HereFiles, TableModules};
use super::options::Options;
use super::outside::Controller;
use super::preflight::Preflight;
use super::run::{self, Run};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Sink;
use crate::host::here;
use crate::inventory::{self, NearVars, Side};
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
    /// `-i`, in order; none means this machine.
    pub inventory: Vec<String>,
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
    /// Warnings.
    pub warnings: Vec<(String, Option<Span>)>,
}

impl Job {
    /// Reads and checks everything. Warnings come back beside the run.
    ///
    /// # Errors
    /// All that is wrong, at once.
    pub fn prepare(self, run_id: &str, sink: Arc<dyn Sink>) -> Result<(Run, Findings), Findings> {
        let templar = Templar::new(Arc::new(Controller {
            vault: self.vault.clone(),
        }))
        .with_compat(self.options.compat);
        let emit = Emitter::new(run_id, sink);
        let cx = run::context(self.options, templar, emit, self.vault, self.connector);
        let mut findings = Findings::default();
        let playbooks = read_playbooks(&cx, &self.playbooks, &mut findings);
        let groups = read_inventory(&cx, &self.inventory, &self.playbooks, &mut findings);
        if let Some(groups) = &groups
            && let Err(error) = somebody_is_left(groups, cx.options.limit.as_deref())
        {
            findings.errors.push(error);
        }
        match groups {
            Some(groups) if findings.errors.is_empty() => {
                Ok((Run::new(cx, groups, playbooks), findings))
            }
            _ => Err(findings),
        }
    }
}

fn read_playbooks(
    cx: &RunCx,
    paths: &[PathBuf],
    findings: &mut Findings,
) -> Vec<(String, Vec<Arc<Play>>)> {
    let mut out = Vec::new();
    let mut preflight = Preflight::new(&cx.templar);
    for path in paths {
        let dir = path.parent().map(Path::to_path_buf).unwrap_or_default();
        let render = |value: &Value, vars: &Map| render(cx, &dir, vars, value);
        let base = dir.clone();
        let mut loader = Loader::new(&HereFiles, &TableModules, &cx.vault, &render, base);
        loader.roles_path.clone_from(&cx.options.roles_path);
        loader
            .collections_path
            .clone_from(&cx.options.collections_path);
        loader.duplicate_keys = cx.options.duplicate_keys;
        if !here::is_file(path) {
            findings.errors.push(no_playbook(path));
            continue;
        }
        let plays: Vec<Arc<Play>> = loader.playbook(path).into_iter().map(Arc::new).collect();
        for play in &plays {
            preflight.play(play);
        }
        for (name, span, scope, handled) in std::mem::take(&mut preflight.roles) {
            let before = loader.problems.errors.len();
            loader.find_role(&name, &span, &scope);
            if handled {
                for error in loader.problems.errors.split_off(before) {
                    loader.problems.demote(error);
                }
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

fn read_inventory(
    cx: &RunCx,
    sources: &[String],
    playbooks: &[PathBuf],
    findings: &mut Findings,
) -> Option<Groups> {
    let dirs: Vec<PathBuf> = {
        let mut dirs: Vec<PathBuf> = playbooks.iter().map(|p| run::vars_dir(p)).collect();
        dirs.dedup();
        dirs
    };
    let groups = if sources.is_empty() {
        let near: Vec<(Side, &Path)> = dirs.iter().map(|d| (Side::Playbook, &**d)).collect();
        Groups::this_machine(&near, &cx.vault)
    } else {
        load_inventory(cx, sources, &dirs, findings)
    };
    groups.map_err(|e| findings.errors.push(e)).ok()
}

fn load_inventory(
    cx: &RunCx,
    sources: &[String],
    dirs: &[PathBuf],
    findings: &mut Findings,
) -> Result<Groups> {
    let inventory = inventory::load(sources, &InventoryFiles, &cx.vault)?;
    for warning in &inventory.warnings {
        findings
            .warnings
            .push((warning.message.clone(), Some(warning.span.clone())));
    }
    let hosts: Vec<Arc<str>> = inventory.hosts().map(|h| Arc::clone(&h.name)).collect();
    let mut near = Vec::new();
    let sides = inventory
        .dirs
        .iter()
        .map(|d| (Side::Inventory, d))
        .chain(dirs.iter().map(|d| (Side::Playbook, d)));
    for (side, dir) in sides {
        near.push(NearVars::read(
            side,
            dir,
            &inventory,
            &hosts,
            &InventoryFiles,
            &cx.vault,
        )?);
    }
    Ok(Groups::new(inventory, near))
}
