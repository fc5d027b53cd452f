//! Plays and playbooks.

use super::keyword::{Kw, PLAY, Setting};
use super::load::Loader;
use super::role::RoleUse;
use super::scope::{Keywords, Scope, ScopeKind};
use super::task::Item;
use super::yaml::Node;
use crate::error::{Error, ErrorKind};
use crate::source::Span;
use crate::value::Map;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A play.
#[derive(Debug)]
pub struct Play {
    /// Its keywords, and those of the `import_playbook` that brought it.
    pub scope: Arc<Scope>,
    /// Where it starts.
    pub span: Span,
    /// The folder of its playbook.
    pub dir: PathBuf,
    /// `pre_tasks`.
    pub pre_tasks: Vec<Item>,
    /// Roles, then `tasks`.
    pub tasks: Vec<Item>,
    /// `post_tasks`.
    pub post_tasks: Vec<Item>,
    /// Handlers, the roles' ones first.
    pub handlers: Vec<Item>,
    /// Roles in use, in order.
    pub roles: Vec<Arc<RoleUse>>,
}

impl Play {
    /// A keyword of the play.
    #[must_use]
    pub fn get(&self, kw: Kw) -> Option<&Setting> {
        self.scope.find(kw)
    }

    /// The name, or the hosts if it has none.
    #[must_use]
    pub fn name(&self) -> String {
        let own = self.scope.keywords.get(Kw::Name);
        own.or_else(|| self.scope.keywords.get(Kw::Hosts))
            .map(|s| s.words_kept().join(","))
            .unwrap_or_default()
    }
}

impl Setting {
    /// The items as text, commas kept.
    #[must_use]
    pub fn words_kept(&self) -> Vec<String> {
        self.items()
            .iter()
            .map(super::keyword::plain_text)
            .collect()
    }
}

impl Loader<'_> {
    /// Reads a playbook with all that it imports.
    pub fn playbook(&mut self, path: &Path) -> Vec<Play> {
        self.playbook_in(path, None)
    }

    /// Reads a play that stands in no file.
    pub fn lone_play(&mut self, node: &Node, dir: &Path) -> Vec<Play> {
        let mut plays = Vec::new();
        self.entry(node, dir, None, &mut plays);
        plays
    }

    fn playbook_in(&mut self, path: &Path, parent: Option<&Arc<Scope>>) -> Vec<Play> {
        if parent.is_some_and(|p| p.chain().count() > 20) {
            self.problems.error(Error::new(
                ErrorKind::Syntax,
                format!("{} imports itself", path.display()),
            ));
            return Vec::new();
        }
        let Some(node) = self.document(path) else {
            return Vec::new();
        };
        let Some(entries) = node.as_seq() else {
            self.problems.error(
                node.error(format!(
                    "a playbook must be a list of plays, not {}",
                    node.what()
                ))
                .hint("start with `- hosts: …`"),
            );
            return Vec::new();
        };
        if entries.is_empty() {
            self.problems
                .error(node.error("A playbook must contain at least one play"));
        }
        let dir = path.parent().map(Path::to_path_buf).unwrap_or_default();
        let mut plays = Vec::new();
        for entry in entries {
            self.entry(entry, &dir, parent, &mut plays);
        }
        plays
    }

    fn entry(
        &mut self,
        node: &Node,
        dir: &Path,
        parent: Option<&Arc<Scope>>,
        plays: &mut Vec<Play>,
    ) {
        if node.as_map().is_none() {
            self.problems.error(
                node.error(format!("a play must be a mapping, not {}", node.what()))
                    .hint("start with `- hosts: …`"),
            );
            return;
        }
        const IMPORTS: [&str; 3] = [
            "import_playbook",
            "ansible.builtin.import_playbook",
            "ansible.legacy.import_playbook",
        ];
        let import = IMPORTS.iter().find_map(|name| node.entry(name));
        match import {
            Some((_, file)) => plays.extend(self.import_playbook(node, file, dir, parent)),
            None => plays.extend(self.play(node, dir, parent)),
        }
    }

    fn import_playbook(
        &mut self,
        node: &Node,
        file: &Node,
        dir: &Path,
        parent: Option<&Arc<Scope>>,
    ) -> Vec<Play> {
        let (keywords, _) = self.keywords(node, super::keyword::BLOCK);
        let setting = self.setting(file);
        let scope = Arc::new(Scope {
            kind: ScopeKind::Block,
            keywords,
            role: None,
            parent: parent.cloned(),
            items: Map::new(),
        });
        self.play_vars.clear();
        let Some(name) = self.render_in(&setting.value, &file.span, Some(&scope)) else {
            return Vec::new();
        };
        let mut path = dir.join(&name);
        if !self.files.is_file(&path)
            && let Some(found) = self.collection_playbook(&name)
        {
            path = found;
        }
        if !self.files.is_file(&path) {
            let beside = self.files.list(dir).unwrap_or_default();
            self.problems.error(
                file.error(format!("the playbook `{name}` was not found"))
                    .did_you_mean(&name, beside.iter().map(String::as_str)),
            );
            return Vec::new();
        }
        self.playbook_in(&path, Some(&scope))
    }

    fn play(&mut self, node: &Node, dir: &Path, parent: Option<&Arc<Scope>>) -> Option<Play> {
        let (keywords, others) = self.keywords(node, PLAY);
        self.report_unknown(&others, PLAY);
        self.check_hosts(node, &keywords);
        self.check_prompts(&keywords);
        if let (Some((user, _)), Some(_)) = (node.entry("user"), node.entry("remote_user")) {
            self.problems.error(
                user.error("both 'user' and 'remote_user' are set for this play.")
                    .hint("`user` is the old name of `remote_user`"),
            );
        }
        let scope = Arc::new(Scope {
            kind: ScopeKind::Play,
            keywords,
            role: None,
            parent: parent.cloned(),
            items: Map::new(),
        });
        let mut play = Play {
            scope: Arc::clone(&scope),
            span: node.span.clone(),
            dir: dir.to_path_buf(),
            pre_tasks: Vec::new(),
            tasks: Vec::new(),
            post_tasks: Vec::new(),
            handlers: Vec::new(),
            roles: Vec::new(),
        };
        self.base = dir.to_path_buf();
        self.play_vars.clear();
        if let Some(vars) = scope.keywords.get(Kw::Vars) {
            super::scope::extend_vars(&mut self.play_vars, vars);
        }
        let section = |loader: &mut Self, name: &str, handler: bool| {
            let Some(list) = node.get(name) else {
                return Vec::new();
            };
            if list.as_seq().is_none() && !list.is_null() {
                let text = list
                    .scalar_text()
                    .unwrap_or_else(|| list.what().to_string());
                loader.problems.error(
                    list.error(format!(
                        "A malformed block was encountered while loading {name}: {text} should be a list or None"
                    ))
                    .hint("each task is an entry that begins with `- `"),
                );
                return Vec::new();
            }
            loader.items(list, &scope, handler)
        };
        play.pre_tasks = section(self, "pre_tasks", false);
        self.roles(node, &scope, &mut play);
        play.tasks.extend(section(self, "tasks", false));
        play.post_tasks = section(self, "post_tasks", false);
        play.handlers.append(&mut self.late_handlers);
        play.roles.append(&mut self.late_roles);
        play.handlers.extend(section(self, "handlers", true));
        Some(play)
    }

    fn roles(&mut self, node: &Node, scope: &Arc<Scope>, play: &mut Play) {
        let Some(list) = node.get("roles") else {
            return;
        };
        let Some(entries) = list.as_seq() else {
            if !list.is_null() {
                self.problems.error(list.error(format!(
                    "A malformed role declaration was encountered. `roles` must be a list, not {}",
                    list.what()
                )));
            }
            return;
        };
        for entry in entries {
            let Some((call, span)) = self.role_entry(entry) else {
                continue;
            };
            if let Some(loaded) = self.role(&call, &span, scope) {
                play.tasks.push(Item::Block(loaded.block));
                play.handlers.extend(loaded.handlers);
                play.roles.extend(loaded.uses);
            }
        }
    }

    /// Every variable that is asked for needs a name.
    fn check_prompts(&mut self, keywords: &Keywords) {
        let Some(setting) = keywords.get(Kw::VarsPrompt) else {
            return;
        };
        for entry in setting.items() {
            if entry.as_map().is_some() && entry.get("name").is_none() {
                self.problems.error(
                    Error::new(
                        ErrorKind::Syntax,
                        "Invalid vars_prompt data structure, missing 'name' key",
                    )
                    .at(&setting.span),
                );
            }
        }
    }

    fn check_hosts(&mut self, node: &Node, keywords: &Keywords) {
        match keywords.get(Kw::Hosts) {
            None => self.problems.error(
                node.error("this play does not say on which hosts it runs")
                    .hint("add `hosts: all`"),
            ),
            Some(s) if s.items().is_empty() => self.problems.error(
                Error::new(
                    ErrorKind::Syntax,
                    "Hosts list cannot be empty. Please check your playbook",
                )
                .at(&s.span)
                .hint("name hosts or groups, such as `hosts: all`"),
            ),
            Some(_) => {}
        }
    }
}
