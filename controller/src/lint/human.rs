//! Findings for people: place, excerpt, hint. The line of a secret is not shown.

use super::{Finding, Level, Report};
use crate::told::counted;

/// One finding.
#[must_use]
pub fn finding(finding: &Finding) -> String {
    let (rule, found) = (finding.rule, &finding.found);
    let mut out = format!("{}[{}]: {}\n", rule.level.name(), rule.id, found.message);
    if let Some(span) = &found.span {
        if found.secret {
            let pad = " ".repeat(span.line.to_string().len());
            out.push_str(&format!("{pad}--> {span} (not shown)\n"));
        } else {
            // Writing into a string cannot fail.
            let _ = span.write_excerpt(&mut out);
            out.push('\n');
        }
    }
    if let Some(hint) = &found.hint {
        out.push_str(&format!("hint: {hint}\n"));
    }
    out
}

/// All of them, and the numbers.
#[must_use]
pub fn report(report: &Report) -> String {
    let mut out = String::new();
    for one in &report.findings {
        out.push_str(&finding(one));
        out.push('\n');
    }
    out.push_str(&summary(report));
    out
}

fn summary(report: &Report) -> String {
    let counts = [Level::Error, Level::Warning, Level::Note]
        .map(|level| counted(report.count(level), level.name()));
    let files = counted(report.files, "file");
    let mut out = format!("{files} read: {}", counts.join(", "));
    if report.silenced > 0 {
        out.push_str(&format!(", {} silenced by `# noqa`", report.silenced));
    }
    out.push('\n');
    out
}
