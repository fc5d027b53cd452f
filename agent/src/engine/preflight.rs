//! The check before a run: every task's module, parameters, templates, handlers and files, all
//! problems at once, before any host is touched.
//!
//! A mistake stops the run, unless the playbook itself deals with it: in a task whose failure is
//! ignored, rescued or judged by `failed_when`, and in a variable that no other task uses, it is a
//! warning, and the task fails when a host reaches it.

use super::files;
use super::invoke::no_module;
use super::library::Library;
use super::notify;
use super::options::Options;
use crate::error::{Error, ErrorKind};
use crate::module::{ModuleDef, ParamSpec, about};
use crate::modules::elsewhere;
use crate::playbook::keyword::{Kw, Setting, as_bool, check_type, plain_text};
use crate::playbook::play::Play;
use crate::playbook::problems::Problems;
use crate::playbook::scope::Scope;
use crate::playbook::task::{Arg, Item, Loop, Task, TaskArgs};
use crate::source::Span;
use crate::template::Templar;
use crate::value::Value;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A role that a task includes by a plain name.
pub struct DynamicRole {
    /// Its name.
    pub name: String,
    /// Where that stands.
    pub span: Span,
    /// What surrounds the task.
    pub scope: Arc<Scope>,
    /// The playbook deals with the failure if there is no such role.
    pub handled: bool,
    /// No task stands before this one.
    pub first: bool,
}

/// Collects what is wrong with plays.
pub struct Preflight<'a> {
    templar: &'a Templar,
    library: &'a Library,
    /// What was found.
    pub problems: Problems,
    /// Roles that tasks include by a plain name: whoever has the loader looks for them.
    pub roles: Vec<DynamicRole>,
    /// How many tasks were looked at.
    tasks: usize,
    /// Whether a failure of what is being looked at is dealt with by the playbook.
    handled: bool,
    /// Mistakes in variables, which matter only where the variable is used.
    in_variables: Vec<(String, Error)>,
    /// Names that stand in templates and conditions of tasks whose failure is not handled.
    used: HashSet<String>,
    /// Paths that tasks named so far write to: on this machine, they may be files of the playbook's side later.
    made: HashSet<String>,
    dir: PathBuf,
    handlers: Vec<String>,
    dynamic_handlers: bool,
    /// Whether a handler that nobody defined is an error (`error_on_missing_handler`).
    pub missing_handlers_are_errors: bool,
    /// The run's options, where there is to be one: their tags leave tasks out.
    pub options: Option<&'a Options>,
}

impl<'a> Preflight<'a> {
    /// A check with these templates' filters and tests.
    #[must_use]
    pub fn new(templar: &'a Templar, library: &'a Library) -> Self {
        Self {
            templar,
            library,
            problems: Problems::default(),
            roles: Vec::new(),
            tasks: 0,
            handled: false,
            in_variables: Vec::new(),
            used: HashSet::new(),
            made: HashSet::new(),
            dir: PathBuf::new(),
            handlers: Vec::new(),
            // Alone, a file of tasks does not know the handlers of its play.
            dynamic_handlers: true,
            missing_handlers_are_errors: true,
            options: None,
        }
    }

    /// For tasks that stand in a block with `rescue` (of whoever includes them).
    #[must_use]
    pub fn handled(mut self, handled: bool) -> Self {
        self.handled = handled;
        self
    }

    /// What was found, mistakes in variables included.
    #[must_use]
    pub fn finish(mut self) -> Problems {
        for (name, error) in std::mem::take(&mut self.in_variables) {
            if self.used.contains(&name) {
                self.problems.error(error);
            } else {
                let what = format!("the variable `{name}` cannot be evaluated");
                self.problems.demote(error.context(what));
            }
        }
        self.problems
    }

    /// Keeps a mistake: an error, or a warning where the playbook deals with the failure.
    fn found(&mut self, error: Error) {
        if self.handled {
            self.problems.demote(error);
        } else {
            self.problems.error(error);
        }
    }

    /// Checks a play.
    pub fn play(&mut self, play: &Play) {
        self.dir.clone_from(&play.dir);
        self.handlers.clear();
        self.dynamic_handlers = false;
        self.know_handlers(&play.handlers);
        for section in [&play.pre_tasks, &play.tasks, &play.post_tasks] {
            self.dynamic_handlers |= includes_role(section);
        }
        for (kw, setting) in play.scope.keywords.iter() {
            // Tasks are looked at one by one below.
            let tasks = matches!(kw, Kw::Tasks | Kw::PreTasks | Kw::PostTasks | Kw::Handlers);
            if !tasks {
                self.keyword(*kw, setting);
            }
        }
        self.vars_files(play);
        for section in [
            &play.pre_tasks,
            &play.tasks,
            &play.post_tasks,
            &play.handlers,
        ] {
            self.items(section);
        }
    }

    /// Checks tasks and blocks.
    pub fn items(&mut self, items: &[Item]) {
        for item in items {
            match item {
                Item::Task(task) => self.task(task),
                Item::Block(block) => {
                    let around = self.handled;
                    self.handled |= !block.rescue.is_empty();
                    for (kw, setting) in block.scope.keywords.iter() {
                        self.keyword(*kw, setting);
                    }
                    self.items(&block.body);
                    self.handled = around;
                    self.items(&block.rescue);
                    self.items(&block.always);
                }
            }
        }
    }

    fn know_handlers(&mut self, items: &[Item]) {
        for item in items {
            match item {
                Item::Block(block) => self.know_handlers(&block.body),
                Item::Task(task) => {
                    if matches!(task.short_module(), "include_tasks" | "include_role") {
                        self.dynamic_handlers = true;
                    }
                    if let Some(name) = task.name() {
                        self.dynamic_handlers |= matches!(name.value, Value::Template(_));
                        let own = plain_text(&name.value);
                        self.handlers.extend(notify::in_role(task, &own));
                        self.handlers.push(own);
                    }
                    self.handlers.extend(notify::listens(task));
                }
            }
        }
    }

    fn task(&mut self, task: &Task) {
        let around = self.handled;
        self.handled |= deals_with_failure(task);
        self.tasks += 1;
        self.parts(task);
        self.handled = around;
    }

    /// Whether the task may well not run: what it lacks is then no reason to refuse the playbook.
    fn may_rest(&self, task: &Task) -> bool {
        let tagged = task.scope.all(Kw::Tags);
        let known = !tagged.iter().any(|s| s.value.has_template());
        !task.scope.all(Kw::When).is_empty()
            || self
                .options
                .is_some_and(|o| known && !o.selects_tags(&task.scope.tags()))
    }

    fn parts(&mut self, task: &Task) {
        for (kw, setting) in task.scope.keywords.iter() {
            self.keyword(*kw, setting);
        }
        if let Some(Loop::Over(setting) | Loop::With(_, setting)) = &task.looped {
            self.templates(&setting.value, &setting.span);
        }
        if let Some(Loop::With(name, setting)) = &task.looped {
            self.lookup(name, &setting.span);
        }
        self.notifies(task);
        for arg in &task.args.named {
            self.templates(&arg.value, &arg.span);
        }
        for setting in task.args.free.iter().chain(&task.args.whole) {
            self.templates(&setting.value, &setting.span);
        }
        match self.library.find(&task.module) {
            Some(def) => self.arguments(task, def),
            // Which module it is, is told when a host comes to it.
            None if task.module.contains("{{") => {}
            None => self.no_module(task),
        }
    }

    /// A module that lks does not have. Playbooks for several systems name those of the others under
    /// conditions: there it is a warning, and a failure only where such a task is really reached.
    fn no_module(&mut self, task: &Task) {
        let (name, span) = (&task.module, &task.module_span);
        let owner = elsewhere::collection_of(name);
        match owner.filter(|_| self.may_rest(task)) {
            Some(owner) => self.problems.demote(
                Error::params(format!(
                    "couldn't resolve module/action '{name}': lks has no such module of {owner}; \
                     the task fails if its condition holds"
                ))
                .at(span),
            ),
            None => self.found(no_module(name).at(span)),
        }
    }

    /// Templates and conditions of a keyword.
    fn keyword(&mut self, kw: Kw, setting: &Setting) {
        if let Err(error) = check_type(kw, &setting.value, &setting.span) {
            self.found(error);
        }
        if kw == Kw::Vars {
            return self.variables(setting);
        }
        let is_condition = matches!(kw, Kw::When | Kw::Until | Kw::ChangedWhen | Kw::FailedWhen);
        if !is_condition {
            self.templates(&setting.value, &setting.span);
            return;
        }
        for condition in setting.items() {
            let span = match &condition {
                Value::Template(t) => t.span.as_ref().unwrap_or(&setting.span).clone(),
                _ => setting.span.clone(),
            };
            if let Some(text) = condition.as_str() {
                self.uses(text);
                if let Err(error) = self.templar.check_condition(text, Some(&span)) {
                    self.found(error.at(&span));
                }
            }
        }
    }

    /// `vars:` are evaluated only where they are used.
    fn variables(&mut self, setting: &Setting) {
        for map in setting.items() {
            for (name, value) in map.as_map().into_iter().flatten() {
                let name = name.to_string();
                let mut errors = Vec::new();
                self.each_template(value, &setting.span, &mut |this, text, span| {
                    this.uses(text);
                    if let Err(error) = this.templar.check(text, Some(span)) {
                        errors.push((name.clone(), error.at(span)));
                    }
                });
                self.in_variables.append(&mut errors);
            }
        }
    }

    /// Remembers the names in a template or condition.
    fn uses(&mut self, text: &str) {
        if !self.handled {
            let words = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
            self.used.extend(words.map(str::to_string));
        }
    }

    fn each_template(
        &mut self,
        value: &Value,
        span: &Span,
        look: &mut dyn FnMut(&mut Self, &str, &Span),
    ) {
        match value {
            Value::Template(t) => look(self, &t.text, t.span.as_ref().unwrap_or(span)),
            Value::List(items) => items.iter().for_each(|v| self.each_template(v, span, look)),
            Value::Map(map) => map.values().for_each(|v| self.each_template(v, span, look)),
            _ => {}
        }
    }

    /// Compiles every template inside a value.
    fn templates(&mut self, value: &Value, span: &Span) {
        self.each_template(value, span, &mut |this, text, span| {
            this.uses(text);
            if let Err(error) = this.templar.check(text, Some(span)) {
                this.found(error.at(span));
            }
        });
    }

    fn lookup(&mut self, name: &str, span: &Span) {
        let short = name.rsplit('.').next().unwrap_or(name);
        let names: Vec<&str> = crate::template::lookup_docs().map(|d| d.name).collect();
        if !names.contains(&short) {
            self.found(
                Error::new(ErrorKind::Syntax, format!("there is no loop `with_{name}`"))
                    .at(span)
                    .did_you_mean(short, names.iter().copied()),
            );
        }
    }

    /// Handlers that are named must exist.
    fn notifies(&mut self, task: &Task) {
        if self.dynamic_handlers {
            return;
        }
        let Some(setting) = task.own(Kw::Notify) else {
            return;
        };
        for item in setting.items() {
            let Value::Str(name) = &item else {
                continue;
            };
            if !self.handlers.iter().any(|h| h == &**name) {
                let known = self.handlers.clone();
                let said = notify::no_such_handler(name);
                if !self.missing_handlers_are_errors || self.may_rest(task) {
                    self.problems.warn(said, Some(&setting.place_of(name)));
                    continue;
                }
                self.found(
                    Error::new(ErrorKind::Syntax, said)
                        .at(&setting.place_of(name))
                        .did_you_mean(name, known.iter().map(String::as_str)),
                );
            }
        }
    }

    /// A task's arguments against its module's parameters.
    fn arguments(&mut self, task: &Task, def: &'static ModuleDef) {
        let specs = def.params();
        let known = |name: &str| specs.iter().find(|s| s.is_named(name));
        for arg in &task.args.named {
            match known(&arg.name) {
                Some(spec) => self.argument(spec, arg),
                None if def.any_name => {}
                None => self.unknown_parameter(def, &specs, arg),
            }
        }
        self.free_form(task, def, &specs);
        if task.args.whole.is_none() && !self.has_defaults(task, def) {
            self.required(task, def, &specs);
            self.rules(task, def, &specs);
        }
        self.files(task, def);
    }

    fn argument(&mut self, spec: &ParamSpec, arg: &Arg) {
        if arg.value.has_template() || matches!(arg.value, Value::Null) {
            return;
        }
        if arg.name.ends_with("_from") && matches!(arg.value, Value::List(_) | Value::Map(_)) {
            // Ansible's words for the files of a role.
            let error = crate::playbook::role::not_text(&arg.name, &arg.value);
            return self.found(error.at(&arg.span));
        }
        if let Err(error) = (spec.check)(&arg.value) {
            self.found(about(&arg.name, spec.kind, &arg.value, error).at(&arg.span));
        }
    }

    fn unknown_parameter(&mut self, def: &ModuleDef, specs: &[ParamSpec], arg: &Arg) {
        let names = specs
            .iter()
            .flat_map(|s| std::iter::once(s.name).chain(s.aliases.iter().copied()));
        let mut error = Error::params(format!(
            "Unsupported parameters for ({}) module: {}",
            def.short_name(),
            arg.name
        ))
        .at(&arg.name_span)
        .did_you_mean(&arg.name, names);
        if error.hints().is_empty() {
            let is_keyword = Kw::ALL.iter().any(|kw| kw.name() == &*arg.name);
            error = error.hint(if is_keyword {
                format!(
                    "`{}` is a keyword of the task: move it to the left, below the module's name",
                    arg.name
                )
            } else {
                format!("`lks-ctl doc {}` lists the parameters", def.short_name())
            });
        }
        self.found(error);
    }

    fn free_form(&mut self, task: &Task, def: &ModuleDef, specs: &[ParamSpec]) {
        let Some(free) = &task.args.free else {
            return;
        };
        if def.free_form.is_none() {
            let first = specs.iter().find(|s| s.required).map_or("name", |s| s.name);
            self.found(
                Error::params(format!(
                    "Action '{}' does not support raw params: it takes no free text",
                    def.short_name()
                ))
                .at(&free.span)
                .hint(format!("write `{}: {first}=…`", def.short_name())),
            );
        }
    }

    fn required(&mut self, task: &Task, def: &ModuleDef, specs: &[ParamSpec]) {
        let missing: Vec<&str> = specs
            .iter()
            .filter(|s| s.required && !is_given(task, def, s))
            .map(|s| s.name)
            .collect();
        if missing.is_empty() {
            return;
        }
        self.found(
            Error::params(format!(
                "`{}`: missing required arguments: {}",
                def.short_name(),
                missing.join(", ")
            ))
            .at(&task.module_span),
        );
    }

    fn rules(&mut self, task: &Task, def: &ModuleDef, specs: &[ParamSpec]) {
        let given = |name: &str| -> Option<Value> {
            let spec = specs.iter().find(|s| s.is_named(name))?;
            if is_free_form(def, spec)
                && let Some(free) = &task.args.free
            {
                return Some(free.value.clone());
            }
            argument_of(&task.args, spec).map(|a| a.value.clone())
        };
        for rule in (def.rules)() {
            if let Err(error) = rule.check(&given) {
                self.found(
                    error
                        .context(format!("`{}`", def.short_name()))
                        .at(&task.module_span),
                );
            }
        }
    }

    fn has_defaults(&self, task: &Task, def: &'static ModuleDef) -> bool {
        task.scope.all(Kw::ModuleDefaults).iter().any(|setting| {
            setting.items().iter().any(|item| {
                item.as_map().is_some_and(|map| {
                    map.keys().any(|k| {
                        let name = k.to_string();
                        name.starts_with("group/")
                            || self
                                .library
                                .find(&name)
                                .is_some_and(|m| std::ptr::eq(m, def))
                    })
                })
            })
        })
    }

    /// Files of the playbook's side that a task names without a template.
    fn files(&mut self, task: &Task, def: &ModuleDef) {
        let said = |name: &str| {
            let arg = task.args.get(name)?;
            Some(as_bool(&plain_text(&arg.value)))
        };
        let remote = match (said("remote_src"), said("copy")) {
            (Some(remote), _) => remote != Some(false),
            (None, Some(copy)) => copy != Some(true),
            (None, None) => def.from_host,
        };
        let mut named: Vec<(Value, Span, &str)> = Vec::new();
        if !remote && task.args.get("content").is_none() {
            for (param, folder) in def.assets {
                if let Some(arg) = task.args.get(param) {
                    named.push((arg.value.clone(), arg.span.clone(), folder));
                }
            }
        }
        let includes = match def.short_name() {
            "include_tasks" => Some("tasks"),
            "include_vars" if task.args.get("dir").is_none() => Some("vars"),
            _ => None,
        };
        if let Some(folder) = includes
            && let Some(setting) = task.free_or("file")
        {
            named.push((setting.value, setting.span, folder));
        }
        self.role(task, def);
        for (value, span, folder) in named {
            if let Value::Str(name) = &value {
                self.file(task, folder, name, &span);
            }
        }
        for param in ["dest", "path", "creates"] {
            if let Some(Value::Str(path)) = task.args.get(param).map(|arg| &arg.value) {
                self.made.insert(path.to_string());
            }
        }
    }

    fn role(&mut self, task: &Task, def: &ModuleDef) {
        let named = task.args.get("name").or_else(|| task.args.get("role"));
        if def.short_name() == "include_role"
            && !self.may_rest(task)
            && let Some(arg) = named
            && let Value::Str(name) = &arg.value
        {
            self.roles.push(DynamicRole {
                name: name.to_string(),
                span: arg.span.clone(),
                scope: Arc::clone(&task.scope),
                handled: self.handled,
                first: self.tasks == 1,
            });
        }
    }

    fn file(&mut self, task: &Task, folder: &str, name: &str, span: &Span) {
        if name.contains("://") {
            return;
        }
        let mut dirs: Vec<PathBuf> = task.scope.roles().map(|r| r.path.clone()).collect();
        dirs.extend(
            Path::new(&task.span.file.name)
                .parent()
                .map(Path::to_path_buf),
        );
        dirs.push(self.dir.clone());
        dirs.dedup();
        let found = match folder {
            "tasks" => files::tasks_in(&dirs, task.handler, name),
            _ => files::find_in(&dirs, folder, name),
        };
        let Err(error) = found else {
            return;
        };
        let path = Path::new(name);
        let near = |dir: &PathBuf| !dir.as_os_str().is_empty() && path.starts_with(dir);
        let elsewhere = path.is_absolute() && !dirs.iter().any(near);
        if !self.may_rest(task) && !elsewhere {
            self.found(error.at(span));
        } else if !(elsewhere && self.made.contains(name)) {
            // The condition may keep the task from ever needing the file; one outside the playbook's
            // folders may be made by a task before it.
            self.problems.warn(error.message(), Some(span));
        }
    }

    fn vars_files(&mut self, play: &Play) {
        let Some(setting) = play.scope.keywords.get(Kw::VarsFiles) else {
            return;
        };
        for item in setting.items() {
            if let Value::Str(name) = &item
                && let Err(error) = files::find_in(std::slice::from_ref(&play.dir), "vars", name)
            {
                self.problems.error(error.at(&setting.place_of(name)));
            }
        }
    }
}

/// Whether the playbook deals with a failure of the task: it is ignored (a template may say so), or
/// the task says itself what a failure is.
fn deals_with_failure(task: &Task) -> bool {
    let ignored = task.find(Kw::IgnoreErrors).is_some_and(|s| match &s.value {
        Value::Template(_) => true,
        value => as_bool(&plain_text(value)) == Some(true),
    });
    let judged = task.own(Kw::FailedWhen).is_some_and(|s| {
        s.items()
            .iter()
            .any(|v| as_bool(&plain_text(v)) != Some(true))
    });
    ignored || judged
}

fn argument_of<'t>(args: &'t TaskArgs, spec: &ParamSpec) -> Option<&'t Arg> {
    args.named.iter().find(|a| spec.is_named(&a.name))
}

fn is_given(task: &Task, def: &ModuleDef, spec: &ParamSpec) -> bool {
    argument_of(&task.args, spec).is_some_and(|a| !a.value.is_null())
        || (is_free_form(def, spec) && task.args.free.is_some())
}

/// Whether text in the place of the arguments is this parameter, by its name or another.
fn is_free_form(def: &ModuleDef, spec: &ParamSpec) -> bool {
    def.free_form.is_some_and(|name| spec.is_named(name))
}

/// Whether a dynamic role may bring handlers that are not known yet.
fn includes_role(items: &[Item]) -> bool {
    items.iter().any(|item| match item {
        Item::Task(task) => matches!(task.short_module(), "include_role" | "include_tasks"),
        Item::Block(block) => {
            includes_role(&block.body)
                || includes_role(&block.rescue)
                || includes_role(&block.always)
        }
    })
}
