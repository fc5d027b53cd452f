//! The steps of a play: its sections, the gathering of facts, where `--start-at-task` begins.

use super::context::{HostsView, RunCx};
use super::cursor::Entry;
use super::options::Gathering;
use crate::pattern::wildcard;
use crate::playbook::keyword::{Kw, plain_text};
use crate::playbook::play::Play;
use crate::playbook::role::made;
use crate::playbook::scope::{Keywords, Scope, ScopeKind};
use crate::playbook::task::{Arg, Item, Task, TaskArgs};
use crate::value::Map;
use std::sync::Arc;

/// Whether `--start-at-task NAME` means this task; `*` in the name stands for anything.
pub(super) fn starts_at(task: &Task, wanted: &str) -> bool {
    let Some(name) = task.name() else {
        return false;
    };
    let own = plain_text(&name.value);
    let full = task
        .scope
        .role()
        .map(|r| format!("{} : {own}", r.name))
        .unwrap_or_default();
    wildcard(wanted, &own) || wildcard(wanted, &full)
}

/// Whether `--start-at-task NAME` means a task of this play.
pub(super) fn starts_in(play: &Play, wanted: &str) -> bool {
    fn any(items: &[Item], wanted: &str) -> bool {
        items.iter().any(|item| match item {
            Item::Task(task) => starts_at(task, wanted),
            Item::Block(block) => {
                any(&block.body, wanted) || any(&block.rescue, wanted) || any(&block.always, wanted)
            }
        })
    }
    [&play.pre_tasks, &play.tasks, &play.post_tasks]
        .into_iter()
        .any(|section| any(section, wanted))
}

/// Whether this is the task that [`steps`] adds to gather facts.
pub(super) fn gathers_facts(task: &Task, play: &Play) -> bool {
    // It has no place of its own.
    task.span.line == play.span.line
        && task.span.column == play.span.column
        && task.span.file.name == play.span.file.name
}

/// Tasks of a list, blocks opened: handlers run one by one.
pub(super) fn flatten(items: &[Item]) -> Vec<Arc<Task>> {
    items
        .iter()
        .flat_map(|item| match item {
            Item::Task(task) => vec![Arc::clone(task)],
            Item::Block(block) => flatten(&block.body),
        })
        .collect()
}

/// The sections of a play, with the handlers flushed after each: whatever happened in the section if
/// they are `forced`.
pub(super) fn steps(play: &Play, gather: bool, forced: bool) -> Vec<Entry> {
    let mut steps = Vec::new();
    if gather {
        steps.push(Entry::Item(Item::Task(Arc::new(setup_task(play)))));
    }
    for section in [&play.pre_tasks, &play.tasks, &play.post_tasks] {
        let entries = section.iter().cloned().map(Entry::Item);
        if forced {
            steps.push(Entry::Guarded(Arc::new(entries.collect())));
        } else {
            steps.extend(entries);
            steps.push(Entry::Flush);
        }
    }
    steps
}

/// The task `Gathering Facts`.
fn setup_task(play: &Play) -> Task {
    let mut keywords = Keywords::default();
    keywords.set(Kw::Name, made("Gathering Facts", &play.span));
    if play.scope.tags().is_empty() {
        keywords.set(Kw::Tags, made("always", &play.span));
    }
    // With `run_once`, all hosts would get the facts of the first.
    keywords.set(Kw::RunOnce, made(false, &play.span));
    let mut args = TaskArgs::default();
    for (kw, name) in [
        (Kw::GatherSubset, "gather_subset"),
        (Kw::GatherTimeout, "gather_timeout"),
        (Kw::FactPath, "fact_path"),
    ] {
        if let Some(setting) = play.get(kw) {
            args.named.push(Arg {
                name: name.into(),
                value: setting.value.clone(),
                name_span: setting.span.clone(),
                span: setting.span.clone(),
            });
        }
    }
    Task {
        scope: Scope::inside(&play.scope, ScopeKind::Task, keywords),
        span: play.span.clone(),
        module: "ansible.builtin.gather_facts".into(),
        module_span: play.span.clone(),
        args,
        looped: None,
        handler: false,
    }
}

/// Whether a play gathers facts.
#[must_use]
pub fn gathers(given: Option<bool>, policy: Gathering) -> bool {
    given.unwrap_or(policy != Gathering::Explicit)
}

/// `hostvars` of a play.
#[must_use]
pub fn others(run: &RunCx, magic: &Arc<Map>) -> Arc<HostsView> {
    Arc::new(HostsView {
        hosts: Arc::clone(&run.hosts),
        merge_hashes: run.options.merge_hashes,
        extra: Arc::clone(&run.options.extra_vars),
        magic: Arc::clone(magic),
    })
}
