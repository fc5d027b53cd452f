//! Groups and hosts as mappings, and as a tree of text: what `ansible-inventory` builds.

use super::Show;
use crate::inventory::HostName;
use crate::value::{Key, Map, Value};
use crate::view::py_str;
use std::collections::HashSet;
use std::sync::Arc;

/// Hosts that are shown.
type Hosts<'a> = HashSet<&'a str>;

impl Show<'_> {
    fn children(&self, group: &str) -> Vec<Arc<str>> {
        let group = self.groups.inventory().group(group);
        group
            .map(|g| g.children.iter().cloned().collect())
            .unwrap_or_default()
    }

    /// The hosts that a group names itself and that are shown.
    fn members(&self, group: &str, shown: &Hosts<'_>) -> Vec<HostName> {
        let group = self
            .groups
            .inventory()
            .group(group)
            .filter(|g| &*g.name != "all");
        let hosts = group.into_iter().flat_map(|g| g.hosts.iter());
        hosts.filter(|h| shown.contains(&***h)).cloned().collect()
    }

    /// `--list`: every group at the top, variables of hosts under `_meta`.
    pub(super) fn json_tree(&self, hosts: &[HostName]) -> Value {
        let shown: Hosts<'_> = hosts.iter().map(|h| &**h).collect();
        let mut out = Map::new();
        let mut todo: Vec<Arc<str>> = vec!["all".into()];
        let mut seen: HashSet<Arc<str>> = HashSet::new();
        while let Some(name) = todo.pop() {
            if !seen.insert(Arc::clone(&name)) {
                continue;
            }
            let children = self.children(&name);
            let list =
                |names: &[Arc<str>]| Value::list(names.iter().cloned().map(Value::Str).collect());
            let mut group = Map::new();
            put(&mut group, "hosts", list(&self.members(&name, &shown)));
            put(&mut group, "children", list(&children));
            if self.export {
                put(&mut group, "vars", Value::map(self.group_vars(&name)));
            }
            if !group.is_empty() {
                out.insert(Key::Str(name), Value::map(group));
            }
            todo.extend(children);
        }
        let vars = hosts.iter().filter_map(|host| {
            let vars = self.host_vars(host);
            (!vars.is_empty()).then(|| (Key::Str(Arc::clone(host)), Value::map(vars)))
        });
        let mut meta = Map::new();
        meta.insert(Key::from("hostvars"), Value::map(vars.collect()));
        meta.insert(Key::from("profile"), Value::from("inventory_legacy"));
        out.insert(Key::from("_meta"), Value::map(meta));
        Value::map(out)
    }

    /// `--list --yaml`: groups in groups, variables of hosts where a host is named first.
    pub(super) fn yaml_tree(&self, hosts: &[HostName]) -> Value {
        let shown: Hosts<'_> = hosts.iter().map(|h| &**h).collect();
        let (mut seen_groups, mut seen_hosts) = (HashSet::new(), HashSet::new());
        let all = self.yaml_group("all", &shown, &mut seen_groups, &mut seen_hosts);
        Value::map(named("all", all).into_iter().collect())
    }

    fn yaml_group(
        &self,
        name: &str,
        shown: &Hosts<'_>,
        seen_groups: &mut HashSet<Arc<str>>,
        seen_hosts: &mut HashSet<Arc<str>>,
    ) -> Map {
        let mut children = Map::new();
        for child in self.children(name) {
            if seen_groups.contains(&child) {
                children.insert(Key::Str(child), Value::map(Map::new()));
                continue;
            }
            let group = self.yaml_group(&child, shown, seen_groups, seen_hosts);
            children.extend(named(&child, group));
            seen_groups.insert(child);
        }
        let mut group = Map::new();
        put(&mut group, "children", Value::map(children));
        put(
            &mut group,
            "hosts",
            self.hosts_with_vars(name, shown, seen_hosts),
        );
        if self.export {
            put(&mut group, "vars", Value::map(self.group_vars(name)));
        }
        group
    }

    /// The hosts of a group; the variables of each stand where it is named first.
    fn hosts_with_vars(
        &self,
        group: &str,
        shown: &Hosts<'_>,
        seen: &mut HashSet<Arc<str>>,
    ) -> Value {
        let members = self.members(group, shown).into_iter().map(|host| {
            let vars = match seen.insert(Arc::clone(&host)) {
                true => self.host_vars(&host),
                false => Map::new(),
            };
            (Key::Str(host), Value::map(vars))
        });
        Value::map(members.collect())
    }

    /// `--list --toml`: every group at the top, with names of groups under `children`.
    pub(super) fn toml_tree(&self, hosts: &[HostName]) -> Value {
        let shown: Hosts<'_> = hosts.iter().map(|h| &**h).collect();
        let mut out = Map::new();
        self.toml_group("all", &shown, &mut HashSet::new(), &mut out);
        Value::map(out)
    }

    fn toml_group(
        &self,
        name: &str,
        shown: &Hosts<'_>,
        seen: &mut HashSet<Arc<str>>,
        out: &mut Map,
    ) {
        let mut children = self.children(name);
        let empty = |group: &str| {
            let group = self.groups.inventory().group(group);
            group.is_none_or(|g| g.hosts.is_empty())
        };
        children.retain(|child| &**child != "ungrouped" || !empty(child));
        // A group keeps the place before what it holds, as in Ansible.
        out.insert(Key::from(name), Value::map(Map::new()));
        for child in &children {
            if !out.contains_key(&Key::Str(Arc::clone(child))) {
                self.toml_group(child, shown, seen, out);
            }
        }
        let mut group = Map::new();
        if name != "all" {
            let names = children.iter().cloned().map(Value::Str).collect();
            put(&mut group, "children", Value::list(names));
        }
        put(&mut group, "hosts", self.hosts_with_vars(name, shown, seen));
        if self.export {
            put(&mut group, "vars", Value::map(self.group_vars(name)));
        }
        if group.is_empty() {
            out.shift_remove(&Key::from(name));
        } else {
            out.insert(Key::from(name), Value::map(group));
        }
    }

    /// `--graph`.
    pub(super) fn graph(&self, start: &str, vars: bool) -> String {
        let mut lines = Vec::new();
        self.graph_group(start, 0, vars, &mut lines);
        lines.join("\n")
    }

    fn graph_group(&self, name: &str, depth: usize, vars: bool, lines: &mut Vec<String>) {
        lines.push(branch(&format!("@{name}:"), depth));
        for child in self.children(name) {
            self.graph_group(&child, depth + 1, vars, lines);
        }
        let group = self
            .groups
            .inventory()
            .group(name)
            .filter(|_| name != "all");
        for host in group.into_iter().flat_map(|g| g.hosts.iter()) {
            lines.push(branch(host, depth + 1));
            if vars {
                graph_vars(&self.host_vars(host), depth + 2, lines);
            }
        }
        if vars {
            graph_vars(&self.group_vars(name), depth + 1, lines);
        }
    }
}

fn branch(text: &str, depth: usize) -> String {
    match depth {
        0 => text.to_owned(),
        depth => format!("{}--{text}", "  |".repeat(depth)),
    }
}

fn graph_vars(vars: &Map, depth: usize, lines: &mut Vec<String>) {
    let mut vars: Vec<(String, &Value)> = vars.iter().map(|(k, v)| (k.to_string(), v)).collect();
    vars.sort_by(|a, b| a.0.cmp(&b.0));
    for (name, value) in vars {
        let value = py_str(value);
        lines.push(branch(&format!("{{{name} = {value}}}"), depth));
    }
}

/// An entry, unless its value is empty.
fn put(map: &mut Map, key: &str, value: Value) {
    let empty = match &value {
        Value::List(list) => list.is_empty(),
        Value::Map(map) => map.is_empty(),
        _ => false,
    };
    if !empty {
        map.insert(Key::from(key), value);
    }
}

/// The entry of a group; none if there is nothing to say of it.
fn named(name: &str, group: Map) -> Option<(Key, Value)> {
    (!group.is_empty()).then(|| (Key::from(name), Value::map(group)))
}
