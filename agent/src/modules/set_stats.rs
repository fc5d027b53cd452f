//! `set_stats`.

use crate::error::{Error, Result};
use crate::module::names::check_variable_name;
use crate::module::{Action, ActionCx, Param, Returns};
use crate::params;
use crate::value::{Key, Map, Value};

params! {
    /// Adds to the statistics that are shown at the end of the run.
    ///
    /// ```yaml
    /// - set_stats:
    ///     data:
    ///       models_loaded: 3
    ///     per_host: true
    /// ```
    pub struct SetStats {
        /// Names and values.
        default(Map::new().into()) data: Value,
        /// Keep them apart for each host.
        default(false.into()) per_host: Value,
        /// Add to a value that is there (numbers, lists, mappings), or else replace it.
        default(true.into()) aggregate: Value,
    }
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[("ansible_stats", "`data`, `per_host` and `aggregate`.")];

impl Action for SetStats {
    fn run(&self, _: &mut dyn ActionCx) -> Result<Returns> {
        let Value::Map(data) = &self.data else {
            return Err(Error::params(
                "The 'data' option needs to be a dictionary/hash",
            ));
        };
        for key in data.keys() {
            check_variable_name(&key.to_string())?;
        }
        // The report carries them: views add them up.
        let stats: Map = [
            (Key::from("data"), Value::Map(data.clone())),
            (Key::from("per_host"), is_true(&self.per_host).into()),
            (Key::from("aggregate"), is_true(&self.aggregate).into()),
        ]
        .into_iter()
        .collect();
        Ok(Returns::default().with("ansible_stats", stats))
    }
}

/// As Ansible reads these two: whatever says no truth value means no.
fn is_true(value: &Value) -> bool {
    bool::from_value(value).unwrap_or(false)
}
