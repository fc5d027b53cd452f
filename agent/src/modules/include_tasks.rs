//! `include_tasks`.

use crate::error::Result;
use crate::module::{Action, ActionCx, Returns, engine_only};
use crate::params;
use crate::value::Map;

params! {
    /// Runs the tasks of another file, chosen when the task is reached.
    ///
    /// ```yaml
    /// - include_tasks: setup-{{ ansible_os_family }}.yml
    ///
    /// - include_tasks:
    ///     file: gpu.yml
    ///     apply:
    ///       tags: [gpu]
    ///   tags: [gpu]
    /// ```
    pub struct IncludeTasks {
        /// The file.
        optional file | "_raw_params": Option<String>,
        /// Keywords for each of its tasks, such as `tags` or `become`.
        optional apply: Map,
    }
}

impl Action for IncludeTasks {
    fn run(&self, _: &mut dyn ActionCx) -> Result<Returns> {
        engine_only("include_tasks")
    }
}
