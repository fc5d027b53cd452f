//! Inventory scripts: executables that answer `--list` and `--host NAME` in JSON.
//!
//! From `ansible/plugins/inventory/script.py` and the JSON profile `inventory_legacy`.

use super::config::Weight;
use super::{Inventory, Tools};
use crate::error::{Error, ErrorKind, Result};
use crate::playbook::vault::VaultKeys;
use crate::value::{Key, Map, Value};
use indexmap::IndexSet;
use serde_json::{Map as Object, Value as Json};
use std::path::Path;
use std::sync::Arc;

/// Adds what the script at `path` answers to `inventory`.
///
/// # Errors
/// If it fails, or answers something else than an inventory.
pub(super) fn read(path: &Path, tools: &Tools<'_>, inventory: &mut Inventory) -> Result<()> {
    let answer = run(path, tools, &["--list"])?;
    let groups = answer.list()?;
    if tools.config.script_stderr && !answer.stderr.trim().is_empty() {
        inventory.remark(Weight::Error, answer.stderr.clone(), None);
    }
    let mut reader = Reader {
        path,
        vault: tools.vault,
        noise: &answer,
        inventory,
        hosts: IndexSet::new(),
    };
    for (name, group) in &groups {
        if name != "_meta" {
            reader.group(name, group)?;
        }
    }
    let hosts = std::mem::take(&mut reader.hosts);
    let meta = groups.get("_meta").and_then(|meta| meta.get("hostvars"));
    if meta.is_none() {
        reader.deprecated(
            "Inventory scripts should always provide 'meta.hostvars'. Host variables will be \
             collected by running the inventory script with the '--host' option for each host.",
        );
    }
    for host in hosts {
        match meta {
            Some(Json::Object(all)) => {
                let none = Json::Object(Object::new());
                reader.host_vars(&host, all.get(&host).unwrap_or(&none))?;
            }
            Some(other) => return Err(reader.not("_meta.hostvars", "dict", other)),
            // Scripts of old answer for each host alone.
            None => {
                let answer = run(path, tools, &["--host", &host])?;
                reader.host_vars(&host, &answer.of_host(&host)?)?;
            }
        }
    }
    match meta {
        Some(Json::Object(_)) | None => Ok(()),
        Some(other) => Err(reader.not("_meta.hostvars", "dict", other)),
    }
}

/// What a script said.
struct Answer {
    command: String,
    stdout: String,
    stderr: String,
}

fn run(path: &Path, tools: &Tools<'_>, arguments: &[&str]) -> Result<Answer> {
    let command = format!("{} {}", path.display(), arguments.join(" "));
    let output = tools.files.run(path, arguments).map_err(|e| {
        Error::new(
            ErrorKind::Host,
            format!("Failed to execute inventory script command `{command}`."),
        )
        .caused_by(e)
    })?;
    let answer = Answer {
        command,
        stderr: output.stderr,
        stdout: String::new(),
    };
    match output.status {
        Some(0) => {}
        Some(status) => {
            return Err(answer.error(format!(
                "Inventory script returned non-zero exit code {status}."
            )));
        }
        None => return Err(answer.error("Inventory script was ended by a signal.".into())),
    }
    match String::from_utf8(output.stdout) {
        Ok(stdout) => Ok(Answer { stdout, ..answer }),
        Err(_) => Err(answer.error(
            "Inventory script result contained characters that cannot be interpreted as UTF-8."
                .into(),
        )),
    }
}

impl Answer {
    /// An error about it, with what the script said on standard error.
    fn error(&self, message: String) -> Error {
        let error = Error::new(ErrorKind::Syntax, message)
            .context(format!("inventory script `{}`", self.command));
        match self.stderr.trim() {
            "" => error,
            stderr => error.hint(format!("it said: {stderr}")),
        }
    }

    /// The groups, as `--list` gives them, in a form that is understood.
    fn list(&self) -> Result<Object<String, Json>> {
        let no_decoder = |why: String| {
            self.error(format!(
                "Unable to get JSON decoder for inventory script result. {why}"
            ))
        };
        let parsed: Json = serde_json::from_str(&self.stdout)
            .map_err(|e| no_decoder("Value could not be parsed as JSON.".into()).caused_by(e))?;
        let groups = match parsed {
            Json::Object(groups) => groups,
            other => {
                let got = python_type(&other);
                return Err(no_decoder(format!("Value is '{got}' instead of 'dict'.")));
            }
        };
        let instead = |place: &str, got: &Json, wanted: &str| {
            let got = python_type(got);
            no_decoder(format!(
                "Value contains '{place}' which is '{got}' instead of '{wanted}'."
            ))
        };
        match groups.get("_meta") {
            None => {}
            Some(Json::Object(meta)) => match meta.get("profile") {
                None => {}
                Some(Json::String(name)) if name == "inventory_legacy" => {}
                Some(Json::String(name)) if name.starts_with("inventory_") => {
                    return Err(no_decoder(format!("Unknown profile name '{name}'.")));
                }
                Some(Json::String(name)) => {
                    return Err(no_decoder(format!(
                        "Non-inventory profile '{name}' is not allowed."
                    )));
                }
                Some(other) => return Err(instead("_meta.profile", other, "str")),
            },
            Some(other) => return Err(instead("_meta", other, "dict")),
        }
        if groups.values().any(is_broken) || is_broken(&Json::Object(groups.clone())) {
            return Err(self.error(
                "Inventory script result could not be parsed as JSON: `__ansible_vault` and \
                 `__ansible_unsafe` hold text"
                    .into(),
            ));
        }
        Ok(groups)
    }

    /// The variables, as `--host` gives them; a script may say nothing.
    fn of_host(&self, host: &str) -> Result<Json> {
        if self.stdout.trim().is_empty() {
            return Ok(Json::Object(Object::new()));
        }
        serde_json::from_str(&self.stdout).map_err(|e| {
            self.error(format!(
                "Inventory script result for host '{host}' could not be parsed as JSON."
            ))
            .caused_by(e)
        })
    }
}

/// Whether there is a mark for vaults or untrusted text on what is no text.
fn is_broken(json: &Json) -> bool {
    match json {
        Json::Object(map) => {
            let marks = ["__ansible_vault", UNSAFE];
            let odd = |mark: &str| map.get(mark).is_some_and(|v| !v.is_string());
            marks.iter().any(|m| odd(m)) || map.values().any(is_broken)
        }
        Json::Array(items) => items.iter().any(is_broken),
        _ => false,
    }
}

/// What Python calls its type.
fn python_type(json: &Json) -> &'static str {
    match json {
        Json::Null => "NoneType",
        Json::Bool(_) => "bool",
        Json::Number(n) if n.is_f64() => "float",
        Json::Number(_) => "int",
        Json::String(_) => "str",
        Json::Array(_) => "list",
        Json::Object(_) => "dict",
    }
}

struct Reader<'a> {
    path: &'a Path,
    vault: &'a VaultKeys,
    noise: &'a Answer,
    inventory: &'a mut Inventory,
    hosts: IndexSet<String>,
}

impl Reader<'_> {
    fn not(&self, place: &str, wanted: &str, got: &Json) -> Error {
        let got = python_type(got);
        self.noise.error(format!(
            "Value contains '{place}' which is '{got}' instead of '{wanted}'."
        ))
    }

    fn deprecated(&mut self, text: &str) {
        let text = format!("inventory script {}: {text}", self.path.display());
        self.inventory.remark(Weight::Deprecation, text, None);
    }

    fn group(&mut self, name: &str, data: &Json) -> Result<()> {
        self.inventory.add_group_at(name, None);
        match data {
            Json::Object(group)
                if group
                    .keys()
                    .any(|k| matches!(k.as_str(), "hosts" | "vars" | "children")) =>
            {
                self.members(name, group)
            }
            // A mapping without these keys is, oddly, the variables of a host named as the group.
            Json::Object(vars) => {
                self.deprecated(&format!(
                    "Treating malformed group '{name}' as the sole host of that group. Variables \
                     provided in this manner cannot be templated."
                ));
                self.host(name, name);
                for (key, value) in vars {
                    let value = untrusted(&self.written(value)?, self.vault);
                    self.inventory
                        .set_group_var(name, key.as_str().into(), value, None)?;
                }
                Ok(())
            }
            hosts => {
                self.deprecated(&format!(
                    "Group '{name}' was converted to 'dict' from '{}'.",
                    python_type(hosts)
                ));
                self.host_list(name, hosts)
            }
        }
    }

    fn members(&mut self, name: &str, group: &Object<String, Json>) -> Result<()> {
        if let Some(hosts) = group.get("hosts") {
            self.host_list(name, hosts)?;
        }
        if let Some(vars) = group.get("vars") {
            let place = format!("{name}.vars");
            let object = vars.as_object();
            for (key, value) in object.ok_or_else(|| self.not(&place, "dict", vars))? {
                let value = self.written(value)?;
                self.inventory
                    .set_group_var(name, key.as_str().into(), value, None)?;
            }
        }
        let Some(children) = group.get("children") else {
            return Ok(());
        };
        let place = format!("{name}.children");
        let list = children.as_array();
        for child in list.ok_or_else(|| self.not(&place, "list", children))? {
            let child_name = child.as_str();
            let child = child_name.ok_or_else(|| self.not(&place, "list of str", child))?;
            self.inventory.add_group_at(child, None);
            self.inventory.add_child(name, child)?;
        }
        Ok(())
    }

    fn host_list(&mut self, group: &str, hosts: &Json) -> Result<()> {
        let place = format!("{group}.hosts");
        let list = hosts.as_array();
        for host in list.ok_or_else(|| self.not(&place, "list", hosts))? {
            let name = host.as_str();
            let name = name.ok_or_else(|| self.not(&place, "list of str", host))?;
            self.host(group, name);
        }
        Ok(())
    }

    fn host(&mut self, group: &str, host: &str) {
        self.hosts.insert(host.to_owned());
        self.inventory.add_host(host, group);
    }

    fn host_vars(&mut self, host: &str, vars: &Json) -> Result<()> {
        let Json::Object(vars) = vars else {
            return Err(self.noise.error(format!(
                "Invalid data from file, expected dictionary and got:\n\n{vars}\n(for host {host})"
            )));
        };
        for (key, value) in vars {
            let value = self.written(value)?;
            self.inventory
                .set_host_var(host, key.as_str().into(), value, None);
        }
        Ok(())
    }

    fn written(&self, json: &Json) -> Result<Value> {
        written(json, self.vault)
    }
}

/// A variable of a script's answer. Scripts are trusted as playbooks are, so text with markers
/// is a template; `{"__ansible_unsafe": "…"}` is not.
fn written(json: &Json, vault: &VaultKeys) -> Result<Value> {
    let all = |json| written(json, vault);
    Ok(match json {
        Json::String(text) => Value::written(text.as_str(), None),
        Json::Array(items) => Value::list(items.iter().map(all).collect::<Result<_>>()?),
        Json::Object(object) => match (object.len(), object.iter().next()) {
            (1, Some((tag, Json::String(text)))) if tag == UNSAFE => {
                untrusted(&Value::from(text.as_str()), vault)
            }
            (1, Some((tag, Json::String(text)))) if tag == "__ansible_vault" => {
                Value::from(vault.decrypt_text(text)?)
            }
            _ => {
                let entries = object.iter();
                let entry = |(key, value): (&String, &Json)| {
                    Ok((Key::from(key.as_str()), written(value, vault)?))
                };
                Value::map(entries.map(entry).collect::<Result<Map>>()?)
            }
        },
        scalar => Value::from(scalar.clone()),
    })
}

/// The key of text that is never evaluated, in Ansible's JSON.
const UNSAFE: &str = "__ansible_unsafe";

/// The value with all its text untrusted. It bears the mark where values are read to be written again.
fn untrusted(value: &Value, vault: &VaultKeys) -> Value {
    let text = |text: &Arc<str>| {
        let text = Value::Str(Arc::clone(text));
        if vault.keeps_sealed() {
            Value::map(Map::from([(Key::from(UNSAFE), text)]))
        } else {
            text
        }
    };
    match value {
        Value::Str(plain) => text(plain),
        Value::Template(template) => text(&template.text),
        Value::List(items) => Value::list(items.iter().map(|v| untrusted(v, vault)).collect()),
        Value::Map(map) if map.len() == 1 && map.contains_key(UNSAFE) => value.clone(),
        Value::Map(map) => {
            let entries = map.iter();
            let entries = entries.map(|(key, value)| (key.clone(), untrusted(value, vault)));
            Value::map(entries.collect())
        }
        other => other.clone(),
    }
}
