//! `ansible.builtin.group`.

use crate::error::Result;
use crate::host::{Command, Consequence, Group as Account, HostView, Outcome};
use crate::module::{Diff, Module, Plan, PlanCx, Returns};
use crate::value::Value;
use crate::{choices, params};
use std::path::Path;

choices! {
    /// Whether it is there.
    pub enum State { Present = "present", Absent = "absent" }
}

params! {
    /// Makes, changes and removes groups of users.
    ///
    /// ```yaml
    /// - group:
    ///     name: llm
    ///     gid: 1800
    ///     system: true
    /// ```
    pub struct Group {
        /// The group.
        required name: String,
        /// Whether it is there.
        default(State::Present) state: State,
        /// Its number.
        optional gid: Option<u32>,
        /// Whether a new group gets a number of the range for the system's own.
        default(false) system: bool,
        /// Only the host's own files are looked at and changed (`lgroupadd` and its like).
        default(false) local: bool,
        /// Whether another group may have the same number.
        default(false) non_unique: bool,
        /// Whether it is removed even if it is some user's primary group.
        default(false) force: bool,
        /// Least number for a new group.
        optional gid_min: Option<u32>,
        /// Greatest number for a new group.
        optional gid_max: Option<u32>,
    }
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[
    ("name", "the group"),
    ("gid", "its number"),
    ("state", "whether it is there"),
    ("system", "whether a number for the system's own was asked"),
];

impl Module for Group {
    fn plan(&self, cx: &PlanCx<'_>) -> Result<Plan> {
        let current = self.current(cx.host)?;
        let mut plan = Plan::default();
        plan.returns
            .set("name", self.name.as_str())
            .set("state", self.state.word());
        match (self.state, &current) {
            (State::Absent, Some(group)) => self.remove(group, &mut plan),
            (State::Absent, None) => {}
            (State::Present, None) => self.add(&mut plan),
            (State::Present, Some(group)) => self.modify(group, &mut plan),
        }
        if self.state == State::Present {
            plan.returns.set("system", self.system);
        }
        Ok(plan)
    }

    fn finish(&self, cx: &PlanCx<'_>, returns: &mut Returns, outcomes: &[Outcome]) -> Result<()> {
        if let Some(Outcome::Ran(output)) = outcomes.last() {
            for (name, text) in [("stdout", output.out()), ("stderr", output.err())] {
                if !text.is_empty() {
                    returns.set(name, text);
                }
            }
            if !output.success() {
                returns.set("rc", output.rc).fail(output.err());
            }
        }
        if self.state == State::Present
            && let Some(group) = self.current(cx.host)?
        {
            returns.set("gid", group.gid);
        }
        Ok(())
    }
}

impl Group {
    fn current(&self, host: &dyn HostView) -> Result<Option<Account>> {
        if self.local {
            let table = host.read(Path::new("/etc/group"))?.unwrap_or_default();
            let text = String::from_utf8_lossy(&table).into_owned();
            let prefix = format!("{}:", self.name);
            if !text.lines().any(|l| l.starts_with(&prefix)) {
                return Ok(None);
            }
        }
        host.group(&self.name)
    }

    /// The program, or its namesake that only knows local files.
    fn program(&self, name: &str) -> String {
        if self.local {
            format!("l{name}")
        } else {
            name.into()
        }
    }

    fn add(&self, plan: &mut Plan) {
        let mut argv = vec![self.program("groupadd")];
        if let Some(gid) = self.gid {
            argv.extend(["-g".into(), gid.to_string()]);
            if self.non_unique {
                argv.push("-o".into());
            }
        }
        if self.system {
            argv.push("-r".into());
        }
        for (given, key) in [(self.gid_min, "GID_MIN"), (self.gid_max, "GID_MAX")] {
            if let Some(number) = given {
                argv.extend(["-K".into(), format!("{key}={number}")]);
            }
        }
        argv.push(self.name.clone());
        let group = Account {
            name: self.name.clone(),
            gid: self.gid.unwrap_or_default(),
            members: Vec::new(),
        };
        let then = Consequence::Group {
            group,
            id_known: self.gid.is_some(),
        };
        let after = self
            .gid
            .map_or("present\n".into(), |gid| format!("gid {gid}\n"));
        plan.change(
            Diff::new(format!("group {}", self.name), Value::Null, after),
            Command::new(argv).then(vec![then]),
        );
    }

    fn modify(&self, current: &Account, plan: &mut Plan) {
        let Some(gid) = self.gid.filter(|gid| *gid != current.gid) else {
            return;
        };
        let mut argv = vec![self.program("groupmod"), "-g".into(), gid.to_string()];
        if self.non_unique {
            argv.push("-o".into());
        }
        argv.push(self.name.clone());
        let group = Account {
            gid,
            ..current.clone()
        };
        let then = Consequence::Group {
            group,
            id_known: true,
        };
        plan.change(
            Diff::new(
                format!("group {}", self.name),
                format!("gid {}\n", current.gid),
                format!("gid {gid}\n"),
            ),
            Command::new(argv).then(vec![then]),
        );
    }

    fn remove(&self, current: &Account, plan: &mut Plan) {
        let mut argv = vec![self.program("groupdel")];
        if self.force && !self.local {
            argv.push("-f".into());
        }
        argv.push(self.name.clone());
        let then = Consequence::GroupGone {
            name: self.name.clone(),
        };
        plan.change(
            Diff::new(
                format!("group {}", self.name),
                format!("gid {}\n", current.gid),
                Value::Null,
            ),
            Command::new(argv).then(vec![then]),
        );
    }
}
