//! What the fuzzers share: a playbook's side in memory, variables, keys.

use lks_agent::inventory;
use lks_agent::playbook::load;
use lks_agent::playbook::vault::VaultKeys;
use lks_agent::secret::Secret;
use lks_agent::template::Variables;
use lks_agent::value::{Key, Map, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Keys that open the seeds' vaults.
pub fn keys() -> VaultKeys {
    let mut keys = VaultKeys::none();
    keys.add("default", Secret::new("secret".into()));
    keys.add("dev", Secret::new("other".into()));
    keys
}

/// Files in memory.
#[derive(Debug, Default)]
pub struct Files(pub BTreeMap<PathBuf, String>);

impl Files {
    pub fn one(path: &str, text: &str) -> Self {
        Self(BTreeMap::from([(path.into(), text.to_owned())]))
    }

    fn names(&self, dir: &Path) -> Option<Vec<String>> {
        let below = self.0.keys().filter_map(|p| p.strip_prefix(dir).ok());
        let mut names: Vec<String> = below
            .filter_map(|p| Some(p.components().next()?.as_os_str().to_str()?.to_owned()))
            .collect();
        names.dedup();
        (!names.is_empty()).then_some(names)
    }
}

impl inventory::Files for Files {
    fn read(&self, path: &Path) -> lks_agent::error::Result<Option<String>> {
        Ok(self.0.get(path).cloned())
    }
    fn list(&self, dir: &Path) -> lks_agent::error::Result<Option<Vec<String>>> {
        let file = self.0.contains_key(dir);
        Ok(self.names(dir).filter(|_| !file))
    }
    fn is_executable(&self, path: &Path) -> bool {
        path.extension().is_some_and(|e| e == "sh")
    }
    /// The script answers with its own text.
    fn run(
        &self,
        script: &Path,
        _: &[&str],
    ) -> lks_agent::error::Result<inventory::ScriptOutput> {
        let text = self.0.get(script).cloned().unwrap_or_default();
        let answer = text.split_once('\n').map_or("", |(_, answer)| answer);
        Ok(inventory::ScriptOutput {
            status: Some(0),
            stdout: answer.as_bytes().to_vec(),
            stderr: String::new(),
        })
    }
}

impl load::Files for Files {
    fn read(&self, path: &Path) -> lks_agent::error::Result<Option<String>> {
        Ok(self.0.get(path).cloned())
    }
    fn is_dir(&self, path: &Path) -> bool {
        !self.0.contains_key(path) && self.names(path).is_some()
    }
    fn is_file(&self, path: &Path) -> bool {
        self.0.contains_key(path)
    }
    fn list(&self, path: &Path) -> Option<Vec<String>> {
        self.names(path)
    }
}

/// Variables in a map.
#[derive(Debug)]
pub struct Names(pub Map);

impl Variables for Names {
    fn get(&self, name: &str) -> Option<Value> {
        self.0.get(name).cloned()
    }
    fn names(&self) -> Vec<Arc<str>> {
        let names = self.0.keys().filter_map(Key::as_str);
        names.map(Arc::from).collect()
    }
}

/// JSON as a playbook's value: text with markers is a template.
pub fn written(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::String(s) => Value::written(s.as_str(), None),
        serde_json::Value::Array(a) => Value::list(a.iter().map(written).collect()),
        serde_json::Value::Object(o) => {
            let entries = o.iter().map(|(k, v)| (Key::from(k.as_str()), written(v)));
            Value::map(entries.collect())
        }
        other => Value::from(other.clone()),
    }
}

/// Some variables of every kind.
pub fn variables() -> Arc<dyn Variables> {
    let json = serde_json::json!({
        "n": 3, "f": 2.5, "t": true, "none": null, "s": "a b,c=d", "e": "", "u": "ünï",
        "l": [3, 1, 2], "m": {"a": 1, "b": [1, {"c": "x"}], "d": "{{ s }}"},
        "hosts": [{"name": "a", "v": 1}, {"name": "b", "v": 2}, {"name": "a"}],
        "lazy": "{{ n + 1 }}", "self": "{{ self }}", "bad": "{{ nope }}",
        "date": "2024-02-29 12:00:00", "ip": "10.0.0.1/24", "xml": "<a/>", "json": "{\"a\": [1]}",
    });
    match written(&json) {
        Value::Map(map) => Arc::new(Names((*map).clone())),
        _ => Arc::new(Names(Map::new())),
    }
}
