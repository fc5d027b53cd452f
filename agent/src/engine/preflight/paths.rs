//! Files and roles that tasks name: whether they are there before anything runs.

use super::{DynamicRole, Preflight};
use crate::engine::files;
use crate::module::ModuleDef;
use crate::playbook::keyword::{Kw, as_bool, plain_text};
use crate::playbook::play::Play;
use crate::playbook::task::Task;
use crate::source::Span;
use crate::value::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;

impl Preflight<'_> {
    /// Files of the playbook's side that a task names without a template.
    pub(super) fn files(&mut self, task: &Task, def: &ModuleDef) {
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

    pub(super) fn role(&mut self, task: &Task, def: &ModuleDef) {
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

    pub(super) fn file(&mut self, task: &Task, folder: &str, name: &str, span: &Span) {
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

    pub(super) fn vars_files(&mut self, play: &Play) {
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
