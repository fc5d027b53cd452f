//! Markdown for the terminal: paragraphs wrapped, code indented, the rest as written.

use crate::view::columns;

/// Text at a width, every line after `indent` spaces.
#[must_use]
pub fn render(text: &str, width: usize, indent: usize) -> String {
    let mut out = String::new();
    let mut paragraph: Vec<&str> = Vec::new();
    let mut code = false;
    for raw in text.lines() {
        // Doc comments begin each line with a space.
        let line = raw.strip_prefix(' ').unwrap_or(raw);
        let trimmed = line.trim();
        if trimmed.starts_with("```") {
            finish(&mut out, &mut paragraph, width, indent);
            code = !code;
        } else if code {
            push(&mut out, line, indent + 4);
        } else if trimmed.is_empty() {
            finish(&mut out, &mut paragraph, width, indent);
            push(&mut out, "", 0);
        } else {
            if trimmed.starts_with(['-', '*', '#', '|']) {
                finish(&mut out, &mut paragraph, width, indent);
            }
            paragraph.push(trimmed);
        }
    }
    finish(&mut out, &mut paragraph, width, indent);
    squeezed(&out)
}

/// Writes what was gathered of a paragraph.
fn finish(out: &mut String, paragraph: &mut Vec<&str>, width: usize, indent: usize) {
    if paragraph.is_empty() {
        return;
    }
    let text = paragraph.join(" ");
    // What follows in an entry of a list stands under its text.
    let hang = if text.starts_with("- ") || text.starts_with("* ") {
        2
    } else {
        0
    };
    for (n, line) in wrap(&text, width.saturating_sub(indent + hang))
        .iter()
        .enumerate()
    {
        push(out, line, indent + if n > 0 { hang } else { 0 });
    }
    paragraph.clear();
}

fn push(out: &mut String, line: &str, indent: usize) {
    if !line.trim().is_empty() {
        out.extend(std::iter::repeat_n(' ', indent));
        out.push_str(line.trim_end());
    }
    out.push('\n');
}

/// Never two empty lines, none at the start and the end.
fn squeezed(text: &str) -> String {
    let mut out = String::new();
    let mut empty = true;
    for line in text.lines() {
        if !(line.is_empty() && empty) {
            out.push_str(line);
            out.push('\n');
        }
        empty = line.is_empty();
    }
    let end = out.trim_end().len();
    out.truncate(end);
    if !out.is_empty() {
        out.push('\n');
    }
    out
}

/// Words in lines of at most this width; a word that is longer has a line of its own.
#[must_use]
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if columns(line) + 1 + columns(word) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_string()),
        }
    }
    lines
}
