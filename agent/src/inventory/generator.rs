//! The inventory plugin `generator`: hosts and groups of every combination of layers.
//!
//! From `ansible/plugins/inventory/generator.py`.

use super::{Inventory, Tools, UNGROUPED};
use crate::error::Result;
use crate::playbook::yaml::Node;
use crate::value::{Map, Value};
use std::sync::Arc;

/// Groups may hold groups this deep.
const DEEPEST: usize = 64;

/// Adds what the configuration says to `inventory`.
///
/// # Errors
/// With the place where a part is missing or a template fails.
pub(super) fn read(root: &Node, tools: &Tools<'_>, inventory: &mut Inventory) -> Result<()> {
    let layers = root
        .get("layers")
        .ok_or_else(|| root.error("`generator` needs `layers`"))?;
    let hosts = root
        .get("hosts")
        .ok_or_else(|| root.error("`generator` needs `hosts`"))?;
    let name = hosts
        .get("name")
        .ok_or_else(|| hosts.error("`hosts` needs a `name`"))?;
    let mut reader = Reader { tools, inventory };
    for vars in combinations(layers, tools)? {
        let vars = Arc::new(vars);
        let host = reader.text(name, &vars)?;
        reader.inventory.add_host(&host, UNGROUPED);
        if let Some(parents) = hosts.get("parents") {
            reader.parents(&Child::Host(&host), parents, &vars, 0)?;
        }
    }
    Ok(())
}

/// Every combination of one value of each layer, the last layer changing fastest.
fn combinations(layers: &Node, tools: &Tools<'_>) -> Result<Vec<Map>> {
    let entries = layers.as_map().ok_or_else(|| {
        layers.error(format!("`layers` must be a mapping, not {}", layers.what()))
    })?;
    let mut all = vec![Map::new()];
    for (name, values) in entries {
        let list = values.as_seq().ok_or_else(|| {
            values.error(format!("a layer must be a list, not {}", values.what()))
        })?;
        let values: Vec<Value> = list
            .iter()
            .map(|v| v.to_value(tools.vault))
            .collect::<Result<_>>()?;
        let mut next = Vec::with_capacity(all.len() * values.len());
        for vars in &all {
            for value in &values {
                let mut vars = vars.clone();
                vars.insert(name.to_key(), value.clone());
                next.push(vars);
            }
        }
        if next.len() > 1_000_000 {
            return Err(layers.error("the layers combine to more than a million hosts"));
        }
        all = next;
    }
    Ok(all)
}

enum Child<'a> {
    Host(&'a str),
    Group(&'a str),
}

struct Reader<'a, 'b> {
    tools: &'a Tools<'b>,
    inventory: &'a mut Inventory,
}

impl Reader<'_, '_> {
    fn text(&self, node: &Node, vars: &Arc<Map>) -> Result<String> {
        let value = node.to_value(self.tools.vault)?;
        let value = self.tools.templates.resolve(&value, vars)?;
        Ok(match value {
            Value::Null => String::new(),
            value => crate::playbook::keyword::plain_text(&value),
        })
    }

    fn parents(
        &mut self,
        child: &Child<'_>,
        parents: &Node,
        vars: &Arc<Map>,
        depth: usize,
    ) -> Result<()> {
        let (Child::Host(child_name) | Child::Group(child_name)) = child;
        let list = parents.as_seq().ok_or_else(|| {
            parents.error(format!("`parents` must be a list, not {}", parents.what()))
        })?;
        if depth > DEEPEST {
            return Err(parents.error(format!("groups are nested deeper than {DEEPEST}")));
        }
        for parent in list {
            let group = match parent.get("name") {
                Some(name) => self.text(name, vars)?,
                None => String::new(),
            };
            if group.is_empty() {
                return Err(
                    parent.error(format!("Element {child_name} has a parent with no name."))
                );
            }
            self.inventory.add_group_at(&group, Some(&parent.span));
            for (key, node) in parent
                .get("vars")
                .and_then(|v| v.as_map())
                .unwrap_or_default()
            {
                let mut value = node.to_value(self.tools.vault)?;
                // As Ansible: text is evaluated here, lists and mappings when they are used.
                if matches!(value, Value::Template(_)) {
                    value = self.tools.templates.resolve(&value, vars)?;
                }
                self.inventory
                    .set_group_var(&group, key.to_key(), value, Some(&key.span))?;
            }
            match child {
                Child::Host(host) => self.inventory.add_host(host, &group),
                Child::Group(inner) => self
                    .inventory
                    .add_child(&group, inner)
                    .map_err(|e| e.at(&parent.span))?,
            }
            if let Some(next) = parent.get("parents") {
                self.parents(&Child::Group(&group), next, vars, depth + 1)?;
            }
        }
        Ok(())
    }
}
