//! JSON exactly as Python's `json.dumps` writes it.

use super::super::super::ctx::Ctx;
use super::super::super::fault::{Fault, Res};
use super::super::super::text;
use super::super::super::val::Val;
use crate::value::Key;
use std::fmt::Write;

/// The arguments of `json.dumps`.
#[derive(Clone, Debug)]
pub(in super::super::super) struct Layout {
    pub indent: Option<String>,
    pub sort: bool,
    pub ascii: bool,
    /// Between items, and between a key and its value.
    pub item: String,
    pub key: String,
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            indent: None,
            sort: false,
            ascii: true,
            item: ", ".into(),
            key: ": ".into(),
        }
    }
}

impl Layout {
    /// That of `to_nice_json`.
    pub fn nice() -> Self {
        Self {
            indent: Some("    ".into()),
            sort: true,
            item: ",".into(),
            ..Self::default()
        }
    }
}

/// `value` as JSON.
pub(in super::super::super) fn write(ctx: &Ctx, value: &Val, layout: &Layout) -> Res<String> {
    let mut writer = Writer {
        ctx,
        layout,
        out: String::new(),
    };
    writer.value(value, 0)?;
    Ok(writer.out)
}

struct Writer<'c, 't> {
    ctx: &'c Ctx<'t>,
    layout: &'c Layout,
    out: String,
}

impl Writer<'_, '_> {
    fn value(&mut self, value: &Val, depth: usize) -> Res<()> {
        if depth > 100 {
            return Err(Fault::error("Circular reference detected"));
        }
        match value.usable()? {
            Val::Null => self.out.push_str("null"),
            Val::Bool(b) => {
                let _ = write!(self.out, "{b}");
            }
            Val::Int(i) => {
                let _ = write!(self.out, "{i}");
            }
            Val::Float(f) => self.out.push_str(&float(*f)),
            Val::Str(s) => self.string(s),
            Val::List(l) => self.items(&l.items(self.ctx), depth)?,
            Val::Tuple(t) => self.items(t, depth)?,
            Val::Map(m) => self.map(m.entries(self.ctx), depth)?,
            Val::Object(o) => match o.plain(self.ctx) {
                Some(plain) => self.value(&plain, depth + 1)?,
                None => {
                    return Err(Fault::error(format!(
                        "Object of type {} is not JSON serializable",
                        o.type_name()
                    )));
                }
            },
            Val::Omit | Val::Missing(_) | Val::Unknown(_) => {
                return Err(Fault::error("Object of type Omit is not JSON serializable"));
            }
        }
        Ok(())
    }

    fn new_line(&mut self, depth: usize) {
        if let Some(indent) = &self.layout.indent {
            self.out.push('\n');
            self.out.push_str(&indent.repeat(depth));
        }
    }

    fn items(&mut self, items: &[Val], depth: usize) -> Res<()> {
        self.out.push('[');
        let mut any = false;
        for item in items.iter().filter(|v| !matches!(v, Val::Omit)) {
            if any {
                self.out.push_str(&self.layout.item);
            }
            any = true;
            self.new_line(depth + 1);
            self.value(item, depth + 1)?;
        }
        if any {
            self.new_line(depth);
        }
        self.out.push(']');
        Ok(())
    }

    fn map(&mut self, mut entries: Vec<(Key, Val)>, depth: usize) -> Res<()> {
        entries.retain(|(_, v)| !matches!(v, Val::Omit));
        if self.layout.sort {
            entries.sort_by_cached_key(|(k, _)| match k {
                // Numbers sort as numbers, as long as there are only numbers.
                Key::Int(i) => (*i, String::new()),
                other => (i64::MAX, other.to_string()),
            });
        }
        self.out.push('{');
        for (i, (key, value)) in entries.iter().enumerate() {
            if i > 0 {
                self.out.push_str(&self.layout.item);
            }
            self.new_line(depth + 1);
            self.string(&key.to_string());
            self.out.push_str(&self.layout.key);
            self.value(value, depth + 1)?;
        }
        if !entries.is_empty() {
            self.new_line(depth);
        }
        self.out.push('}');
        Ok(())
    }

    fn string(&mut self, text: &str) {
        self.out.push('"');
        for c in text.chars() {
            match c {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\x08' => self.out.push_str("\\b"),
                '\x0c' => self.out.push_str("\\f"),
                c if (c as u32) < 0x20 || (self.layout.ascii && !c.is_ascii()) => {
                    let mut units = [0; 2];
                    for unit in c.encode_utf16(&mut units) {
                        let _ = write!(self.out, "\\u{unit:04x}");
                    }
                }
                c => self.out.push(c),
            }
        }
        self.out.push('"');
    }
}

fn float(f: f64) -> String {
    if f.is_nan() {
        return "NaN".into();
    }
    if f.is_infinite() {
        return if f > 0.0 { "Infinity" } else { "-Infinity" }.into();
    }
    text::float(f)
}
