//! Inventory scripts: executables that answer `--list` and `--host NAME` in JSON.
//!
//! From `ansible/plugins/inventory/script.py`.

use super::Inventory;
use super::source::Files;
use crate::error::{Error, ErrorKind, Result};
use crate::playbook::vault::VaultKeys;
use crate::value::{Key, Map, Value};
use indexmap::IndexSet;
use serde_json::{Map as Object, Value as Json};
use std::path::Path;

/// Adds what the script at `path` answers to `inventory`.
///
/// # Errors
/// If it fails, or answers something else than an inventory.
pub(super) fn read(path: &Path, files: &dyn Files, inventory: &mut Inventory) -> Result<()> {
    let answer = run(path, files, &["--list"])?;
    let mut reader = Reader {
        path,
        inventory,
        hosts: IndexSet::new(),
    };
    for (name, group) in &answer {
        if name != "_meta" {
            reader.group(name, group)?;
        }
    }
    let hosts = std::mem::take(&mut reader.hosts);
    let meta = answer.get("_meta").and_then(|meta| meta.get("hostvars"));
    for host in hosts {
        match meta {
            Some(all) => reader.host_vars(&host, all.get(&host))?,
            // Scripts of old answer for each host alone.
            None => {
                let vars = run(path, files, &["--host", &host])?;
                reader.host_vars(&host, Some(&Json::Object(vars)))?;
            }
        }
    }
    Ok(())
}

fn run(path: &Path, files: &dyn Files, arguments: &[&str]) -> Result<Object<String, Json>> {
    let command = format!("{} {}", path.display(), arguments.join(" "));
    let fail = |why: String| {
        Error::new(
            ErrorKind::Syntax,
            format!("inventory script `{command}`: {why}"),
        )
    };
    let output = files.run(path, arguments)?;
    let noise = |error: Error| match output.stderr.trim() {
        "" => error,
        stderr => error.hint(format!("it said: {stderr}")),
    };
    if output.status != Some(0) {
        let status = output
            .status
            .map_or("a signal".to_owned(), |s| s.to_string());
        return Err(noise(fail(format!("ended with {status}"))));
    }
    if output.stdout.trim().is_empty() && arguments[0] == "--host" {
        return Ok(Object::new());
    }
    match serde_json::from_str(&output.stdout) {
        Ok(Json::Object(object)) => Ok(object),
        Ok(other) => Err(noise(fail(format!(
            "expected a JSON object, got {}",
            what(&other)
        )))),
        Err(e) => Err(noise(
            fail("its answer is not JSON".to_owned()).caused_by(e),
        )),
    }
}

fn what(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "a truth value",
        Json::Number(_) => "a number",
        Json::String(_) => "text",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}

struct Reader<'a> {
    path: &'a Path,
    inventory: &'a mut Inventory,
    hosts: IndexSet<String>,
}

impl Reader<'_> {
    fn error(&self, group: &str, wanted: &str, got: &Json) -> Error {
        let path = self.path.display();
        let got = what(got);
        Error::new(
            ErrorKind::Syntax,
            format!("inventory script `{path}`: `{group}` must be {wanted}, not {got}"),
        )
    }

    fn group(&mut self, name: &str, data: &Json) -> Result<()> {
        self.inventory.add_group(name);
        match data {
            Json::Object(group)
                if group
                    .keys()
                    .any(|k| matches!(k.as_str(), "hosts" | "vars" | "children")) =>
            {
                self.members(name, group)
            }
            // A mapping without these keys is, oddly, the variables of a host named as the group.
            Json::Object(_) => {
                self.host(name, name);
                self.vars(name, data)
            }
            hosts => self.host_list(name, hosts),
        }
    }

    fn members(&mut self, name: &str, group: &Object<String, Json>) -> Result<()> {
        if let Some(hosts) = group.get("hosts") {
            self.host_list(name, hosts)?;
        }
        if let Some(vars) = group.get("vars") {
            self.vars(name, vars)?;
        }
        let Some(children) = group.get("children") else {
            return Ok(());
        };
        let list = children.as_array();
        for child in
            list.ok_or_else(|| self.error(&format!("{name}.children"), "a list", children))?
        {
            let child_name = child.as_str();
            let child = child_name
                .ok_or_else(|| self.error(&format!("{name}.children"), "a list of names", child))?;
            self.inventory.add_child(name, child)?;
        }
        Ok(())
    }

    fn host_list(&mut self, group: &str, hosts: &Json) -> Result<()> {
        let place = format!("{group}.hosts");
        let list = hosts.as_array();
        for host in list.ok_or_else(|| self.error(&place, "a list", hosts))? {
            let name = host.as_str();
            let name = name.ok_or_else(|| self.error(&place, "a list of names", host))?;
            self.host(group, name);
        }
        Ok(())
    }

    fn host(&mut self, group: &str, host: &str) {
        self.hosts.insert(host.to_owned());
        self.inventory.add_host(host, group);
    }

    fn vars(&mut self, group: &str, vars: &Json) -> Result<()> {
        let object = vars.as_object();
        for (key, value) in
            object.ok_or_else(|| self.error(&format!("{group}.vars"), "an object", vars))?
        {
            self.inventory
                .set_group_var(group, key.as_str().into(), written(value)?, None)?;
        }
        Ok(())
    }

    fn host_vars(&mut self, host: &str, vars: Option<&Json>) -> Result<()> {
        let Some(vars) = vars else {
            return Ok(());
        };
        let object = vars.as_object();
        for (key, value) in object
            .ok_or_else(|| self.error(&format!("_meta.hostvars.{host}"), "an object", vars))?
        {
            self.inventory
                .set_host_var(host, key.as_str().into(), written(value)?, None);
        }
        Ok(())
    }
}

/// A variable of a script's answer. Scripts are trusted as playbooks are, so text with markers
/// is a template; `{"__ansible_unsafe": "…"}` is not.
fn written(json: &Json) -> Result<Value> {
    Ok(match json {
        Json::String(text) => Value::written(text.as_str(), None),
        Json::Array(items) => Value::list(items.iter().map(written).collect::<Result<_>>()?),
        Json::Object(object) => match (object.len(), object.iter().next()) {
            (1, Some((tag, Json::String(text)))) if tag == "__ansible_unsafe" => {
                Value::from(text.as_str())
            }
            (1, Some((tag, Json::String(text)))) if tag == "__ansible_vault" => {
                // Scripts get no vault passwords; the error says what was met.
                Value::from(VaultKeys::none().decrypt_text(text)?)
            }
            _ => {
                let entries = object.iter();
                let entry =
                    |(key, value): (&String, &Json)| Ok((Key::from(key.as_str()), written(value)?));
                Value::map(entries.map(entry).collect::<Result<Map>>()?)
            }
        },
        scalar => Value::from(scalar.clone()),
    })
}
