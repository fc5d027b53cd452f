//! What `set_stats` gathered, as a fold of the results of its tasks.

use crate::event::Report;
use crate::value::{Key, Map, Value};
use std::collections::BTreeMap;

/// Statistics that the playbook itself keeps.
#[derive(Default)]
pub struct CustomStats {
    /// Of each host.
    pub hosts: BTreeMap<String, Map>,
    /// Of the run.
    pub run: Map,
}

impl CustomStats {
    /// Takes the result of a task, if it has any (`ansible_stats: {data, per_host, aggregate}`).
    pub fn take(&mut self, host: &str, report: &Report) {
        let results = report.result.get("results").and_then(Value::as_list);
        let one = std::slice::from_ref(&report.result);
        for result in results.unwrap_or(one) {
            let Some(stats) = result.get("ansible_stats") else {
                continue;
            };
            let flag = |name: &str| stats.get(name).is_some_and(Value::is_truthy);
            let into = if flag("per_host") {
                self.hosts.entry(host.to_string()).or_default()
            } else {
                &mut self.run
            };
            for (key, value) in stats
                .get("data")
                .and_then(Value::as_map)
                .into_iter()
                .flatten()
            {
                add(into, key, value, flag("aggregate"));
            }
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty() && self.run.is_empty()
    }
}

/// Sets a value, or adds it to the one that is there: numbers are summed, lists and texts joined,
/// mappings merged.
fn add(into: &mut Map, key: &Key, value: &Value, aggregate: bool) {
    let merged = match (into.get(key), value) {
        (Some(Value::Int(a)), Value::Int(b)) => Value::Int(a.saturating_add(*b)),
        (Some(Value::Float(a)), Value::Float(b)) => Value::Float(a + b),
        (Some(Value::Str(a)), Value::Str(b)) => Value::from(format!("{a}{b}")),
        (Some(Value::List(a)), Value::List(b)) => {
            Value::list(a.iter().chain(b.iter()).cloned().collect())
        }
        (Some(Value::Map(a)), Value::Map(b)) => {
            let mut map = (**a).clone();
            for (k, v) in b.iter() {
                add(&mut map, k, v, matches!(v, Value::Map(_)));
            }
            Value::map(map)
        }
        _ => value.clone(),
    };
    into.insert(key.clone(), if aggregate { merged } else { value.clone() });
}
