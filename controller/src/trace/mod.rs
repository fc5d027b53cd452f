//! Runs as OpenTelemetry traces: a span for the run, one for each host's part, one for each task there.
//! Ids follow from names, so that several controllers write parts of the same trace, and what is sent
//! twice is one span.
//!
//! The format is OTLP over HTTP as JSON (OpenTelemetry's specification, "OTLP/HTTP" and "JSON Protobuf
//! Encoding"): a hundred lines here instead of the forty crates of its Rust exporter.

mod send;

pub use send::{Tracer, start};

use lks_agent::host::{Digest, digest_of};
use serde_json::{Value, json};
use std::collections::HashMap;

/// OTLP's number of a span within a program.
const INTERNAL: u8 = 1;
/// OTLP's status of what went wrong.
const ERROR: u8 = 2;

fn id(text: &str, digits: usize) -> String {
    digest_of(text.as_bytes(), Digest::Sha256)[..digits].to_string()
}

fn attribute(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

struct Span<'a> {
    run: &'a str,
    id: String,
    parent: Option<String>,
    name: &'a str,
    /// Milliseconds since 1970.
    from: u64,
    to: u64,
    attributes: Vec<Value>,
    failed: Option<String>,
}

impl Span<'_> {
    fn write(self) -> Value {
        let nanos = |ms: u64| format!("{ms}000000");
        let mut span = json!({
            "traceId": id(self.run, 32),
            "spanId": self.id,
            "name": self.name,
            "kind": INTERNAL,
            "startTimeUnixNano": nanos(self.from),
            // A host's clock may have been set back meanwhile.
            "endTimeUnixNano": nanos(self.to.max(self.from)),
            "attributes": self.attributes,
        });
        if let Some(parent) = self.parent {
            span["parentSpanId"] = parent.into();
        }
        if let Some(why) = self.failed {
            span["status"] = json!({"code": ERROR, "message": why});
        }
        span
    }
}

fn of_run(run: &str) -> String {
    id(&format!("run {run}"), 16)
}

fn of_part(run: &str, agent: &str) -> String {
    id(&format!("part {run} {agent}"), 16)
}

/// The span of a whole run, in milliseconds since 1970.
#[must_use]
pub fn run_span(run: &str, by: &str, from: u64, to: u64) -> Value {
    Span {
        run,
        id: of_run(run),
        parent: None,
        name: "run",
        from,
        to,
        attributes: vec![attribute("lks.run", run), attribute("lks.by", by)],
        failed: None,
    }
    .write()
}

/// The spans of one host's part of a run, from its events.
#[must_use]
pub fn part_spans(run: &str, agent: &str, events: &[Value]) -> Vec<Value> {
    let at = |event: &Value| event["at_ms"].as_u64().unwrap_or(0);
    let mut begun: HashMap<u64, (u64, &Value)> = HashMap::new();
    let mut out = Vec::new();
    let mut status = None;
    for event in events {
        match event["type"].as_str() {
            Some("task_started") => {
                if let Some(number) = event["task"]["id"].as_u64() {
                    begun.insert(number, (at(event), &event["task"]));
                }
            }
            Some("task_finished") => {
                let Some((from, task)) = event["task"].as_u64().and_then(|n| begun.get(&n)) else {
                    continue;
                };
                let text = |v: &Value| v.as_str().unwrap_or_default().to_string();
                let (host, report) = (text(&event["host"]), &event["report"]);
                let ended = text(&report["status"]);
                // Only that it failed: a result may hold what is nobody's business.
                let failed =
                    matches!(ended.as_str(), "failed" | "unreachable") && report["ignored"] != true;
                out.push(
                    Span {
                        run,
                        id: id(&format!("task {run} {agent} {host} {}", event["seq"]), 16),
                        parent: Some(of_part(run, agent)),
                        name: task["name"].as_str().unwrap_or("task"),
                        from: *from,
                        to: at(event),
                        attributes: vec![
                            attribute("host.name", &host),
                            attribute("lks.status", &ended),
                            attribute("lks.action", &text(&task["action"])),
                        ],
                        failed: failed.then(|| ended.clone()),
                    }
                    .write(),
                );
            }
            Some("run_finished") => status = event["status"].as_i64(),
            _ => {}
        }
    }
    let times = || events.iter().map(at).filter(|ms| *ms > 0);
    let failed = status.filter(|n| *n != 0).map(|n| format!("status {n}"));
    out.push(
        Span {
            run,
            id: of_part(run, agent),
            parent: Some(of_run(run)),
            name: "host",
            from: times().min().unwrap_or(0),
            to: times().max().unwrap_or(0),
            attributes: vec![attribute("host.name", agent), attribute("lks.run", run)],
            failed,
        }
        .write(),
    );
    out
}

/// Spans as OTLP sends them.
#[must_use]
pub fn document(service: &str, spans: &[Value]) -> Value {
    json!({"resourceSpans": [{
        "resource": {"attributes": [attribute("service.name", service)]},
        "scopeSpans": [{"scope": {"name": "lks", "version": env!("CARGO_PKG_VERSION")}, "spans": spans}],
    }]})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_a_span_with_its_tasks_below() {
        let events = [
            json!({"type": "run_started", "at_ms": 10, "host": "", "seq": 1}),
            json!({"type": "task_started", "at_ms": 20, "task": {"id": 3, "name": "Install", "action": "apt"}}),
            json!({"type": "task_finished", "at_ms": 50, "seq": 1, "host": "web1", "task": 3, "report": {"status": "failed", "result": {"msg": "secret"}}}),
            json!({"type": "run_finished", "at_ms": 60, "host": "", "seq": 2, "status": 2}),
        ];
        let spans = part_spans("r1", "web1", &events);
        let [task, part] = &spans[..] else {
            panic!("{spans:?}")
        };
        let run = run_span("r1", "ada", 5, 70);
        for span in [task, part, &run] {
            assert_eq!(span["traceId"], run["traceId"]);
            assert_eq!(span["traceId"].as_str().map(str::len), Some(32));
            assert_eq!(span["spanId"].as_str().map(str::len), Some(16));
        }
        assert_eq!(task["parentSpanId"], part["spanId"]);
        assert_eq!(part["parentSpanId"], run["spanId"]);
        assert_eq!(task["name"], "Install");
        assert_eq!(
            (&task["startTimeUnixNano"], &task["endTimeUnixNano"]),
            (&json!("20000000"), &json!("50000000"))
        );
        assert_eq!(
            (&task["status"]["code"], &part["status"]["message"]),
            (&json!(2), &json!("status 2"))
        );
        assert!(!format!("{spans:?}").contains("secret"));
        assert_eq!(part_spans("r1", "web1", &events), spans, "the same again");
    }
}
