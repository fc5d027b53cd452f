//! `group_by`.

use crate::error::Result;
use crate::module::{Action, ActionCx, Returns};
use crate::params;

params! {
    /// Puts the host into a group of this run, named by a variable. Blanks in names become dashes.
    ///
    /// ```yaml
    /// - group_by:
    ///     key: os_{{ ansible_distribution }}
    ///     parents: [all_systems]
    /// ```
    pub struct GroupBy {
        /// The group's name.
        required key: String,
        /// Groups that it is made below.
        default(vec!["all".to_owned()]) parents: Vec<String>,
    }
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[
    ("add_group", "The group."),
    ("parent_groups", "Groups that it is below."),
];

impl Action for GroupBy {
    fn run(&self, cx: &mut dyn ActionCx) -> Result<Returns> {
        let group = self.key.replace(' ', "-");
        let parents: Vec<String> = self.parents.iter().map(|p| p.replace(' ', "-")).collect();
        let changed = cx.group_by(&group, &parents)?;
        let mut returns = Returns::default()
            .with("add_group", group)
            .with("parent_groups", parents);
        returns.changed = Some(changed);
        Ok(returns)
    }
}
