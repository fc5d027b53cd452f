//! Filters that lay text out: `indent`, `wordwrap`, `center`, `truncate`, `comment` …

use super::super::call::Call;
use super::super::fault::{Fault, Res};
use super::super::methods;
use super::super::methods::strformat::limited;
use super::super::text;
use super::super::val::{Args, Val};
use super::Filter;
use super::strings::escape;

pub(super) static TABLE: &[Filter] = &[
    Filter::new(
        "indent",
        &["value", "width", "first", "blank"],
        "With blanks before each line but the first.",
        indent,
    ),
    Filter::new(
        "wordwrap",
        &[
            "value",
            "width",
            "break_long_words",
            "wrapstring",
            "break_on_hyphens",
        ],
        "In lines of a given width.",
        wordwrap,
    ),
    Filter::new(
        "center",
        &["value", "width"],
        "In the middle of a given width.",
        center,
    ),
    Filter::new(
        "truncate",
        &["value", "length", "killwords", "end", "leeway"],
        "Cut to a given length.",
        truncate,
    ),
    Filter::new(
        "comment",
        &["value", "style", "**options"],
        "As a comment of a programming language.",
        comment,
    ),
    Filter::new(
        "urlize",
        &["value", "trim_url_limit", "nofollow", "target", "rel"],
        "With addresses as HTML links.",
        urlize,
    ),
];

fn indent(c: &Call) -> Res<Val> {
    let value = c.text(0)?;
    let pad = match c.given(1) {
        Some(Val::Str(s)) => s.to_string(),
        _ => " ".repeat(limited(c.size_or(1, 4)?)?),
    };
    let (first, blank) = (c.truth_or(2, false)?, c.truth_or(3, false)?);
    let mut out = String::with_capacity(value.len());
    for (i, line) in value.split('\n').enumerate() {
        if i > 0 {
            out.push('\n');
        }
        let wanted = if i == 0 {
            first
        } else {
            blank || !line.trim().is_empty()
        };
        if wanted && (i == 0 || blank || !line.is_empty()) {
            out.push_str(&pad);
        }
        out.push_str(line);
    }
    Ok(Val::from(out))
}

fn wordwrap(c: &Call) -> Res<Val> {
    let width = c.size_or(1, 79)?.max(1);
    let break_long = c.truth_or(2, true)?;
    let between = c.text_or(3, "\n")?;
    let hyphens = c.truth_or(4, true)?;
    let value = c.text(0)?;
    let mut lines = Vec::new();
    for line in value.lines() {
        let wrapped = wrap(line, width, break_long, hyphens);
        if wrapped.is_empty() {
            lines.push(String::new());
        }
        lines.extend(wrapped);
    }
    Ok(Val::from(lines.join(&between)))
}

/// Python's `textwrap`, with blanks kept within lines and dropped at their ends.
fn wrap(line: &str, width: usize, break_long: bool, hyphens: bool) -> Vec<String> {
    let mut lines = Vec::new();
    let mut current = String::new();
    let len = |s: &str| s.chars().count();
    let mut chunks: std::collections::VecDeque<String> = chunks(line, hyphens).into();
    while let Some(chunk) = chunks.pop_front() {
        if chunk.trim().is_empty() && current.is_empty() && !lines.is_empty() {
            continue;
        }
        if len(&current) + len(&chunk) <= width {
            current.push_str(&chunk);
        } else if len(&chunk) > width && break_long {
            let room = width
                .saturating_sub(len(&current))
                .max(usize::from(current.is_empty()));
            current.extend(chunk.chars().take(room));
            chunks.push_front(chunk.chars().skip(room).collect());
            lines.push(std::mem::take(&mut current).trim_end().to_owned());
        } else if current.is_empty() {
            lines.push(chunk);
        } else {
            lines.push(std::mem::take(&mut current).trim_end().to_owned());
            chunks.push_front(chunk);
        }
    }
    let last = current.trim_end();
    if !last.is_empty() {
        lines.push(last.to_owned());
    }
    lines
}

/// Words, the blanks between them, and the parts of words before hyphens.
fn chunks(line: &str, hyphens: bool) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut last = ' ';
    for c in line.chars() {
        let begins = match out.last() {
            None => true,
            Some(_) => {
                c.is_whitespace() != last.is_whitespace()
                    || hyphens && last == '-' && c.is_alphabetic()
            }
        };
        match out.last_mut() {
            Some(chunk) if !begins => chunk.push(c),
            _ => out.push(c.to_string()),
        }
        last = c;
    }
    out
}

fn center(c: &Call) -> Res<Val> {
    let args = Args {
        pos: vec![Val::from(limited(c.size_or(1, 80)?)?)],
        named: Vec::new(),
    };
    let value = Val::from(c.text(0)?);
    methods::call(c.ctx, &value, "center", &args).unwrap_or(Ok(value))
}

fn truncate(c: &Call) -> Res<Val> {
    let value = c.text(0)?;
    let length = c.size_or(1, 255)?;
    let end = c.text_or(3, "...")?;
    let leeway = c.size_or(4, 5)?;
    let end_len = end.chars().count();
    if length < end_len {
        return Err(Fault::error(format!(
            "expected length >= {end_len}, got {length}"
        )));
    }
    if value.chars().count() <= length.saturating_add(leeway) {
        return Ok(Val::from(value));
    }
    let cut: String = value.chars().take(length - end_len).collect();
    let kept = if c.truth_or(2, false)? {
        &*cut
    } else {
        cut.rsplit_once(' ').map_or(&*cut, |(head, _)| head)
    };
    Ok(Val::from(format!("{kept}{end}")))
}

/// Decoration, and what begins and ends the comment.
fn style(name: &str) -> Option<(&'static str, &'static str, &'static str)> {
    Some(match name {
        "plain" => ("# ", "", ""),
        "erlang" => ("% ", "", ""),
        "c" => ("// ", "", ""),
        "cblock" => (" * ", "/*", " */"),
        "xml" => (" - ", "<!--", "-->"),
        _ => return None,
    })
}

fn comment(c: &Call) -> Res<Val> {
    let name = c.text_or(1, "plain")?;
    let Some((decoration, beginning, end)) = style(&name) else {
        return Err(Fault::error(format!("Invalid style '{name}'"))
            .hint("it is plain, erlang, c, cblock or xml"));
    };
    let option = |name: &str, default: &str| -> Res<String> {
        let found = c.named.iter().find(|(n, _)| **n == *name);
        found.map_or(Ok(default.to_owned()), |(_, v)| text::to_text(c.ctx, v))
    };
    let count = |name: &str| -> usize {
        let found = c.named.iter().find(|(n, _)| **n == *name);
        let wanted = found.and_then(|(_, v)| v.as_int()).unwrap_or(1);
        usize::try_from(wanted.clamp(0, 1000)).unwrap_or(1)
    };
    let newline = option("newline", "\n")?;
    let decoration = option("decoration", decoration)?;
    let prefix = option("prefix", decoration.trim_end())?;
    let postfix = option("postfix", decoration.trim_end())?;
    let beginning = option("beginning", beginning)?;
    let end = option("end", end)?;
    let mut out = String::new();
    if !beginning.is_empty() {
        out.push_str(&beginning);
        out.push_str(&newline);
    }
    if !prefix.is_empty() && count("prefix_count") > 0 {
        // A prefix that is a line break is not followed by another.
        let newline_between = if prefix == newline { "" } else { &*newline };
        out.push_str(&vec![prefix.as_str(); count("prefix_count")].join(newline_between));
        out.push_str(newline_between);
    }
    let value = c.text(0)?;
    let lines = value
        .split(&*newline)
        .map(|line| format!("{decoration}{line}"));
    let body = lines.collect::<Vec<_>>().join(&newline);
    out.push_str(&body.replace(
        &format!("{decoration}{newline}"),
        &format!("{}{newline}", decoration.trim_end()),
    ));
    // An empty line after the text stays, one before it does not: so it is in Ansible.
    for _ in 0..count("postfix_count") {
        out.push_str(&newline);
        out.push_str(&postfix);
    }
    if !end.is_empty() {
        out.push_str(&newline);
        out.push_str(&end);
    }
    Ok(Val::from(out))
}

fn urlize(c: &Call) -> Res<Val> {
    let limit = c.size_or(1, usize::MAX)?;
    let nofollow = c.truth_or(2, false)?;
    let target = c.opt_text(3)?;
    let value = c.text(0)?;
    let mut out = String::new();
    for (i, word) in value.split(' ').enumerate() {
        if i > 0 {
            out.push(' ');
        }
        let is_url = ["http://", "https://"].iter().any(|s| word.starts_with(s));
        if !is_url && !word.starts_with("www.") {
            out.push_str(&escape(word));
            continue;
        }
        let bare = word.trim_end_matches(['.', ',', ')', ']', '!', '?', ':', ';']);
        let href = if is_url {
            bare.to_owned()
        } else {
            format!("https://{bare}")
        };
        let shown: String = bare.chars().take(limit).collect();
        let dots = if shown.len() < bare.len() { "..." } else { "" };
        let rel = if nofollow {
            "nofollow noopener"
        } else {
            "noopener"
        };
        let target = target
            .as_ref()
            .map_or(String::new(), |t| format!(" target=\"{}\"", escape(t)));
        out.push_str(&format!(
            "<a href=\"{}\" rel=\"{rel}\"{target}>{}{dots}</a>{}",
            escape(&href),
            escape(&shown),
            &word[bare.len()..]
        ));
    }
    Ok(Val::from(out))
}
