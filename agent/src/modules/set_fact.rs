//! `set_fact`.

use crate::error::{Error, Result};
use crate::module::names::check_variable_name;
use crate::module::{Action, ActionCx, Returns};
use crate::params;
use crate::value::Map;

params! {
    /// Sets variables of the host for the rest of the run.
    ///
    /// ```yaml
    /// - set_fact:
    ///     model_dir: "{{ share_path }}/models"
    ///     ports: [11434, 8080]
    /// ```
    pub struct SetFact {
        /// Keep the variables in the fact cache too.
        default(false) cacheable: bool,
    }
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[("ansible_facts", "The variables.")];

impl Action for SetFact {
    fn run(&self, cx: &mut dyn ActionCx) -> Result<Returns> {
        let mut facts = Map::new();
        for (key, value) in cx.args() {
            let name = key.to_string();
            if name == "cacheable" {
                continue;
            }
            check_variable_name(&name)?;
            facts.insert(key.clone(), value.clone());
        }
        if facts.is_empty() {
            return Err(Error::params(
                "No key/value pairs provided, at least one is required for this action to succeed",
            ));
        }
        cx.set_facts(facts.clone(), self.cacheable);
        Ok(Returns::default().with("ansible_facts", facts))
    }
}
