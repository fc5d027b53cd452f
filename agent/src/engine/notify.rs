//! Handlers: which ones a changed task means, and which ones a play has.

use super::context::TaskView;
use super::cursor::Entry;
use super::play::Batch;
use super::steps::flatten;
use crate::event::{EventKind, Level};
use crate::playbook::keyword::{Kw, plain_text};
use crate::playbook::task::{Item, Task};
use crate::value::Value;
use std::sync::Arc;

impl Batch<'_> {
    /// Marks the handlers that a changed task names (by name, `role : name`, or `listen`).
    pub(super) fn notify(&mut self, view: &TaskView, i: usize) {
        let Some(setting) = view.task.find(Kw::Notify) else {
            return;
        };
        let cx = self.task_cx(view, i);
        let seen = cx.seen(&cx.slot.snapshot());
        let names: Vec<String> = match cx.resolve(setting, &seen) {
            Ok(Value::List(items)) => items.iter().map(plain_text).collect(),
            Ok(value) => vec![plain_text(&value)],
            Err(_) => setting.words_kept(),
        };
        for name in names {
            let found = self.handlers_named(&name, view);
            if found.is_empty() {
                self.run.cx.emit.run(EventKind::Notice {
                    level: Level::Error,
                    text: format!("no handler is called or listens to `{name}`"),
                });
                self.hosts[i].counters.failed += 1;
                self.hosts[i].cursor.fail();
                continue;
            }
            for index in found {
                if self.hosts[i].notified.insert(index) {
                    self.run.cx.emit.host(
                        &self.hosts[i].slot.name,
                        EventKind::Notified {
                            handler: name.clone(),
                        },
                    );
                }
            }
        }
    }

    /// Handlers of this name (the last one defined wins), and all that listen to it.
    fn handlers_named(&self, name: &str, view: &TaskView) -> Vec<usize> {
        let mut found = Vec::new();
        let mut named: Option<(usize, bool)> = None;
        for entry in self.handlers.iter() {
            let Entry::Handler(index, task) = entry else {
                continue;
            };
            let listens = task
                .scope
                .all(Kw::Listen)
                .iter()
                .any(|s| s.words_kept().iter().any(|w| w == name));
            if listens {
                found.push(*index);
            }
            let own = task.name().map(|s| self.shown_name(&s.value));
            let role = task.scope.role().map(|r| r.name.clone());
            let full = match (&role, &own) {
                (Some(role), Some(own)) => Some(format!("{role} : {own}")),
                _ => None,
            };
            if own.as_deref() == Some(name) || full.as_deref() == Some(name) {
                // A handler of the same role is meant before one of another.
                let same_role =
                    view.task.scope.role().map(|r| &r.path) == task.scope.role().map(|r| &r.path);
                if named.is_none_or(|(_, same)| same_role || !same) {
                    named = Some((*index, same_role));
                }
            }
        }
        found.extend(named.map(|(i, _)| i));
        found.sort_unstable();
        found.dedup();
        found
    }

    pub(super) fn shown_name(&self, value: &Value) -> String {
        let stack = self.run.play_stack(&self.cx);
        match self.run.cx.templar.resolve(value, &stack) {
            Ok(value) => plain_text(&value),
            Err(_) => plain_text(value),
        }
    }

    pub(super) fn forget_handler(&mut self, i: usize, task: &Arc<Task>) {
        let index = self.handlers.iter().find_map(|e| match e {
            Entry::Handler(index, t) if Arc::ptr_eq(t, task) => Some(*index),
            _ => None,
        });
        if let Some(index) = index {
            self.hosts[i].notified.remove(&index);
        }
    }

    pub(super) fn add_handlers(&mut self, items: &[Item]) {
        let tasks = flatten(items);
        if tasks.is_empty() {
            return;
        }
        let mut all = (*self.handlers).clone();
        for task in tasks {
            all.push(Entry::Handler(all.len(), task));
        }
        self.handlers = Arc::new(all);
    }
}
