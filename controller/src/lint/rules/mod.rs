//! The rules, a group in each file.

/// Rows of a group's table: the doc comment is the rule's page, its first line the summary.
macro_rules! rules {
    ($( $(#[doc = $doc:literal])+ $name:ident $id:literal $level:ident $on:ident => $check:expr; )*) => {
        $(
            $(#[doc = $doc])+
            pub static $name: crate::lint::Rule = crate::lint::Rule {
                id: $id,
                level: crate::lint::Level::$level,
                on: rules!(@ $on),
                doc: concat!($($doc, "\n"),+),
                check: $check,
            };
        )*
        /// The group's table.
        pub static RULES: &[&crate::lint::Rule] = &[ $( &$name ),* ];
    };
    (@ on) => { true };
    (@ off) => { false };
}

pub mod commands;
pub mod conditions;
pub mod files;
pub mod pins;
pub mod reach;
pub mod reader;
pub mod secrets;
pub mod style;
pub mod variables;

use super::Rule;
use lks_agent::playbook::keyword::plain_text;
use lks_agent::playbook::task::Task;
use lks_agent::value::Value;

/// Every rule, in the order of the groups.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    [
        reader::RULES,
        variables::RULES,
        reach::RULES,
        commands::RULES,
        conditions::RULES,
        secrets::RULES,
        files::RULES,
        pins::RULES,
        style::RULES,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// An argument that is written without a template, as text.
fn plain_arg(task: &Task, name: &str) -> Option<String> {
    let arg = task.args.get(name)?;
    plain(&arg.value)
}

/// A scalar without a template, as text.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Str(_) | Value::Int(_) | Value::Bool(_) | Value::Float(_) => Some(plain_text(value)),
        _ => None,
    }
}

/// The text of a command: free, or in its parameter.
fn command_text(task: &Task) -> Option<String> {
    let given = task.args.free.as_ref().map(|s| s.value.clone());
    let named = || {
        let arg = task
            .args
            .get("cmd")
            .or_else(|| task.args.get("_raw_params"))?;
        Some(arg.value.clone())
    };
    let value = given.or_else(named)?;
    value.as_str().map(str::to_string)
}

/// Whether the module is one of ansible-core's of this name.
fn is_core(task: &Task, names: &[&str]) -> bool {
    let core = !task.module.contains('.') || task.module.starts_with("ansible.");
    core && names.contains(&task.short_module())
}
