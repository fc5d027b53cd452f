//! `meta` tasks: orders to the engine itself.

use super::context::TaskView;
use super::play::Batch;
use crate::event::{EventKind, Report, Status, TaskInfo};
use crate::playbook::keyword::plain_text;
use crate::playbook::task::Task;
use std::sync::{Arc, PoisonError};

impl Batch<'_> {
    /// Carries a `meta` task out, for the hosts whose `when` lets it.
    pub(super) fn meta_step(&mut self, task: &Arc<Task>, hosts: &[usize]) {
        let what = task
            .free_or("_raw_params")
            .map(|s| plain_text(&s.value))
            .unwrap_or_default();
        let view = self.view(task, hosts[0]);
        for &i in hosts {
            self.hosts[i].cursor.advance();
        }
        // What is for all hosts goes by the condition of the first, and is told once.
        let asked = if is_for_each(&what) {
            hosts
        } else {
            &hosts[..1]
        };
        let wanted: Vec<usize> = asked
            .iter()
            .copied()
            .filter(|i| self.meta_begins(&view, *i))
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
                for &i in hosts {
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

    /// Tells that a host comes to a meta task, and whether its `when` holds.
    fn meta_begins(&mut self, view: &TaskView, i: usize) -> bool {
        let info = Arc::new(TaskInfo {
            id: self.run.next_id(),
            ..(*view.info).clone()
        });
        let emit = &self.run.cx.emit;
        emit.run(EventKind::TaskStarted {
            task: Arc::clone(&info),
        });
        let wanted = self.task_cx(view, i).wanted();
        if !wanted {
            emit.host(
                &self.hosts[i].slot.name,
                EventKind::TaskFinished {
                    task: info.id,
                    report: Report {
                        status: Status::Skipped,
                        ..Report::default()
                    },
                },
            );
        }
        wanted
    }
}

/// Whether hosts carry it out one by one; the rest is done once, for all.
fn is_for_each(what: &str) -> bool {
    matches!(
        what,
        "noop" | "reset_connection" | "end_host" | "end_role" | "flush_handlers"
    )
}
