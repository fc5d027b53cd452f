//! The loader's access to files and modules.

use super::library::Library;
use crate::error::Result;
use crate::host::here;
use crate::playbook::load::{Files, ModuleFace, Modules};
use std::path::{Path, PathBuf};

/// Files of the side that holds the playbook.
#[derive(Clone, Copy, Debug)]
pub struct HereFiles;

impl Files for HereFiles {
    fn read(&self, path: &Path) -> Result<Option<String>> {
        here::read_text(path)
    }
    fn is_dir(&self, path: &Path) -> bool {
        here::is_dir(path)
    }
    fn is_file(&self, path: &Path) -> bool {
        here::is_file(path)
    }
    fn list(&self, path: &Path) -> Option<Vec<String>> {
        here::list(path)
    }
    fn absolute(&self, path: &Path) -> PathBuf {
        here::absolute(path)
    }
}

impl Modules for Library {
    fn find(&self, name: &str) -> Option<ModuleFace> {
        Self::find(self, name).map(|def| ModuleFace {
            name: def.name,
            free_form: def.free_form.is_some(),
            command_line: is_command_line(def),
        })
    }
    fn names(&self) -> Vec<&'static str> {
        Self::names(self)
    }
    fn entering(&self, folder: &Path) {
        self.add(&folder.join("library"));
    }
}

/// The modules whose text Ansible leaves whole (`MODULE_REQUIRE_ARGS` of ansible-core).
pub(super) fn is_command_line(def: &crate::module::ModuleDef) -> bool {
    matches!(def.short_name(), "command" | "shell" | "raw" | "script")
}
