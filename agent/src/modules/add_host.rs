//! `add_host`.

use crate::error::Result;
use crate::module::{Action, ActionCx, Returns};
use crate::params;
use crate::value::{Key, Map, Value};

params! {
    /// Adds a host to the inventory of this run. Every other argument becomes a variable of the host.
    ///
    /// ```yaml
    /// - add_host:
    ///     name: worker-7
    ///     groups: [workers, gpu]
    ///     ansible_host: 10.0.0.7
    /// ```
    pub struct AddHost {
        /// The host's name, with or without a port.
        required name | "host" | "hostname": String,
        /// Groups that it is put into.
        default(Vec::new()) groups | "group" | "groupname": Vec<String>,
    }
}

/// Arguments that are no variables of the host.
const OWN: &[&str] = &["name", "host", "hostname", "groups", "group", "groupname"];

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[(
    "add_host",
    "The host's `host_name`, `groups` and `host_vars`.",
)];

impl Action for AddHost {
    fn run(&self, cx: &mut dyn ActionCx) -> Result<Returns> {
        let mut variables: Map = cx
            .args()
            .iter()
            .filter(|(key, _)| !key.as_str().is_some_and(|name| OWN.contains(&name)))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let (name, port) = split_port(&self.name);
        if let Some(port) = port {
            variables.insert(Key::from("ansible_ssh_port"), port.into());
        }
        let changed = cx.add_host(name, &self.groups, variables.clone())?;
        let added: Map = [
            (Key::from("host_name"), Value::from(name)),
            (Key::from("groups"), self.groups.clone().into()),
            (Key::from("host_vars"), variables.into()),
        ]
        .into_iter()
        .collect();
        let mut returns = Returns::default().with("add_host", added);
        returns.changed = Some(changed);
        Ok(returns)
    }
}

/// `host:2222` and `[::1]:2222` have a port, `::1` has none.
fn split_port(text: &str) -> (&str, Option<u32>) {
    match text.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => match port.parse() {
            Ok(port) => (
                name.trim_start_matches('[').trim_end_matches(']'),
                Some(port),
            ),
            Err(_) => (text, None),
        },
        _ => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_told_from_an_address() {
        for (text, want) in [
            ("h:22", ("h", Some(22))),
            ("h", ("h", None)),
            ("::1", ("::1", None)),
            ("[::1]:22", ("::1", Some(22))),
        ] {
            assert_eq!(split_port(text), want, "{text}");
        }
    }
}
