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
            let found = self.handlers_named(&name);
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
    fn handlers_named(&self, name: &str) -> Vec<usize> {
        let mut found = Vec::new();
        let mut named = None;
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
            let own = task.name().map(|s| self.run.shown_name(&self.cx, &s.value));
            let role = task.scope.role().map(|r| r.name.clone());
            let full = match (&role, &own) {
                (Some(role), Some(own)) => Some(format!("{role} : {own}")),
                _ => None,
            };
            if own.as_deref() == Some(name) || full.as_deref() == Some(name) {
                named = Some(*index);
            }
        }
        found.extend(named);
        found.sort_unstable();
        found.dedup();
        found
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
