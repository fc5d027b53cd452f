//! The hosts of a run: their variables, counters and connections, and those that tasks add.

use super::context::HostSlot;
use super::result::{Request, VarChange};
use super::run::Run;
use crate::error::Result;
use crate::event::{Counters, EventKind, Level};
use crate::value::Map;
use crate::vars::Layer;
use std::collections::HashSet;
use std::sync::{Arc, PoisonError};

impl Run {
    pub(super) fn slot(&self, name: &Arc<str>) -> Arc<HostSlot> {
        match self.cx.hosts.get(name) {
            Some(slot) => slot,
            None => {
                let (mut vars, magic) = self.groups.host(name);
                self.recall_facts(name, &mut vars);
                self.cx.hosts.add(name, vars, magic)
            }
        }
    }

    /// `hostvars` reaches hosts of the inventory that no play names, too.
    pub(super) fn know_all_hosts(&self) {
        let hosts = self.groups.inventory().hosts();
        let names: Vec<Arc<str>> = hosts.map(|h| Arc::clone(&h.name)).collect();
        for name in &names {
            self.slot(name);
        }
    }

    pub(super) fn roles_done(&self, name: &Arc<str>) -> HashSet<String> {
        self.roles_done.get(name).cloned().unwrap_or_default()
    }

    pub(super) fn counters(&self, name: &Arc<str>) -> Counters {
        self.counters.get(name).copied().unwrap_or_default()
    }

    pub(super) fn finish_host(
        &mut self,
        name: &Arc<str>,
        counters: Counters,
        failed: bool,
        unreachable: bool,
        roles: &HashSet<String>,
    ) {
        self.counters.insert(Arc::clone(name), counters);
        self.roles_done.insert(Arc::clone(name), roles.clone());
        if failed {
            self.failed.insert(Arc::clone(name));
        }
        if unreachable {
            self.unreachable.insert(Arc::clone(name));
        }
    }

    pub(super) fn forgive(&mut self) {
        self.failed.clear();
        self.unreachable.clear();
    }

    pub(super) fn next_id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }

    pub(super) fn apply_to(&self, name: &Arc<str>, changes: &[VarChange]) {
        let slot = self.slot(name);
        let mut vars = slot.vars.write().unwrap_or_else(PoisonError::into_inner);
        for change in changes {
            change.apply(&mut vars);
        }
    }

    fn add_host(&mut self, name: &str, groups: &[String], vars: &Map) {
        let name: Arc<str> = name.into();
        self.groups.add_host(&name, groups);
        self.relearn(&name);
        let slot = self.slot(&name);
        let mut own = slot.vars.write().unwrap_or_else(PoisonError::into_inner);
        own.inventory
            .push((Layer::InventoryHosts, Arc::new(vars.clone())));
        own.inventory.sort_by_key(|(layer, _)| *layer);
    }

    fn add_to_group(&mut self, host: &Arc<str>, group: &str, parents: &[String]) {
        self.groups.add_to_group(host, group, parents);
        self.relearn(host);
    }

    /// Brings what a host is told up to date with its groups. What `add_host` gave it stays.
    fn relearn(&mut self, name: &Arc<str>) {
        if let Err(error) = self.groups.learn(name, &self.cx.vault) {
            self.cx.emit.run(EventKind::Notice {
                level: Level::Error,
                text: error.to_string(),
            });
        }
        let (vars, magic) = self.groups.host(name);
        let slot = self.slot(name);
        let mut own = slot.vars.write().unwrap_or_else(PoisonError::into_inner);
        own.inventory = vars.inventory;
        for (_, request) in &self.added {
            if let Request::AddHost(host, _, vars) = request
                && **host == **name
            {
                let given = (Layer::InventoryHosts, Arc::new(vars.clone()));
                own.inventory.push(given);
            }
        }
        own.inventory.sort_by_key(|(layer, _)| *layer);
        *slot.magic.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(magic);
    }

    /// Does what a task of a host asks for, and keeps it in mind for when the inventory is read again.
    pub(super) fn add(&mut self, host: Arc<str>, request: Request) {
        self.carry_out(&host, &request);
        self.added.push((host, request));
    }

    fn carry_out(&mut self, host: &Arc<str>, request: &Request) {
        match request {
            Request::AddHost(name, groups, vars) => self.add_host(name, groups, vars),
            Request::GroupBy(group, parents) => self.add_to_group(host, group, parents),
        }
    }

    /// Reads the inventory again. What tasks added stays; what they found out of hosts, too.
    ///
    /// # Errors
    /// When it cannot be read any more.
    pub(super) fn refresh_inventory(&mut self) -> Result<()> {
        let Some(restock) = &self.sources else {
            return Ok(());
        };
        self.groups = restock.read(&self.cx.vault, &self.cx.templar)?;
        let hosts = self.groups.inventory().hosts();
        let names: Vec<Arc<str>> = hosts.map(|h| Arc::clone(&h.name)).collect();
        for name in &names {
            let (vars, magic) = self.groups.host(name);
            let slot = self.slot(name);
            let mut own = slot.vars.write().unwrap_or_else(PoisonError::into_inner);
            own.inventory = vars.inventory;
            *slot.magic.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(magic);
        }
        let added = std::mem::take(&mut self.added);
        let known: HashSet<&str> = names.iter().map(|n| &**n).collect();
        for (host, request) in &added {
            // A host that is gone joins no group.
            if matches!(request, Request::AddHost(..)) || known.contains(&**host) {
                self.carry_out(host, request);
            }
        }
        self.added = added;
        let hosts = self.groups.inventory().hosts();
        let left: HashSet<Arc<str>> = hosts.map(|h| Arc::clone(&h.name)).collect();
        self.cx.hosts.retain(&|name| left.contains(name));
        Ok(())
    }

    pub(super) fn reset_connection(&mut self, host: &Arc<str>) {
        self.cx
            .runners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|(name, _), _| name != host);
    }
}
