//! Conditions: such as ansible-core refuses since 2.19, and such as say less than they could.

use crate::lint::Check::Task as Each;
use crate::lint::Found;
use lks_agent::playbook::keyword::{Kw, Setting};
use lks_agent::playbook::task::Task;
use lks_agent::template::used;
use lks_agent::value::Value;
use std::sync::Arc;

rules! {
    /// A condition gives something else than true or false.
    ///
    /// ansible-core 2.19 and lks refuse it, where 2.18 took any value for its truth. Write what is
    /// meant: `list | length > 0`, `text != ''`, `value | bool`.
    NOT_A_CONDITION "not-a-condition" Warning on => Each(not_a_condition);

    /// Braces in a condition, which is an expression already.
    ///
    /// Inside `{{ … }}` the text is evaluated twice. Ansible warns of it, and will refuse it one day.
    BRACES "braces-in-condition" Note on => Each(braces);

    /// A comparison with `true` or `false`.
    ///
    /// `when: x == true` is false for the text `"yes"`, which `-e x=yes` gives: write `when: x | bool`,
    /// or `when: x`.
    LITERAL_BOOL "literal-compare" Note off => Each(literal_bool);

    /// A task that waits for another's change is a handler.
    ///
    /// `when: result.changed` runs at once and once for each task; a handler runs when all is in place,
    /// also after a failure with `--force-handlers`.
    NO_HANDLER "task-instead-of-handler" Note off => Each(no_handler);
}

const CONDITIONS: &[Kw] = &[Kw::When, Kw::Until, Kw::ChangedWhen, Kw::FailedWhen];

/// Each condition of the task itself.
fn each(task: &Task, look: &mut dyn FnMut(&str, &Setting, &Value)) {
    for kw in CONDITIONS {
        if let Some(setting) = task.own(*kw) {
            for item in setting.items() {
                if let Some(text) = item.as_str() {
                    look(text, setting, &item);
                }
            }
        }
    }
}

fn place<'a>(setting: &'a Setting, item: &'a Value) -> &'a lks_agent::source::Span {
    match item {
        Value::Template(t) => t.span.as_ref().unwrap_or(&setting.span),
        _ => &setting.span,
    }
}

/// `a and "b in c"`: a part of the condition that was meant to be one, too.
fn ends_in_quotes(text: &str) -> bool {
    let text = text.trim();
    let joined = [" and \"", " and '", " or \"", " or '", " not \"", " not '"];
    text.ends_with(['"', '\'']) && joined.iter().any(|j| text.contains(j))
}

fn not_a_condition(task: &Arc<Task>, out: &mut Vec<Found>) {
    each(task, &mut |text, setting, item| {
        if let Ok(Some(what)) = used::not_a_condition(text) {
            let how = match what {
                "a number" => format!("write `{} > 0`", text.trim()),
                "a list" | "a mapping" => format!("write `{} | length > 0`", text.trim()),
                _ if ends_in_quotes(text) => {
                    "what stands in quotes is a text, whatever it says: take the quotes away".into()
                }
                _ => format!("write `{} != ''`", text.trim()),
            };
            let said = format!("this condition gives {what}, and must give true or false");
            out.push(Found::at(place(setting, item), said).hint(how));
        }
    });
}

fn braces(task: &Arc<Task>, out: &mut Vec<Found>) {
    each(task, &mut |text, setting, item| {
        if text.contains("{{") {
            out.push(
                Found::at(
                    place(setting, item),
                    "braces in a condition, which is an expression already",
                )
                .hint("write it without `{{ }}`"),
            );
        }
    });
}

fn literal_bool(task: &Arc<Task>, out: &mut Vec<Found>) {
    each(task, &mut |text, setting, item| {
        let text: String = text.split_whitespace().collect();
        let lower = text.to_lowercase();
        if ["==true", "==false", "!=true", "!=false"]
            .iter()
            .any(|c| lower.contains(c))
        {
            out.push(
                Found::at(place(setting, item), "a comparison with `true` or `false`")
                    .hint("write `x | bool`, or `not x | bool`"),
            );
        }
    });
}

fn no_handler(task: &Arc<Task>, out: &mut Vec<Found>) {
    let Some(setting) = task.own(Kw::When).filter(|_| !task.handler) else {
        return;
    };
    let items = setting.items();
    let [only] = items.as_slice() else {
        return;
    };
    let text = only.as_str().unwrap_or("").trim();
    let is_change = text
        .strip_suffix(".changed")
        .or_else(|| text.strip_suffix(" is changed"))
        .is_some_and(|name| name.chars().all(|c| c.is_alphanumeric() || c == '_'));
    if is_change {
        out.push(
            Found::at(
                &setting.span,
                "a task that waits for another's change is a handler",
            )
            .hint("move it to `handlers:` and `notify:` it"),
        );
    }
}
