//! `ansible.builtin.service`.

use crate::error::{Error, Result};
use crate::host::{Command, HostView, Outcome};
use crate::module::command::complaint;
use crate::module::systemd::{self, UnitParams, UnitState, UnitWish};
use crate::module::{Diff, Module, Plan, PlanCx, Returns, shlex};
use crate::params;
use std::path::Path;

params! {
    /// Starts, stops and enables services, whatever manages them: systemd, OpenRC or init scripts.
    ///
    /// ```yaml
    /// - service:
    ///     name: nginx
    ///     state: restarted
    ///     enabled: true
    /// ```
    pub struct Service {
        /// The service.
        required name: String,
        /// How it should be, or what should happen to it.
        optional state: Option<UnitState>,
        /// Whether it starts at boot.
        optional enabled: Option<bool>,
        /// Text to look for in the process table where an init script has no `status`.
        optional pattern: Option<String>,
        /// Seconds between stop and start of a restart (init scripts only).
        optional sleep: Option<u64>,
        /// Runlevel in which it starts (OpenRC only).
        default("default".to_string()) runlevel: String,
        /// More arguments for the init script.
        default(String::new()) arguments | "args": String,
        flatten unit: UnitParams,
        /// The service manager, if it is not to be found out: `systemd`, `openrc`, `sysvinit` or `service`.
        default("auto".to_string()) r#use: String,
    }
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[
    ("name", "the service"),
    ("state", "`started` or `stopped`"),
    ("enabled", "whether it starts at boot"),
    ("status", "all properties of the unit (systemd only)"),
];

#[derive(Clone, Copy, PartialEq)]
enum Manager {
    Systemd,
    OpenRc,
    Scripts,
}

impl Module for Service {
    fn plan(&self, cx: &PlanCx<'_>) -> Result<Plan> {
        match self.manager(cx.host)? {
            Manager::Systemd => {
                let mut plan = self.wish().plan(cx)?;
                self.warn_ignored(&mut plan.returns);
                Ok(plan)
            }
            manager => {
                self.check_for_scripts()?;
                self.plan_scripts(cx, manager)
            }
        }
    }

    fn finish(&self, cx: &PlanCx<'_>, returns: &mut Returns, outcomes: &[Outcome]) -> Result<()> {
        if self.manager(cx.host)? == Manager::Systemd {
            self.wish().finish(returns, outcomes);
            return Ok(());
        }
        for outcome in outcomes {
            if let Outcome::Ran(output) = outcome
                && !output.success()
            {
                returns.fail(format!("service {}: {}", self.name, complaint(output)));
            }
        }
        Ok(())
    }
}

impl Service {
    fn manager(&self, host: &dyn HostView) -> Result<Manager> {
        match self.r#use.as_str() {
            "systemd" | "ansible.builtin.systemd" | "systemd_service" => {
                return Ok(Manager::Systemd);
            }
            "openrc" => return Ok(Manager::OpenRc),
            "service" | "sysvinit" | "ansible.builtin.service" | "ansible.builtin.sysvinit" => {
                return Ok(Manager::Scripts);
            }
            "auto" => {}
            other => {
                return Err(Error::params(format!(
                    "`{other}` is no service manager that is known"
                ))
                .did_you_mean(other, ["auto", "systemd", "openrc", "sysvinit", "service"]));
            }
        }
        if systemd::is_running(host)? {
            return Ok(Manager::Systemd);
        }
        if host.which("rc-service")?.is_some() {
            return Ok(Manager::OpenRc);
        }
        // Where nothing runs (an image that is being built), the unit files decide.
        let has_script = host.lstat(&self.script())?.is_some();
        Ok(match !has_script && host.which("systemctl")?.is_some() {
            true => Manager::Systemd,
            false => Manager::Scripts,
        })
    }

    fn script(&self) -> std::path::PathBuf {
        Path::new("/etc/init.d").join(&self.name)
    }

    fn wish(&self) -> UnitWish {
        UnitWish {
            name: Some(self.name.clone()),
            enabled: self.enabled,
            state: self.state,
            ..self.unit.wish()
        }
    }

    /// What only systemd knows, and what other managers need to be told.
    fn check_for_scripts(&self) -> Result<()> {
        if let Some(name) = self.unit.given() {
            return Err(Error::params(format!(
                "Unsupported parameters for (service) module: {name}"
            ))
            .hint("only systemd knows it, and another service manager looks after this host"));
        }
        if self.state.is_none() && self.enabled.is_none() {
            return Err(Error::params(
                "one of the following is required: state, enabled",
            ));
        }
        Ok(())
    }

    /// As Ansible, where the same parameters mean nothing.
    fn warn_ignored(&self, returns: &mut Returns) {
        for (given, name) in [
            (self.pattern.is_some(), "pattern"),
            (self.sleep.is_some(), "sleep"),
            (self.runlevel != "default", "runlevel"),
            (!self.arguments.is_empty(), "arguments"),
        ] {
            if given {
                let warning = format!("Ignoring \"{name}\" as it is not used in \"systemd\"");
                returns.warnings.push(warning);
            }
        }
    }

    fn plan_scripts(&self, cx: &PlanCx<'_>, manager: Manager) -> Result<Plan> {
        if cx.host.lstat(&self.script())?.is_none() {
            return Err(Error::host(format!(
                "Could not find the requested service {}: host",
                self.name
            )));
        }
        let mut plan = Plan::default();
        plan.returns.set("name", self.name.as_str());
        if let Some(enabled) = self.enabled {
            plan.returns.set("enabled", enabled);
            if self.is_enabled(cx.host, manager)? != enabled {
                let (before, after) = ("disabled\n", "enabled\n");
                let diff = match enabled {
                    true => Diff::new(&*self.name, before, after),
                    false => Diff::new(&*self.name, after, before),
                };
                plan.change(diff, self.enable(enabled, manager).effect());
            }
        }
        if let Some(state) = self.state {
            let stopped = state == UnitState::Stopped;
            plan.returns
                .set("state", if stopped { "stopped" } else { "started" });
            self.plan_state(cx.host, manager, state, &mut plan)?;
        }
        Ok(plan)
    }

    fn plan_state(
        &self,
        host: &dyn HostView,
        manager: Manager,
        state: UnitState,
        plan: &mut Plan,
    ) -> Result<()> {
        let runs = self.runs(host, manager)?;
        let verbs: &[&str] = match state {
            UnitState::Started if runs => &[],
            UnitState::Stopped if runs => &["stop"],
            UnitState::Stopped => &[],
            UnitState::Restarted if runs && self.sleep.is_some() => &["stop", "start"],
            UnitState::Restarted if runs => &["restart"],
            UnitState::Reloaded if runs => &["reload"],
            _ => &["start"],
        };
        for verb in verbs {
            let words = ["stopped\n", "started\n"];
            let after = words[usize::from(*verb != "stop")];
            let before = words[usize::from(runs)];
            let mut command = self.call(manager, verb);
            if *verb == "start"
                && let (Some(seconds), [_, _]) = (self.sleep, verbs)
            {
                let script = format!("sleep {seconds}; exec {}", shlex::join(&command.argv));
                command = Command::new(["/bin/sh", "-c", &script]);
            }
            plan.change(Diff::new(&*self.name, before, after), command.effect());
        }
        Ok(())
    }

    fn call(&self, manager: Manager, verb: &str) -> Command {
        let program = match manager {
            Manager::OpenRc => "rc-service",
            _ => "service",
        };
        let more = self.arguments.split_whitespace();
        Command::new([program, &self.name, verb].into_iter().chain(more))
    }

    fn runs(&self, host: &dyn HostView, manager: Manager) -> Result<bool> {
        if let Some(pattern) = &self.pattern {
            let table = host.query(&Command::new(["ps", "axww", "-o", "args"]))?;
            let lines = table.out();
            return Ok(lines
                .lines()
                .any(|l| l.contains(pattern.as_str()) && !l.contains("pattern=")));
        }
        let output = host.query(&self.call(manager, "status"))?;
        let says = output.out().to_lowercase();
        // Some scripts end with 0 and say that nothing runs.
        let denies = ["not running", "is stopped", "stopped"]
            .iter()
            .any(|w| says.contains(w));
        Ok(output.success() && !denies)
    }

    fn is_enabled(&self, host: &dyn HostView, manager: Manager) -> Result<bool> {
        if manager == Manager::OpenRc {
            let link = Path::new("/etc/runlevels")
                .join(&self.runlevel)
                .join(&self.name);
            return Ok(host.lstat(&link)?.is_some());
        }
        for level in ["2", "3", "4", "5"] {
            let dir = format!("/etc/rc{level}.d");
            let names = host.list(Path::new(&dir))?.unwrap_or_default();
            // `S20nginx`
            if names
                .iter()
                .any(|n| n.starts_with('S') && n.get(3..) == Some(&self.name))
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn enable(&self, enabled: bool, manager: Manager) -> Command {
        let name = self.name.as_str();
        match (manager, enabled) {
            (Manager::OpenRc, true) => Command::new(["rc-update", "add", name, &self.runlevel]),
            (Manager::OpenRc, false) => Command::new(["rc-update", "del", name, &self.runlevel]),
            // `defaults` makes the links that `enable` and `disable` then turn.
            (_, true) => Command::new([
                "/bin/sh",
                "-c",
                "update-rc.d \"$1\" defaults && update-rc.d \"$1\" enable",
                "sh",
                name,
            ]),
            (_, false) => Command::new(["update-rc.d", name, "disable"]),
        }
    }
}
