//! Roles: found on disk (`find`), read once (`files`), used with parameters; `call` is what `import_role`
//! and `include_role` say.

mod call;
mod files;
mod find;

use super::keyword::{Kw, ROLE};
use super::load::Loader;
use super::scope::{Keywords, Scope};
use super::task::{Block, Item};
use super::yaml::Node;
use crate::error::{Error, ErrorKind};
use crate::source::Span;
use crate::value::{Map, Value};
pub use call::made;
pub use files::{not_text, role_variables};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// Roles may depend on roles this deep.
const MAX_DEPTH: usize = 32;

/// A role in use: what it is, and with which parameters.
#[derive(Debug)]
pub struct RoleUse {
    /// Name as it was given.
    pub name: String,
    /// Its folder.
    pub path: PathBuf,
    /// `defaults/main.yml`.
    pub defaults: Arc<Map>,
    /// `vars/main.yml`.
    pub vars: Arc<Map>,
    /// Parameters of this use.
    pub params: Arc<Map>,
    /// Whether it may run more than once a play with the same parameters.
    pub allow_duplicates: bool,
    /// Whether its defaults and variables are visible to the rest of the play.
    pub public: bool,
    /// Tells uses apart: the same key is the same work.
    pub key: String,
    /// The roles that it depends on, known when they are read.
    dependencies: OnceLock<Vec<Arc<RoleUse>>>,
}

impl RoleUse {
    /// The roles that it depends on, and those that these depend on, each after its own.
    #[must_use]
    pub fn all_dependencies(&self) -> Vec<Arc<RoleUse>> {
        let mut all = Vec::new();
        for role in self.dependencies.get().into_iter().flatten() {
            all.extend(role.all_dependencies());
            all.push(Arc::clone(role));
        }
        all
    }
}

/// Which files of a role are used (`tasks_from` and friends).
#[derive(Clone, Debug)]
pub struct RoleFiles {
    /// In `tasks/`.
    pub tasks: String,
    /// In `vars/`.
    pub vars: String,
    /// In `defaults/`.
    pub defaults: String,
    /// In `handlers/`.
    pub handlers: String,
}

impl Default for RoleFiles {
    fn default() -> Self {
        let main = || "main".to_string();
        Self {
            tasks: main(),
            vars: main(),
            defaults: main(),
            handlers: main(),
        }
    }
}

/// How a role is used at one place.
#[derive(Clone, Debug, Default)]
pub struct RoleCall {
    /// Name or path.
    pub name: String,
    /// Keywords of the place.
    pub keywords: Keywords,
    /// Parameters.
    pub params: Map,
    /// Files.
    pub files: RoleFiles,
    /// Whether variables are visible to the rest of the play.
    pub public: bool,
    /// Overrides the role's own word.
    pub allow_duplicates: Option<bool>,
    /// Whether its arguments are not to be checked (`rolespec_validate: false`).
    pub unvalidated: bool,
    /// Whether a task brings it: that is another work than the same role in `roles:`.
    pub from_task: bool,
}

/// A role read for one place.
pub struct LoadedRole {
    /// Its dependencies' and its own tasks.
    pub block: Arc<Block>,
    /// Its handlers and its dependencies'.
    pub handlers: Vec<Item>,
    /// All roles in use in it, dependencies first.
    pub uses: Vec<Arc<RoleUse>>,
}

impl Loader<'_> {
    /// Reads an entry of `roles:` or of a role's `dependencies`.
    pub(super) fn role_entry(&mut self, node: &Node) -> Option<(RoleCall, Span)> {
        if let Some(name) = node.scalar_text() {
            if name.contains(',') {
                self.problems.error(
                    node.error(format!("Invalid old style role requirement: {name}"))
                        .hint("a role is named alone; its parameters are written as a mapping"),
                );
                return None;
            }
            let call = RoleCall {
                name,
                public: self.is_public(true),
                ..RoleCall::default()
            };
            return Some((call, node.span.clone()));
        }
        if node.as_map().is_none() {
            self.problems.error(node.error(format!(
                "a role must be a name or a mapping, not {}",
                node.what()
            )));
            return None;
        }
        let (keywords, others) = self.keywords(node, ROLE);
        let name = keywords
            .get(Kw::Role)
            .or_else(|| keywords.get(Kw::Name))
            .map(|s| s.value.clone());
        let Some(name) = name else {
            self.problems.error(
                node.error("this entry does not say which role")
                    .hint("write `- role: NAME`"),
            );
            return None;
        };
        let name = self.render_static(&name, &node.span)?;
        let mut params = Map::new();
        for (key, value) in &others {
            let setting = self.setting(value);
            params.insert(key.to_key(), setting.value);
        }
        let span = node
            .get("role")
            .or_else(|| node.get("name"))
            .map_or_else(|| node.span.clone(), |n| n.span.clone());
        let call = RoleCall {
            name,
            keywords,
            params,
            public: self.is_public(true),
            ..RoleCall::default()
        };
        Some((call, span))
    }

    /// Whether the rest of the play sees the variables of a role that does not say so itself.
    #[must_use]
    pub fn is_public(&self, imported: bool) -> bool {
        self.private_role_vars.map_or(imported, |private| !private)
    }

    /// Reads a role for use below `parent`.
    pub fn role(
        &mut self,
        call: &RoleCall,
        span: &Span,
        parent: &Arc<Scope>,
    ) -> Option<LoadedRole> {
        let depth = parent.roles().count();
        if depth > MAX_DEPTH {
            self.problems.error(
                Error::new(
                    ErrorKind::Syntax,
                    format!("role `{}` depends on itself", call.name),
                )
                .at(span),
            );
            return None;
        }
        let listed = call.keywords.get(Kw::Collections);
        let listed = listed.or_else(|| parent.collections());
        let full = listed.and_then(|setting| self.in_collections(&call.name, setting));
        let call = &match full {
            Some(name) => RoleCall {
                name,
                ..call.clone()
            },
            None => call.clone(),
        };
        let path = self.find_role(&call.name, span, parent)?;
        self.modules.entering(&path);
        let meta = self.role_meta(&path);
        let role = Arc::new(self.role_use(call, &path, meta.as_ref()));
        let scope = Scope::of_role(parent, Arc::clone(&role), call.keywords.clone());
        let mut loaded = LoadedRole {
            block: Arc::new(Block {
                scope: Arc::clone(&scope),
                body: Vec::new(),
                rescue: Vec::new(),
                always: Vec::new(),
                role: Some(Arc::clone(&role)),
            }),
            handlers: Vec::new(),
            uses: Vec::new(),
        };
        let mut body = self.dependencies(meta.as_ref(), &scope, &mut loaded);
        body.extend(self.validation_task(call, &path, meta.as_ref(), &scope, span));
        if let Some(file) = self.role_file(&path, "tasks", &call.files.tasks, span) {
            body.extend(self.entry_file(&file, &scope, false));
        }
        if let Some(file) = self.role_file(&path, "handlers", &call.files.handlers, span) {
            loaded.handlers.extend(self.entry_file(&file, &scope, true));
        }
        loaded.uses.push(Arc::clone(&role));
        loaded.block = Arc::new(Block {
            scope,
            body,
            rescue: Vec::new(),
            always: Vec::new(),
            role: Some(role),
        });
        Some(loaded)
    }

    fn role_use(&mut self, call: &RoleCall, path: &Path, meta: Option<&Node>) -> RoleUse {
        let defaults = self.role_vars(path, "defaults", &call.files.defaults);
        let vars = self.role_vars(path, "vars", &call.files.vars);
        let allow = call.allow_duplicates.unwrap_or_else(|| {
            meta.and_then(|m| m.get("allow_duplicates"))
                .and_then(Node::as_bool)
                .unwrap_or(false)
        });
        let place: Vec<String> = call
            .keywords
            .iter()
            // All else may differ, and it is the same work all the same.
            .filter(|(kw, _)| matches!(kw, Kw::When | Kw::Tags | Kw::Vars))
            .map(|(kw, s)| format!("{}={}", kw.name(), s.value.to_json()))
            .collect();
        RoleUse {
            key: format!(
                "{} {} {:?} {} {place:?}",
                path.display(),
                call.from_task,
                call.files,
                Value::map(call.params.clone()).to_json()
            ),
            name: call
                .name
                .rsplit('/')
                .next()
                .unwrap_or(&call.name)
                .to_string(),
            path: path.to_path_buf(),
            defaults: Arc::new(defaults),
            vars: Arc::new(vars),
            params: Arc::new(call.params.clone()),
            allow_duplicates: allow,
            public: call.public,
            dependencies: OnceLock::new(),
        }
    }
}
