//! `ansible.builtin.systemd_service`, also known as `systemd`.

use crate::error::Result;
use crate::host::Outcome;
use crate::module::systemd::{UnitParams, UnitState, UnitWish};
use crate::module::{Module, Plan, PlanCx, Returns, Rule};
use crate::params;

params! {
    /// Starts, stops, enables and masks systemd units.
    ///
    /// `started` and `stopped` do nothing if it is so already; `restarted` always acts, `reloaded` too;
    /// both start a unit that does not run.
    ///
    /// Without a running systemd (an image that is being built, a container) units can be enabled and
    /// masked, but not started: that is said in a warning.
    ///
    /// ```yaml
    /// - name: Docker runs, now and after a reboot
    ///   systemd:
    ///     name: docker
    ///     state: started
    ///     enabled: yes
    ///
    /// - name: Read unit files anew
    ///   ansible.builtin.systemd_service:
    ///     daemon_reload: true
    /// ```
    pub struct Systemd {
        /// The unit; `.service` may be left out.
        optional name | "service" | "unit": Option<String>,
        /// How it should be, or what should happen to it.
        optional state: Option<UnitState>,
        /// Whether it starts at boot.
        optional enabled: Option<bool>,
        flatten unit: UnitParams,
    }
    rules [
        // With a name alone the unit's status is asked for, as Ansible's module allows: its rule that
        // one of the others is needed is always met by the defaults of the reloads.
        Rule::Needs("state", &["name"]),
        Rule::Needs("enabled", &["name"]),
        Rule::Needs("masked", &["name"]),
    ]
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[
    ("name", "the unit"),
    ("state", "`started` or `stopped`"),
    ("enabled", "whether it starts at boot"),
    ("status", "all properties, as `systemctl show` prints them"),
];

impl Systemd {
    fn wish(&self) -> UnitWish {
        UnitWish {
            name: self.name.clone(),
            enabled: self.enabled,
            state: self.state,
            ..self.unit.wish()
        }
    }
}

impl Module for Systemd {
    fn plan(&self, cx: &PlanCx<'_>) -> Result<Plan> {
        self.wish().plan(cx)
    }

    fn finish(&self, _: &PlanCx<'_>, returns: &mut Returns, outcomes: &[Outcome]) -> Result<()> {
        self.wish().finish(returns, outcomes);
        Ok(())
    }
}
