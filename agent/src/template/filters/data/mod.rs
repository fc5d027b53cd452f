//! Filters between values and their texts: JSON, YAML, base64.

pub(in super::super) mod json;

use super::super::call::Call;
use super::super::fault::{Fault, Res};
use super::super::finish;
use super::super::ops;
use super::super::text;
use super::super::val::Val;
use super::Filter;
use crate::playbook::vault::VaultKeys;
use crate::playbook::yaml;
use crate::source::SourceFile;
use crate::value::{Key, Map, Value};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use json::Layout;
use std::sync::Arc;

pub(super) static TABLE: &[Filter] = &[
    Filter::new("to_json", &["value", "**options"], "As JSON.", |c| {
        to_json(c, Layout::default())
    }),
    Filter::new(
        "to_nice_json",
        &["value", "**options"],
        "As JSON over several lines, with sorted keys.",
        |c| to_json(c, Layout::nice()),
    ),
    Filter::new(
        "tojson",
        &["value", "indent"],
        "As JSON that is safe inside HTML.",
        tojson,
    ),
    Filter::new(
        "from_json",
        &["value", "**options"],
        "The value that a JSON text means.",
        from_json,
    ),
    Filter::new("to_yaml", &["value", "**options"], "As YAML.", |c| {
        to_yaml(c, yaml::Style::default())
    }),
    Filter::new(
        "to_nice_yaml",
        &["value", "indent", "**options"],
        "As YAML in block style.",
        |c| to_yaml(c, yaml::Style::nice()),
    ),
    Filter::new(
        "from_yaml",
        &["value"],
        "The value that a YAML text means.",
        |c| from_yaml(c, false),
    ),
    Filter::new(
        "from_yaml_all",
        &["value"],
        "The values of all documents of a YAML text.",
        |c| from_yaml(c, true),
    ),
    Filter::new(
        "b64encode",
        &["value", "encoding", "urlsafe"],
        "In base64.",
        b64encode,
    ),
    Filter::new(
        "b64decode",
        &["value", "encoding", "urlsafe"],
        "What a base64 text means.",
        b64decode,
    ),
];

/// A named option.
fn option<'c>(c: &'c Call, name: &str) -> Option<&'c Val> {
    c.named.iter().find(|(n, _)| **n == *name).map(|(_, v)| v)
}

fn flag(c: &Call, name: &str, default: bool) -> Res<bool> {
    option(c, name).map_or(Ok(default), |v| ops::truth(c.ctx, v))
}

fn to_json(c: &Call, mut layout: Layout) -> Res<Val> {
    layout.indent = match option(c, "indent") {
        None => layout.indent,
        Some(Val::Null) => None,
        Some(Val::Str(s)) => Some(s.to_string()),
        Some(n) => {
            let width = usize::try_from(n.as_int().unwrap_or(0).clamp(0, 64)).unwrap_or(0);
            Some(" ".repeat(width))
        }
    };
    layout.sort = flag(c, "sort_keys", layout.sort)?;
    layout.ascii = flag(c, "ensure_ascii", layout.ascii)?;
    if let Some(separators) = option(c, "separators") {
        let pair = super::super::access::iterate(c.ctx, separators)?;
        if let [item, key] = &pair[..] {
            layout.item = text::to_text(c.ctx, item)?;
            layout.key = text::to_text(c.ctx, key)?;
        }
    } else if layout.indent.is_some() {
        layout.item = ",".into();
    }
    json::write(c.ctx, c.need(0)?, &layout).map(Val::from)
}

fn tojson(c: &Call) -> Res<Val> {
    let mut layout = Layout {
        sort: true,
        ..Layout::default()
    };
    if let Some(width) = c.given(1) {
        let width = usize::try_from(width.as_int().unwrap_or(0).clamp(0, 64)).unwrap_or(0);
        layout.indent = Some(" ".repeat(width));
        layout.item = ",".into();
    }
    let text = json::write(c.ctx, c.need(0)?, &layout)?;
    Ok(Val::from(
        text.replace('<', "\\u003c")
            .replace('>', "\\u003e")
            .replace('&', "\\u0026")
            .replace('\'', "\\u0027"),
    ))
}

fn from_json(c: &Call) -> Res<Val> {
    let text = c.text(0)?;
    let json: serde_json::Value =
        serde_json::from_str(&text).map_err(|e| Fault::error(format!("this is not JSON: {e}")))?;
    let value = match option(c, "profile").and_then(Val::as_str) {
        Some("inventory_legacy") => {
            let trusted = c.ctx.outside().was_trusted(&text);
            unmarked(c, &Value::from(json), trusted)?
        }
        _ => Value::from(json),
    };
    Ok(c.ctx.lift(&value, &c.ctx.home))
}

/// What inventories mean in JSON: `{"__ansible_unsafe": "…"}` is text that is never evaluated,
/// `{"__ansible_vault": "…"}` a vault; other text is trusted where the whole is.
fn unmarked(c: &Call, value: &Value, trusted: bool) -> Res<Value> {
    let mark = |map: &Map| match (map.len(), map.first()) {
        (1, Some((Key::Str(name), Value::Str(text)))) => Some((Arc::clone(name), Arc::clone(text))),
        _ => None,
    };
    Ok(match value {
        Value::Str(text) if trusted => {
            c.ctx.outside().note_trusted(text);
            Value::written(&**text, None)
        }
        Value::List(items) => {
            let items = items.iter().map(|item| unmarked(c, item, trusted));
            Value::list(items.collect::<Res<_>>()?)
        }
        Value::Map(map) => match mark(map) {
            Some((name, text)) if &*name == "__ansible_unsafe" => Value::Str(text),
            Some((name, text)) if &*name == "__ansible_vault" => {
                let plain = c.ctx.outside().decrypt(&text)?;
                Value::from(String::from_utf8_lossy(&plain).into_owned())
            }
            _ => {
                let entries = map.iter();
                let entries = entries.map(|(k, v)| Ok((k.clone(), unmarked(c, v, trusted)?)));
                Value::map(entries.collect::<Res<Map>>()?)
            }
        },
        other => other.clone(),
    })
}

fn to_yaml(c: &Call, mut style: yaml::Style) -> Res<Val> {
    if let Some(indent) = c.given(1).or(option(c, "indent")) {
        style.indent = usize::try_from(indent.as_int().unwrap_or(4).max(0)).unwrap_or(4);
    }
    if let Some(width) = option(c, "width") {
        style.width = width.as_float().map_or(style.width, |w| w as usize);
    }
    style.sort_keys = flag(c, "sort_keys", style.sort_keys)?;
    style.allow_unicode = flag(c, "allow_unicode", style.allow_unicode)?;
    style.explicit_start = flag(c, "explicit_start", false)?;
    style.explicit_end = flag(c, "explicit_end", false)?;
    match option(c, "default_flow_style") {
        None => {}
        Some(Val::Null) => style.default_flow_style = None,
        Some(v) => style.default_flow_style = Some(ops::truth(c.ctx, v)?),
    }
    for (name, _) in &c.named {
        if !YAML_OPTIONS.contains(&&**name) {
            return Err(Fault::error(format!(
                "got an unexpected keyword argument '{name}'"
            )));
        }
    }
    let value = finish::value(c.ctx, c.need(0)?)?;
    known(&value)?;
    if let Some(written) = styled_text(c, &value, style.indent)? {
        return Ok(Val::from(written));
    }
    Ok(Val::from(yaml::to_styled_string(&value, &style)))
}

const YAML_OPTIONS: &[&str] = &[
    "indent",
    "width",
    "sort_keys",
    "allow_unicode",
    "explicit_start",
    "explicit_end",
    "default_flow_style",
    "default_style",
    "canonical",
];

/// `default_style` and `canonical`, which are there for a text alone and not for what holds texts.
fn styled_text(c: &Call, value: &Value, indent: usize) -> Res<Option<String>> {
    let canonical = flag(c, "canonical", false)?;
    let style = match option(c, "default_style") {
        None | Some(Val::Null) => None,
        Some(style) => Some(text::to_text(c.ctx, style)?),
    };
    if style.is_none() && !canonical {
        return Ok(None);
    }
    let Value::Str(text) = value else {
        return Err(Fault::error(
            "`default_style` and `canonical` are not supported for lists, mappings and numbers",
        )
        .hint("they are for a text alone"));
    };
    let quoted = serde_json::Value::from(&**text).to_string();
    if canonical {
        return Ok(Some(format!("---\n!!str {quoted}\n")));
    }
    Ok(Some(match style.as_deref() {
        Some("|") => literal_block(text, if (2..=9).contains(&indent) { indent } else { 2 }),
        Some("\"") => format!("{quoted}\n"),
        Some("'") if !text.contains('\n') => format!("'{}'\n", text.replace('\'', "''")),
        other => {
            return Err(Fault::error(format!(
                "`default_style` cannot be '{}' for this text",
                other.unwrap_or_default()
            )));
        }
    }))
}

/// A text as a literal block: its lines as they are.
fn literal_block(text: &str, indent: usize) -> String {
    let deeper = match text.starts_with([' ', '\n']) {
        true => indent.to_string(),
        false => String::new(),
    };
    let end = match text.strip_suffix('\n') {
        None => "-",
        Some(rest) if rest.is_empty() || rest.ends_with('\n') => "+",
        Some(_) => "",
    };
    let pad = " ".repeat(indent);
    let mut out = format!("|{deeper}{end}\n");
    for line in text.lines() {
        if !line.is_empty() {
            out.push_str(&pad);
            out.push_str(line);
        }
        out.push('\n');
    }
    // Line breaks that are kept could go on: the end is marked.
    if end == "+" {
        out.push_str("...\n");
    }
    out
}

/// Fails if a part of the value is not known: its text cannot be known either.
fn known(value: &Value) -> Res<()> {
    match value.unknown_reason() {
        Some(why) => Err(Fault::unknown(&why)),
        None => Ok(()),
    }
}

fn from_yaml(c: &Call, all: bool) -> Res<Val> {
    let text = match c.need(0)?.usable()? {
        Val::Null => {
            return Ok(if all {
                Val::list(Vec::new())
            } else {
                Val::Null
            });
        }
        Val::Str(s) => s,
        other => return Ok(other.clone()),
    };
    let docs = parse_yaml(text)?;
    let mut values = docs.iter().map(|v| c.ctx.lift(v, &c.ctx.home));
    Ok(if all {
        Val::list(values.collect())
    } else {
        values.next().unwrap_or(Val::Null)
    })
}

/// Every document of a YAML text. Text in it stays text: it may come from anywhere.
pub(in super::super) fn parse_yaml(text: &str) -> Res<Vec<Value>> {
    let file = SourceFile::new("<yaml>", text);
    let loaded = yaml::load(&file)
        .map_err(|e| Fault::error(format!("this is not YAML: {}", e.message())))?;
    let keys = VaultKeys::none();
    let docs = loaded
        .docs
        .iter()
        .map(|doc| Ok(inert(&doc.to_value(&keys)?)));
    docs.collect::<crate::error::Result<_>>()
        .map_err(Fault::from)
}

/// The value with its templates as plain text.
pub(in super::super) fn inert(value: &Value) -> Value {
    match value {
        Value::Template(t) => Value::Str(Arc::clone(&t.text)),
        Value::List(l) => Value::list(l.iter().map(inert).collect()),
        Value::Map(m) => Value::map(
            m.iter()
                .map(|(k, v)| (k.clone(), inert(v)))
                .collect::<Map>(),
        ),
        other => other.clone(),
    }
}

fn b64encode(c: &Call) -> Res<Val> {
    let bytes = crate::encoding::encode(&c.text(0)?, &c.text_or(1, "utf-8")?)?;
    let engine = if c.truth_or(2, false)? {
        &URL_SAFE
    } else {
        &STANDARD
    };
    Ok(Val::from(engine.encode(bytes)))
}

fn b64decode(c: &Call) -> Res<Val> {
    let mut text: String = c.text(0)?.chars().filter(|c| !c.is_whitespace()).collect();
    if c.truth_or(2, false)? {
        text = text.replace('-', "+").replace('_', "/");
        while !text.len().is_multiple_of(4) {
            text.push('=');
        }
    }
    let bytes = STANDARD
        .decode(&text)
        .map_err(|e| Fault::error(format!("this is not base64: {e}")))?;
    decoded(bytes, &c.text_or(1, "utf-8")?).map(Val::from)
}

/// The text of bytes in an encoding.
pub(in super::super) fn decoded(bytes: Vec<u8>, encoding: &str) -> Res<String> {
    Ok(crate::encoding::decode(bytes, encoding)?)
}
