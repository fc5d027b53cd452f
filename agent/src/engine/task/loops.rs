//! A task's loop: its items, what each is called, and when it ends.

use super::{Seen, TaskCx};
use crate::engine::invoke;
use crate::engine::result::{ItemEnd, TaskEnd};
use crate::error::{Error, Result};
use crate::event::{EventKind, Status};
use crate::playbook::keyword::{Kw, Setting, as_bool};
use crate::playbook::task::Loop;
use crate::value::{Key, Map, Value};
use crate::vars::HostVars;

/// `loop_control`, evaluated.
pub(super) struct LoopControl {
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
pub(super) fn extended(items: &[Value], index: usize, all: bool) -> Value {
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

impl TaskCx<'_> {
    /// A loop that cannot be evaluated is no failure when the task is skipped anyway.
    pub(super) fn loop_failed(&self, seen: &Seen, error: &Error) -> ItemEnd {
        let end = match self.conditions(seen) {
            Ok(Some(skip)) => ItemEnd::skipped(skip),
            _ => self.judge_error(seen, error),
        };
        self.hidden_if_asked(seen, end)
    }

    /// The loop's items; nothing if there is no loop.
    pub(super) fn items(&self, seen: &Seen) -> Result<Option<Vec<Value>>> {
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

    pub(super) fn lookup_items(
        &self,
        name: &str,
        setting: &Setting,
        seen: &Seen,
    ) -> Result<Vec<Value>> {
        let action = &*self.task().module;
        self.run.templar.with_lookup(
            name,
            &setting.value,
            action,
            Some(&setting.span),
            &seen.vars,
        )
    }

    pub(super) fn run_loop(&self, items: Vec<Value>, vars: &mut HostVars) -> TaskEnd {
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

    pub(super) fn emit_item(&self, item: &Value, end: &ItemEnd) {
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
    pub(super) fn is_written_item(&self, seen: &Seen, index: usize, total: usize) -> bool {
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
    pub(super) fn name_item(
        &self,
        control: &LoopControl,
        seen: &Seen,
        item: &Value,
        end: &mut ItemEnd,
    ) {
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

    pub(super) fn break_when(&self, control: &LoopControl, seen: &Seen, end: &ItemEnd) -> bool {
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

    pub(super) fn loop_control(&self, vars: &HostVars) -> Result<LoopControl> {
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
}
