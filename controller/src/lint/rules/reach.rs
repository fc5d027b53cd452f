//! Tasks that never run, and handlers that nobody calls.

use crate::lint::Check::{Project as Whole, Task as Each};
use crate::lint::Found;
use crate::lint::project::Project;
use lks_agent::playbook::keyword::{Kw, as_bool, plain_text};
use lks_agent::playbook::task::{Item, Task};
use lks_agent::source::Span;
use lks_agent::value::Value;
use std::collections::HashMap;
use std::sync::Arc;

rules! {
    /// A task or block whose condition is always false.
    NEVER_RUNS "never-runs" Warning on => Whole(never_runs);

    /// A task after the play has ended.
    ///
    /// It stands behind `meta: end_play`, `meta: end_host` or `fail` without a condition, in the same
    /// list, so that no host comes to it.
    AFTER_THE_END "after-the-end" Warning on => Whole(after_the_end);

    /// A task whose only tag is `never`.
    ///
    /// It runs only with `--tags never`, together with all other such tasks. Give it a second tag, by
    /// which it can be asked for alone.
    ONLY_NEVER "only-never" Note on => Each(only_never);

    /// A `rescue` of a block without tasks: nothing can fail there.
    NO_BODY "rescue-of-nothing" Warning on => Whole(no_body);

    /// A handler that no task notifies.
    UNUSED_HANDLER "unused-handler" Note on => Whole(unused_handler);

    /// Two handlers of one name in one place: only the last one can be notified.
    DOUBLE_HANDLER "double-handler" Warning on => Whole(double_handler);
}

fn is_false(value: &Value) -> bool {
    match value {
        Value::Bool(false) => true,
        Value::Str(s) => matches!(s.trim(), "false" | "False" | "no"),
        _ => false,
    }
}

fn never_runs(project: &Project, out: &mut Vec<Found>) {
    let mut look = |setting: Option<&lks_agent::playbook::keyword::Setting>, what: &str| {
        if let Some(setting) = setting
            && setting.items().iter().any(is_false)
        {
            out.push(
                Found::at(
                    &setting.span,
                    format!("this {what} never runs: its condition is false"),
                )
                .hint("remove it, or give it the tag `never` and another one"),
            );
        }
    };
    for task in &project.tasks {
        look(task.own(Kw::When), "task");
    }
    for block in &project.blocks {
        look(block.scope.keywords.get(Kw::When), "block");
    }
}

/// Whether no host goes on after this task.
fn ends(task: &Task) -> Option<&'static str> {
    let free = task.args.free.as_ref().map(|s| plain_text(&s.value));
    let what = match (task.short_module(), free.as_deref().map(str::trim)) {
        ("meta", Some("end_play")) => "meta: end_play",
        ("meta", Some("end_host")) => "meta: end_host",
        ("fail", _) if task.module.starts_with("ansible.") => "fail",
        _ => return None,
    };
    let handled = [
        Kw::When,
        Kw::Tags,
        Kw::FailedWhen,
        Kw::IgnoreErrors,
        Kw::RunOnce,
        Kw::DelegateTo,
    ];
    let plain = handled.iter().all(|kw| task.own(*kw).is_none()) && task.looped.is_none();
    (plain && !task.handler).then_some(what)
}

fn after_the_end(project: &Project, out: &mut Vec<Found>) {
    for list in &project.lists {
        let end = list.iter().enumerate().find_map(|(i, item)| match item {
            Item::Task(task) => ends(task).map(|what| (i, what)),
            Item::Block(_) => None,
        });
        if let Some((at, what)) = end
            && let Some(span) = list.get(at + 1).and_then(first_place)
        {
            out.push(Found::at(
                &span,
                format!("no host comes to this task: `{what}` stands before it"),
            ));
        }
    }
}

fn first_place(item: &Item) -> Option<Span> {
    match item {
        Item::Task(task) if task.handler => None,
        Item::Task(task) => Some(task.span.clone()),
        Item::Block(block) => block.body.first().and_then(first_place),
    }
}

fn only_never(task: &Arc<Task>, out: &mut Vec<Found>) {
    let tags = task.scope.tags();
    if tags.len() == 1
        && tags[0] == "never"
        && let Some(setting) = task.own(Kw::Tags)
    {
        out.push(
            Found::at(
                &setting.span,
                "this task can only be asked for with `--tags never`",
            )
            .hint("give it a second tag"),
        );
    }
}

fn no_body(project: &Project, out: &mut Vec<Found>) {
    for block in &project.blocks {
        if block.body.is_empty()
            && let Some(span) = block.rescue.first().and_then(first_place)
        {
            out.push(Found::at(
                &span,
                "nothing can fail in this block, so that its `rescue` never runs",
            ));
        }
    }
}

/// Handlers of the playbooks themselves. Those of roles may be notified by whoever uses the role.
fn unused_handler(project: &Project, out: &mut Vec<Found>) {
    if project.incomplete {
        return;
    }
    let mut called: Vec<String> = Vec::new();
    for task in &project.tasks {
        let settings = task.scope.all(Kw::Notify);
        for item in settings.iter().flat_map(|s| s.items()) {
            if matches!(item, Value::Template(_)) {
                return;
            }
            called.push(plain_text(&item));
        }
    }
    for task in project
        .tasks
        .iter()
        .filter(|t| t.handler && t.scope.role().is_none())
    {
        let Some(name) = task.name() else {
            continue;
        };
        let mut names: Vec<String> = vec![plain_text(&name.value)];
        names.extend(
            task.scope
                .all(Kw::Listen)
                .iter()
                .flat_map(|s| s.words_kept()),
        );
        let is_plain = !matches!(name.value, Value::Template(_));
        if is_plain && !names.iter().any(|n| called.contains(n)) {
            out.push(Found::at(
                &name.span,
                format!("no task notifies the handler `{}`", names[0]),
            ));
        }
    }
}

fn double_handler(project: &Project, out: &mut Vec<Found>) {
    let mut seen: HashMap<(String, String), Span> = HashMap::new();
    for task in project.tasks.iter().filter(|t| t.handler) {
        let Some(name) = task
            .name()
            .filter(|n| !matches!(n.value, Value::Template(_)))
        else {
            continue;
        };
        // With conditions, each may be meant for other hosts.
        if task.own(Kw::When).is_some() || task.own(Kw::Listen).is_some() {
            continue;
        }
        let key = (task.span.file.name.clone(), plain_text(&name.value));
        if let Some(first) = seen.insert(key, name.span.clone()) {
            out.push(
                Found::at(
                    &first,
                    format!(
                        "another handler is called `{}`, too",
                        plain_text(&name.value)
                    ),
                )
                .hint(format!(
                    "only the one in line {} is ever notified",
                    name.span.line
                )),
            );
        }
    }
}

/// Whether a setting is switched on without a template.
pub(super) fn is_on(value: &Value) -> bool {
    !matches!(value, Value::Template(_)) && as_bool(&plain_text(value)).unwrap_or(false)
}
