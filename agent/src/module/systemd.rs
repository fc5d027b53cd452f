//! Bringing a systemd unit into a state: what `systemd`, `systemd_service` and `service` share.

use super::{Diff, Plan, PlanCx, Returns};
use crate::error::{Error, Result};
use crate::host::{Command, Consequence, Effect, HostView, Outcome, Output, Unit, UnitScope};
use crate::value::{Key, Map, Value};
use crate::{choices, params};
use std::path::Path;

choices! {
    /// How a service should be, or what should happen to it.
    pub enum UnitState {
        Started = "started",
        Stopped = "stopped",
        Restarted = "restarted",
        Reloaded = "reloaded",
    }
}

choices! {
    /// Whose systemd.
    pub enum Scope {
        System = "system",
        User = "user",
        Global = "global",
    }
}

impl From<Scope> for UnitScope {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::System => Self::System,
            Scope::User => Self::User,
            Scope::Global => Self::Global,
        }
    }
}

params! {
    /// What only systemd knows of a service.
    pub struct UnitParams {
        /// Whether existing links in the way are replaced (systemd).
        optional force: Option<bool>,
        /// Whether it cannot be started at all (systemd).
        optional masked: Option<bool>,
        /// Whether unit files are read anew, before anything else (systemd).
        default(false) daemon_reload | "daemon-reload": bool,
        /// Whether systemd itself is started anew, before anything else.
        default(false) daemon_reexec | "daemon-reexec": bool,
        /// Whose systemd: the machine's, the user's, or the configuration for all users.
        default(Scope::System) scope: Scope,
        /// Whether not to wait until it is done (systemd).
        default(false) no_block: bool,
    }
}

impl UnitParams {
    /// What these want of a unit that somebody else names.
    #[must_use]
    pub fn wish(&self) -> UnitWish {
        UnitWish {
            scope: self.scope.into(),
            daemon_reload: self.daemon_reload,
            daemon_reexec: self.daemon_reexec,
            masked: self.masked,
            force: self.force.unwrap_or(false),
            no_block: self.no_block,
            ..UnitWish::default()
        }
    }

    /// The first of them that says something.
    #[must_use]
    pub fn given(&self) -> Option<&'static str> {
        let all = [
            (self.force.is_some(), "force"),
            (self.masked.is_some(), "masked"),
            (self.daemon_reload, "daemon_reload"),
            (self.daemon_reexec, "daemon_reexec"),
            (self.scope != Scope::System, "scope"),
            (self.no_block, "no_block"),
        ];
        all.into_iter()
            .find_map(|(given, name)| given.then_some(name))
    }
}

/// What is wanted of a unit. The steps are taken in the order of the fields below `name`.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct UnitWish {
    pub scope: UnitScope,
    pub name: Option<String>,
    pub daemon_reload: bool,
    pub daemon_reexec: bool,
    pub masked: Option<bool>,
    pub enabled: Option<bool>,
    pub state: Option<UnitState>,
    pub force: bool,
    pub no_block: bool,
}

/// One step. A plan takes one at a time, since each may change what the next one finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Reload,
    Reexec,
    Mask(bool),
    Enable(bool),
    State(UnitState),
}

/// What a step comes to: a verb of `systemctl`, and words for the difference.
struct Act {
    verb: &'static str,
    before: &'static str,
    after: &'static str,
}

/// Whether systemd is the machine's service manager, and runs.
///
/// # Errors
/// When the host cannot be read.
pub fn is_running(host: &dyn HostView) -> Result<bool> {
    Ok(host.lstat(Path::new("/run/systemd/system"))?.is_some())
}

impl UnitWish {
    /// Plans the next step that is still needed.
    ///
    /// # Errors
    /// When the unit does not exist or cannot be loaded.
    pub fn plan(&self, cx: &PlanCx<'_>) -> Result<Plan> {
        let steps = self.steps();
        let last_taken = cx.stage.checked_sub(1).and_then(|at| steps.get(at));
        if let Some(message) = last_taken.and_then(|step| self.complaint(*step, cx.outcomes)) {
            return Ok(Plan::returning(self.failed(message)));
        }
        let target = Target::read(self, cx.host)?;
        let mut plan = Plan::returning(self.returns(target.as_ref()));
        for (at, step) in steps.iter().enumerate().skip(cx.stage) {
            let Some(act) = self.act(*step, target.as_ref(), &mut plan.returns)? else {
                continue;
            };
            // The stage's number tells which step was taken last, so steps that need nothing still
            // get a stage of their own.
            if at == cx.stage {
                self.push(&mut plan, *step, act);
            }
            plan.more = at > cx.stage || at + 1 < steps.len();
            break;
        }
        Ok(plan)
    }

    /// Judges the last step, which no later plan looked at.
    pub fn finish(&self, returns: &mut Returns, outcomes: &[Outcome]) {
        let last = self.steps().last().copied();
        if let Some(message) = last.and_then(|step| self.complaint(step, outcomes))
            && !returns.failed
        {
            returns.fail(message);
        }
    }

    fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        steps.extend(self.daemon_reload.then_some(Step::Reload));
        steps.extend(self.daemon_reexec.then_some(Step::Reexec));
        steps.extend(self.masked.map(Step::Mask));
        steps.extend(self.enabled.map(Step::Enable));
        steps.extend(self.state.map(Step::State));
        steps
    }

    fn systemctl(&self) -> Command {
        let mut command = Command::new(["systemctl"]);
        match self.scope {
            UnitScope::System => {}
            UnitScope::User => command.argv.push("--user".into()),
            UnitScope::Global => command.argv.push("--global".into()),
        }
        for (wanted, option) in [(self.no_block, "--no-block"), (self.force, "--force")] {
            if wanted {
                command.argv.push(option.into());
            }
        }
        command
    }

    fn returns(&self, target: Option<&Target>) -> Returns {
        let mut returns = Returns::default().with("name", self.name.clone());
        let mut status = Map::new();
        for (key, value) in target.iter().flat_map(|t| &t.unit.properties) {
            status.insert(Key::from(key.as_str()), Value::from(value));
        }
        returns.set("status", status);
        if let Some(enabled) = self.enabled {
            returns.set("enabled", enabled);
        }
        if let Some(state) = self.state {
            let word = match state {
                UnitState::Stopped => "stopped",
                _ => "started",
            };
            returns.set("state", word);
        }
        returns
    }

    fn failed(&self, message: String) -> Returns {
        let mut returns = Returns::default().with("name", self.name.clone());
        returns.fail(message);
        returns
    }

    /// What to do for a step; nothing if it is so already.
    fn act(
        &self,
        step: Step,
        target: Option<&Target>,
        returns: &mut Returns,
    ) -> Result<Option<Act>> {
        let Some(target) = target else {
            return Ok(Some(manager_act(step)));
        };
        Ok(match step {
            Step::Reload | Step::Reexec => Some(manager_act(step)),
            Step::Mask(wanted) => (target.masked != wanted).then(|| match wanted {
                true => Act::new("mask", "unmasked", "masked"),
                false => Act::new("unmask", "masked", "unmasked"),
            }),
            Step::Enable(wanted) => {
                target.must_exist()?;
                (target.enabled != wanted).then(|| match wanted {
                    true => Act::new("enable", "disabled", "enabled"),
                    false => Act::new("disable", "enabled", "disabled"),
                })
            }
            Step::State(wanted) => {
                target.must_exist()?;
                if !target.unit.properties.contains_key("ActiveState") {
                    target.unknown_state(returns)?;
                    return Ok(None);
                }
                target.state_act(wanted)
            }
        })
    }

    fn push(&self, plan: &mut Plan, step: Step, act: Act) {
        let mut command = self.systemctl();
        command.argv.push(act.verb.into());
        let name = self.name.clone().unwrap_or_default();
        if !matches!(step, Step::Reload | Step::Reexec) {
            command.argv.push(name.clone());
        }
        let effect = command.then(vec![Consequence::Unit {
            scope: self.scope,
            name: name.clone(),
            active: matches!(step, Step::State(_)).then(|| act.verb != "stop"),
            enabled: match step {
                Step::Enable(wanted) => Some(wanted),
                _ => None,
            },
            masked: match step {
                Step::Mask(wanted) => Some(wanted),
                _ => None,
            },
        }]);
        match step {
            // Reading unit files anew is not reported as a change, as in Ansible.
            Step::Reload | Step::Reexec => plan.act(effect_without(effect)),
            _ => plan.change(
                Diff::new(
                    name,
                    format!("{}\n", act.before),
                    format!("{}\n", act.after),
                ),
                effect,
            ),
        }
    }

    /// Why the step failed, if its command did.
    fn complaint(&self, step: Step, outcomes: &[Outcome]) -> Option<String> {
        let Some(Outcome::Ran(output)) = outcomes.last() else {
            return None;
        };
        if output.success() {
            return None;
        }
        let name = self.name.as_deref().unwrap_or_default();
        let err = text_of(output);
        Some(match step {
            Step::Reload => format!("failure {} during daemon-reload: {err}", output.rc),
            Step::Reexec => format!("failure {} during daemon-reexec: {err}", output.rc),
            Step::Mask(true) => format!("Failed to mask the service ({name}): {err}"),
            Step::Mask(false) => format!("Failed to unmask the service ({name}): {err}"),
            Step::Enable(true) => format!("Unable to enable service {name}: {err}"),
            Step::Enable(false) => format!("Unable to disable service {name}: {err}"),
            Step::State(UnitState::Stopped) => format!("Unable to stop service {name}: {err}"),
            Step::State(UnitState::Restarted) => format!("Unable to restart service {name}: {err}"),
            Step::State(UnitState::Reloaded) => format!("Unable to reload service {name}: {err}"),
            Step::State(UnitState::Started) => format!("Unable to start service {name}: {err}"),
        })
    }
}

impl Act {
    const fn new(verb: &'static str, before: &'static str, after: &'static str) -> Self {
        Self {
            verb,
            before,
            after,
        }
    }
}

/// The manager's own steps concern no unit: an overlay has nothing to remember of them.
fn effect_without(effect: Effect) -> Effect {
    match effect {
        Effect::Run { command, .. } => command.effect(),
        other => other,
    }
}

fn manager_act(step: Step) -> Act {
    match step {
        Step::Reexec => Act::new("daemon-reexec", "", ""),
        _ => Act::new("daemon-reload", "", ""),
    }
}

fn text_of(output: &Output) -> String {
    let (err, out) = (output.err(), output.out());
    let text = if err.trim().is_empty() { out } else { err };
    match text.trim() {
        "" if output.timed_out => "it took too long".into(),
        "" => format!("systemctl ended with status {}", output.rc),
        text => text.into(),
    }
}

/// A unit as it is.
struct Target {
    name: String,
    unit: Unit,
    exists: bool,
    masked: bool,
    enabled: bool,
    /// Whether there is no running systemd to ask.
    offline: bool,
}

/// States of unit files that mean that the unit exists.
const FILE_STATES: &[&str] = &[
    "enabled",
    "enabled-runtime",
    "linked",
    "linked-runtime",
    "masked",
    "masked-runtime",
    "static",
    "indirect",
    "disabled",
    "generated",
    "transient",
    "alias",
];

impl Target {
    fn read(wish: &UnitWish, host: &dyn HostView) -> Result<Option<Self>> {
        let Some(name) = wish.name.clone() else {
            return Ok(None);
        };
        if let Some(sign) = ["*", "?", "["].iter().find(|s| name.contains(**s)) {
            return Err(Error::params(format!(
                "This module does not currently support using glob patterns, found '{sign}' in service name: {name}"
            )));
        }
        let offline = host.env("SYSTEMD_OFFLINE").as_deref() == Some("1") || !is_running(host)?;
        let unit = match wish.scope {
            // Nobody can be asked, but check mode may remember what a package would bring.
            UnitScope::System if offline => remembered(host, &name),
            // `show` knows nothing of the configuration for all users.
            UnitScope::Global => Unit::default(),
            scope => host.unit(scope, &name)?,
        };
        let mut file_state = unit.get("UnitFileState").to_string();
        // What a generator made out of an init script is enabled where the script is.
        if unit.properties.is_empty() || file_state == "generated" {
            file_state = asked_file_state(wish, host, &name)?;
        }
        let load_state = unit.get("LoadState");
        if unit.exists() && load_state != "masked" && !unit.get("LoadError").is_empty() {
            return Err(Error::host(format!(
                "Error loading unit file '{name}': {}",
                unit.get("LoadError")
            )));
        }
        let script = Path::new("/etc/init.d").join(&name);
        Ok(Some(Self {
            exists: unit.exists()
                || FILE_STATES.contains(&file_state.as_str())
                || host.lstat(&script)?.is_some(),
            masked: file_state == "masked"
                || load_state == "masked" && file_state != "masked-runtime",
            enabled: matches!(file_state.as_str(), "enabled" | "static" | "generated"),
            name,
            unit,
            offline,
        }))
    }

    fn must_exist(&self) -> Result<()> {
        if self.exists {
            return Ok(());
        }
        let error = Error::host(format!(
            "Could not find the requested service {}: host",
            self.name
        ));
        Err(match self.offline {
            true => error.hint("systemd does not run here: only unit files on disk are known"),
            false => error,
        })
    }

    /// Nobody knows whether the unit runs: a warning where that is to be expected.
    fn unknown_state(&self, returns: &mut Returns) -> Result<()> {
        if !self.offline {
            return Err(Error::host("Service is in unknown state"));
        }
        let warning = "Target is a chroot or systemd is offline. This can lead to false positives or \
                       prevent the init system tools from working.";
        if !returns.warnings.iter().any(|w| w == warning) {
            returns.warnings.push(warning.into());
        }
        Ok(())
    }

    fn state_act(&self, wanted: UnitState) -> Option<Act> {
        let state = self.unit.get("ActiveState");
        let runs = matches!(state, "active" | "activating");
        match wanted {
            UnitState::Stopped => (runs || matches!(state, "deactivating" | "reloading"))
                .then(|| Act::new("stop", "started", "stopped")),
            UnitState::Started if runs || state == "reloading" => None,
            UnitState::Restarted if runs => Some(Act::new("restart", "started", "restarted")),
            UnitState::Reloaded if runs => Some(Act::new("reload", "started", "reloaded")),
            _ => Some(Act::new("start", "stopped", "started")),
        }
    }
}

/// What is known of a unit without a running systemd: that it does not run is not known.
fn remembered(host: &dyn HostView, name: &str) -> Unit {
    let mut unit = host.unit(UnitScope::System, name).unwrap_or_default();
    if !unit.exists() {
        return Unit::default();
    }
    if !unit.is_active() {
        unit.properties.remove("ActiveState");
    }
    unit
}

/// The state of the unit file as `systemctl is-enabled` words it.
fn asked_file_state(wish: &UnitWish, host: &dyn HostView, name: &str) -> Result<String> {
    if host.which("systemctl")?.is_none() {
        return Err(
            Error::host("Failed to find required executable \"systemctl\"")
                .hint("this host has no systemd; `service` works with other service managers"),
        );
    }
    let mut command = wish.systemctl();
    command.argv.extend(["is-enabled".into(), name.into()]);
    Ok(host.query(&command)?.out().trim().to_string())
}
