//! Dynamic includes: `include_tasks` and `include_role` are read when a host comes to them.

use super::context::{PlayCx, RunCx, TaskView};
use super::cursor::Entry;
use super::files;
use super::load::HereFiles;
use super::play::Batch;
use super::result::{ItemEnd, TaskEnd};
use super::task::{Seen, TaskCx};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{EventKind, Level};
use crate::module::ModuleDef;
use crate::playbook::keyword::{Kw, Setting, as_bool, plain_text};
use crate::playbook::load::Loader;
use crate::playbook::role::{LoadedRole, RoleCall, RoleFiles, RoleUse, not_text};
use crate::playbook::scope::{Keywords, Scope, ScopeKind};
use crate::playbook::task::{Block, Item, Task};
use crate::source::Span;
use crate::value::{Key, Map, Value};
use crate::vars::Layer;
use std::path::PathBuf;
use std::sync::Arc;

/// What one host (or one item of its loop) includes.
#[derive(Clone, Debug, PartialEq)]
pub struct IncludeCall {
    /// What.
    pub what: What,
    /// Variables for the included tasks: the task's own `vars` (still templates) and the loop's.
    pub vars: Map,
    /// The variables of a loop over what the playbook did not write.
    pub items: Map,
    /// Keywords given by `apply`, as written.
    pub apply: Map,
    /// Text for the item of a loop.
    pub label: Option<String>,
}

/// A file or a role.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A file of tasks.
    File(PathBuf),
    /// A role, with its arguments.
    Role(Map),
}

/// What was read for a call.
pub struct Included {
    /// The tasks.
    pub block: Arc<Block>,
    /// Handlers of a role.
    pub handlers: Vec<Item>,
    /// Roles whose variables the rest of the play sees.
    pub public: Vec<Arc<RoleUse>>,
    /// The name to show.
    pub shown: String,
}

impl IncludeCall {
    /// From the arguments of the task.
    ///
    /// # Errors
    /// When the file is not found.
    pub(super) fn new(cx: &TaskCx<'_>, def: &ModuleDef, args: Map, seen: &Seen) -> Result<Self> {
        let task = cx.task();
        let what = if def.short_name() == "include_role" {
            if let Some((name, value)) = args
                .iter()
                .find(|(k, v)| k.to_string().ends_with("_from") && v.as_str().is_none())
            {
                return Err(not_text(&name.to_string(), value).at(&task.module_span));
            }
            What::Role(args.clone())
        } else {
            let name = ["file", "_raw_params"]
                .iter()
                .find_map(|n| args.get(*n))
                .map(plain_text)
                .ok_or_else(|| {
                    Error::params(format!("No file specified for {}", def.name))
                        .at(&task.module_span)
                })?;
            What::File(find_file(cx, &name)?)
        };
        let apply = match task.args.get("apply").map(|a| &a.value) {
            Some(Value::Map(map)) => (**map).clone(),
            _ => Map::new(),
        };
        let (mut vars, mut items) = (Map::new(), Map::new());
        let mut give = |name: &str| -> Option<Value> {
            let (layer, value) = seen.stack.definitions(name).next()?;
            let map = match layer {
                Layer::LoopWritten => &mut vars,
                Layer::Loop => &mut items,
                _ => return None,
            };
            map.insert(Key::from(name), value.clone());
            Some(value.clone())
        };
        for named in ["ansible_loop_var", "ansible_index_var"] {
            if let Some(Value::Str(name)) = give(named) {
                give(&name);
            }
        }
        give("ansible_loop");
        Ok(Self {
            what,
            vars,
            items,
            apply,
            label: None,
        })
    }

    /// Reads what is included; `rescued` says that a block around the task has a `rescue`.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn load(
        &self,
        run: &RunCx,
        play: &PlayCx,
        task: &Task,
        rescued: bool,
    ) -> Result<Included, Vec<Error>> {
        let dir = &play.play.dir;
        let render = |value: &Value, vars: &Map| super::job::render(run, dir, vars, value);
        let mut loader = Loader::new(
            &HereFiles,
            &run.library,
            &run.vault,
            &render,
            play.play.dir.clone(),
        );
        loader.roles_path.clone_from(&run.options.roles_path);
        loader.private_role_vars = run.options.private_role_vars;
        loader
            .collections_path
            .clone_from(&run.options.collections_path);
        loader.duplicate_keys = run.options.duplicate_keys;
        let scope = self.scope(task);
        let included = match &self.what {
            What::File(path) => self.load_file(&mut loader, path, &scope, task),
            What::Role(args) => self.load_role(&mut loader, args, &scope, task),
        };
        if !loader.problems.errors.is_empty() {
            return Err(loader.problems.errors);
        }
        let mut included = included
            .ok_or_else(|| vec![Error::new(ErrorKind::Syntax, "nothing could be included")])?;
        included.handlers.append(&mut loader.late_handlers);
        let imported = std::mem::take(&mut loader.late_roles);
        included
            .public
            .extend(imported.into_iter().filter(|r| r.public));
        let mut preflight =
            super::preflight::Preflight::new(&run.templar, &run.library).handled(rescued);
        preflight.items(&included.block.body);
        preflight.items(&included.handlers);
        let problems = preflight.finish();
        if problems.errors.is_empty() {
            Ok(included)
        } else {
            Err(problems.errors)
        }
    }

    fn load_file(
        &self,
        loader: &mut Loader<'_>,
        path: &std::path::Path,
        scope: &Arc<Scope>,
        task: &Task,
    ) -> Option<Included> {
        let body = loader.tasks_file(path, scope, task.handler);
        Some(Included {
            block: Arc::new(Block {
                scope: Arc::clone(scope),
                body,
                rescue: Vec::new(),
                always: Vec::new(),
                role: None,
            }),
            handlers: Vec::new(),
            public: Vec::new(),
            shown: path.display().to_string(),
        })
    }

    fn load_role(
        &self,
        loader: &mut Loader<'_>,
        args: &Map,
        scope: &Arc<Scope>,
        task: &Task,
    ) -> Option<Included> {
        let text = |name: &str| args.get(name).map(plain_text);
        let flag = |name: &str| args.get(name).and_then(|v| as_bool(&plain_text(v)));
        let main = RoleFiles::default();
        let call = RoleCall {
            name: text("name").or_else(|| text("role")).unwrap_or_default(),
            files: RoleFiles {
                tasks: text("tasks_from").unwrap_or(main.tasks),
                vars: text("vars_from").unwrap_or(main.vars),
                defaults: text("defaults_from").unwrap_or(main.defaults),
                handlers: text("handlers_from").unwrap_or(main.handlers),
            },
            public: flag("public").unwrap_or_else(|| loader.is_public(false)),
            // A role that is included runs each time it is included.
            unvalidated: args
                .get("rolespec_validate")
                .is_some_and(|v| as_bool(&plain_text(v)) == Some(false)),
            allow_duplicates: Some(flag("allow_duplicates").unwrap_or(true)),
            from_task: true,
            keywords: {
                let mut keywords = Keywords::default();
                if let Some(collections) = task.scope.collections() {
                    keywords.set(Kw::Collections, collections.clone());
                }
                keywords
            },
            ..RoleCall::default()
        };
        let named = task.args.get("name").or_else(|| task.args.get("role"));
        let span = named.map_or(&task.span, |arg| &arg.span);
        let LoadedRole {
            block, handlers, ..
        } = loader.role(&call, span, scope)?;
        let role = block.role.clone().filter(|r| r.public);
        Some(Included {
            block,
            handlers,
            public: role.into_iter().collect(),
            shown: call.name,
        })
    }

    /// The scope of what is included: what surrounds the include, its `vars`, and `apply`. Other
    /// keywords of the include are its own.
    fn scope(&self, task: &Task) -> Arc<Scope> {
        let span = &task.span;
        let mut vars = Map::new();
        if let Some(own) = task.own(Kw::Vars) {
            crate::playbook::scope::extend_vars(&mut vars, own);
        }
        vars.extend(self.vars.iter().map(|(k, v)| (k.clone(), v.clone())));
        let mut keywords = crate::playbook::scope::applied(&self.apply, span);
        if let Some(applied) = keywords.get(Kw::Vars) {
            let mut all = Map::new();
            crate::playbook::scope::extend_vars(&mut all, applied);
            all.extend(vars);
            vars = all;
        }
        keywords.set(Kw::Vars, setting(Value::map(vars), span));
        let parent = task.scope.parent.clone();
        Arc::new(Scope {
            kind: ScopeKind::Include,
            keywords,
            role: None,
            parent,
            items: self.items.clone(),
        })
    }
}

fn setting(value: Value, span: &Span) -> Setting {
    Setting {
        value,
        span: span.clone(),
    }
}

fn find_file(cx: &TaskCx<'_>, name: &str) -> Result<PathBuf> {
    let task = cx.task();
    let span = task
        .free_or("file")
        .map_or_else(|| task.module_span.clone(), |s| s.span);
    files::tasks_in(&cx.run.search_dirs(task, &cx.play.play), task.handler, name)
        .map_err(|e| e.at(&span))
}

/// Makes the steps that the hosts of a task take, in the order in which calls first appeared: each
/// call once, for all hosts that made it.
fn group(calls: Vec<(usize, Vec<IncludeCall>)>) -> Vec<(IncludeCall, Vec<usize>)> {
    let mut groups: Vec<(IncludeCall, Vec<usize>)> = Vec::new();
    for (host, list) in calls {
        for call in list {
            // A host that includes the same file twice runs it twice.
            match groups
                .iter_mut()
                .find(|(c, hosts)| *c == call && !hosts.contains(&host))
            {
                Some((_, hosts)) => hosts.push(host),
                None => groups.push((call, vec![host])),
            }
        }
    }
    groups
}

impl Batch<'_> {
    /// Reads what hosts include and puts it before their next steps.
    /// Tells the hosts for which that failed.
    pub(super) fn include(
        &mut self,
        view: &TaskView,
        calls: Vec<(usize, Vec<IncludeCall>)>,
    ) -> Vec<usize> {
        let mut broken = Vec::new();
        if calls.is_empty() {
            return broken;
        }
        let mut entries = Vec::new();
        let mut including: Vec<usize> = Vec::new();
        for (call, hosts) in group(calls) {
            let rescued = hosts.iter().all(|i| self.hosts[*i].cursor.would_rescue());
            match call.load(&self.run.cx, &self.cx, &view.task, rescued) {
                Ok(included) => {
                    self.run.cx.emit.run(EventKind::Included {
                        file: included.shown,
                        hosts: hosts
                            .iter()
                            .map(|i| self.hosts[*i].slot.name.to_string())
                            .collect(),
                        label: call.label.clone(),
                    });
                    self.add_handlers(&included.handlers);
                    self.publish(&included.public);
                    for &i in &hosts {
                        self.hosts[i].counters.ok += 1;
                    }
                    including.extend(&hosts);
                    entries.push(Entry::Only(included.block, Arc::new(hosts)));
                }
                Err(errors) => {
                    // Of the include itself, not of a host's task: told once, as Ansible does.
                    for error in &errors {
                        let text = super::told::told(error);
                        self.run.cx.emit.run(EventKind::Notice {
                            level: Level::Error,
                            text,
                        });
                    }
                    for &i in &hosts {
                        self.include_failed(view, i, &errors, &broken);
                    }
                    broken.extend(hosts);
                }
            }
        }
        including.sort_unstable();
        including.dedup();
        let entries = Arc::new(entries);
        for i in including {
            if !broken.contains(&i) {
                self.hosts[i].cursor.insert(Arc::clone(&entries));
            }
        }
        broken
    }

    /// The rest of the play sees the variables of these roles.
    fn publish(&mut self, roles: &[Arc<RoleUse>]) {
        if roles.is_empty() {
            return;
        }
        let cx = Arc::make_mut(&mut self.cx);
        for role in roles {
            cx.role_defaults.push(Arc::clone(&role.defaults));
            cx.role_vars.push(Arc::clone(&role.vars));
        }
    }

    fn include_failed(&mut self, view: &TaskView, i: usize, errors: &[Error], broken: &[usize]) {
        let Some(first) = errors.first() else {
            return;
        };
        let again = broken.contains(&i);
        let end = TaskEnd::of_one(ItemEnd::unread(first), &view.task);
        self.run.cx.emit.host(
            &self.hosts[i].slot.name,
            EventKind::TaskFinished {
                task: view.info.id,
                report: end.report.clone(),
            },
        );
        if again {
            // It failed already, and may have gone to its `rescue`.
            self.hosts[i].counters.failed += 1;
        } else {
            self.take(view, i, end, &[i], true);
        }
    }
}
