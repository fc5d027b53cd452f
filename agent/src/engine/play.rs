//! One play on one batch of hosts: the steps of all of them, in lock-step.

use super::context::{HostState, PlayCx, RunCx, TaskView};
use super::cursor::{Cursor, Entry, Filter, Place, Step};
use super::include::IncludeCall;
use super::parallel;
use super::result::TaskEnd;
use super::run::Run;
use super::steps::{flatten, starts_at, steps};
use super::task::TaskCx;
use crate::error::Result;
use crate::event::{EventKind, Status, TaskInfo};
use crate::host::here;
use crate::playbook::keyword::{Kw, plain_text};
use crate::playbook::task::Task;
use crate::value::Value;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// Runs one batch of a play's hosts.
pub struct Batch<'r> {
    pub(super) run: &'r mut Run,
    pub(super) cx: PlayCx,
    pub(super) hosts: Vec<HostState>,
    pub(super) handlers: Arc<Vec<Entry>>,
    views: HashMap<usize, Arc<TaskView>>,
    /// Hosts beyond this share of failures end the play.
    pub(super) max_fail: Option<f64>,
    pub(super) any_errors_fatal: bool,
    force_handlers: bool,
    pub(super) ended: bool,
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
                forced: false,
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
                let forces = self.force_handlers && !host.forced;
                if host.cursor.has_failed() && forces && !host.notified.is_empty() {
                    // Forced handlers run although the host is out of the play; when one of them
                    // fails, that is the end.
                    host.forced = true;
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
        let view = self.view(task, hosts[0]);
        let once = self.runs_once(&view, hosts);
        let running: Vec<usize> = if once { vec![hosts[0]] } else { hosts.to_vec() };
        self.run.cx.emit.run(EventKind::TaskStarted {
            task: Arc::clone(&view.info),
        });
        let ends = self.run_on(&view, &running);
        // All at once, before results are judged: one host's failure may move the others on.
        for &i in hosts {
            self.hosts[i].cursor.advance();
        }
        let mut includes: Vec<(usize, Vec<IncludeCall>)> = Vec::new();
        for (i, mut end) in running.iter().copied().zip(ends) {
            let calls = std::mem::take(&mut end.includes);
            let sharing: Vec<usize> = if once { hosts.to_vec() } else { vec![i] };
            if !calls.is_empty() {
                includes.extend(sharing.iter().map(|j| (*j, calls.clone())));
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
            let end = super::journal::execute(&self.task_cx(view, hosts[i]));
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

    pub(super) fn ignores_unreachable(&self, view: &TaskView, end: &TaskEnd) -> bool {
        end.report.status == Status::Unreachable
            && view
                .task
                .find(Kw::IgnoreUnreachable)
                .is_some_and(|s| s.value.is_truthy())
    }

    fn runs_once(&self, view: &TaskView, hosts: &[usize]) -> bool {
        let Some(setting) = view.task.find(Kw::RunOnce) else {
            return bypasses_loop(&view.task);
        };
        match &setting.value {
            Value::Template(_) => {
                let cx = self.task_cx(view, hosts[0]);
                let seen = cx.seen(&cx.slot.snapshot());
                cx.flag(Kw::RunOnce, &seen).ok().flatten() == Some(true)
            }
            value => crate::playbook::keyword::as_bool(&plain_text(value)).unwrap_or(false),
        }
    }

    /// A task on the host of this index.
    pub(super) fn task_cx<'a>(&'a self, view: &'a TaskView, i: usize) -> TaskCx<'a> {
        let host = &self.hosts[i];
        TaskCx {
            run: &self.run.cx,
            play: &self.cx,
            view,
            slot: &host.slot,
            files: &host.files,
        }
    }

    /// What views know of a task; worked out once, for the first host that comes to it.
    pub(super) fn view(&mut self, task: &Arc<Task>, host: usize) -> Arc<TaskView> {
        // The address stands for the task: the view keeps the task, so no other can get it.
        let key = Arc::as_ptr(task) as usize;
        if let Some(view) = self.views.get(&key) {
            return Arc::clone(view);
        }
        let mut view = TaskView::new(task, Arc::new(self.info(task)), &self.cx.play);
        if let Some(setting) = task.name().filter(|s| s.value.has_template()) {
            let cx = self.task_cx(&view, host);
            let seen = cx.seen(&cx.slot.snapshot());
            if let Ok(own) = cx.resolve(setting, &seen) {
                let name = in_role(task, plain_text(&own));
                view.info = Arc::new(TaskInfo {
                    name,
                    ..(*view.info).clone()
                });
            }
        }
        let view = Arc::new(view);
        self.views.insert(key, Arc::clone(&view));
        view
    }

    fn info(&mut self, task: &Arc<Task>) -> TaskInfo {
        TaskInfo {
            id: self.run.next_id(),
            name: in_role(task, task.title()),
            module: task.module.to_string(),
            path: TaskInfo::path_of(Some(&task.span)),
            handler: task.handler,
            check: self.run.cx.options.check,
            no_log: task.find(Kw::NoLog).is_some_and(|s| s.value.is_truthy()),
            args: Value::Null,
        }
    }
}

/// A task's name, after that of its role.
fn in_role(task: &Task, own: String) -> String {
    match task.scope.role() {
        Some(role) => format!("{} : {own}", role.name),
        None => own,
    }
}

/// Modules that run once for all hosts, whatever the play says.
fn bypasses_loop(task: &Task) -> bool {
    matches!(task.short_module(), "add_host" | "pause") && task.module.starts_with("ansible.")
}
