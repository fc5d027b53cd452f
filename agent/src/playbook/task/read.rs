//! From YAML to tasks and blocks: which key of an entry is what.

use super::action::is_builtin;
use super::{Block, Item, Loop, Parts, Task};
use crate::error::{Error, ErrorKind, nearest};
use crate::playbook::keyword::{HANDLER, Kw, Levels, Setting, TASK, Type, check_type, plain_text};
use crate::playbook::load::Loader;
use crate::playbook::scope::{Keywords, Scope, ScopeKind};
use crate::playbook::yaml::Node;
use crate::value::Value;
use std::sync::Arc;

/// What cannot be a handler, or needs a role around it.
pub(super) fn has_its_place(task: &Task) -> Result<(), Error> {
    let refuse = |text: String| Err(Error::new(ErrorKind::Syntax, text));
    let short = task.short_module();
    let order = task.free_or("_raw_params").map(|s| plain_text(&s.value));
    match (short, order.as_deref(), task.handler) {
        ("include_role" | "import_role", _, true) if is_builtin(&task.module) => refuse(format!(
            "Using '{}' as a handler is not supported.",
            task.written_module()
        )),
        ("meta", Some("flush_handlers"), true) => {
            refuse("flush_handlers cannot be used as a handler".into())
        }
        ("meta", Some("end_role"), true) => {
            refuse("Cannot execute 'end_role' from a handler".into())
        }
        ("meta", Some("end_role"), false) if task.scope.role().is_none() => {
            refuse("Cannot execute 'end_role' from outside of a role".into())
        }
        _ => Ok(()),
    }
}

impl Loader<'_> {
    /// Reads a list of tasks and blocks.
    pub fn items(&mut self, node: &Node, parent: &Arc<Scope>, handler: bool) -> Vec<Item> {
        let Some(entries) = node.as_seq() else {
            if !node.is_null() {
                self.problems.error(
                    node.error(format!(
                        "a list of tasks is needed here, not {}",
                        node.what()
                    ))
                    .hint("each task is an entry that begins with `- `"),
                );
            }
            return Vec::new();
        };
        entries
            .iter()
            .filter(|entry| !entry.is_null())
            .flat_map(|entry| self.item(entry, parent, handler))
            .collect()
    }

    pub(super) fn item(&mut self, node: &Node, parent: &Arc<Scope>, handler: bool) -> Vec<Item> {
        let Some(_) = node.as_map() else {
            self.problems.error(
                node.error(format!("a task must be a mapping, not {}", node.what()))
                    .hint("write `- name: …` and the module below it"),
            );
            return Vec::new();
        };
        if let Some((key, _)) = node.entry("block").filter(|_| handler) {
            self.problems.error(
                key.error("Using a block as a handler is not supported.")
                    .hint("let several handlers `listen` to one topic instead"),
            );
            return Vec::new();
        }
        if node.get("block").is_some() {
            return self.block(node, parent, handler).into_iter().collect();
        }
        for lone in ["rescue", "always"] {
            if let Some((key, _)) = node.entry(lone) {
                self.problems.error(
                    key.error(format!("`{lone}` without a `block`"))
                        .hint(format!("`{lone}:` belongs beside a `block:`")),
                );
                return Vec::new();
            }
        }
        self.task(node, parent, handler)
    }

    pub(super) fn block(
        &mut self,
        node: &Node,
        parent: &Arc<Scope>,
        handler: bool,
    ) -> Option<Item> {
        let level = crate::playbook::keyword::BLOCK;
        let parts = self.parts(node, level);
        for (key, _) in &parts.others {
            self.unknown_keyword(key, level);
        }
        let scope = Scope::inside(parent, ScopeKind::Block, parts.keywords);
        let mut part = |name: &str| {
            node.get(name)
                .map(|n| self.items(n, &scope, handler))
                .unwrap_or_default()
        };
        let (body, rescue, always) = (part("block"), part("rescue"), part("always"));
        Some(Item::Block(Arc::new(Block {
            scope,
            body,
            rescue,
            always,
            role: None,
        })))
    }

    /// Reads the keywords of a mapping at `level`; the rest is handed back.
    pub(super) fn parts(&mut self, node: &Node, level: Levels) -> Parts {
        let mut parts = Parts {
            keywords: Keywords::default(),
            looped: None,
            others: Vec::new(),
        };
        for (key, value) in node.as_map().unwrap_or_default() {
            let Some(name) = key.as_str() else {
                self.problems
                    .error(key.error("the name of a keyword must be text"));
                continue;
            };
            match (Kw::find(name, level), name.strip_prefix("with_")) {
                (Some(Kw::Block | Kw::Rescue | Kw::Always), _) => {}
                (Some(kw), _) => self.set_keyword(&mut parts, kw, level, key, value),
                (None, Some(lookup)) if level.allows(TASK) || level.allows(HANDLER) => {
                    let setting = self.setting(value);
                    self.set_loop(&mut parts, Loop::With(lookup.to_string(), setting), key);
                }
                _ => parts.others.push((key.clone(), value.clone())),
            }
        }
        parts
    }

    pub(super) fn set_keyword(
        &mut self,
        parts: &mut Parts,
        kw: Kw,
        level: Levels,
        key: &Node,
        value: &Node,
    ) {
        let setting = self.setting(value);
        if kw == Kw::Vars {
            self.warn_of_reserved(value);
        }
        if kw == Kw::Loop {
            return self.set_loop(parts, Loop::Over(setting), key);
        }
        if kw == Kw::Register
            && !matches!(setting.value, Value::Template(_) | Value::Null)
            && let Err(error) =
                crate::module::names::check_variable_name(&plain_text(&setting.value))
        {
            self.problems.error(error.at(&value.span));
        }
        if kw == Kw::Register
            && let Some(text) = value.as_str().and_then(crate::playbook::reserved::warning)
        {
            self.problems.warn(text, Some(&value.span));
        }
        if let Err(error) = check_type(kw, &setting.value, &value.span) {
            // A flag of a task that is none fails the task, which its playbook may deal with: the
            // check before the run knows.
            if kw.value_type() != Type::Bool || !(level.allows(TASK) || level.allows(HANDLER)) {
                self.problems.error(error);
                return;
            }
        }
        parts.keywords.set(kw, setting);
    }

    pub(super) fn set_loop(&mut self, parts: &mut Parts, looped: Loop, key: &Node) {
        if parts.looped.is_some() {
            self.problems
                .error(key.error("a task can have only one loop"));
        }
        parts.looped = Some(looped);
    }

    /// A node as a setting; a vault that cannot be opened is a problem.
    pub(in crate::playbook) fn setting(&mut self, node: &Node) -> Setting {
        let value = node.to_value(self.vault);
        Setting {
            value: self.problems.keep(value).unwrap_or_default(),
            span: node.span.clone(),
        }
    }

    /// Reads the keywords that are known at `level`, and hands the other entries back.
    pub(in crate::playbook) fn keywords(
        &mut self,
        node: &Node,
        level: Levels,
    ) -> (Keywords, Vec<(Node, Node)>) {
        let parts = self.parts(node, level);
        (parts.keywords, parts.others)
    }

    pub(super) fn task(&mut self, node: &Node, parent: &Arc<Scope>, handler: bool) -> Vec<Item> {
        let level = if handler { HANDLER } else { TASK };
        let mut parts = self.parts(node, level);
        let Some((module_node, args_node)) = self.module_entry(node, &mut parts, level) else {
            return Vec::new();
        };
        let Some((module, args)) = self.module_and_args(&module_node, &args_node, &mut parts)
        else {
            return Vec::new();
        };
        let task = Task {
            scope: Scope::inside(parent, ScopeKind::Task, parts.keywords),
            span: node.span.clone(),
            module,
            module_span: module_node.span.clone(),
            args,
            looped: parts.looped,
            handler,
        };
        if let Err(error) = has_its_place(&task) {
            self.problems.error(error.at(&task.module_span));
            return Vec::new();
        }
        self.expand(task)
    }

    /// Which entry is the module. Problems: none, several, or a slip in a keyword's name.
    pub(super) fn module_entry(
        &mut self,
        node: &Node,
        parts: &mut Parts,
        level: Levels,
    ) -> Option<(Node, Node)> {
        for kw in [Kw::Action, Kw::LocalAction] {
            if parts.keywords.get(kw).is_some() {
                if kw == Kw::LocalAction {
                    let (key, _) = node.entry("local_action")?;
                    let host = Setting {
                        value: Value::from("localhost"),
                        span: key.span.clone(),
                    };
                    parts.keywords.set(Kw::DelegateTo, host);
                }
                let entry = node.entry(kw.name())?.clone();
                for (key, _) in std::mem::take(&mut parts.others) {
                    self.unknown_keyword(&key, level);
                }
                return Some(entry);
            }
        }
        let others = std::mem::take(&mut parts.others);
        let (modules, unknown): (Vec<_>, Vec<_>) = others
            .into_iter()
            .partition(|(key, _)| key.as_str().is_some_and(|n| self.modules.find(n).is_some()));
        match (modules.as_slice(), unknown.as_slice()) {
            ([one], rest) => {
                for (key, _) in rest {
                    self.unknown_keyword(key, level);
                }
                Some(one.clone())
            }
            ([first, second, ..], _) => {
                let (a, b) = (first.0.as_str()?, second.0.as_str()?);
                self.problems.error(
                    second
                        .0
                        .error(format!(
                            "a task can have only one module, but has `{a}` and `{b}`"
                        ))
                        .hint("start a new task with `- `"),
                );
                None
            }
            ([], []) => {
                self.problems.error(
                    node.error("this task has no module")
                        .hint("add one, such as `command: …` or `debug: msg=…`"),
                );
                None
            }
            ([], rest) => self.unknown_module(rest, level),
        }
    }

    /// Nothing in the task is a module: the entry that looks least like a keyword's slip is taken
    /// for the module's name. That it is none is found by the check before the run, or by the task.
    pub(super) fn unknown_module(
        &mut self,
        rest: &[(Node, Node)],
        level: Levels,
    ) -> Option<(Node, Node)> {
        let slip = |n: &Node| {
            n.as_str()
                .is_some_and(|name| nearest(name, Kw::names(level)).is_some())
        };
        let position = rest.iter().position(|(key, _)| !slip(key));
        for (i, (key, _)) in rest.iter().enumerate() {
            if position.is_some_and(|p| p != i) {
                self.unknown_keyword(key, level);
            }
        }
        if let Some(position) = position {
            return rest.get(position).cloned();
        }
        for (key, _) in rest {
            let name = key.as_str().unwrap_or_default();
            let names = self.modules.names();
            let known = names.iter().copied().chain(Kw::names(level));
            self.problems.error(
                key.error(format!("no module or keyword is called `{name}`"))
                    .did_you_mean(name, known),
            );
        }
        None
    }

    pub(super) fn unknown_keyword(&mut self, key: &Node, level: Levels) {
        let name = key.as_str().unwrap_or_default();
        let mut error = key
            .error(format!(
                "'{name}' is not a valid attribute for a {}",
                level.title()
            ))
            .did_you_mean(name, Kw::names(level));
        if error.hints().is_empty() {
            let elsewhere = Kw::ALL.iter().find(|kw| kw.name() == name);
            if let Some(kw) = elsewhere {
                let places: Vec<&str> = [
                    crate::playbook::keyword::PLAY,
                    crate::playbook::keyword::ROLE,
                    crate::playbook::keyword::BLOCK,
                    TASK,
                    HANDLER,
                ]
                .into_iter()
                .filter(|l| kw.levels().allows(*l))
                .map(Levels::name)
                .collect();
                error = error.hint(format!("it can stand in a {}", places.join(" or a ")));
            } else if level.allows(TASK) {
                error = error.hint("is it a parameter of the module, one level too far left?");
            }
        }
        self.problems.error(error);
    }

    pub(in crate::playbook) fn report_unknown(&mut self, others: &[(Node, Node)], level: Levels) {
        for (key, _) in others {
            self.unknown_keyword(key, level);
        }
    }
}
