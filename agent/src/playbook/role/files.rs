//! What a role's folder holds: tasks, handlers, variables, what it needs before it.

use super::call::leaves;
use super::{LoadedRole, RoleUse};
use crate::error::{Error, ErrorKind};
use crate::playbook::load::Loader;
use crate::playbook::scope::Scope;
use crate::playbook::task::Item;
use crate::playbook::yaml::Node;
use crate::source::Span;
use crate::value::{Key, Map, Value};
use std::path::{Path, PathBuf};
use std::sync::Arc;

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

impl Loader<'_> {
    pub(super) fn dependencies(
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

    pub(super) fn role_meta(&mut self, path: &Path) -> Option<Node> {
        let file = self.yaml_in(&path.join("meta"), "main")?;
        self.document(&file)
    }

    /// The file `NAME`, `NAME.yml`, `NAME.yaml` or `NAME.json` in a role's folder. That `main` is
    /// missing is fine; another name that is missing is a problem.
    pub(super) fn role_file(
        &mut self,
        role: &Path,
        folder: &str,
        name: &str,
        span: &Span,
    ) -> Option<PathBuf> {
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
    pub(super) fn role_vars(&mut self, role: &Path, folder: &str, name: &str) -> Map {
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
    pub(super) fn static_vars(&self, scope: Option<&Scope>) -> Map {
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
}
