//! Tasks and blocks: what a play is made of. `read` sorts the keys of an entry, `action` reads what a task
//! does.

mod action;
mod read;

use super::keyword::{Kw, Setting, plain_text};
use super::role::RoleUse;
use super::scope::{Keywords, Scope};
use super::yaml::Node;
use crate::source::Span;
use crate::value::Value;
use std::sync::Arc;

/// The entries of a task that are no keywords, and the keywords.
struct Parts {
    keywords: Keywords,
    looped: Option<Loop>,
    others: Vec<(Node, Node)>,
}

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
