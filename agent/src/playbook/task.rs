//! Tasks and blocks: what a play is made of.

use super::keyword::{HANDLER, Kw, Levels, Setting, TASK, Type, check_type, plain_text};
use super::load::Loader;
use super::scope::{Keywords, Scope, ScopeKind};
use super::yaml::{Kind, Node};
use super::{kv, role::RoleUse};
use crate::error::{Error, ErrorKind, nearest};
use crate::source::Span;
use crate::value::{Map, Value};
use std::sync::Arc;

/// A task or a block.
#[derive(Clone, Debug)]
pub enum Item {
    /// A task.
    Task(Arc<Task>),
    /// A block of tasks.
    Block(Arc<Block>),
}

/// Tasks with `rescue` and `always`. Imports and roles are blocks too.
#[derive(Debug)]
pub struct Block {
    /// Its keywords, and what it stands in.
    pub scope: Arc<Scope>,
    /// What runs.
    pub body: Vec<Item>,
    /// What runs when the body failed.
    pub rescue: Vec<Item>,
    /// What runs in the end, whatever happened.
    pub always: Vec<Item>,
    /// The role whose tasks these are: it runs once a play and host, unless it allows duplicates.
    pub role: Option<Arc<RoleUse>>,
}

/// A task as written.
#[derive(Clone, Debug)]
pub struct Task {
    /// Its keywords, and what it stands in.
    pub scope: Arc<Scope>,
    /// Where its mapping starts.
    pub span: Span,
    /// The module's name: the full one if the module is known, else as written.
    pub module: Arc<str>,
    /// Where the module's name stands.
    pub module_span: Span,
    /// The arguments.
    pub args: TaskArgs,
    /// The loop.
    pub looped: Option<Loop>,
    /// Whether it is a handler.
    pub handler: bool,
}

/// A task's loop.
#[derive(Clone, Debug)]
pub enum Loop {
    /// `loop:`.
    Over(Setting),
    /// `with_NAME:`.
    With(String, Setting),
}

/// A task's arguments.
#[derive(Clone, Debug, Default)]
pub struct TaskArgs {
    /// Named ones.
    pub named: Vec<Arg>,
    /// Text in the place of a mapping (`shell: ls -l`), less what was lifted out of it.
    pub free: Option<Setting>,
    /// All arguments as one template (`args: "{{ a }}"`, `module: "{{ a }}"`).
    pub whole: Option<Setting>,
}

/// One argument.
#[derive(Clone, Debug)]
pub struct Arg {
    /// Its name.
    pub name: Arc<str>,
    /// Its value, as written.
    pub value: Value,
    /// Where its name stands.
    pub name_span: Span,
    /// Where its value stands.
    pub span: Span,
}

impl TaskArgs {
    /// The argument of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arg> {
        self.named.iter().find(|a| &*a.name == name)
    }

    fn add(&mut self, arg: Arg) {
        if self.get(&arg.name).is_none() {
            self.named.push(arg);
        }
    }
}

impl Task {
    /// The innermost setting of a keyword.
    #[must_use]
    pub fn find(&self, kw: Kw) -> Option<&Setting> {
        self.scope.find(kw)
    }

    /// The task's own setting of a keyword.
    #[must_use]
    pub fn own(&self, kw: Kw) -> Option<&Setting> {
        self.scope.keywords.get(kw)
    }

    /// The last part of the module's name.
    #[must_use]
    pub fn short_module(&self) -> &str {
        self.module.rsplit('.').next().unwrap_or(&self.module)
    }

    /// The module's name as it was written: it stands for the name of a task that has none.
    #[must_use]
    pub fn written_module(&self) -> String {
        let line = self.module_span.file.line(self.module_span.line);
        let start = (self.module_span.column.max(1) - 1) as usize;
        let written: String = line
            .chars()
            .skip(start)
            .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'))
            .collect();
        match written.as_str() {
            "" | "action" | "local_action" => self.short_module().to_string(),
            _ => written,
        }
    }

    /// What the task is called: its name, or its module (with the role that it includes).
    #[must_use]
    pub fn title(&self) -> String {
        let name = self.name().map(|s| plain_text(&s.value));
        name.filter(|n| !n.is_empty()).unwrap_or_else(|| {
            let module = self.written_module();
            match (self.short_module(), self.args.get("name")) {
                ("include_role", Some(role)) => {
                    format!("{module} : {}", plain_text(&role.value))
                }
                _ => module,
            }
        })
    }

    /// The name as written, or nothing.
    #[must_use]
    pub fn name(&self) -> Option<&Setting> {
        self.own(Kw::Name)
    }

    /// The text that stands for the module's argument: free form, or the value of `parameter`.
    #[must_use]
    pub fn free_or(&self, parameter: &str) -> Option<Setting> {
        let trimmed = |free: &Setting| Setting {
            value: match &free.value {
                Value::Str(text) => Value::from(text.trim()),
                other => other.clone(),
            },
            span: free.span.clone(),
        };
        self.args.free.as_ref().map(trimmed).or_else(|| {
            self.args.get(parameter).map(|a| Setting {
                value: a.value.clone(),
                span: a.span.clone(),
            })
        })
    }
}

/// The entries of a task that are no keywords, and the keywords.
struct Parts {
    keywords: Keywords,
    looped: Option<Loop>,
    others: Vec<(Node, Node)>,
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

    fn item(&mut self, node: &Node, parent: &Arc<Scope>, handler: bool) -> Vec<Item> {
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

    fn block(&mut self, node: &Node, parent: &Arc<Scope>, handler: bool) -> Option<Item> {
        let level = super::keyword::BLOCK;
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
    fn parts(&mut self, node: &Node, level: Levels) -> Parts {
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

    fn set_keyword(&mut self, parts: &mut Parts, kw: Kw, level: Levels, key: &Node, value: &Node) {
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
            && let Some(text) = value.as_str().and_then(super::reserved::warning)
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

    fn set_loop(&mut self, parts: &mut Parts, looped: Loop, key: &Node) {
        if parts.looped.is_some() {
            self.problems
                .error(key.error("a task can have only one loop"));
        }
        parts.looped = Some(looped);
    }

    /// A node as a setting; a vault that cannot be opened is a problem.
    pub(super) fn setting(&mut self, node: &Node) -> Setting {
        let value = node.to_value(self.vault);
        Setting {
            value: self.problems.keep(value).unwrap_or_default(),
            span: node.span.clone(),
        }
    }

    /// Reads the keywords that are known at `level`, and hands the other entries back.
    pub(super) fn keywords(&mut self, node: &Node, level: Levels) -> (Keywords, Vec<(Node, Node)>) {
        let parts = self.parts(node, level);
        (parts.keywords, parts.others)
    }

    fn task(&mut self, node: &Node, parent: &Arc<Scope>, handler: bool) -> Vec<Item> {
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
    fn module_entry(
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
    fn unknown_module(&mut self, rest: &[(Node, Node)], level: Levels) -> Option<(Node, Node)> {
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

    fn unknown_keyword(&mut self, key: &Node, level: Levels) {
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
                    super::keyword::PLAY,
                    super::keyword::ROLE,
                    super::keyword::BLOCK,
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

    pub(super) fn report_unknown(&mut self, others: &[(Node, Node)], level: Levels) {
        for (key, _) in others {
            self.unknown_keyword(key, level);
        }
    }

    /// The module's name and arguments, from `module: …`, `action: module k=v` or
    /// `action: {module: …}`, plus `args:`.
    fn module_and_args(
        &mut self,
        key: &Node,
        value: &Node,
        parts: &mut Parts,
    ) -> Option<(Arc<str>, TaskArgs)> {
        let mut args = TaskArgs::default();
        let written = key.as_str()?;
        let name: Arc<str> = if matches!(written, "action" | "local_action") {
            self.action_statement(value, &mut args)?
        } else {
            self.face_and_args(written, value, &mut args)
        };
        if let Some(more) = parts.keywords.get(Kw::Args).cloned() {
            match &more.value {
                Value::Map(map) => add_values(&mut args, map, &more.span),
                Value::Null => {}
                _ => args.whole = Some(more),
            }
        }
        Some((name, args))
    }

    /// The module's full name. The arguments of one that is not known are read as they can be: that
    /// it is none is told by the check before the run, or by the task when a host reaches it.
    fn face_and_args(&mut self, name: &str, value: &Node, args: &mut TaskArgs) -> Arc<str> {
        match self.modules.find(name) {
            Some(face) => {
                self.read_args(value, (face.free_form, face.command_line), args);
                face.name.into()
            }
            None => {
                self.read_args(value, (true, true), args);
                name.into()
            }
        }
    }

    fn action_statement(&mut self, value: &Node, args: &mut TaskArgs) -> Option<Arc<str>> {
        if let Some(name_node) = value.get("module") {
            let name = name_node.as_str()?;
            for (k, v) in value.as_map()? {
                match (k.as_str(), v.as_map()) {
                    (Some("module"), _) => {}
                    (Some("args"), Some(more)) => {
                        more.iter().for_each(|(k, v)| self.add_arg(args, k, v));
                    }
                    _ => self.add_arg(args, k, v),
                }
            }
            let face = self.modules.find(name);
            return Some(face.map_or_else(|| name.into(), |f| f.name.into()));
        }
        let Some(text) = value.as_str() else {
            self.problems.error(
                value
                    .error(format!("`action` needs a module, not {}", value.what()))
                    .hint("write `action: command ls` or a mapping with `module:`"),
            );
            return None;
        };
        if let Some(end) = text
            .find("}}")
            .filter(|_| text.trim_start().starts_with("{{"))
        {
            let (name, rest) = text.split_at(end + 2);
            let rest = Node::new(Kind::Str(rest.trim().into()), value.span.clone());
            self.read_args(&rest, (true, true), args);
            return Some(name.trim().into());
        }
        let (name, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let rest = Node::new(Kind::Str(rest.trim().into()), value.span.clone());
        Some(self.face_and_args(name, &rest, args))
    }

    /// Arguments: a mapping, `k=v` text, free-form text, or nothing.
    fn read_args(
        &mut self,
        value: &Node,
        (free_form, command_line): (bool, bool),
        args: &mut TaskArgs,
    ) {
        match &value.kind {
            Kind::Null => {}
            Kind::Map(entries) => {
                for (k, v) in entries {
                    self.add_arg(args, k, v);
                }
            }
            Kind::Str(text) if !free_form && is_lone_expression(text) => {
                args.whole = Some(self.setting(value));
            }
            Kind::Str(_) | Kind::Vault(_) | Kind::Int(_) | Kind::Float(_) | Kind::Bool(_) => {
                let text = value.scalar_text().unwrap_or_default();
                match kv::parse_kv(&text, &value.span, command_line) {
                    Ok((raw, pairs)) => {
                        if let Some(raw) = raw {
                            args.free = Some(Setting {
                                value: Value::written(raw, Some(&value.span)),
                                span: value.span.clone(),
                            });
                        }
                        for (name, value, span) in pairs {
                            args.add(Arg {
                                name: name.into(),
                                value,
                                name_span: span.clone(),
                                span,
                            });
                        }
                    }
                    Err(error) => self.problems.error(error),
                }
            }
            Kind::Seq(_) => {
                // Only `meta`-like modules could take a list, and none does.
                self.problems.error(
                    value
                        .error("a module's arguments must be a mapping, not a list")
                        .hint("write the parameters as `name: value` lines"),
                );
            }
        }
    }

    fn add_arg(&mut self, args: &mut TaskArgs, key: &Node, value: &Node) {
        let Some(name) = key.scalar_text() else {
            self.problems
                .error(key.error("the name of a parameter must be text"));
            return;
        };
        let setting = self.setting(value);
        args.add(Arg {
            name: name.into(),
            value: setting.value,
            name_span: key.span.clone(),
            span: setting.span,
        });
    }

    /// Static imports are replaced by what they import; anything else is itself.
    fn expand(&mut self, task: Task) -> Vec<Item> {
        let import = match task.short_module() {
            "import_tasks" if is_builtin(&task.module) => Loader::import_tasks,
            "import_role" if is_builtin(&task.module) => Loader::import_role,
            _ => return vec![Item::Task(Arc::new(task))],
        };
        if task.looped.is_some() {
            let dynamic = task.short_module().replace("import", "include");
            self.problems.error(
                Error::new(
                    ErrorKind::Syntax,
                    format!("a loop cannot be used with `{}`", task.short_module()),
                )
                .at(&task.module_span)
                .hint(format!(
                    "use `{dynamic}`, which is evaluated while the play runs"
                )),
            );
            return Vec::new();
        }
        import(self, &task).into_iter().collect()
    }
}

/// What cannot be a handler, or needs a role around it.
fn has_its_place(task: &Task) -> Result<(), Error> {
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

fn is_builtin(module: &str) -> bool {
    !module.contains('.') || module.starts_with("ansible.")
}

/// Whether the whole text is one `{{ … }}`, which may give a mapping of arguments.
fn is_lone_expression(text: &str) -> bool {
    let t = text.trim();
    t.starts_with("{{") && t.ends_with("}}") && t.matches("{{").count() == 1
}

fn add_values(args: &mut TaskArgs, map: &Map, span: &Span) {
    for (key, value) in map {
        args.add(Arg {
            name: key.to_string().into(),
            value: value.clone(),
            name_span: span.clone(),
            span: span.clone(),
        });
    }
}
