//! The reader of what tasks include, roles and files of tasks, with the check that a run makes of them.

use super::files::yaml_below;
use lks_agent::engine::job::Findings;
use lks_agent::engine::preflight::Preflight;
use lks_agent::engine::{HereFiles, Run};
use lks_agent::error::Result;
use lks_agent::host::here;
use lks_agent::playbook::keyword::Kw;
use lks_agent::playbook::load::Loader;
use lks_agent::playbook::role::RoleUse;
use lks_agent::playbook::scope::{self, Keywords, Scope, ScopeKind};
use lks_agent::playbook::task::{Item, Task};
use lks_agent::template::Variables;
use lks_agent::value::{Map, Value};
use lks_agent::vars::{Layer, Stack};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Evaluates what must be known before a run.
pub(super) type Render<'r> = &'r dyn Fn(&Value, &Map) -> Result<Value>;

/// Reads what tasks include.
pub(super) struct Reader<'r> {
    pub loader: Loader<'r>,
    preflight: Preflight<'r>,
    done: HashSet<PathBuf>,
}

pub(super) fn render(run: &Run, vars: &Map, value: &Value) -> Result<Value> {
    let mut stack = Stack::default();
    stack.push(Layer::PlayVars, &Arc::new(vars.clone()));
    stack.push(Layer::Extra, &run.cx.options.extra_vars);
    let vars: Arc<dyn Variables> = Arc::new(stack);
    run.cx.templar.resolve(value, &vars)
}

impl<'r> Reader<'r> {
    pub fn new(run: &'r Run, base: &Path, render: Render<'r>) -> Self {
        let base = base.to_path_buf();
        let mut loader = Loader::new(&HereFiles, &run.cx.library, &run.cx.vault, render, base);
        loader.roles_path.clone_from(&run.cx.options.roles_path);
        loader
            .collections_path
            .clone_from(&run.cx.options.collections_path);
        Self {
            loader,
            preflight: Preflight::new(&run.cx.templar, &run.cx.library),
            done: HashSet::new(),
        }
    }

    pub fn check(&mut self, items: &[Item]) {
        self.preflight.items(items);
    }

    pub fn finish(mut self) -> Findings {
        let mut problems = self.preflight.finish();
        let mut findings = Findings::default();
        findings.errors.append(&mut self.loader.problems.errors);
        findings.errors.append(&mut problems.errors);
        findings.warnings.append(&mut self.loader.problems.warnings);
        findings.warnings.append(&mut problems.warnings);
        findings
    }

    /// The tasks of `include_tasks` with a plain name.
    pub fn included(&mut self, task: &Task) -> Vec<Item> {
        let Some(Value::Str(name)) = task.free_or("file").map(|s| s.value) else {
            return Vec::new();
        };
        // That it is not there was told by the check before a run.
        let before = self.loader.problems.errors.len();
        let found = self.loader.find_tasks(&name, &task.span, &task.scope);
        self.loader.problems.errors.truncate(before);
        let Some(path) = found.filter(|p| self.done.insert(here::real_path(p))) else {
            return Vec::new();
        };
        let scope = task
            .scope
            .parent
            .clone()
            .unwrap_or_else(|| Arc::clone(&task.scope));
        let scope = with_applied(task, scope);
        let items = self.loader.tasks_file(&path, &scope, task.handler);
        self.check(&items);
        items
    }

    /// The tasks of `include_role` with a plain name.
    pub fn role(&mut self, task: &Task) -> Vec<Item> {
        let plain = task.args.named.iter().all(|a| !a.value.has_template());
        let Some(parent) = task.scope.parent.clone().filter(|_| plain) else {
            return Vec::new();
        };
        let before = self.loader.problems.errors.len();
        let call = self.loader.role_call(task, Keywords::default());
        let Some(call) = call else {
            self.loader.problems.errors.truncate(before);
            return Vec::new();
        };
        let parent = with_applied(task, parent);
        let key = PathBuf::from(format!("role {} {}", call.name, call.files.tasks));
        if !self.done.insert(key) {
            return Vec::new();
        }
        let name = task.args.get("name").or_else(|| task.args.get("role"));
        let span = name.map_or(&task.span, |arg| &arg.span);
        let Some(loaded) = self.loader.role(&call, span, &parent) else {
            if !task.scope.all(Kw::When).is_empty() {
                // Perhaps no host ever needs it.
                for error in self.loader.problems.errors.split_off(before) {
                    self.loader.problems.demote(error);
                }
            }
            return Vec::new();
        };
        let mut items = vec![Item::Block(loaded.block)];
        items.extend(loaded.handlers);
        self.check(&items);
        items
    }

    /// Files of tasks of a role that nothing named so far.
    pub fn rest_of(&mut self, role: &Arc<RoleUse>, scope: &Arc<Scope>) -> Vec<Vec<Item>> {
        let mut out = Vec::new();
        if !self.done.insert(here::real_path(&role.path)) {
            return out;
        }
        for (folder, handler) in [("tasks", false), ("handlers", true)] {
            for path in yaml_below(&role.path.join(folder)) {
                if !self.done.insert(here::real_path(&path)) {
                    continue;
                }
                let before = self.loader.problems.errors.len();
                let is_list = self
                    .loader
                    .document(&path)
                    .is_some_and(|n| n.as_seq().is_some());
                self.loader.problems.errors.truncate(before);
                if is_list {
                    let items = self.loader.tasks_file(&path, scope, handler);
                    self.check(&items);
                    out.push(items);
                }
            }
        }
        out
    }
}

/// What a dynamic include puts around its tasks by `apply`.
fn with_applied(task: &Task, scope: Arc<Scope>) -> Arc<Scope> {
    match task.args.get("apply").map(|a| &a.value) {
        Some(Value::Map(apply)) => {
            let keywords = scope::applied(apply, &task.span);
            Scope::inside(&scope, ScopeKind::Include, keywords)
        }
        _ => scope,
    }
}
