//! The walk over plays, roles and files of tasks, with all that they include: everything once.

use super::Project;
use super::files::root_of;
use super::reader::{Reader, render};
use lks_agent::engine::Run;
use lks_agent::host::here;
use lks_agent::playbook::play::Play;
use lks_agent::playbook::role::{RoleCall, RoleUse};
use lks_agent::playbook::scope::{Keywords, Scope, ScopeKind};
use lks_agent::playbook::task::{Block, Item, Task};
use lks_agent::source::{SourceFile, Span};
use lks_agent::value::{Map, Value};
use std::path::Path;
use std::sync::Arc;

impl Project {
    pub(super) fn plays(&mut self, run: &Run, path: &Path, plays: &[Arc<Play>]) {
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

    pub(super) fn role(&mut self, run: &Run, path: &Path) {
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

    pub(super) fn lone_tasks(&mut self, run: &Run, path: &Path) {
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
}
