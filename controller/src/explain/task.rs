//! What a task would be told on a host: arguments and conditions after templating, and where each
//! keyword comes from.

use super::variable::holds_secret;
use super::{MASK, Placed, made_by, names_in, place, shown, tasks};
use crate::lint::rules::secrets::is_secret_name;
use lks_agent::engine::Run;
use lks_agent::error::{Error, ErrorKind, Result};
use lks_agent::playbook::keyword::{Kw, Setting};
use lks_agent::playbook::scope::{Scope, ScopeKind};
use lks_agent::playbook::task::{Loop, Task};
use lks_agent::source::Span;
use lks_agent::template::Variables;
use lks_agent::template::used::names;
use lks_agent::value::{Key, Map, Value};
use lks_agent::vars::{Layer, Stack};
use serde_json::{Value as Json, json};
use std::collections::HashSet;
use std::sync::Arc;

/// The tasks that are meant: by number, `FILE:LINE`, name, or a part of it that only they have.
///
/// # Errors
/// When there is none.
pub fn find(run: &Run, wanted: &str) -> Result<Vec<Placed>> {
    let mut all = tasks(run);
    if let Some(number) = wanted.parse::<usize>().ok().filter(|n| *n > 0) {
        if number > all.len() {
            let said = format!("there is no task {number}: there are {}", all.len());
            return Err(Error::new(ErrorKind::Usage, said));
        }
        return Ok(vec![all.swap_remove(number - 1)]);
    }
    let titles: Vec<String> = all.iter().map(|p| full_title(&p.task)).collect();
    let by_place = |p: &Placed| {
        let (file, line) = wanted.rsplit_once(':')?;
        let line: u32 = line.parse().ok()?;
        let name = &p.task.span.file.name;
        let same = *name == file || name.ends_with(&format!("/{file}"));
        (same && p.task.span.line <= line).then_some(p.task.span.line)
    };
    // The last task that begins at the line or above it.
    if let Some(best) = all.iter().filter_map(by_place).max() {
        all.retain(|p| by_place(p) == Some(best));
        return Ok(all);
    }
    let lower = wanted.to_lowercase();
    let exact = |t: &str| t == wanted || t.rsplit(" : ").next() == Some(wanted);
    let near = |t: &str| t.to_lowercase().contains(&lower);
    let mut picked: Vec<usize> = (0..all.len()).filter(|i| exact(&titles[*i])).collect();
    if picked.is_empty() {
        picked = (0..all.len()).filter(|i| near(&titles[*i])).collect();
    }
    if picked.is_empty() {
        let said = format!("no task is called `{wanted}`");
        return Err(Error::new(ErrorKind::Usage, said)
            .did_you_mean(wanted, titles.iter().map(String::as_str)));
    }
    let mut index = 0;
    all.retain(|_| {
        index += 1;
        picked.contains(&(index - 1))
    });
    Ok(all)
}

fn full_title(task: &Task) -> String {
    match task.scope.role() {
        Some(role) => format!("{} : {}", role.name, task.title()),
        None => task.title(),
    }
}

/// What is needed to say what a value would be.
struct Eyes<'a> {
    run: &'a Run,
    vars: Arc<dyn Variables>,
    stack: Stack,
    /// Tasks before this one may make a name.
    tasks: Vec<Placed>,
    hidden: bool,
}

/// The report of a task for a host.
#[must_use]
pub fn report(run: &Run, placed: &Placed, host: &Arc<str>) -> Json {
    let task = &placed.task;
    let sight = run.sight(&placed.play, Some(task), host);
    let no_log = task.find(Kw::NoLog).is_some_and(|s| s.value.is_truthy());
    let mut eyes = Eyes {
        run,
        vars: Arc::new(sight.stack.clone()),
        stack: sight.stack,
        tasks: tasks(run),
        hidden: no_log,
    };
    let looped = eyes.looped(task);
    let conditions: Vec<Json> = eyes.conditions(task);
    let arguments: Vec<Json> = eyes.arguments(task);
    json!({
        "task": full_title(task),
        "place": place(Some(&task.span)),
        "play": placed.play.name(),
        "role": task.scope.role().map(|r| r.name.clone()),
        "host": host.to_string(),
        "on_host": run.hosts_in(&placed.play).contains(host),
        "handler": task.handler,
        "module": &*task.module,
        "arguments": arguments,
        "conditions": conditions,
        "loop": looped,
        "keywords": eyes.keywords(task),
        "problem": sight.error.as_ref().map(Error::message),
    })
}

impl Eyes<'_> {
    /// A value after templating, or why it is not known yet.
    fn value(&self, value: &Value) -> Json {
        if self.hidden || holds_secret(value, &self.vars, 0) {
            return json!({"value": MASK});
        }
        match self.run.cx.templar.resolve(value, &self.vars) {
            Ok(Value::Omit) => json!({"value": null, "omitted": true}),
            Ok(value) => json!({"value": shown(&value)}),
            Err(error) => {
                let mut used = HashSet::new();
                names_in(value, &mut used);
                json!({"unknown": self.unknown(&used, &error), "written": shown(value)})
            }
        }
    }

    /// Why something is not known before the run: what makes it, or the error.
    fn unknown(&self, used: &HashSet<String>, error: &Error) -> String {
        let mut names: Vec<&String> = used.iter().filter(|n| self.vars.get(n).is_none()).collect();
        names.sort();
        let mut why = Vec::new();
        for name in names {
            if let Some((placed, how)) = made_by(&self.tasks, name).first() {
                why.push(format!(
                    "`{name}` is made by {how} in line {} of {}",
                    placed.task.span.line, placed.task.span.file.name
                ));
            } else if name.starts_with("ansible_") {
                why.push(format!("`{name}` is a fact"));
            }
        }
        if why.is_empty() {
            error.message()
        } else {
            format!("unknown before the run: {}", why.join(", "))
        }
    }

    fn arguments(&self, task: &Task) -> Vec<Json> {
        let mut out = Vec::new();
        let mut one = |name: &str, value: &Value, span: &Span| {
            let mut said = if is_secret_name(name) {
                json!({"value": MASK})
            } else {
                self.value(value)
            };
            if let Some(map) = said.as_object_mut() {
                map.insert("name".into(), json!(name));
                map.insert("place".into(), place(Some(span)));
            }
            out.push(said);
        };
        if let Some(free) = &task.args.free {
            one("(text)", &free.value, &free.span);
        }
        for arg in &task.args.named {
            one(&arg.name, &arg.value, &arg.span);
        }
        if let Some(whole) = &task.args.whole {
            one("(all)", &whole.value, &whole.span);
        }
        out
    }

    fn conditions(&self, task: &Task) -> Vec<Json> {
        let mut out = Vec::new();
        let mut scopes: Vec<&Scope> = task.scope.chain().collect();
        scopes.reverse();
        for scope in scopes {
            let Some(setting) = scope.keywords.get(Kw::When) else {
                continue;
            };
            for item in setting.items() {
                let result = self
                    .run
                    .cx
                    .templar
                    .condition(&item, Some(&setting.span), &self.vars);
                let text = item
                    .as_str()
                    .map_or_else(|| item.to_json().to_string(), str::to_string);
                let used = names(&text, None, true).map(|n| n.uses).unwrap_or_default();
                let used = used.into_iter().map(|u| u.name.to_string()).collect();
                let (holds, why) = match result {
                    Ok(holds) => (json!(holds), Json::Null),
                    Err(error) => (Json::Null, json!(self.unknown(&used, &error))),
                };
                out.push(json!({
                    "condition": text,
                    "holds": holds,
                    "unknown": why,
                    "from": level(scope),
                    "place": place(Some(&setting.span)),
                }));
            }
        }
        out
    }

    /// The loop; from then on its first item is seen.
    fn looped(&mut self, task: &Task) -> Json {
        let (kind, setting) = match &task.looped {
            None => return Json::Null,
            Some(Loop::Over(setting)) => ("loop".to_string(), setting),
            Some(Loop::With(name, setting)) => (format!("with_{name}"), setting),
        };
        let said = self.value(&setting.value);
        let control = task
            .own(Kw::LoopControl)
            .and_then(|s| s.value.as_map().cloned());
        let variable = control.and_then(|m| m.get("loop_var")?.as_str().map(str::to_string));
        let variable = variable.unwrap_or_else(|| "item".into());
        let resolved = self.run.cx.templar.resolve(&setting.value, &self.vars).ok();
        let first = resolved
            .as_ref()
            .and_then(Value::as_list)
            .and_then(|l| l.first().cloned());
        let count = resolved
            .as_ref()
            .and_then(Value::as_list)
            .map(<[Value]>::len);
        if let Some(first) = first {
            let map: Map = [(Key::from(variable.as_str()), first)]
                .into_iter()
                .collect();
            self.stack = self.stack.with(Layer::Loop, map);
            self.vars = Arc::new(self.stack.clone());
        }
        json!({"kind": kind, "over": said, "items": count, "variable": variable, "place": place(Some(&setting.span))})
    }

    /// Keywords that hold for the task, each with the level that it comes from.
    fn keywords(&self, task: &Task) -> Vec<Json> {
        let shown_elsewhere = [
            Kw::Name,
            Kw::When,
            Kw::Loop,
            Kw::LoopControl,
            Kw::Args,
            Kw::Action,
            Kw::LocalAction,
            Kw::Hosts,
            Kw::Roles,
            Kw::Tasks,
            Kw::PreTasks,
            Kw::PostTasks,
            Kw::Handlers,
            Kw::VarsFiles,
            Kw::VarsPrompt,
            Kw::Block,
            Kw::Rescue,
            Kw::Always,
            Kw::Role,
            Kw::GatherFacts,
            Kw::Serial,
            Kw::Strategy,
        ];
        let adds_up = [Kw::Tags, Kw::Environment, Kw::Vars, Kw::ModuleDefaults];
        let mut out = Vec::new();
        for kw in Kw::ALL.iter().filter(|kw| !shown_elsewhere.contains(kw)) {
            let mut settings: Vec<(&Scope, &Setting)> = task
                .scope
                .chain()
                .filter_map(|s| Some((s, s.keywords.get(*kw)?)))
                .collect();
            if !adds_up.contains(kw) {
                settings.truncate(1);
            }
            settings.reverse();
            for (scope, setting) in settings {
                // Conditions of their own: their names are known only after the task.
                let late = matches!(
                    kw,
                    Kw::Until | Kw::ChangedWhen | Kw::FailedWhen | Kw::Register | Kw::Notify
                );
                let mut said = match (late, kw) {
                    (true, _) => json!({"value": shown(&setting.value)}),
                    (_, Kw::Vars) => json!({"value": names_of(&setting.value)}),
                    _ => self.value(&setting.value),
                };
                if let Some(map) = said.as_object_mut() {
                    map.insert("keyword".into(), json!(kw.name()));
                    map.insert("from".into(), json!(level(scope)));
                    map.insert("place".into(), place(Some(&setting.span)));
                }
                out.push(said);
            }
        }
        out
    }
}

/// `vars` are told by their names: `explain VAR` tells the rest.
fn names_of(value: &Value) -> Json {
    let Some(map) = value.as_map() else {
        return json!("…");
    };
    let names: Vec<String> = map.keys().map(ToString::to_string).collect();
    json!(names.join(", "))
}

fn level(scope: &Scope) -> String {
    match (scope.kind, &scope.role) {
        (ScopeKind::Play, _) => "the play".into(),
        (ScopeKind::Role, Some(role)) => format!("the role `{}`", role.name),
        (ScopeKind::Role, None) => "the role".into(),
        (ScopeKind::Block, _) => "a block or import".into(),
        (ScopeKind::Include, _) => "an include".into(),
        (ScopeKind::Task, _) => "the task".into(),
    }
}
