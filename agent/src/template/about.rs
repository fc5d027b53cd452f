//! What a template file may know about itself: `template_path`, `ansible_managed` and their kin.

use super::datetime::{DateTime, strftime};
use super::outside::Outside;
use super::scope::Home;
use super::{Templar, Variables};
use crate::value::{Key, Map, TemplateText, Value};
use std::path::Path;
use std::sync::Arc;

/// Variables in front of others.
#[derive(Debug)]
struct Layered {
    over: Map,
    under: Home,
}

impl Variables for Layered {
    fn get(&self, name: &str) -> Option<Value> {
        let own = self.over.get(name).cloned();
        own.or_else(|| self.under.get(name))
    }
    fn names(&self) -> Vec<Arc<str>> {
        let mut names = self.under.names();
        names.extend(self.over.keys().filter_map(Key::as_str).map(Arc::from));
        names
    }
    fn of_host(&self, host: &str) -> Option<Home> {
        self.under.of_host(host)
    }
    fn hosts(&self) -> Vec<Arc<str>> {
        self.under.hosts()
    }
    fn has_hosts(&self) -> bool {
        self.under.has_hosts()
    }
}

impl Templar {
    /// The variables that a template file sees: `vars`, those about the file itself, and `more`.
    /// `name` is the file as the playbook names it, `dest` where its text goes.
    #[must_use]
    pub fn vars_of_file(
        &self,
        name: &str,
        path: &Path,
        dest: Option<&str>,
        more: Map,
        vars: &Arc<dyn Variables>,
    ) -> Arc<dyn Variables> {
        let outside = &*self.outside;
        let own = vars.get("ansible_managed").is_some();
        let mut over = about(outside, name, path, dest);
        if !own {
            over.insert(
                Key::from("ansible_managed"),
                managed(outside, &**vars, path),
            );
        }
        over.extend(more);
        Arc::new(Layered {
            over,
            under: Arc::clone(vars),
        })
    }
}

fn about(outside: &dyn Outside, name: &str, path: &Path, dest: Option<&str>) -> Map {
    let entry = outside.entry(path, true);
    let owner = match &entry {
        Some(entry) => match &entry.owner {
            Some(name) => Value::from(name.as_str()),
            None => Value::Int(entry.uid.into()),
        },
        None => Value::Null,
    };
    let host = outside.host_name();
    let now = outside.now();
    let now = now.unix as f64 + f64::from(now.micros) / 1e6;
    [
        ("template_host", Value::from(host)),
        ("template_path", Value::from(name)),
        (
            "template_mtime",
            date(outside, entry.map_or(0.0, |e| e.mtime)),
        ),
        ("template_uid", owner),
        ("template_run_date", date(outside, now)),
        ("template_destpath", dest.map_or(Value::Null, Value::from)),
        (
            "template_fullpath",
            Value::from(path.to_string_lossy().into_owned()),
        ),
    ]
    .into_iter()
    .map(|(name, value)| (Key::from(name), value))
    .collect()
}

/// Local time at `unix`.
fn local(outside: &dyn Outside, unix: f64) -> DateTime {
    let (offset, zone) = outside.zone(unix as i64);
    DateTime::at(unix, offset, &zone)
}

/// A date is no plain value: it is made anew by an expression wherever it is used.
fn date(outside: &dyn Outside, unix: f64) -> Value {
    let text = strftime(&local(outside, unix), "%Y-%m-%d %H:%M:%S.%f");
    template(format!(
        "{{{{ '{text}' | to_datetime('%Y-%m-%d %H:%M:%S.%f') }}}}"
    ))
}

fn template(text: String) -> Value {
    Value::Template(Arc::new(TemplateText {
        text: text.into(),
        span: None,
    }))
}

/// The setting `ansible_managed`: a text of Python's `format` with `host`, `uid` and `file`, then of
/// `strftime` with the time of the file's last change, then a template.
fn managed(outside: &dyn Outside, vars: &dyn Variables, path: &Path) -> Value {
    let text = match outside.setting("DEFAULT_MANAGED_STR", None, vars) {
        Ok(Some((Value::Str(text), _))) => text.to_string(),
        _ => "Ansible managed".to_owned(),
    };
    if !text.contains(['{', '%']) {
        return Value::from(text);
    }
    let mut out = String::new();
    let mut rest = &*text;
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        let named = ["host", "uid", "file"].iter().find_map(|name| {
            let after = rest[at..].strip_prefix('{')?.strip_prefix(name)?;
            Some((name, after.strip_prefix('}')?))
        });
        match named {
            Some((name, after)) => {
                let name = if *name == "file" { "path" } else { name };
                out.push_str(&format!("{{{{ template_{name} }}}}"));
                rest = after;
            }
            // A doubled brace is one.
            None => {
                out.push_str(&rest[at..=at]);
                let doubled = rest.as_bytes().get(at) == rest.as_bytes().get(at + 1);
                rest = &rest[at + 1 + usize::from(doubled)..];
            }
        }
    }
    out.push_str(rest);
    let changed = outside.entry(path, true).map_or(0.0, |e| e.mtime);
    template(strftime(&local(outside, changed), &out))
}
