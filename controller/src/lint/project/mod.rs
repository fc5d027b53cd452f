//! What is linted: playbooks, roles, files of tasks, and all that they include.
//!
//! `targets` says what the command line names; `walk` goes over it, with `reader` for what tasks include
//! and `files` for folders and variables; `told` is what was found on the way.

mod files;
mod reader;
mod targets;
mod told;
mod walk;

pub use targets::{Target, targets};

use super::words::Words;
use lks_agent::engine::job::Findings;
use lks_agent::engine::{Absent, Run};
use lks_agent::error::Error;
use lks_agent::host::here;
use lks_agent::playbook::play::Play;
use lks_agent::playbook::role::RoleUse;
use lks_agent::playbook::task::{Block, Item, Task};
use lks_agent::playbook::yaml::{self, Node};
use lks_agent::source::{SourceFile, Span};
use std::cell::OnceCell;
use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What was read.
#[derive(Default)]
pub struct Project {
    /// Plays of the playbooks.
    pub plays: Vec<Arc<Play>>,
    /// Every task and handler, each once.
    pub tasks: Vec<Arc<Task>>,
    /// Every block that was written as one.
    pub blocks: Vec<Arc<Block>>,
    /// Lists of tasks and blocks, as they run one after another.
    pub lists: Vec<Vec<Item>>,
    /// Roles in use.
    pub roles: Vec<Arc<RoleUse>>,
    /// Files of variables, read as trees.
    pub variables: Vec<Node>,
    /// Whether the inventory is known, so that every variable must be in it or in a file.
    pub closed: bool,
    /// Whether a role or file was named that is not there: it might define and use anything.
    pub incomplete: bool,
    /// Names of variables that were given on the command line.
    pub extra: HashSet<String>,
    errors: Vec<Error>,
    warnings: Vec<(String, Option<Span>)>,
    absent: Vec<Absent>,
    folders: Vec<PathBuf>,
    words: OnceCell<Words>,
    task_trees: OnceCell<Vec<Node>>,
    /// Whether every use of a variable can be seen, once that was worked out.
    pub whole: OnceCell<bool>,
    sources: HashSet<String>,
    /// Files of variables that were read, each by its real path.
    read: HashSet<PathBuf>,
    seen: HashSet<(String, u32, u32)>,
}

impl Project {
    /// Of a run that was read ([`lks_agent::engine::job::Job::look`]), and of roles and files of tasks.
    #[must_use]
    pub fn of(run: Option<&Run>, findings: Findings, targets: &[Target]) -> Self {
        let mut project = Self {
            errors: findings.errors,
            warnings: findings.warnings,
            absent: findings.absent,
            ..Self::default()
        };
        let Some(run) = run else {
            return project;
        };
        project.extra = run
            .cx
            .options
            .extra_vars
            .keys()
            .map(ToString::to_string)
            .collect();
        for (path, plays) in &run.playbooks {
            project.plays(run, Path::new(path), plays);
        }
        project.extra.extend(given_by_inventory(run));
        for target in targets {
            match target {
                Target::Playbook(_) => {}
                Target::Role(path) => project.role(run, path),
                Target::Tasks(path) => project.lone_tasks(run, path),
            }
        }
        project.take_in();
        project.missing();
        project.variables_near();
        project
    }

    /// The words of all files of the project.
    pub fn words(&self) -> &Words {
        self.words.get_or_init(|| Words::below(&self.folders))
    }

    /// Playbooks and files of tasks as trees: every place is known in them.
    pub fn task_trees(&self) -> &[Node] {
        self.task_trees.get_or_init(|| {
            let known: HashSet<&str> = self.variables.iter().map(|n| &*n.span.file.name).collect();
            let mut names: Vec<&String> = self.sources.iter().collect();
            names.sort();
            let names = names.into_iter().filter(|n| !known.contains(n.as_str()));
            names
                .filter_map(|name| {
                    let text = here::read_text(Path::new(name)).ok().flatten()?;
                    yaml::load(&SourceFile::new(name.as_str(), text)).ok()
                })
                .flat_map(|loaded| loaded.docs)
                .collect()
        })
    }

    /// All files as trees.
    pub fn trees(&self) -> impl Iterator<Item = &Node> {
        self.variables.iter().chain(self.task_trees())
    }

    /// How many files were read.
    #[must_use]
    pub fn files(&self) -> usize {
        self.sources.len()
    }

    /// Whether something was named that is not there.
    fn missing(&mut self) {
        let gone = |text: &str| {
            text.contains("was not found") && !text.contains("handler")
                || text.contains("does not exist")
                || text.contains("cannot")
        };
        self.incomplete = self.errors.iter().any(|e| gone(&e.message()))
            || self.warnings.iter().any(|(text, _)| gone(text));
    }
}

/// Names of the variables that inventories give the hosts of the plays.
fn given_by_inventory(run: &Run) -> HashSet<String> {
    let plays = run.playbooks.iter().flat_map(|(_, plays)| plays);
    let hosts: BTreeSet<_> = plays.flat_map(|play| run.hosts_in(play)).collect();
    let layers = hosts.iter().flat_map(|host| run.inventory_layers(host));
    layers
        .flat_map(|(_, layer)| {
            layer
                .vars
                .values()
                .keys()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
        })
        .collect()
}
