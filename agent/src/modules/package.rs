//! `ansible.builtin.package`.

use crate::error::Result;
use crate::module::{Action, ActionCx, Returns};
use crate::params;
use crate::value::{Key, Map, Value};

params! {
    /// Installs, upgrades and removes packages with the host's own package manager.
    ///
    /// Other parameters go to the module of that package manager as they are.
    ///
    /// ```yaml
    /// - package:
    ///     name: [curl, jq]
    ///     state: present
    /// ```
    pub struct Package {
        /// Packages, as the package manager names them.
        optional name: Option<Vec<String>>,
        /// How they should be: `present`, `absent`, `latest`, …; left out, the module decides.
        optional state: Option<String>,
        /// The package manager's module, if it is not to be found out.
        default("auto".to_string()) r#use: String,
    }
}

impl Action for Package {
    fn run(&self, cx: &mut dyn ActionCx) -> Result<Returns> {
        // Only said here, and read by the module that it is for.
        let _ = (&self.name, &self.state);
        let manager = match self.r#use.as_str() {
            "auto" => manager(cx)?,
            named => named.to_string(),
        };
        // Add the name of a package manager's module here once there is one.
        const KNOWN: &[&str] = &["apt"];
        let module = if manager.contains('.') {
            manager.clone()
        } else {
            format!("ansible.builtin.{manager}")
        };
        if !manager.contains('.') && !KNOWN.contains(&manager.as_str()) {
            return Ok(Returns::failure(format!(
                "Could not find a matching action for the \"{manager}\" package manager."
            )));
        }
        let mut args = cx.args().clone();
        args.shift_remove("use");
        cx.run_module(&module, args)
    }
}

/// The package manager of the task's host: a fact, gathered if it was not.
fn manager(cx: &mut dyn ActionCx) -> Result<String> {
    let known = cx
        .variable("ansible_facts")?
        .and_then(|f| f.get("pkg_mgr").cloned());
    let known = match known {
        None => cx.variable("ansible_pkg_mgr")?,
        known => known,
    };
    if let Some(name) = known.as_ref().and_then(Value::as_str) {
        return Ok(name.into());
    }
    let subset = Value::from(vec!["!all", "!min", "pkg_mgr"]);
    let args: Map = [(Key::from("gather_subset"), subset)].into_iter().collect();
    let gathered = cx.run_module("ansible.builtin.setup", args)?;
    let name = gathered
        .facts
        .get("ansible_pkg_mgr")
        .and_then(Value::as_str);
    Ok(name.unwrap_or("unknown").into())
}
