//! From inventory sources (files, directories, scripts, lists of hosts) to an [`Inventory`].

use super::{Inventory, UNGROUPED, address, ini, script, yaml};
use crate::error::{Error, ErrorKind, Result};
use crate::playbook::vault::{self, VaultKeys};
use crate::playbook::yaml as syntax;
use crate::source::SourceFile;
use crate::value::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How an inventory reaches files: the engine implements it on the host seam.
pub trait Files {
    /// The text of a file; nothing if there is none, or if it is a directory.
    ///
    /// # Errors
    /// If it cannot be read, or is not UTF-8.
    fn read(&self, path: &Path) -> Result<Option<String>>;

    /// The names in a directory, in any order; nothing if it is no directory.
    ///
    /// # Errors
    /// If it cannot be read.
    fn list(&self, dir: &Path) -> Result<Option<Vec<String>>>;

    /// Whether the file may be executed.
    fn is_executable(&self, path: &Path) -> bool;

    /// Runs an inventory script.
    ///
    /// # Errors
    /// If it cannot be started.
    fn run(&self, script: &Path, arguments: &[&str]) -> Result<ScriptOutput>;
}

/// What an inventory script answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScriptOutput {
    /// Its exit status; nothing if a signal killed it.
    pub status: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

/// Files of an inventory directory that are no inventory, by their ending.
const IGNORED_ENDINGS: [&str; 12] = [
    ".pyc", ".pyo", ".swp", ".bak", "~", ".rpm", ".md", ".txt", ".rst", ".orig", ".cfg", ".retry",
];
/// Names in an inventory directory that are no inventory.
const IGNORED_NAMES: [&str; 3] = ["host_vars", "group_vars", "vars_plugins"];

/// Reads all `sources`, as `-i` names them: a path, or hosts with commas between or behind them.
///
/// # Errors
/// With the place, if a source is missing or cannot be read as an inventory. Ansible goes on
/// with a warning; a host that is missing from a run for that reason is worse than an error.
pub fn load(sources: &[String], files: &dyn Files, vault: &VaultKeys) -> Result<Inventory> {
    let mut loader = Loader {
        files,
        vault,
        inventory: Inventory::new(),
    };
    for source in sources {
        loader.source(source)?;
    }
    loader.inventory.reconcile();
    Ok(loader.inventory)
}

struct Loader<'a> {
    files: &'a dyn Files,
    vault: &'a VaultKeys,
    inventory: Inventory,
}

impl Loader<'_> {
    fn source(&mut self, source: &str) -> Result<()> {
        let path = Path::new(source);
        if self.files.list(path)?.is_some() {
            self.inventory.dirs.push(path.to_owned());
            return self.directory(path);
        }
        let text = match self.files.read(path) {
            Ok(None) if source.contains(',') => {
                self.host_list(source);
                return Ok(());
            }
            Ok(None) => {
                return Err(usage(format!("there is no inventory `{source}`"))
                    .hint(format!("to name a host itself, write `-i {source},`")));
            }
            text => text,
        };
        self.inventory.dirs.push(parent(path));
        self.file(path, text)
    }

    fn directory(&mut self, dir: &Path) -> Result<()> {
        let mut names = self.files.list(dir)?.unwrap_or_default();
        names.sort();
        for name in names {
            let ignored = name.starts_with('.')
                || IGNORED_NAMES.contains(&name.as_str())
                || IGNORED_ENDINGS.iter().any(|ending| name.ends_with(ending));
            if ignored {
                continue;
            }
            let path = dir.join(name);
            if self.files.list(&path)?.is_some() {
                self.directory(&path)?;
            } else {
                let text = self.files.read(&path);
                self.file(&path, text)?;
            }
        }
        Ok(())
    }

    /// Reads one file, by what it is: a script, YAML, or ini. `text` may be an error, since a
    /// script need not be text.
    fn file(&mut self, path: &Path, text: Result<Option<String>>) -> Result<()> {
        let known = self.inventory.hosts.len();
        let is_text = |text: &str| !text.starts_with("#!");
        let plain = matches!(&text, Ok(Some(text)) if is_text(text));
        if self.files.is_executable(path) && !plain {
            script::read(path, self.files, &mut self.inventory)?;
        } else {
            let text = self.vault.open_text(text?.unwrap_or_default())?;
            self.text(path, text)?;
        }
        self.note_origin(path, known);
        Ok(())
    }

    fn text(&mut self, path: &Path, text: String) -> Result<()> {
        let file = SourceFile::new(path.display().to_string(), text);
        match path.extension().and_then(|e| e.to_str()) {
            Some("yml" | "yaml" | "json") => yaml::read(&file, &mut self.inventory, self.vault),
            Some("toml") => Err(usage(format!(
                "`{}` is in TOML, which is not supported",
                path.display()
            ))
            .hint("write it as YAML: the structure is the same")),
            None if looks_like_yaml(&file.text) => {
                yaml::read(&file, &mut self.inventory, self.vault)
            }
            _ => ini::read(&file, &mut self.inventory),
        }
    }

    fn host_list(&mut self, list: &str) {
        for entry in list.split(',').map(str::trim).filter(|e| !e.is_empty()) {
            let (host, port) = address::parse(entry).unwrap_or((entry, None));
            if self.inventory.host(host).is_some() {
                continue;
            }
            self.inventory.add_host(host, UNGROUPED);
            if let Some(port) = port {
                let port = Value::Int(port.into());
                self.inventory
                    .set_host_var(host, "ansible_port".into(), port, None);
            }
        }
    }

    /// Ansible's `inventory_file` and `inventory_dir`, for the hosts after the first `known`.
    fn note_origin(&mut self, path: &Path, known: usize) {
        let text = |path: &Path| Value::from(path.display().to_string());
        for (_, host) in self.inventory.hosts.iter_mut().skip(known) {
            for (key, value) in [
                ("inventory_file", text(path)),
                ("inventory_dir", text(&parent(path))),
            ] {
                if host.vars.get(key).is_none() {
                    Arc::make_mut(&mut host.vars).set(key.into(), value, None);
                }
            }
        }
    }
}

fn usage(message: String) -> Error {
    Error::new(ErrorKind::Usage, message)
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Whether a file without an ending is a YAML inventory: its content is a mapping.
fn looks_like_yaml(text: &str) -> bool {
    if vault::is_vault(text) {
        return false;
    }
    let file = SourceFile::new("", text);
    let mapping = |node: &syntax::Node| node.as_map().is_some();
    match syntax::load(&file) {
        Ok(loaded) => loaded.docs.first().is_some_and(mapping),
        // Broken YAML is still YAML, and its own error is the better one.
        Err(_) => text.lines().any(|line| line.trim_end() == "---"),
    }
}
