//! Inventories in TOML, from `ansible/plugins/inventory/toml.py`: groups as tables, with `hosts` and
//! `vars` as tables and `children` as a list.

use super::{Inventory, address};
use crate::error::{Error, ErrorKind, Result};
use crate::playbook::yaml::timestamp;
use crate::source::{SourceFile, Span};
use crate::value::{Key, Map, Value};
use ::toml::{Table, Value as Toml};
use std::sync::Arc;

/// Adds what `file` says to `inventory`.
///
/// # Errors
/// With the place where it is no TOML; with the group where it is no inventory.
pub(super) fn read(file: &Arc<SourceFile>, inventory: &mut Inventory) -> Result<()> {
    let root: Table = ::toml::from_str(&file.text).map_err(|e| broken(file, &e))?;
    if root.is_empty() {
        return Err(wrong("Parsed empty TOML file".into()));
    }
    if root.contains_key("plugin") {
        return Err(wrong(
            "this is the configuration of an inventory plugin, not an inventory".into(),
        ));
    }
    let mut reader = Reader { inventory };
    for (name, group) in &root {
        reader.group(name, group)?;
    }
    Ok(())
}

fn wrong(message: String) -> Error {
    Error::new(ErrorKind::Syntax, message)
}

fn broken(file: &Arc<SourceFile>, error: &::toml::de::Error) -> Error {
    let at = error.span().map_or(0, |s| s.start).min(file.text.len());
    let before = file.text.get(..at).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
    let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    wrong(format!("this is no TOML: {}", error.message())).at(&Span::new(
        file,
        narrow(line),
        narrow(column),
        1,
    ))
}

struct Reader<'a> {
    inventory: &'a mut Inventory,
}

impl Reader<'_> {
    fn group(&mut self, name: &str, group: &Toml) -> Result<()> {
        let Toml::Table(sections) = group else {
            self.inventory.warn(
                format!("Skipping '{name}' as this is not a valid group definition"),
                None,
            );
            return Ok(());
        };
        self.inventory.add_group_at(name, None);
        for (section, content) in sections {
            match (section.as_str(), content) {
                ("vars", Toml::Table(vars)) => {
                    for (key, value) in vars {
                        let key = key.as_str().into();
                        self.inventory
                            .set_group_var(name, key, written(value), None)?;
                    }
                }
                ("children", Toml::Array(children)) => {
                    for child in children {
                        let child = child.as_str();
                        let child = child.ok_or_else(|| {
                            wrong(format!("the children of `{name}` must be names of groups"))
                        })?;
                        self.inventory.add_child(name, child)?;
                    }
                }
                ("hosts", Toml::Table(hosts)) => {
                    for (host, vars) in hosts {
                        self.host(name, host, vars)?;
                    }
                }
                ("vars" | "hosts", _) => return Err(not(section, name, "dict", content)),
                ("children", _) => return Err(not(section, name, "list", content)),
                _ => self.inventory.warn(
                    format!(
                        "Skipping unexpected key \"{section}\" in group \"{name}\", only \"vars\", \
                         \"children\" and \"hosts\" are valid"
                    ),
                    None,
                ),
            }
        }
        Ok(())
    }

    fn host(&mut self, group: &str, pattern: &str, vars: &Toml) -> Result<()> {
        let Toml::Table(vars) = vars else {
            return Err(not("hosts", pattern, "dict", vars));
        };
        let (hosts, port) = address::expand(pattern).map_err(wrong)?;
        for host in hosts {
            self.inventory.add_host(&host, group);
            if let Some(port) = port {
                let port = Value::Int(port.into());
                self.inventory
                    .set_host_var(&host, "ansible_port".into(), port, None);
            }
            for (key, value) in vars {
                let key = key.as_str().into();
                self.inventory
                    .set_host_var(&host, key, written(value), None);
            }
        }
        Ok(())
    }
}

fn not(section: &str, group: &str, wanted: &str, found: &Toml) -> Error {
    let found = found.type_str();
    wrong(format!(
        "Invalid \"{section}\" entry for \"{group}\" group, requires a {wanted}, found \"{found}\" instead."
    ))
}

/// A value of an inventory file: text with markers is a template.
fn written(value: &Toml) -> Value {
    match value {
        Toml::String(text) => Value::written(text.as_str(), None),
        Toml::Integer(i) => Value::Int(*i),
        Toml::Float(f) => Value::Float(*f),
        Toml::Boolean(b) => Value::Bool(*b),
        Toml::Datetime(time) => {
            // The text that the same date has in YAML.
            let text = time.to_string();
            Value::from(timestamp(&text).unwrap_or(text))
        }
        Toml::Array(items) => Value::list(items.iter().map(written).collect()),
        Toml::Table(table) => Value::map(
            table
                .iter()
                .map(|(key, value)| (Key::from(key.as_str()), written(value)))
                .collect::<Map>(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Inventory> {
        let mut inventory = Inventory::new();
        read(&SourceFile::new("hosts.toml", text), &mut inventory)?;
        inventory.reconcile();
        Ok(inventory)
    }

    #[test]
    fn groups_hosts_and_variables_are_read() {
        let inventory = load(
            "[all.vars]\nv = false\n[web]\nchildren = [\"apache\"]\n[web.hosts]\n\
             \"w[1:2]:22\" = {}\nhost3 = { t = \"{{ x }}\", l = [1, 1.5] }\n",
        )
        .unwrap();
        let hosts: Vec<String> = inventory.hosts().map(|h| h.name.to_string()).collect();
        assert_eq!(hosts, ["w1", "w2", "host3"]);
        let vars = |host: &str, name: &str| inventory.host(host).unwrap().vars.get(name).cloned();
        assert_eq!(vars("w1", "ansible_port"), Some(Value::Int(22)));
        assert!(matches!(vars("host3", "t"), Some(Value::Template(_))));
        assert_eq!(
            inventory.group("all").unwrap().vars.get("v"),
            Some(&Value::Bool(false))
        );
        assert!(inventory.group("web").unwrap().children.contains("apache"));
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (text, want) in [
            ("a = [\n", "this is no TOML"),
            ("[g]\nhosts = [1]\n", "requires a dict, found \"array\""),
            ("[g]\nchildren = 1\n", "requires a list"),
            ("", "empty TOML"),
            ("plugin = 'x'\n", "configuration of an inventory plugin"),
        ] {
            let error = load(text).unwrap_err().to_string();
            assert!(error.contains(want), "{text}: {error}");
        }
        let error = load("x = 1\ny = = 2\n").unwrap_err();
        assert_eq!(error.span().map(|s| s.line), Some(2));
        let odd = load("a = 1\n[b.extra]\n").unwrap();
        assert_eq!(odd.warnings.len(), 2, "{:?}", odd.warnings);
    }
}
