//! `import_tasks`.

use crate::error::Result;
use crate::module::{Action, ActionCx, Returns, engine_only};
use crate::params;

params! {
    /// Puts the tasks of another file in the place of this one, when the playbook is read.
    ///
    /// ```yaml
    /// - import_tasks: docker.yml
    /// ```
    pub struct ImportTasks {
        /// The file.
        optional file | "_raw_params": Option<String>,
    }
}

impl Action for ImportTasks {
    fn run(&self, _: &mut dyn ActionCx) -> Result<Returns> {
        engine_only("import_tasks")
    }
}
