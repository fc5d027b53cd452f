//! How a task, or an item of its loop, ended; and what it changes in the engine's state.

use super::include::IncludeCall;
use super::perform::Performed;
use crate::error::{Error, ErrorKind};
use crate::event::{Report, Status};
use crate::module::Diff;
use crate::playbook::keyword::Kw;
use crate::playbook::task::Task;
use crate::value::{Key, Map, Value};
use crate::vars::HostVars;
use std::sync::Arc;

/// A change to a host's variables, applied when the task has ended.
#[derive(Clone, Debug)]
pub enum VarChange {
    /// `register`.
    Set(String, Value),
    /// `set_fact`.
    SetFact(String, Value),
    /// Facts of a module.
    Facts(Map),
    /// `include_vars`.
    Include(Map),
}

impl VarChange {
    /// Makes the change.
    pub fn apply(&self, vars: &mut HostVars) {
        match self {
            Self::Set(name, value) | Self::SetFact(name, value) => vars.set(name, value.clone()),
            Self::Facts(map) => vars.add_facts(map),
            Self::Include(map) => vars.include(map),
        }
    }
}

/// What a task asks of the strategy.
#[derive(Clone, Debug)]
pub enum Request {
    /// `add_host`: name, groups, variables.
    AddHost(String, Vec<String>, Map),
    /// `group_by`: group, its parents.
    GroupBy(String, Vec<String>),
}

/// The end of one item (or of a task without loop).
#[derive(Clone, Debug, Default)]
pub struct ItemEnd {
    pub(super) status: Status,
    pub(super) result: Map,
    pub(super) diffs: Vec<Diff>,
    pub(super) error: Option<String>,
    pub(super) changes: Vec<VarChange>,
    pub(super) requests: Vec<Request>,
    pub(super) include: Option<IncludeCall>,
    pub(super) register: Option<String>,
    /// The module, where the task names it by a template.
    pub(super) action: Option<Arc<str>>,
    /// Handlers to notify if the task changed something.
    pub(super) notify: Vec<String>,
    pub(super) no_log: bool,
    pub(super) ignored: bool,
    pub(super) delegated_to: Option<String>,
    pub(super) label: Option<String>,
    pub(super) warnings: Vec<String>,
    /// What the module was called with, for views that want to know.
    pub(super) invocation: Option<Value>,
}

/// The end of a task on a host.
#[derive(Debug, Default)]
pub struct TaskEnd {
    /// For views.
    pub report: Report,
    /// What `register` receives.
    pub result: Map,
    /// Changes to the host's variables.
    pub changes: Vec<VarChange>,
    /// Requests to the strategy.
    pub requests: Vec<Request>,
    /// Files or roles to include, one for each item.
    pub includes: Vec<IncludeCall>,
    /// Handlers that are notified.
    pub notify: Vec<String>,
    /// For the user.
    pub warnings: Vec<String>,
}

impl ItemEnd {
    /// A condition held it back.
    pub(super) fn skipped(why: Map) -> Self {
        let mut result = Map::new();
        result.insert(Key::from("changed"), Value::Bool(false));
        result.insert(Key::from("skipped"), Value::Bool(true));
        result.extend(why.into_iter().rev());
        Self {
            status: Status::Skipped,
            result,
            ..Self::default()
        }
    }

    /// What it includes cannot be read.
    pub(super) fn unread(error: &Error) -> Self {
        let mut end = Self::error(error);
        if let Some(message) = end.result.shift_remove("msg") {
            end.result.insert(Key::from("reason"), message);
        }
        end.error = None;
        end
    }

    /// It failed before or instead of its module; in check mode it may only be unknown.
    pub(super) fn error(error: &Error) -> Self {
        if error.is_unknown() {
            return Self::unknown(&error.message());
        }
        let unreachable = error.kind() == ErrorKind::Unreachable;
        let mut result = Map::new();
        result.insert(Key::from("changed"), Value::Bool(false));
        let flag = if unreachable { "unreachable" } else { "failed" };
        result.insert(Key::from(flag), Value::Bool(true));
        let message = match error.kind() {
            ErrorKind::Template | ErrorKind::Undefined => {
                format!("Task failed: {}", error.message())
            }
            _ => error.message(),
        };
        result.insert(Key::from("msg"), Value::from(message));
        Self {
            status: if unreachable {
                Status::Unreachable
            } else {
                Status::Failed
            },
            result,
            error: Some(super::told::told(error)),
            ..Self::default()
        }
    }

    /// Check mode cannot know.
    pub(super) fn unknown(why: &str) -> Self {
        let unknown = Value::Unknown(why.into());
        let mut result = Map::new();
        for name in ["changed", "failed", "skipped"] {
            result.insert(Key::from(name), unknown.clone());
        }
        result.insert(Key::from("msg"), Value::from(why));
        Self {
            status: Status::MayChange,
            result,
            error: Some(why.to_string()),
            ..Self::default()
        }
    }

    /// A module was carried out.
    pub(super) fn performed(done: Performed, returns: &[(&str, &str)]) -> Self {
        if let Some(why) = &done.may_change {
            return Self::unknown(why);
        }
        let mut result = Map::new();
        result.insert(Key::from("changed"), Value::Bool(done.changed));
        result.extend(done.returns.values);
        if let Some(why) = &done.unknown_values {
            for (name, _) in returns {
                result
                    .entry(Key::from(*name))
                    .or_insert_with(|| Value::Unknown(why.as_str().into()));
            }
        }
        if !done.returns.warnings.is_empty() {
            let warnings = Value::from(done.returns.warnings.clone());
            result.insert(Key::from("warnings"), warnings);
        }
        add_lines(&mut result);
        if done.returns.skipped {
            result.insert(Key::from("skipped"), Value::Bool(true));
        }
        result.insert(Key::from("failed"), Value::Bool(done.returns.failed));
        if !done.returns.warnings.is_empty() {
            let warnings = done.returns.warnings.clone();
            result.insert(Key::from("warnings"), Value::from(warnings));
        }
        let mut changes = Vec::new();
        if !done.returns.facts.is_empty() {
            result.insert(
                Key::from("ansible_facts"),
                Value::map(done.returns.facts.clone()),
            );
            changes.push(VarChange::Facts(done.returns.facts));
        }
        let status = match (done.returns.failed, done.returns.skipped, done.changed) {
            (true, _, _) => Status::Failed,
            (_, true, false) => Status::Skipped,
            (_, _, true) => Status::Changed,
            _ => Status::Ok,
        };
        Self {
            status,
            result,
            diffs: done.diffs,
            changes,
            warnings: done.returns.warnings,
            ..Self::default()
        }
    }

    /// What `register` receives. Of a task that check mode could not carry out, nothing is known.
    pub(super) fn value(&self) -> Value {
        match (&self.status, &self.error) {
            (Status::MayChange, Some(why)) if !self.result.contains_key("rc") => {
                Value::Unknown(why.as_str().into())
            }
            _ => Value::map(self.result.clone()),
        }
    }

    pub(super) fn unreachable(&self) -> bool {
        self.status == Status::Unreachable
    }

    pub(super) fn failed(&self) -> bool {
        matches!(self.status, Status::Failed | Status::Unreachable)
    }

    /// Adds what a loop adds to an item's result.
    pub(super) fn item(&mut self, var: &str, item: &Value, index_var: Option<&str>, index: usize) {
        self.result
            .insert(Key::from("ansible_loop_var"), Value::from(var));
        self.result.insert(Key::from(var), item.clone());
        if let Some(name) = index_var {
            self.result
                .insert(Key::from("ansible_index_var"), Value::from(name));
            self.result.insert(Key::from(name), Value::from(index));
        }
    }

    pub(super) fn report(&self, task: &Task) -> Report {
        Report {
            status: self.status,
            result: shown(&self.result, self.no_log),
            diffs: if self.no_log {
                Vec::new()
            } else {
                self.diffs.clone()
            },
            ignored: self.ignored && self.failed(),
            delegated_to: self.delegated_to.clone(),
            label: if self.no_log {
                Some("(censored due to no_log)".into())
            } else {
                self.label.clone()
            },
            error: if self.no_log {
                None
            } else {
                self.error.clone()
            },
            looped: false,
            seconds: 0.0,
        }
        .with_action(self.action.as_deref().unwrap_or(&task.module))
        .with_invocation(self.invocation.as_ref().filter(|_| !self.no_log))
    }
}

impl Report {
    fn with_action(mut self, action: &str) -> Self {
        if let Value::Map(map) = &mut self.result {
            std::sync::Arc::make_mut(map)
                .entry(Key::from("_ansible_action"))
                .or_insert_with(|| Value::from(action));
        }
        self
    }

    fn with_invocation(mut self, invocation: Option<&Value>) -> Self {
        if let (Value::Map(map), Some(invocation)) = (&mut self.result, invocation) {
            std::sync::Arc::make_mut(map).insert(Key::from("invocation"), invocation.clone());
        }
        self
    }
}

impl TaskEnd {
    /// A task without loop.
    pub(super) fn of_one(mut item: ItemEnd, task: &Task) -> Self {
        let mut changes = std::mem::take(&mut item.changes);
        if let Some(name) = &item.register {
            changes.push(VarChange::Set(name.to_string(), item.value()));
        } else if let Some(name) = task.own(Kw::Register) {
            // A task that was skipped or failed early registers that, too.
            if let Some(name) = name.value.as_str() {
                changes.push(VarChange::Set(name.to_string(), item.value()));
            }
        }
        Self {
            report: item.report(task),
            changes,
            requests: std::mem::take(&mut item.requests),
            includes: item.include.take().into_iter().collect(),
            notify: match item.status {
                Status::Changed => std::mem::take(&mut item.notify),
                _ => Vec::new(),
            },
            warnings: std::mem::take(&mut item.warnings),
            result: item.result,
        }
    }

    /// A loop: its items were reported before.
    pub(super) fn of_loop(mut items: Vec<ItemEnd>, task: &Task) -> Self {
        if items.is_empty() {
            let why = [(Key::from("skipped_reason"), "No items in the list".into())];
            let mut skipped = ItemEnd::skipped(why.into_iter().collect());
            skipped
                .result
                .insert(Key::from("results"), Value::list(Vec::new()));
            return Self::of_one(skipped, task);
        }
        let any = |test: fn(&ItemEnd) -> bool| items.iter().any(test);
        let all_skipped = items.iter().all(|i| i.status == Status::Skipped);
        let failed = any(|i| i.status == Status::Failed && !i.ignored);
        let soft_failed = any(|i| i.status == Status::Failed);
        let status = if any(ItemEnd::unreachable) {
            Status::Unreachable
        } else if soft_failed {
            Status::Failed
        } else if any(|i| i.status == Status::Changed) {
            Status::Changed
        } else if any(|i| i.status == Status::MayChange) {
            Status::MayChange
        } else if all_skipped {
            Status::Skipped
        } else {
            Status::Ok
        };
        let msg = match (failed || soft_failed, all_skipped) {
            (true, _) => "One or more items failed",
            (_, true) => "All items skipped",
            _ => "All items completed",
        };
        let mut result = Map::new();
        let results: Vec<Value> = items.iter().map(ItemEnd::value).collect();
        result.insert(Key::from("results"), Value::list(results));
        result.insert(
            Key::from("changed"),
            match status {
                Status::MayChange => Value::Unknown("an item is not known".into()),
                _ => Value::Bool(any(|i| i.status == Status::Changed)),
            },
        );
        result.insert(Key::from("msg"), Value::from(msg));
        result.insert(Key::from("skipped"), Value::Bool(all_skipped));
        if soft_failed {
            result.insert(Key::from("failed"), Value::Bool(true));
        }
        if status == Status::Unreachable {
            result.insert(Key::from("unreachable"), Value::Bool(true));
        }
        let no_log = any(|i| i.no_log);
        let mut end = Self {
            report: Report {
                status,
                result: shown(&result, no_log),
                ignored: matches!(status, Status::Failed | Status::Unreachable)
                    && items.iter().all(|i| i.ignored || !i.failed()),
                looped: true,
                ..Report::default()
            }
            .with_action(&task.module),
            ..Self::default()
        };
        for item in &mut items {
            end.changes.append(&mut item.changes);
            end.requests.append(&mut item.requests);
            end.includes.extend(item.include.take());
            end.warnings.append(&mut item.warnings);
            if status == Status::Changed {
                end.notify.append(&mut item.notify);
            }
        }
        if let Some(name) = task.own(Kw::Register).and_then(|s| s.value.as_str()) {
            end.changes
                .push(VarChange::Set(name.to_string(), Value::map(result.clone())));
        }
        end.result = result;
        end
    }
}

/// `stdout_lines` beside `stdout`, and so on.
fn add_lines(result: &mut Map) {
    for name in ["stdout", "stderr"] {
        let lines = format!("{name}_lines");
        if result.contains_key(lines.as_str()) {
            continue;
        }
        let value = match result.get(name) {
            Some(Value::Str(text)) => {
                Value::list(text.lines().map(Value::from).collect::<Vec<_>>())
            }
            Some(Value::Unknown(why)) => Value::Unknown(why.clone()),
            _ => continue,
        };
        result.insert(Key::from(lines), value);
    }
}

/// The result as views may show it.
fn shown(result: &Map, no_log: bool) -> Value {
    if !no_log {
        let mut all = result.clone();
        // They are told on lines of their own.
        all.shift_remove("warnings");
        return Value::map(all);
    }
    let mut censored = Map::new();
    censored.insert(
        Key::from("censored"),
        Value::from(
            "the output has been hidden due to the fact that 'no_log: true' was specified for this result",
        ),
    );
    for name in ["changed", "failed", "skipped", "unreachable"] {
        if let Some(value) = result.get(name) {
            censored.insert(Key::from(name), value.clone());
        }
    }
    Value::map(censored)
}
