//! Tests of templates: data files of expressions with what ansible-core makes of them, and the
//! rules that have no data file.

mod cases;
mod rules;
mod speed;

use super::outside::{Clock, Entry, EntryKind, Outside, Piped};
use super::{Templar, Variables};
use crate::error::Result;
use crate::value::{Key, Map, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// A small world: an environment and some files.
#[derive(Debug, Default)]
struct World {
    files: Mutex<BTreeMap<PathBuf, Vec<u8>>>,
}

impl World {
    fn with(files: &[(&str, &str)]) -> Arc<Self> {
        let files = files
            .iter()
            .map(|(name, text)| (PathBuf::from(name), text.as_bytes().to_vec()));
        Arc::new(Self {
            files: Mutex::new(files.collect()),
        })
    }

    fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        self.files.lock().map(|f| f.clone()).unwrap_or_default()
    }
}

impl Outside for World {
    fn env(&self, name: &str) -> Option<String> {
        match name {
            "HOME" => Some("/root".into()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        Ok(self.files().get(path).cloned())
    }
    fn find(&self, _kind: &str, name: &str, _scope: &dyn Variables) -> Option<PathBuf> {
        let path = Path::new("/play").join(name);
        self.files().contains_key(&path).then_some(path)
    }
    fn entry(&self, path: &Path, _follow: bool) -> Option<Entry> {
        let size = self.files().get(path)?.len() as u64;
        Some(Entry {
            kind: EntryKind::File,
            size,
            mode: 0o644,
            uid: 0,
            gid: 0,
            owner: Some("root".into()),
            group: Some("root".into()),
            mtime: 0.0,
            ctime: 0.0,
            target: None,
            identity: (1, size),
            mounted: false,
        })
    }
    fn list(&self, dir: &Path) -> Result<Vec<String>> {
        let names = self.files();
        let names = names.keys().filter(|p| p.parent() == Some(dir));
        Ok(names
            .filter_map(|p| Some(p.file_name()?.to_string_lossy().into_owned()))
            .collect())
    }
    fn pipe(&self, command: &str) -> Result<Piped> {
        Ok(Piped {
            status: i32::from(command == "false"),
            stdout: format!("ran {command}\nline two\n").into_bytes(),
            stderr: Vec::new(),
        })
    }
    fn now(&self) -> Clock {
        Clock {
            unix: 1_700_000_000,
            micros: 0,
        }
    }
    fn random(&self) -> u64 {
        7
    }
    fn write(&self, path: &Path, bytes: &[u8], _mode: u32) -> Result<()> {
        if let Ok(mut files) = self.files.lock() {
            files.insert(path.to_path_buf(), bytes.to_vec());
        }
        Ok(())
    }
}

/// Variables in a map.
#[derive(Debug)]
struct Names(Map);

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
fn written(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::String(s) => Value::written(s.as_str(), None),
        serde_json::Value::Array(a) => Value::list(a.iter().map(written).collect()),
        serde_json::Value::Object(o) => Value::map(
            o.iter()
                .map(|(k, v)| (Key::from(k.as_str()), written(v)))
                .collect(),
        ),
        other => Value::from(other.clone()),
    }
}

fn vars(json: serde_json::Value) -> Arc<dyn Variables> {
    match written(&json) {
        Value::Map(m) => Arc::new(Names((*m).clone())),
        _ => Arc::new(Names(Map::new())),
    }
}

fn templar() -> Templar {
    Templar::new(World::with(&[
        ("/play/lib.j2", "{% macro f(x) %}<{{ x }}>{% endmacro %}"),
        ("/play/inc.j2", "inc {{ x }}"),
    ]))
}
