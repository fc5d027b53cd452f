//! What programs are declared to bring about, held as if they had.

use super::memory::{Memory, UnitState, unit_name};
use super::pending::ShippedUnit;
use super::*;
use crate::error::Result;
use std::path::Path;

/// Where unit files lie, best first.
const UNIT_FOLDERS: [&str; 5] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

impl Memory {
    /// Holds what a program brings about.
    pub fn consequence(&mut self, consequence: &Consequence) -> Result<()> {
        match consequence {
            Consequence::PackageInstalled { name, version } => self.installed(name, version)?,
            Consequence::PackageRemoved { name } => {
                self.packages.insert(name.clone(), None);
                self.pending.forget(name);
            }
            Consequence::Unit {
                scope,
                name,
                active,
                enabled,
                masked,
            } => {
                let key = (*scope, unit_name(name));
                let state = self.units.entry(key).or_default();
                state.active = active.or(state.active);
                state.enabled = enabled.or(state.enabled);
                state.masked = masked.or(state.masked);
            }
            Consequence::User { user, id_known } => self.user_is(user, *id_known)?,
            Consequence::UserGone { name } => {
                self.words.push(name.clone());
                self.memberships.remove(name);
                self.users.insert(name.clone(), None);
            }
            Consequence::Membership { user, groups } => {
                self.words.push(user.clone());
                let mut groups = groups.clone();
                groups.sort();
                self.memberships.insert(user.clone(), groups);
            }
            Consequence::Group { group, id_known } => self.group_is(group, *id_known)?,
            Consequence::GroupGone { name } => {
                self.words.push(name.clone());
                self.groups.insert(name.clone(), None);
            }
            Consequence::PathUnknown { path } => {
                if self.imagined {
                    let at = self.tree.resolve(self, path, true)?;
                    let why = format!("{} would be changed by an earlier task", path.display());
                    self.tree.blur(&at, &why, false);
                }
            }
        }
        Ok(())
    }

    fn installed(&mut self, name: &str, version: &Option<String>) -> Result<()> {
        let old = self.package(name)?;
        if self.imagined && self.base.package(name)?.is_none() {
            self.pending.add(name, version.as_deref());
        }
        let old = old.unwrap_or_else(|| Package {
            name: name.to_owned(),
            version: None,
            architecture: String::new(),
            held: false,
            automatic: false,
        });
        let package = Package {
            version: version.clone(),
            automatic: false,
            ..old
        };
        self.packages.insert(name.to_owned(), Some(package));
        Ok(())
    }

    fn id(&mut self, old: Option<u32>, taken: &dyn Fn(&Self, u32) -> Result<bool>) -> Result<u32> {
        if let Some(id) = old {
            return Ok(id);
        }
        while taken(self, self.next_id)? {
            self.next_id += 1;
        }
        self.next_id += 1;
        Ok(self.next_id - 1)
    }

    fn user_is(&mut self, user: &User, id_known: bool) -> Result<()> {
        self.words.push(user.name.clone());
        let mut user = user.clone();
        if !id_known {
            let old = self.users.get(&user.name).cloned().flatten();
            let old = old.or(self.base.user(&user.name)?).map(|u| u.uid);
            user.uid = self.id(old, &|this, id| Ok(this.user_by_id(id)?.is_some()))?;
        }
        self.users.insert(user.name.clone(), Some(user));
        Ok(())
    }

    fn group_is(&mut self, group: &Group, id_known: bool) -> Result<()> {
        self.words.push(group.name.clone());
        let mut group = group.clone();
        if !id_known {
            let old = self.groups.get(&group.name).cloned().flatten();
            let old = old.or(self.base.group(&group.name)?).map(|g| g.gid);
            group.gid = self.id(old, &|this, id| Ok(this.group_by_id(id)?.is_some()))?;
        }
        self.groups.insert(group.name.clone(), Some(group));
        Ok(())
    }

    /// A group's members, as memberships set since say.
    pub fn with_members(&self, mut group: Group) -> Group {
        for (user, groups) in &self.memberships {
            group.members.retain(|m| m != user);
            if groups.contains(&group.name) {
                group.members.push(user.clone());
            }
        }
        group
            .members
            .retain(|m| !matches!(self.users.get(m), Some(None)));
        group
    }

    /// A unit's properties: the base's, those of a unit file written since, those of a pending
    /// package, and on top what was done to it.
    pub fn unit_state(&self, scope: UnitScope, name: &str) -> Result<Unit> {
        let state = self.units.get(&(scope, name.to_owned())).copied();
        let mut unit = self.base.unit(scope, name)?;
        if !unit.exists() && scope == UnitScope::System {
            if let Some(written) = self.written_unit(name)? {
                unit = written;
            } else {
                match self.pending.unit(&*self.base, name) {
                    Ok(ShippedUnit::Started) => unit = fresh_unit(name, true),
                    Ok(ShippedUnit::Present) => unit = fresh_unit(name, false),
                    // What was done to it since is known all the same.
                    Err(e) if state.is_none() => return Err(e),
                    _ => {}
                }
            }
        }
        if let Some(state) = state {
            change_unit(&mut unit, name, state);
        }
        Ok(unit)
    }

    fn written_unit(&self, name: &str) -> Result<Option<Unit>> {
        for folder in UNIT_FOLDERS {
            let path = Path::new(folder).join(name);
            // What a pending package ships is another question: it would be started, too.
            if self.tree.changed().all(|p| !p.ends_with(name)) {
                return Ok(None);
            }
            if self.lstat(&path)?.is_none() {
                continue;
            }
            let text = self.read(&path)?.unwrap_or_default();
            let installable = String::from_utf8_lossy(&text).contains("[Install]");
            let state = if installable { "disabled" } else { "static" };
            let mut unit = Unit::default();
            for (key, value) in [
                ("Id", name),
                ("LoadState", "loaded"),
                ("ActiveState", "inactive"),
                ("SubState", "dead"),
                ("UnitFileState", state),
                ("FragmentPath", &path.to_string_lossy()),
            ] {
                unit.properties.insert(key.to_owned(), value.to_owned());
            }
            return Ok(Some(unit));
        }
        Ok(None)
    }
}

/// A unit that a package brought: running and enabled, as Debian's scripts leave it, or neither.
fn fresh_unit(name: &str, started: bool) -> Unit {
    let mut unit = Unit::default();
    let state = UnitState {
        active: Some(started),
        enabled: Some(started),
        masked: None,
    };
    change_unit(&mut unit, name, state);
    unit
}

/// Sets the properties that go with a state.
pub(super) fn change_unit(unit: &mut Unit, name: &str, state: UnitState) {
    let mut set = |key: &str, value: &str| {
        unit.properties.insert(key.to_owned(), value.to_owned());
    };
    set("Id", name);
    set("LoadState", "loaded");
    // What was said of a unit that was missing holds no more.
    set("LoadError", "");
    match state.active {
        Some(true) => {
            set("ActiveState", "active");
            set("SubState", "running");
        }
        Some(false) => {
            set("ActiveState", "inactive");
            set("SubState", "dead");
        }
        None => {}
    }
    match (state.masked, state.enabled) {
        (Some(true), _) => {
            set("LoadState", "masked");
            set("UnitFileState", "masked");
        }
        (_, Some(true)) => set("UnitFileState", "enabled"),
        (_, Some(false)) => set("UnitFileState", "disabled"),
        (Some(false), None) => set("UnitFileState", "disabled"),
        (None, None) => {}
    }
    if !unit.properties.contains_key("ActiveState") {
        unit.properties
            .insert("ActiveState".to_owned(), "inactive".to_owned());
    }
}
