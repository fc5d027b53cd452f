//! Advice of `lint`: conditions that ansible-core up to 2.18 took, and 2.19 refuses. `--compat 2.18`
//! runs them as they are.

use crate::error::{Error, ErrorKind};
use crate::playbook::keyword::Kw;
use crate::playbook::task::Task;
use crate::source::Span;
use crate::value::Value;

/// Filters that never give a truth value.
const NO_TRUTH: &[&str] = &[
    "length", "count", "int", "float", "string", "list", "trim", "lower", "upper", "join", "first",
    "last", "sum", "unique", "sort", "to_json", "basename", "dirname",
];

/// What differs in a task's conditions, each with its place.
pub fn differences(task: &Task) -> Vec<Error> {
    let mut found = Vec::new();
    for kw in [Kw::When, Kw::Until, Kw::ChangedWhen, Kw::FailedWhen] {
        if let Some(setting) = task.own(kw) {
            found.extend(
                setting
                    .items()
                    .iter()
                    .filter_map(|c| difference(c, &setting.span)),
            );
        }
    }
    if task.short_module() == "assert"
        && let Some(that) = task.args.get("that")
    {
        let items = match &that.value {
            Value::List(items) => items.to_vec(),
            single => vec![single.clone()],
        };
        found.extend(items.iter().filter_map(|c| difference(c, &that.span)));
    }
    found
}

fn difference(condition: &Value, span: &Span) -> Option<Error> {
    let (text, span) = match condition {
        Value::Bool(_) | Value::Unknown(_) | Value::Omit => return None,
        Value::Str(text) => (&**text, span),
        Value::Template(t) => (&*t.text, t.span.as_ref().unwrap_or(span)),
        Value::Null | Value::Int(_) | Value::Float(_) | Value::List(_) | Value::Map(_) => {
            return Some(told("this condition is no text and no truth value", span));
        }
    };
    let text = text.trim();
    let braces = text.contains("{{") || text.contains("{%");
    let whole = text.starts_with("{{") && text.ends_with("}}") && text.matches("{{").count() == 1;
    if braces && !whole {
        return Some(told("this condition has a template inside", span));
    }
    let inner = text.trim_start_matches("{{").trim_end_matches("}}").trim();
    gives_no_truth(inner).then(|| told("this condition gives no truth value", span))
}

/// Whether an expression is plainly no truth value: a literal, or what such a filter gives.
fn gives_no_truth(text: &str) -> bool {
    let quoted = |mark: char| {
        let inner = text.strip_prefix(mark).and_then(|t| t.strip_suffix(mark));
        inner.is_some_and(|inner| !inner.contains(mark))
    };
    if text.is_empty() || quoted('\'') || quoted('"') || text.parse::<f64>().is_ok() {
        return true;
    }
    // With an operator, the filter belongs to one of its sides only.
    let compares = [
        " and ", " or ", " is ", " in ", "==", "!=", "<", ">", "not ",
    ];
    if compares.iter().any(|operator| text.contains(operator)) {
        return false;
    }
    let last = text.rsplit('|').next().unwrap_or_default().trim();
    let name = last.split('(').next().unwrap_or_default().trim();
    text.contains('|') && NO_TRUTH.contains(&name)
}

fn told(what: &str, span: &Span) -> Error {
    Error::new(
        ErrorKind::Template,
        format!("{what}: ansible-core 2.18 took it, 2.19 refuses it"),
    )
    .at(span)
    .hint("compare (`… | length > 0`, `… is defined`), or run with `--compat 2.18`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_plainly_no_truth_value_is_found() {
        for (text, want) in [
            ("'x'", true),
            ("5", true),
            ("names | length", true),
            ("names | length > 0", false),
            ("name", false),
            ("'a' in name", false),
            ("'a' == 'b'", false),
            ("out.stdout | trim", true),
            ("flag | bool", false),
        ] {
            assert_eq!(gives_no_truth(text), want, "{text}");
        }
    }
}
