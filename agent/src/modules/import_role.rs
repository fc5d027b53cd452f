//! `import_role`.

use crate::error::Result;
use crate::module::{Action, ActionCx, Returns, engine_only};
use crate::params;

params! {
    /// Puts a role in the place of this task, when the playbook is read.
    ///
    /// ```yaml
    /// - import_role:
    ///     name: model_server
    ///     tasks_from: install.yml
    /// ```
    pub struct ImportRole {
        /// The role.
        required name | "role": String,
        /// The file of its `tasks/` to run.
        default("main".to_owned()) tasks_from: String,
        /// The file of its `vars/` to read.
        default("main".to_owned()) vars_from: String,
        /// The file of its `defaults/` to read.
        default("main".to_owned()) defaults_from: String,
        /// The file of its `handlers/` to read.
        default("main".to_owned()) handlers_from: String,
        /// Run it again even if it ran with the same parameters.
        default(true) allow_duplicates: bool,
        /// Let its variables and defaults stay for the tasks that follow.
        default(true) public: bool,
        /// Check its arguments against `meta/argument_specs.yml`.
        default(true) rolespec_validate: bool,
    }
}

impl Action for ImportRole {
    fn run(&self, _: &mut dyn ActionCx) -> Result<Returns> {
        engine_only("import_role")
    }
}
