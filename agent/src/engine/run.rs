//! A run: playbooks over an inventory, from the first play to the recap.

use super::context::TaskView;
use super::context::{Hosts, PlayCx, RunCx};
use super::emit::Emitter;
use super::groups::Groups;
use super::options::Options;
use super::play::Batch;
use super::result::Request;
use super::steps;
use super::stock::Restock;
use super::strategy::{self, Strategy};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Counters, EventKind, Level, PlayInfo, VERSION};
use crate::host::here;
use crate::playbook::keyword::{Kw, Setting, as_bool, plain_text};
use crate::playbook::play::Play;
use crate::template::Variables;
use crate::value::{Map, Value};
use crate::vars::{Layer, Stack};
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

/// Runs plays and keeps what outlives them.
pub struct Run {
    /// What tasks share.
    pub cx: Arc<RunCx>,
    /// Hosts and groups.
    pub groups: Groups,
    /// Playbooks and their plays.
    pub playbooks: Vec<(String, Vec<Arc<Play>>)>,
    /// Whether `--start-at-task` was reached.
    pub started: bool,
    /// Inventories and playbooks as they were given: the inventory may be read again.
    pub sources: Option<Restock>,
    /// Hosts and groups that tasks added.
    pub(super) added: Vec<(Arc<str>, Request)>,
    pub(super) halted: bool,
    /// The user left the run from the debugger.
    pub(super) left: bool,
    pub(super) ended_play: bool,
    pub(super) counters: HashMap<Arc<str>, Counters>,
    pub(super) failed: HashSet<Arc<str>>,
    pub(super) unreachable: HashSet<Arc<str>>,
    pub(super) roles_done: HashMap<Arc<str>, HashSet<String>>,
    pub(super) order: Vec<Arc<str>>,
    pub(super) ids: u64,
    step_all: bool,
}

/// Exit statuses of a run, as `ansible-playbook` has them.
pub mod status {
    /// All went well.
    pub const OK: i32 = 0;
    /// Something went wrong before or besides the plays.
    pub const ERROR: i32 = 1;
    /// A host failed.
    pub const FAILED: i32 = 2;
    /// A host could not be reached (wins over a failure).
    pub const UNREACHABLE: i32 = 4;
    /// The playbook cannot be read as one.
    pub const PARSER: i32 = 4;
    /// The user stopped the run.
    pub const STOPPED: i32 = 130;
}

impl Run {
    /// A run of `playbooks` over the hosts of `groups`.
    #[must_use]
    pub fn new(cx: RunCx, groups: Groups, playbooks: Vec<(String, Vec<Arc<Play>>)>) -> Self {
        Self {
            started: cx.options.start_at.is_none(),
            cx: Arc::new(cx),
            groups,
            playbooks,
            sources: None,
            added: Vec::new(),
            halted: false,
            left: false,
            ended_play: false,
            counters: HashMap::new(),
            failed: HashSet::new(),
            unreachable: HashSet::new(),
            roles_done: HashMap::new(),
            order: Vec::new(),
            ids: 0,
            step_all: false,
        }
    }

    /// Runs everything. The exit status is Ansible's.
    pub fn execute(mut self) -> i32 {
        let names = self.playbooks.iter().map(|(n, _)| n.clone()).collect();
        self.cx.emit.run(EventKind::RunStarted {
            version: VERSION,
            playbooks: names,
            check: self.cx.options.check,
            diff: self.cx.options.diff,
        });
        self.know_all_hosts();
        let mut broken = false;
        'books: for (name, plays) in std::mem::take(&mut self.playbooks) {
            let text = format!("{} plays in {name}", plays.len());
            self.cx.emit.run(EventKind::PlaybookStarted { name });
            if self.cx.options.verbosity >= 2 {
                let level = Level::Verbose;
                self.cx.emit.run(EventKind::Notice { level, text });
            }
            for play in plays {
                if let Err(error) = self.play(&play) {
                    self.cx.emit.run(EventKind::Notice {
                        level: Level::Error,
                        text: error.to_string(),
                    });
                    broken = true;
                    break 'books;
                }
                if self.halted || here::stopped() {
                    break 'books;
                }
            }
        }
        self.keep_facts();
        let status = self.status(broken);
        self.cx.emit.run(EventKind::RunFinished {
            stats: self.recap(),
            status,
        });
        status
    }

    fn status(&self, broken: bool) -> i32 {
        if here::stopped() {
            status::STOPPED
        } else if self.left {
            super::debugger::LEFT
        } else if broken {
            status::ERROR
        } else if !self.unreachable.is_empty() {
            status::UNREACHABLE
        } else if !self.failed.is_empty() {
            status::FAILED
        } else {
            status::OK
        }
    }

    fn recap(&self) -> Vec<(Arc<str>, Counters)> {
        let mut names = self.order.clone();
        names.sort();
        // Hosts that no task came to are left out, as Ansible does.
        names
            .into_iter()
            .filter_map(|n| Some((Arc::clone(&n), *self.counters.get(&n)?)))
            .filter(|(_, counters)| *counters != Counters::default())
            .collect()
    }

    fn play(&mut self, play: &Arc<Play>) -> Result<()> {
        self.ended_play = false;
        self.roles_done.clear();
        let mut cx = self.play_cx(play)?;
        let hosts = self.hosts_of(&cx)?;
        let name = self.shown_name(&cx, &Value::written(play.name(), None));
        let strategy = self.strategy(&cx)?;
        let info = |run: &mut Self, hosts: &[Arc<str>]| PlayInfo {
            id: run.next_id(),
            name: name.clone(),
            hosts: hosts.to_vec(),
            strategy: strategy.name.into(),
            check: super::play::checks(play.get(Kw::CheckMode), run.cx.options.check),
        };
        if hosts.is_empty() {
            let info = info(self, &[]);
            self.cx.emit.run(EventKind::PlayStarted { play: info });
            self.cx.emit.run(EventKind::NoHostsMatched);
            return Ok(());
        }
        let batches = self.batches(&cx, &hosts)?;
        for batch in batches {
            let batch: Vec<Arc<str>> = batch
                .into_iter()
                .filter(|h| !self.failed.contains(h) && !self.unreachable.contains(h))
                .collect();
            if batch.is_empty() || self.halted || self.ended_play || here::stopped() {
                break;
            }
            let info = info(self, &batch);
            self.cx.emit.run(EventKind::PlayStarted { play: info });
            for host in &batch {
                if !self.order.contains(host) {
                    self.order.push(Arc::clone(host));
                }
            }
            cx.magic = self.magic(&cx, &hosts, &batch);
            let size = batch.len();
            Batch::new(self, cx.clone(), strategy, &batch)?.execute();
            let out = batch
                .iter()
                .filter(|h| self.failed.contains(*h) || self.unreachable.contains(*h))
                .count();
            if out == size {
                // As Ansible: a batch in which nobody is left ends the play.
                break;
            }
        }
        Ok(())
    }

    /// What all hosts of a play share.
    fn play_cx(&mut self, play: &Arc<Play>) -> Result<PlayCx> {
        let mut vars = Map::new();
        if let Some(setting) = play.scope.keywords.get(Kw::Vars) {
            crate::playbook::scope::extend_vars(&mut vars, setting);
        }
        let public: Vec<_> = play.roles.iter().filter(|r| r.public).collect();
        let mut cx = PlayCx {
            play: Arc::clone(play),
            vars: Arc::new(vars),
            prompted: Arc::default(),
            magic: Arc::default(),
            role_defaults: public.iter().map(|r| Arc::clone(&r.defaults)).collect(),
            role_vars: public.iter().map(|r| Arc::clone(&r.vars)).collect(),
        };
        cx.magic = self.magic(&cx, &[], &[]);
        cx.prompted = Arc::new(super::prompt::ask(self, &cx)?);
        Ok(cx)
    }

    /// The variables that a play's own keywords see: no host yet.
    #[must_use]
    pub fn play_stack(&self, cx: &PlayCx) -> Arc<dyn Variables> {
        let mut stack = Stack::default();
        for map in &cx.role_defaults {
            stack.push(Layer::RoleDefaults, map);
        }
        stack.push(Layer::PlayVars, &cx.vars);
        stack.push(Layer::PlayPrompt, &cx.prompted);
        for map in &cx.role_vars {
            stack.push(Layer::RoleVars, map);
        }
        stack.push(Layer::Extra, &self.cx.options.extra_vars);
        stack.push(Layer::Magic, &cx.magic);
        stack.with_others(steps::others(&self.cx, &cx.magic));
        Arc::new(stack)
    }

    fn resolve_play(&self, cx: &PlayCx, setting: &Setting) -> Result<Value> {
        self.cx
            .templar
            .resolve(&setting.value, &self.play_stack(cx))
            .map_err(|e| e.at(&setting.span))
    }

    /// A name, with the play's variables; as it is written where those do not suffice.
    pub(super) fn shown_name(&self, cx: &PlayCx, value: &Value) -> String {
        plain_text(&self.shown_value(cx, value))
    }

    /// A value, in the same way.
    pub(super) fn shown_value(&self, cx: &PlayCx, value: &Value) -> Value {
        let resolved = self.cx.templar.resolve(value, &self.play_stack(cx));
        resolved.unwrap_or_else(|_| value.clone())
    }

    pub(super) fn flag(&self, cx: &PlayCx, kw: Kw) -> Result<bool> {
        let Some(setting) = cx.play.get(kw) else {
            return Ok(false);
        };
        let value = self.resolve_play(cx, setting)?;
        Ok(as_bool(&plain_text(&value)).unwrap_or_else(|| value.is_truthy()))
    }

    /// The play's strategy.
    fn strategy(&self, cx: &PlayCx) -> Result<&'static Strategy> {
        match cx.play.get(Kw::Strategy) {
            None => strategy::find(&self.cx.options.strategy),
            Some(setting) => {
                let name = plain_text(&self.resolve_play(cx, setting)?);
                strategy::find(&name).map_err(|e| e.at(&setting.span))
            }
        }
    }

    pub(super) fn percentage(&self, cx: &PlayCx, kw: Kw) -> Result<Option<f64>> {
        let Some(setting) = cx.play.get(kw) else {
            return Ok(None);
        };
        let text = plain_text(&self.resolve_play(cx, setting)?);
        text.trim()
            .trim_end_matches('%')
            .parse()
            .map(Some)
            .map_err(|_| {
                Error::new(
                    ErrorKind::Syntax,
                    format!("`{}` must be a number, not `{text}`", kw.name()),
                )
                .at(&setting.span)
            })
    }

    /// The hosts that a play's pattern means, in the order it asks for.
    fn hosts_of(&mut self, cx: &PlayCx) -> Result<Vec<Arc<str>>> {
        let play = &cx.play;
        let Some(setting) = play.get(Kw::Hosts) else {
            return Ok(Vec::new());
        };
        let value = self.resolve_play(cx, setting)?;
        let pattern = match &value {
            Value::List(items) => items.iter().map(plain_text).collect::<Vec<_>>().join(","),
            single => plain_text(single),
        };
        let order = match play.get(Kw::Order) {
            Some(setting) => {
                let order = plain_text(&self.resolve_play(cx, setting)?);
                known_order(&order).map_err(|e| e.at(&setting.span))?;
                order
            }
            None => String::new(),
        };
        let hosts = self
            .groups
            .matching(&pattern, self.cx.options.limit.as_deref(), &order)
            .map_err(|e| e.at(&setting.span))?;
        match self.groups.problems(&hosts).into_iter().next() {
            Some(error) => Err(error),
            None => Ok(hosts),
        }
    }

    pub(super) fn play_cx_plain(&self, play: &Arc<Play>) -> PlayCx {
        let mut vars = Map::new();
        if let Some(setting) = play.scope.keywords.get(Kw::Vars) {
            crate::playbook::scope::extend_vars(&mut vars, setting);
        }
        PlayCx {
            play: Arc::clone(play),
            vars: Arc::new(vars),
            prompted: Arc::default(),
            magic: Arc::default(),
            role_defaults: Vec::new(),
            role_vars: Vec::new(),
        }
    }

    /// `serial`: the hosts in batches.
    fn batches(&self, cx: &PlayCx, hosts: &[Arc<str>]) -> Result<Vec<Vec<Arc<str>>>> {
        let Some(setting) = cx.play.get(Kw::Serial) else {
            return Ok(vec![hosts.to_vec()]);
        };
        let value = self.resolve_play(cx, setting)?;
        if matches!(value, Value::Omit | Value::Null) {
            return Ok(vec![hosts.to_vec()]);
        }
        let sizes: Vec<usize> = match &value {
            Value::List(items) => items.to_vec(),
            single => vec![single.clone()],
        }
        .iter()
        .map(|v| batch_size(&plain_text(v), hosts.len()))
        .collect::<Option<_>>()
        .ok_or_else(|| {
            Error::new(
                ErrorKind::Syntax,
                "`serial` must be a number, a percentage, or a list of them",
            )
            .at(&setting.span)
        })?;
        let mut out = Vec::new();
        let mut rest = hosts;
        let mut sizes = sizes.iter().copied();
        let mut size = hosts.len();
        while !rest.is_empty() {
            // The last size holds for all batches that follow.
            size = sizes.next().unwrap_or(size);
            let take = if size == 0 {
                rest.len()
            } else {
                size.min(rest.len())
            };
            out.push(rest[..take].to_vec());
            rest = &rest[take..];
        }
        Ok(out)
    }

    pub(super) fn gathers(&self, play: &Play) -> bool {
        let given = play
            .get(Kw::GatherFacts)
            .and_then(|s| as_bool(&plain_text(&s.value)));
        steps::gathers(given, self.cx.options.gather)
    }

    /// `--step`: whether this task runs (on this host, where hosts go their own ways).
    pub(super) fn wanted_by_step(&mut self, view: &TaskView, host: Option<&str>) -> bool {
        if !self.cx.options.step || self.step_all {
            return true;
        }
        let kind = if view.task.handler { "HANDLER" } else { "TASK" };
        let on = host.map(|h| format!("on {h} ")).unwrap_or_default();
        let question = format!(
            "Perform task: {kind}: {} {on}(N)o/(y)es/(c)ontinue: ",
            view.info.name
        );
        let answer = here::ask(&question, true).ok().flatten();
        let wanted = match answer
            .unwrap_or_default()
            .trim()
            .to_ascii_lowercase()
            .as_str()
        {
            "y" | "yes" => true,
            "c" | "continue" => {
                self.step_all = true;
                true
            }
            _ => false,
        };
        self.cx.emit.run(EventKind::Notice {
            level: Level::Banner,
            text: question.trim_end().to_string(),
        });
        wanted
    }
}

/// # Errors
/// When `order` is none.
fn known_order(order: &str) -> Result<()> {
    const ORDERS: &[&str] = &[
        "inventory",
        "sorted",
        "reverse_sorted",
        "reverse_inventory",
        "shuffle",
    ];
    if order.is_empty() || ORDERS.contains(&order) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Syntax,
        format!("Invalid 'order' specified: {order}"),
    )
    .did_you_mean(order, ORDERS.iter().copied()))
}

fn batch_size(text: &str, total: usize) -> Option<usize> {
    match text.trim().strip_suffix('%') {
        Some(percent) => {
            let share: f64 = percent.trim().parse().ok()?;
            // As Ansible: rounded down, but at least one host.
            Some(((share / 100.0 * total as f64) as usize).max(1))
        }
        // As Ansible: no number of hosts, or fewer, means all of them.
        None => text.trim().parse::<i64>().ok().map(|n| n.max(0) as usize),
    }
}

/// A run's shared part.
#[must_use]
pub fn context(
    options: Options,
    templar: crate::template::Templar,
    emit: Emitter,
    vault: crate::playbook::vault::VaultKeys,
    connector: Arc<dyn super::context::Connector>,
) -> RunCx {
    let user = options.remote_user.as_deref();
    RunCx {
        library: super::library::Library::new(&options.library),
        login: user.map(|user| super::context::login(&Value::from(user))),
        options,
        templar,
        emit,
        vault,
        connector,
        runners: std::sync::Mutex::default(),
        added: std::sync::Mutex::default(),
        groups: super::action_groups::ActionGroups::default(),
        hosts: Arc::new(Hosts::default()),
        journal: std::sync::OnceLock::new(),
    }
}

/// Where a playbook's own `group_vars/` and `host_vars/` lie.
#[must_use]
pub fn vars_dir(playbook: &Path) -> std::path::PathBuf {
    playbook.parent().map(Path::to_path_buf).unwrap_or_default()
}
