//! The loader: from files to plays. Problems are collected, so that a user sees all of them at once.

use super::problems::Problems;
use super::role::RoleUse;
use super::scope::{Scope, ScopeKind};
use super::task::{Block, Item, Task};
use super::vault::VaultKeys;
use super::yaml::{self, Node};
use crate::error::{Error, ErrorKind, Result};
use crate::source::{SourceFile, Span};
use crate::value::{Map, Value};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The files of the side that holds the playbook.
pub trait Files {
    /// The text of a file; `None` if there is none.
    ///
    /// # Errors
    /// When it is there but cannot be read, or is no UTF-8.
    fn read(&self, path: &Path) -> Result<Option<String>>;
    /// Whether it is a directory.
    fn is_dir(&self, path: &Path) -> bool;
    /// Whether it is a file.
    fn is_file(&self, path: &Path) -> bool;
    /// Names in a directory, sorted; `None` if it is none.
    fn list(&self, path: &Path) -> Option<Vec<String>>;
    /// The path from the root on.
    fn absolute(&self, path: &Path) -> PathBuf {
        path.to_path_buf()
    }
}

/// What a key that is twice in a mapping means (`duplicate_dict_key`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DuplicateKeys {
    /// The last one counts, and a warning says so.
    #[default]
    Warn,
    /// The file is refused.
    Refuse,
    /// The last one counts.
    Ignore,
}

/// What the loader must know of modules.
pub trait Modules {
    /// The module of this name.
    fn find(&self, name: &str) -> Option<ModuleFace>;
    /// All names, for "did you mean".
    fn names(&self) -> Vec<&'static str>;
    /// A folder of the playbook or of a role is about to be read: it may bring modules of its own.
    fn entering(&self, folder: &Path) {
        let _ = folder;
    }
}

/// What the loader must know of one module.
#[derive(Clone, Copy, Debug)]
pub struct ModuleFace {
    /// Full name.
    pub name: &'static str,
    /// Whether text in the place of its arguments is one argument (`shell: ls -l`).
    pub free_form: bool,
    /// Whether that argument is a command line, in which most `key=value` words are its own.
    pub command_line: bool,
}

/// Reads playbooks, roles and task files.
pub struct Loader<'a> {
    /// Files.
    pub files: &'a dyn Files,
    /// Modules.
    pub modules: &'a dyn Modules,
    /// Keys of vaults.
    pub vault: &'a VaultKeys,
    /// Evaluates a template with the play's variables, before the play runs.
    pub render: &'a dyn Fn(&Value, &Map) -> Result<Value>,
    /// Variables of the play that is being read.
    pub play_vars: Map,
    /// More folders with roles.
    pub roles_path: Vec<PathBuf>,
    /// Folders with collections, beside `collections/` of the playbook's folder.
    pub collections_path: Vec<PathBuf>,
    /// Whether variables of roles stay theirs, where the settings say so.
    pub private_role_vars: Option<bool>,
    /// What a key that is twice in a mapping means.
    pub duplicate_keys: DuplicateKeys,
    /// The playbook's folder.
    pub base: PathBuf,
    /// What was found wrong.
    pub problems: Problems,
    /// Handlers of roles that were imported among tasks: they belong to the play.
    pub late_handlers: Vec<Item>,
    /// Those roles.
    pub late_roles: Vec<Arc<RoleUse>>,
    documents: HashMap<PathBuf, Option<Node>>,
    /// The files of tasks that are being read, one within the other.
    importing: Vec<PathBuf>,
    /// Files that roles begin with.
    entries: HashSet<PathBuf>,
}

impl<'a> Loader<'a> {
    /// A loader for playbooks in the folder `base`.
    pub fn new(
        files: &'a dyn Files,
        modules: &'a dyn Modules,
        vault: &'a VaultKeys,
        render: &'a dyn Fn(&Value, &Map) -> Result<Value>,
        base: PathBuf,
    ) -> Self {
        Self {
            files,
            modules,
            vault,
            render,
            play_vars: Map::new(),
            roles_path: Vec::new(),
            private_role_vars: None,
            collections_path: Vec::new(),
            duplicate_keys: DuplicateKeys::default(),
            base,
            problems: Problems::default(),
            late_handlers: Vec::new(),
            late_roles: Vec::new(),
            documents: HashMap::new(),
            importing: Vec::new(),
            entries: HashSet::new(),
        }
    }

    /// The first document of a file; `None` (and a problem) if it cannot be read.
    pub fn document(&mut self, path: &Path) -> Option<Node> {
        if let Some(known) = self.documents.get(path) {
            return known.clone();
        }
        let node = self.read_document(path);
        self.documents.insert(path.to_path_buf(), node.clone());
        node
    }

    fn read_document(&mut self, path: &Path) -> Option<Node> {
        let name = path.display().to_string();
        let text = match self.files.read(path) {
            Ok(Some(text)) => text,
            Ok(None) => {
                self.problems.error(Error::new(
                    ErrorKind::Syntax,
                    format!("the file {name} does not exist"),
                ));
                return None;
            }
            Err(error) => {
                self.problems.error(error);
                return None;
            }
        };
        let text = self.open_vault(text, &name)?;
        let loaded = yaml::load(&SourceFile::new(name, text));
        let loaded = self.problems.keep(loaded)?;
        for warning in loaded.warnings {
            match self.duplicate_keys {
                DuplicateKeys::Warn => self.problems.warn(warning.message, Some(&warning.span)),
                DuplicateKeys::Refuse => {
                    let error = Error::new(ErrorKind::Syntax, warning.message);
                    self.problems.error(error.at(&warning.span));
                }
                DuplicateKeys::Ignore => {}
            }
        }
        loaded.docs.into_iter().next()
    }

    /// A whole file may be a vault.
    fn open_vault(&mut self, text: String, name: &str) -> Option<String> {
        if !text.starts_with("$ANSIBLE_VAULT;") {
            return Some(text);
        }
        let opened = self
            .vault
            .decrypt_text(&text)
            .map_err(|e| e.context(format!("cannot open the vault {name}")));
        self.problems.keep(opened)
    }

    /// `NAME`, `NAME.yml`, `NAME.yaml` or `NAME.json` in `dir`, whichever is there first.
    pub(super) fn yaml_in(&self, dir: &Path, name: &str) -> Option<PathBuf> {
        ["", ".yml", ".yaml", ".json"]
            .iter()
            .map(|suffix| dir.join(format!("{name}{suffix}")))
            .find(|path| self.files.is_file(path))
    }

    /// All YAML files below a folder, sorted.
    pub(super) fn yaml_files_below(&self, dir: &Path) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for name in self.files.list(dir).unwrap_or_default() {
            let path = dir.join(&name);
            if self.files.is_dir(&path) {
                found.extend(self.yaml_files_below(&path));
            } else if [".yml", ".yaml", ".json"].iter().any(|s| name.ends_with(s)) {
                found.push(path);
            }
        }
        found
    }

    /// Reads the file of tasks or handlers that a role begins with.
    pub(super) fn entry_file(
        &mut self,
        path: &Path,
        role: &Arc<Scope>,
        handler: bool,
    ) -> Vec<Item> {
        self.entries.insert(path.to_path_buf());
        self.tasks_file(path, role, handler)
    }

    /// Reads a file of tasks or handlers.
    pub fn tasks_file(&mut self, path: &Path, parent: &Arc<Scope>, handler: bool) -> Vec<Item> {
        if self.importing.iter().any(|p| p == path) {
            self.problems.error(Error::new(
                ErrorKind::Syntax,
                format!("{} imports itself", path.display()),
            ));
            return Vec::new();
        }
        let Some(node) = self.document(path) else {
            return Vec::new();
        };
        self.importing.push(path.to_path_buf());
        let items = self.items(&node, parent, handler);
        self.importing.pop();
        items
    }

    /// `import_tasks`, expanded in place.
    pub(super) fn import_tasks(&mut self, task: &Task) -> Option<Item> {
        let Some(file) = task.free_or("file") else {
            self.problems.error(
                Error::new(
                    ErrorKind::Params,
                    format!("No file specified for {}", task.written_module()),
                )
                .at(&task.module_span)
                .hint("write `import_tasks: FILE.yml`"),
            );
            return None;
        };
        if let Some(apply) = task.args.get("apply") {
            self.problems.error(
                Error::new(
                    ErrorKind::Params,
                    format!("Invalid options for {}: apply", task.written_module()),
                )
                .at(&apply.name_span)
                .hint("an import hands its own keywords on"),
            );
        }
        let name = self.render_in(&file.value, &file.span, Some(&task.scope))?;
        let path = self.find_tasks(&name, &file.span, &task.scope)?;
        let parent = task.scope.parent.clone()?;
        let scope = Scope::inside(&parent, ScopeKind::Block, task.scope.keywords.clone());
        let body = self.tasks_file(&path, &scope, task.handler);
        Some(Item::Block(Arc::new(Block {
            scope,
            body,
            rescue: Vec::new(),
            always: Vec::new(),
            role: None,
        })))
    }

    /// Finds a file of tasks: beside the file that names it, in the roles around, in the
    /// playbook's folder. For a file of a deeper folder that a role begins with (`tasks_from: sub/main`) the
    /// role's own `tasks/` go first, as in Ansible.
    pub fn find_tasks(&mut self, name: &str, span: &Span, scope: &Scope) -> Option<PathBuf> {
        let given = Path::new(name);
        if given.is_absolute() && self.files.is_file(given) {
            return Some(given.to_path_buf());
        }
        let mut dirs: Vec<PathBuf> = Vec::new();
        let file = Path::new(&span.file.name);
        if self.entries.contains(file) {
            let own = scope.roles().next().map(|role| role.path.join("tasks"));
            dirs.extend(own.filter(|tasks| file.starts_with(tasks)));
        }
        dirs.extend(file.parent().map(Path::to_path_buf));
        for role in scope.roles() {
            dirs.push(role.path.join("tasks"));
            dirs.push(role.path.join("handlers"));
            dirs.push(role.path.clone());
        }
        dirs.push(self.base.join("tasks"));
        dirs.push(self.base.clone());
        if let Some(found) = dirs
            .iter()
            .map(|d| d.join(name))
            .find(|p| self.files.is_file(p))
        {
            return Some(found);
        }
        let beside: Vec<String> = dirs
            .iter()
            .flat_map(|d| self.files.list(d).unwrap_or_default())
            .collect();
        self.problems.error(
            Error::new(
                ErrorKind::Syntax,
                format!("Could not find or access '{name}'"),
            )
            .at(span)
            .did_you_mean(name, beside.iter().map(String::as_str)),
        );
        None
    }
}
