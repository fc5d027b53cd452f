//! Argument specifications of roles: where one is written, the role's first task checks it.

use super::keyword::Kw;
use super::load::Loader;
use super::role::{RoleCall, made};
use super::scope::{Keywords, Scope, ScopeKind};
use super::task::{Arg, Item, Task, TaskArgs};
use super::yaml::Node;
use crate::source::Span;
use crate::value::{Key, Map, Value};
use std::path::Path;
use std::sync::Arc;

impl Loader<'_> {
    /// The task that checks a role's arguments, if the role has a specification for the file of tasks
    /// that is used.
    pub(super) fn validation_task(
        &mut self,
        call: &RoleCall,
        path: &Path,
        meta: Option<&Node>,
        scope: &Arc<Scope>,
        span: &Span,
    ) -> Option<Item> {
        if call.unvalidated {
            return None;
        }
        let specs = self.argument_specs(path, meta)?;
        let entry = specs.get(&*call.files.tasks)?.as_map()?.clone();
        if entry.is_empty() {
            return None;
        }
        let mut name = format!(
            "Validating arguments against arg spec '{}'",
            call.files.tasks
        );
        if let Some(description) = entry.get("short_description").and_then(Value::as_str) {
            name.push_str(&format!(" - {description}"));
        }
        let mut keywords = Keywords::default();
        keywords.set(Kw::Name, made(name, span));
        keywords.set(Kw::Tags, made("always", span));
        let options = entry.get("options").cloned().filter(|o| !o.is_null());
        let context = self.context(call, path);
        let args = [
            (
                "argument_spec",
                options.unwrap_or_else(|| Map::new().into()),
            ),
            ("provided_arguments", Value::map(call.params.clone())),
            ("validate_args_context", context),
        ];
        Some(Item::Task(Arc::new(Task {
            scope: Scope::inside(scope, ScopeKind::Task, keywords),
            span: span.clone(),
            module: "ansible.builtin.validate_argument_spec".into(),
            module_span: span.clone(),
            args: TaskArgs {
                named: args.map(|(name, value)| argument(name, value, span)).into(),
                ..TaskArgs::default()
            },
            looped: None,
            handler: false,
        })))
    }

    /// What the result tells about whose arguments were checked.
    fn context(&self, call: &RoleCall, path: &Path) -> Value {
        let path = self.files.absolute(path).display().to_string();
        let short = match path.contains("ansible_collections") {
            true => call.name.rsplit('.').next().unwrap_or(&call.name),
            false => &call.name,
        };
        let map: Map = [
            (Key::from("type"), Value::from("role")),
            (Key::from("name"), Value::from(short)),
            (
                Key::from("argument_spec_name"),
                Value::from(call.files.tasks.as_str()),
            ),
            (Key::from("path"), Value::from(path)),
        ]
        .into_iter()
        .collect();
        Value::map(map)
    }

    /// `argument_specs` of `meta/argument_specs.yml`; only where there is no such file, of
    /// `meta/main.yml`.
    fn argument_specs(&mut self, path: &Path, meta: Option<&Node>) -> Option<Map> {
        let dir = path.join("meta");
        let file = [".yml", ".yaml", ".json"]
            .iter()
            .map(|suffix| dir.join(format!("argument_specs{suffix}")))
            .find(|file| self.files.is_file(file));
        let node = match file {
            Some(file) => self.document(&file)?.get("argument_specs")?.clone(),
            None => meta?.get("argument_specs")?.clone(),
        };
        let map = (!node.is_null()).then(|| node.to_map(self.vault))?;
        self.problems.keep(map)
    }
}

fn argument(name: &str, value: Value, span: &Span) -> Arg {
    Arg {
        name: name.into(),
        value,
        name_span: span.clone(),
        span: span.clone(),
    }
}
