//! The inventory plugin `amazon.aws.aws_ec2`: instances of EC2, under the names, variables and groups that
//! its documentation promises. Files that people have for Ansible are read as they are.

use super::config::sanitized;
use super::{AskEc2, Inventory, Tools, constructed};
use crate::caller::{self, Caller};
use crate::error::Result;
use crate::playbook::keyword::plain_text;
use crate::playbook::yaml::Node;
use crate::value::{Key, Map, Value};

/// Options that mean something here, besides those of [`caller::NAMES`], and those that may stand there.
const OPTIONS: &[&str] = &[
    "plugin",
    "regions",
    "filters",
    "include_filters",
    "exclude_filters",
    "hostnames",
    "hostvars_prefix",
    "hostvars_suffix",
    "allow_duplicated_hosts",
    "use_contrib_script_compatible_ec2_tag_keys",
    "keyed_groups",
    "groups",
    "compose",
    "strict",
    "leading_separator",
    "use_extra_vars",
    "strict_permissions",
    "cache",
    "cache_plugin",
    "cache_timeout",
    "cache_connection",
    "cache_prefix",
];
/// Options that ask for what is not here.
const ABSENT: &[&str] = &[
    "include_extra_api_calls",
    "use_ssm_inventory",
    "use_contrib_script_compatible_sanitization",
];
/// The states that are asked for where the filters name none.
const STATES: [&str; 4] = ["running", "pending", "stopping", "stopped"];
/// Names that are tried where `hostnames` says nothing.
const USUAL_NAMES: [&str; 2] = ["dns-name", "private-dns-name"];
/// The group of all of them.
const GROUP: &str = "aws_ec2";

/// Names of filters, and the values that each lets pass.
type Filters = Vec<(String, Vec<String>)>;

/// Whether a file's name is one that Ansible's plugin takes.
pub(super) fn is_named(path: &str) -> bool {
    ["aws_ec2.yml", "aws_ec2.yaml"]
        .iter()
        .any(|end| path.ends_with(end))
}

/// Adds the instances that the configuration asks for to `inventory`.
///
/// # Errors
/// With the place where an option is wrong; when EC2 refuses.
pub(super) fn read(root: &Node, tools: &Tools<'_>, inventory: &mut Inventory) -> Result<()> {
    for (key, _) in root.as_map().unwrap_or_default() {
        let name = key.as_str().unwrap_or_default();
        if ABSENT.contains(&name) {
            return Err(key.error(format!("`aws_ec2` has no option `{name}` here")));
        }
        if !OPTIONS.contains(&name) && !caller::NAMES.contains(&name) {
            return Err(key
                .error(format!("`aws_ec2` has no option `{}`", key.to_key()))
                .did_you_mean(name, OPTIONS.iter().chain(&caller::NAMES).copied()));
        }
    }
    let reader = Reader::new(root, tools)?;
    let mut instances: Vec<Map> = Vec::new();
    let excluded = reader.excluded()?;
    for filters in reader.all_filters("filters", "include_filters")? {
        for instance in reader.found(filters)? {
            let id = instance.get("instance_id");
            let known = |i: &Map| i.get("instance_id") == id;
            if !excluded.iter().any(|e| Some(e) == id) && !instances.iter().any(known) {
                instances.push(instance);
            }
        }
    }
    instances.sort_by_cached_key(|i| text(i, "instance_id"));
    inventory.add_group(GROUP);
    let mut hosts = Vec::new();
    for instance in instances {
        let mut names = reader.names(&instance);
        if !reader.all_names {
            names.truncate(1);
        }
        for name in names {
            inventory.add_host(&name, GROUP);
            for (key, value) in &instance {
                let key = format!("{}{key}{}", reader.prefix, reader.suffix);
                inventory.set_host_var(&name, Key::from(key.as_str()), value.clone(), None);
            }
            let tags = instance.get("tags").and_then(Value::as_map);
            for (key, value) in tags.filter(|_| reader.tag_keys).into_iter().flatten() {
                let key = format!("ec2_tag_{}", plain_text(&key.to_value()));
                inventory.set_host_var(&name, Key::from(key.as_str()), value.clone(), None);
            }
            hosts.push(name.as_str().into());
        }
    }
    constructed::build(root, tools, hosts, inventory)
}

struct Reader<'a> {
    root: &'a Node,
    tools: &'a Tools<'a>,
    asked: AskEc2,
    /// Tags are variables of their own, too.
    tag_keys: bool,
    names: Vec<Name>,
    all_names: bool,
    prefix: String,
    suffix: String,
}

/// An entry of `hostnames`.
enum Name {
    Plain(String),
    /// `name`, with `prefix` and a separator before it.
    Joined {
        name: String,
        prefix: Option<String>,
        separator: String,
    },
}

impl<'a> Reader<'a> {
    fn new(root: &'a Node, tools: &'a Tools<'a>) -> Result<Self> {
        let option = |name: &str| {
            root.get(name)
                .and_then(Node::scalar_text)
                .unwrap_or_default()
        };
        let mut names = Vec::new();
        for entry in root
            .get("hostnames")
            .and_then(|n| n.as_seq())
            .unwrap_or_default()
        {
            let part = |name: &str| entry.get(name).and_then(Node::scalar_text);
            names.push(match (entry.scalar_text(), part("name")) {
                (Some(name), _) => Name::Plain(name),
                (None, Some(name)) => Name::Joined {
                    name,
                    prefix: part("prefix"),
                    separator: part("separator").unwrap_or_else(|| "_".into()),
                },
                (None, None) => {
                    return Err(
                        entry.error("A 'name' key must be defined in a hostnames dictionary.")
                    );
                }
            });
        }
        if names.is_empty() {
            names = USUAL_NAMES.map(|n| Name::Plain(n.into())).into();
        }
        let mut reader = Self {
            root,
            tools,
            asked: AskEc2 {
                skip_denied: !constructed::flag(root, "strict_permissions", true)?,
                ..AskEc2::default()
            },
            tag_keys: constructed::flag(root, "use_contrib_script_compatible_ec2_tag_keys", false)?,
            names,
            all_names: constructed::flag(root, "allow_duplicated_hosts", false)?,
            prefix: option("hostvars_prefix"),
            suffix: option("hostvars_suffix"),
        };
        reader.asked.caller = Caller::read(|name| -> Result<_> {
            let text = reader.texts(root.get(name))?.into_iter().next();
            Ok(text.filter(|text| !text.is_empty()))
        })
        .map_err(|e| e.at_opt(Some(&root.span)))?;
        reader.asked.regions = reader.texts(root.get("regions"))?;
        if reader.asked.regions.is_empty() {
            reader.asked.regions = tools.files.regions(&reader.asked.caller)?;
        }
        Ok(reader)
    }

    /// The instances that pass all of these filters, in all regions.
    fn found(&self, filters: Filters) -> Result<Vec<Map>> {
        self.tools.files.instances(&AskEc2 {
            filters,
            ..self.asked.clone()
        })
    }

    /// A text or a list of texts, templates evaluated.
    fn texts(&self, node: Option<&Node>) -> Result<Vec<String>> {
        let Some(node) = node.filter(|n| !n.is_null()) else {
            return Ok(Vec::new());
        };
        let value = node.to_value(self.tools.vault)?;
        let value = self
            .tools
            .templates
            .resolve(&value, &std::sync::Arc::default())?;
        let one = |v: &Value| plain_text(v);
        Ok(match value.as_list() {
            Some(items) => items.iter().map(one).collect(),
            None => vec![one(&value)],
        })
    }

    fn filters(&self, node: &Node) -> Result<Filters> {
        let mut found = Vec::new();
        for (name, value) in node.as_map().unwrap_or_default() {
            let name = name.scalar_text().unwrap_or_default();
            found.push((name, self.texts(Some(value))?));
        }
        Ok(found)
    }

    /// What is asked for: the plain filters, and each of a list of more.
    fn all_filters(&self, plain: &str, list: &str) -> Result<Vec<Filters>> {
        let mut found = Vec::new();
        let list = self
            .root
            .get(list)
            .and_then(|n| n.as_seq())
            .unwrap_or_default();
        if let Some(node) = self
            .root
            .get(plain)
            .filter(|n| n.as_map().is_some_and(|m| !m.is_empty()))
        {
            found.push(self.filters(node)?);
        } else if list.is_empty() {
            found.push(Vec::new());
        }
        for node in list {
            found.push(self.filters(node)?);
        }
        for filters in &mut found {
            if !filters
                .iter()
                .any(|(name, _)| name == "instance-state-name")
            {
                let states = STATES.map(String::from).to_vec();
                filters.push(("instance-state-name".into(), states));
            }
        }
        Ok(found)
    }

    /// Ids that the excluding filters find.
    fn excluded(&self) -> Result<Vec<Value>> {
        let list = self.root.get("exclude_filters").and_then(|n| n.as_seq());
        let mut found = Vec::new();
        for node in list.unwrap_or_default() {
            for instance in self.found(self.filters(node)?)? {
                found.extend(instance.get("instance_id").cloned());
            }
        }
        Ok(found)
    }

    /// The names of an instance, in the order of `hostnames`.
    fn names(&self, instance: &Map) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for name in &self.names {
            let list = match name {
                Name::Plain(name) => named(instance, name),
                Name::Joined {
                    name,
                    prefix,
                    separator,
                } => {
                    let prefixes = prefix.as_deref().map(|p| named(instance, p));
                    let before = prefixes.and_then(|p| p.into_iter().next());
                    let joined = |n: String| match &before {
                        Some(before) => format!("{before}{separator}{n}"),
                        None => n,
                    };
                    named(instance, name).into_iter().map(joined).collect()
                }
            };
            for name in list.into_iter().filter(|n| !n.is_empty()) {
                // An address of IPv6 would be taken for a name with a port.
                let name = if name.contains(':') {
                    sanitized(&name)
                } else {
                    name
                };
                if !found.contains(&name) {
                    found.push(name);
                }
            }
        }
        found
    }
}

/// What a name of `hostnames` gives: an attribute, or tags (`tag:Name`, `tag:Name=value,Other`).
fn named(instance: &Map, name: &str) -> Vec<String> {
    if let Some(rest) = name.strip_prefix("tag:") {
        let tags = instance.get("tags").and_then(Value::as_map);
        let tag = |key: &str| {
            let value = tags.and_then(|t| t.get(key));
            value.map(plain_text)
        };
        return rest
            .split(',')
            .filter_map(|part| match part.split_once('=') {
                Some((key, want)) => (tag(key)? == want).then(|| format!("{key}_{want}")),
                None => tag(part),
            })
            .collect();
    }
    let attribute = match name {
        "ip-address" => "public_ip_address".to_owned(),
        "dns-name" => "public_dns_name".to_owned(),
        other => other.replace('-', "_"),
    };
    vec![text(instance, &attribute)]
}

fn text(instance: &Map, name: &str) -> String {
    let value = instance.get(name).filter(|v| !v.is_null());
    value.map_or_else(String::new, plain_text)
}
