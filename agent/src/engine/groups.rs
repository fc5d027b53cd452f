//! The inventory as the engine asks it: which hosts a pattern means, and what each is told.

use super::sources::InventoryFiles;
use crate::error::{Error, Result};
use crate::host::here;
use crate::inventory::{Inventory, Limit, NearVars, Origin, Selection, Side};
use crate::playbook::vault::VaultKeys;
use crate::value::{Key, Map, Value};
use crate::vars::{HostVars, Layer};
use std::path::Path;
use std::sync::Arc;

/// Hosts and groups of a run, with the variables beside inventory and playbook.
pub struct Groups {
    inventory: Inventory,
    near: Vec<NearVars>,
    /// Every host that no inventory names is this machine.
    local: bool,
}

impl Groups {
    /// Over an inventory and the `group_vars/`, `host_vars/` beside it and the playbook.
    #[must_use]
    pub fn new(inventory: Inventory, near: Vec<NearVars>) -> Self {
        Self {
            inventory,
            near,
            local: false,
        }
    }

    /// This machine alone, which is then in `all`: a run without inventory.
    ///
    /// # Errors
    /// When variables beside the playbook cannot be read.
    pub fn this_machine(
        dirs: &[(Side, &Path)],
        vault: &crate::playbook::vault::VaultKeys,
    ) -> Result<Self> {
        let mut inventory = Inventory::new();
        inventory.add_host("localhost", crate::inventory::UNGROUPED);
        for (name, value) in crate::inventory::this_machine() {
            inventory.set_host_var("localhost", Key::from(name), value, None);
        }
        inventory.reconcile();
        let hosts = vec![Arc::from("localhost")];
        let near = dirs
            .iter()
            .map(|(side, dir)| {
                NearVars::read(*side, dir, &inventory, &hosts, &InventoryFiles, vault)
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            inventory,
            near,
            local: true,
        })
    }

    /// Whether this is a run without inventory.
    #[must_use]
    pub fn is_this_machine(&self) -> bool {
        self.local
    }

    /// The inventory.
    #[must_use]
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// The hosts that a pattern means within the limit, in `order`.
    ///
    /// # Errors
    /// When the pattern is none.
    pub fn matching(
        &self,
        pattern: &str,
        limit: Option<&str>,
        order: &str,
    ) -> Result<Vec<Arc<str>>> {
        let limit = limit
            .map(|l| Limit::parse(l, &InventoryFiles))
            .transpose()?;
        let Selection { mut hosts, .. } = self.inventory.select(&[pattern], limit.as_ref())?;
        match order {
            "reverse_inventory" => hosts.reverse(),
            "sorted" => hosts.sort(),
            "reverse_sorted" => {
                hosts.sort();
                hosts.reverse();
            }
            "shuffle" => shuffle(&mut hosts),
            _ => {}
        }
        Ok(hosts)
    }

    /// Parts of a pattern that match nothing: worth a warning.
    ///
    /// # Errors
    /// As [`Groups::matching`].
    pub fn unmatched(&self, pattern: &str) -> Result<Vec<String>> {
        Ok(self.inventory.select(&[pattern], None)?.unmatched)
    }

    /// Why files of variables that concern one of these hosts could not be read.
    #[must_use]
    pub fn problems(&mut self, hosts: &[Arc<str>]) -> Vec<Error> {
        let near = self.near.iter_mut();
        near.flat_map(|near| near.problems(&self.inventory, hosts))
            .collect()
    }

    /// As [`Groups::problems`], of all hosts: the first.
    ///
    /// # Errors
    /// The problem.
    pub fn all_known(mut self) -> Result<Self> {
        let mut hosts: Vec<Arc<str>> = self
            .inventory
            .hosts()
            .map(|h| Arc::clone(&h.name))
            .collect();
        hosts.push("localhost".into());
        match self.problems(&hosts).into_iter().next() {
            Some(error) => Err(error),
            None => Ok(self),
        }
    }

    /// What a host is told, and its magic variables.
    #[must_use]
    pub fn host(&self, name: &str) -> (HostVars, Map) {
        let mut layers: Vec<(Layer, Arc<Map>)> = self
            .inventory
            .host_vars(name, &self.near)
            .into_iter()
            .map(|l| (layer_of(&l.origin), Arc::new(l.vars.values().clone())))
            .collect();
        // Stable: layers of one rank stay in the inventory's order.
        layers.sort_by_key(|(layer, _)| *layer);
        (HostVars::of_inventory(layers), self.magic(name))
    }

    /// The layers of what a host is told, with their places, the weakest first.
    #[must_use]
    pub fn layers(&self, host: &str) -> Vec<(Layer, crate::inventory::Layer)> {
        let layers = self.inventory.host_vars(host, &self.near).into_iter();
        let mut layers: Vec<_> = layers.map(|l| (layer_of(&l.origin), l)).collect();
        layers.sort_by_key(|(layer, _)| *layer);
        layers
    }

    /// All that a host is told, laid over each other.
    #[must_use]
    pub fn flat_vars(&self, host: &str) -> Map {
        let layers = self.inventory.host_vars(host, &self.near);
        over_each_other(layers.iter().map(|l| l.vars.values()))
    }

    /// What the inventory says of a host itself, with the files of its name.
    #[must_use]
    pub fn own_host_vars(&self, host: &str) -> Map {
        let layers = self.inventory.host_vars(host, &self.near);
        let own = layers
            .iter()
            .filter(|l| matches!(l.origin, Origin::Host | Origin::HostFile(..)));
        over_each_other(own.map(|l| l.vars.values()))
    }

    /// What the inventory says of a group itself, with the files of its name.
    #[must_use]
    pub fn own_group_vars(&self, group: &str) -> Map {
        let own = self.inventory.group(group).map(|g| Arc::clone(&g.vars));
        let files = self.near.iter().flat_map(|near| near.of_group(group));
        let all: Vec<_> = own.into_iter().chain(files).collect();
        over_each_other(all.iter().map(|vars| vars.values()))
    }

    fn magic(&self, name: &str) -> Map {
        let groups: Vec<Value> = self
            .inventory
            .group_names(name)
            .into_iter()
            .map(Value::Str)
            .collect();
        let is_address = name.parse::<std::net::IpAddr>().is_ok();
        let short = match name.split_once('.') {
            Some((first, _)) if !is_address => first,
            _ => name,
        };
        let mut map = Map::new();
        map.insert(Key::from("inventory_hostname"), Value::from(name));
        map.insert(Key::from("inventory_hostname_short"), Value::from(short));
        map.insert(Key::from("group_names"), Value::list(groups));
        if let Some(dir) = self.inventory.dirs.first() {
            let dir = here::absolute(dir).display().to_string();
            map.insert(Key::from("inventory_dir"), Value::from(dir));
        }
        map
    }

    /// The variable `groups`.
    #[must_use]
    pub fn as_value(&self) -> Value {
        let map: Map = self
            .inventory
            .groups()
            .map(|g| {
                let hosts = self.inventory.hosts_of(&g.name);
                let hosts = hosts.into_iter().map(Value::Str).collect();
                (Key::Str(Arc::clone(&g.name)), Value::list(hosts))
            })
            .collect();
        Value::map(map)
    }

    /// Reads the files beside inventory and playbook for a host that is new, or in new groups.
    ///
    /// # Errors
    /// When a file is none of variables.
    pub fn learn(&mut self, host: &Arc<str>, vault: &VaultKeys) -> Result<()> {
        for near in &mut self.near {
            near.learn(&self.inventory, host, &InventoryFiles, vault)?;
        }
        Ok(())
    }

    /// `add_host`.
    pub fn add_host(&mut self, name: &str, groups: &[String]) {
        if groups.is_empty() {
            self.inventory.add_host(name, crate::inventory::UNGROUPED);
        }
        for group in groups {
            self.inventory.add_host(name, group);
        }
        self.inventory.reconcile();
    }

    /// `group_by`.
    pub fn add_to_group(&mut self, host: &str, group: &str, parents: &[String]) {
        self.inventory.add_host(host, group);
        for parent in parents {
            self.inventory.add_group(parent);
            // A group that would contain itself stays where it is.
            let _ = self.inventory.add_child(parent, group);
        }
        self.inventory.reconcile();
    }
}

fn over_each_other<'m>(maps: impl Iterator<Item = &'m Map>) -> Map {
    let mut all = Map::new();
    for map in maps {
        all.extend(map.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
    all
}

fn layer_of(origin: &Origin) -> Layer {
    match origin {
        Origin::Group(_) => Layer::InventoryGroups,
        Origin::GroupFile(Side::Inventory, group, _) if &**group == "all" => {
            Layer::InventoryGroupVarsAll
        }
        Origin::GroupFile(Side::Playbook, group, _) if &**group == "all" => {
            Layer::PlaybookGroupVarsAll
        }
        Origin::GroupFile(Side::Inventory, ..) => Layer::InventoryGroupVars,
        Origin::GroupFile(Side::Playbook, ..) => Layer::PlaybookGroupVars,
        Origin::Host => Layer::InventoryHosts,
        Origin::HostFile(Side::Inventory, _) => Layer::InventoryHostVars,
        Origin::HostFile(Side::Playbook, _) => Layer::PlaybookHostVars,
    }
}

fn shuffle(hosts: &mut [Arc<str>]) {
    for i in (1..hosts.len()).rev() {
        let bytes = here::random_bytes(8).unwrap_or_default();
        let random = bytes.iter().fold(0_usize, |n, b| n << 8 | usize::from(*b));
        hosts.swap(i, random % (i + 1));
    }
}
