//! Rules across the options of a level. Each tells how it is broken, in ansible-core's words.

use super::types::text;
use crate::value::{Map, Value};

/// A rule: its name in a specification, and what is wrong, given its terms and the values.
pub type Check = (&'static str, fn(&Value, &Map) -> Option<String>);

/// Before defaults are filled in.
pub const FIRST: &[Check] = &[("mutually_exclusive", mutually_exclusive)];

/// After types and choices.
pub const LATER: &[Check] = &[
    ("required_together", required_together),
    ("required_one_of", required_one_of),
    ("required_if", required_if),
    ("required_by", required_by),
];

/// A list of lists of names; a single list of names stands for a list of one.
fn groups(terms: &Value) -> Vec<Vec<String>> {
    let list = terms.as_list().unwrap_or_default();
    if list.iter().all(|t| t.as_list().is_none()) {
        return vec![list.iter().map(text).collect()];
    }
    list.iter().map(names).collect()
}

fn names(value: &Value) -> Vec<String> {
    match value {
        Value::List(list) => list.iter().map(text).collect(),
        single => vec![text(single)],
    }
}

fn mutually_exclusive(terms: &Value, given: &Map) -> Option<String> {
    let count = |group: &&Vec<String>| {
        group
            .iter()
            .filter(|n| given.contains_key(n.as_str()))
            .count()
            > 1
    };
    let groups = groups(terms);
    let broken: Vec<String> = groups.iter().filter(count).map(|g| g.join("|")).collect();
    (!broken.is_empty())
        .then(|| format!("parameters are mutually exclusive: {}", broken.join(", ")))
}

fn required_one_of(terms: &Value, given: &Map) -> Option<String> {
    let groups = groups(terms);
    let broken = groups
        .iter()
        .find(|group| !group.iter().any(|n| given.contains_key(n.as_str())))?;
    Some(format!(
        "one of the following is required: {}",
        broken.join(", ")
    ))
}

fn required_together(terms: &Value, given: &Map) -> Option<String> {
    let groups = groups(terms);
    let broken = groups.iter().find(|group| {
        let there = group
            .iter()
            .filter(|n| given.contains_key(n.as_str()))
            .count();
        there > 0 && there < group.len()
    })?;
    Some(format!(
        "parameters are required together: {}",
        broken.join(", ")
    ))
}

/// Terms `[option, value, options]`, and a fourth: whether one of the options is enough.
fn required_if(terms: &Value, given: &Map) -> Option<String> {
    terms.as_list()?.iter().find_map(|term| {
        let term = term.as_list()?;
        let (name, value, needs) = (text(term.first()?), term.get(1)?, names(term.get(2)?));
        let any = term.get(3).is_some_and(Value::is_truthy);
        if given.get(name.as_str()) != Some(value) {
            return None;
        }
        let missing: Vec<String> = needs
            .iter()
            .filter(|n| !given.contains_key(n.as_str()))
            .cloned()
            .collect();
        let broken = !missing.is_empty() && (!any || missing.len() == needs.len());
        broken.then(|| {
            format!(
                "{name} is {} but {} of the following are missing: {}",
                text(value),
                if any { "any" } else { "all" },
                missing.join(", ")
            )
        })
    })
}

fn required_by(terms: &Value, given: &Map) -> Option<String> {
    let has = |name: &str| given.get(name).is_some_and(|v| !v.is_null());
    terms.as_map()?.iter().find_map(|(name, needs)| {
        let name = name.to_string();
        let missing: Vec<String> = names(needs).into_iter().filter(|n| !has(n)).collect();
        (has(&name) && !missing.is_empty()).then(|| {
            format!(
                "missing parameter(s) required by '{name}': {}",
                missing.join(", ")
            )
        })
    })
}
