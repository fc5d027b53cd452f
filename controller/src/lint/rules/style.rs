//! Old and short forms, and settings that do nothing or hide too much.

use super::is_core;
use super::reach::is_on;
use crate::lint::Check::Task as Each;
use crate::lint::Found;
use lks_agent::playbook::keyword::Kw;
use lks_agent::playbook::task::{Loop, Task};
use std::sync::Arc;

rules! {
    /// `action:` or `local_action:` in the place of the module's own name.
    ///
    /// These forms are from before 2012. Write the module's name, and `delegate_to: localhost`.
    OLD_ACTION "old-action" Note on => Each(old_action);

    /// Parameters as `key=value` text.
    ///
    /// All of them are text, quotes and spaces are split by rules of their own, and no editor knows
    /// them. Write a mapping. Commands are left in peace: their text is no list of parameters.
    KEY_VALUE "key-value-args" Note on => Each(key_value);

    /// Every failure of the task is ignored, and nobody looks at its result.
    ///
    /// Say with `failed_when:` which failures are none.
    IGNORED "ignored-failure" Warning on => Each(ignored);

    /// `become_user` without `become`.
    ///
    /// The task runs as the login's user, not as this one, unless the command line or the inventory
    /// says `become`.
    BECOME_USER "become-user-alone" Warning on => Each(become_user);

    /// `with_…` where `loop` does the same.
    WITH_LOOP "with-loop" Note off => Each(with_loop);

    /// A module without the collection it comes from.
    ///
    /// A short name may be taken by another collection, and is slower to find in Ansible.
    SHORT_NAME "short-module-name" Note off => Each(short_name);

    /// A task without a name, which output and logs show by its module alone.
    NO_NAME "unnamed-task" Note off => Each(no_name);
}

fn old_action(task: &Arc<Task>, out: &mut Vec<Found>) {
    for kw in [Kw::Action, Kw::LocalAction] {
        if let Some(setting) = task.own(kw) {
            let how = match kw {
                Kw::LocalAction => "write the module's name, and `delegate_to: localhost`",
                _ => "write the module's name in its place",
            };
            out.push(
                Found::at(&setting.span, format!("`{}:` is an old form", kw.name())).hint(how),
            );
        }
    }
}

fn key_value(task: &Arc<Task>, out: &mut Vec<Found>) {
    let free = [
        "command",
        "shell",
        "raw",
        "script",
        "meta",
        "include_tasks",
        "import_tasks",
        "include_vars",
        "include",
    ];
    if free.contains(&task.short_module())
        || task.own(Kw::Action).is_some()
        || task.own(Kw::LocalAction).is_some()
    {
        return;
    }
    let Some(first) = task.args.named.first() else {
        return;
    };
    let line = task.module_span.file.line(task.module_span.line);
    let start = (task.module_span.column.max(1) - 1) as usize;
    let after: String = line.chars().skip(start).collect();
    let Some((_, value)) = after.split_once(':') else {
        return;
    };
    let value = value.trim_start();
    let pair = value
        .split_once('=')
        .is_some_and(|(key, _)| key.trim_matches('"') == &*first.name);
    if pair {
        let said = format!(
            "parameters of `{}` as `key=value` text",
            task.short_module()
        );
        out.push(
            Found::at(&task.module_span, said).hint("write a mapping, one parameter in each line"),
        );
    }
}

fn ignored(task: &Arc<Task>, out: &mut Vec<Found>) {
    let Some(setting) = task.own(Kw::IgnoreErrors).filter(|s| is_on(&s.value)) else {
        return;
    };
    if task.own(Kw::Register).is_none() && task.own(Kw::FailedWhen).is_none() {
        out.push(
            Found::at(
                &setting.span,
                "every failure of this task is ignored, and nobody looks at its result",
            )
            .hint("say with `failed_when:` which failures are none"),
        );
    }
}

fn become_user(task: &Arc<Task>, out: &mut Vec<Found>) {
    let Some(setting) = task
        .own(Kw::BecomeUser)
        .filter(|_| task.find(Kw::Become).is_none())
    else {
        return;
    };
    // A role or a file of tasks does not know the play around it.
    let in_play = task
        .scope
        .chain()
        .any(|s| s.keywords.get(Kw::Hosts).is_some());
    let own = task.scope.chain().any(|s| {
        s.keywords
            .get(Kw::Vars)
            .is_some_and(|v| v.value.to_json().to_string().contains("ansible_become"))
    });
    if in_play && !own {
        out.push(
            Found::at(&setting.span, "`become_user` does nothing without `become`")
                .hint("add `become: true`"),
        );
    }
}

fn with_loop(task: &Arc<Task>, out: &mut Vec<Found>) {
    if let Some(Loop::With(name, setting)) = &task.looped
        && matches!(
            &**name,
            "items"
                | "list"
                | "dict"
                | "indexed_items"
                | "nested"
                | "together"
                | "sequence"
                | "subelements"
        )
    {
        out.push(
            Found::at(
                &setting.span,
                format!("`with_{name}` is the old form of a loop"),
            )
            .hint("write `loop:`, with a filter where the lists are to be joined"),
        );
    }
}

fn short_name(task: &Arc<Task>, out: &mut Vec<Found>) {
    let written = task.written_module();
    if !written.contains('.') {
        out.push(
            Found::at(
                &task.module_span,
                format!("`{written}` does not say which collection it is of"),
            )
            .hint(format!("write `{}`", task.module)),
        );
    }
}

fn no_name(task: &Arc<Task>, out: &mut Vec<Found>) {
    if task.name().is_none() && !is_core(task, &["meta", "debug"]) {
        out.push(Found::at(&task.span, "this task has no name").hint("add `name:`"));
    }
}
