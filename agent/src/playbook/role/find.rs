//! Where a role is: beside the playbook, on the search path, in a collection.

use crate::error::{Error, ErrorKind};
use crate::playbook::keyword::Setting;
use crate::playbook::load::Loader;
use crate::playbook::scope::Scope;
use crate::source::Span;
use std::path::{Path, PathBuf};
use std::sync::Arc;

impl Loader<'_> {
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
    pub(super) fn in_collections(&self, name: &str, collections: &Setting) -> Option<String> {
        let names = collections.words().into_iter();
        names
            .filter(|_| !name.contains('.'))
            .map(|collection| format!("{collection}.{name}"))
            .find(|full| self.collection_role(full).is_some())
    }

    /// The folder of `NAMESPACE.COLLECTION.ROLE`, in the collections beside the playbook or elsewhere.
    pub(super) fn collection_role(&self, name: &str) -> Option<PathBuf> {
        let mut found = self.in_collection(name, "roles");
        found.find(|dir| self.files.is_dir(dir))
    }

    /// The file of the playbook `NAMESPACE.COLLECTION.PLAYBOOK`.
    pub(in crate::playbook) fn collection_playbook(&self, name: &str) -> Option<PathBuf> {
        let mut found = self.in_collection(name, "playbooks").flat_map(|path| {
            ["yml", "yaml"].map(|suffix| {
                let file = path.file_name().unwrap_or_default().to_string_lossy();
                path.with_file_name(format!("{file}.{suffix}"))
            })
        });
        found.find(|path| self.files.is_file(path))
    }

    /// Where `NAMESPACE.COLLECTION.NAME` may lie in a folder of collections.
    pub(super) fn in_collection(&self, name: &str, folder: &str) -> impl Iterator<Item = PathBuf> {
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
}
