//! What is linted: playbooks, roles, files of tasks, and all that they include.

use super::words::Words;
use super::{Check, Found, Rule, rules};
use lks_agent::engine::job::Findings;
use lks_agent::engine::preflight::Preflight;
use lks_agent::engine::{Absent, HereFiles, Run};
use lks_agent::error::{Error, ErrorKind, Result, nearest};
use lks_agent::host::here;
use lks_agent::playbook::keyword::Kw;
use lks_agent::playbook::load::Loader;
use lks_agent::playbook::play::Play;
use lks_agent::playbook::role::{RoleCall, RoleUse};
use lks_agent::playbook::scope::{self, Keywords, Scope, ScopeKind};
use lks_agent::playbook::task::{Block, Item, Task};
use lks_agent::playbook::yaml::{self, Node};
use lks_agent::source::{SourceFile, Span};
use lks_agent::template::Variables;
use lks_agent::value::{Map, Value};
use lks_agent::vars::{Layer, Stack};
use std::cell::OnceCell;
use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a path on the command line is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A playbook.
    Playbook(PathBuf),
    /// A role's folder.
    Role(PathBuf),
    /// A file of tasks or handlers.
    Tasks(PathBuf),
}

/// What was read.
#[derive(Default)]
pub struct Project {
    /// Plays of the playbooks.
    pub plays: Vec<Arc<Play>>,
    /// Every task and handler, each once.
    pub tasks: Vec<Arc<Task>>,
    /// Every block that was written as one.
    pub blocks: Vec<Arc<Block>>,
    /// Lists of tasks and blocks, as they run one after another.
    pub lists: Vec<Vec<Item>>,
    /// Roles in use.
    pub roles: Vec<Arc<RoleUse>>,
    /// Files of variables, read as trees.
    pub variables: Vec<Node>,
    /// Whether the inventory is known, so that every variable must be in it or in a file.
    pub closed: bool,
    /// Whether a role or file was named that is not there: it might define and use anything.
    pub incomplete: bool,
    /// Names of variables that were given on the command line.
    pub extra: HashSet<String>,
    errors: Vec<Error>,
    warnings: Vec<(String, Option<Span>)>,
    absent: Vec<Absent>,
    folders: Vec<PathBuf>,
    words: OnceCell<Words>,
    task_trees: OnceCell<Vec<Node>>,
    /// Whether every use of a variable can be seen, once that was worked out.
    pub whole: OnceCell<bool>,
    sources: HashSet<String>,
    /// Files of variables that were read, each by its real path.
    read: HashSet<PathBuf>,
    seen: HashSet<(String, u32, u32)>,
}

/// What the paths on the command line are.
///
/// # Errors
/// When one does not exist.
pub fn targets(paths: &[String]) -> Result<Vec<Target>> {
    let mut out = Vec::new();
    for path in paths {
        let path = PathBuf::from(path);
        if here::is_dir(&path) {
            folder(&path, &mut out);
            if out.is_empty() {
                below(&path, DEPTH, &mut out);
            }
        } else if here::is_file(&path) {
            out.extend(file(&path));
        } else {
            return Err(Error::new(
                ErrorKind::Usage,
                format!("{} does not exist", path.display()),
            ));
        }
    }
    Ok(out)
}

/// How deep below a repository's top its playbooks are looked for.
const DEPTH: u8 = 3;

/// The playbooks and roles in the folders of a folder that has none of its own, such as `deploy/ansible`.
fn below(path: &Path, depth: u8, out: &mut Vec<Target>) {
    for name in here::list(path).unwrap_or_default() {
        let dir = path.join(&name);
        if name.starts_with('.') || !here::is_dir(&dir) {
            continue;
        }
        let before = out.len();
        folder(&dir, out);
        if out.len() == before && depth > 1 {
            below(&dir, depth - 1, out);
        }
    }
}

fn is_role(path: &Path) -> bool {
    ["tasks", "handlers", "meta", "defaults"].iter().any(|d| {
        ["main.yml", "main.yaml"]
            .iter()
            .any(|f| here::is_file(&path.join(d).join(f)))
    })
}

/// A role, or the playbooks and roles in a folder.
fn folder(path: &Path, out: &mut Vec<Target>) {
    if is_role(path) {
        return out.push(Target::Role(path.to_path_buf()));
    }
    for dir in [path.to_path_buf(), path.join("playbooks")] {
        for name in here::list(&dir).unwrap_or_default() {
            let is_yaml = name.ends_with(".yml") || name.ends_with(".yaml");
            if is_yaml && here::is_file(&dir.join(&name)) {
                let found = file(&dir.join(&name));
                out.extend(
                    found
                        .into_iter()
                        .filter(|t| matches!(t, Target::Playbook(_))),
                );
            }
        }
    }
    let roles = path.join("roles");
    for name in here::list(&roles).unwrap_or_default() {
        if is_role(&roles.join(&name)) {
            out.push(Target::Role(roles.join(name)));
        }
    }
}

/// A file that holds plays, or tasks; what cannot be read is taken for a playbook, which says why.
fn file(path: &Path) -> Option<Target> {
    let playbook = Some(Target::Playbook(path.to_path_buf()));
    let Ok(Some(text)) = here::read_text(path) else {
        return playbook;
    };
    let Ok(loaded) = yaml::load(&SourceFile::new(path.display().to_string(), text)) else {
        return playbook;
    };
    let first = loaded.docs.first()?;
    let entries = first.as_seq()?;
    let is_play = |n: &Node| {
        [
            "hosts",
            "import_playbook",
            "ansible.builtin.import_playbook",
        ]
        .iter()
        .any(|k| n.get(k).is_some())
    };
    if entries.iter().any(is_play) {
        playbook
    } else if entries.iter().any(|n| n.as_map().is_some()) {
        Some(Target::Tasks(path.to_path_buf()))
    } else {
        None
    }
}

impl Project {
    /// Of a run that was read ([`lks_agent::engine::job::Job::look`]), and of roles and files of tasks.
    #[must_use]
    pub fn of(run: Option<&Run>, findings: Findings, targets: &[Target]) -> Self {
        let mut project = Self {
            errors: findings.errors,
            warnings: findings.warnings,
            absent: findings.absent,
            ..Self::default()
        };
        let Some(run) = run else {
            return project;
        };
        project.extra = run
            .cx
            .options
            .extra_vars
            .keys()
            .map(ToString::to_string)
            .collect();
        for (path, plays) in &run.playbooks {
            project.plays(run, Path::new(path), plays);
        }
        project.extra.extend(given_by_inventory(run));
        for target in targets {
            match target {
                Target::Playbook(_) => {}
                Target::Role(path) => project.role(run, path),
                Target::Tasks(path) => project.lone_tasks(run, path),
            }
        }
        project.take_in();
        project.missing();
        project
    }

    /// Whatever a playbook loads is part of the project, wherever it lies.
    fn take_in(&mut self) {
        let folders: Vec<PathBuf> = self.folders.iter().map(|f| here::real_path(f)).collect();
        let outside: BTreeSet<PathBuf> = (self.sources.iter())
            .filter_map(|name| {
                here::real_path(Path::new(name))
                    .parent()
                    .map(Path::to_path_buf)
            })
            .filter(|dir| !folders.iter().any(|f| dir.starts_with(f)))
            .collect();
        self.folders.extend(outside);
    }

    /// The words of all files of the project.
    pub fn words(&self) -> &Words {
        self.words.get_or_init(|| Words::below(&self.folders))
    }

    /// Playbooks and files of tasks as trees: every place is known in them.
    pub fn task_trees(&self) -> &[Node] {
        self.task_trees.get_or_init(|| {
            let known: HashSet<&str> = self.variables.iter().map(|n| &*n.span.file.name).collect();
            let mut names: Vec<&String> = self.sources.iter().collect();
            names.sort();
            let names = names.into_iter().filter(|n| !known.contains(n.as_str()));
            names
                .filter_map(|name| {
                    let text = here::read_text(Path::new(name)).ok().flatten()?;
                    yaml::load(&SourceFile::new(name.as_str(), text)).ok()
                })
                .flat_map(|loaded| loaded.docs)
                .collect()
        })
    }

    /// All files as trees.
    pub fn trees(&self) -> impl Iterator<Item = &Node> {
        self.variables.iter().chain(self.task_trees())
    }

    /// How many files were read.
    #[must_use]
    pub fn files(&self) -> usize {
        self.sources.len()
    }

    /// What reading found, under the rule whose words the message holds.
    pub fn read_by(&self, rule: &Rule) -> Vec<Found> {
        let is_mine = |text: &str| std::ptr::eq(reader_rule(text), rule);
        let mut out: Vec<Found> = Vec::new();
        for error in &self.errors {
            if rule.level == super::Level::Error && is_mine(&error.message()) {
                out.push(Found {
                    message: error.message(),
                    span: error.span().cloned(),
                    hint: (!error.hints().is_empty())
                        .then(|| error.hints().join("; "))
                        .or_else(|| self.near_handler(&error.message())),
                    task: None,
                    secret: false,
                });
            }
        }
        let plain = |message: String, span: &Option<Span>, hint: Option<String>| Found {
            message,
            span: span.clone(),
            hint,
            task: None,
            secret: false,
        };
        if rule.id == "look-again" {
            let all = self.warnings.iter();
            out.extend(all.map(|(text, span)| plain(text.clone(), span, None)));
        }
        if rule.id == "not-available" {
            out.extend(self.absent.iter().map(|a| {
                let message = format!("the {} `{}` is not available in lks", a.what, a.name);
                plain(
                    message,
                    &a.span,
                    Some(format!("it is of {}; a run would be refused", a.from)),
                )
            }));
        }
        out
    }

    /// The handler that was meant, when a message is about one that is not there.
    fn near_handler(&self, message: &str) -> Option<String> {
        let name = message.split_once("handler '")?.1.split('\'').next()?;
        let handlers = self.tasks.iter().filter(|t| t.handler);
        let names: Vec<String> = handlers.map(|t| t.title()).collect();
        let near = nearest(name, names.iter().map(String::as_str))?;
        Some(format!("did you mean `{near}`?"))
    }

    fn plays(&mut self, run: &Run, path: &Path, plays: &[Arc<Play>]) {
        self.closed |= !run.groups.is_this_machine();
        let base = path.parent().map(Path::to_path_buf).unwrap_or_default();
        self.folder(&root_of(&base));
        let render = |value: &Value, vars: &Map| render(run, vars, value);
        let mut reader = Reader::new(run, &base, &render);
        for play in plays {
            self.sources.insert(play.span.file.name.clone());
            self.plays.push(Arc::clone(play));
            for role in &play.roles {
                self.know_role(role);
            }
            for list in [
                &play.pre_tasks,
                &play.tasks,
                &play.post_tasks,
                &play.handlers,
            ] {
                self.list(list, &mut reader);
            }
        }
        self.finish(reader);
    }

    fn role(&mut self, run: &Run, path: &Path) {
        let path = here::absolute(path);
        let base = path.parent().map(Path::to_path_buf).unwrap_or_default();
        self.folder(&root_of(&base));
        let render = |value: &Value, vars: &Map| render(run, vars, value);
        let mut reader = Reader::new(run, &base, &render);
        let root = Scope::root(ScopeKind::Play, Keywords::default());
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned());
        let call = RoleCall {
            name: name.unwrap_or_default(),
            public: true,
            ..RoleCall::default()
        };
        let file = SourceFile::new(path.display().to_string(), "");
        let span = Span::new(&file, 1, 1, 1);
        if let Some(loaded) = reader.loader.role(&call, &span, &root) {
            for role in &loaded.uses {
                self.know_role(role);
            }
            let mut list = vec![Item::Block(loaded.block)];
            list.extend(loaded.handlers);
            reader.check(&list);
            self.list(&list, &mut reader);
        }
        self.finish(reader);
    }

    fn lone_tasks(&mut self, run: &Run, path: &Path) {
        let base = path.parent().map(Path::to_path_buf).unwrap_or_default();
        let render = |value: &Value, vars: &Map| render(run, vars, value);
        let mut reader = Reader::new(run, &base, &render);
        let root = Scope::root(ScopeKind::Play, Keywords::default());
        let handler = base.file_name().is_some_and(|n| n == "handlers");
        let items = reader.loader.tasks_file(path, &root, handler);
        reader.check(&items);
        self.list(&items, &mut reader);
        self.folder(&root_of(&base));
        self.finish(reader);
    }

    fn finish(&mut self, reader: Reader<'_>) {
        let mut findings = reader.finish();
        findings.set_aside_absent(&self.folders);
        self.errors.append(&mut findings.errors);
        self.warnings.append(&mut findings.warnings);
        self.absent.append(&mut findings.absent);
    }

    fn folder(&mut self, path: &Path) {
        let path = here::absolute(path);
        if !self.folders.contains(&path) {
            self.folders.push(path);
        }
    }

    /// Remembers a role: its files of variables are looked at, too.
    fn know_role(&mut self, role: &Arc<RoleUse>) {
        if self.roles.iter().any(|r| r.path == role.path) {
            return;
        }
        self.folder(&role.path);
        self.roles.push(Arc::clone(role));
        for folder in ["defaults", "vars"] {
            self.variables_below(&role.path.join(folder));
        }
    }

    fn variables_below(&mut self, dir: &Path) {
        for name in here::list(dir).unwrap_or_default() {
            let path = dir.join(&name);
            if here::is_dir(&path) {
                self.variables_below(&path);
            } else if name.ends_with(".yml") || name.ends_with(".yaml") {
                self.variables_file(&path);
            }
        }
    }

    fn variables_file(&mut self, path: &Path) {
        let name = path.display().to_string();
        let Ok(Some(text)) = here::read_text(path) else {
            return;
        };
        // One file may be reached from here and by its whole path.
        let is_new = self.read.insert(here::real_path(path));
        if text.starts_with("$ANSIBLE_VAULT;") || !is_new || !self.sources.insert(name.clone()) {
            return;
        }
        if let Ok(loaded) = yaml::load(&SourceFile::new(name, text)) {
            self.variables.extend(loaded.docs);
        }
    }

    fn list(&mut self, items: &[Item], reader: &mut Reader<'_>) {
        if items.is_empty() {
            return;
        }
        self.lists.push(items.to_vec());
        for item in items {
            match item {
                Item::Block(block) => self.block(block, reader),
                Item::Task(task) => self.task(task, reader),
            }
        }
    }

    fn block(&mut self, block: &Arc<Block>, reader: &mut Reader<'_>) {
        if let Some(role) = &block.role {
            self.know_role(role);
        }
        self.blocks.push(Arc::clone(block));
        for part in [&block.body, &block.rescue, &block.always] {
            self.list(part, reader);
        }
        if let Some(role) = &block.role {
            // Files that only a template names: whatever it names, they are all that can be meant.
            let rest = reader.rest_of(role, &block.scope);
            for list in rest {
                self.list(&list, reader);
            }
        }
    }

    fn task(&mut self, task: &Arc<Task>, reader: &mut Reader<'_>) {
        let place = &task.span;
        self.sources.insert(place.file.name.clone());
        let key = (place.file.name.clone(), place.line, place.column);
        if !self.seen.insert(key) {
            return;
        }
        self.tasks.push(Arc::clone(task));
        let list = match task.short_module() {
            "include_tasks" => reader.included(task),
            "include_role" => reader.role(task),
            _ => return,
        };
        self.list(&list, reader);
    }

    /// Whether something was named that is not there.
    fn missing(&mut self) {
        let gone = |text: &str| {
            text.contains("was not found") && !text.contains("handler")
                || text.contains("does not exist")
                || text.contains("cannot")
        };
        self.incomplete = self.errors.iter().any(|e| gone(&e.message()))
            || self.warnings.iter().any(|(text, _)| gone(text));
        for folder in self.folders.clone() {
            for near in ["group_vars", "host_vars", "vars"] {
                self.variables_below(&folder.join(near));
            }
        }
        for play in self.plays.clone() {
            for near in ["group_vars", "host_vars", "vars"] {
                self.variables_below(&play.dir.join(near));
            }
        }
    }
}

/// The rule under which a message of the reader goes: the one with the longest of its words in it.
fn reader_rule(message: &str) -> &'static Rule {
    let mut best: Option<(&'static Rule, usize)> = None;
    for rule in rules::all() {
        let Check::Reader(words) = rule.check else {
            continue;
        };
        let fits = words.iter().filter(|w| message.contains(**w));
        if let Some(len) = fits.map(|w| w.len()).max()
            && best.is_none_or(|(_, l)| len > l)
        {
            best = Some((rule, len));
        }
    }
    best.map_or(&rules::reader::UNREADABLE, |(rule, _)| rule)
}

/// The project's folder: the nearest one around that says so, else the one given.
fn root_of(dir: &Path) -> PathBuf {
    let dir = here::absolute(dir);
    let is_root = |p: &&Path| {
        [".git", "ansible.cfg", "galaxy.yml", "roles"]
            .iter()
            .any(|name| here::exists(&p.join(name)))
    };
    let found = dir.ancestors().take(3).find(is_root);
    found.map_or_else(|| dir.clone(), Path::to_path_buf)
}

/// Evaluates what must be known before a run.
type Render<'r> = &'r dyn Fn(&Value, &Map) -> Result<Value>;

/// Reads what tasks include.
struct Reader<'r> {
    loader: Loader<'r>,
    preflight: Preflight<'r>,
    done: HashSet<PathBuf>,
}

fn render(run: &Run, vars: &Map, value: &Value) -> Result<Value> {
    let mut stack = Stack::default();
    stack.push(Layer::PlayVars, &Arc::new(vars.clone()));
    stack.push(Layer::Extra, &run.cx.options.extra_vars);
    let vars: Arc<dyn Variables> = Arc::new(stack);
    run.cx.templar.resolve(value, &vars)
}

impl<'r> Reader<'r> {
    fn new(run: &'r Run, base: &Path, render: Render<'r>) -> Self {
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

    fn check(&mut self, items: &[Item]) {
        self.preflight.items(items);
    }

    fn finish(mut self) -> Findings {
        let mut problems = self.preflight.finish();
        let mut findings = Findings::default();
        findings.errors.append(&mut self.loader.problems.errors);
        findings.errors.append(&mut problems.errors);
        findings.warnings.append(&mut self.loader.problems.warnings);
        findings.warnings.append(&mut problems.warnings);
        findings
    }

    /// The tasks of `include_tasks` with a plain name.
    fn included(&mut self, task: &Task) -> Vec<Item> {
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
    fn role(&mut self, task: &Task) -> Vec<Item> {
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
    fn rest_of(&mut self, role: &Arc<RoleUse>, scope: &Arc<Scope>) -> Vec<Vec<Item>> {
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

/// Names of the variables that inventories give the hosts of the plays.
fn given_by_inventory(run: &Run) -> HashSet<String> {
    let plays = run.playbooks.iter().flat_map(|(_, plays)| plays);
    let hosts: BTreeSet<_> = plays.flat_map(|play| run.hosts_in(play)).collect();
    let layers = hosts.iter().flat_map(|host| run.inventory_layers(host));
    layers
        .flat_map(|(_, layer)| {
            layer
                .vars
                .values()
                .keys()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        })
        .collect()
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

fn yaml_below(dir: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for name in here::list(dir).unwrap_or_default() {
        let path = dir.join(&name);
        if here::is_dir(&path) {
            out.extend(yaml_below(&path));
        } else if name.ends_with(".yml") || name.ends_with(".yaml") {
            out.push(path);
        }
    }
    out
}
