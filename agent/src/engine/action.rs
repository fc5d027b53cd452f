//! What the engine offers to actions: modules that need variables, templates or the play.

use super::invoke;
use super::placed;
use super::result::{ItemEnd, Request, VarChange};
use super::task::{Effective, Seen, TaskCx};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{EventKind, Level};
use crate::host::{Paused, here};
use crate::module::{ActionCx, ModuleDef, Returns};
use crate::playbook::{reserved, yaml};
use crate::source::SourceFile;
use crate::template::FileOptions;
use crate::template::Variables;
use crate::value::{Key, Map, Value};
use crate::vars::Stack;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

/// Actions that stand for another module: that one's `module_defaults` hold for them.
const GENERIC: &[&str] = &["gather_facts", "package", "service"];

/// The engine's side of one action.
pub(super) struct Actor<'a> {
    cx: &'a TaskCx<'a>,
    seen: &'a Seen,
    effective: &'a Effective,
    pub(super) args: Map,
    changes: Vec<VarChange>,
    requests: Vec<Request>,
    /// The host module that the action ran, if it ran one: its end is the action's.
    ran: Option<ItemEnd>,
}

impl<'a> Actor<'a> {
    pub(super) fn new(cx: &'a TaskCx<'a>, seen: &'a Seen, effective: &'a Effective) -> Self {
        Self {
            cx,
            seen,
            effective,
            args: Map::new(),
            changes: Vec::new(),
            requests: Vec::new(),
            ran: None,
        }
    }

    fn is_in_group(&self, host: &str, group: &str) -> bool {
        let groups = self.cx.play.magic.get("groups");
        let members = groups.and_then(|g| g.get(group)).and_then(Value::as_list);
        members.is_some_and(|list| list.iter().any(|v| v.as_str() == Some(host)))
    }

    fn warn_of_reserved(&self, vars: &Map) {
        for text in vars
            .keys()
            .filter_map(|k| k.as_str().and_then(reserved::warning))
        {
            let text = placed(&text, Some(&self.cx.task().span));
            self.cx.run.emit.warn_once(&text);
        }
    }

    /// The action's end: its own values, over those of the module that it ran.
    pub(super) fn finish(self, returns: Returns, def: &'static ModuleDef) -> ItemEnd {
        let mut end = match self.ran {
            Some(mut ran) => {
                ran.result.extend(returns.values);
                ran.warnings.extend(returns.warnings);
                if !returns.facts.is_empty() {
                    ran.result.insert(
                        Key::from("ansible_facts"),
                        Value::map(returns.facts.clone()),
                    );
                    ran.changes.push(VarChange::Facts(returns.facts));
                }
                if returns.failed {
                    let failed = ItemEnd::error(&Error::host("the module failed"));
                    ran.status = failed.status;
                }
                ran
            }
            None => invoke::returned(returns, false, def),
        };
        end.changes.extend(self.changes);
        end.requests.extend(self.requests);
        end
    }
}

impl ActionCx for Actor<'_> {
    fn args(&self) -> &Map {
        &self.args
    }

    fn variable(&self, name: &str) -> Result<Option<Value>> {
        match self.seen.vars.get(name) {
            None => Ok(None),
            Some(value) => self
                .cx
                .run
                .templar
                .resolve(&value, &self.seen.vars)
                .map(Some),
        }
    }

    fn expressions(&self, name: &str) -> Result<Vec<Value>> {
        super::expressions::of_argument(self.cx, self.seen, name, &self.args)
    }

    fn condition(&self, expression: &Value) -> Result<bool> {
        let span = match expression {
            Value::Template(t) => t.span.as_ref(),
            _ => None,
        };
        self.cx.run.condition(expression, span, &self.seen.vars)
    }

    fn expression(&self, expression: &str) -> Result<Value> {
        self.cx
            .run
            .templar
            .expression(expression, None, &self.seen.vars)
    }

    fn render_file(&self, path: &Path, options: &Map) -> Result<String> {
        let text = here::read_text(path)?
            .ok_or_else(|| Error::params(format!("{} does not exist", path.display())))?;
        let text = self.cx.run.vault.open_text(text)?;
        let source = SourceFile::new(path.display().to_string(), text);
        let text = |name: &str| options.get(name).and_then(Value::as_str);
        let templar = &self.cx.run.templar;
        let name = text("src").map_or_else(|| path.display().to_string(), String::from);
        let seen = &self.seen.vars;
        let vars = templar.vars_of_file(&name, path, text("dest"), Map::new(), seen);
        let mut options = file_options(options);
        options.search.extend(path.parent().map(Path::to_path_buf));
        templar.render_file(&source, &options, &vars)
    }

    fn find(&self, folder: &str, name: &str) -> Result<PathBuf> {
        super::files::find(self.cx, folder, name)
    }

    fn load_yaml(&self, path: &Path) -> Result<Value> {
        let text = here::read_text(path)?
            .ok_or_else(|| Error::params(format!("{} does not exist", path.display())))?;
        super::load_yaml(&path.display().to_string(), text, &self.cx.run.vault)
    }

    fn is_vault(&self, path: &Path) -> bool {
        super::files::is_vault(path)
    }

    fn list_dir(&self, path: &Path) -> Result<Option<Vec<String>>> {
        Ok(here::list(path))
    }

    fn run_module(&mut self, name: &str, args: Map) -> Result<Returns> {
        let def = self.cx.run.library.find(name);
        let def = def.ok_or_else(|| invoke::no_module(name))?;
        let task = self.cx.task().short_module();
        let args = if GENERIC.contains(&task) && def.short_name() != task {
            let mut all = invoke::module_defaults(self.cx, self.seen, def)?;
            all.extend(args);
            all
        } else {
            args
        };
        let mut call = invoke::call(self.cx, self.seen, self.effective, def, args)?;
        let end = if def.short_name() == "setup" {
            // Other modules of the action go by these facts: they are needed now.
            call.background = None;
            invoke::on_host(self.cx, self.effective, &call)?
        } else {
            invoke::carry_out(self.cx, self.seen, self.effective, &call)?
        };
        let facts = match end.result.get("ansible_facts") {
            Some(Value::Map(facts)) => (**facts).clone(),
            _ => Map::new(),
        };
        let mut returns = Returns {
            values: end.result.clone(),
            failed: end.failed(),
            facts,
            ..Returns::default()
        };
        returns.changed = end.result.get("changed").and_then(Value::as_bool);
        if let Some(before) = self.ran.replace(end) {
            self.changes.extend(before.changes);
        }
        Ok(returns)
    }

    fn forget_module(&mut self) {
        self.ran = None;
    }

    fn read_here(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        here::read(path)
    }

    fn write_here(&mut self, path: &Path, bytes: &[u8]) -> Result<()> {
        here::write(path, bytes, 0o666)
    }

    fn is_dir_here(&self, path: &Path) -> bool {
        here::is_dir(path)
    }

    fn say(&self, line: &str) {
        self.cx.run.emit.run(EventKind::Notice {
            level: Level::Info,
            text: line.to_string(),
        });
    }

    fn pause(&mut self, prompt: &str, echo: bool, seconds: Option<f64>) -> Result<Option<Paused>> {
        here::pause(prompt, echo, seconds)
    }

    fn sleep(&mut self, seconds: f64) {
        let most = self.effective.timeout.map_or(f64::INFINITY, |t| t as f64);
        here::sleep(seconds.min(most));
    }

    fn now(&self) -> f64 {
        here::now()
    }

    fn verbosity(&self) -> u8 {
        self.cx.run.options.verbosity
    }

    fn check(&self) -> bool {
        self.effective.check
    }

    fn set_facts(&mut self, facts: Map, cacheable: bool) {
        self.warn_of_reserved(&facts);
        for (key, value) in &facts {
            self.changes
                .push(VarChange::SetFact(key.to_string(), value.clone()));
        }
        if cacheable {
            self.changes.push(VarChange::Facts(facts));
        }
    }

    fn include_vars(&mut self, vars: Map) {
        self.warn_of_reserved(&vars);
        self.changes.push(VarChange::Include(vars));
    }

    fn file_mode(&self, path: &Path) -> Result<u32> {
        here::mode(path)
    }

    fn add_host(&mut self, name: &str, groups: &[String], variables: Map) -> Result<bool> {
        let mut added = self
            .cx
            .run
            .added
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let slot = self.cx.run.hosts.get(name);
        let mut changed = slot.is_none() && !added.contains_key(name);
        let done = added.entry(name.to_string()).or_default();
        for group in groups {
            changed |= done.groups.insert(group.clone()) && !self.is_in_group(name, group);
        }
        for (key, value) in &variables {
            let before = done.variables.insert(key.clone(), value.clone());
            let before = before.or_else(|| {
                let mut stack = Stack::default();
                slot.as_ref()?.snapshot().lower(&mut stack);
                stack.get(&key.to_string())
            });
            changed |= before.as_ref() != Some(value);
        }
        drop(added);
        self.requests
            .push(Request::AddHost(name.into(), groups.to_vec(), variables));
        Ok(changed)
    }

    fn group_by(&mut self, group: &str, parents: &[String]) -> Result<bool> {
        let name = self.cx.slot.name.to_string();
        let mut added = self
            .cx
            .run
            .added
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let groups = &mut added.entry(name.clone()).or_default().groups;
        let changed = groups.insert(group.into()) && !self.is_in_group(&name, group);
        drop(added);
        self.requests
            .push(Request::GroupBy(group.into(), parents.to_vec()));
        Ok(changed)
    }
}

/// The options of the `template` module, as the renderer takes them.
fn file_options(args: &Map) -> FileOptions {
    let mut options = FileOptions::default();
    let text = |name: &str| args.get(name).and_then(Value::as_str).map(String::from);
    let flag = |name: &str, default: bool| args.get(name).map_or(default, Value::is_truthy);
    let pair = |start: &str, end: &str, default: (&str, &str)| {
        let (start, end) = (text(start), text(end));
        (start.is_some() || end.is_some()).then(|| {
            (
                start.unwrap_or_else(|| default.0.into()),
                end.unwrap_or_else(|| default.1.into()),
            )
        })
    };
    options.trim_blocks = flag("trim_blocks", options.trim_blocks);
    options.lstrip_blocks = flag("lstrip_blocks", options.lstrip_blocks);
    if let Some(newline) = text("newline_sequence") {
        options.newline_sequence = newline;
    }
    options.variable = pair("variable_start_string", "variable_end_string", ("{{", "}}"));
    options.block = pair("block_start_string", "block_end_string", ("{%", "%}"));
    options.comment = pair("comment_start_string", "comment_end_string", ("{#", "#}"));
    options
}

/// Reads a YAML file's first document as a value.
///
/// # Errors
/// When it is no YAML or a vault in it cannot be opened.
pub fn load_yaml(
    name: &str,
    text: String,
    vault: &crate::playbook::vault::VaultKeys,
) -> Result<Value> {
    let text = if text.starts_with("$ANSIBLE_VAULT;") {
        vault.decrypt_text(&text)?
    } else {
        text
    };
    let loaded = yaml::load(&SourceFile::new(name, text))?;
    match loaded.docs.first() {
        Some(node) => node.to_value(vault),
        None => Ok(Value::Null),
    }
}

/// The error of a file that should have held a mapping.
pub(super) fn not_a_mapping(name: &str, value: &Value) -> Error {
    Error::new(
        ErrorKind::Syntax,
        format!("{name} must hold a mapping, not a {}", value.type_name()),
    )
}
