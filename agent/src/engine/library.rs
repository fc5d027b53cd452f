//! The user's own modules: executables in folders called `library`, beside the playbook, in roles, or
//! where the settings say. They go over modules of the table that have the same short name.

use crate::host::here;
use crate::module::{ModuleDef, Seat};
use crate::modules;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

/// Ends of names that are no modules (Ansible's).
const NO_MODULES: &[&str] = &[
    "~", ".bak", ".cfg", ".json", ".md", ".orig", ".pyc", ".pyo", ".retry", ".rst", ".swp",
    ".toml", ".txt", ".yaml", ".yml",
];

/// The folders, and what was found in them.
#[derive(Debug, Default)]
pub struct Library {
    found: RwLock<Found>,
}

#[derive(Default)]
struct Found {
    /// Folders, in the order in which they came to be known.
    dirs: Vec<PathBuf>,
    files: BTreeMap<String, PathBuf>,
    rows: HashMap<String, &'static ModuleDef>,
}

impl std::fmt::Debug for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(&self.dirs).finish()
    }
}

impl Library {
    /// A library of these folders, and those in them.
    #[must_use]
    pub fn new(dirs: &[PathBuf]) -> Self {
        let library = Self::default();
        dirs.iter().for_each(|dir| library.add(dir));
        library
    }

    /// Adds a folder, if it is one.
    pub fn add(&self, dir: &Path) {
        if !here::is_dir(dir) {
            return;
        }
        let dir = here::absolute(dir);
        let mut found = self.found.write().unwrap_or_else(PoisonError::into_inner);
        if found.dirs.contains(&dir) {
            return;
        }
        collect(&dir, &mut found.files);
        found.dirs.push(dir);
    }

    /// The module that a task's name means: the user's own, or the table's.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&'static ModuleDef> {
        self.own(name).or_else(|| modules::find(name))
    }

    /// Names of all modules, for "did you mean".
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        let own: Vec<String> = {
            let found = self.found.read().unwrap_or_else(PoisonError::into_inner);
            found.files.keys().cloned().collect()
        };
        let own = own.iter().filter_map(|name| Some(self.own(name)?.name));
        own.chain(modules::names()).collect()
    }

    fn own(&self, name: &str) -> Option<&'static ModuleDef> {
        let short = name.strip_prefix("ansible.legacy.").unwrap_or(name);
        {
            let found = self.found.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(def) = found.rows.get(short) {
                return Some(def);
            }
            found.files.get(short)?;
        }
        let mut found = self.found.write().unwrap_or_else(PoisonError::into_inner);
        let path = found.files.get(short)?.clone();
        let def = row(short, path);
        found.rows.insert(short.to_string(), def);
        Some(def)
    }
}

/// A row like those of the table. It lives as long as the process, as they do: a run has few of its own
/// modules, and each becomes one row.
fn row(name: &str, file: PathBuf) -> &'static ModuleDef {
    Box::leak(Box::new(ModuleDef {
        name: Box::leak(name.to_string().into_boxed_str()),
        doc: "",
        specs: |_| {},
        rules: Vec::new,
        returns: &[],
        free_form: None,
        any_name: true,
        assets: &[],
        seat: Seat::Host(modules::foreign::bind),
        from_host: false,
        file: Some(Box::leak(file.into_boxed_path())),
    }))
}

fn collect(dir: &Path, files: &mut BTreeMap<String, PathBuf>) {
    for name in here::list(dir).unwrap_or_default() {
        let path = dir.join(&name);
        if here::is_dir(&path) {
            if name != "__pycache__" {
                collect(&path, files);
            }
            continue;
        }
        if name.starts_with(['.', '_']) || NO_MODULES.iter().any(|end| name.ends_with(end)) {
            continue;
        }
        let stem = name.split('.').next().unwrap_or(&name).to_string();
        files.entry(stem).or_insert(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_a_folder_are_modules_under_their_names() {
        let dir = here::private_folder().unwrap();
        for name in ["hello.sh", "ping.py", "notes.md", "_old.py", "deep/below"] {
            here::write(&dir.join("library").join(name), b"#!/bin/sh\n", 0o755).unwrap();
        }
        let library = Library::new(&[dir.join("library"), dir.join("nothing")]);
        let file = |name: &str| library.find(name).and_then(|def| def.file);
        assert!(file("hello").is_some_and(|p| p.ends_with("hello.sh")));
        assert!(file("ansible.legacy.ping").is_some());
        assert!(file("ansible.builtin.ping").is_none(), "the table's own");
        assert!(file("below").is_some());
        assert!(library.find("notes").is_none() && library.find("old").is_none());
        assert!(library.names().contains(&"hello"));
        here::remove_folder(&dir);
    }
}
