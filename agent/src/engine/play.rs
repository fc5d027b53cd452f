//! One play: its hosts in batches, its sections, its steps in lock-step.

use super::context::{HostState, HostsView, PlayCx, RunCx, TaskView};
use super::cursor::{Cursor, Entry, Filter, Place, Step};
use super::include::{self, IncludeCall};
use super::options::Gathering;
use super::parallel;
use super::result::{Request, TaskEnd};
use super::run::Run;
use super::task::TaskCx;
use crate::error::Result;
use crate::event::{EventKind, Level, Status, TaskInfo};
use crate::host::here;
use crate::playbook::keyword::{Kw, plain_text};
use crate::playbook::play::Play;
use crate::playbook::scope::{Keywords, Scope, ScopeKind};
use crate::playbook::task::{Arg, Item, Task, TaskArgs};
use crate::value::{Key, Map, Value};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, PoisonError};

/// Runs one batch of a play's hosts.
pub struct Batch<'r> {
    run: &'r mut Run,
    cx: PlayCx,
    hosts: Vec<HostState>,
    handlers: Arc<Vec<Entry>>,
    views: HashMap<usize, Arc<TaskView>>,
    /// Hosts beyond this share of failures end the play.
    max_fail: Option<f64>,
    any_errors_fatal: bool,
    force_handlers: bool,
    ended: bool,
}

/// What the cursor asks about one host.
struct Selects<'a> {
    run: &'a RunCx,
    /// Whether `--start-at-task` was reached.
    started: bool,
    notified: &'a BTreeSet<usize>,
    roles_done: &'a mut HashSet<String>,
}

impl Filter for Selects<'_> {
    fn selects(&self, task: &Task) -> bool {
        let starts = || {
            let wanted = self.run.options.start_at.as_deref().unwrap_or_default();
            starts_at(task, wanted)
        };
        (self.started || starts()) && self.run.options.selects_tags(&task.scope.tags())
    }
    fn notified(&self, handler: usize) -> bool {
        self.notified.contains(&handler)
    }
    fn role_done(&self, key: &str) -> bool {
        self.roles_done.contains(key)
    }
    fn finish_role(&mut self, key: &str) {
        self.roles_done.insert(key.to_string());
    }
}

impl<'r> Batch<'r> {
    /// Prepares a batch.
    ///
    /// # Errors
    /// When variables of the play cannot be read.
    pub fn new(run: &'r mut Run, cx: PlayCx, names: &[Arc<str>]) -> Result<Self> {
        let play = Arc::clone(&cx.play);
        let steps = Arc::new(steps(&play, run.gathers(&play)));
        let handlers: Vec<Arc<Task>> = flatten(&play.handlers);
        let mut hosts = Vec::new();
        for (index, name) in names.iter().enumerate() {
            let slot = run.slot(name);
            hosts.push(HostState {
                cursor: Cursor::new(index, Arc::clone(&steps)),
                files: Arc::default(),
                notified: BTreeSet::new(),
                roles_done: run.roles_done(name),
                unreachable: false,
                counters: run.counters(name),
                slot,
            });
        }
        let mut batch = Self {
            max_fail: run.percentage(&cx, Kw::MaxFailPercentage)?,
            any_errors_fatal: run.flag(&cx, Kw::AnyErrorsFatal)? || run.cx.options.any_errors_fatal,
            force_handlers: run.flag(&cx, Kw::ForceHandlers)? || run.cx.options.force_handlers,
            run,
            cx,
            hosts,
            handlers: Arc::new(
                handlers
                    .into_iter()
                    .enumerate()
                    .map(|(i, t)| Entry::Handler(i, t))
                    .collect(),
            ),
            views: HashMap::new(),
            ended: false,
        };
        batch.read_vars_files()?;
        Ok(batch)
    }

    fn read_vars_files(&mut self) -> Result<()> {
        for i in 0..self.hosts.len() {
            let map = self.run.vars_files(&self.cx, &self.hosts[i].slot)?;
            self.hosts[i].files = Arc::new(map);
        }
        Ok(())
    }

    /// Runs all steps. Hosts that failed or are out of reach are told to the run.
    pub fn execute(mut self) {
        while let Some((task, hosts)) = self.next_step() {
            match task {
                Some(task) => self.task_step(&task, &hosts),
                None => self.flush(&hosts),
            }
            self.check_limits();
            if self.ended || here::stopped() {
                break;
            }
        }
        for host in &self.hosts {
            let failed = host.cursor.has_failed();
            self.run.finish_host(
                &host.slot.name,
                host.counters,
                failed,
                host.unreachable,
                &host.roles_done,
            );
        }
    }

    /// The earliest step that any host must take, and the hosts that take it now.
    fn next_step(&mut self) -> Option<(Option<Arc<Task>>, Vec<usize>)> {
        let mut best: Option<(Place, Option<Arc<Task>>, Vec<usize>)> = None;
        for index in 0..self.hosts.len() {
            let Some((place, task)) = self.peek(index) else {
                continue;
            };
            match &mut best {
                Some((p, _, hosts)) if *p == place => hosts.push(index),
                Some((p, ..)) if *p < place => {}
                _ => best = Some((place, task, vec![index])),
            }
        }
        best.map(|(_, task, hosts)| (task, hosts))
    }

    fn peek(&mut self, index: usize) -> Option<(Place, Option<Arc<Task>>)> {
        let host = &mut self.hosts[index];
        if host.unreachable {
            return None;
        }
        loop {
            let mut filter = Selects {
                run: &self.run.cx,
                started: self.run.started,
                notified: &host.notified,
                roles_done: &mut host.roles_done,
            };
            let step = host.cursor.peek(&mut filter);
            let Some(step) = step else {
                if host.cursor.has_failed() && self.force_handlers && !host.notified.is_empty() {
                    // Forced handlers run although the host is out of the play.
                    host.cursor.insert(Arc::clone(&self.handlers));
                    continue;
                }
                return None;
            };
            return Some(match step {
                Step::Task(task) => {
                    self.run.started = true;
                    (host.cursor.place(), Some(task))
                }
                Step::Flush => (host.cursor.place(), None),
            });
        }
    }

    /// Handlers that were notified run now.
    fn flush(&mut self, hosts: &[usize]) {
        for &i in hosts {
            let host = &mut self.hosts[i];
            host.cursor.advance();
            if !host.notified.is_empty() {
                host.cursor.insert(Arc::clone(&self.handlers));
            }
        }
    }

    fn task_step(&mut self, task: &Arc<Task>, hosts: &[usize]) {
        if !self.run.wanted_by_step(task) {
            for &i in hosts {
                self.hosts[i].cursor.advance();
            }
            return;
        }
        if task.short_module() == "meta" {
            return self.meta_step(task, hosts);
        }
        let view = self.view(task);
        let once = self.runs_once(&view, hosts);
        let running: Vec<usize> = if once { vec![hosts[0]] } else { hosts.to_vec() };
        self.run.cx.emit.run(EventKind::TaskStarted {
            task: Arc::clone(&view.info),
        });
        let ends = self.run_on(&view, &running);
        let mut includes: Vec<(usize, Vec<IncludeCall>)> = Vec::new();
        for (i, mut end) in running.iter().copied().zip(ends) {
            self.hosts[i].cursor.advance();
            let calls = std::mem::take(&mut end.includes);
            let sharing: Vec<usize> = if once { hosts.to_vec() } else { vec![i] };
            for &j in &sharing {
                if j != i {
                    self.hosts[j].cursor.advance();
                }
                if !calls.is_empty() {
                    includes.push((j, calls.clone()));
                }
            }
            self.take(&view, i, end, &sharing, calls.is_empty());
        }
        self.include(&view, includes);
    }

    fn run_on(&self, view: &TaskView, hosts: &[usize]) -> Vec<TaskEnd> {
        let throttle = view
            .task
            .find(Kw::Throttle)
            .and_then(|s| s.value.as_int())
            .and_then(|n| usize::try_from(n).ok())
            .filter(|n| *n > 0);
        let width = throttle.map_or(self.run.cx.options.forks, |t| {
            t.min(self.run.cx.options.forks)
        });
        let one = |i: usize| {
            let host = &self.hosts[hosts[i]];
            let emit = &self.run.cx.emit;
            emit.host(
                &host.slot.name,
                EventKind::HostTaskStarted { task: view.info.id },
            );
            let end = TaskCx {
                run: &self.run.cx,
                play: &self.cx,
                view,
                slot: &host.slot,
                files: &host.files,
            }
            .execute();
            if end.includes.is_empty() || end.report.status == Status::Failed {
                let mut report = end.report.clone();
                report.ignored |= self.ignores_unreachable(view, &end);
                emit.host(
                    &host.slot.name,
                    EventKind::TaskFinished {
                        task: view.info.id,
                        report,
                    },
                );
            }
            end
        };
        parallel::map(hosts.len(), width, one)
    }

    fn ignores_unreachable(&self, view: &TaskView, end: &TaskEnd) -> bool {
        end.report.status == Status::Unreachable
            && view
                .task
                .find(Kw::IgnoreUnreachable)
                .is_some_and(|s| s.value.is_truthy())
    }

    /// Takes a result into the state: counters, variables, handlers, failures.
    fn take(&mut self, view: &TaskView, i: usize, end: TaskEnd, sharing: &[usize], counts: bool) {
        let ignored_unreachable = self.ignores_unreachable(view, &end);
        let mut changes = end.changes;
        let target = self.facts_target(view, i);
        if let Some(target) = target {
            let (facts, rest): (Vec<_>, Vec<_>) = changes
                .into_iter()
                .partition(|c| matches!(c, super::result::VarChange::Facts(_)));
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
        for request in end.requests {
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
        self.count(
            i,
            end.report.status,
            end.report.ignored,
            ignored_unreachable,
            counts,
        );
        match end.report.status {
            Status::Failed if !end.report.ignored => {
                self.fail(view, i, sharing, &end.result);
            }
            Status::Unreachable if !ignored_unreachable => {
                for &j in sharing {
                    self.hosts[j].unreachable = true;
                }
            }
            _ => {}
        }
    }

    fn count(
        &mut self,
        i: usize,
        status: Status,
        ignored: bool,
        ignored_unreachable: bool,
        counts: bool,
    ) {
        let rescued = status == Status::Failed && !ignored && self.hosts[i].cursor.would_rescue();
        let n = &mut self.hosts[i].counters;
        match status {
            Status::Ok if counts => n.ok += 1,
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
    fn check_limits(&mut self) {
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

    fn runs_once(&self, view: &TaskView, hosts: &[usize]) -> bool {
        let Some(setting) = view.task.find(Kw::RunOnce) else {
            return bypasses_loop(&view.task);
        };
        match &setting.value {
            Value::Template(_) => {
                let host = &self.hosts[hosts[0]];
                let cx = TaskCx {
                    run: &self.run.cx,
                    play: &self.cx,
                    view,
                    slot: &host.slot,
                    files: &host.files,
                };
                let seen = cx.seen(&host.slot.snapshot());
                cx.flag(Kw::RunOnce, &seen).ok().flatten() == Some(true)
            }
            value => crate::playbook::keyword::as_bool(&plain_text(value)).unwrap_or(false),
        }
    }

    /// With `delegate_facts`, facts belong to the host that the task was delegated to.
    fn facts_target(&self, view: &TaskView, i: usize) -> Option<Arc<str>> {
        let task = &view.task;
        if !task.find(Kw::DelegateFacts)?.value.is_truthy() {
            return None;
        }
        let host = &self.hosts[i];
        let cx = TaskCx {
            run: &self.run.cx,
            play: &self.cx,
            view,
            slot: &host.slot,
            files: &host.files,
        };
        let seen = cx.seen(&host.slot.snapshot());
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
            Request::Stats(data, per_host, aggregate) => {
                let host = per_host.then(|| Arc::clone(&self.hosts[i].slot.name));
                self.run.add_stats(host, data, aggregate);
            }
        }
        self.cx.magic = self.run.refresh_magic(&self.cx);
    }

    /// Marks the handlers that a changed task names (by name, `role : name`, or `listen`).
    fn notify(&mut self, view: &TaskView, i: usize) {
        let Some(setting) = view.task.find(Kw::Notify) else {
            return;
        };
        let host = &self.hosts[i];
        let cx = TaskCx {
            run: &self.run.cx,
            play: &self.cx,
            view,
            slot: &host.slot,
            files: &host.files,
        };
        let seen = cx.seen(&host.slot.snapshot());
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

    fn shown_name(&self, value: &Value) -> String {
        let stack = self.run.play_stack(&self.cx);
        match self.run.cx.templar.resolve(value, &stack) {
            Ok(value) => plain_text(&value),
            Err(_) => plain_text(value),
        }
    }

    fn forget_handler(&mut self, i: usize, task: &Arc<Task>) {
        let index = self.handlers.iter().find_map(|e| match e {
            Entry::Handler(index, t) if Arc::ptr_eq(t, task) => Some(*index),
            _ => None,
        });
        if let Some(index) = index {
            self.hosts[i].notified.remove(&index);
        }
    }

    /// Reads what hosts include and puts it before their next steps.
    fn include(&mut self, view: &TaskView, calls: Vec<(usize, Vec<IncludeCall>)>) {
        if calls.is_empty() {
            return;
        }
        let mut entries = Vec::new();
        let mut including: Vec<usize> = Vec::new();
        for (call, hosts) in include::group(calls) {
            match call.load(&self.run.cx, &self.cx, &view.task) {
                Ok(included) => {
                    self.run.cx.emit.run(EventKind::Included {
                        file: included.shown,
                        hosts: hosts
                            .iter()
                            .map(|i| self.hosts[*i].slot.name.to_string())
                            .collect(),
                        label: call.label.clone(),
                    });
                    self.add_handlers(&included.handlers);
                    including.extend(&hosts);
                    entries.push(include::entry(included.block, hosts));
                }
                Err(errors) => {
                    for i in hosts {
                        self.include_failed(view, i, &errors);
                    }
                }
            }
        }
        including.sort_unstable();
        including.dedup();
        let entries = Arc::new(entries);
        for i in including {
            self.hosts[i].cursor.insert(Arc::clone(&entries));
        }
    }

    fn include_failed(&mut self, view: &TaskView, i: usize, errors: &[crate::error::Error]) {
        let Some(first) = errors.first() else {
            return;
        };
        let text: Vec<String> = errors.iter().map(ToString::to_string).collect();
        let mut end = TaskEnd::of_one(super::result::ItemEnd::error(first), &view.task);
        end.report.error = Some(text.join("\n\n"));
        self.run.cx.emit.host(
            &self.hosts[i].slot.name,
            EventKind::TaskFinished {
                task: view.info.id,
                report: end.report.clone(),
            },
        );
        self.hosts[i].counters.ok = self.hosts[i].counters.ok.saturating_sub(1);
        self.take(view, i, end, &[i], true);
    }

    fn add_handlers(&mut self, items: &[Item]) {
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

    /// What views know of a task; worked out once.
    fn view(&mut self, task: &Arc<Task>) -> Arc<TaskView> {
        // The address stands for the task: the view keeps the task, so no other can get it.
        let key = Arc::as_ptr(task) as usize;
        if let Some(view) = self.views.get(&key) {
            return Arc::clone(view);
        }
        let info = Arc::new(self.info(task));
        let view = Arc::new(TaskView::new(task, info));
        self.views.insert(key, Arc::clone(&view));
        view
    }

    fn info(&mut self, task: &Arc<Task>) -> TaskInfo {
        let own = match task.name() {
            Some(name) => self.shown_name(&name.value),
            None => task.written_module(),
        };
        let name = match task.scope.role() {
            Some(role) => format!("{} : {own}", role.name),
            None => own,
        };
        TaskInfo {
            id: self.run.next_id(),
            name,
            module: task.module.to_string(),
            path: TaskInfo::path_of(Some(&task.span)),
            handler: task.handler,
            check: self.run.cx.options.check,
            no_log: task.find(Kw::NoLog).is_some_and(|s| s.value.is_truthy()),
            args: Value::Null,
        }
    }

    fn meta_step(&mut self, task: &Arc<Task>, hosts: &[usize]) {
        let what = task
            .free_or("_raw_params")
            .map(|s| plain_text(&s.value))
            .unwrap_or_default();
        let view = self.view(task);
        for &i in hosts {
            self.hosts[i].cursor.advance();
        }
        let wanted: Vec<usize> = hosts
            .iter()
            .copied()
            .filter(|i| self.meta_wanted(&view, *i))
            .collect();
        if wanted.is_empty() {
            return;
        }
        match what.as_str() {
            "flush_handlers" => {
                for &i in &wanted {
                    if !self.hosts[i].notified.is_empty() {
                        self.hosts[i].cursor.insert(Arc::clone(&self.handlers));
                    }
                }
            }
            "clear_facts" => {
                for &i in &wanted {
                    let mut vars = self.hosts[i]
                        .slot
                        .vars
                        .write()
                        .unwrap_or_else(PoisonError::into_inner);
                    vars.clear_facts();
                }
            }
            "clear_host_errors" => {
                for host in &mut self.hosts {
                    host.cursor.forgive();
                    host.unreachable = false;
                }
                self.run.forgive();
            }
            "end_host" => {
                for &i in &wanted {
                    self.hosts[i].cursor.end();
                }
            }
            "end_play" | "end_batch" => {
                for host in &mut self.hosts {
                    host.cursor.end();
                }
                if what == "end_play" {
                    self.run.ended_play = true;
                }
            }
            "end_role" => {
                for &i in &wanted {
                    self.hosts[i].cursor.end_role();
                }
            }
            "refresh_inventory" => {
                self.run.refresh_inventory();
                self.cx.magic = self.run.refresh_magic(&self.cx);
            }
            "reset_connection" => {
                for &i in &wanted {
                    self.run.reset_connection(&self.hosts[i].slot.name);
                }
            }
            _ => {}
        }
    }

    /// `when` of a meta task, host by host.
    fn meta_wanted(&self, view: &TaskView, i: usize) -> bool {
        let host = &self.hosts[i];
        TaskCx {
            run: &self.run.cx,
            play: &self.cx,
            view,
            slot: &host.slot,
            files: &host.files,
        }
        .wanted()
    }
}

/// Whether `--start-at-task NAME` means this task; `*` in the name stands for anything.
fn starts_at(task: &Task, wanted: &str) -> bool {
    let Some(name) = task.name() else {
        return false;
    };
    let own = plain_text(&name.value);
    let full = task
        .scope
        .role()
        .map(|r| format!("{} : {own}", r.name))
        .unwrap_or_default();
    wildcard(wanted, &own) || wildcard(wanted, &full)
}

fn wildcard(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Modules that run once for all hosts, whatever the play says.
fn bypasses_loop(task: &Task) -> bool {
    matches!(task.short_module(), "add_host" | "pause") && task.module.starts_with("ansible.")
}

fn failed_task(view: &TaskView) -> Value {
    let map: Map = [
        (Key::from("name"), Value::from(view.info.name.as_str())),
        (Key::from("action"), Value::from(&*view.task.module)),
        (Key::from("path"), Value::from(view.info.path.as_str())),
    ]
    .into_iter()
    .collect();
    Value::map(map)
}

/// Tasks of a list, blocks opened: handlers run one by one.
fn flatten(items: &[Item]) -> Vec<Arc<Task>> {
    items
        .iter()
        .flat_map(|item| match item {
            Item::Task(task) => vec![Arc::clone(task)],
            Item::Block(block) => flatten(&block.body),
        })
        .collect()
}

/// The sections of a play, with the handlers flushed after each.
fn steps(play: &Play, gather: bool) -> Vec<Entry> {
    let mut steps = Vec::new();
    if gather {
        steps.push(Entry::Item(Item::Task(Arc::new(setup_task(play)))));
    }
    for section in [&play.pre_tasks, &play.tasks, &play.post_tasks] {
        steps.extend(section.iter().cloned().map(Entry::Item));
        steps.push(Entry::Flush);
    }
    steps
}

/// The task `Gathering Facts`.
fn setup_task(play: &Play) -> Task {
    use crate::playbook::role::made;
    let mut keywords = Keywords::default();
    keywords.set(Kw::Name, made("Gathering Facts", &play.span));
    keywords.set(Kw::Tags, made("always", &play.span));
    let mut args = TaskArgs::default();
    for (kw, name) in [
        (Kw::GatherSubset, "gather_subset"),
        (Kw::GatherTimeout, "gather_timeout"),
        (Kw::FactPath, "fact_path"),
    ] {
        if let Some(setting) = play.get(kw) {
            args.named.push(Arg {
                name: name.into(),
                value: setting.value.clone(),
                name_span: setting.span.clone(),
                span: setting.span.clone(),
            });
        }
    }
    Task {
        scope: Scope::inside(&play.scope, ScopeKind::Task, keywords),
        span: play.span.clone(),
        module: "ansible.builtin.setup".into(),
        module_span: play.span.clone(),
        args,
        looped: None,
        handler: false,
    }
}

/// Whether a play gathers facts.
#[must_use]
pub fn gathers(given: Option<bool>, policy: Gathering) -> bool {
    given.unwrap_or(policy != Gathering::Explicit)
}

/// `hostvars` of a play.
#[must_use]
pub fn others(run: &RunCx, magic: &Arc<Map>) -> Arc<HostsView> {
    Arc::new(HostsView {
        hosts: Arc::clone(&run.hosts),
        extra: Arc::clone(&run.options.extra_vars),
        magic: Arc::clone(magic),
    })
}
