//! What tasks of a run and of a play share, and what is known of each host.

use super::cursor::Cursor;
use super::emit::Emitter;
use super::library::Library;
use super::options::Options;
use super::runner::TaskRunner;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Counters, EventKind, Level, TaskInfo};
use crate::host::here;
use crate::playbook::keyword::Kw;
use crate::playbook::play::Play;
use crate::playbook::role::{RoleUse, role_variables};
use crate::playbook::task::Task;
use crate::playbook::vault::VaultKeys;
use crate::source::Span;
use crate::template::{Templar, Variables};
use crate::value::{Key, Map, Value};
use crate::vars::{HostVars, Layer, Others, Stack};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

/// Makes runners: the way to a host. The controller adds remote ones.
pub trait Connector: Send + Sync {
    /// A runner on `host` as `login` says.
    ///
    /// # Errors
    /// Of kind `Unreachable` when there is no way.
    fn connect(&self, host: &str, login: &Login) -> Result<Box<dyn TaskRunner>>;
}

/// How to get to a host, and as whom to work there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub struct Login {
    /// `local`, `ssh`, …
    pub connection: String,
    /// Address, if it is not the host's name.
    pub address: Option<String>,
    pub port: Option<u16>,
    pub user: Option<String>,
    /// Become this user there.
    pub become_user: Option<String>,
    pub become_method: String,
    pub become_flags: Option<String>,
    pub become_exe: Option<String>,
    /// Go through the method even to become the user who is there (`become_allow_same_user`).
    pub become_same_user: bool,
    /// `ansible_ssh_*` and other connection variables, as text.
    pub more: Vec<(String, String)>,
}

/// A runner that hosts share.
pub type SharedRunner = Arc<Mutex<Box<dyn TaskRunner>>>;

/// What a run's tasks share.
pub struct RunCx {
    /// Options.
    pub options: Options,
    /// Templates.
    pub templar: Templar,
    /// Events.
    pub emit: Emitter,
    /// Modules: the table's, and the user's own.
    pub library: Library,
    /// Keys of vaults.
    pub vault: VaultKeys,
    /// The way to hosts.
    pub connector: Arc<dyn Connector>,
    /// Connections that are open.
    pub runners: Mutex<HashMap<(Arc<str>, Login), SharedRunner>>,
    /// All hosts of the inventory, then those added by `add_host` and delegation.
    pub hosts: Arc<Hosts>,
    /// Where ends of tasks are kept, if the run is to survive a kill.
    pub journal: OnceLock<Arc<dyn super::journal::Journal>>,
    /// What tasks added to the inventory, from the moment on at which they asked for it: a later item
    /// of the same loop must not count it as a change again.
    pub added: Mutex<HashMap<String, Added>>,
    /// Groups of modules.
    pub groups: super::action_groups::ActionGroups,
    /// As whom to log in, if a flag or the settings say so (see [`login`]).
    pub login: Option<Arc<Map>>,
}

/// What `add_host` and `group_by` did for a host.
#[derive(Debug, Default)]
pub struct Added {
    /// Groups that it is put into.
    pub groups: HashSet<String>,
    /// Variables that it gets.
    pub variables: Map,
}

/// The hosts of a run, by name.
#[derive(Debug, Default)]
pub struct Hosts {
    slots: RwLock<Vec<Arc<HostSlot>>>,
    index: RwLock<HashMap<Arc<str>, usize>>,
}

/// One host's variables.
#[derive(Debug)]
pub struct HostSlot {
    /// The name in the inventory.
    pub name: Arc<str>,
    /// Variables that outlive tasks.
    pub vars: RwLock<HostVars>,
    /// What Ansible itself sets for the host.
    pub magic: RwLock<Arc<Map>>,
    /// `ansible_host` for tasks: the name in the inventory, where no variable says otherwise.
    pub address: Arc<Map>,
}

impl HostSlot {
    /// A snapshot of the variables.
    #[must_use]
    pub fn snapshot(&self) -> HostVars {
        self.vars
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Hosts {
    /// Adds a host, or finds it.
    pub fn add(&self, name: &Arc<str>, vars: HostVars, magic: Map) -> Arc<HostSlot> {
        if let Some(slot) = self.get(name) {
            return slot;
        }
        let slot = Arc::new(HostSlot {
            name: Arc::clone(name),
            vars: RwLock::new(vars),
            magic: RwLock::new(Arc::new(magic)),
            address: Arc::new(
                std::iter::once((Key::from("ansible_host"), Value::Str(Arc::clone(name))))
                    .collect(),
            ),
        });
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        index.insert(Arc::clone(name), slots.len());
        slots.push(Arc::clone(&slot));
        slot
    }

    /// Forgets the hosts that are not to stay.
    pub fn retain(&self, stays: &dyn Fn(&str) -> bool) {
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|slot| stays(&slot.name));
        index.clear();
        let names = slots.iter().map(|s| Arc::clone(&s.name));
        index.extend(names.enumerate().map(|(i, name)| (name, i)));
    }

    /// The host of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Arc<HostSlot>> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        index.get(name).and_then(|i| slots.get(*i)).cloned()
    }

    /// All names, in order.
    #[must_use]
    pub fn names(&self) -> Vec<Arc<str>> {
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        slots.iter().map(|s| Arc::clone(&s.name)).collect()
    }
}

/// What a play's tasks share.
#[derive(Clone)]
pub struct PlayCx {
    /// The play.
    pub play: Arc<Play>,
    /// `vars:` of the play.
    pub vars: Arc<Map>,
    /// `vars_prompt`.
    pub prompted: Arc<Map>,
    /// Variables that Ansible sets for all hosts of the play (`groups`, `play_hosts`, …).
    pub magic: Arc<Map>,
    /// Defaults of the roles whose variables the play sees.
    pub role_defaults: Vec<Arc<Map>>,
    /// Their `vars/`.
    pub role_vars: Vec<Arc<Map>>,
}

/// A host in a play.
pub struct HostState {
    /// Its variables.
    pub slot: Arc<HostSlot>,
    /// Where it stands.
    pub cursor: Cursor,
    /// `vars_files` of the play, read for this host.
    pub files: Arc<Map>,
    /// What it notified since handlers last ran: names are looked up when they run, so that the
    /// handler defined last is meant.
    pub pending: Vec<String>,
    /// Handlers (by number) that are to run.
    pub notified: BTreeSet<usize>,
    /// Roles of which a task ran.
    pub roles_begun: HashSet<String>,
    /// Roles that ran.
    pub roles_done: HashSet<String>,
    /// Whether it cannot be reached.
    pub unreachable: bool,
    /// Whether it was told to leave the play.
    pub ended: bool,
    /// The recap's numbers.
    pub counters: Counters,
}

/// A task as a step sees it: what is the same for all hosts is worked out once.
#[derive(Clone)]
pub struct TaskView {
    /// The task.
    pub task: Arc<Task>,
    /// As views see it.
    pub info: Arc<TaskInfo>,
    /// Layers that depend on where the task stands.
    inner: Arc<Map>,
    include: Arc<Map>,
    include_items: Arc<Map>,
    role_defaults: Vec<Arc<Map>>,
    role_vars: Vec<Arc<Map>>,
    role_params: Vec<Arc<Map>>,
    magic: Arc<Map>,
    /// What `remote_user` says, where it stands.
    login: Option<Arc<Map>>,
}

impl TaskView {
    /// Works out what all hosts share.
    #[must_use]
    pub fn new(task: &Arc<Task>, info: Arc<TaskInfo>, play: &Play) -> Self {
        let mut roles: Vec<&Arc<RoleUse>> = task.scope.roles().collect();
        roles.reverse();
        let layers = |pick: fn(&RoleUse) -> &Arc<Map>| -> Vec<Arc<Map>> {
            roles.iter().map(|r| Arc::clone(pick(r))).collect()
        };
        // The defaults of dependencies are the weakest; their `vars/` win over those of the roles
        // around the task's own.
        let needs = roles.last().map(|r| r.all_dependencies());
        let needs = needs.unwrap_or_default();
        let mut role_defaults: Vec<_> = needs.iter().map(|r| Arc::clone(&r.defaults)).collect();
        role_defaults.extend(layers(|r| &r.defaults));
        let mut role_vars = layers(|r| &r.vars);
        let own = role_vars.len().saturating_sub(1);
        role_vars.splice(own..own, needs.iter().map(|r| Arc::clone(&r.vars)));
        let (include, include_items) = task.scope.include_vars();
        Self {
            inner: Arc::new(task.scope.inner_vars()),
            include: Arc::new(include),
            include_items: Arc::new(include_items),
            role_defaults,
            role_vars,
            role_params: layers(|r| &r.params),
            magic: Arc::new(task_magic(task, play, &roles)),
            login: (task
                .find(Kw::RemoteUser)
                .filter(|s| !s.value.has_template()))
            .map(|s| login(&s.value)),
            task: Arc::clone(task),
            info,
        }
    }

    /// The same with another task in its place, and variables that win over all others.
    #[must_use]
    pub fn with(&self, task: Arc<Task>, vars: &Map) -> Self {
        let mut magic = (*self.magic).clone();
        magic.extend(vars.iter().map(|(k, v)| (k.clone(), v.clone())));
        Self {
            task,
            magic: Arc::new(magic),
            ..self.clone()
        }
    }

    /// What the task sees on a host.
    #[must_use]
    pub fn stack(
        &self,
        run: &RunCx,
        play: &PlayCx,
        files: &Arc<Map>,
        (host, address): (&HostVars, &Arc<Map>),
    ) -> Stack {
        let mut stack = Stack::new(run.options.merge_hashes);
        stack.push(Layer::Address, address);
        if let Some(map) = self.login.as_ref().or(run.login.as_ref()) {
            stack.push(Layer::Login, map);
        }
        for map in play.role_defaults.iter().chain(&self.role_defaults) {
            stack.push(Layer::RoleDefaults, map);
        }
        host.lower(&mut stack);
        stack.push(Layer::PlayVars, &play.vars);
        stack.push(Layer::PlayPrompt, &play.prompted);
        stack.push(Layer::PlayFiles, files);
        for map in play.role_vars.iter().chain(&self.role_vars) {
            stack.push(Layer::RoleVars, map);
        }
        stack.push(Layer::TaskVars, &self.inner);
        host.upper(&mut stack);
        for map in &self.role_params {
            stack.push(Layer::RoleParams, map);
        }
        stack.push(Layer::IncludeParams, &self.include);
        stack.push(Layer::IncludeItems, &self.include_items);
        stack.push(Layer::Extra, &run.options.extra_vars);
        stack.push(Layer::Magic, &play.magic);
        stack.push(Layer::Magic, &self.magic);
        stack
    }
}

/// As whom to log in, under the names by which playbooks ask for it.
pub(super) fn login(user: &Value) -> Arc<Map> {
    let names = ["ansible_user", "ansible_ssh_user"];
    let entries = names.map(|name| (Key::from(name), user.clone()));
    Arc::new(entries.into_iter().collect())
}

/// Variables that Ansible sets for a task: where its files are looked for, and its role.
fn task_magic(task: &Task, play: &Play, roles: &[&Arc<RoleUse>]) -> Map {
    let mut map = match roles.last() {
        Some(role) => role_magic(role, roles),
        None => Map::new(),
    };
    let dirs = search_dirs(task, play);
    let dirs = dirs.iter().map(|d| here::absolute(d).display().to_string());
    map.insert(
        Key::from("ansible_search_path"),
        Value::list(dirs.map(Value::from).collect()),
    );
    map
}

fn role_magic(role: &RoleUse, chain: &[&Arc<RoleUse>]) -> Map {
    let mut map = role_variables(role);
    // Set only in a role that another one includes.
    if chain.len() < 2 {
        return map;
    }
    let parents: Vec<Value> = chain
        .iter()
        .rev()
        .skip(1)
        .map(|r| Value::from(r.name.as_str()))
        .collect();
    map.insert(Key::from("ansible_parent_role_names"), Value::list(parents));
    let paths: Vec<Value> = chain
        .iter()
        .rev()
        .skip(1)
        .map(|r| Value::from(r.path.display().to_string()))
        .collect();
    map.insert(Key::from("ansible_parent_role_paths"), Value::list(paths));
    map
}

/// Adds a host's own magic variables.
#[must_use]
pub fn with_host(mut stack: Stack, slot: &HostSlot) -> Stack {
    let magic = slot.magic.read().unwrap_or_else(PoisonError::into_inner);
    stack.push(Layer::Magic, &magic);
    stack
}

/// `hostvars`: every host's variables, each in its own scope.
pub struct HostsView {
    /// The hosts.
    pub hosts: Arc<Hosts>,
    /// Whether mappings add up (`hash_behaviour`).
    pub merge_hashes: bool,
    /// Layers that do not depend on the host.
    pub extra: Arc<Map>,
    /// The play's magic variables.
    pub magic: Arc<Map>,
}

impl std::fmt::Debug for HostsView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HostsView")
    }
}

impl Others for HostsView {
    fn of(&self, host: &str) -> Option<Arc<dyn Variables>> {
        let slot = self.hosts.get(host)?;
        let vars = slot.snapshot();
        let mut stack = Stack::new(self.merge_hashes);
        vars.lower(&mut stack);
        vars.upper(&mut stack);
        stack.push(Layer::Extra, &self.extra);
        stack.push(Layer::Magic, &self.magic);
        let stack = with_host(stack, &slot);
        Some(Arc::new(stack))
    }

    fn names(&self) -> Vec<Arc<str>> {
        self.hosts.names()
    }
}

impl RunCx {
    /// Evaluates a condition, and tells of braces around it that need not be there.
    ///
    /// # Errors
    /// When it cannot be evaluated or gives no truth value.
    pub fn condition(
        &self,
        condition: &Value,
        span: Option<&Span>,
        vars: &Arc<dyn Variables>,
    ) -> Result<bool> {
        let holds = self.templar.condition(condition, span, vars)?;
        if let Value::Template(t) = condition
            && self.templar.written(&t.text, vars).is_none()
        {
            let error = Error::new(
                ErrorKind::Template,
                "Conditionals should not be surrounded by templating delimiters such as {{ }} or {% %}.",
            );
            self.emit.run(EventKind::Notice {
                level: Level::Deprecation,
                text: super::told::told(&error.at_opt(t.span.as_ref().or(span))),
            });
        }
        Ok(holds)
    }

    /// The runner for a host and login; opened once and shared.
    ///
    /// # Errors
    /// When there is no way to the host.
    pub fn runner(&self, host: &Arc<str>, login: &Login) -> Result<SharedRunner> {
        let key = (Arc::clone(host), login.clone());
        let mut runners = self.runners.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(runner) = runners.get(&key) {
            return Ok(Arc::clone(runner));
        }
        // Opening is done under the lock: two tasks never open the same connection twice.
        let runner = self.connector.connect(host, login)?;
        if self.options.verbosity > 3
            && let Some(command) = runner.command()
        {
            self.emit.run(EventKind::Notice {
                level: Level::Verbose,
                text: format!("<{host}> EXEC {command}"),
            });
        }
        let runner = Arc::new(Mutex::new(runner));
        runners.insert(key, Arc::clone(&runner));
        Ok(runner)
    }

    /// Ends the processes that work on a host as this user. They come back when they are needed.
    pub fn close_runners_as(&self, host: &str, user: &str) {
        let mut runners = self.runners.lock().unwrap_or_else(PoisonError::into_inner);
        runners
            .retain(|(at, login), _| &**at != host || login.become_user.as_deref() != Some(user));
    }

    /// Folders in which a task's files are looked for, the nearest first.
    #[must_use]
    pub fn search_dirs(&self, task: &Task, play: &Play) -> Vec<PathBuf> {
        search_dirs(task, play)
    }
}

fn search_dirs(task: &Task, play: &Play) -> Vec<PathBuf> {
    let mut dirs: Vec<PathBuf> = task.scope.roles().map(|r| r.path.clone()).collect();
    let file = std::path::Path::new(&task.span.file.name);
    if let Some(dir) = file.parent() {
        dirs.push(dir.to_path_buf());
    }
    dirs.push(play.dir.clone());
    dirs.dedup();
    dirs
}

impl RunCx {
    /// A value as text, as Python's `str` writes it.
    #[must_use]
    pub fn text(&self, value: &Value) -> String {
        match value {
            Value::Bool(true) => "True".into(),
            Value::Bool(false) => "False".into(),
            Value::List(_) | Value::Map(_) => self.templar.text(value),
            scalar => crate::playbook::keyword::plain_text(scalar),
        }
    }
}
