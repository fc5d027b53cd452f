//! Tests of templates: data files of expressions with what ansible-core makes of them, and the
//! rules that have no data file.

mod cases;
mod rules;
mod speed;

use super::outside::{Clock, Entry, EntryKind, Fetch, Outside, Piped};
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
    /// The files that cases were recorded with.
    fn recorded() -> Arc<Self> {
        let text = include_str!("../testdata/world.json");
        let files: BTreeMap<String, String> =
            serde_json::from_str(text).unwrap_or_else(|e| panic!("world.json: {e}"));
        let files = files
            .into_iter()
            .map(|(name, text)| (Path::new("/play").join(name), text.into_bytes()));
        Arc::new(Self {
            files: Mutex::new(files.collect()),
        })
    }

    fn is_dir(&self, path: &Path) -> bool {
        self.files()
            .keys()
            .any(|p| p != path && p.starts_with(path))
    }

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
        Ok(self.files().get(&normal(path)).cloned())
    }
    fn find(&self, _kind: &str, name: &str, _scope: &dyn Variables) -> Option<PathBuf> {
        let path = normal(&Path::new("/play").join(name));
        let there = self.files().contains_key(&path) || self.is_dir(&path);
        there.then_some(path)
    }
    fn entry(&self, path: &Path, follow: bool) -> Option<Entry> {
        let path = normal(path);
        let files = self.files();
        let link = path == Path::new("/proc/self") && !follow;
        let proc = path.starts_with("/proc");
        let size = match files.get(&path) {
            Some(bytes) => bytes.len() as u64,
            None if proc || self.is_dir(&path) => 0,
            None => return None,
        };
        Some(Entry {
            kind: match files.contains_key(&path) {
                true => EntryKind::File,
                false if link => EntryKind::Link,
                false => EntryKind::Directory,
            },
            size,
            mode: 0o644,
            uid: 0,
            gid: 0,
            owner: Some("root".into()),
            group: Some("root".into()),
            mtime: 0.0,
            ctime: 0.0,
            target: None,
            identity: (1, files.keys().take_while(|p| **p != path).count() as u64),
            mounted: path == Path::new("/proc"),
        })
    }
    fn list(&self, dir: &Path) -> Result<Vec<String>> {
        let names = self.files();
        let names = names.keys().filter(|p| p.parent() == Some(dir));
        Ok(names
            .filter_map(|p| Some(p.file_name()?.to_string_lossy().into_owned()))
            .collect())
    }
    /// A shell that knows `echo` and `exit`.
    fn pipe(&self, command: &str) -> Result<Piped> {
        let mut done = Piped::default();
        for part in command.split(';').map(str::trim) {
            match part.split_once(' ') {
                Some(("echo", text)) => done.stdout.extend(format!("{text}\n").bytes()),
                _ => done.status = 3,
            }
        }
        Ok(done)
    }
    fn fetch(&self, fetch: &Fetch) -> Result<Vec<u8>> {
        let path = fetch.url.strip_prefix("file://").unwrap_or_default();
        let found = self.read(Path::new(path))?;
        found.ok_or_else(|| crate::error::Error::host(format!("{path} does not exist")))
    }
    /// A name server that knows `known.example` and nothing else.
    fn ask_name_servers(&self, servers: &[String], message: &[u8], _tcp: bool) -> Result<Vec<u8>> {
        use simple_dns::rdata::{A, MX, RData, TXT};
        use simple_dns::{CLASS, Name, Packet, QTYPE, RCODE, ResourceRecord, TYPE};
        if servers.iter().any(|server| server == "down") {
            return Err(crate::error::Error::host("no answer"));
        }
        let bad = |e: simple_dns::SimpleDnsError| crate::error::Error::host(e.to_string());
        let question = Packet::parse(message).map_err(bad)?;
        let mut answer = Packet::new_reply(question.id());
        let Some(asked) = question.questions.first() else {
            return Err(crate::error::Error::host("no question"));
        };
        if asked.qname.to_string() != "known.example" {
            *answer.rcode_mut() = RCODE::NameError;
        }
        let name = Name::new_unchecked("known.example");
        let data = match asked.qtype {
            _ if answer.rcode() == RCODE::NameError => vec![],
            QTYPE::TYPE(TYPE::A) => [[192, 0, 2, 1], [192, 0, 2, 2]]
                .map(|ip| {
                    RData::A(A {
                        address: u32::from_be_bytes(ip),
                    })
                })
                .into(),
            QTYPE::TYPE(TYPE::MX) => vec![RData::MX(MX {
                preference: 10,
                exchange: Name::new_unchecked("mail.known.example"),
            })],
            QTYPE::TYPE(TYPE::TXT) => {
                vec![RData::TXT(
                    TXT::new().with_string("v=spf1 -all").map_err(bad)?,
                )]
            }
            _ => vec![],
        };
        let records = data.into_iter();
        answer.answers = records
            .map(|data| ResourceRecord::new(name.clone(), CLASS::IN, 60, data))
            .collect();
        answer.build_bytes_vec().map_err(bad)
    }
    fn decrypt(&self, text: &str) -> Result<Vec<u8>> {
        let mut keys = crate::playbook::vault::VaultKeys::none();
        keys.add("default", crate::secret::Secret::new("secret".into()));
        keys.decrypt(text)
    }
    fn setting(
        &self,
        name: &str,
        _plugin: Option<(&str, &str)>,
        _scope: &dyn Variables,
    ) -> Result<Option<(Value, String)>> {
        let managed = (Value::from("Ansible managed"), "default".to_owned());
        Ok((name == "DEFAULT_MANAGED_STR").then_some(managed))
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

fn normal(path: &Path) -> PathBuf {
    super::filters::normal_path(&path.to_string_lossy()).into()
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
    Templar::new(World::recorded())
}
