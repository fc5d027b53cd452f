//! Facts between runs: one file for each host, in the form of Ansible's cache plugin `jsonfile`.

use super::run::Run;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{EventKind, Level};
use crate::host::here;
use crate::value::{Map, Value};
use std::path::PathBuf;
use std::sync::PoisonError;

/// Where facts are kept between runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FactCache {
    /// The folder.
    pub dir: PathBuf,
    /// What file names begin with.
    pub prefix: String,
    /// Seconds for which facts are good; 0 is for ever.
    pub timeout: u64,
    /// Nothing that is there counts (`--flush-cache`).
    pub flush: bool,
}

/// The version of the form of the files, which is a part of their names.
const VERSION: &str = "s1_";

impl FactCache {
    fn path(&self, host: &str) -> PathBuf {
        // A host's name may hold anything, but it names one file of this folder.
        let host = host.replace('/', "_");
        self.dir.join(format!("{}{VERSION}{host}", self.prefix))
    }

    /// What is known of a host, unless that is too old.
    ///
    /// # Errors
    /// When the file cannot be read as facts.
    pub fn load(&self, host: &str) -> Result<Option<Map>> {
        let path = self.path(host);
        if self.timeout > 0 && here::age(&path).is_some_and(|age| age > self.timeout as f64) {
            return Ok(None);
        }
        let Some(text) = here::read_text(&path)? else {
            return Ok(None);
        };
        facts(&text).map(Some).map_err(|e| {
            e.context(format!(
                "cannot read the cached facts in {}",
                path.display()
            ))
        })
    }

    /// Keeps what is known of a host; nothing known removes the file.
    fn save(&self, host: &str, facts: &Map) -> Result<()> {
        let path = self.path(host);
        if facts.is_empty() {
            here::remove_file(&path);
            return Ok(());
        }
        here::make_dir(&self.dir, 0o755)?;
        let payload = Value::map(facts.clone()).to_json().to_string();
        let text = serde_json::json!({ "__payload__": payload }).to_string();
        here::rewrite(&path, text.as_bytes(), 0o600, false)
    }
}

fn facts(text: &str) -> Result<Map> {
    let wrong = || Error::new(ErrorKind::Host, "it is no mapping of facts");
    let parse = |text: &str| -> Result<serde_json::Value> {
        serde_json::from_str(text).map_err(|e| wrong().caused_by(e))
    };
    let mut json = parse(text)?;
    // Before ansible-core 2.19, the facts were not wrapped.
    if let Some(payload) = json.get("__payload__").and_then(|p| p.as_str()) {
        json = parse(payload)?;
    }
    match Value::from(json) {
        Value::Map(map) => Ok((*map).clone()),
        _ => Err(wrong()),
    }
}

impl Run {
    /// Gives a host the facts that an earlier run kept.
    pub(super) fn recall_facts(&self, host: &str, vars: &mut crate::vars::HostVars) {
        let Some(cache) = self.cx.options.fact_cache.as_ref().filter(|c| !c.flush) else {
            return;
        };
        match cache.load(host) {
            Ok(Some(facts)) => vars.add_facts(&facts),
            Ok(None) => {}
            Err(error) => self.warn_of_cache(&error),
        }
    }

    /// Keeps the facts of all hosts for later runs.
    pub(super) fn keep_facts(&self) {
        let Some(cache) = &self.cx.options.fact_cache else {
            return;
        };
        let names = self.cx.hosts.names().into_iter();
        for slot in names.filter_map(|name| self.cx.hosts.get(&name)) {
            let facts = {
                let vars = slot.vars.read().unwrap_or_else(PoisonError::into_inner);
                vars.known_facts()
            };
            // What cannot be read is written anew.
            let kept = cache.load(&slot.name).ok().flatten().unwrap_or_default();
            if facts == kept {
                continue;
            }
            if let Err(error) = cache.save(&slot.name, &facts) {
                self.warn_of_cache(&error);
            }
        }
    }

    fn warn_of_cache(&self, error: &Error) {
        self.cx.emit.run(EventKind::Notice {
            level: Level::Warning,
            text: error.to_string(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Key;

    #[test]
    fn facts_go_there_and_back_until_they_are_too_old_or_gone() {
        let dir = here::private_folder().unwrap();
        let cache = FactCache {
            dir: dir.join("cache"),
            timeout: 100,
            ..FactCache::default()
        };
        assert_eq!(cache.load("a/b").unwrap(), None);
        let facts = Map::from([(Key::from("ansible_x"), Value::from("{{ y }}"))]);
        cache.save("a/b", &facts).unwrap();
        // Text that a host answered is never a template.
        assert_eq!(cache.load("a/b").unwrap(), Some(facts));
        let text = here::read_text(&cache.dir.join("s1_a_b")).unwrap().unwrap();
        assert_eq!(text, r#"{"__payload__":"{\"ansible_x\":\"{{ y }}\"}"}"#);
        here::write(&cache.path("old"), br#"{"ansible_y": 1}"#, 0o600).unwrap();
        assert!(
            cache
                .load("old")
                .unwrap()
                .unwrap()
                .contains_key("ansible_y")
        );
        here::write(&cache.path("bad"), b"[]", 0o600).unwrap();
        assert!(cache.load("bad").is_err());
        cache.save("a/b", &Map::new()).unwrap();
        assert_eq!(cache.load("a/b").unwrap(), None);
        here::remove_folder(&dir);
    }
}
