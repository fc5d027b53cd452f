//! Roles: found on disk, read once, used with parameters.

use super::keyword::{Kw, ROLE, Setting, as_bool};
use super::load::Loader;
use super::scope::{Keywords, Scope};
use super::task::{Block, Item, Task};
use super::yaml::Node;
use crate::error::{Error, ErrorKind};
use crate::source::Span;
use crate::value::{Key, Map, Value};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

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

/// Roles may depend on roles this deep.
const MAX_DEPTH: usize = 32;

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
            body.extend(self.tasks_file(&file, &scope, false));
        }
        if let Some(file) = self.role_file(&path, "handlers", &call.files.handlers, span) {
            loaded.handlers.extend(self.tasks_file(&file, &scope, true));
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

    fn dependencies(
        &mut self,
        meta: Option<&Node>,
        scope: &Arc<Scope>,
        loaded: &mut LoadedRole,
    ) -> Vec<Item> {
        let mut body = Vec::new();
        let mut own = Vec::new();
        let list = meta.and_then(|m| m.get("dependencies")).cloned();
        for entry in list.as_ref().and_then(Node::as_seq).unwrap_or_default() {
            let Some((call, span)) = self.role_entry(entry) else {
                continue;
            };
            if let Some(dependency) = self.role(&call, &span, scope) {
                own.extend(dependency.block.role.clone());
                body.push(Item::Block(dependency.block));
                loaded.handlers.extend(dependency.handlers);
                loaded.uses.extend(dependency.uses);
            }
        }
        if let Some(role) = scope.role() {
            // Read once for each use: nobody was there before.
            let _ = role.dependencies.set(own);
        }
        body
    }

    fn role_meta(&mut self, path: &Path) -> Option<Node> {
        let file = self.yaml_in(&path.join("meta"), "main")?;
        self.document(&file)
    }

    /// The file `NAME`, `NAME.yml`, `NAME.yaml` or `NAME.json` in a role's folder. That `main` is
    /// missing is fine; another name that is missing is a problem.
    fn role_file(&mut self, role: &Path, folder: &str, name: &str, span: &Span) -> Option<PathBuf> {
        if leaves(name) {
            let path = role.join(folder).join(name);
            self.problems.error(
                Error::new(
                    ErrorKind::Syntax,
                    format!(
                        "Failed to load {folder} from {} as it is not inside the expected role path: {}",
                        path.display(),
                        role.join(folder).display()
                    ),
                )
                .at(span),
            );
            return None;
        }
        let found = self.yaml_in(&role.join(folder), name);
        if found.is_none() && name != "main" && folder == "tasks" {
            self.problems.error(
                Error::new(
                    ErrorKind::Syntax,
                    format!("there is no {folder}/{name} in the role {}", role.display()),
                )
                .at(span),
            );
        }
        found
    }

    /// Variables of a role: one file, or all files of a folder `main/`.
    fn role_vars(&mut self, role: &Path, folder: &str, name: &str) -> Map {
        let dir = role.join(folder);
        let mut files: Vec<PathBuf> = self.yaml_in(&dir, name).into_iter().collect();
        if files.is_empty() {
            files = self.yaml_files_below(&dir.join(name));
        }
        let mut out = Map::new();
        for file in files {
            if let Some(node) = self.document(&file) {
                let map = node.to_map(self.vault);
                out.extend(self.problems.keep(map).unwrap_or_default());
            }
        }
        out
    }

    /// Variables that are known before the play runs: the play's, those of the roles around, their
    /// parameters, and `vars` of blocks and imports.
    fn static_vars(&self, scope: Option<&Scope>) -> Map {
        let Some(scope) = scope else {
            return self.play_vars.clone();
        };
        let mut out = Map::new();
        let mut add = |map: &Map| out.extend(map.iter().map(|(k, v)| (k.clone(), v.clone())));
        let mut roles: Vec<&Arc<RoleUse>> = scope.roles().collect();
        roles.reverse();
        roles.iter().for_each(|r| add(&r.defaults));
        add(&self.play_vars);
        roles.iter().for_each(|r| add(&r.vars));
        add(&scope.inner_vars());
        roles.iter().for_each(|r| add(&r.params));
        if let Some(role) = roles.last() {
            add(&role_variables(role));
        }
        out
    }

    /// The folder of a role; a problem if there is none.
    pub fn find_role(&mut self, name: &str, span: &Span, parent: &Arc<Scope>) -> Option<PathBuf> {
        let listed = parent.collections();
        let full = listed.and_then(|setting| self.in_collections(name, setting));
        let full = full.as_deref().unwrap_or(name);
        if let Some(found) = self.collection_role(full) {
            return Some(found);
        }
        // `AUTHOR.ROLE` may lie in a folder without the author; a role of a collection is another one.
        let short = match name.split('.').count() {
            2 => name.rsplit('.').next().unwrap_or(name),
            _ => name,
        };
        let mut tried: Vec<PathBuf> = vec![self.base.join("roles")];
        tried.extend(self.roles_path.iter().cloned());
        tried.extend(
            parent
                .roles()
                .filter_map(|r| r.path.parent().map(Path::to_path_buf)),
        );
        tried.push(self.base.clone());
        for dir in &tried {
            for candidate in [dir.join(name), dir.join(short)] {
                if self.files.is_dir(&candidate) {
                    return Some(candidate);
                }
            }
        }
        let mut names: Vec<String> = tried
            .iter()
            .flat_map(|d| self.files.list(d).unwrap_or_default())
            .collect();
        names.sort();
        let mut places: Vec<String> = Vec::new();
        for dir in &tried {
            let place = self.files.absolute(dir).display().to_string();
            if !places.contains(&place) {
                places.push(place);
            }
        }
        self.problems.error(
            Error::new(
                ErrorKind::Syntax,
                format!("the role '{name}' was not found in {}", places.join(":")),
            )
            .at(span)
            .did_you_mean(name, names.iter().map(String::as_str)),
        );
        None
    }

    /// The full name of a role that one of the collections of a `collections:` has; the first wins.
    fn in_collections(&self, name: &str, collections: &Setting) -> Option<String> {
        let names = collections.words().into_iter();
        names
            .filter(|_| !name.contains('.'))
            .map(|collection| format!("{collection}.{name}"))
            .find(|full| self.collection_role(full).is_some())
    }

    /// The folder of `NAMESPACE.COLLECTION.ROLE`, in the collections beside the playbook or elsewhere.
    fn collection_role(&self, name: &str) -> Option<PathBuf> {
        let mut found = self.in_collection(name, "roles");
        found.find(|dir| self.files.is_dir(dir))
    }

    /// The file of the playbook `NAMESPACE.COLLECTION.PLAYBOOK`.
    pub(super) fn collection_playbook(&self, name: &str) -> Option<PathBuf> {
        let mut found = self.in_collection(name, "playbooks").flat_map(|path| {
            ["yml", "yaml"].map(|suffix| {
                let file = path.file_name().unwrap_or_default().to_string_lossy();
                path.with_file_name(format!("{file}.{suffix}"))
            })
        });
        found.find(|path| self.files.is_file(path))
    }

    /// Where `NAMESPACE.COLLECTION.NAME` may lie in a folder of collections.
    fn in_collection(&self, name: &str, folder: &str) -> impl Iterator<Item = PathBuf> {
        let mut parts = name.splitn(3, '.');
        let inside = (parts.next().zip(parts.next()).zip(parts.next())).map(
            |((space, collection), rest)| {
                let collection = Path::new(space).join(collection).join(folder);
                Path::new("ansible_collections")
                    .join(collection)
                    .join(rest.replace('.', "/"))
            },
        );
        let near = std::iter::once(self.base.join("collections"));
        near.chain(self.collections_path.iter().cloned())
            .filter_map(move |dir| Some(dir.join(inside.as_ref()?)))
    }

    /// `import_role`, expanded in place.
    pub(super) fn import_role(&mut self, task: &Task) -> Option<Item> {
        let call = self.role_call(task, task.scope.keywords.clone())?;
        let parent = task.scope.parent.clone()?;
        let loaded = self.role(&call, &task.span, &parent)?;
        self.late_handlers.extend(loaded.handlers);
        self.late_roles.extend(loaded.uses);
        Some(Item::Block(loaded.block))
    }

    /// The arguments of `include_role` or `import_role`.
    pub fn role_call(&mut self, task: &Task, keywords: Keywords) -> Option<RoleCall> {
        let mut call = RoleCall {
            keywords,
            public: self.is_public(task.short_module() == "import_role"),
            from_task: true,
            allow_duplicates: Some(true),
            ..RoleCall::default()
        };
        for arg in &task.args.named {
            if &*arg.name == "apply" {
                if task.short_module() == "include_role" {
                    continue;
                }
                self.problems.error(
                    Error::new(
                        ErrorKind::Params,
                        format!("Invalid options for {}: apply", task.written_module()),
                    )
                    .at(&arg.name_span)
                    .hint("an import hands its own keywords on"),
                );
                continue;
            }
            if arg.name.ends_with("_from")
                && !matches!(arg.value, Value::Str(_) | Value::Template(_))
            {
                self.problems
                    .error(not_text(&arg.name, &arg.value).at(&arg.span));
                continue;
            }
            let text = self.render_in(&arg.value, &arg.span, Some(&task.scope))?;
            match &*arg.name {
                "name" | "role" => call.name = text,
                "tasks_from" => call.files.tasks = text,
                "vars_from" => call.files.vars = text,
                "defaults_from" => call.files.defaults = text,
                "handlers_from" => call.files.handlers = text,
                "public" => call.public = as_bool(&text).unwrap_or(call.public),
                "rolespec_validate" => call.unvalidated = as_bool(&text) == Some(false),
                "allow_duplicates" => call.allow_duplicates = as_bool(&text),
                _ => {}
            }
        }
        if call.name.is_empty() {
            self.problems.error(
                Error::new(
                    ErrorKind::Params,
                    format!("`{}` needs the name of a role", task.short_module()),
                )
                .at(&task.module_span)
                .hint("add `name: ROLE`"),
            );
            return None;
        }
        Some(call)
    }

    /// Evaluates a value that must be known before the play runs.
    pub(super) fn render_static(&mut self, value: &Value, span: &Span) -> Option<String> {
        self.render_in(value, span, None)
    }

    /// As [`Loader::render_static`], with what the roles and blocks around it know.
    pub(super) fn render_in(
        &mut self,
        value: &Value,
        span: &Span,
        scope: Option<&Scope>,
    ) -> Option<String> {
        let rendered = match value {
            Value::Template(_) => (self.render)(value, &self.static_vars(scope)).map_err(|e| {
                e.at(span).hint(
                    "a static import is read before the play runs: only extra variables and the play's are known",
                )
            }),
            plain => Ok(plain.clone()),
        };
        let value = self.problems.keep(rendered)?;
        Some(super::keyword::plain_text(&value))
    }
}

/// Whether a file's name leads out of the folder that it is looked for in.
fn leaves(name: &str) -> bool {
    let mut depth = 0_i32;
    for part in Path::new(name).components() {
        match part {
            std::path::Component::ParentDir => depth -= 1,
            std::path::Component::Normal(_) => depth += 1,
            std::path::Component::RootDir | std::path::Component::Prefix(_) => return true,
            std::path::Component::CurDir => {}
        }
        if depth < 0 {
            return true;
        }
    }
    false
}

/// What is said of `tasks_from: [a, b]` and the like.
#[must_use]
pub fn not_text(name: &str, value: &Value) -> Error {
    Error::new(
        ErrorKind::Params,
        format!(
            "Expected a string for {name} but got {} instead",
            value.type_name()
        ),
    )
}

/// The names a role gives to its tasks' variables: `role_name`, `role_path`.
#[must_use]
pub fn role_variables(role: &RoleUse) -> Map {
    let path = role.path.display().to_string();
    let short = role.name.rsplit('/').next().unwrap_or(&role.name);
    [
        (Key::from("role_name"), Value::from(short)),
        (Key::from("role_path"), Value::from(path.as_str())),
        (Key::from("ansible_role_name"), Value::from(short)),
    ]
    .into_iter()
    .collect()
}

/// A setting made by us, at a place.
#[must_use]
pub fn made(value: impl Into<Value>, span: &Span) -> Setting {
    Setting {
        value: value.into(),
        span: span.clone(),
    }
}
