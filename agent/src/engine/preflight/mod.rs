//! The check before a run: every task's module, parameters, templates, handlers and files, all
//! problems at once, before any host is touched.
//!
//! A mistake stops the run, unless the playbook itself deals with it: in a task whose failure is
//! ignored, rescued or judged by `failed_when`, and in a variable that no other task uses, it is a
//! warning, and the task fails when a host reaches it.

mod arguments;
mod paths;
mod templates;

use super::invoke::no_module;
use super::library::Library;
use super::notify;
use super::options::Options;
use crate::error::{Error, ErrorKind};
use crate::modules::elsewhere;
use crate::playbook::keyword::{Kw, as_bool, plain_text};
use crate::playbook::play::Play;
use crate::playbook::problems::Problems;
use crate::playbook::scope::Scope;
use crate::playbook::task::{Item, Loop, Task};
use crate::source::Span;
use crate::template::Templar;
use crate::value::Value;
use std::collections::HashSet;
use std::path::PathBuf;
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
