//! Layers of variables in Ansible's order of precedence.

use crate::template::Variables;
use crate::value::{Map, Value};
use std::sync::Arc;

/// Where a variable comes from, the weakest first ("Understanding variable precedence" of Ansible's
/// documentation, with its numbers).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// 1: where a host is reached when nothing says so: `ansible_host`, in tasks alone.
    Address,
    /// 1: as whom to log in, by keyword or flag: `ansible_user`.
    Login,
    /// 2: a role's `defaults/`.
    RoleDefaults,
    /// 3: group variables in the inventory's file or script.
    InventoryGroups,
    /// 4: `group_vars/all` beside the inventory.
    InventoryGroupVarsAll,
    /// 5: `group_vars/all` beside the playbook.
    PlaybookGroupVarsAll,
    /// 6: other `group_vars/` beside the inventory.
    InventoryGroupVars,
    /// 7: other `group_vars/` beside the playbook.
    PlaybookGroupVars,
    /// 8: host variables in the inventory's file or script.
    InventoryHosts,
    /// 9: `host_vars/` beside the inventory.
    InventoryHostVars,
    /// 10: `host_vars/` beside the playbook.
    PlaybookHostVars,
    /// 11: facts.
    Facts,
    /// 12: the play's `vars`.
    PlayVars,
    /// 13: the play's `vars_prompt`.
    PlayPrompt,
    /// 14: the play's `vars_files`.
    PlayFiles,
    /// 15: a role's `vars/`.
    RoleVars,
    /// 16 and 17: `vars` of blocks and of the task.
    TaskVars,
    /// 18: `include_vars`.
    IncludeVars,
    /// 19: `set_fact` and `register`.
    SetFacts,
    /// 20: parameters of a role.
    RoleParams,
    /// 21: variables of a dynamic include.
    IncludeParams,
    /// 21: the variables of a loop around a dynamic include, over what the playbook did not write.
    IncludeItems,
    /// 22: `-e`.
    Extra,
    /// What Ansible itself sets: `inventory_hostname`, `groups`, …
    Magic,
    /// The variable of a loop over what the playbook itself wrote.
    LoopWritten,
    /// The variable of another loop, and a result that is being judged.
    Loop,
}

/// Layers of variables; later ones win.
#[derive(Clone, Debug, Default)]
pub struct Stack {
    layers: Vec<(Layer, Arc<Map>)>,
    others: Option<Arc<dyn Others>>,
    /// Mappings of the same name are merged, all the way down (`hash_behaviour = merge`).
    merging: bool,
}

/// Finds what other hosts see: `hostvars`.
pub trait Others: Send + Sync + std::fmt::Debug {
    /// What this host sees.
    fn of(&self, host: &str) -> Option<Arc<dyn Variables>>;
    /// All hosts.
    fn names(&self) -> Vec<Arc<str>>;
}

impl Stack {
    /// Without layers. If `merging`, mappings of the same name add up instead of replacing each other.
    #[must_use]
    pub fn new(merging: bool) -> Self {
        Self {
            merging,
            ..Self::default()
        }
    }

    /// Adds a layer; it must not be weaker than those before. Empty ones are left out.
    pub fn push(&mut self, layer: Layer, map: &Arc<Map>) {
        debug_assert!(self.layers.last().is_none_or(|(last, _)| *last <= layer));
        if !map.is_empty() {
            self.layers.push((layer, Arc::clone(map)));
        }
    }

    /// Gives access to other hosts' variables.
    pub fn with_others(&mut self, others: Arc<dyn Others>) {
        self.others = Some(others);
    }

    /// A copy with one more layer on top.
    #[must_use]
    pub fn with(&self, layer: Layer, map: Map) -> Self {
        let mut more = self.clone();
        more.push(layer, &Arc::new(map));
        more
    }

    /// A copy with another weakest layer.
    #[must_use]
    pub fn above(&self, layer: Layer, map: &Arc<Map>) -> Self {
        let mut more = self.clone();
        more.layers.retain(|(known, _)| *known != layer);
        more.layers.insert(0, (layer, Arc::clone(map)));
        more
    }

    /// All variables as one mapping: what `vars` is.
    fn flat(&self) -> Map {
        let mut all = Map::new();
        for (layer, map) in &self.layers {
            for (key, value) in map.iter() {
                let value = match all.get(key) {
                    Some(under) if self.merges(*layer) => {
                        Value::merged(under.clone(), value.clone())
                    }
                    _ => value.clone(),
                };
                all.insert(key.clone(), value);
            }
        }
        all
    }

    /// Whether a layer's mappings add to those below.
    fn merges(&self, layer: Layer) -> bool {
        self.merging && layer <= Layer::Extra
    }

    /// What a name means: the winning definition, or all of them together.
    fn found(&self, name: &str) -> Option<Value> {
        let mut found = self.definitions(name);
        let (layer, first) = found.next()?;
        if !self.merges(layer) || first.as_map().is_none() {
            return Some(first.clone());
        }
        // What is below something else than a mapping is hidden by it.
        let below: Vec<&Value> = found
            .map(|(_, value)| value)
            .take_while(|value| value.as_map().is_some())
            .collect();
        let mut all = below.into_iter().rev().cloned().chain([first.clone()]);
        let lowest = all.next()?;
        Some(all.fold(lowest, Value::merged))
    }

    /// Every definition of a variable, the winning one first.
    pub fn definitions<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (Layer, &'a Value)> {
        self.layers
            .iter()
            .rev()
            .filter_map(move |(layer, map)| map.get(name).map(|v| (*layer, v)))
    }
}

impl Variables for Stack {
    fn get(&self, name: &str) -> Option<Value> {
        match (self.found(name), name) {
            (None, "vars") => Some(Value::map(self.flat())),
            (found, _) => found,
        }
    }

    fn written(&self, name: &str) -> Option<Value> {
        let (layer, _) = self.definitions(name).next()?;
        let computed = matches!(
            layer,
            Layer::Facts
                | Layer::PlayPrompt
                | Layer::SetFacts
                | Layer::IncludeItems
                | Layer::Loop
                | Layer::Magic
        );
        self.found(name).filter(|_| !computed)
    }

    fn names(&self) -> Vec<Arc<str>> {
        let mut names: Vec<Arc<str>> = self
            .layers
            .iter()
            .flat_map(|(_, map)| map.keys())
            .filter_map(|k| match k {
                crate::value::Key::Str(s) => Some(Arc::clone(s)),
                _ => None,
            })
            .collect();
        names.sort();
        names.dedup();
        names
    }

    fn of_host(&self, host: &str) -> Option<Arc<dyn Variables>> {
        self.others.as_ref()?.of(host)
    }

    fn hosts(&self) -> Vec<Arc<str>> {
        self.others.as_ref().map(|o| o.names()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Key;

    #[test]
    fn the_later_layer_wins_and_all_definitions_are_seen() {
        let map = |v: i64| Arc::new(Map::from_iter([(Key::from("x"), Value::Int(v))]));
        let mut stack = Stack::default();
        stack.push(Layer::RoleDefaults, &map(1));
        stack.push(Layer::PlayVars, &map(2));
        stack.push(Layer::Extra, &map(3));
        assert_eq!(stack.get("x"), Some(Value::Int(3)));
        let order: Vec<Layer> = stack.definitions("x").map(|(l, _)| l).collect();
        assert_eq!(order, [Layer::Extra, Layer::PlayVars, Layer::RoleDefaults]);
    }

    #[test]
    fn merged_mappings_add_up_and_anything_else_hides_what_is_below() {
        let map = |json| Arc::new(Value::from(json).as_map().cloned().unwrap_or_default());
        let layers = [
            (
                Layer::RoleDefaults,
                map(serde_json::json!({"x": {"gone": 1}, "y": {"a": 1}})),
            ),
            (Layer::InventoryHosts, map(serde_json::json!({"x": "text"}))),
            (
                Layer::PlayVars,
                map(serde_json::json!({"x": {"a": {"b": 1, "c": 2}}})),
            ),
            (
                Layer::Extra,
                map(serde_json::json!({"x": {"a": {"c": 3}}, "y": {"b": 2}})),
            ),
        ];
        for (merging, x, y) in [
            (
                true,
                serde_json::json!({"a": {"b": 1, "c": 3}}),
                serde_json::json!({"a": 1, "b": 2}),
            ),
            (
                false,
                serde_json::json!({"a": {"c": 3}}),
                serde_json::json!({"b": 2}),
            ),
        ] {
            let mut stack = Stack::new(merging);
            layers
                .iter()
                .for_each(|(layer, map)| stack.push(*layer, map));
            assert_eq!(
                stack.get("x").map(|v| v.to_json()),
                Some(x.clone()),
                "{merging}"
            );
            assert_eq!(stack.get("y").map(|v| v.to_json()), Some(y), "{merging}");
            let all = stack
                .get("vars")
                .and_then(|v| v.get("x").map(Value::to_json));
            assert_eq!(all, Some(x), "vars, {merging}");
        }
    }
}
