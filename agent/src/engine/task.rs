//! One task on one host: its loop, its conditions, its attempts.

use super::action::Actor;
use super::context::{HostSlot, HostsView, Login, PlayCx, RunCx, TaskView, with_host};
use super::invoke;
use super::result::{ItemEnd, TaskEnd};
use super::runner::Background;
use crate::error::{Error, Result};
use crate::event::{EventKind, Status};
use crate::playbook::keyword::{Kw, Setting, as_bool};
use crate::playbook::task::{Loop, Task};
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

/// As long as a task may at most be given (Ansible's).
const MAX_TIMEOUT: u64 = 100_000_000;
/// How often what works in the background is asked about, if `poll` says nothing.
const POLL: u64 = 15;

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

    /// A loop that cannot be evaluated is no failure when the task is skipped anyway.
    fn loop_failed(&self, seen: &Seen, error: &Error) -> ItemEnd {
        let end = match self.conditions(seen) {
            Ok(Some(skip)) => ItemEnd::skipped(skip),
            _ => self.judge_error(seen, error),
        };
        self.hidden_if_asked(seen, end)
    }

    /// The loop's items; nothing if there is no loop.
    fn items(&self, seen: &Seen) -> Result<Option<Vec<Value>>> {
        let Some(looped) = &self.task().looped else {
            return Ok(None);
        };
        let items = match looped {
            Loop::Over(setting) => {
                let value = self.resolve(setting, seen)?;
                match value {
                    Value::List(items) => items.to_vec(),
                    Value::Unknown(why) => return Err(Error::unknown(&*why)),
                    other => {
                        return Err(Error::new(
                            crate::error::ErrorKind::Template,
                            format!("`loop` needs a list, but this is a {}", other.type_name()),
                        )
                        .at(&setting.span)
                        .hint("a mapping becomes a list with `| dict2items`"));
                    }
                }
            }
            Loop::With(name, setting) => self.lookup_items(name, setting, seen)?,
        };
        Ok(Some(items))
    }

    fn lookup_items(&self, name: &str, setting: &Setting, seen: &Seen) -> Result<Vec<Value>> {
        let action = &*self.task().module;
        self.run.templar.with_lookup(
            name,
            &setting.value,
            action,
            Some(&setting.span),
            &seen.vars,
        )
    }

    fn run_loop(&self, items: Vec<Value>, vars: &mut HostVars) -> TaskEnd {
        let control = self.loop_control(vars);
        let control = match control {
            Ok(control) => control,
            Err(error) => return TaskEnd::of_one(ItemEnd::error(&error), self.task()),
        };
        let total = items.len();
        let mut ends = Vec::with_capacity(total);
        for (index, item) in items.iter().enumerate() {
            if index > 0 && control.pause > 0.0 {
                crate::host::here::sleep(control.pause);
            }
            let mut map = Map::new();
            map.insert(Key::from(control.var.as_str()), item.clone());
            map.insert(
                Key::from("ansible_loop_var"),
                Value::from(control.var.as_str()),
            );
            if let Some(name) = &control.index_var {
                map.insert(Key::from(name.as_str()), Value::from(index));
                map.insert(Key::from("ansible_index_var"), Value::from(name.as_str()));
            }
            if control.extended {
                let all = control.allitems;
                map.insert(Key::from("ansible_loop"), extended(&items, index, all));
            }
            let seen = self.seen(vars);
            let written = self.is_written_item(&seen, index, total);
            let seen = seen.with_item(map, written);
            let mut end = self.item(&seen);
            if let Some(name) = self.task().own(Kw::Register) {
                // The next item sees what this one gave, and so does the label.
                vars.set(&self.run.text(&name.value), end.value());
            }
            self.name_item(&control, &seen, item, &mut end);
            if let Some(call) = &mut end.include {
                call.label.clone_from(&end.label);
            }
            end.item(&control.var, item, control.index_var.as_deref(), index);
            let stop = self.break_when(&control, &seen, &end);
            for change in &end.changes {
                change.apply(vars);
            }
            self.emit_item(item, &end);
            let over = crate::host::here::stopped();
            ends.push(end);
            if stop || over {
                break;
            }
        }
        TaskEnd::of_loop(ends, self.task())
    }

    fn emit_item(&self, item: &Value, end: &ItemEnd) {
        if end.include.is_some() && end.status != Status::Failed {
            return;
        }
        self.run.emit.host(
            &self.slot.name,
            EventKind::ItemFinished {
                task: self.view.info.id,
                item: if end.no_log {
                    Value::Null
                } else {
                    item.clone()
                },
                report: end.report(self.task()),
            },
        );
    }

    /// Whether the item at `index` of `total` stands in the playbook as it is.
    fn is_written_item(&self, seen: &Seen, index: usize, total: usize) -> bool {
        let value = match &self.task().looped {
            Some(Loop::Over(setting) | Loop::With(_, setting)) => &setting.value,
            None => return false,
        };
        let indirect = match value {
            Value::Template(t) => self.run.templar.written(&t.text, &seen.vars),
            _ => None,
        };
        let written = indirect.as_ref().unwrap_or(value);
        match written.as_list() {
            Some(items) if items.len() == total => !items[index].has_template(),
            _ => !written.has_template(),
        }
    }

    /// The text for an item. An item that cannot be named has failed.
    fn name_item(&self, control: &LoopControl, seen: &Seen, item: &Value, end: &mut ItemEnd) {
        end.label = Some(self.run.text(item));
        let Some(label) = &control.label else {
            return;
        };
        match self.resolve(label, &self.with_result(seen, &end.result)) {
            Ok(value) => end.label = Some(self.run.text(&value)),
            Err(error) if error.is_unknown() => {}
            Err(error) => {
                let failed =
                    ItemEnd::error(&error.context("Failed to template loop_control.label"));
                end.result.extend(failed.result);
                end.status = failed.status;
                end.error = failed.error;
                *end = invoke::ignore_if_asked(self, seen, std::mem::take(end));
            }
        }
    }

    fn break_when(&self, control: &LoopControl, seen: &Seen, end: &ItemEnd) -> bool {
        let Some(setting) = &control.break_when else {
            return false;
        };
        let seen = self.with_result(seen, &end.result);
        setting.items().iter().all(|condition| {
            self.run
                .condition(condition, Some(&setting.span), &seen.vars)
                .unwrap_or(false)
        })
    }

    fn loop_control(&self, vars: &HostVars) -> Result<LoopControl> {
        let mut control = LoopControl::default();
        let Some(setting) = self.task().own(Kw::LoopControl) else {
            return Ok(control);
        };
        let seen = self.seen(vars);
        for (key, value) in setting.value.as_map().into_iter().flatten() {
            let own = Setting {
                value: value.clone(),
                span: setting.span.clone(),
            };
            match key.to_string().as_str() {
                "label" => control.label = Some(own),
                "break_when" => control.break_when = Some(own),
                name => {
                    let value = self.resolve(&own, &seen)?;
                    let text = self.run.text(&value);
                    match name {
                        "loop_var" => control.var = text,
                        "index_var" => control.index_var = Some(text),
                        "pause" => control.pause = text.parse().unwrap_or(0.0),
                        "extended" => control.extended = as_bool(&text).unwrap_or(false),
                        "extended_allitems" => control.allitems = as_bool(&text).unwrap_or(true),
                        _ => {}
                    }
                }
            }
        }
        Ok(control)
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

    /// A setting's value, evaluated, with its place in errors.
    pub(super) fn resolve(&self, setting: &Setting, seen: &Seen) -> Result<Value> {
        self.run
            .templar
            .resolve(&setting.value, &seen.vars)
            .map_err(|e| e.at(&setting.span))
    }

    pub(super) fn setting(&self, kw: Kw, seen: &Seen) -> Result<Option<Value>> {
        let Some(setting) = self.task().find(kw) else {
            return Ok(None);
        };
        match self.resolve(setting, seen)? {
            Value::Omit => self.around(kw, seen),
            Value::Null => Ok(None),
            value => Ok(Some(value)),
        }
    }

    /// What the blocks and the play around say, where the innermost word is `omit`.
    fn around(&self, kw: Kw, seen: &Seen) -> Result<Option<Value>> {
        for setting in self.task().scope.all(kw).into_iter().rev().skip(1) {
            match self.resolve(setting, seen)? {
                Value::Omit => {}
                Value::Null => return Ok(None),
                value => return Ok(Some(value)),
            }
        }
        Ok(None)
    }

    pub(super) fn flag(&self, kw: Kw, seen: &Seen) -> Result<Option<bool>> {
        let Some(value) = self.setting(kw, seen)? else {
            return Ok(None);
        };
        let found = match &value {
            Value::Bool(b) => Some(*b),
            Value::Int(i) => Some(*i != 0),
            Value::Str(s) => as_bool(s),
            _ => None,
        };
        match (found, self.task().find(kw)) {
            (Some(b), _) => Ok(Some(b)),
            (None, setting) => Err(Error::new(
                crate::error::ErrorKind::Syntax,
                format!(
                    "The value '{}' could not be converted to 'bool': `{}` must be true or false",
                    self.run.text(&value),
                    kw.name()
                ),
            )
            .at_opt(setting.map(|s| &s.span))),
        }
    }

    pub(super) fn text(&self, kw: Kw, seen: &Seen) -> Result<Option<String>> {
        Ok(self
            .setting(kw, seen)?
            .map(|v| self.run.text(&v))
            .filter(|t| !t.is_empty()))
    }

    fn effective(&self, seen: &Seen) -> Result<Effective> {
        let options = &self.run.options;
        let delegate_to: Option<Arc<str>> = self.text(Kw::DelegateTo, seen)?.map(Into::into);
        let host = delegate_to
            .clone()
            .unwrap_or_else(|| self.slot.name.clone());
        Ok(Effective {
            check: self.flag(Kw::CheckMode, seen)?.unwrap_or(options.check),
            diff: self.flag(Kw::Diff, seen)?.unwrap_or(options.diff),
            no_log: self.flag(Kw::NoLog, seen)?.unwrap_or(false),
            login: self.login(&host, delegate_to.is_some(), seen)?,
            environment: self.environment(seen)?,
            timeout: self.timeout(seen)?,
            background: self.background(seen)?,
            poll: self.seconds(Kw::Poll, seen)?.unwrap_or(POLL),
            delegate_to,
        })
    }

    /// `timeout:`; 0 is none.
    fn timeout(&self, seen: &Seen) -> Result<Option<u64>> {
        let Some(value) = self.setting(Kw::Timeout, seen)? else {
            return Ok(None);
        };
        let given = match &value {
            Value::Int(i) => Some(*i),
            other => crate::playbook::keyword::plain_text(other)
                .trim()
                .parse()
                .ok(),
        };
        match given.map(u64::try_from) {
            Some(Ok(0)) => Ok(None),
            Some(Ok(limit)) if limit <= MAX_TIMEOUT => Ok(Some(limit)),
            _ => Err(Error::params(format!(
                "Timeout {} is invalid, it must be between 0 and {MAX_TIMEOUT}.",
                self.run.text(&value)
            ))
            .at_opt(self.task().find(Kw::Timeout).map(|s| &s.span))),
        }
    }

    /// `async:`, with the folder of job files on the task's host.
    fn background(&self, seen: &Seen) -> Result<Option<Background>> {
        match self.seconds(Kw::Async, seen)? {
            None | Some(0) => Ok(None),
            Some(limit) => Ok(Some(Background {
                limit,
                dir: self.async_dir(seen)?,
            })),
        }
    }

    /// Where job files lie: the variable, the environment, or what Ansible has.
    pub(super) fn async_dir(&self, seen: &Seen) -> Result<String> {
        let given = match seen.vars.get("ansible_async_dir") {
            Some(value) => Some(self.run.templar.resolve(&value, &seen.vars)?),
            None => None,
        };
        Ok(match given {
            Some(value) if !value.is_null() => self.run.text(&value),
            _ => crate::host::here::env("ANSIBLE_ASYNC_DIR")
                .unwrap_or_else(|| "~/.ansible_async".into()),
        })
    }

    /// A task's own keyword that counts seconds.
    fn seconds(&self, kw: Kw, seen: &Seen) -> Result<Option<u64>> {
        let Some(value) = self.setting(kw, seen)? else {
            return Ok(None);
        };
        let text = self.run.text(&value);
        match text.trim().parse::<f64>() {
            Ok(number) if number >= 0.0 => Ok(Some(number as u64)),
            _ => Err(Error::params(format!(
                "`{}` must be a number of seconds, not `{text}`",
                kw.name()
            ))
            .at_opt(self.task().find(kw).map(|s| &s.span))),
        }
    }

    /// `environment:` of the play, blocks and the task, inner ones over outer ones.
    fn environment(&self, seen: &Seen) -> Result<Vec<(String, String)>> {
        let mut out: Vec<(String, String)> = Vec::new();
        for setting in self.task().scope.all(Kw::Environment) {
            for item in setting.items() {
                // Entry by entry: one of them may lead to facts that are about to be gathered.
                let entries = match &item {
                    Value::Map(map) => Arc::clone(map),
                    other => match self.environment_value(setting, other, seen)? {
                        Some(Value::Map(map)) => map,
                        _ => continue,
                    },
                };
                for (key, value) in entries.iter() {
                    let Some(value) = self.environment_value(setting, value, seen)? else {
                        continue;
                    };
                    let name = key.to_string();
                    out.retain(|(n, _)| *n != name);
                    out.push((name, self.run.text(&value)));
                }
            }
        }
        Ok(out)
    }

    /// A value of `environment:`; nothing if it is omitted, or leads to the environment's own facts in
    /// the task that gathers them.
    fn environment_value(
        &self,
        setting: &Setting,
        value: &Value,
        seen: &Seen,
    ) -> Result<Option<Value>> {
        let own = Setting {
            value: value.clone(),
            span: setting.span.clone(),
        };
        let gathers = matches!(self.task().short_module(), "setup" | "gather_facts");
        match self.resolve(&own, seen) {
            Ok(Value::Omit) => Ok(None),
            Ok(value) => Ok(Some(value)),
            Err(e) if gathers && names_env_facts(&e.message()) => Ok(None),
            Err(e) => Err(e),
        }
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

/// Whether an error is about a fact of the environment that is not known yet.
fn names_env_facts(message: &str) -> bool {
    message.contains("ansible_env") || message.contains("'env'")
}

/// `loop_control`, evaluated.
struct LoopControl {
    var: String,
    index_var: Option<String>,
    label: Option<Setting>,
    pause: f64,
    extended: bool,
    allitems: bool,
    break_when: Option<Setting>,
}

impl Default for LoopControl {
    fn default() -> Self {
        Self {
            var: "item".into(),
            index_var: None,
            label: None,
            pause: 0.0,
            extended: false,
            allitems: true,
            break_when: None,
        }
    }
}

/// `ansible_loop` of `extended: true`.
fn extended(items: &[Value], index: usize, all: bool) -> Value {
    let mut map = Map::new();
    let mut set = |k: &str, v: Value| {
        map.insert(Key::from(k), v);
    };
    if all {
        set("allitems", Value::list(items.to_vec()));
    }
    set("index", Value::from(index + 1));
    set("index0", Value::from(index));
    set("first", Value::Bool(index == 0));
    set("last", Value::Bool(index + 1 == items.len()));
    set("length", Value::from(items.len()));
    set("revindex", Value::from(items.len() - index));
    set("revindex0", Value::from(items.len() - index - 1));
    if let Some(item) = items.get(index + 1) {
        set("nextitem", item.clone());
    }
    if index > 0 {
        set("previtem", items[index - 1].clone());
    }
    Value::map(map)
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
