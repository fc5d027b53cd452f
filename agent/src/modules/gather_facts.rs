//! `ansible.builtin.gather_facts`.

use crate::error::Result;
use crate::module::{Action, ActionCx, Returns};
use crate::params;
use crate::value::{Key, Map, Value};

params! {
    /// Gathers facts, with `setup` or with the modules that `ansible_facts_modules` names. This is what a
    /// play does before its first task.
    ///
    /// ```yaml
    /// - name: Once more, after the kernel's modules were loaded
    ///   gather_facts:
    ///     gather_subset: [hardware]
    /// ```
    pub struct GatherFacts {
        /// Accepted for compatibility: modules that gather facts take milliseconds, one after the other.
        optional parallel: Option<bool>,
    }
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[("ansible_facts", "the facts")];

/// Parameters that only `setup` understands.
const OF_SETUP: &[&str] = &["gather_subset", "gather_timeout", "filter"];

impl Action for GatherFacts {
    fn run(&self, cx: &mut dyn ActionCx) -> Result<Returns> {
        let _ = self.parallel;
        let mut out = Returns::default();
        let mut facts = Map::new();
        let mut bad = Map::new();
        let modules = modules(cx)?;
        for module in &modules {
            let args = arguments(cx.args(), module, &mut out.warnings);
            let one = cx.run_module(module, args)?;
            if one.failed {
                bad.insert(Key::from(module.as_str()), Value::map(one.values));
            } else {
                facts.extend(one.facts);
            }
        }
        facts.insert(Key::from("_ansible_facts_gathered"), Value::Bool(true));
        out.facts = facts;
        if !bad.is_empty() {
            let names: Vec<String> = bad.keys().map(ToString::to_string).collect();
            let texts: Vec<String> = bad
                .values()
                .filter_map(|one| one.get("msg")?.as_str().map(String::from))
                .collect();
            out.set("failed_modules", Value::map(bad));
            out.fail(format!(
                "The following modules failed to execute: {}. {}",
                names.join(", "),
                texts.join(" ")
            ));
        }
        Ok(out)
    }
}

/// The modules to gather with: `smart` stands for `setup`.
fn modules(cx: &dyn ActionCx) -> Result<Vec<String>> {
    let mut out: Vec<String> = match cx.variable("ansible_facts_modules")? {
        Some(Value::List(list)) => list
            .iter()
            .filter_map(Value::as_str)
            .map(String::from)
            .collect(),
        Some(Value::Str(text)) => text.split(',').map(|w| w.trim().to_string()).collect(),
        _ => vec!["smart".into()],
    };
    let is_setup = |name: &str| name.rsplit('.').next() == Some("setup");
    if let Some(at) = out.iter().position(|name| name == "smart") {
        out.remove(at);
        if !out.iter().any(|name| is_setup(name)) {
            out.push("ansible.builtin.setup".into());
        }
    }
    Ok(out)
}

fn arguments(given: &Map, module: &str, warnings: &mut Vec<String>) -> Map {
    let is_setup = module.rsplit('.').next() == Some("setup");
    let mut args = Map::new();
    for (key, value) in given {
        let name = key.to_string();
        if name == "parallel" || value.is_null() {
            continue;
        }
        if !is_setup && OF_SETUP.contains(&name.as_str()) {
            let all = value.as_str() == Some("all")
                || value
                    .as_list()
                    .is_some_and(|l| l.len() == 1 && l[0].as_str() == Some("all"));
            if !(name == "gather_subset" && all) {
                warnings.push(format!("Not passing {name} to {module}"));
            }
            continue;
        }
        args.insert(key.clone(), value.clone());
    }
    args
}
