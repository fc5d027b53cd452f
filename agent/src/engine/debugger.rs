//! The debugger for tasks (`debugger:`, the strategy `debug`): on a terminal, a task that failed may
//! be looked at, changed and run again.
//!
//! Expressions are Jinja over `task`, `task_vars`, `host` and `result`; assignments reach
//! `task.args[…]` and `task_vars[…]`. Commands: "Debugging tasks" of Ansible's documentation.

use super::context::TaskView;
use super::play::Batch;
use super::result::TaskEnd;
use crate::error::{Error, Result};
use crate::event::{EventKind, Level, Status};
use crate::host::here;
use crate::playbook::keyword::{Kw, plain_text};
use crate::playbook::task::{Arg, Task};
use crate::template::Variables;
use crate::value::{Key, Map, Value};
use crate::vars::{Layer, Stack};
use std::sync::Arc;

/// The exit status of a run that the user left from the debugger.
pub(super) const LEFT: i32 = 99;

/// What the user wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Ask,
    Again,
    GoOn,
    Leave,
}

/// A task that is being looked at.
struct Session {
    args: Map,
    vars: Map,
    result: Map,
}

/// A place that can be assigned to.
#[derive(Debug, PartialEq, Eq)]
enum Target<'a> {
    Arg(&'a str),
    Var(&'a str),
}

impl Batch<'_> {
    /// Hands the task to the user, if it ended as `debugger:` says.
    pub(super) fn debug(&mut self, view: &Arc<TaskView>, i: usize, end: &mut TaskEnd) {
        let mut view = Arc::clone(view);
        while self.needs_debugger(&view, end) {
            let mut session = Session::new(&view.task, end);
            match self.converse(&view, i, &mut session) {
                Next::Again => {
                    view = Arc::new(session.changed(&view));
                    *end = self.ticket(&view, i).run();
                }
                Next::Leave => {
                    self.print("User interrupted execution");
                    self.run.left = true;
                    self.run.halted = true;
                    self.ended = true;
                    return;
                }
                Next::GoOn | Next::Ask => return,
            }
        }
    }

    fn needs_debugger(&self, view: &TaskView, end: &TaskEnd) -> bool {
        let options = &self.run.cx.options;
        let setting = view.task.find(Kw::Debugger).map(|s| plain_text(&s.value));
        let everywhere = options.debugger || self.strategy.debugs;
        if setting.is_none() && !everywhere {
            return false;
        }
        let status = end.report.status;
        let ignored = end.report.ignored && options.debugger_ignores_errors;
        let failed = status == Status::Failed && !ignored;
        match setting.as_deref().unwrap_or_default() {
            "always" => true,
            "never" => false,
            "on_failed" if failed => true,
            "on_unreachable" if status == Status::Unreachable => true,
            "on_skipped" if status == Status::Skipped => true,
            _ => everywhere && (failed || status == Status::Unreachable),
        }
    }

    fn print(&self, text: &str) {
        self.run.cx.emit.run(EventKind::Notice {
            level: Level::Info,
            text: text.to_string(),
        });
    }

    fn converse(&self, view: &TaskView, i: usize, session: &mut Session) -> Next {
        let kind = if view.task.handler { "HANDLER" } else { "TASK" };
        let host = &self.hosts[i].slot.name;
        let prompt = format!("[{host}] {kind}: {} (debug)> ", view.info.name);
        loop {
            let line = match here::ask(&prompt, true) {
                Ok(Some(line)) => line,
                // Nobody is there to ask.
                Ok(None) if !here::stdin_is_terminal() => {
                    self.run.cx.emit.run(EventKind::Notice {
                        level: Level::Warning,
                        text: "the debugger needs a terminal: the run goes on without it".into(),
                    });
                    return Next::GoOn;
                }
                Ok(None) | Err(_) => return Next::Leave,
            };
            match self.command(view, i, session, line.trim()) {
                Ok((Next::Ask, text)) => {
                    if !text.is_empty() {
                        self.print(&text);
                    }
                }
                Ok((next, _)) => return next,
                Err(error) => self.print(&format!("***{}", error.message())),
            }
        }
    }

    /// Carries a line out: what comes next, and what to print.
    fn command(
        &self,
        view: &TaskView,
        i: usize,
        session: &mut Session,
        line: &str,
    ) -> Result<(Next, String)> {
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let next = match word {
            "c" | "continue" => Next::GoOn,
            "r" | "redo" => Next::Again,
            "q" | "quit" | "EOF" => Next::Leave,
            "" | "u" | "update_task" => Next::Ask,
            "h" | "help" | "?" => return Ok((Next::Ask, HELP.into())),
            "p" | "pprint" => {
                let value = self.evaluate(view, i, session, rest)?;
                return Ok((Next::Ask, self.run.cx.text(&value)));
            }
            "del" => {
                session.forget(target(rest.trim())?);
                Next::Ask
            }
            _ => match assignment(line) {
                Some((left, right)) => {
                    let target = target(left)?;
                    let value = self.evaluate(view, i, session, right)?;
                    session.assign(target, value);
                    Next::Ask
                }
                None => {
                    let value = self.evaluate(view, i, session, line)?;
                    return Ok((Next::Ask, self.run.cx.text(&value)));
                }
            },
        };
        Ok((next, String::new()))
    }

    fn evaluate(&self, view: &TaskView, i: usize, session: &Session, text: &str) -> Result<Value> {
        let cx = self.task_cx(view, i);
        let seen = cx.seen(&cx.slot.snapshot());
        let mut task_vars = Map::new();
        for name in seen.stack.names() {
            if let Some(value) = seen.stack.get(&name) {
                task_vars.insert(Key::Str(name), value);
            }
        }
        task_vars.extend(session.vars.iter().map(|(k, v)| (k.clone(), v.clone())));
        let task: Map = [
            (Key::from("name"), Value::from(view.info.name.as_str())),
            (Key::from("action"), Value::from(&*view.task.module)),
            (Key::from("args"), Value::map(session.args.clone())),
        ]
        .into_iter()
        .collect();
        let result: Map = [(Key::from("_result"), Value::map(session.result.clone()))]
            .into_iter()
            .collect();
        let scope: Map = [
            (Key::from("task"), Value::map(task)),
            (Key::from("task_vars"), Value::map(task_vars)),
            (Key::from("host"), Value::from(&*self.hosts[i].slot.name)),
            (Key::from("result"), Value::map(result)),
        ]
        .into_iter()
        .collect();
        let mut stack: Stack = seen.stack.clone();
        stack.push(Layer::Loop, &Arc::new(scope));
        let vars: Arc<dyn Variables> = Arc::new(stack);
        self.run.cx.templar.expression(text.trim(), None, &vars)
    }
}

const HELP: &str = "p EXPRESSION     print it: task, task.args, task_vars, host, result._result
task.args[KEY] = VALUE, task_vars[KEY] = VALUE, del task.args[KEY]
u, update_task   take changed variables into the task
r, redo          run the task again
c, continue      go on
q, quit          end the run";

impl Session {
    fn new(task: &Task, end: &TaskEnd) -> Self {
        let mut args = Map::new();
        for arg in &task.args.named {
            args.insert(Key::from(&*arg.name), arg.value.clone());
        }
        if let Some(free) = &task.args.free {
            args.insert(Key::from("_raw_params"), free.value.clone());
        }
        Self {
            args,
            vars: Map::new(),
            result: end.result.clone(),
        }
    }

    fn assign(&mut self, target: Target<'_>, value: Value) {
        match target {
            Target::Arg(name) => self.args.insert(Key::from(name), value),
            Target::Var(name) => self.vars.insert(Key::from(name), value),
        };
    }

    fn forget(&mut self, target: Target<'_>) {
        match target {
            Target::Arg(name) => self.args.shift_remove(name),
            Target::Var(name) => self.vars.shift_remove(name),
        };
    }

    /// The task with what the user changed.
    fn changed(&self, view: &TaskView) -> TaskView {
        let mut task = (*view.task).clone();
        let place = |name: &str| {
            let old = view.task.args.get(name);
            old.map_or_else(|| view.task.span.clone(), |a| a.span.clone())
        };
        task.args.free = None;
        task.args.named.clear();
        for (key, value) in &self.args {
            let name = key.to_string();
            let span = place(&name);
            match (&view.task.args.free, &*name) {
                (Some(free), "_raw_params") => {
                    let mut free = free.clone();
                    free.value = value.clone();
                    task.args.free = Some(free);
                }
                _ => task.args.named.push(Arg {
                    name: name.into(),
                    value: value.clone(),
                    name_span: span.clone(),
                    span,
                }),
            }
        }
        view.with(Arc::new(task), &self.vars)
    }
}

/// `LEFT = RIGHT`, where the sign is no comparison.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let at = line.char_indices().find(|(at, c)| {
        let before = line[..*at].chars().next_back();
        let after = line[at + 1..].chars().next();
        *c == '=' && !matches!(before, Some('=' | '!' | '<' | '>')) && after != Some('=')
    })?;
    Some((line[..at.0].trim(), line[at.0 + 1..].trim()))
}

/// `task.args['x']`, `task_vars["x"]`.
fn target(text: &str) -> Result<Target<'_>> {
    let inside = |prefix: &str| {
        let key = text.strip_prefix(prefix)?.trim();
        let key = key.strip_prefix('[')?.strip_suffix(']')?.trim();
        ['\'', '"']
            .iter()
            .find_map(|q| key.strip_prefix(*q)?.strip_suffix(*q))
    };
    inside("task.args")
        .map(Target::Arg)
        .or_else(|| inside("task_vars").map(Target::Var))
        .ok_or_else(|| {
            Error::params(format!(
                "only task.args['…'] and task_vars['…'] can be changed, not `{text}`"
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_are_told_from_comparisons() {
        let line = "task.args[\"that\"] = []";
        assert_eq!(assignment(line), Some(("task.args[\"that\"]", "[]")));
        assert_eq!(assignment("task_vars.x == 1"), None);
        assert_eq!(assignment("task_vars.x >= 1"), None);
        assert_eq!(
            target("task.args[\"that\"]").ok(),
            Some(Target::Arg("that"))
        );
        assert_eq!(target("task_vars['x']").ok(), Some(Target::Var("x")));
        assert!(target("host").is_err());
    }
}
