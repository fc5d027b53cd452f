//! Inventories in YAML, from `ansible/plugins/inventory/yaml.py`.

use super::{Inventory, address};
use crate::error::Result;
use crate::playbook::vault::VaultKeys;
use crate::playbook::yaml::{Kind, Node, load};
use crate::source::SourceFile;
use crate::value::Value;
use std::sync::Arc;

const SECTIONS: [&str; 3] = ["hosts", "vars", "children"];

/// Adds what `file` says to `inventory`.
///
/// # Errors
/// With the place, if it is not an inventory.
pub(super) fn read(
    file: &Arc<SourceFile>,
    inventory: &mut Inventory,
    vault: &VaultKeys,
) -> Result<()> {
    let loaded = load(file)?;
    for warning in &loaded.warnings {
        inventory.warn(warning.message.clone(), Some(&warning.span));
    }
    let Some(root) = loaded.single()? else {
        return Ok(());
    };
    let mut reader = Reader { inventory, vault };
    if let Some((key, plugin)) = root.entry("plugin") {
        let name = plugin.as_str().unwrap_or("?");
        return Err(key.error(format!(
            "this is the configuration of the inventory plugin `{name}`, not an inventory"
        )));
    }
    for (name, group) in reader.entries(root, "an inventory")? {
        reader.group(name, group)?;
    }
    Ok(())
}

struct Reader<'a> {
    inventory: &'a mut Inventory,
    vault: &'a VaultKeys,
}

impl Reader<'_> {
    fn entries<'n>(&self, node: &'n Node, what: &str) -> Result<&'n [(Node, Node)]> {
        match &node.kind {
            Kind::Map(entries) => Ok(entries),
            Kind::Null => Ok(&[]),
            _ => {
                let error = format!("{what} must be a mapping, but this is {}", node.what());
                Err(node
                    .error(error)
                    .hint("each name is a key with a colon behind it, also where nothing follows"))
            }
        }
    }

    fn warn(&mut self, node: &Node, message: String) {
        self.inventory.warn(message, Some(&node.span));
    }

    /// Reads one group and the groups in it; answers its name.
    fn group<'n>(&mut self, name: &'n Node, group: &Node) -> Result<Option<&'n str>> {
        let Some(text) = name.as_str().filter(|text| !text.is_empty()) else {
            let what = name.what();
            return Err(name.error(format!(
                "the name of a group must be text, but this is {what}"
            )));
        };
        if !matches!(group.kind, Kind::Map(_) | Kind::Null) {
            self.warn(
                name,
                format!("`{text}` is skipped, since it is not a group: a group is a mapping"),
            );
            return Ok(None);
        }
        self.inventory.add_group_at(text, Some(&name.span));
        for (section, content) in self.entries(group, "a group")? {
            match section.as_str() {
                Some("vars") => self.vars(text, content)?,
                Some("children") => self.children(text, content)?,
                Some("hosts") => self.hosts(text, content)?,
                _ => self.warn(
                    section,
                    format!(
                        "the key `{}` of the group `{text}` is skipped; a group has {}",
                        section.to_key(),
                        SECTIONS.join(", ")
                    ),
                ),
            }
        }
        Ok(Some(text))
    }

    fn vars(&mut self, group: &str, vars: &Node) -> Result<()> {
        for (key, value) in self.entries(vars, "`vars`")? {
            let value = value.to_value(self.vault)?;
            let name = key.to_key();
            self.inventory
                .set_group_var(group, name, value, Some(&key.span))?;
        }
        Ok(())
    }

    fn children(&mut self, parent: &str, children: &Node) -> Result<()> {
        // A lone name counts as a mapping with that key.
        if let Some(child) = children.as_str() {
            let added = self.inventory.add_child(parent, child);
            return added.map_err(|e| e.at(&children.span));
        }
        for (name, child) in self.entries(children, "`children`")? {
            if let Some(child) = self.group(name, child)? {
                let added = self.inventory.add_child(parent, child);
                added.map_err(|e| e.at(&name.span))?;
            }
        }
        Ok(())
    }

    fn hosts(&mut self, group: &str, hosts: &Node) -> Result<()> {
        if hosts.as_str().is_some() {
            return self.host(group, hosts, None);
        }
        for (name, vars) in self.entries(hosts, "`hosts`")? {
            self.host(group, name, Some(vars))?;
        }
        Ok(())
    }

    fn host(&mut self, group: &str, name: &Node, vars: Option<&Node>) -> Result<()> {
        let Some(pattern) = name.as_str() else {
            let what = name.what();
            return Err(name
                .error(format!(
                    "Host pattern {} must be a string, but this is {what}",
                    name.to_key()
                ))
                .hint("put it in quotes"));
        };
        let (hosts, port) = address::expand(pattern).map_err(|why| name.error(why))?;
        let entries = vars.map_or(Ok(&[][..]), |vars| self.entries(vars, "a host's variables"))?;
        for host in hosts {
            self.inventory.add_host(&host, group);
            if let Some(port) = port {
                let port = Value::Int(port.into());
                self.inventory
                    .set_host_var(&host, "ansible_port".into(), port, Some(&name.span));
            }
            for (key, value) in entries {
                let value = value.to_value(self.vault)?;
                self.inventory
                    .set_host_var(&host, key.to_key(), value, Some(&key.span));
            }
        }
        Ok(())
    }
}
