//! Reads the report that `lks-agent run --output json` ends with. Everything that the rig knows of
//! its shape stands in [`Report::parse`].

use serde_json::Value;

use super::{Attempt, Failure, Result, ensure};

/// What one task did on the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its name.
    pub name: String,
    /// Whether it changed something; in check mode, whether it would.
    pub changed: bool,
    /// Whether a check could not tell if it would change something.
    pub may_change: bool,
    /// Whether it failed, and nothing in the playbook forgave it.
    pub failed: bool,
    /// Whether it did not run.
    pub skipped: bool,
}

/// A run's tasks in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// One row for each task that the host came to.
    pub tasks: Vec<Task>,
}

impl Report {
    /// Reads the document at the end of what the agent printed: Ansible's `json` callback's shape,
    /// `plays[].tasks[].{task.name, hosts.HOST}`, for one host. Where check mode cannot know, the
    /// host's row says `may_change`.
    pub fn parse(printed: &str) -> Result<Self> {
        let from = printed.find('{').unwrap_or(0);
        let document: Value =
            serde_json::from_str(&printed[from..]).attempt("the agent's report is not JSON")?;
        let plays = document["plays"]
            .as_array()
            .ok_or_else(|| Failure::new("the agent's report has no `plays`"))?;
        let rows = plays
            .iter()
            .flat_map(|play| play["tasks"].as_array().into_iter().flatten());
        let tasks = rows
            .filter_map(|row| {
                let (_, host) = row["hosts"].as_object()?.iter().next()?;
                let says = |key: &str| host[key] == Value::Bool(true);
                Some(Task {
                    name: row["task"]["name"].as_str()?.to_string(),
                    changed: says("changed") && !says("may_change"),
                    may_change: says("may_change"),
                    failed: says("failed") && !says("ignored"),
                    skipped: says("skipped"),
                })
            })
            .collect();
        Ok(Report { tasks })
    }

    /// The names of the tasks that changed something, in order.
    pub fn changed(&self) -> Vec<&str> {
        let changed = self.tasks.iter().filter(|task| task.changed);
        changed.map(|task| task.name.as_str()).collect()
    }

    /// The names of the tasks of which a check could not tell whether they would change something.
    pub fn left_open(&self) -> Vec<&str> {
        let open = self.tasks.iter().filter(|task| task.may_change);
        open.map(|task| task.name.as_str()).collect()
    }

    /// `Err` unless `real` changed everything that this check foretold, and nothing that it ruled out.
    pub fn foretold(&self, real: &Report) -> Result<()> {
        let (sure, open, changed) = (self.changed(), self.left_open(), real.changed());
        let wrong: Vec<&&str> = sure.iter().filter(|name| !changed.contains(name)).collect();
        let missed: Vec<&&str> = changed
            .iter()
            .filter(|name| !sure.contains(name) && !open.contains(name))
            .collect();
        ensure(
            wrong.is_empty() && missed.is_empty(),
            format_args!("foretold but unchanged: {wrong:?}; changed but not foretold: {missed:?}"),
        )
    }

    /// One line for a human for each task.
    pub fn lines(&self) -> String {
        let word = |task: &Task| match task {
            Task { failed: true, .. } => "failed",
            Task { skipped: true, .. } => "skipped",
            Task { changed: true, .. } => "changed",
            Task {
                may_change: true, ..
            } => "may change",
            _ => "ok",
        };
        let lines = self
            .tasks
            .iter()
            .map(|task| format!("     {:10} {}\n", word(task), task.name));
        lines.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = r#"reading the playbook
        {"plays": [{"tasks": [
            {"task": {"name": "one"}, "hosts": {"localhost": {"changed": true}}},
            {"task": {"name": "two"}, "hosts": {"localhost": {"changed": false, "failed": true, "ignored": true}}},
            {"task": {"name": "three"}, "hosts": {"localhost": {"changed": false, "may_change": true}}}
        ]}], "stats": {}}"#;

    #[test]
    fn rows_are_read_in_their_order() {
        let report = Report::parse(PRINTED).unwrap();
        assert_eq!(report.tasks.len(), 3);
        assert_eq!(report.changed(), ["one"]);
        assert_eq!(report.left_open(), ["three"]);
    }

    #[test]
    fn a_check_is_held_to_what_it_was_sure_of() {
        let check = Report::parse(PRINTED).unwrap();
        let with = |changed: [bool; 3]| {
            let mut real = check.clone();
            for (task, changed) in real.tasks.iter_mut().zip(changed) {
                task.changed = changed;
            }
            check.foretold(&real)
        };
        assert!(with([true, false, false]).is_ok());
        assert!(with([true, false, true]).is_ok());
        assert!(with([false, false, true]).is_err());
        assert!(with([true, true, true]).is_err());
    }

    #[test]
    fn a_forgiven_failure_is_none() {
        assert!(!Report::parse(PRINTED).unwrap().tasks[1].failed);
    }

    #[test]
    fn what_is_no_report_is_an_error() {
        assert!(Report::parse("Segmentation fault").is_err());
        assert!(Report::parse("{}").is_err());
    }
}
