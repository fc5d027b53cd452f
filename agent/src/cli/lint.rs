//! Advice of `lint`, beside what the check before a run finds: what works, but not as meant.

use crate::engine::Run;
use crate::error::{Error, ErrorKind};
use crate::playbook::keyword::Kw;
use crate::playbook::task::{Item, Task};
use crate::value::Value;

/// What deserves a look in the run's plays, each with its place and what to do.
#[must_use]
pub fn advice(run: &Run) -> Vec<String> {
    let mut out = Vec::new();
    for (_, plays) in &run.playbooks {
        for play in plays {
            for section in [
                &play.pre_tasks,
                &play.tasks,
                &play.post_tasks,
                &play.handlers,
            ] {
                items(section, &mut out);
            }
        }
    }
    out
}

fn items(list: &[Item], out: &mut Vec<String>) {
    for item in list {
        match item {
            Item::Block(block) => {
                for part in [&block.body, &block.rescue, &block.always] {
                    items(part, out);
                }
            }
            Item::Task(task) => {
                let found = [never_idempotent(task), odd_mode(task), ignores_all(task)];
                out.extend(
                    found
                        .into_iter()
                        .flatten()
                        .chain(super::old_conditions::differences(task))
                        .map(|e| format!("[ADVICE]: {e}")),
                );
            }
        }
    }
}

fn look(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::Syntax, text)
}

/// A command that says "changed" at every run hides what really changed.
fn never_idempotent(task: &Task) -> Option<Error> {
    let is_command = matches!(task.short_module(), "command" | "shell" | "raw" | "script");
    let guarded = ["creates", "removes"]
        .iter()
        .any(|p| task.args.get(p).is_some())
        || task.own(Kw::ChangedWhen).is_some()
        || task.handler
        || !task.scope.all(Kw::When).is_empty();
    (is_command && !guarded).then(|| {
        look("this command counts as changed at every run")
            .at(&task.module_span)
            .hint("add `creates:`, `removes:`, `changed_when:` or a `when:`")
    })
}

/// `mode: 644` is the number 644, in octal 1204.
fn odd_mode(task: &Task) -> Option<Error> {
    let arg = task.args.get("mode")?;
    let written = arg.span.file.line(arg.span.line);
    let start = (arg.span.column.max(1) - 1) as usize;
    let digits: String = written
        .chars()
        .skip(start)
        .take_while(char::is_ascii_digit)
        .collect();
    let is_number = matches!(arg.value, Value::Int(_));
    (is_number && !digits.starts_with('0')).then(|| {
        look(format!(
            "`mode: {digits}` is a decimal number, which means other bits"
        ))
        .at(&arg.span)
        .hint(format!("write it in quotes: '0{digits}'"))
    })
}

/// Ignoring every failure hides the one that matters.
fn ignores_all(task: &Task) -> Option<Error> {
    let setting = task.own(Kw::IgnoreErrors)?;
    let always = setting.value.is_truthy() && !matches!(setting.value, Value::Template(_));
    let judged = task.own(Kw::Register).is_some() || task.own(Kw::FailedWhen).is_some();
    (always && !judged).then(|| {
        look("every failure of this task is ignored, and nobody looks at its result")
            .at(&setting.span)
            .hint("say with `failed_when:` which failures are none")
    })
}
