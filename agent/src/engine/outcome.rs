//! What a task's end means for the play: counters, variables, handlers, failures.

use super::context::TaskView;
use super::play::Batch;
use super::result::{Request, TaskEnd, VarChange};
use crate::event::{EventKind, Level, Status};
use crate::playbook::keyword::Kw;
use crate::value::{Key, Map, Value};
use std::sync::{Arc, PoisonError};

impl Batch<'_> {
    /// Takes a result into the state: counters, variables, handlers, failures.
    pub(super) fn take(
        &mut self,
        view: &TaskView,
        i: usize,
        mut end: TaskEnd,
        sharing: &[usize],
        counts: bool,
    ) {
        let ignored_unreachable = self.ignores_unreachable(view, &end);
        let mut changes = std::mem::take(&mut end.changes);
        let target = self.facts_target(view, i);
        if let Some(target) = target {
            let (facts, rest): (Vec<_>, Vec<_>) = changes
                .into_iter()
                .partition(|c| matches!(c, VarChange::Facts(_) | VarChange::SetFact(..)));
            self.run.apply_to(&target, &facts);
            changes = rest;
        }
        for &j in sharing {
            let mut vars = self.hosts[j]
                .slot
                .vars
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            for change in &changes {
                change.apply(&mut vars);
            }
        }
        for warning in &end.warnings {
            self.run.cx.emit.run(EventKind::Notice {
                level: Level::Warning,
                text: warning.clone(),
            });
        }
        for request in std::mem::take(&mut end.requests) {
            self.request(i, request);
        }
        if view.task.handler {
            for &j in sharing {
                self.forget_handler(j, &view.task);
            }
        }
        if end.notify {
            for &j in sharing {
                self.notify(view, j);
            }
        }
        // Inclusions are counted one by one, when they are read.
        if counts || end.report.status != Status::Ok {
            self.count(i, &end, ignored_unreachable);
        }
        match end.report.status {
            Status::Failed if !end.report.ignored => {
                self.fail(view, i, sharing, &end.result);
            }
            Status::Unreachable if !ignored_unreachable => {
                for &j in sharing {
                    self.hosts[j].unreachable = true;
                }
            }
            _ => return,
        }
        self.tell_who_is_left();
    }

    /// Brings the variables that list the hosts which are still in the play up to date.
    pub(super) fn tell_who_is_left(&mut self) {
        let out = |name: &str| {
            let here = self.hosts.iter().find(|h| &*h.slot.name == name);
            here.is_some_and(|h| h.unreachable || h.cursor.has_failed())
        };
        let left: Vec<Arc<str>> = self
            .hosts
            .iter()
            .map(|h| Arc::clone(&h.slot.name))
            .filter(|name| !out(name))
            .collect();
        self.cx.magic = self.run.magic_of_hosts(&self.cx.magic, &left, &out);
    }

    fn count(&mut self, i: usize, end: &TaskEnd, ignored_unreachable: bool) {
        let (status, ignored) = (end.report.status, end.report.ignored);
        let rescued = status == Status::Failed && !ignored && self.hosts[i].cursor.would_rescue();
        let n = &mut self.hosts[i].counters;
        match status {
            Status::Ok => n.ok += 1,
            Status::Changed => {
                n.ok += 1;
                n.changed += 1;
            }
            Status::MayChange => {
                n.ok += 1;
                n.may_change += 1;
            }
            Status::Skipped => n.skipped += 1,
            Status::Failed if ignored => {
                n.ok += 1;
                n.ignored += 1;
                n.changed += u32::from(end.result.get("changed") == Some(&Value::Bool(true)));
            }
            Status::Failed if rescued => n.rescued += 1,
            Status::Failed => n.failed += 1,
            Status::Unreachable if ignored_unreachable => n.skipped += 1,
            Status::Unreachable => n.unreachable += 1,
        }
    }

    fn fail(&mut self, view: &TaskView, i: usize, sharing: &[usize], result: &Map) {
        let fatal = self.any_errors_fatal
            || view
                .task
                .find(Kw::AnyErrorsFatal)
                .is_some_and(|s| s.value.is_truthy());
        let failing: Vec<usize> = if fatal {
            (0..self.hosts.len()).collect()
        } else {
            sharing.to_vec()
        };
        for j in failing {
            let host = &mut self.hosts[j];
            if j != i && (host.unreachable || host.cursor.has_failed()) {
                continue;
            }
            let mut vars = host
                .slot
                .vars
                .write()
                .unwrap_or_else(PoisonError::into_inner);
            vars.set("ansible_failed_result", Value::map(result.clone()));
            vars.set("ansible_failed_task", failed_task(view));
            drop(vars);
            host.cursor.fail();
        }
    }

    /// `max_fail_percentage`.
    pub(super) fn check_limits(&mut self) {
        let Some(limit) = self.max_fail else {
            return;
        };
        let out = self
            .hosts
            .iter()
            .filter(|h| h.unreachable || h.cursor.has_failed())
            .count();
        if out > 0 && out as f64 * 100.0 / self.hosts.len() as f64 > limit {
            self.run.cx.emit.run(EventKind::Notice {
                level: Level::Error,
                text: format!(
                    "{out} of {} hosts failed: more than max_fail_percentage ({limit} %) allows",
                    self.hosts.len()
                ),
            });
            self.ended = true;
            self.run.halted = true;
        }
    }

    /// With `delegate_facts`, facts belong to the host that the task was delegated to.
    fn facts_target(&self, view: &TaskView, i: usize) -> Option<Arc<str>> {
        let task = &view.task;
        if !task.find(Kw::DelegateFacts)?.value.is_truthy() {
            return None;
        }
        let cx = self.task_cx(view, i);
        let seen = cx.seen(&cx.slot.snapshot());
        cx.text(Kw::DelegateTo, &seen)
            .ok()
            .flatten()
            .map(Into::into)
    }

    fn request(&mut self, i: usize, request: Request) {
        match request {
            Request::AddHost(name, groups, vars) => self.run.add_host(&name, &groups, vars),
            Request::GroupBy(group, parents) => {
                let name = Arc::clone(&self.hosts[i].slot.name);
                self.run.add_to_group(&name, &group, &parents);
            }
        }
        self.cx.magic = self.run.refresh_magic(&self.cx);
    }
}

/// `ansible_failed_task`: what a `rescue` may ask about the task. Its name is the one it has in its
/// file, without the role's.
fn failed_task(view: &TaskView) -> Value {
    let shown = view.info.name.as_str();
    let role = view.task.scope.role().map(|r| format!("{} : ", r.name));
    let name = role.and_then(|r| shown.strip_prefix(&r)).unwrap_or(shown);
    let args = view.task.args.named.iter();
    let args: Map = args
        .map(|a| (Key::from(&*a.name), a.value.clone()))
        .collect();
    let own = |kw| view.task.own(kw).map_or(Value::Null, |s| s.value.clone());
    let map: Map = [
        (Key::from("name"), Value::from(name)),
        (Key::from("args"), Value::map(args)),
        (Key::from("register"), own(Kw::Register)),
        (Key::from("delegate_to"), own(Kw::DelegateTo)),
        (Key::from("tags"), Value::from(view.task.scope.tags())),
        (Key::from("action"), Value::from(&*view.task.module)),
        (Key::from("path"), Value::from(view.info.path.as_str())),
    ]
    .into_iter()
    .collect();
    Value::map(map)
}
