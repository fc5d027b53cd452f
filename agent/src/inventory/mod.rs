//! Which hosts there are, in which groups, with which variables.
//!
//! The readers (`ini`, `yaml`, `script`) fill an [`Inventory`]; `source` picks the reader for a
//! file or directory; `pattern` answers which hosts `web:!db` means; `vars` reads `group_vars/`
//! and `host_vars/` and stacks everything a host is told. Files are reached through [`Files`]
//! alone. The rules are those of `ansible/inventory/` of ansible-core 2.19.

mod address;
mod aws_ec2;
mod config;
mod constructed;
mod generator;
mod ini;
mod literal;
mod pattern;
mod script;
mod source;
mod toml;
mod vars;
mod words;
mod yaml;

#[cfg(test)]
mod tests;

pub use config::{
    Config, ENABLED, GroupChars, IGNORED_ENDINGS, NoTemplates, Remark, Templates, Tools, Weight,
};
pub use pattern::{Limit, Selection};
pub use source::{AskEc2, Files, ScriptOutput, load};
pub use vars::{FileVars, Layer, NearVars, Origin, Side, Vars, read_vars_file};

use crate::error::{Error, ErrorKind, Result};
use crate::source::Span;
use crate::value::{Key, Value};
use indexmap::{IndexMap, IndexSet};
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

/// The name by which the inventory knows a host.
pub type HostName = Arc<str>;

/// The group that every host belongs to.
pub const ALL: &str = "all";
/// The group of hosts that belong to no other.
pub const UNGROUPED: &str = "ungrouped";
/// Names that mean this machine even when no inventory has them.
pub const LOCALHOST: [&str; 3] = ["127.0.0.1", "::1", "localhost"];

/// All hosts and groups, in the order in which they were first named.
#[derive(Clone, Debug)]
pub struct Inventory {
    hosts: IndexMap<HostName, Host>,
    groups: IndexMap<Arc<str>, Group>,
    /// What is legal but is likely a slip, and what could not be read.
    pub warnings: Vec<Remark>,
    /// The directories beside which `group_vars/` and `host_vars/` are looked for, in order.
    pub dirs: Vec<PathBuf>,
    /// What becomes of odd group names.
    pub group_chars: GroupChars,
    /// Whether mappings add up that are set under one name again.
    pub merge_hashes: bool,
}

/// One host.
#[derive(Clone, Debug)]
pub struct Host {
    /// Its name.
    pub name: HostName,
    /// What the inventory says of it.
    pub vars: Arc<Vars>,
    /// This machine, not written in any inventory.
    pub implicit: bool,
}

/// One group.
#[derive(Clone, Debug)]
pub struct Group {
    /// Its name.
    pub name: Arc<str>,
    /// What the inventory says of it.
    pub vars: Arc<Vars>,
    /// The hosts that it names itself.
    pub hosts: IndexSet<HostName>,
    /// The groups in it.
    pub children: IndexSet<Arc<str>>,
    /// `ansible_group_priority`: among groups of one depth, the higher one wins.
    pub priority: i64,
    /// The longest way from `all` to it.
    pub depth: u32,
}

impl Default for Inventory {
    fn default() -> Self {
        Self::new()
    }
}

/// Variables of the host that stands for this machine: no connection, and the Python of this side,
/// where there is one.
pub(crate) fn this_machine() -> impl Iterator<Item = (&'static str, Value)> {
    let python = crate::host::here::python();
    let python = python.map(|path| ("ansible_python_interpreter", Value::from(path)));
    std::iter::once(("ansible_connection", Value::from("local"))).chain(python)
}

impl Inventory {
    /// An inventory of no hosts.
    #[must_use]
    pub fn new() -> Self {
        let mut inventory = Self {
            hosts: IndexMap::new(),
            groups: IndexMap::new(),
            warnings: Vec::new(),
            dirs: Vec::new(),
            group_chars: GroupChars::Never,
            merge_hashes: false,
        };
        inventory.add_group(ALL);
        inventory.group_mut(ALL).children.insert(UNGROUPED.into());
        inventory.add_group(UNGROUPED);
        inventory
    }

    /// All hosts.
    pub fn hosts(&self) -> impl Iterator<Item = &Host> {
        self.hosts.values()
    }

    /// All groups, `all` and `ungrouped` first.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.values()
    }

    /// A host of the inventory by its name; not an implicit one.
    #[must_use]
    pub fn host(&self, name: &str) -> Option<&Host> {
        self.hosts.get(name)
    }

    /// A group by its name.
    #[must_use]
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.get(name)
    }

    /// The host that a name such as `localhost` means when the inventory lacks it: its own host of
    /// another such name, or else this machine.
    #[must_use]
    pub fn localhost(&self, name: &str) -> Option<Host> {
        if !LOCALHOST.contains(&name) {
            return None;
        }
        let known = |host: &&Host| LOCALHOST.contains(&&*host.name);
        let own = self.hosts.values().find(known).cloned();
        Some(own.unwrap_or_else(|| {
            let mut vars = Vars::default();
            for (name, value) in this_machine() {
                vars.set(name.into(), value, None);
            }
            Host {
                name: name.into(),
                vars: Arc::new(vars),
                implicit: true,
            }
        }))
    }

    /// Adds a group unless there is one of that name.
    pub fn add_group(&mut self, name: &str) {
        self.group_mut(name);
    }

    /// As [`Inventory::add_group`], with a warning if the name would not do as a variable's.
    fn add_group_at(&mut self, name: &str, span: Option<&Span>) {
        let known = self.groups.contains_key(&*self.group_chars.name(name));
        if config::is_odd(name) && !known {
            match self.group_chars {
                GroupChars::Never => self.warn(
                    format!(
                        "Invalid characters were found in group names but not replaced: `{name}` \
                         has characters other than letters, digits and `_`"
                    ),
                    span,
                ),
                GroupChars::Always => self.warn(
                    format!(
                        "Invalid characters were found in group names and automatically replaced: \
                         `{name}` is `{}` now",
                        config::sanitized(name)
                    ),
                    span,
                ),
                GroupChars::Ignore | GroupChars::Silently => {}
            }
        }
        self.add_group(name);
    }

    fn warn(&mut self, message: String, span: Option<&Span>) {
        self.remark(Weight::Warning, message, span);
    }

    fn remark(&mut self, weight: Weight, message: String, span: Option<&Span>) {
        self.warnings.push(Remark {
            weight,
            message,
            span: span.cloned(),
        });
    }

    fn group_mut(&mut self, name: &str) -> &mut Group {
        let name: Arc<str> = self.group_chars.name(name).into();
        self.groups
            .entry(Arc::clone(&name))
            .or_insert_with(|| Group {
                name,
                vars: Arc::default(),
                hosts: IndexSet::new(),
                children: IndexSet::new(),
                priority: 1,
                depth: 0,
            })
    }

    /// Adds a host to a group, and each of them if need be.
    pub fn add_host(&mut self, name: &str, group: &str) {
        let name: HostName = name.into();
        self.hosts.entry(Arc::clone(&name)).or_insert_with(|| Host {
            name: Arc::clone(&name),
            vars: Arc::default(),
            implicit: false,
        });
        self.group_mut(group).hosts.insert(name);
    }

    /// Puts a group into another one; both are added if need be.
    ///
    /// # Errors
    /// If the group would then contain itself.
    pub fn add_child(&mut self, parent: &str, child: &str) -> Result<()> {
        self.add_group(child);
        self.add_group(parent);
        let chars = self.group_chars;
        let (parent, child) = (&*chars.name(parent), &*chars.name(child));
        if parent == child || self.descendants(child).iter().any(|g| &*g.name == parent) {
            return Err(Error::new(
                ErrorKind::Syntax,
                format!("the group `{child}` cannot be a child of `{parent}`, which is in it"),
            ));
        }
        self.group_mut(parent).children.insert(child.into());
        Ok(())
    }

    /// Sets a variable of a host of the inventory; of an unknown host, does nothing.
    pub fn set_host_var(&mut self, host: &str, key: Key, value: Value, span: Option<&Span>) {
        let merge = self.merge_hashes;
        if let Some(host) = self.hosts.get_mut(host) {
            Arc::make_mut(&mut host.vars).add(key, value, span, merge);
        }
    }

    /// Sets a variable of a group, which is added if need be.
    ///
    /// # Errors
    /// If it is `ansible_group_priority` and no number.
    pub fn set_group_var(
        &mut self,
        group: &str,
        key: Key,
        value: Value,
        span: Option<&Span>,
    ) -> Result<()> {
        let merge = self.merge_hashes;
        let group = self.group_mut(group);
        if key.as_str() != Some("ansible_group_priority") {
            Arc::make_mut(&mut group.vars).add(key, value, span, merge);
            return Ok(());
        }
        let text = value.as_str().and_then(|text| text.trim().parse().ok());
        group.priority = value.as_int().or(text).ok_or_else(|| {
            Error::new(
                ErrorKind::Syntax,
                "`ansible_group_priority` must be a whole number",
            )
            .at_opt(span)
        })?;
        Ok(())
    }

    /// Brings groups into order after hosts or groups were added: each group is in `all`,
    /// `ungrouped` holds exactly the hosts of no other group, and depths are right.
    pub fn reconcile(&mut self) {
        let inner: HashSet<Arc<str>> = self
            .groups
            .values()
            .flat_map(|group| group.children.iter().cloned())
            .collect();
        let outer: Vec<Arc<str>> = self
            .groups
            .keys()
            .filter(|name| &***name != ALL && !inner.contains(*name))
            .cloned()
            .collect();
        self.group_mut(ALL).children.extend(outer);
        self.reconcile_ungrouped();
        self.set_depths();
        self.warn_of_shared_names();
    }

    fn reconcile_ungrouped(&mut self) {
        let special = |name: &str| name == ALL || name == UNGROUPED;
        let grouped: HashSet<HostName> = self
            .groups
            .values()
            .filter(|group| !special(&group.name))
            .flat_map(|group| group.hosts.iter().cloned())
            .collect();
        let hosts: Vec<HostName> = self.hosts.keys().cloned().collect();
        let ungrouped = &mut self.group_mut(UNGROUPED).hosts;
        for host in hosts {
            if grouped.contains(&host) {
                ungrouped.shift_remove(&host);
            } else {
                ungrouped.insert(host);
            }
        }
    }

    /// The longest way from `all`. There are no loops: `add_child` refuses them.
    fn set_depths(&mut self) {
        let mut level: IndexSet<Arc<str>> = IndexSet::from([Arc::from(ALL)]);
        let mut depth = 0;
        while !level.is_empty() {
            let mut next = IndexSet::new();
            for name in level {
                if let Some(group) = self.groups.get_mut(&name) {
                    group.depth = depth;
                    next.extend(group.children.iter().cloned());
                }
            }
            level = next;
            depth += 1;
        }
    }

    fn warn_of_shared_names(&mut self) {
        let shared: Vec<_> = self
            .hosts
            .values()
            .filter(|host| self.groups.contains_key(&host.name))
            .filter_map(|host| Some((host.name.clone(), host.vars.first_place()?.clone())))
            .collect();
        for (name, span) in shared {
            let message = format!("`{name}` is the name of a host and of a group");
            self.warn(message, Some(&span));
        }
    }

    /// A group and all groups in it, level by level.
    fn descendants(&self, name: &str) -> Vec<&Group> {
        let mut seen: IndexSet<&str> = IndexSet::new();
        let mut found: Vec<&Group> = Vec::new();
        let Some(group) = self.groups.get(name) else {
            return found;
        };
        seen.insert(&group.name);
        found.push(group);
        let mut at = 0;
        while let Some(group) = found.get(at) {
            let children = group.children.iter().filter_map(|c| self.groups.get(c));
            let new: Vec<&Group> = children.filter(|g| seen.insert(&g.name)).collect();
            found.extend(new);
            at += 1;
        }
        found
    }

    /// The hosts of a group and of all groups in it, in Ansible's order.
    #[must_use]
    pub fn hosts_of(&self, group: &str) -> Vec<HostName> {
        let hosts: IndexSet<HostName> = self
            .descendants(group)
            .into_iter()
            .flat_map(|group| group.hosts.iter().cloned())
            .collect();
        hosts.into_iter().collect()
    }

    /// The groups that a host is in, directly or through others, in the order in which their
    /// variables are laid over each other: by depth, priority and name.
    #[must_use]
    pub fn groups_of(&self, host: &str) -> Vec<&Group> {
        let direct = self.groups.values().filter(|g| g.hosts.contains(host));
        let mut found: IndexSet<&str> = direct.map(|group| &*group.name).collect();
        found.insert(ALL);
        loop {
            let before = found.len();
            for group in self.groups.values() {
                if group.children.iter().any(|child| found.contains(&**child)) {
                    found.insert(&group.name);
                }
            }
            if found.len() == before {
                break;
            }
        }
        let mut groups: Vec<&Group> = found.iter().filter_map(|n| self.groups.get(*n)).collect();
        groups.sort_by(|a, b| {
            let key = |g: &Group| (g.depth, g.priority);
            key(a).cmp(&key(b)).then_with(|| a.name.cmp(&b.name))
        });
        groups
    }

    /// Ansible's `group_names`: sorted, without `all`.
    #[must_use]
    pub fn group_names(&self, host: &str) -> Vec<Arc<str>> {
        let groups = self.groups_of(host).into_iter();
        let mut names: Vec<Arc<str>> = groups.map(|group| Arc::clone(&group.name)).collect();
        names.retain(|name| &**name != ALL);
        names.sort();
        if self.host(host).is_none() {
            names.clear();
        }
        names
    }
}
