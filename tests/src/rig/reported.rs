//! What a controller has of a host's part of a run: whole, or not.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Failure, Result, ensure};

/// A task that was reported from its start to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its name.
    pub name: String,
    /// `ok`, `changed`, `failed`, `skipped`; `ignored` where the playbook forgave it.
    pub status: String,
    /// How long it took.
    pub millis: u64,
}

/// Reads a run's events as complete: numbers without gaps, every task that began has ended, one start and
/// one end of the run, and that with status 0.
///
/// # Errors
/// Names what is missing.
pub fn complete(events: &[Value]) -> Result<Vec<Task>> {
    let mut numbers: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    for event in events {
        let host = event["host"].as_str().unwrap_or_default();
        let number = event["seq"].as_u64().unwrap_or_default();
        numbers.entry(host).or_default().push(number);
    }
    for (host, list) in &mut numbers {
        list.sort_unstable();
        let whole: Vec<u64> = (1..=list.len() as u64).collect();
        ensure(
            *list == whole,
            format_args!("the events of `{host}` have gaps or repeats: {list:?}"),
        )?;
    }
    for kind in ["run_started", "run_finished"] {
        let count = events.iter().filter(|event| event["type"] == kind).count();
        ensure(count == 1, format_args!("{count} events {kind}"))?;
    }
    let status = events
        .iter()
        .find(|event| event["type"] == "run_finished")
        .map(|event| &event["status"]);
    ensure(
        status == Some(&Value::from(0)),
        format_args!("the run ended with {status:?}"),
    )?;
    tasks(events)
}

fn tasks(events: &[Value]) -> Result<Vec<Task>> {
    let at = |event: &Value| event["at_ms"].as_u64().unwrap_or_default();
    let mut begun: BTreeMap<u64, (String, u64)> = BTreeMap::new();
    let mut ended = Vec::new();
    for event in events {
        match event["type"].as_str() {
            Some("task_started") => {
                let name = event["task"]["name"].as_str().unwrap_or_default();
                let id = event["task"]["id"].as_u64().unwrap_or_default();
                begun.insert(id, (name.to_owned(), at(event)));
            }
            Some("task_finished") => {
                let id = event["task"].as_u64().unwrap_or_default();
                let (name, from) = begun
                    .remove(&id)
                    .ok_or_else(|| Failure::new(format!("task {id} ended and never began")))?;
                let status = match event["report"]["ignored"].as_bool() {
                    Some(true) => "ignored",
                    _ => event["report"]["status"].as_str().unwrap_or_default(),
                };
                ended.push(Task {
                    name,
                    status: status.to_owned(),
                    millis: at(event).saturating_sub(from),
                });
            }
            _ => {}
        }
    }
    ensure(
        begun.is_empty(),
        format_args!("tasks began and never ended: {begun:?}"),
    )?;
    Ok(ended)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn whole() -> Vec<Value> {
        vec![
            json!({"host": "", "seq": 1, "at_ms": 1, "type": "run_started"}),
            json!({"host": "", "seq": 2, "at_ms": 5, "type": "task_started", "task": {"id": 7, "name": "a"}}),
            json!({"host": "h", "seq": 1, "at_ms": 9, "type": "task_finished", "task": 7,
                "report": {"status": "changed"}}),
            json!({"host": "", "seq": 3, "at_ms": 9, "type": "run_finished", "status": 0}),
        ]
    }

    #[test]
    fn a_run_is_complete_with_all_of_its_events_and_with_none_less() {
        let task = Task {
            name: "a".into(),
            status: "changed".into(),
            millis: 4,
        };
        assert_eq!(complete(&whole()).unwrap(), [task]);
        for missing in 0..whole().len() {
            let mut events = whole();
            events.remove(missing);
            assert!(complete(&events).is_err(), "without event {missing}");
        }
        let mut failed = whole();
        failed[3]["status"] = json!(2);
        assert!(complete(&failed).is_err());
    }
}
