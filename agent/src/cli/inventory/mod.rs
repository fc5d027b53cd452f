//! `inventory`: hosts, groups and variables, in the forms of `ansible-inventory`.

mod toml;
mod tree;
mod yaml;

use super::app::{Args, Call, Command, Io};
use super::execute;
use super::exit;
use super::flag::{Complete, Flag, join, pick};
use super::run::RunOptions;
use super::run_flags::RUN_FLAGS;
use crate::engine::Groups;
use crate::error::Result;
use crate::host::here;
use crate::inventory::HostName;
use crate::value::{Key, Map, Value, has_markers};
use crate::view::{Layout, dump};
use std::path::PathBuf;
use std::sync::Arc;

const WHAT: &str = "What to show (one of them)";
const FORM: &str = "In which form";

static FLAGS: [Flag; 18] = join(
    [
        Flag::switch(
            &["list"],
            "All groups and hosts, as an inventory script answers.",
        )
        .group(WHAT),
        Flag::one(&["host"], "HOST", "The variables of one host.").group(WHAT),
        Flag::switch(&["graph"], "A tree of GROUP, or of all groups.").group(WHAT),
        Flag::switch(&["yaml"], "YAML instead of JSON.")
            .short('y')
            .group(FORM),
        Flag::switch(&["toml"], "TOML instead of JSON.").group(FORM),
        Flag::switch(&["vars"], "Variables in the tree, too.").group(FORM),
        Flag::switch(
            &["export"],
            "What each group and host says itself, instead of what each host ends up with.",
        )
        .group(FORM),
        Flag::one(&["output"], "FILE", "Write to a file.")
            .complete(Complete::File)
            .group(FORM),
        Flag::one(
            &["playbook-dir"],
            "DIR",
            "The folder of a playbook, whose `group_vars` and `host_vars` count, too.",
        )
        .complete(Complete::Directory),
        Flag::switch(
            &["flush-cache"],
            "Accepted for compatibility: no inventory is kept between runs.",
        ),
    ],
    pick(
        RUN_FLAGS,
        [
            "inventory",
            "limit",
            "extra-vars",
            "version",
            "verbose",
            "vault-id",
            "ask-vault-password",
            "vault-password-file",
        ],
    ),
);

/// The command.
pub const INVENTORY: Command = Command {
    name: "inventory",
    called_as: Some("ansible-inventory"),
    summary: "Show hosts, groups and variables",
    details: "
Vaulted values stay vaulted, and text that is never evaluated is marked, so that what is shown can be read \
back as an inventory.
",
    args: Args {
        usage: "[GROUP]",
        complete: Complete::Nothing,
    },
    flags: &FLAGS,
    body: inventory,
};

fn inventory(call: &Call<'_>, io: &mut Io<'_>) -> Result<i32> {
    let parsed = &call.parsed;
    let chosen = ["list", "host", "graph"].iter().filter(|f| parsed.has(f));
    match chosen.count() {
        1 => {}
        0 => {
            return Ok(refuse(
                "No action selected, at least one of --host, --graph or --list needs to be specified.",
                io,
            ));
        }
        _ => {
            return Ok(refuse(
                "Conflicting options used, only one of --host, --graph or --list can be used at the same time.",
                io,
            ));
        }
    }
    let settings = execute::read_settings()?;
    let mut options = RunOptions::shared(parsed, &settings)?;
    // Here, `--output` names a file.
    options.output = super::Output::Human;
    let dirs: Vec<PathBuf> = parsed
        .value("playbook-dir")
        .map(PathBuf::from)
        .into_iter()
        .collect();
    let (groups, findings) = execute::read_inventory(&options, &settings, &dirs)?;
    execute::warn(&findings, &settings, io);
    let vault = super::passwords::vault_keys(&options)?;
    let show = Show {
        groups: &groups,
        extra: execute::extra_vars(&options.extra_vars, &vault)?,
        export: parsed.has("export") || settings.inventory_export,
        form: if parsed.has("yaml") {
            Form::Yaml
        } else if parsed.has("toml") {
            Form::Toml
        } else {
            Form::Json
        },
    };
    let limit = if parsed.has("host") {
        None
    } else {
        options.limit.as_deref()
    };
    let hosts = groups.matching(parsed.value("host").unwrap_or("all"), limit, "")?;
    for pattern in [parsed.value("host"), limit].into_iter().flatten() {
        for part in groups.unmatched(pattern)? {
            io.complain(&format!(
                "[WARNING]: Could not match supplied host pattern, ignoring: {part}\n"
            ));
        }
    }
    let text = if parsed.has("host") {
        let [host] = hosts.as_slice() else {
            return Ok(refuse(
                "You must pass a single valid host to --host parameter",
                io,
            ));
        };
        show.write(&Value::map(show.host_vars(host)))?
    } else if parsed.has("graph") {
        let start = parsed.args.first().map_or("all", String::as_str);
        if groups.inventory().group(start).is_none() {
            return Ok(refuse(
                "Pattern must be valid group name when using --graph",
                io,
            ));
        }
        show.graph(start, parsed.has("vars"))
    } else {
        show.list(&hosts)?
    };
    match parsed.value("output") {
        Some(path) => here::write(&here::expand_home(path), text.as_bytes(), 0o644)?,
        None => io.print(&format!("{}\n", text.trim_end_matches('\n'))),
    }
    Ok(exit::OK)
}

fn refuse(text: &str, io: &mut Io<'_>) -> i32 {
    io.complain(&format!("[ERROR]: {text}\n"));
    exit::OPTIONS
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Yaml,
    Toml,
}

/// What is shown, and how.
struct Show<'a> {
    groups: &'a Groups,
    extra: Map,
    export: bool,
    form: Form,
}

/// Variables that Ansible sets, which no inventory says.
const INTERNAL: [&str; 2] = ["inventory_file", "inventory_dir"];

impl Show<'_> {
    fn host_vars(&self, host: &str) -> Map {
        let vars = if self.export {
            self.groups.own_host_vars(host)
        } else {
            let mut vars = self.groups.flat_vars(host);
            vars.extend(self.extra.iter().map(|(k, v)| (k.clone(), v.clone())));
            vars
        };
        without_internals(vars)
    }

    fn group_vars(&self, group: &str) -> Map {
        let mut vars = self.groups.own_group_vars(group);
        let priority = self
            .groups
            .inventory()
            .group(group)
            .map_or(1, |g| g.priority);
        if priority != 1 {
            vars.insert(Key::from("ansible_group_priority"), Value::Int(priority));
        }
        without_internals(vars)
    }

    fn list(&self, hosts: &[HostName]) -> Result<String> {
        let tree = match self.form {
            Form::Json => self.json_tree(hosts),
            Form::Yaml => self.yaml_tree(hosts),
            Form::Toml => self.toml_tree(hosts),
        };
        self.write(&tree)
    }

    fn write(&self, value: &Value) -> Result<String> {
        match self.form {
            Form::Json => {
                let layout = Layout {
                    indent: Some(4),
                    ascii: false,
                };
                Ok(dump(&marked(value), layout))
            }
            Form::Yaml => Ok(yaml::write(value)),
            Form::Toml => toml::write(value),
        }
    }
}

fn without_internals(mut vars: Map) -> Map {
    vars.retain(|key, _| !key.as_str().is_some_and(|k| INTERNAL.contains(&k)));
    vars
}

/// With a mark on text that looks like a template and is none, so that it is none when it is read
/// back.
fn marked(value: &Value) -> Value {
    match value {
        Value::Str(text) if has_markers(text) => {
            let entry = (Key::from("__ansible_unsafe"), Value::Str(Arc::clone(text)));
            Value::map(Map::from([entry]))
        }
        Value::List(items) => Value::list(items.iter().map(marked).collect()),
        Value::Map(map) => Value::map(map.iter().map(|(k, v)| (k.clone(), marked(v))).collect()),
        other => other.clone(),
    }
}
