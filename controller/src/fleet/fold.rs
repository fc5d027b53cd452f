//! Folds a run's events into lines and a recap. Pure: the same events give the same text.

use lks_agent::cli::exit;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::fmt;

/// What is known of a run so far.
#[derive(Debug, Default)]
pub struct Fold {
    /// Names of tasks, by agent and number.
    tasks: HashMap<(String, u64), String>,
    stats: BTreeMap<String, Value>,
}

/// A line about a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    host: String,
    what: String,
    text: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<20} {:<10} {}", self.host, self.what, self.text)
    }
}

impl Fold {
    /// Takes an event that this agent sent; gives a line if there is one to show.
    pub fn take(&mut self, agent: &str, event: &Value) -> Option<Line> {
        let line = |what: &str, text: &str| {
            Some(Line {
                host: agent.to_string(),
                what: what.to_string(),
                text: text.to_string(),
            })
        };
        match event["type"].as_str()? {
            "task_started" => {
                let task = &event["task"];
                let name = task["name"].as_str().unwrap_or_default().to_string();
                self.tasks
                    .insert((agent.to_string(), task["id"].as_u64()?), name);
                None
            }
            "task_finished" => {
                let report = &event["report"];
                let name = self
                    .tasks
                    .get(&(agent.to_string(), event["task"].as_u64()?));
                let name = name.map_or("(a task)", String::as_str);
                let status = report["status"].as_str().unwrap_or("?");
                match status {
                    "failed" | "unreachable" => {
                        let message = report["result"]["msg"].as_str().unwrap_or_default();
                        let what = if report["ignored"] == true {
                            "ignored"
                        } else {
                            status
                        };
                        line(what, format!("{name}: {message}").trim_end_matches(": "))
                    }
                    other => line(other, name),
                }
            }
            "notice" => match event["level"].as_str()? {
                level @ ("warning" | "error") => line(level, event["text"].as_str()?),
                _ => None,
            },
            "run_finished" => {
                self.stats.insert(agent.to_string(), event["stats"].clone());
                let status = event["status"].as_i64().unwrap_or(-1);
                line("over", &format!("status {status}"))
            }
            _ => None,
        }
    }

    /// The sum, a line for each host.
    #[must_use]
    pub fn recap(&self, hosts: &[(String, Option<i64>)]) -> String {
        let mut out = String::from("\nRECAP\n");
        for (host, status) in hosts {
            let end = match status {
                None => "not over".to_string(),
                Some(-1) => "given up".to_string(),
                Some(n) => format!("status {n}"),
            };
            let mut counts = String::new();
            for (_, counters) in self.stats.get(host).into_iter().flat_map(pairs) {
                for name in [
                    "ok",
                    "changed",
                    "may_change",
                    "unreachable",
                    "failed",
                    "skipped",
                    "rescued",
                    "ignored",
                ] {
                    if let Some(n) = counters[name].as_u64().filter(|n| *n > 0) {
                        counts.push_str(&format!(" {name}={n}"));
                    }
                }
            }
            let line = format!("{host:<20} {end:<10}{counts}");
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }

    /// Ansible's exit code for these hosts.
    #[must_use]
    pub fn exit_code(hosts: &[(String, Option<i64>)]) -> i32 {
        let has = |code: i32| hosts.iter().any(|(_, s)| *s == Some(i64::from(code)));
        if has(exit::HOST_UNREACHABLE) || hosts.iter().any(|(_, s)| s.is_none() || *s == Some(-1)) {
            exit::HOST_UNREACHABLE
        } else if has(exit::HOST_FAILED) {
            exit::HOST_FAILED
        } else if hosts.iter().any(|(_, s)| *s != Some(0)) {
            exit::ERROR
        } else {
            exit::OK
        }
    }
}

/// `[[host, counters], …]`.
fn pairs(stats: &Value) -> Vec<(&Value, &Value)> {
    let list = stats.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter()
        .filter_map(|pair| Some((pair.get(0)?, pair.get(1)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lines_and_recap_follow_from_the_events() {
        let mut fold = Fold::default();
        let events = [
            json!({"type": "task_started", "task": {"id": 3, "name": "Install"}}),
            json!({"type": "task_finished", "task": 3, "report": {"status": "changed", "result": {}}}),
            json!({"type": "task_finished", "task": 3, "report": {"status": "failed", "result": {"msg": "no"}}}),
            json!({"type": "run_finished", "status": 2, "stats": [["web1", {"ok": 2, "changed": 1, "failed": 1}]]}),
        ];
        let lines: Vec<String> = events
            .iter()
            .filter_map(|e| fold.take("web1", e))
            .map(|l| l.to_string())
            .collect();
        assert_eq!(
            lines,
            [
                "web1                 changed    Install",
                "web1                 failed     Install: no",
                "web1                 over       status 2",
            ]
        );
        let hosts = [("web1".to_string(), Some(2)), ("web2".to_string(), None)];
        assert_eq!(
            fold.recap(&hosts),
            "\nRECAP\nweb1                 status 2   ok=2 changed=1 failed=1\nweb2                 not over\n"
        );
        assert_eq!(
            Fold::exit_code(&hosts),
            4,
            "a host that did not end is out of reach"
        );
        assert_eq!(Fold::exit_code(&hosts[..1]), 2);
    }
}
