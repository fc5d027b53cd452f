//! Lookups: `lookup('env', 'HOME')` and `query(…)`.

mod aws;
mod dig;
mod files;
mod first;
mod glob;
mod ini;
mod lists;
mod outer;
mod password;
mod sequence;
mod tables;
mod url;

pub(super) use glob::glob_files;

use super::Doc;
use super::access;
use super::call::{Call, Params};
use super::ctx::Ctx;
use super::fault::{Fault, Res};

use super::ops;
use super::text;
use super::val::{Args, Val};
use crate::playbook::kv::parse_kv;
use crate::source::{SourceFile, Span};
use crate::value::Value;
use std::path::Path;
use std::sync::Arc;

/// A lookup: a row of a family's table. It always gives a list.
#[derive(Debug)]
pub(super) struct Lookup {
    pub name: &'static str,
    /// Names of its options; the terms are not among them.
    pub options: Params,
    pub doc: &'static str,
    pub run: fn(&Look) -> Res<Vec<Val>>,
    /// Whether it wants to see undefined terms rather than pass them on.
    pub markers: bool,
    /// The collection it comes from; nothing for ansible-core's own.
    pub from: &'static str,
}

impl Lookup {
    const fn new(
        name: &'static str,
        options: Params,
        doc: &'static str,
        run: fn(&Look) -> Res<Vec<Val>>,
    ) -> Self {
        Self {
            name,
            options,
            doc,
            run,
            markers: false,
            from: "",
        }
    }

    const fn of(mut self, collection: &'static str) -> Self {
        self.from = collection;
        self
    }

    const fn with_markers(mut self) -> Self {
        self.markers = true;
        self
    }
}

/// A term's free text, and its own `key=value` options.
pub(super) type Inline = (Option<String>, Vec<(String, String)>);

/// One use of a lookup.
pub(super) struct Look<'c, 't> {
    pub ctx: &'c Ctx<'t>,
    pub terms: Vec<Val>,
    pub options: Vec<(Arc<str>, Val)>,
    /// The action of the task, where `with_…` uses the lookup.
    pub with: Option<&'c str>,
}

impl<'c, 't> Look<'c, 't> {
    /// The same use, to be given other options.
    pub fn copy(&self) -> Self {
        Look {
            ctx: self.ctx,
            terms: self.terms.clone(),
            options: self.options.clone(),
            with: self.with,
        }
    }

    pub fn option(&self, name: &str) -> Option<&Val> {
        let found = self.options.iter().find(|(n, _)| **n == *name);
        found.map(|(_, v)| v)
    }

    pub fn text_option(&self, name: &str, default: &str) -> Res<String> {
        match self.option(name) {
            None | Some(Val::Null) => Ok(default.to_owned()),
            Some(value) => text::to_text(self.ctx, value),
        }
    }

    pub fn flag(&self, name: &str, default: bool) -> Res<bool> {
        match self.option(name) {
            None | Some(Val::Null) => Ok(default),
            Some(Val::Str(s)) => Ok(matches!(
                &*s.to_lowercase(),
                "true" | "yes" | "on" | "1" | "y"
            )),
            Some(value) => ops::truth(self.ctx, value),
        }
    }

    /// The terms as text.
    pub fn texts(&self) -> Res<Vec<String>> {
        let texts = self.terms.iter().map(|t| text::to_text(self.ctx, t));
        texts.collect()
    }

    /// A term's free text, and its own `key=value` options.
    pub fn inline(&self, term: &str) -> Res<Inline> {
        let file = SourceFile::new("", term);
        let (raw, pairs) = parse_kv(term, &Span::new(&file, 1, 1, 1), false)?;
        let text = |value: &Value| match value {
            Value::Template(t) => t.text.to_string(),
            Value::Str(s) => s.to_string(),
            other => self.ctx.run.templar.text(other),
        };
        let pairs = pairs.iter().map(|(k, v, _)| (k.clone(), text(v)));
        Ok((raw, pairs.collect()))
    }

    /// The option as a whole number.
    pub fn number(&self, name: &str) -> Res<Option<i128>> {
        match self.option(name) {
            None | Some(Val::Null) => Ok(None),
            Some(value) => whole(name, value).map(Some),
        }
    }

    /// Sets an option, as a term's own `key=value` does for itself and the terms after it.
    pub fn set(&mut self, name: &str, value: Val) {
        match self.options.iter_mut().find(|(n, _)| **n == *name) {
            Some(slot) => slot.1 = value,
            None => self.options.push((name.into(), value)),
        }
    }
}

/// A whole number, or text with its digits (hexadecimal and octal ones too).
fn whole(name: &str, value: &Val) -> Res<i128> {
    let found = match value.usable()? {
        Val::Str(s) => digits(s.trim()),
        Val::Float(f) if f.fract() == 0.0 => Some(*f as i128),
        other => other.as_int(),
    };
    found.ok_or_else(|| {
        let shown = value.as_str().unwrap_or_else(|| value.type_name());
        Fault::error(format!(
            "the option '{name}' has an invalid value: '{shown}' is no whole number"
        ))
    })
}

fn digits(text: &str) -> Option<i128> {
    let (sign, bare) = match text.strip_prefix('-') {
        Some(bare) => (-1, bare),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let lower = bare.to_lowercase();
    let number = if let Some(hex) = lower.strip_prefix("0x") {
        i128::from_str_radix(hex, 16)
    } else if lower.len() > 1 && lower.starts_with('0') {
        i128::from_str_radix(lower.trim_start_matches("0o"), 8)
    } else {
        lower.parse()
    };
    number.ok().map(|n| n * sign)
}

/// The text of a file of the controller, in an encoding.
pub(super) fn file_text(l: &Look, name: &str, encoding: &str) -> Res<String> {
    let name = super::filters::expand_user(l.ctx, name)?;
    let path = match Path::new(&name) {
        path if path.is_absolute() => Some(path.to_path_buf()),
        _ => l.ctx.outside().find("files", &name, &*l.ctx.home),
    };
    let bytes = match path {
        Some(path) => l.ctx.outside().read(&path)?,
        None => None,
    };
    let missing = || {
        Fault::error(format!(
            "could not find '{name}': No such file or directory"
        ))
    };
    let mut bytes = bytes.ok_or_else(missing)?;
    if bytes.starts_with(b"$ANSIBLE_VAULT;") {
        bytes = l.ctx.outside().decrypt(&String::from_utf8_lossy(&bytes))?;
    }
    super::filters::decoded(bytes, encoding)
}

static TABLES: &[&[Lookup]] = &[
    aws::TABLE,
    dig::TABLE,
    files::TABLE,
    first::TABLE,
    ini::TABLE,
    lists::TABLE,
    outer::TABLE,
    password::TABLE,
    sequence::TABLE,
    tables::TABLE,
    url::TABLE,
];

fn all() -> impl Iterator<Item = &'static Lookup> {
    TABLES.iter().flat_map(|table| table.iter())
}

/// The lookup `name`, with or without the collection it comes from.
pub(super) fn find(name: &str) -> Option<&'static Lookup> {
    let (collection, short) = super::names::split(name);
    all().find(|l| l.name == short && super::names::belongs(l.from, collection))
}

/// Names of all lookups.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    all().map(|l| l.name)
}

/// Documentation of all lookups.
pub(super) fn docs() -> impl Iterator<Item = Doc> {
    all().map(|l| Doc {
        name: l.name,
        params: l.options,
        text: l.doc,
    })
}

/// `lookup(plugin, *terms, **options)`, and `query`, which always gives a list.
pub(super) fn call(c: &Call, want_list: bool) -> Res<Val> {
    let name = c.string(0)?;
    let args = c.spare();
    let Some(lookup) = find(name) else {
        let fault = Fault::error(format!("there is no lookup `{name}`"));
        return Err(match crate::error::nearest(name, names()) {
            Some(near) => fault.hint(format!("did you mean `{near}`?")),
            None => fault,
        });
    };
    run(c.ctx, lookup, args, want_list, None)
}

/// What `with_NAME` loops over.
pub(super) fn with(ctx: &Ctx, name: &str, terms: Vec<Val>, action: &str) -> Res<Val> {
    let Some(lookup) = find(name) else {
        return Err(Fault::error(format!("there is no lookup `{name}`")));
    };
    let args = Args {
        pos: terms,
        named: Vec::new(),
    };
    run(ctx, lookup, args, true, Some(action))
}

fn take(options: &mut Vec<(Arc<str>, Val)>, name: &str) -> Option<Val> {
    let at = options.iter().position(|(n, _)| **n == *name)?;
    Some(options.remove(at).1)
}

fn run(
    ctx: &Ctx,
    lookup: &'static Lookup,
    args: Args,
    want_list: bool,
    with: Option<&str>,
) -> Res<Val> {
    if !lookup.markers
        && let Some(marker) = args.marker()
    {
        return Ok(marker.clone());
    }
    let mut options = args.named;
    let want_list = match take(&mut options, "wantlist") {
        Some(value) => want_list || ops::truth(ctx, &value)?,
        None => want_list,
    };
    let errors = match take(&mut options, "errors") {
        Some(value) => text::to_text(ctx, &value)?,
        None => "strict".to_owned(),
    };
    let look = Look {
        ctx,
        terms: args.pos,
        options,
        with,
    };
    let found = match (lookup.run)(&look) {
        Ok(found) => found,
        Err(fault) if errors == "strict" || fault.kind() == crate::error::ErrorKind::Unknown => {
            return Err(fault.context(format_args!("the lookup `{}` failed", lookup.name)));
        }
        Err(fault) => {
            if errors == "warn" {
                let message = fault.message();
                ctx.outside()
                    .warn(&format!("the lookup `{}` failed: {message}", lookup.name));
            }
            return Ok(if want_list {
                Val::list(Vec::new())
            } else {
                Val::Null
            });
        }
    };
    Ok(if want_list {
        Val::list(found)
    } else {
        joined(found)
    })
}

/// Without `wantlist`: a single item is itself, several texts are joined by commas.
fn joined(mut found: Vec<Val>) -> Val {
    if found.len() == 1 {
        return found.remove(0);
    }
    let texts: Option<Vec<&str>> = found.iter().map(Val::as_str).collect();
    match texts {
        Some(texts) if !texts.is_empty() => Val::from(texts.join(",")),
        _ => Val::list(found),
    }
}

/// Lists among the terms give their items, as many lookups want it.
pub(super) fn flattened(look: &Look) -> Res<Vec<Val>> {
    super::filters::flatten_one(look.ctx, &look.terms)
}

/// The items of each term.
pub(super) fn lists_of(look: &Look) -> Res<Vec<Vec<Val>>> {
    let lists = look.terms.iter().map(|term| match term.usable()? {
        Val::Str(s) => Ok(vec![Val::Str(Arc::clone(s))]),
        other => access::iterate(look.ctx, other),
    });
    lists.collect()
}
