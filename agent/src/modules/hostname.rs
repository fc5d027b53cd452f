//! `ansible.builtin.hostname`.

use crate::error::{Error, Result};
use crate::host::{Attrs, Command, Consequence, Content, Effect, HostView, Outcome};
use crate::module::command::complaint;
use crate::module::{Diff, Module, Plan, PlanCx, Returns, systemd};
use crate::params;
use crate::value::{Key, Map, Value};
use std::path::Path;

params! {
    /// Gives the host its name, now and at boot.
    ///
    /// ```yaml
    /// - hostname:
    ///     name: llm-worker-1
    /// ```
    pub struct Hostname {
        /// The name.
        required name: String,
        /// How names are set, if it is not to be found out: `systemd`, or anything else for `/etc/hostname`.
        optional r#use: Option<String>,
    }
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[
    ("name", "the name"),
    (
        "ansible_facts",
        "`hostname`, `nodename`, `fqdn` and `domain`, as they are then",
    ),
];

const PERMANENT: &str = "/etc/hostname";
const RUNNING: &str = "/proc/sys/kernel/hostname";

impl Module for Hostname {
    fn plan(&self, cx: &PlanCx<'_>) -> Result<Plan> {
        if self.name.is_empty() || self.name.len() > 64 || self.name.contains(char::is_whitespace) {
            return Err(Error::params(format!(
                "`{}` is no name for a host",
                self.name
            )));
        }
        let mut plan = Plan::default();
        plan.returns.set("name", self.name.as_str());
        plan.returns.facts = self.facts();
        let permanent = word(cx.host, PERMANENT)?;
        if permanent.as_deref() != Some(self.name.as_str()) {
            plan.change(
                Diff::new(PERMANENT, permanent.map(line), line(self.name.clone())),
                Effect::WriteFile {
                    path: PERMANENT.into(),
                    content: Content::Bytes(line(self.name.clone()).into_bytes()),
                    attrs: Attrs {
                        mode: Some(0o644),
                        ..Attrs::default()
                    },
                    backup: false,
                    validate: None,
                    in_place: true,
                },
            );
        }
        let running = match word(cx.host, RUNNING) {
            Err(e) if e.is_unknown() => Some(self.name.clone()),
            other => other?,
        };
        if running.as_deref().is_some_and(|now| now != self.name) {
            let with_systemd = match self.r#use.as_deref() {
                Some(strategy) => strategy == "systemd",
                None => systemd::is_running(cx.host)? && cx.host.which("hostnamectl")?.is_some(),
            };
            let command = match with_systemd {
                true => Command::new(["hostnamectl", "--transient", "set-hostname", &self.name]),
                false => Command::new(["hostname", &self.name]),
            };
            plan.change(
                Diff::new("hostname", running.map(line), line(self.name.clone())),
                command.then(vec![Consequence::PathUnknown {
                    path: RUNNING.into(),
                }]),
            );
        }
        Ok(plan)
    }

    fn finish(&self, _: &PlanCx<'_>, returns: &mut Returns, outcomes: &[Outcome]) -> Result<()> {
        for outcome in outcomes {
            if let Outcome::Ran(output) = outcome
                && !output.success()
            {
                returns.fail(format!(
                    "Command failed rc={}: {}",
                    output.rc,
                    complaint(output)
                ));
            }
        }
        Ok(())
    }
}

impl Hostname {
    fn facts(&self) -> Map {
        let (short, domain) = self.name.split_once('.').unwrap_or((&self.name, ""));
        [
            ("ansible_hostname", short),
            ("ansible_nodename", &self.name),
            ("ansible_fqdn", &self.name),
            ("ansible_domain", domain),
        ]
        .into_iter()
        .map(|(k, v)| (Key::from(k), Value::from(v)))
        .collect()
    }
}

fn line(name: String) -> String {
    name + "\n"
}

/// The first line that says something.
fn word(host: &dyn HostView, path: &str) -> Result<Option<String>> {
    let bytes = host.read(Path::new(path))?.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let mut lines = text.lines().map(str::trim);
    Ok(lines
        .find(|l| !l.is_empty() && !l.starts_with('#'))
        .map(String::from))
}
