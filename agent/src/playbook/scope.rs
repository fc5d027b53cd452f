//! What surrounds a task: its own keywords, its blocks', its role's and its play's.

use super::keyword::{Kw, Setting};
use super::role::RoleUse;
use crate::source::Span;
use crate::value::{Key, Map};
use std::sync::Arc;

/// What a [`Scope`] belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScopeKind {
    /// A play.
    Play,
    /// A role in use; keywords of the `roles:` entry or of `import_role`.
    Role,
    /// A block, or a static import.
    Block,
    /// What a dynamic include gives its tasks: `apply` and `vars`.
    Include,
    /// A task or handler.
    Task,
}

/// The keywords of one thing, and what it stands in. Inner keywords win over outer ones.
#[derive(Debug)]
pub struct Scope {
    /// What it belongs to.
    pub kind: ScopeKind,
    /// The keywords that are set.
    pub keywords: Keywords,
    /// The role it introduces (kind [`ScopeKind::Role`]).
    pub role: Option<Arc<RoleUse>>,
    /// What it stands in.
    pub parent: Option<Arc<Scope>>,
    /// Variables that a loop around an include gave it, over what nobody wrote (a host's answers):
    /// text in them is never taken for an expression.
    pub items: Map,
}

/// Keywords that are set, in the order in which they were written.
#[derive(Clone, Debug, Default)]
pub struct Keywords(Vec<(Kw, Setting)>);

impl Keywords {
    /// The setting of `kw`.
    #[must_use]
    pub fn get(&self, kw: Kw) -> Option<&Setting> {
        self.0.iter().find(|(k, _)| *k == kw).map(|(_, s)| s)
    }

    /// Sets `kw`.
    pub fn set(&mut self, kw: Kw, setting: Setting) {
        self.0.retain(|(k, _)| *k != kw);
        self.0.push((kw, setting));
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &(Kw, Setting)> {
        self.0.iter()
    }
}

impl Scope {
    /// A scope without parent.
    #[must_use]
    pub fn root(kind: ScopeKind, keywords: Keywords) -> Arc<Self> {
        Arc::new(Self {
            kind,
            keywords,
            role: None,
            parent: None,
            items: Map::new(),
        })
    }

    /// A scope inside `parent`.
    #[must_use]
    pub fn inside(parent: &Arc<Self>, kind: ScopeKind, keywords: Keywords) -> Arc<Self> {
        Arc::new(Self {
            kind,
            keywords,
            role: None,
            parent: Some(Arc::clone(parent)),
            items: Map::new(),
        })
    }

    /// A role's scope inside `parent`.
    #[must_use]
    pub fn of_role(parent: &Arc<Self>, role: Arc<RoleUse>, keywords: Keywords) -> Arc<Self> {
        Arc::new(Self {
            kind: ScopeKind::Role,
            keywords,
            role: Some(role),
            parent: Some(Arc::clone(parent)),
            items: Map::new(),
        })
    }

    /// This scope, then each around it.
    pub fn chain(&self) -> impl Iterator<Item = &Scope> {
        std::iter::successors(Some(self), |s| s.parent.as_deref())
    }

    /// The innermost setting of `kw`.
    #[must_use]
    pub fn find(&self, kw: Kw) -> Option<&Setting> {
        self.chain().find_map(|s| s.keywords.get(kw))
    }

    /// The innermost `collections:`. Roles do not inherit it.
    #[must_use]
    pub fn collections(&self) -> Option<&Setting> {
        for scope in self.chain() {
            if scope.kind == ScopeKind::Role {
                return None;
            }
            if let Some(setting) = scope.keywords.get(Kw::Collections) {
                return Some(setting);
            }
        }
        None
    }

    /// Every setting of `kw`, outermost first: conditions and tags add up.
    #[must_use]
    pub fn all(&self, kw: Kw) -> Vec<&Setting> {
        let mut found: Vec<&Setting> = self.chain().filter_map(|s| s.keywords.get(kw)).collect();
        found.reverse();
        found
    }

    /// The innermost role.
    #[must_use]
    pub fn role(&self) -> Option<&Arc<RoleUse>> {
        self.chain().find_map(|s| s.role.as_ref())
    }

    /// Roles from the innermost outwards: each looks for files in its parents too.
    pub fn roles(&self) -> impl Iterator<Item = &Arc<RoleUse>> {
        self.chain().filter_map(|s| s.role.as_ref())
    }

    /// All tags, each once.
    #[must_use]
    pub fn tags(&self) -> Vec<String> {
        let mut tags = Vec::new();
        for setting in self.all(Kw::Tags) {
            for tag in setting.words() {
                if !tags.contains(&tag) {
                    tags.push(tag);
                }
            }
        }
        tags
    }

    /// The `vars:` of blocks, imports and the task itself, inner ones over outer ones; the play's
    /// own are another layer.
    #[must_use]
    pub fn inner_vars(&self) -> Map {
        let mut scopes: Vec<&Scope> = self.chain().filter(|s| s.kind != ScopeKind::Play).collect();
        scopes.reverse();
        merge_vars(&scopes)
    }

    /// The variables that dynamic includes gave: they win over facts that were set. First those that
    /// the playbook wrote, then those of loops over what it did not; each name is in one of them.
    #[must_use]
    pub fn include_vars(&self) -> (Map, Map) {
        let mut scopes: Vec<&Scope> = self
            .chain()
            .filter(|s| s.kind == ScopeKind::Include)
            .collect();
        scopes.reverse();
        let (mut written, mut items) = (Map::new(), Map::new());
        for scope in scopes {
            let own = merge_vars(&[scope]);
            items.retain(|name, _| !own.contains_key(name));
            written.extend(own);
            written.retain(|name, _| !scope.items.contains_key(name));
            items.extend(scope.items.iter().map(|(k, v)| (k.clone(), v.clone())));
        }
        (written, items)
    }
}

fn merge_vars(scopes: &[&Scope]) -> Map {
    let mut out = Map::new();
    for scope in scopes {
        if let Some(setting) = scope.keywords.get(Kw::Vars) {
            extend_vars(&mut out, setting);
        }
    }
    out
}

/// The keywords that a dynamic include hands on by `apply`.
#[must_use]
pub fn applied(apply: &Map, span: &Span) -> Keywords {
    let mut keywords = Keywords::default();
    for (key, value) in apply {
        if let Some(kw) = Kw::ALL.iter().find(|kw| kw.name() == key.to_string()) {
            let (value, span) = (value.clone(), span.clone());
            keywords.set(*kw, Setting { value, span });
        }
    }
    keywords
}

/// Adds a `vars:` setting (a mapping, or a list of mappings) to `out`.
pub fn extend_vars(out: &mut Map, setting: &Setting) {
    for item in setting.items() {
        if let Some(map) = item.as_map() {
            for (key, value) in map {
                out.insert(Key::clone(key), value.clone());
            }
        }
    }
}
