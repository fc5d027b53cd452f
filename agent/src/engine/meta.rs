//! `meta` tasks: orders to the engine itself.

use super::context::TaskView;
use super::play::Batch;
use crate::error::Error;
use crate::event::{EventKind, Level, Report, Status, TaskInfo};
use crate::playbook::keyword::{Kw, plain_text};
use crate::playbook::task::Task;
use crate::value::{Key, Map, Value};
use std::sync::{Arc, PoisonError};

impl Batch<'_> {
    /// Carries a `meta` task out, for the hosts whose `when` lets it.
    pub(super) fn meta_step(&mut self, task: &Arc<Task>, hosts: &[usize]) {
        let view = self.view(task, hosts[0]);
        let what = self.meta_what(&view, hosts[0]);
        for &i in hosts {
            self.hosts[i].cursor.advance();
        }
        if task.handler {
            self.forget_handler(hosts, task);
        }
        // What is for all hosts goes by the condition of the first, and is told once.
        let asked = if is_for_each(&what) {
            hosts
        } else {
            &hosts[..1]
        };
        for &i in asked {
            match self.meta_begins(&view, &what, i) {
                Ok(true) => match self.meta_act(&what, i) {
                    Ok(said) => self.say(&said),
                    Err(error) => self.meta_failed(&view, i, &error),
                },
                Ok(false) => {}
                Err(error) => self.meta_failed(&view, i, &error),
            }
        }
    }

    fn meta_failed(&mut self, view: &TaskView, i: usize, error: &Error) {
        let end = self.broken(view, i, error);
        self.take(view, i, end, &[i], true);
    }

    fn meta_what(&self, view: &TaskView, i: usize) -> String {
        let setting = view.task.free_or("_raw_params");
        let setting = setting.or_else(|| view.task.free_or("free_form"));
        let Some(setting) = setting else {
            return String::new();
        };
        let cx = self.task_cx(view, i);
        match &setting.value {
            Value::Template(_) => cx
                .resolve(&setting, &cx.seen(&cx.slot.snapshot()))
                .map(|v| plain_text(&v))
                .unwrap_or_default(),
            plain => plain_text(plain),
        }
    }

    /// Does it, for a host or for all; what it says at `-vv`.
    fn meta_act(&mut self, what: &str, i: usize) -> Result<String, Error> {
        let name = Arc::clone(&self.hosts[i].slot.name);
        Ok(match what {
            "flush_handlers" => {
                self.run_handlers(i);
                format!("triggered running handlers for {name}")
            }
            "clear_facts" => {
                self.clear_facts();
                "facts cleared".into()
            }
            "clear_host_errors" => {
                for host in &mut self.hosts {
                    host.cursor.forgive();
                    host.unreachable = false;
                }
                self.run.forgive();
                self.tell_who_is_left();
                "cleared host errors".into()
            }
            "end_host" => {
                self.end_host(i);
                self.tell_who_is_left();
                format!("ending play for {name}")
            }
            "end_play" | "end_batch" => {
                for j in 0..self.hosts.len() {
                    if !self.hosts[j].unreachable {
                        self.end_host(j);
                    }
                }
                self.run.ended_play |= what == "end_play";
                match what {
                    "end_play" => "ending play".into(),
                    _ => "ending batch".into(),
                }
            }
            "end_role" => {
                let host = &mut self.hosts[i];
                if let Some(key) = host.cursor.end_role()
                    && host.roles_begun.contains(&key)
                {
                    host.roles_done.insert(key);
                }
                format!("ending role for {name}")
            }
            "refresh_inventory" => {
                self.run.refresh_inventory()?;
                self.refresh_magic();
                "inventory successfully refreshed".into()
            }
            "reset_connection" => {
                self.run.reset_connection(&name);
                "reset connection".into()
            }
            _ => "noop".into(),
        })
    }

    fn end_host(&mut self, i: usize) {
        let host = &mut self.hosts[i];
        host.cursor.end();
        host.ended = true;
    }

    fn clear_facts(&mut self) {
        let all = self.cx.magic.get("ansible_play_hosts_all").cloned();
        let all = all.as_ref().and_then(Value::as_list).unwrap_or_default();
        for name in all.iter().filter_map(Value::as_str) {
            if let Some(slot) = self.run.cx.hosts.get(name) {
                let mut vars = slot.vars.write().unwrap_or_else(PoisonError::into_inner);
                vars.clear_facts();
            }
        }
    }

    fn say(&self, text: &str) {
        if self.run.cx.options.verbosity >= 2 {
            self.run.cx.emit.run(EventKind::Notice {
                level: Level::Verbose,
                text: format!("META: {text}"),
            });
        }
    }

    /// Tells that a host comes to a meta task, and whether its `when` holds.
    ///
    /// # Errors
    /// When the condition is none, or the order cannot be given here.
    fn meta_begins(&mut self, view: &TaskView, what: &str, i: usize) -> Result<bool, Error> {
        let info = Arc::new(TaskInfo {
            id: self.run.next_id(),
            ..(*view.info).clone()
        });
        self.run.cx.emit.run(EventKind::TaskStarted {
            task: Arc::clone(&info),
        });
        if what == "flush_handlers" && self.hosts[i].cursor.in_handlers() {
            let error = Error::params("flush_handlers cannot be used as a handler");
            return Err(error.at(&view.task.module_span));
        }
        if !view.task.scope.all(Kw::When).is_empty() && !takes_when(what) {
            self.run.cx.emit.run(EventKind::Notice {
                level: Level::Warning,
                text: format!("{what} task does not support when conditional"),
            });
            return Ok(true);
        }
        if self.task_cx(view, i).wanted()? {
            return Ok(true);
        }
        let name = &self.hosts[i].slot.name;
        let reason = format!(
            "{what} conditional evaluated to False{}",
            consequence(what, name)
        );
        self.say(&reason);
        let msg = match what {
            "end_host" => {
                format!("end_host conditional evaluated to false, continuing execution for {name}")
            }
            _ => what.to_string(),
        };
        let result: Map = [
            (Key::from("msg"), Value::from(msg)),
            (Key::from("skip_reason"), Value::from(reason)),
        ]
        .into_iter()
        .collect();
        self.run.cx.emit.host(
            name,
            EventKind::TaskFinished {
                task: info.id,
                report: Report {
                    status: Status::Skipped,
                    result: Value::map(result),
                    ..Report::default()
                },
            },
        );
        Ok(false)
    }
}

/// What goes on since a condition did not hold.
fn consequence(what: &str, host: &str) -> String {
    match what {
        "flush_handlers" => format!(", not running handlers for {host}"),
        "clear_facts" => format!(", not clearing facts and fact cache for {host}"),
        "clear_host_errors" => format!(", not clearing host error state for {host}"),
        "end_batch" => ", continuing current batch".into(),
        "end_play" => ", continuing play".into(),
        "end_host" => format!(", continuing execution for {host}"),
        "end_role" => format!(", continuing role for {host}"),
        _ => String::new(),
    }
}

/// Whether `when` has a say.
fn takes_when(what: &str) -> bool {
    !matches!(what, "noop" | "refresh_inventory" | "reset_connection")
}

/// Whether hosts carry it out one by one; the rest is done once, for all.
fn is_for_each(what: &str) -> bool {
    matches!(
        what,
        "noop" | "reset_connection" | "end_host" | "end_role" | "flush_handlers"
    )
}
