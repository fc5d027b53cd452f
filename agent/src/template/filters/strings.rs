//! Filters on text.

use super::super::access;
use super::super::call::Call;
use super::super::fault::{Fault, Res};
use super::super::methods::{self, percent};
use super::super::text;
use super::super::val::{Args, Val};
use super::Filter;

pub(super) static TABLE: &[Filter] = &[
    Filter::new("upper", &["value"], "In capitals.", |c| {
        Ok(Val::from(c.text(0)?.to_uppercase()))
    }),
    Filter::new("lower", &["value"], "In small letters.", |c| {
        Ok(Val::from(c.text(0)?.to_lowercase()))
    }),
    Filter::new(
        "capitalize",
        &["value"],
        "First letter large, the rest small.",
        |c| method(c, "capitalize"),
    ),
    Filter::new(
        "title",
        &["value"],
        "Each word with a large first letter.",
        title,
    ),
    Filter::new(
        "trim",
        &["value", "chars"],
        "Without blanks (or `chars`) at both ends.",
        trim,
    ),
    Filter::new(
        "replace",
        &["value", "old", "new", "count"],
        "With one text in place of another.",
        replace,
    ),
    Filter::new(
        "format",
        &["format", "*args", "**named"],
        "Printf-style formatting.",
        format,
    ),
    Filter::new(
        "join",
        &["items", "d", "attribute"],
        "The items as one text.",
        join,
    ),
    Filter::new(
        "split",
        &["value", "sep", "maxsplit"],
        "The parts between separators.",
        split,
    ),
    Filter::new(
        "escape",
        &["value"],
        "With HTML's special characters replaced.",
        |c| Ok(Val::from(escape(&c.text(0)?))),
    ),
    Filter::new("e", &["value"], "As `escape`.", |c| {
        Ok(Val::from(escape(&c.text(0)?)))
    }),
    Filter::new("forceescape", &["value"], "As `escape`.", |c| {
        Ok(Val::from(escape(&c.text(0)?)))
    }),
    Filter::new("safe", &["value"], "The value itself.", |c| {
        Ok(c.need(0)?.clone())
    }),
    Filter::new("striptags", &["value"], "Without HTML tags.", striptags),
    Filter::new(
        "xmlattr",
        &["attributes", "autospace"],
        "A mapping as XML attributes.",
        xmlattr,
    ),
    Filter::new("wordcount", &["value"], "How many words there are.", |c| {
        Ok(Val::from(words(&c.text(0)?)))
    }),
    Filter::new("quote", &["value"], "Quoted for a POSIX shell.", |c| {
        Ok(Val::from(quote(&c.text_or(0, "")?)))
    }),
    Filter::new("reverse", &["value"], "Backwards.", reverse),
    Filter::new("pprint", &["value"], "As Python prints it.", |c| {
        text::repr(c.ctx, c.need(0)?).map(Val::from)
    }),
];

fn method(c: &Call, name: &str) -> Res<Val> {
    let value = Val::from(c.text(0)?);
    methods::call(c.ctx, &value, name, &Args::default()).unwrap_or(Ok(value))
}

/// Jinja's `title`: words begin after blanks and `-({[<`, not after an apostrophe.
fn title(c: &Call) -> Res<Val> {
    let mut out = String::new();
    let mut inside = false;
    for ch in c.text(0)?.chars() {
        if inside {
            out.extend(ch.to_lowercase());
        } else {
            out.extend(ch.to_uppercase());
        }
        inside = !(ch.is_whitespace() || "-({[<".contains(ch));
    }
    Ok(Val::from(out))
}

fn trim(c: &Call) -> Res<Val> {
    let value = c.text(0)?;
    Ok(Val::from(match c.opt_text(1)? {
        Some(set) => value.trim_matches(|ch| set.contains(ch)),
        None => value.trim(),
    }))
}

fn replace(c: &Call) -> Res<Val> {
    let (value, old, new) = (c.text(0)?, c.text(1)?, c.text(2)?);
    Ok(Val::from(match c.given(3) {
        Some(_) => value.replacen(&old, &new, c.size_or(3, usize::MAX)?),
        None => value.replace(&old, &new),
    }))
}

fn format(c: &Call) -> Res<Val> {
    if !c.rest.is_empty() && !c.named.is_empty() {
        return Err(Fault::error(
            "can't handle positional and keyword arguments at the same time",
        ));
    }
    let values = if c.named.is_empty() {
        Val::Tuple(c.rest.clone().into())
    } else {
        let named = c.named.iter().cloned();
        Val::map(named.map(|(k, v)| (crate::value::Key::Str(k), v)).collect())
    };
    percent::format(c.ctx, &c.text(0)?, &values).map(Val::from)
}

fn join(c: &Call) -> Res<Val> {
    let sep = c.text_or(1, "")?;
    let mut parts = Vec::new();
    for item in c.items(0)? {
        let item = match c.given(2) {
            Some(attribute) => access::path(c.ctx, &item, attribute)?,
            None => item,
        };
        if !matches!(item, Val::Omit) {
            parts.push(text::to_text(c.ctx, &item)?);
        }
    }
    Ok(Val::from(parts.join(&sep)))
}

fn split(c: &Call) -> Res<Val> {
    let value = Val::from(c.string(0)?);
    let pos = (1..=2).filter_map(|i| c.get(i).cloned()).collect();
    let args = Args {
        pos,
        named: Vec::new(),
    };
    methods::call(c.ctx, &value, "split", &args).unwrap_or(Ok(Val::Null))
}

/// HTML's special characters as markupsafe writes them.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('\'', "&#39;")
        .replace('"', "&#34;")
}

fn striptags(c: &Call) -> Res<Val> {
    let mut out = String::new();
    let mut inside = false;
    for ch in c.text(0)?.chars() {
        match ch {
            '<' => inside = true,
            '>' if inside => inside = false,
            ch if !inside => out.push(ch),
            _ => {}
        }
    }
    let words: Vec<&str> = out.split_whitespace().collect();
    let plain = words.join(" ");
    let plain = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&#39;", "'"),
        ("&#34;", "\""),
        ("&quot;", "\""),
        ("&amp;", "&"),
    ]
    .iter()
    .fold(plain, |text, (from, to)| text.replace(from, to));
    Ok(Val::from(plain))
}

fn xmlattr(c: &Call) -> Res<Val> {
    let mut parts = Vec::new();
    for (key, value) in c.entries(0)? {
        if !matches!(value, Val::Null | Val::Missing(_)) {
            let value = escape(&text::to_text(c.ctx, &value)?);
            parts.push(format!("{}=\"{value}\"", escape(&key.to_string())));
        }
    }
    let joined = parts.join(" ");
    let space = c.truth_or(1, true)? && !joined.is_empty();
    Ok(Val::from(if space { format!(" {joined}") } else { joined }))
}

/// Runs of letters, digits and underscores.
fn words(text: &str) -> usize {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .filter(|w| !w.is_empty())
        .count()
}

/// Python's `shlex.quote`.
pub(in super::super) fn quote(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\"'\"'"))
}

fn reverse(c: &Call) -> Res<Val> {
    Ok(match c.need(0)?.usable()? {
        Val::Str(s) => Val::from(s.chars().rev().collect::<String>()),
        _ => {
            let mut items = c.items(0)?;
            items.reverse();
            Val::list(items)
        }
    })
}
