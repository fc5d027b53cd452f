//! Findings as SARIF 2.1.0 (OASIS Standard "Static Analysis Results Interchange Format"), which code
//! hosts show beside the lines of a change.

use super::{Finding, Report, rules};
use serde_json::{Value, json};

/// The published schema.
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// One run of one tool.
#[must_use]
pub fn report(report: &Report) -> Value {
    let rules: Vec<Value> = rules::all()
        .map(|rule| {
            json!({
                "id": rule.id,
                "shortDescription": {"text": rule.summary()},
                "fullDescription": {"text": page(rule.doc)},
                "help": {"text": page(rule.doc)},
                "defaultConfiguration": {"level": rule.level.name(), "enabled": rule.on},
            })
        })
        .collect();
    let results: Vec<Value> = report.findings.iter().map(result).collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "lks-ctl lint",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

/// A doc comment as text: each of its lines begins with a space.
fn page(doc: &str) -> String {
    let lines: Vec<&str> = doc
        .lines()
        .map(|l| l.strip_prefix(' ').unwrap_or(l))
        .collect();
    lines.join("\n").trim().to_string()
}

fn result(finding: &Finding) -> Value {
    let found = &finding.found;
    let index = rules::all().position(|r| std::ptr::eq(r, finding.rule));
    let text = match &found.hint {
        Some(hint) => format!("{} ({hint})", found.message),
        None => found.message.clone(),
    };
    let locations: Vec<Value> = found
        .span
        .iter()
        .map(|span| {
            json!({"physicalLocation": {
                "artifactLocation": {"uri": uri(&span.file.name)},
                "region": {
                    "startLine": span.line.max(1),
                    "startColumn": span.column.max(1),
                    "endColumn": span.column.max(1) + span.len.max(1),
                },
            }})
        })
        .collect();
    json!({
        "ruleId": finding.rule.id,
        "ruleIndex": index,
        "level": finding.rule.level.name(),
        "message": {"text": text},
        "locations": locations,
    })
}

/// A path as a reference of RFC 3986: absolute ones are of the scheme `file`.
fn uri(path: &str) -> String {
    let mut out = String::new();
    if path.starts_with('/') {
        out.push_str("file://");
    }
    for byte in path.trim_start_matches("./").bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lint::Found;
    use lks_agent::source::{SourceFile, Span};

    /// What the schema requires of each object that we write, and of which type.
    fn holds_to_the_schema(log: &Value) {
        let text = |v: &Value| v.as_str().is_some_and(|s| !s.is_empty());
        assert_eq!(log["version"], "2.1.0");
        let runs = log["runs"].as_array().expect("`runs` is required");
        for run in runs {
            let driver = &run["tool"]["driver"];
            assert!(text(&driver["name"]), "a toolComponent needs a name");
            let rules = driver["rules"].as_array().expect("rules");
            let mut ids: Vec<&str> = Vec::new();
            for rule in rules {
                assert!(text(&rule["id"]), "a reportingDescriptor needs an id");
                assert!(text(&rule["shortDescription"]["text"]), "{rule}");
                let level = rule["defaultConfiguration"]["level"].as_str();
                assert!(matches!(level, Some("none" | "note" | "warning" | "error")));
                ids.push(rule["id"].as_str().unwrap_or_default());
            }
            let all = ids.len();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(ids.len(), all, "rules are unique");
            for result in run["results"].as_array().expect("results") {
                assert!(text(&result["message"]["text"]), "a result needs a message");
                let index = result["ruleIndex"].as_u64().expect("an index") as usize;
                assert_eq!(rules[index]["id"], result["ruleId"]);
                for place in result["locations"].as_array().expect("locations") {
                    let place = &place["physicalLocation"];
                    let uri = place["artifactLocation"]["uri"].as_str().expect("a URI");
                    assert!(!uri.contains(' ') && !uri.contains('\\'), "{uri}");
                    let region = &place["region"];
                    assert!(region["startLine"].as_u64() >= Some(1));
                    assert!(region["startColumn"].as_u64() >= Some(1));
                    assert!(region["endColumn"].as_u64() > region["startColumn"].as_u64());
                }
            }
        }
    }

    #[test]
    fn a_log_is_what_the_published_schema_requires() {
        let file = SourceFile::new("a b/site.yml", "- hosts: all\n");
        let findings = rules::all()
            .map(|rule| Finding {
                rule,
                found: Found::at(&Span::new(&file, 1, 3, 0), "m").hint("h"),
            })
            .collect();
        let log = super::report(&Report {
            findings,
            ..Report::default()
        });
        holds_to_the_schema(&log);
        let uri =
            &log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"];
        assert_eq!(uri["uri"], "a%20b/site.yml");
        holds_to_the_schema(&super::report(&Report::default()));
    }
}
