//! One task on one host: its conditions and its attempts; `loops` has its loop, `settings` what its keywords
//! come to.

mod loops;
mod settings;

use super::action::Actor;
use super::context::{HostSlot, HostsView, Login, PlayCx, RunCx, TaskView, with_host};
use super::invoke;
use super::result::{ItemEnd, TaskEnd};
use super::runner::Background;
use crate::error::{Error, Result};
use crate::playbook::keyword::Kw;
use crate::playbook::task::Task;
use crate::template::Variables;
use crate::value::{Key, Map, Value};
use crate::vars::{HostVars, Layer, Stack};
use std::sync::Arc;

/// A task on a host.
pub struct TaskCx<'a> {
    /// The run.
    pub run: &'a RunCx,
    /// The play.
    pub play: &'a PlayCx,
    /// The task.
    pub view: &'a TaskView,
    /// The host.
    pub slot: &'a Arc<HostSlot>,
    /// `vars_files` for this host.
    pub files: &'a Arc<Map>,
}

/// Settings of a task, evaluated for an item.
pub(super) struct Effective {
    pub check: bool,
    pub diff: bool,
    pub no_log: bool,
    pub delegate_to: Option<Arc<str>>,
    pub login: Login,
    pub environment: Vec<(String, String)>,
    pub timeout: Option<u64>,
    pub background: Option<Background>,
    /// Seconds between two looks at what works in the background; 0 is none at all.
    pub poll: u64,
}

/// The variables of an item: the stack and a shared handle for templates.
pub(super) struct Seen {
    pub stack: Stack,
    pub vars: Arc<dyn Variables>,
}

impl Seen {
    pub(super) fn new(stack: Stack) -> Self {
        let vars = Arc::new(stack.clone());
        Self { stack, vars }
    }

    /// With one more layer of loop variables or results.
    pub(super) fn with(&self, map: Map) -> Self {
        Self::new(self.stack.with(Layer::Loop, map))
    }

    /// With the variables of a loop.
    pub(super) fn with_item(&self, map: Map, written: bool) -> Self {
        let layer = if written {
            Layer::LoopWritten
        } else {
            Layer::Loop
        };
        Self::new(self.stack.with(layer, map))
    }
}

impl TaskCx<'_> {
    pub(super) fn task(&self) -> &Task {
        &self.view.task
    }

    /// Runs the task, with all items of its loop.
    #[must_use]
    pub fn execute(&self) -> TaskEnd {
        let started = crate::host::here::monotonic();
        let mut vars = self.slot.snapshot();
        let seen = self.seen(&vars);
        let mut end = match self.items(&seen) {
            Ok(None) => {
                let item = self.item(&seen);
                TaskEnd::of_one(item, self.task())
            }
            Ok(Some(items)) => self.run_loop(items, &mut vars),
            Err(error) => TaskEnd::of_one(self.loop_failed(&seen, &error), self.task()),
        };
        end.report.seconds = crate::host::here::monotonic() - started;
        end
    }

    pub(super) fn seen(&self, vars: &HostVars) -> Seen {
        let stack = self
            .view
            .stack(self.run, self.play, self.files, (vars, &self.slot.address));
        let mut stack = with_host(stack, self.slot);
        stack.with_others(Arc::new(HostsView {
            hosts: Arc::clone(&self.run.hosts),
            merge_hashes: self.run.options.merge_hashes,
            extra: Arc::clone(&self.run.options.extra_vars),
            magic: Arc::clone(&self.play.magic),
        }));
        self.logged_in(Seen::new(stack))
    }

    /// With what `remote_user` says as a template: evaluated without itself, since such a template may
    /// name `ansible_user` with a default.
    fn logged_in(&self, seen: Seen) -> Seen {
        let setting = self.task().find(Kw::RemoteUser);
        let Some(setting) = setting.filter(|s| s.value.has_template()) else {
            return seen;
        };
        match self.resolve(setting, &seen) {
            Ok(user) if !matches!(user, Value::Omit | Value::Null) => Seen::new(
                seen.stack
                    .above(Layer::Login, &super::context::login(&user)),
            ),
            // It is told where the task needs it.
            _ => seen,
        }
    }

    /// Runs the task once.
    fn item(&self, seen: &Seen) -> ItemEnd {
        let end = match self.conditions(seen) {
            Ok(None) => self.tried(seen),
            Ok(Some(skip)) => ItemEnd::skipped(skip),
            Err(error) => self.judge_error(seen, &error),
        };
        self.hidden_if_asked(seen, end)
    }

    fn tried(&self, seen: &Seen) -> ItemEnd {
        let effective = match self.effective(seen) {
            Ok(effective) => effective,
            Err(error) => return self.judge_error(seen, &error),
        };
        let delegated;
        let seen = match &effective.delegate_to {
            Some(host) => {
                delegated = seen.with(delegated_vars(host));
                &delegated
            }
            None => seen,
        };
        let mut end = invoke::attempts(self, seen, &effective);
        end.delegated_to = effective.delegate_to.as_deref().map(str::to_string);
        if !end.failed() {
            end.notify = self.notifies(seen);
        }
        if let Some(name) = self.task().own(Kw::Register) {
            let name = self.run.text(&name.value);
            end.register = Some(name);
        }
        end
    }

    fn judge_error(&self, seen: &Seen, error: &Error) -> ItemEnd {
        invoke::ignore_if_asked(self, seen, ItemEnd::error(error))
    }

    /// `no_log` holds for skipped and broken tasks, too. One that cannot be evaluated hides.
    fn hidden_if_asked(&self, seen: &Seen, mut end: ItemEnd) -> ItemEnd {
        end.no_log |= self.flag(Kw::NoLog, seen).map_or(true, |f| f == Some(true));
        end
    }

    /// Whether conditions hold the task back: the one that does, and its result.
    fn conditions(&self, seen: &Seen) -> Result<Option<Map>> {
        for setting in self.task().scope.all(Kw::When) {
            for condition in setting.items() {
                let holds = self
                    .run
                    .condition(&condition, Some(&setting.span), &seen.vars)?;
                if !holds {
                    let mut map = Map::new();
                    map.insert(Key::from("false_condition"), plain(&condition));
                    map.insert(
                        Key::from("skip_reason"),
                        Value::from("Conditional result was False"),
                    );
                    return Ok(Some(map));
                }
            }
        }
        Ok(None)
    }

    /// The variables in which results of an attempt are judged.
    pub(super) fn with_result(&self, seen: &Seen, result: &Map) -> Seen {
        let Some(name) = self.task().own(Kw::Register) else {
            return Seen::new(seen.stack.clone());
        };
        let name = self.run.text(&name.value);
        seen.with(
            [(Key::from(name), Value::map(result.clone()))]
                .into_iter()
                .collect(),
        )
    }

    pub(super) fn actor<'b>(&'b self, seen: &'b Seen, effective: &'b Effective) -> Actor<'b> {
        Actor::new(self, seen, effective)
    }
}

/// `ansible_delegated_vars`: what the host knows that a task is delegated to, under its name.
fn delegated_vars(host: &str) -> Map {
    let name = Value::from(host).to_json();
    let vars = Value::written(
        format!("{{{{ hostvars[{name}] if {name} in hostvars else {{}} }}}}"),
        None,
    );
    let of_host: Map = [(Key::from(host), vars)].into_iter().collect();
    [(Key::from("ansible_delegated_vars"), Value::map(of_host))]
        .into_iter()
        .collect()
}

/// A condition as data for a result: no template any more.
fn plain(value: &Value) -> Value {
    match value {
        Value::Template(t) => Value::Str(Arc::clone(&t.text)),
        other => other.clone(),
    }
}

impl TaskCx<'_> {
    /// Whether `when` lets the task run: for what is no module (`meta`).
    ///
    /// # Errors
    /// When a condition cannot be evaluated.
    pub fn wanted(&self) -> Result<bool> {
        let seen = self.seen(&self.slot.snapshot());
        Ok(self.conditions(&seen)?.is_none())
    }

    /// What the task notifies: its own `notify`, or that of the blocks around it.
    fn notifies(&self, seen: &Seen) -> Vec<String> {
        let Some(setting) = self.task().find(Kw::Notify) else {
            return Vec::new();
        };
        match self.resolve(setting, seen) {
            Ok(Value::List(items)) => items.iter().map(|v| self.run.text(v)).collect(),
            Ok(Value::Null | Value::Omit) => Vec::new(),
            Ok(value) => vec![self.run.text(&value)],
            Err(_) => setting.words_kept(),
        }
    }
}
