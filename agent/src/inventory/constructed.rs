//! The inventory plugin `constructed`: variables and groups computed from those of hosts that
//! earlier sources named.
//!
//! From `ansible/plugins/inventory/constructed.py` and `Constructable` of
//! `ansible/plugins/inventory/__init__.py`.

use super::config::sanitized;
use super::{Inventory, NearVars, Side, Tools};
use crate::error::{Error, ErrorKind, Result};
use crate::playbook::keyword::{as_bool, plain_text};
use crate::playbook::yaml::Node;
use crate::value::{Key, Map, Value};
use std::path::PathBuf;
use std::sync::Arc;

const OPTIONS: [&str; 9] = [
    "plugin",
    "compose",
    "groups",
    "keyed_groups",
    "strict",
    "use_vars_plugins",
    "use_extra_vars",
    "leading_separator",
    "cache",
];

/// Adds what the configuration says to `inventory`; `dirs` are those of the sources so far.
///
/// # Errors
/// With the place where an option is wrong; under `strict` also where an expression fails.
pub(super) fn read(
    root: &Node,
    tools: &Tools<'_>,
    dirs: &[PathBuf],
    inventory: &mut Inventory,
) -> Result<()> {
    for (key, _) in root.as_map().unwrap_or_default() {
        let name = key.as_str().unwrap_or_default();
        if !OPTIONS.contains(&name) {
            return Err(key
                .error(format!("`constructed` has no option `{}`", key.to_key()))
                .did_you_mean(name, OPTIONS));
        }
    }
    inventory.set_depths();
    let mut near = Vec::new();
    if flag(root, "use_vars_plugins", false)? {
        let hosts: Vec<_> = inventory.hosts.keys().cloned().collect();
        for dir in dirs {
            let mut read = NearVars::read(
                Side::Inventory,
                dir,
                inventory,
                &hosts,
                tools.files,
                tools.vault,
            )?;
            if let Some(error) = read.problems(inventory, &hosts).into_iter().next() {
                return Err(error);
            }
            near.push(read);
        }
    }
    let hosts: Vec<Arc<str>> = inventory.hosts.keys().cloned().collect();
    build_with(root, tools, near, hosts, inventory)
}

/// Variables and groups of these hosts, as `compose`, `groups` and `keyed_groups` say: what all of
/// Ansible's plugins that look hosts up have in common.
///
/// # Errors
/// As [`read`].
pub(super) fn build(
    root: &Node,
    tools: &Tools<'_>,
    hosts: Vec<Arc<str>>,
    inventory: &mut Inventory,
) -> Result<()> {
    inventory.set_depths();
    build_with(root, tools, Vec::new(), hosts, inventory)
}

fn build_with(
    root: &Node,
    tools: &Tools<'_>,
    near: Vec<NearVars>,
    hosts: Vec<Arc<str>>,
    inventory: &mut Inventory,
) -> Result<()> {
    let mut builder = Builder {
        tools,
        strict: flag(root, "strict", false)?,
        extra: flag(root, "use_extra_vars", tools.config.use_extra_vars)?,
        leading: flag(root, "leading_separator", true)?,
        near,
        inventory,
    };
    for host in hosts {
        builder.compose(&host, root)?;
        let vars = builder.vars(&host);
        builder.conditions(&host, root, &vars)?;
        builder.keyed(&host, root, &vars)?;
    }
    Ok(())
}

/// An option that is true or false.
pub(super) fn flag(node: &Node, name: &str, default: bool) -> Result<bool> {
    let Some(value) = node.get(name) else {
        return Ok(default);
    };
    let text = value.as_str().and_then(as_bool);
    value.as_bool().or(text).ok_or_else(|| {
        value.error(format!(
            "`{name}` must be true or false, not {}",
            value.what()
        ))
    })
}

struct Builder<'a, 'b> {
    tools: &'a Tools<'b>,
    strict: bool,
    extra: bool,
    leading: bool,
    near: Vec<NearVars>,
    inventory: &'a mut Inventory,
}

impl Builder<'_, '_> {
    /// What expressions about a host see.
    fn vars(&self, host: &str) -> Arc<Map> {
        let mut vars = Map::new();
        for layer in self.inventory.host_vars(host, &self.near) {
            vars.extend(
                layer
                    .vars
                    .values()
                    .iter()
                    .map(|(k, v)| (k.clone(), v.clone())),
            );
        }
        let short = host.split('.').next().unwrap_or(host);
        let groups = self.inventory.group_names(host).into_iter();
        vars.insert(Key::from("inventory_hostname"), Value::from(host));
        vars.insert(Key::from("inventory_hostname_short"), Value::from(short));
        vars.insert(
            Key::from("group_names"),
            Value::list(groups.map(Value::Str).collect()),
        );
        Arc::new(vars)
    }

    /// With extra variables over them, where that is asked for.
    fn with_extra(&self, vars: &Arc<Map>) -> Arc<Map> {
        if !self.extra {
            return Arc::clone(vars);
        }
        let mut all = (**vars).clone();
        let extra = self.tools.config.extra_vars.iter();
        all.extend(extra.map(|(k, v)| (k.clone(), v.clone())));
        Arc::new(all)
    }

    /// An expression's value; nothing where it fails and that is no error.
    fn evaluate(&self, node: &Node, vars: &Arc<Map>, what: &str) -> Result<Option<Value>> {
        let got = match node.as_str() {
            Some(text) => {
                let vars = self.with_extra(vars);
                self.tools
                    .templates
                    .expression(text, Some(&node.span), &vars)
            }
            None => Err(node.error(format!("an expression must be text, not {}", node.what()))),
        };
        self.lenient(got, what)
    }

    fn lenient<T>(&self, got: Result<T>, what: &str) -> Result<Option<T>> {
        match got {
            Ok(value) => Ok(Some(value)),
            Err(error) if self.strict => Err(error.context(what)),
            Err(_) => Ok(None),
        }
    }

    fn compose(&mut self, host: &str, root: &Node) -> Result<()> {
        let vars = self.vars(host);
        for (name, expression) in map_of(root, "compose") {
            let key = name.to_key();
            let what = format!("Could not set {key} for host {host}");
            if let Some(value) = self.evaluate(expression, &vars, &what)? {
                self.inventory
                    .set_host_var(host, key, value, Some(&name.span));
            }
        }
        Ok(())
    }

    fn conditions(&mut self, host: &str, root: &Node, vars: &Arc<Map>) -> Result<()> {
        for (name, condition) in map_of(root, "groups") {
            let group = sanitized(&plain_text(&name.to_key().to_value()));
            let value = condition.to_value(self.tools.vault)?;
            let holds = self
                .tools
                .templates
                .condition(&value, Some(&condition.span), vars);
            let what = format!("Could not add host {host} to group {group}");
            if self.lenient(holds, &what)? == Some(true) {
                self.inventory.add_host(host, &group);
            }
        }
        Ok(())
    }

    fn keyed(&mut self, host: &str, root: &Node, vars: &Arc<Map>) -> Result<()> {
        let list = root.get("keyed_groups").and_then(|n| n.as_seq());
        for entry in list.unwrap_or_default() {
            if entry.as_map().is_some_and(|m| !m.is_empty()) {
                self.keyed_one(host, entry, vars)?;
            }
        }
        Ok(())
    }

    fn keyed_one(&mut self, host: &str, entry: &Node, vars: &Arc<Map>) -> Result<()> {
        let text = |name: &str| entry.get(name).and_then(|n| n.scalar_text());
        let expression = entry
            .get("key")
            .ok_or_else(|| entry.error("an entry of `keyed_groups` needs a `key`"))?;
        let what = format!(
            "Could not generate group for host {host} from {} entry",
            expression.as_str().unwrap_or("?")
        );
        let Some(key) = self.evaluate(expression, vars, &what)? else {
            return Ok(());
        };
        let default = entry
            .get("default_value")
            .filter(|n| !n.is_null())
            .and_then(|n| n.scalar_text());
        let trailing = entry.get("trailing_separator").filter(|n| !n.is_null());
        if trailing.is_some() && default.is_some() {
            return Err(entry.error(
                "parameters are mutually exclusive for keyed groups: default_value|trailing_separator",
            ));
        }
        let trailing = flag(entry, "trailing_separator", true).unwrap_or(true);
        let separator = text("separator").unwrap_or_else(|| "_".into());
        let prefix = text("prefix").unwrap_or_default();
        let Some(names) = names(&key, default.as_deref(), &separator, trailing) else {
            return Err(entry.error(format!(
                "Invalid group name format, expected a string or a list of them or dictionary, got: {}",
                key.type_name()
            )));
        };
        if names.is_empty() {
            // An empty list or mapping names no groups, and that is well.
            let hollow = !matches!(key, Value::List(_) | Value::Map(_));
            return if hollow && self.strict {
                Err(expression.error(format!(
                    "No key or key resulted empty for {} in host {host}, invalid entry",
                    expression.as_str().unwrap_or("?")
                )))
            } else {
                Ok(())
            };
        }
        let Some(parent) = self.parent(entry, vars)? else {
            return Ok(());
        };
        let leading = if prefix.is_empty() && !self.leading {
            ""
        } else {
            separator.as_str()
        };
        for name in names {
            let group = sanitized(&format!("{prefix}{leading}{name}"));
            self.inventory.add_host(host, &group);
            if !parent.is_empty() {
                let added = self.inventory.add_child(&sanitized(&parent), &group);
                added.map_err(|e| e.at(&entry.span))?;
            }
        }
        Ok(())
    }

    /// The group around the groups of an entry: empty if there is none, nothing if its template
    /// fails and that is no error.
    fn parent(&self, entry: &Node, vars: &Arc<Map>) -> Result<Option<String>> {
        let Some(node) = entry.get("parent_group").filter(|n| !n.is_null()) else {
            return Ok(Some(String::new()));
        };
        let value = node.to_value(self.tools.vault)?;
        let got = self.tools.templates.resolve(&value, &self.with_extra(vars));
        let text = self.lenient(got, "Could not generate parent group")?;
        Ok(text.map(|v| match v {
            Value::Omit | Value::Null => String::new(),
            value => plain_text(&value),
        }))
    }
}

fn map_of<'n>(root: &'n Node, name: &str) -> &'n [(Node, Node)] {
    root.get(name).and_then(|n| n.as_map()).unwrap_or_default()
}

/// The names (without their prefix) that a key stands for; `None` if it can stand for none.
fn names(
    key: &Value,
    default: Option<&str>,
    separator: &str,
    trailing: bool,
) -> Option<Vec<String>> {
    let empty = |value: &Value| value.is_null() || value.as_str() == Some("");
    if empty(key) {
        return Some(default.map(String::from).into_iter().collect());
    }
    Some(match key {
        Value::Str(_) | Value::Template(_) => vec![plain_text(key)],
        Value::List(items) => items
            .iter()
            .map(|item| match default {
                Some(default) if empty(item) => default.to_owned(),
                _ => name_of(item),
            })
            .collect(),
        Value::Map(map) => map
            .iter()
            .map(|(name, value)| {
                let name = name_of(&name.to_value());
                match default {
                    Some(default) if empty(value) => format!("{name}{separator}{default}"),
                    None if empty(value) && !trailing => name,
                    _ => format!("{name}{separator}{}", name_of(value)),
                }
            })
            .collect(),
        // What counts as false names no group; other numbers are a mistake.
        other if !other.is_truthy() => Vec::new(),
        _ => return None,
    })
}

/// As Python's `%s` writes it.
fn name_of(value: &Value) -> String {
    match value {
        Value::Null => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        other => plain_text(other),
    }
}

/// The error of a file whose `plugin` is another one.
pub(super) fn not_mine(root: &Node, name: &str) -> Error {
    let given = root.get("plugin").and_then(|n| n.scalar_text());
    Error::new(
        ErrorKind::Syntax,
        format!(
            "Incorrect plugin name in file: {} (expected {name})",
            given.as_deref().unwrap_or("none found")
        ),
    )
    .at(&root.span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_every_kind_name_groups_as_in_ansible() {
        let map = |pairs: &[(&str, Value)]| {
            let pairs = pairs.iter().map(|(k, v)| (Key::from(*k), v.clone()));
            Value::map(pairs.collect())
        };
        let list = Value::list(vec![Value::from("a"), Value::Null, Value::from("")]);
        for (key, default, trailing, want) in [
            (Value::from("web"), None, true, vec!["web"]),
            (Value::from(""), Some("d"), true, vec!["d"]),
            (Value::Null, Some("d"), true, vec!["d"]),
            (Value::from(""), None, true, vec![]),
            (list.clone(), Some("d"), true, vec!["a", "d", "d"]),
            (list, None, true, vec!["a", "None", ""]),
            (map(&[("k", Value::from("v"))]), None, true, vec!["k_v"]),
            (map(&[("k", Value::from(""))]), None, true, vec!["k_"]),
            (map(&[("k", Value::from(""))]), None, false, vec!["k"]),
            (map(&[("k", Value::from(""))]), Some("d"), true, vec!["k_d"]),
            (Value::list(vec![]), None, true, vec![]),
        ] {
            let got = names(&key, default, "_", trailing).unwrap();
            assert_eq!(got, want, "{key:?} {default:?} {trailing}");
        }
        assert_eq!(names(&Value::Int(5), None, "_", true), None);
    }
}
