//! Names that are no good for variables: keywords of plays, roles, blocks and tasks, and functions of
//! templates. A variable of such a name works, and hides the function, or is taken for the keyword by
//! whoever reads the playbook: Ansible warns, and so do we.

use super::keyword::{BLOCK, Kw, PLAY, ROLE, TASK};
use super::load::Loader;
use super::yaml::Node;
use crate::template;
use std::collections::HashSet;
use std::sync::LazyLock;

/// What is said of a variable of such a name; nothing for all others.
#[must_use]
pub fn warning(name: &str) -> Option<String> {
    is_reserved(name).then(|| format!("Found variable using reserved name '{name}'."))
}

fn is_reserved(name: &str) -> bool {
    // Every `set_fact` of every host asks.
    static NAMES: LazyLock<HashSet<&str>> = LazyLock::new(|| {
        let keywords = [PLAY, ROLE, BLOCK, TASK].into_iter().flat_map(Kw::names);
        keywords
            // Ansible's own name for all variables, of which it never warned.
            .filter(|name| *name != "vars")
            .chain(template::function_names())
            .chain(["with_"])
            .collect()
    });
    NAMES.contains(name)
}

impl Loader<'_> {
    /// Warns of such names among the keys of `vars:` (a mapping, or a list of them), each at its place.
    pub(super) fn warn_of_reserved(&mut self, vars: &Node) {
        for map in vars.as_seq().unwrap_or(std::slice::from_ref(vars)) {
            for (key, _) in map.as_map().unwrap_or_default() {
                if let Some(text) = key.as_str().and_then(warning) {
                    self.problems.warn(text, Some(&key.span));
                }
            }
        }
    }
}
