//! What a task's end means for the play: counters, variables, handlers, failures.

use super::context::{HostState, TaskView};
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
        let ignored_unreachable = end.report.ignored;
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
        if let Some(role) = view.task.scope.role()
            && !matches!(
                end.report.status,
                Status::Skipped | Status::Unreachable | Status::MayChange
            )
        {
            // Of hosts that share a task that runs once, only one did it.
            if !self.hosts[i].roles_begun.contains(&role.key) {
                self.hosts[i].roles_begun.insert(role.key.clone());
            }
        }
        if !end.notify.is_empty() {
            self.notify(&end.notify, i);
        }
        // Inclusions are counted one by one, when they are read.
        if counts || end.report.status != Status::Ok {
            self.count(i, &end, ignored_unreachable);
        }
        match end.report.status {
            Status::Failed if !end.report.ignored => {
                self.fail(view, i, sharing, &end.result);
            }
            Status::Unreachable if !ignored_unreachable => self.hosts[i].unreachable = true,
            _ => return,
        }
        self.tell_who_is_left();
    }

    /// Brings the variables that list the hosts which are still in the play up to date.
    pub(super) fn tell_who_is_left(&mut self) {
        let out = |name: &str| {
            let here = self.hosts.iter().find(|h| &*h.slot.name == name);
            here.is_some_and(|h| h.unreachable || h.ended || h.cursor.is_failing())
        };
        let left: Vec<Arc<str>> = self
            .hosts
            .iter()
            .map(|h| Arc::clone(&h.slot.name))
            .filter(|name| !out(name))
            .collect();
        let magic = self.run.magic_of_hosts(&self.cx.magic, &left, &out);
        Arc::make_mut(&mut self.cx).magic = magic;
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
            Status::Unreachable if ignored_unreachable => {
                n.ok += 1;
                n.ignored += 1;
            }
            Status::Unreachable => n.unreachable += 1,
        }
    }

    fn fail(&mut self, view: &TaskView, i: usize, sharing: &[usize], result: &Map) {
        let rescued = self.hosts[i].cursor.would_rescue();
        for &j in sharing {
            let host = &mut self.hosts[j];
            if j != i && (host.unreachable || host.cursor.has_failed()) {
                continue;
            }
            if rescued {
                let mut vars = host
                    .slot
                    .vars
                    .write()
                    .unwrap_or_else(PoisonError::into_inner);
                vars.set("ansible_failed_result", Value::map(result.clone()));
                vars.set("ansible_failed_task", failed_task(view));
            }
            host.cursor.fail();
        }
    }

    /// `any_errors_fatal`: all hosts fail with these.
    pub(super) fn fail_others(&mut self, broken: &[usize]) {
        for (j, host) in self.hosts.iter_mut().enumerate() {
            if !broken.contains(&j) && !host.unreachable && !host.cursor.has_failed() {
                host.cursor.fail();
            }
        }
        self.tell_who_is_left();
    }

    /// `max_fail_percentage`.
    pub(super) fn check_limits(&mut self) {
        let Some(limit) = self.max_fail else {
            return;
        };
        let failed = |h: &HostState| h.cursor.has_failed();
        let out = self.hosts.iter().filter(|h| failed(h)).count();
        if out as f64 * 100.0 / self.hosts.len() as f64 > limit {
            for host in self.hosts.iter_mut().filter(|h| !h.unreachable) {
                host.cursor.fail();
            }
            // Ansible says it twice: when the limit is passed, and when nobody is left.
            for _ in 0..2 {
                self.run.cx.emit.run(EventKind::Notice {
                    level: Level::Banner,
                    text: "NO MORE HOSTS LEFT".into(),
                });
            }
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
        let name = Arc::clone(&self.hosts[i].slot.name);
        self.run.add(name, request);
        self.refresh_magic();
    }

    /// Groups changed: `groups` does.
    pub(super) fn refresh_magic(&mut self) {
        let magic = self.run.refresh_magic(&self.cx);
        Arc::make_mut(&mut self.cx).magic = magic;
    }
}

/// The task as `ansible_failed_task` has it: its keywords as they were written.
fn failed_task(view: &TaskView) -> Value {
    let task = &view.task;
    let shown = view.info.name.as_str();
    let role = task.scope.role().map(|r| format!("{} : ", r.name));
    let name = role.and_then(|r| shown.strip_prefix(&r)).unwrap_or(shown);
    let mut map = Map::new();
    for kw in [Kw::Register, Kw::DelegateTo] {
        map.insert(Key::from(kw.name()), Value::Null);
    }
    for (kw, setting) in task.scope.keywords.iter() {
        map.insert(Key::from(kw.name()), setting.value.clone());
    }
    let mut args = Map::new();
    for arg in &task.args.named {
        args.insert(Key::from(&*arg.name), arg.value.clone());
    }
    if let Some(free) = &task.args.free {
        args.insert(Key::from("_raw_params"), free.value.clone());
    }
    map.insert(Key::from("name"), Value::from(name));
    map.insert(Key::from("action"), Value::from(task.written_module()));
    map.insert(Key::from("resolved_action"), Value::from(&*task.module));
    map.insert(Key::from("args"), Value::map(args));
    map.insert(Key::from("path"), Value::from(view.info.path.as_str()));
    map.insert(Key::from("tags"), Value::from(task.scope.tags()));
    if let Some(role) = task.scope.role() {
        map.insert(Key::from("role"), Value::from(role.name.as_str()));
    }
    Value::map(map)
}
