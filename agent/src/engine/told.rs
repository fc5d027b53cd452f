//! Errors of tasks as Ansible tells them while a run goes on: the message, where it stands, and the
//! lines that lead there. Scripts read this form; what is found before a run has a form of its own.

use crate::error::Error;
use crate::host::here;
use crate::source::Span;
use std::path::Path;

/// Lines before the one at fault.
const LEAD: u32 = 2;
/// Columns of an excerpt, the line's number included.
const WIDTH: usize = 120;

/// An error with its place and its advice.
pub(super) fn told(error: &Error) -> String {
    let mut text = placed(&error.message(), error.span());
    if !error.hints().is_empty() {
        let gap = if error.span().is_some() { "\n\n" } else { "\n" };
        text.push_str(gap);
        text.push_str(&error.hints().join("\n"));
    }
    text
}

/// A message with the place that it is about.
pub fn placed(message: &str, span: Option<&Span>) -> String {
    match span {
        Some(span) => format!("{message}\nOrigin: {}\n{}", origin(span), excerpt(span)),
        None => message.to_string(),
    }
}

/// `/path/site.yml:12`, for views.
pub(super) fn path_of(span: &Span) -> String {
    format!("{}:{}", absolute(span), span.line)
}

fn origin(span: &Span) -> String {
    format!("{}:{}:{}", absolute(span), span.line, span.column)
}

fn absolute(span: &Span) -> String {
    let name = &span.file.name;
    if name.starts_with('<') {
        return name.clone();
    }
    here::absolute(Path::new(name)).display().to_string()
}

fn excerpt(span: &Span) -> String {
    let width = span.line.to_string().len();
    let room = WIDTH - width - 1;
    let mut out = String::new();
    let mut usable = room;
    for number in span.line.saturating_sub(LEAD).max(1)..=span.line {
        let mut line = span.file.line(number).replace('\t', " ");
        if line.chars().count() > room {
            line = line.chars().take(room - 3).chain("...".chars()).collect();
            usable = room - 3;
        }
        let gap = if line.is_empty() { "" } else { " " };
        out.push_str(&format!("\n{number:>width$}{gap}{line}"));
    }
    let column = span.column as usize;
    if (1..=usable).contains(&column) {
        let marker = format!("column {column}");
        let before = column - 1;
        let pointed = if before + 2 + marker.len() > room {
            format!("{marker:>0$} ^", before.saturating_sub(1))
        } else {
            format!("{:before$}^ {marker}", "")
        };
        out.push_str(&format!("\n{:width$} {pointed}", ""));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceFile;

    #[test]
    fn an_error_is_told_with_the_lines_before_it() {
        let file = SourceFile::new("/p/site.yml", "a\n\n- name: x\n  fail:\n");
        let error = Error::host("no").at(&Span::new(&file, 3, 3, 4));
        assert_eq!(
            told(&error),
            "no\nOrigin: /p/site.yml:3:3\n\n1 a\n2\n3 - name: x\n    ^ column 3"
        );
    }
}
