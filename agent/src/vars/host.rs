//! What is known of one host, apart from any play.

use super::{Layer, Stack};
use crate::value::{Key, Map, Value};
use std::sync::{Arc, LazyLock};

/// Variables of one host that outlive tasks. Cheap to clone: a task works on a snapshot.
#[derive(Clone, Debug, Default)]
pub struct HostVars {
    /// Layers of the inventory, weakest first.
    pub inventory: Vec<(Layer, Arc<Map>)>,
    /// `ansible_facts`, without the prefix `ansible_`.
    pub facts: Arc<Map>,
    /// Facts as variables of their own: `ansible_` before each name, and `ansible_facts`.
    injected: Arc<Map>,
    /// `include_vars`.
    pub included: Arc<Map>,
    /// `set_fact` and `register`.
    pub set: Arc<Map>,
}

impl HostVars {
    /// With the layers of an inventory, weakest first.
    #[must_use]
    pub fn of_inventory(inventory: Vec<(Layer, Arc<Map>)>) -> Self {
        Self {
            inventory,
            ..Self::default()
        }
    }

    /// Adds facts. Names may have the prefix `ansible_` or not; those without it (a module's own
    /// facts, or `set_fact` with `cacheable`) also become variables under their bare name.
    pub fn add_facts(&mut self, new: &Map) {
        let facts = Arc::make_mut(&mut self.facts);
        let injected = Arc::make_mut(&mut self.injected);
        for (key, value) in new {
            let name = key.to_string();
            let bare = name.strip_prefix("ansible_").unwrap_or(&name);
            facts.insert(Key::from(bare), value.clone());
            injected.insert(Key::from(name), value.clone());
        }
        injected.insert(
            Key::from("ansible_facts"),
            Value::Map(Arc::clone(&self.facts)),
        );
    }

    /// The facts under the names that they were given with, for a later run.
    #[must_use]
    pub fn known_facts(&self) -> Map {
        let mut facts = (*self.injected).clone();
        facts.shift_remove("ansible_facts");
        facts
    }

    /// Forgets the facts (`meta: clear_facts`).
    pub fn clear_facts(&mut self) {
        self.facts = Arc::default();
        self.injected = Arc::default();
    }

    /// Whether facts were gathered, so that `gathering = smart` need not do it again.
    #[must_use]
    pub fn has_facts(&self) -> bool {
        self.facts.contains_key("_ansible_facts_gathered")
    }

    /// Sets a variable as `set_fact` and `register` do.
    pub fn set(&mut self, name: &str, value: Value) {
        Arc::make_mut(&mut self.set).insert(Key::from(name), value);
    }

    /// Adds variables as `include_vars` does.
    pub fn include(&mut self, vars: &Map) {
        Arc::make_mut(&mut self.included).extend(vars.iter().map(|(k, v)| (k.clone(), v.clone())));
    }

    /// Puts the layers up to the facts on an empty stack.
    pub fn lower(&self, stack: &mut Stack) {
        for (layer, map) in &self.inventory {
            stack.push(*layer, map);
        }
        // There is always something to ask, if only whether it is empty.
        let facts = if self.injected.is_empty() {
            none_gathered()
        } else {
            &self.injected
        };
        stack.push(Layer::Facts, facts);
    }

    /// Puts the layers of `include_vars`, `set_fact` and `register` on the stack.
    pub fn upper(&self, stack: &mut Stack) {
        stack.push(Layer::IncludeVars, &self.included);
        stack.push(Layer::SetFacts, &self.set);
    }
}

/// The variables of a host without facts.
fn none_gathered() -> &'static Arc<Map> {
    static NONE: LazyLock<Arc<Map>> = LazyLock::new(|| {
        let facts = (Key::from("ansible_facts"), Value::map(Map::new()));
        Arc::new([facts].into_iter().collect())
    });
    &NONE
}
