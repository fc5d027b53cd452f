//! `explain`: where a variable comes from and which definition wins, and what a task would be told,
//! for one host, before anything runs. [`variable`] and [`task`] make the reports, as JSON; [`human`]
//! writes them for people.

pub mod human;
pub mod task;
pub mod variable;

use lks_agent::engine::Run;
use lks_agent::host::here;
use lks_agent::playbook::keyword::Kw;
use lks_agent::playbook::play::Play;
use lks_agent::playbook::task::{Item, Task};
use lks_agent::playbook::yaml::{self, Kind, Node};
use lks_agent::source::{SourceFile, Span};
use lks_agent::template::used::names;
use lks_agent::value::Value;
use serde_json::{Value as Json, json};
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

/// What stands in the place of a secret.
pub const MASK: &str = "********";

/// A task and the play it is in, in the order in which tasks are listed.
pub struct Placed {
    /// The play.
    pub play: Arc<Play>,
    /// The task.
    pub task: Arc<Task>,
}

/// All tasks, as `--list-tasks` counts them, then handlers.
#[must_use]
pub fn tasks(run: &Run) -> Vec<Placed> {
    fn add(play: &Arc<Play>, items: &[Item], out: &mut Vec<Placed>) {
        for item in items {
            match item {
                Item::Task(task) => out.push(Placed {
                    play: Arc::clone(play),
                    task: Arc::clone(task),
                }),
                Item::Block(block) => {
                    for part in [&block.body, &block.rescue, &block.always] {
                        add(play, part, out);
                    }
                }
            }
        }
    }
    let plays = || run.playbooks.iter().flat_map(|(_, plays)| plays);
    let mut out = Vec::new();
    for play in plays() {
        for list in [&play.pre_tasks, &play.tasks, &play.post_tasks] {
            add(play, list, &mut out);
        }
    }
    for play in plays() {
        add(play, &play.handlers, &mut out);
    }
    out
}

/// Names that tasks of the play give values to while it runs, with the task.
fn made_by<'t>(tasks: &'t [Placed], name: &str) -> Vec<(&'t Placed, &'static str)> {
    let plain = |v: &Value| v.as_str().map(str::to_string);
    let makes = |placed: &Placed| -> Option<&'static str> {
        let task = &placed.task;
        let registered = task.own(Kw::Register).and_then(|s| plain(&s.value));
        if registered.as_deref() == Some(name) {
            return Some("register");
        }
        match task.short_module() {
            "set_fact" if task.args.get(name).is_some() => Some("set_fact"),
            "include_vars" => {
                let file = task.free_or("file").and_then(|s| plain(&s.value))?;
                let dirs = [
                    Path::new(&task.span.file.name).parent()?.join("../vars"),
                    placed.play.dir.join("vars"),
                    placed.play.dir.clone(),
                ];
                let found = dirs
                    .iter()
                    .map(|d| d.join(&file))
                    .find(|p| here::is_file(p))?;
                let node = document(&found.display().to_string())?;
                node.get(name).map(|_| "include_vars")
            }
            _ => None,
        }
    };
    tasks.iter().filter_map(|p| Some((p, makes(p)?))).collect()
}

/// The names in a value's templates.
fn names_in(value: &Value, out: &mut HashSet<String>) {
    match value {
        Value::Template(t) => {
            if let Ok(found) = names(&t.text, t.span.as_ref(), false) {
                out.extend(found.uses.into_iter().map(|u| u.name.to_string()));
            }
        }
        Value::List(items) => items.iter().for_each(|v| names_in(v, out)),
        Value::Map(map) => map.values().for_each(|v| names_in(v, out)),
        _ => {}
    }
}

/// The YAML of a file.
fn document(path: &str) -> Option<Node> {
    let text = here::read_text(Path::new(path)).ok().flatten()?;
    yaml::load(&SourceFile::new(path, text))
        .ok()?
        .docs
        .into_iter()
        .next()
}

/// The place of a key in a file, and whether its value is vaulted.
fn key_in(path: &str, name: &str) -> Option<(Span, bool)> {
    let node = document(path)?;
    let (key, value) = node.entry(name)?;
    Some((key.span.clone(), matches!(value.kind, Kind::Vault(_))))
}

/// The place of a key below a mapping that begins at a place.
fn key_below(span: &Span, name: &str) -> Span {
    let at = (span.line..span.line + 400).find_map(|number| {
        let line = span.file.line(number);
        let start = line.len()
            - line
                .trim_start_matches(['-', ' ', '"', '\'', '{', ','])
                .len();
        let rest = line[start..].strip_prefix(name)?;
        let is_key = rest.trim_start_matches(['"', '\'']).starts_with(':');
        is_key.then(|| (number, line[..start].chars().count()))
    });
    match at {
        Some((line, column)) => Span::new(
            &span.file,
            line,
            u32::try_from(column + 1).unwrap_or(1),
            u32::try_from(name.len()).unwrap_or(1),
        ),
        None => span.clone(),
    }
}

fn place(span: Option<&Span>) -> Json {
    span.map_or(Json::Null, |s| json!(s.to_string()))
}

/// A value as JSON, secrets masked by the names of their keys.
fn shown(value: &Value) -> Json {
    mask(value.to_json())
}

fn mask(json: Json) -> Json {
    match json {
        Json::Object(map) => map
            .into_iter()
            .map(|(key, value)| {
                let secret = crate::lint::rules::secrets::is_secret_name(&key) && !value.is_null();
                let value = if secret { json!(MASK) } else { mask(value) };
                (key, value)
            })
            .collect(),
        Json::Array(items) => items.into_iter().map(mask).collect(),
        other => other,
    }
}
