//! `import_role` and `include_role`.

use super::RoleCall;
use super::files::not_text;
use crate::error::{Error, ErrorKind};
use crate::playbook::keyword::{Setting, as_bool};
use crate::playbook::load::Loader;
use crate::playbook::scope::{Keywords, Scope};
use crate::playbook::task::{Item, Task};
use crate::source::Span;
use crate::value::Value;
use std::path::Path;

/// Whether a file's name leads out of the folder that it is looked for in.
pub(super) fn leaves(name: &str) -> bool {
    let mut depth = 0_i32;
    for part in Path::new(name).components() {
        match part {
            std::path::Component::ParentDir => depth -= 1,
            std::path::Component::Normal(_) => depth += 1,
            std::path::Component::RootDir | std::path::Component::Prefix(_) => return true,
            std::path::Component::CurDir => {}
        }
        if depth < 0 {
            return true;
        }
    }
    false
}

/// A setting made by us, at a place.
#[must_use]
pub fn made(value: impl Into<Value>, span: &Span) -> Setting {
    Setting {
        value: value.into(),
        span: span.clone(),
    }
}

impl Loader<'_> {
    /// `import_role`, expanded in place.
    pub(in crate::playbook) fn import_role(&mut self, task: &Task) -> Option<Item> {
        let call = self.role_call(task, task.scope.keywords.clone())?;
        let parent = task.scope.parent.clone()?;
        let loaded = self.role(&call, &task.span, &parent)?;
        self.late_handlers.extend(loaded.handlers);
        self.late_roles.extend(loaded.uses);
        Some(Item::Block(loaded.block))
    }

    /// The arguments of `include_role` or `import_role`.
    pub fn role_call(&mut self, task: &Task, keywords: Keywords) -> Option<RoleCall> {
        let mut call = RoleCall {
            keywords,
            public: self.is_public(task.short_module() == "import_role"),
            from_task: true,
            allow_duplicates: Some(true),
            ..RoleCall::default()
        };
        for arg in &task.args.named {
            if &*arg.name == "apply" {
                if task.short_module() == "include_role" {
                    continue;
                }
                self.problems.error(
                    Error::new(
                        ErrorKind::Params,
                        format!("Invalid options for {}: apply", task.written_module()),
                    )
                    .at(&arg.name_span)
                    .hint("an import hands its own keywords on"),
                );
                continue;
            }
            if arg.name.ends_with("_from")
                && !matches!(arg.value, Value::Str(_) | Value::Template(_))
            {
                self.problems
                    .error(not_text(&arg.name, &arg.value).at(&arg.span));
                continue;
            }
            let text = self.render_in(&arg.value, &arg.span, Some(&task.scope))?;
            match &*arg.name {
                "name" | "role" => call.name = text,
                "tasks_from" => call.files.tasks = text,
                "vars_from" => call.files.vars = text,
                "defaults_from" => call.files.defaults = text,
                "handlers_from" => call.files.handlers = text,
                "public" => call.public = as_bool(&text).unwrap_or(call.public),
                "rolespec_validate" => call.unvalidated = as_bool(&text) == Some(false),
                "allow_duplicates" => call.allow_duplicates = as_bool(&text),
                _ => {}
            }
        }
        if call.name.is_empty() {
            self.problems.error(
                Error::new(
                    ErrorKind::Params,
                    format!("`{}` needs the name of a role", task.short_module()),
                )
                .at(&task.module_span)
                .hint("add `name: ROLE`"),
            );
            return None;
        }
        Some(call)
    }

    /// Evaluates a value that must be known before the play runs.
    pub(in crate::playbook) fn render_static(
        &mut self,
        value: &Value,
        span: &Span,
    ) -> Option<String> {
        self.render_in(value, span, None)
    }

    /// As [`Loader::render_static`], with what the roles and blocks around it know.
    pub(in crate::playbook) fn render_in(
        &mut self,
        value: &Value,
        span: &Span,
        scope: Option<&Scope>,
    ) -> Option<String> {
        let rendered = match value {
            Value::Template(_) => (self.render)(value, &self.static_vars(scope)).map_err(|e| {
                e.at(span).hint(
                    "a static import is read before the play runs: only extra variables and the play's are known",
                )
            }),
            plain => Ok(plain.clone()),
        };
        let value = self.problems.keep(rendered)?;
        Some(crate::playbook::keyword::plain_text(&value))
    }
}
