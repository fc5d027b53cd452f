//! Findings as one JSON document.

use super::{Level, Report};
use serde_json::{Value, json};

/// `{findings: […], counts: {…}, files, silenced}`.
#[must_use]
pub fn report(report: &Report) -> Value {
    let findings: Vec<Value> = report
        .findings
        .iter()
        .map(|f| {
            let span = f.found.span.as_ref();
            json!({
                "rule": f.rule.id,
                "level": f.rule.level.name(),
                "message": f.found.message,
                "hint": f.found.hint,
                "file": span.map(|s| s.file.name.as_str()),
                "line": span.map(|s| s.line),
                "column": span.map(|s| s.column),
            })
        })
        .collect();
    json!({
        "findings": findings,
        "counts": {
            "error": report.count(Level::Error),
            "warning": report.count(Level::Warning),
            "note": report.count(Level::Note),
        },
        "files": report.files,
        "silenced": report.silenced,
    })
}
