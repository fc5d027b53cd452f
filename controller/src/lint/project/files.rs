//! The folders of a project, and the files of variables in them.

use super::Project;
use lks_agent::host::here;
use lks_agent::playbook::yaml;
use lks_agent::source::SourceFile;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

impl Project {
    pub(super) fn folder(&mut self, path: &Path) {
        let path = here::absolute(path);
        if !self.folders.contains(&path) {
            self.folders.push(path);
        }
    }

    /// Whatever a playbook loads is part of the project, wherever it lies.
    pub(super) fn take_in(&mut self) {
        let folders: Vec<PathBuf> = self.folders.iter().map(|f| here::real_path(f)).collect();
        let outside: BTreeSet<PathBuf> = (self.sources.iter())
            .filter_map(|name| {
                here::real_path(Path::new(name))
                    .parent()
                    .map(Path::to_path_buf)
            })
            .filter(|dir| !folders.iter().any(|f| dir.starts_with(f)))
            .collect();
        self.folders.extend(outside);
    }

    /// Reads the variables of groups, hosts and plays beside what was read.
    pub(super) fn variables_near(&mut self) {
        let plays = self.plays.iter().map(|play| play.dir.clone());
        let dirs: Vec<PathBuf> = self.folders.iter().cloned().chain(plays).collect();
        for dir in dirs {
            for near in ["group_vars", "host_vars", "vars"] {
                self.variables_below(&dir.join(near));
            }
        }
    }

    pub(super) fn variables_below(&mut self, dir: &Path) {
        for path in yaml_below(dir) {
            self.variables_file(&path);
        }
    }

    fn variables_file(&mut self, path: &Path) {
        let name = path.display().to_string();
        let Ok(Some(text)) = here::read_text(path) else {
            return;
        };
        // One file may be reached from here and by its whole path.
        let is_new = self.read.insert(here::real_path(path));
        if text.starts_with("$ANSIBLE_VAULT;") || !is_new || !self.sources.insert(name.clone()) {
            return;
        }
        if let Ok(loaded) = yaml::load(&SourceFile::new(name, text)) {
            self.variables.extend(loaded.docs);
        }
    }
}

/// The project's folder: the nearest one around that says so, else the one given.
pub(super) fn root_of(dir: &Path) -> PathBuf {
    let dir = here::absolute(dir);
    let is_root = |p: &&Path| {
        [".git", "ansible.cfg", "galaxy.yml", "roles"]
            .iter()
            .any(|name| here::exists(&p.join(name)))
    };
    let found = dir.ancestors().take(3).find(is_root);
    found.map_or_else(|| dir.clone(), Path::to_path_buf)
}

/// The YAML files below a folder, in the order of their names.
pub(super) fn yaml_below(dir: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for name in here::list(dir).unwrap_or_default() {
        let path = dir.join(&name);
        if here::is_dir(&path) {
            out.extend(yaml_below(&path));
        } else if name.ends_with(".yml") || name.ends_with(".yaml") {
            out.push(path);
        }
    }
    out
}
