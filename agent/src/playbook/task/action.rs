//! What a task does: its module's name and arguments, in all the forms that they are written in.

use super::{Arg, Item, Parts, Task, TaskArgs};
use crate::error::{Error, ErrorKind};
use crate::playbook::keyword::{Kw, Setting};
use crate::playbook::kv;
use crate::playbook::load::Loader;
use crate::playbook::yaml::{Kind, Node};
use crate::source::Span;
use crate::value::{Map, Value};
use std::sync::Arc;

pub(super) fn is_builtin(module: &str) -> bool {
    !module.contains('.') || module.starts_with("ansible.")
}

/// Whether the whole text is one `{{ … }}`, which may give a mapping of arguments.
pub(super) fn is_lone_expression(text: &str) -> bool {
    let t = text.trim();
    t.starts_with("{{") && t.ends_with("}}") && t.matches("{{").count() == 1
}

pub(super) fn add_values(args: &mut TaskArgs, map: &Map, span: &Span) {
    for (key, value) in map {
        args.add(Arg {
            name: key.to_string().into(),
            value: value.clone(),
            name_span: span.clone(),
            span: span.clone(),
        });
    }
}

impl Loader<'_> {
    /// The module's name and arguments, from `module: …`, `action: module k=v` or
    /// `action: {module: …}`, plus `args:`.
    pub(super) fn module_and_args(
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
    pub(super) fn face_and_args(
        &mut self,
        name: &str,
        value: &Node,
        args: &mut TaskArgs,
    ) -> Arc<str> {
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

    pub(super) fn action_statement(
        &mut self,
        value: &Node,
        args: &mut TaskArgs,
    ) -> Option<Arc<str>> {
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
    pub(super) fn read_args(
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

    pub(super) fn add_arg(&mut self, args: &mut TaskArgs, key: &Node, value: &Node) {
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
    pub(super) fn expand(&mut self, task: Task) -> Vec<Item> {
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
