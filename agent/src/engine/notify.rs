//! Handlers: which ones a changed task means, and which ones a play has.
//!
//! What is notified is remembered by name, and looked up when handlers run: the handler that was
//! defined last under a name is meant. While handlers run, those that they notify run at once.

use super::context::TaskView;
use super::cursor::Entry;
use super::play::Batch;
use super::steps::flatten;
use crate::event::{EventKind, Level, TaskInfo};
use crate::playbook::keyword::{Kw, plain_text};
use crate::playbook::task::{Item, Task};
use crate::template::Variables;
use crate::value::Value;
use crate::vars::HostVars;
use std::collections::HashSet;
use std::sync::Arc;

/// Under what a handler is known.
#[derive(Clone, Debug, Default)]
pub(super) struct HandlerNames {
    /// Its name, evaluated.
    own: Option<String>,
    /// The name after that of its role, and of its role's collection.
    full: Vec<String>,
    /// The topics that it listens to.
    listens: Vec<String>,
}

impl Batch<'_> {
    /// Takes note of what a changed task of a host notifies.
    pub(super) fn notify(&mut self, names: &[String], i: usize) {
        let at_once = self.hosts[i].cursor.in_handlers();
        for name in names {
            let found = self.handlers_named(name);
            if found.is_empty() {
                self.no_such_handler(name, i);
            } else if at_once {
                self.mark(name, &found, i);
            } else if !self.hosts[i].pending.contains(name) {
                self.hosts[i].pending.push(name.clone());
            }
        }
    }

    fn no_such_handler(&mut self, name: &str, i: usize) {
        let error = self.run.cx.options.error_on_missing_handler;
        self.run.cx.emit.run(EventKind::Notice {
            level: if error { Level::Error } else { Level::Warning },
            text: no_such_handler(name),
        });
        if error {
            self.hosts[i].counters.failed += 1;
            self.hosts[i].cursor.fail();
        }
    }

    /// These handlers are to run on a host.
    fn mark(&mut self, name: &str, handlers: &[usize], i: usize) {
        let host = &mut self.hosts[i];
        for index in handlers {
            if host.notified.insert(*index) {
                let handler = name.to_string();
                let event = EventKind::Notified { handler };
                self.run.cx.emit.host(&host.slot.name, event);
            }
        }
    }

    /// Handlers that were notified run now.
    pub(super) fn flush(&mut self, hosts: &[usize]) {
        for &i in hosts {
            self.hosts[i].cursor.advance();
            self.run_handlers(i);
            if self.run.cx.options.debug {
                let name = &self.hosts[i].slot.name;
                self.run.cx.emit.run(EventKind::Notice {
                    level: Level::Info,
                    text: format!("META: triggered running handlers for {name}"),
                });
            }
        }
    }

    /// Puts the handlers that a host notified before its next step.
    pub(super) fn run_handlers(&mut self, i: usize) {
        for name in std::mem::take(&mut self.hosts[i].pending) {
            let found = self.handlers_named(&name);
            self.mark(&name, &found, i);
        }
        if !self.hosts[i].notified.is_empty() {
            let handlers = Arc::clone(&self.handlers);
            self.hosts[i].cursor.insert_handlers(handlers);
        }
    }

    /// The handler of this name, and all that listen to it. Of those that share a name, the one
    /// that came with the last role (or the play, which comes after all roles) is meant; within a
    /// file, the first.
    fn handlers_named(&mut self, wanted: &str) -> Vec<usize> {
        self.know_handlers();
        let order = self.lookup_order();
        let all = || order.iter().map(|i| (*i, &self.handler_names[*i]));
        let named = all().find(|(_, names)| {
            names.own.as_deref() == Some(wanted) || names.full.iter().any(|n| n == wanted)
        });
        let mut found: Vec<usize> = named.map(|(i, _)| i).into_iter().collect();
        let mut seen = HashSet::new();
        for (i, names) in all() {
            let listens = names.listens.iter().any(|l| l == wanted);
            let first = names.own.as_deref().is_none_or(|own| !seen.contains(own));
            if listens && first {
                seen.extend(names.own.as_deref());
                found.push(i);
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Handlers as names are looked up: what was read last comes first, each file from its start.
    fn lookup_order(&self) -> Vec<usize> {
        let role = |i: &usize| match &self.handlers[*i] {
            Entry::Handler(_, task) => task.scope.role().map(Arc::as_ptr),
            _ => None,
        };
        let all: Vec<usize> = (0..self.handlers.len()).collect();
        all.chunk_by(|a, b| role(a) == role(b))
            .rev()
            .flatten()
            .copied()
            .collect()
    }

    /// Works out the names of handlers that are new. One whose name cannot be evaluated yet is
    /// tried again the next time.
    fn know_handlers(&mut self) {
        for at in 0..self.handlers.len() {
            let Entry::Handler(_, task) = &self.handlers[at] else {
                continue;
            };
            let known = self.handler_names.get(at);
            if known.is_some_and(|n| n.own.is_some() || task.name().is_none()) {
                continue;
            }
            let names = self.names_of(&Arc::clone(task));
            if at < self.handler_names.len() {
                self.handler_names[at] = names;
            } else {
                self.handler_names.push(names);
            }
        }
    }

    fn names_of(&self, task: &Arc<Task>) -> HandlerNames {
        let listens = listens(task);
        let Some(setting) = task.name() else {
            return HandlerNames {
                listens,
                ..HandlerNames::default()
            };
        };
        let own = match &setting.value {
            Value::Template(_) => self
                .run
                .cx
                .templar
                .resolve(&setting.value, &self.sees(task)),
            plain => Ok(plain.clone()),
        };
        let own = match own {
            Ok(value) => plain_text(&value),
            Err(error) => {
                if listens.is_empty() {
                    self.run.cx.emit.run(EventKind::Notice {
                        level: Level::Warning,
                        text: format!(
                            "Handler '{}' is unusable because it has no listen topics and the name could not be templated (host-specific variables are not supported in handler names). The error: {}",
                            plain_text(&setting.value),
                            error.message()
                        ),
                    });
                }
                return HandlerNames {
                    listens,
                    ..HandlerNames::default()
                };
            }
        };
        HandlerNames {
            full: in_role(task, &own),
            own: Some(own),
            listens,
        }
    }

    /// What a handler's name may refer to: everything but what belongs to a host.
    fn sees(&self, task: &Arc<Task>) -> Arc<dyn Variables> {
        let info = TaskInfo {
            id: 0,
            name: String::new(),
            module: String::new(),
            path: String::new(),
            handler: true,
            check: false,
            no_log: false,
            args: Value::Null,
        };
        let view = TaskView::new(task, Arc::new(info), &self.cx.play);
        let (nothing, nobody) = (Arc::default(), HostVars::default());
        Arc::new(view.stack(&self.run.cx, &self.cx, &nothing, (&nobody, &nothing)))
    }

    /// A handler runs on these hosts: it is theirs no more.
    pub(super) fn forget_handler(&mut self, hosts: &[usize], task: &Arc<Task>) {
        let index = self.handlers.iter().find_map(|e| match e {
            Entry::Handler(index, t) if Arc::ptr_eq(t, task) => Some(*index),
            _ => None,
        });
        for &i in hosts {
            if let Some(index) = index {
                self.hosts[i].notified.remove(&index);
            }
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

/// The topics that a handler listens to, alone and after the name of its role.
pub(super) fn listens(task: &Task) -> Vec<String> {
    let settings = task.scope.all(Kw::Listen);
    let topics = settings.iter().flat_map(|s| s.words_kept());
    topics
        .flat_map(|topic| {
            let full = in_role(task, &topic);
            std::iter::once(topic).chain(full)
        })
        .collect()
}

/// A name after that of the handler's role, with and without its collection.
pub(super) fn in_role(task: &Task, name: &str) -> Vec<String> {
    let Some(role) = task.scope.role() else {
        return Vec::new();
    };
    let short = role.name.rsplit('.').next().unwrap_or(&role.name);
    let mut names = vec![format!("{} : {name}", role.name)];
    if short != role.name {
        names.push(format!("{short} : {name}"));
    }
    names
}

/// What is said of a handler that nobody defined.
pub(super) fn no_such_handler(name: &str) -> String {
    format!(
        "The requested handler '{name}' was not found in either the main handlers list nor in the listening handlers list"
    )
}
