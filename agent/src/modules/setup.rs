//! `ansible.builtin.setup`, with which `gather_facts` works.

use crate::error::Result;
use crate::facts::{Subset, gather_from};
use crate::module::{HostPath, Module, Plan, PlanCx, Returns, glob};
use crate::params;
use crate::value::{Key, Map};

params! {
    /// Gathers facts about the host: what it is, what it has, what it is called.
    ///
    /// A play does this on its own before its first task, unless it says `gather_facts: false`.
    /// Facts are read from the kernel's files and take a few milliseconds.
    ///
    /// ```yaml
    /// - name: Only what it is, and its network
    ///   setup:
    ///     gather_subset: [min, network]
    ///
    /// - name: Only memory
    ///   setup:
    ///     filter: ansible_mem*
    /// ```
    pub struct Setup {
        /// What to gather: `all`, `min`, `hardware`, `network`, `virtual`, or one of their parts; `!` before a name leaves it out.
        default(vec!["all".to_string()]) gather_subset: Vec<String>,
        /// Only facts whose names match one of these patterns.
        default(Vec::new()) filter: Vec<String>,
        /// Accepted for compatibility: gathering does not wait for anything that could hang.
        default(10) gather_timeout: i64,
        /// Folder of the host's own facts (`*.fact`).
        default(HostPath("/etc/ansible/facts.d".to_string())) fact_path: HostPath,
        /// The Python that the facts tell of (set by the engine from `ansible_python_interpreter`).
        optional _python: Option<String>,
    }
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[(
    "ansible_facts",
    "the facts, with `ansible_` before their names",
)];

impl Module for Setup {
    fn plan(&self, cx: &PlanCx<'_>) -> Result<Plan> {
        // Accepted, and without meaning here.
        let _ = self.gather_timeout;
        let subset = Subset::parse(&self.gather_subset)?;
        let path = self.fact_path.expand(cx.host)?;
        let facts = gather_from(
            cx.host,
            &subset,
            &path.to_string_lossy(),
            self._python.as_deref(),
        )?;
        let returns = Returns {
            facts: self.named(facts),
            ..Returns::default()
        };
        Ok(Plan::returning(returns))
    }

    fn only_reads(&self) -> bool {
        true
    }
}

impl Setup {
    /// Puts `ansible_` before the names, and keeps those that are asked for.
    fn named(&self, facts: Map) -> Map {
        let wanted = |name: &str| {
            let all =
                self.filter.is_empty() || self.filter.iter().any(|p| p.is_empty() || p == "*");
            all || self.filter.iter().any(|pattern| {
                let with_prefix = format!("ansible_{pattern}");
                glob::matches(pattern, name) || glob::matches(&with_prefix, name)
            })
        };
        facts
            .into_iter()
            .map(|(key, value)| (Key::from(format!("ansible_{key}")), value))
            .filter(|(key, _)| key.as_str().is_some_and(wanted))
            .collect()
    }
}
