//! `set_stats`.

use crate::error::Result;
use crate::module::names::check_variable_name;
use crate::module::{Action, ActionCx, Returns};
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
        required data: Map,
        /// Keep them apart for each host.
        default(false) per_host: bool,
        /// Add to a value that is there (numbers, lists, mappings), or else replace it.
        default(true) aggregate: bool,
    }
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[("ansible_stats", "`data`, `per_host` and `aggregate`.")];

impl Action for SetStats {
    fn run(&self, _: &mut dyn ActionCx) -> Result<Returns> {
        for key in self.data.keys() {
            check_variable_name(&key.to_string())?;
        }
        // The report carries them: views add them up.
        let stats: Map = [
            (Key::from("data"), Value::from(self.data.clone())),
            (Key::from("per_host"), self.per_host.into()),
            (Key::from("aggregate"), self.aggregate.into()),
        ]
        .into_iter()
        .collect();
        Ok(Returns::default().with("ansible_stats", stats))
    }
}
