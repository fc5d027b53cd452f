//! `linear`: hosts take each step together, and wait for the slowest.

use super::super::context::TaskView;
use super::super::cursor::{Place, Step};
use super::super::include::IncludeCall;
use super::super::parallel;
use super::super::play::Batch;
use super::super::result::TaskEnd;
use super::Strategy;
use crate::event::{EventKind, Status};
use crate::host::here;
use crate::playbook::task::Task;
use std::sync::Arc;

pub(super) static LINEAR: Strategy = Strategy {
    name: "linear",
    lockstep: true,
    debugs: false,
    drive,
};

pub(super) fn drive(batch: &mut Batch<'_>) {
    while let Some((step, hosts)) = next_step(batch) {
        match step {
            Step::Task(task) => task_step(batch, &task, &hosts),
            Step::Flush => batch.flush(&hosts),
        }
        batch.check_limits();
        if batch.ended || here::stopped() {
            break;
        }
    }
}

/// The earliest step that any host must take, and the hosts that take it now.
fn next_step(batch: &mut Batch<'_>) -> Option<(Step, Vec<usize>)> {
    let mut best: Option<(Place, Step, Vec<usize>)> = None;
    for index in 0..batch.hosts.len() {
        let Some(step) = batch.peek(index) else {
            continue;
        };
        let place = batch.hosts[index].cursor.place();
        match &mut best {
            Some((p, _, hosts)) if *p == place => hosts.push(index),
            Some((p, ..)) if *p < place => {}
            _ => best = Some((place, step, vec![index])),
        }
    }
    best.map(|(_, step, hosts)| (step, hosts))
}

fn task_step(batch: &mut Batch<'_>, task: &Arc<Task>, hosts: &[usize]) {
    if task.short_module() == "meta" {
        return batch.meta_step(task, hosts);
    }
    let view = batch.view(task, hosts[0]);
    if !batch.run.wanted_by_step(&view, None) {
        for &i in hosts {
            batch.hosts[i].cursor.advance();
        }
        return;
    }
    let once = batch.runs_once(&view, hosts[0]);
    let running: &[usize] = if once { &hosts[..1] } else { hosts };
    batch.run.cx.emit.run(EventKind::TaskStarted {
        task: Arc::clone(&view.info),
    });
    let mut ends = run_on(batch, &view, running, once);
    for (end, i) in ends.iter_mut().zip(running) {
        batch.debug(&view, *i, end);
    }
    // All at once, before results are judged: one host's failure may move the others on.
    for &i in hosts {
        batch.hosts[i].cursor.advance();
    }
    if task.handler {
        batch.forget_handler(hosts, task);
    }
    let mut includes: Vec<(usize, Vec<IncludeCall>)> = Vec::new();
    let mut broken: Vec<usize> = Vec::new();
    // What a task that runs once finds out is for all hosts, wherever they are in the play.
    let all: Vec<usize> = match once {
        true => (0..batch.hosts.len())
            .filter(|j| !batch.hosts[*j].unreachable)
            .collect(),
        false => Vec::new(),
    };
    for (i, mut end) in running.iter().copied().zip(ends) {
        let calls = std::mem::take(&mut end.includes);
        let sharing: &[usize] = if once { &all } else { &[i] };
        let counts = calls.is_empty();
        if !counts {
            // A file is included for the hosts that ran the include, and no others.
            includes.push((i, calls));
        }
        match end.report.status {
            Status::Failed if !end.report.ignored => broken.extend(sharing),
            Status::Unreachable if !end.report.ignored => broken.push(i),
            _ => {}
        }
        batch.take(&view, i, end, sharing, counts);
    }
    broken.extend(batch.include(&view, includes));
    if !broken.is_empty() && (once || batch.is_fatal(&view, hosts[0])) {
        batch.fail_others(&broken);
    }
}

fn run_on(batch: &Batch<'_>, view: &Arc<TaskView>, hosts: &[usize], once: bool) -> Vec<TaskEnd> {
    let forks = batch.run.cx.options.forks;
    let width = match batch.throttle(view, hosts[0]) {
        Ok(Some(most)) if !once => most.min(forks),
        Ok(_) => forks,
        Err(error) => {
            return hosts
                .iter()
                .map(|i| batch.broken(view, *i, &error))
                .collect();
        }
    };
    parallel::map(hosts.len(), width, |n| batch.ticket(view, hosts[n]).run())
}
