//! `# noqa` silences all rules on a line, `# noqa: unused-variable, no-mode` those. It stands on the
//! line of the finding, or on a line of the task's name or module.

use super::Found;

/// Whether a comment silences the finding of a rule.
pub fn silences(found: &Found, rule: &str) -> bool {
    let Some(span) = &found.span else {
        return false;
    };
    let start = found.task.as_ref().filter(|t| t.file == span.file);
    let lines = std::iter::once(span.line).chain(start.map(|t| t.line));
    lines
        .map(|number| span.file.line(number))
        .any(|line| line_silences(line, rule))
}

fn line_silences(line: &str, rule: &str) -> bool {
    let Some((_, comment)) = line.split_once('#') else {
        return false;
    };
    let Some((_, rest)) = comment.split_once("noqa") else {
        return false;
    };
    let rest = rest.trim_start_matches(':').trim();
    let mut names = rest
        .split(|c: char| c == ',' || c.is_whitespace())
        .filter(|w| !w.is_empty());
    rest.is_empty() || names.any(|n| n == rule)
}

#[cfg(test)]
mod tests {
    use super::line_silences;

    #[test]
    fn a_comment_names_the_rules_it_silences() {
        for (line, want) in [
            ("  shell: x # noqa", true),
            ("  shell: x # noqa: a, no-mode", true),
            ("  shell: x # noqa no-mode", true),
            ("  shell: x # noqa: other", false),
            ("  shell: noqa", false),
        ] {
            assert_eq!(line_silences(line, "no-mode"), want, "{line}");
        }
    }
}
