//! `free`: every host goes through the play as fast as it can. `host_pinned` is the same for as many
//! hosts as there are forks: another one begins when one has finished the play.
//!
//! One thread decides; workers only carry tasks out, so that nothing but the queue is shared.

use super::super::context::TaskView;
use super::super::cursor::Step;
use super::super::play::{Batch, Ticket};
use super::super::result::TaskEnd;
use super::Strategy;
use crate::error::Error;
use crate::event::{EventKind, Level};
use crate::host::here;
use crate::playbook::keyword::Kw;
use crate::playbook::task::Task;
use std::collections::HashSet;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

pub(super) static FREE: Strategy = Strategy {
    name: "free",
    lockstep: false,
    debugs: false,
    drive: |batch| drive(batch, false),
};

pub(super) static HOST_PINNED: Strategy = Strategy {
    name: "host_pinned",
    lockstep: false,
    debugs: false,
    drive: |batch| drive(batch, true),
};

/// A task that is to run: which host's, and all it needs.
type Job = (usize, Ticket);
/// The host, and how its task ended.
type Done = (usize, TaskEnd);

/// What is going on.
struct Floor {
    jobs: Sender<Job>,
    done: Receiver<Done>,
    /// The task that each host is at.
    busy: Vec<Option<Arc<TaskView>>>,
    /// How many hosts are busy.
    running: usize,
    /// Hosts that began and are not through (`host_pinned`).
    inside: HashSet<usize>,
    /// Tasks that were announced.
    announced: HashSet<u64>,
    width: usize,
    pinned: bool,
    /// Where the search for work begins: no host is favoured.
    first: usize,
}

fn drive(batch: &mut Batch<'_>, pinned: bool) {
    if batch.max_fail.is_some() {
        unsupported(batch, "max_fail_percentage");
    }
    let width = batch
        .run
        .cx
        .options
        .forks
        .clamp(1, batch.hosts.len().max(1));
    let (jobs, queue) = channel::<Job>();
    let queue = Mutex::new(queue);
    let (finished, done) = channel::<Done>();
    std::thread::scope(|scope| {
        for _ in 0..width {
            let (queue, finished) = (&queue, finished.clone());
            scope.spawn(move || work(queue, &finished));
        }
        let mut floor = Floor {
            jobs,
            done,
            busy: vec![None; batch.hosts.len()],
            running: 0,
            inside: HashSet::new(),
            announced: HashSet::new(),
            width,
            pinned,
            first: 0,
        };
        floor.go(batch);
        // Dropping the floor closes the queue, and the workers go home.
    });
}

fn work(queue: &Mutex<Receiver<Job>>, finished: &Sender<Done>) {
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((host, ticket)) = job else {
            return;
        };
        if finished.send((host, ticket.run())).is_err() {
            return;
        }
    }
}

fn unsupported(batch: &Batch<'_>, what: &str) {
    batch.run.cx.emit.run(EventKind::Notice {
        level: Level::Warning,
        text: format!(
            "Using {what} with the free strategy is not supported, as tasks are executed independently on each host"
        ),
    });
}

impl Floor {
    fn go(&mut self, batch: &mut Batch<'_>) {
        loop {
            let stop = batch.ended || here::stopped();
            if !stop {
                self.hand_out(batch);
            }
            if self.running == 0 {
                return;
            }
            let Ok((host, end)) = self.done.recv() else {
                return;
            };
            self.finish(batch, host, end);
        }
    }

    fn occupy(&mut self, i: usize, view: &Arc<TaskView>) {
        self.busy[i] = Some(Arc::clone(view));
        self.running += 1;
    }

    /// Gives work to hosts until all workers are busy, or no host is free that has any.
    fn hand_out(&mut self, batch: &mut Batch<'_>) {
        let count = batch.hosts.len();
        let start = self.first;
        for n in 0..count {
            let i = (start + n) % count;
            if self.pinned && !self.inside.contains(&i) && self.inside.len() >= self.width {
                continue;
            }
            while self.busy[i].is_none() && self.running < self.width && !here::stopped() {
                let Some(step) = batch.peek(i) else {
                    self.inside.remove(&i);
                    break;
                };
                self.inside.insert(i);
                if !self.step(batch, i, step) {
                    break;
                }
            }
            if self.running >= self.width {
                self.first = (i + 1) % count;
                return;
            }
        }
    }

    /// One step of a host. `false` when it has to wait.
    fn step(&mut self, batch: &mut Batch<'_>, i: usize, step: Step) -> bool {
        match step {
            Step::Flush => batch.flush(&[i]),
            Step::Task(task) if task.short_module() == "meta" => batch.meta_step(&task, &[i]),
            Step::Task(task) => return self.start(batch, i, &task),
        }
        true
    }

    fn start(&mut self, batch: &mut Batch<'_>, i: usize, task: &Arc<Task>) -> bool {
        let view = batch.view(task, i);
        match batch.throttle(&view, i) {
            Ok(Some(most)) if self.running_of(&view) >= most => return false,
            Ok(_) => {}
            Err(error) => {
                self.announce(batch, &view);
                let end = batch.broken(&view, i, &error);
                self.occupy(i, &view);
                self.finish(batch, i, end);
                return true;
            }
        }
        if !batch
            .run
            .wanted_by_step(&view, Some(&Arc::clone(&batch.hosts[i].slot.name)))
        {
            batch.hosts[i].cursor.advance();
            return true;
        }
        self.announce(batch, &view);
        self.occupy(i, &view);
        if super::super::play::bypasses_loop(task) {
            let end = batch.broken(&view, i, &bypass(task));
            self.finish(batch, i, end);
            return true;
        }
        if batch.runs_once(&view, i) {
            batch.run.cx.emit.run(EventKind::Notice {
                level: Level::Warning,
                text: "Using run_once with the free strategy is not currently supported. This task will still be executed for every host in the inventory list.".into(),
            });
        }
        if task.find(Kw::AnyErrorsFatal).is_some() && batch.is_fatal(&view, i) {
            unsupported(batch, "any_errors_fatal");
        }
        // The workers live as long as the floor: the queue is open.
        let _ = self.jobs.send((i, batch.ticket(&view, i)));
        true
    }

    fn running_of(&self, view: &Arc<TaskView>) -> usize {
        let same = |v: &&Arc<TaskView>| Arc::ptr_eq(&v.task, &view.task);
        self.busy.iter().flatten().filter(same).count()
    }

    fn announce(&mut self, batch: &Batch<'_>, view: &TaskView) {
        if self.announced.insert(view.info.id) {
            batch.run.cx.emit.run(EventKind::TaskStarted {
                task: Arc::clone(&view.info),
            });
        }
    }

    fn finish(&mut self, batch: &mut Batch<'_>, i: usize, mut end: TaskEnd) {
        let Some(view) = self.busy[i].take() else {
            return;
        };
        self.running -= 1;
        batch.debug(&view, i, &mut end);
        batch.hosts[i].cursor.advance();
        if view.task.handler {
            batch.forget_handler(&[i], &view.task);
        }
        let calls = std::mem::take(&mut end.includes);
        batch.take(&view, i, end, &[i], calls.is_empty());
        if !calls.is_empty() {
            batch.include(&view, vec![(i, calls)]);
        }
    }
}

fn bypass(task: &Task) -> Error {
    Error::params(format!(
        "The '{}' module bypasses the host loop, which is currently not supported in the free strategy and would instead execute for every host in the inventory list.",
        task.module
    ))
    .at(&task.module_span)
}
