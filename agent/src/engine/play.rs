//! One play on one batch of hosts: what a strategy asks of it. The strategy decides who goes when.

use super::context::{HostSlot, HostState, PlayCx, RunCx, TaskView};
use super::cursor::{Cursor, Entry, Filter, Step};
use super::notify::HandlerNames;
use super::options::Gathering;
use super::result::{ItemEnd, TaskEnd};
use super::run::Run;
use super::steps::{flatten, gathers_facts, starts_at, starts_in, steps};
use super::strategy::Strategy;
use super::task::TaskCx;
use crate::error::{Error, Result};
use crate::event::{EventKind, Status, TaskInfo};
use crate::playbook::keyword::{Kw, Setting, as_bool, plain_text};
use crate::playbook::task::Task;
use crate::value::{Map, Value};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// Runs one batch of a play's hosts.
pub struct Batch<'r> {
    pub(super) run: &'r mut Run,
    pub(super) cx: Arc<PlayCx>,
    pub(super) hosts: Vec<HostState>,
    pub(super) handlers: Arc<Vec<Entry>>,
    pub(super) strategy: &'static Strategy,
    /// Under what handlers are known, as far as that was asked.
    pub(super) handler_names: Vec<HandlerNames>,
    views: HashMap<usize, Arc<TaskView>>,
    /// Whether tags select a task, by its address; the task is kept, so that the address stays its own.
    selected: HashMap<usize, (Arc<Task>, bool)>,
    /// Whether the tags of the play let its handlers be flushed.
    flushes: bool,
    /// Hosts beyond this share of failures end the play.
    pub(super) max_fail: Option<f64>,
    pub(super) ended: bool,
}

/// All that it takes to run a task on a host: for a thread of its own.
pub(super) struct Ticket {
    run: Arc<RunCx>,
    play: Arc<PlayCx>,
    view: Arc<TaskView>,
    slot: Arc<HostSlot>,
    files: Arc<Map>,
}

impl Ticket {
    fn cx(&self) -> TaskCx<'_> {
        TaskCx {
            run: &self.run,
            play: &self.play,
            view: &self.view,
            slot: &self.slot,
            files: &self.files,
        }
    }

    /// Runs the task, and tells.
    pub(super) fn run(&self) -> TaskEnd {
        let task = self.view.info.id;
        let start = EventKind::HostTaskStarted { task };
        self.run.emit.host(&self.slot.name, start);
        let end = super::journal::execute(&self.cx());
        if end.includes.is_empty() || end.report.status == Status::Failed {
            let report = end.report.clone();
            let event = EventKind::TaskFinished { task, report };
            self.run.emit.host(&self.slot.name, event);
        }
        end
    }
}

/// What the cursor asks about one host.
struct Selects<'a> {
    run: &'a Run,
    play: &'a PlayCx,
    selected: &'a mut HashMap<usize, (Arc<Task>, bool)>,
    notified: &'a BTreeSet<usize>,
    begun: &'a HashSet<String>,
    roles_done: &'a mut HashSet<String>,
}

impl Selects<'_> {
    /// Whether `--start-at-task` means this task. Facts are gathered in the play that has the task.
    fn starts_here(&self, task: &Arc<Task>) -> bool {
        let wanted = self.run.cx.options.start_at.as_deref().unwrap_or_default();
        starts_at(task, wanted)
            || (gathers_facts(task, &self.play.play) && starts_in(&self.play.play, wanted))
    }
}

impl Filter for Selects<'_> {
    fn selects(&mut self, task: &Arc<Task>) -> bool {
        // Handlers run when they are notified, whatever their tags.
        if task.handler {
            return true;
        }
        if !self.run.started && !self.starts_here(task) {
            return false;
        }
        let done = |key: &str| self.roles_done.contains(key);
        if let Some(role) = task.scope.role()
            && !role.allow_duplicates
            && done(&role.key)
        {
            return false;
        }
        let key = Arc::as_ptr(task) as usize;
        if let Some((_, known)) = self.selected.get(&key) {
            return *known;
        }
        let tags = self.run.tags_of(self.play, task);
        let selected = self.run.cx.options.selects_tags(&tags);
        self.selected.insert(key, (Arc::clone(task), selected));
        selected
    }
    fn notified(&self, handler: usize) -> bool {
        self.notified.contains(&handler)
    }
    fn finish_role(&mut self, key: &str) {
        // A role of which every task was skipped did not run.
        if self.begun.contains(key) {
            self.roles_done.insert(key.to_string());
        }
    }
}

impl<'r> Batch<'r> {
    /// Prepares a batch.
    ///
    /// # Errors
    /// When variables of the play cannot be read.
    pub fn new(
        run: &'r mut Run,
        cx: PlayCx,
        strategy: &'static Strategy,
        names: &[Arc<str>],
    ) -> Result<Self> {
        let play = Arc::clone(&cx.play);
        let forced = match play.get(Kw::ForceHandlers) {
            Some(_) => run.flag(&cx, Kw::ForceHandlers)?,
            None => run.cx.options.force_handlers,
        };
        let mut flush_tags = run.tags_in(&cx, &play.scope);
        flush_tags.push("always".into());
        let steps = Arc::new(steps(&play, run.gathers(&play), forced));
        let mut hosts = Vec::new();
        let skips_known = run.gathers(&play) && run.cx.options.gather == Gathering::Smart;
        for (index, name) in names.iter().enumerate() {
            let slot = run.slot(name);
            let mut cursor = Cursor::new(index, Arc::clone(&steps));
            if skips_known && slot.snapshot().has_facts() {
                cursor.skip_first();
            }
            hosts.push(HostState {
                cursor,
                files: Arc::default(),
                pending: Vec::new(),
                notified: BTreeSet::new(),
                roles_begun: HashSet::new(),
                roles_done: run.roles_done(name),
                unreachable: false,
                ended: false,
                counters: run.counters(name),
                slot,
            });
        }
        let handlers = flatten(&play.handlers).into_iter().enumerate();
        let mut batch = Self {
            max_fail: run.percentage(&cx, Kw::MaxFailPercentage)?,
            flushes: run.cx.options.selects_tags(&flush_tags),
            run,
            cx: Arc::new(cx),
            hosts,
            handlers: Arc::new(handlers.map(|(i, t)| Entry::Handler(i, t)).collect()),
            strategy,
            handler_names: Vec::new(),
            views: HashMap::new(),
            selected: HashMap::new(),
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
        (self.strategy.drive)(&mut self);
        for host in &self.hosts {
            let failed = host.cursor.is_failing();
            self.run.finish_host(
                &host.slot.name,
                host.counters,
                failed,
                host.unreachable,
                &host.roles_done,
            );
        }
    }

    /// The next step of a host; nothing when it is through, or out of reach.
    pub(super) fn peek(&mut self, index: usize) -> Option<Step> {
        let host = &mut self.hosts[index];
        if host.unreachable {
            return None;
        }
        loop {
            let mut filter = Selects {
                run: self.run,
                play: &self.cx,
                selected: &mut self.selected,
                notified: &host.notified,
                begun: &host.roles_begun,
                roles_done: &mut host.roles_done,
            };
            let step = host.cursor.peek(&mut filter)?;
            match &step {
                Step::Task(task) => {
                    self.run.started |= !gathers_facts(task, &self.cx.play);
                }
                Step::Flush => {
                    let idle = host.pending.is_empty() && host.notified.is_empty();
                    if idle || !self.flushes {
                        host.cursor.advance();
                        continue;
                    }
                }
            }
            return Some(step);
        }
    }

    /// A task for a host, ready to run.
    pub(super) fn ticket(&self, view: &Arc<TaskView>, i: usize) -> Ticket {
        let host = &self.hosts[i];
        Ticket {
            run: Arc::clone(&self.run.cx),
            play: Arc::clone(&self.cx),
            view: Arc::clone(view),
            slot: Arc::clone(&host.slot),
            files: Arc::clone(&host.files),
        }
    }

    /// A task that cannot begin, as an end; it is told.
    pub(super) fn broken(&self, view: &TaskView, i: usize, error: &Error) -> TaskEnd {
        let end = TaskEnd::of_one(ItemEnd::error(error), &view.task);
        self.run.cx.emit.host(
            &self.hosts[i].slot.name,
            EventKind::TaskFinished {
                task: view.info.id,
                report: end.report.clone(),
            },
        );
        end
    }

    /// `throttle`: how many hosts at once, if the task says.
    pub(super) fn throttle(&self, view: &TaskView, i: usize) -> Result<Option<usize>> {
        let Some(setting) = view.task.find(Kw::Throttle) else {
            return Ok(None);
        };
        let failed = "Failed to convert the throttle value to an integer";
        let cx = self.task_cx(view, i);
        let value = match &setting.value {
            Value::Template(_) => cx
                .resolve(setting, &cx.seen(&cx.slot.snapshot()))
                .map_err(|e| e.context(failed))?,
            plain => plain.clone(),
        };
        let text = plain_text(&value);
        let most: i64 = text.trim().parse().map_err(|_| {
            Error::params(format!(
                "{failed}: invalid literal for int() with base 10: '{text}'"
            ))
            .at(&setting.span)
        })?;
        Ok(usize::try_from(most).ok().filter(|n| *n > 0))
    }

    /// Whether a failure of this task is one of all hosts (`any_errors_fatal`).
    pub(super) fn is_fatal(&self, view: &TaskView, i: usize) -> bool {
        match view.task.find(Kw::AnyErrorsFatal) {
            Some(_) => self.flag(view, i, Kw::AnyErrorsFatal),
            None => self.run.cx.options.any_errors_fatal,
        }
    }

    /// Whether the task runs on one host, for all.
    pub(super) fn runs_once(&self, view: &TaskView, i: usize) -> bool {
        bypasses_loop(&view.task) || self.flag(view, i, Kw::RunOnce)
    }

    /// A flag of a task, as its first host sees it.
    fn flag(&self, view: &TaskView, i: usize, kw: Kw) -> bool {
        let Some(setting) = view.task.find(kw) else {
            return false;
        };
        match &setting.value {
            Value::Template(_) => {
                let cx = self.task_cx(view, i);
                let seen = cx.seen(&cx.slot.snapshot());
                cx.flag(kw, &seen).ok().flatten() == Some(true)
            }
            value => as_bool(&plain_text(value)).unwrap_or(false),
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
            path: super::told::path_of(&task.span),
            handler: task.handler,
            check: checks(task.find(Kw::CheckMode), self.run.cx.options.check),
            no_log: task.find(Kw::NoLog).is_some_and(|s| s.value.is_truthy()),
            args: Value::Null,
        }
    }
}

/// Whether check mode holds where `check_mode` may say so.
pub(super) fn checks(setting: Option<&Setting>, otherwise: bool) -> bool {
    let said = setting.and_then(|s| as_bool(&plain_text(&s.value)));
    said.unwrap_or(otherwise)
}

/// A task's name, after that of its role.
fn in_role(task: &Task, own: String) -> String {
    match task.scope.role() {
        // As in Ansible, which names the role that is included instead.
        Some(_) if task.short_module() == "include_role" => own,
        Some(role) => format!("{} : {own}", role.name),
        None => own,
    }
}

/// Modules that run once for all hosts, whatever the play says.
pub(super) fn bypasses_loop(task: &Task) -> bool {
    matches!(task.short_module(), "add_host" | "pause") && task.module.starts_with("ansible.")
}
