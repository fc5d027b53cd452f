//! Facts that outlive a run (`fact_caching = jsonfile`): a file for each host, of Ansible's form.

use crate::host::{HostView, RealHost, here};
use crate::value::{Key, Map, Value};
use crate::vars::HostVars;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Where facts are kept between runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CacheOptions {
    /// The folder; nothing is kept without one.
    pub folder: Option<PathBuf>,
    /// Before the names of files.
    pub prefix: String,
    /// Seconds for which facts are good; 0 is for ever.
    pub timeout: u32,
    /// Forget what is kept (`--flush-cache`).
    pub flush: bool,
}

/// The cache of a run.
#[derive(Debug, Default)]
pub struct FactCache {
    options: CacheOptions,
    /// What is in the files of hosts, as far as this run read or wrote them.
    kept: Mutex<HashMap<Arc<str>, Arc<Map>>>,
}

impl FactCache {
    /// A cache.
    #[must_use]
    pub fn new(options: CacheOptions) -> Self {
        Self {
            options,
            kept: Mutex::default(),
        }
    }

    fn file(&self, host: &str) -> Option<PathBuf> {
        // A host's name chooses no other folder.
        let plain = !host.contains('/') && !host.starts_with('.');
        let folder = self.options.folder.as_ref().filter(|_| plain)?;
        Some(folder.join(format!("{}{host}", self.options.prefix)))
    }

    /// Gives a host the facts that are kept of it.
    pub fn load(&self, host: &Arc<str>, vars: &mut HostVars) {
        let Some(file) = self.file(host) else {
            return;
        };
        if self.options.flush {
            here::remove_file(&file);
            return;
        }
        if let Some(facts) = read(&file, self.options.timeout) {
            vars.add_facts(&facts);
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.insert(Arc::clone(host), Arc::clone(vars.fact_variables()));
        }
    }

    /// Keeps a host's facts, if they are others than those that are kept. Says why it could not.
    pub fn keep(&self, host: &Arc<str>, vars: &HostVars) -> Option<String> {
        let file = self.file(host)?;
        let facts = vars.fact_variables();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept
            .get(host)
            .map_or(facts.is_empty(), |old| Arc::ptr_eq(old, facts))
        {
            return None;
        }
        kept.insert(Arc::clone(host), Arc::clone(facts));
        if facts.is_empty() {
            here::remove_file(&file);
            return None;
        }
        let all: Map = facts
            .iter()
            .filter(|(key, _)| key.as_str() != Some("ansible_facts"))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let text = serde_json::to_string_pretty(&Value::map(all).to_json()).unwrap_or_default();
        here::replace(&file, text.as_bytes())
            .err()
            .map(|e| format!("facts of {host} could not be kept: {e}"))
    }
}

/// The facts of a file that is not too old; text in it is never a template.
fn read(file: &Path, timeout: u32) -> Option<Map> {
    let stat = RealHost::new().stat(file).ok().flatten()?;
    if timeout > 0 && here::now() - stat.mtime > f64::from(timeout) {
        return None;
    }
    let text = here::read_text(file).ok().flatten()?;
    match serde_json::from_str::<Value>(&text) {
        Ok(Value::Map(map)) => Some(
            map.iter()
                .map(|(key, value)| (Key::from(key.to_string()), value.clone()))
                .collect(),
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_of_one_run_are_there_in_the_next() {
        let folder = here::private_folder().unwrap();
        let options = CacheOptions {
            folder: Some(folder.clone()),
            prefix: "x_".into(),
            timeout: 60,
            flush: false,
        };
        let host: Arc<str> = "gpu1".into();
        let mut vars = HostVars::default();
        let facts: Map = [(Key::from("ansible_answer"), Value::from("{{ 6 * 7 }}"))]
            .into_iter()
            .collect();
        vars.add_facts(&facts);
        assert_eq!(FactCache::new(options.clone()).keep(&host, &vars), None);
        assert!(here::is_file(&folder.join("x_gpu1")));

        let mut next = HostVars::default();
        FactCache::new(options.clone()).load(&host, &mut next);
        assert_eq!(next.facts.get("answer"), Some(&Value::from("{{ 6 * 7 }}")));

        let flushed = CacheOptions {
            flush: true,
            ..options
        };
        let mut none = HostVars::default();
        FactCache::new(flushed).load(&host, &mut none);
        assert!(none.facts.is_empty() && !here::is_file(&folder.join("x_gpu1")));
        here::remove_folder(&folder);
    }
}
