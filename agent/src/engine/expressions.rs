//! Arguments that hold expressions (`assert`'s `that`, `debug`'s `var`). Only what the playbook wrote
//! is evaluated: templates in such an argument give values, and never more expressions.

use super::task::{Seen, TaskCx};
use crate::error::{Error, ErrorKind, Result};
use crate::value::{Map, Value};

/// The expressions in the argument `name` of a task; `args` are its arguments, evaluated.
pub(super) fn of_argument(
    cx: &TaskCx<'_>,
    seen: &Seen,
    name: &str,
    args: &Map,
) -> Result<Vec<Value>> {
    let given = &cx.task().args;
    let raw = match (given.get(name), &given.whole) {
        (Some(arg), _) => Some(arg.value.clone()),
        (None, Some(whole)) => {
            let all = match &whole.value {
                Value::Template(t) => cx.run.templar.written(&t.text, &seen.vars),
                other => Some(other.clone()),
            };
            all.as_ref().and_then(|all| all.get(name)).cloned()
        }
        (None, None) => None,
    };
    match raw {
        Some(Value::List(items)) => Ok(items.to_vec()),
        Some(Value::Template(t)) => match cx.run.templar.written(&t.text, &seen.vars) {
            Some(Value::List(items)) => Ok(items.to_vec()),
            Some(text @ Value::Str(_)) => Ok(vec![text]),
            _ => Ok(match args.get(name) {
                // A list that a template made: its truth values count, its texts are no expressions.
                Some(Value::List(items)) => items.iter().map(inert).collect::<Result<_>>()?,
                _ => vec![Value::Template(t)],
            }),
        },
        Some(single) => Ok(vec![single]),
        // From module defaults.
        None => args.get(name).map(inert).into_iter().collect(),
    }
}

fn inert(value: &Value) -> Result<Value> {
    match value {
        Value::Str(_) => Err(untrusted(value)),
        other => Ok(other.clone()),
    }
}

fn untrusted(value: &Value) -> Error {
    let text = value.as_str().unwrap_or_default();
    Error::new(
        ErrorKind::Template,
        format!("Encountered untrusted template or expression: `{text}` is not evaluated"),
    )
}
