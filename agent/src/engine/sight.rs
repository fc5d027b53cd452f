//! What a play or a task would see on a host, without running anything: for tools that explain.

use super::context::{TaskView, with_host};
use super::run::Run;
use super::steps::others;
use crate::error::Error;
use crate::event::TaskInfo;
use crate::inventory;
use crate::playbook::keyword::{Kw, plain_text};
use crate::playbook::play::Play;
use crate::playbook::task::Task;
use crate::value::Value;
use crate::vars::{Layer, Stack};
use std::sync::Arc;

/// Variables in sight, and what could not be read.
pub struct Sight {
    /// The variables. Facts, results and answers to questions are not known yet.
    pub stack: Stack,
    /// Why `vars_files` could not be read.
    pub error: Option<Error>,
}

impl Run {
    /// The hosts of a play, within the limit.
    #[must_use]
    pub fn hosts_in(&self, play: &Arc<Play>) -> Vec<Arc<str>> {
        let pattern = self.patterns_of(play).join(",");
        let limit = self.cx.options.limit.as_deref();
        self.groups
            .matching(&pattern, limit, "")
            .unwrap_or_default()
    }

    /// The patterns of a play's hosts, with what its own variables say in them.
    #[must_use]
    pub fn patterns_of(&self, play: &Arc<Play>) -> Vec<String> {
        let cx = self.play_cx_plain(play);
        let items = play.get(Kw::Hosts).map(|s| match &s.value {
            Value::Template(_) => self.shown_value(&cx, &s.value),
            _ => s.value.clone(),
        });
        match items {
            None => Vec::new(),
            Some(Value::List(items)) => items.iter().map(|v| self.shown_name(&cx, v)).collect(),
            Some(single) => vec![plain_text(&single)],
        }
    }

    /// A play's name, with what its own variables say in it.
    #[must_use]
    pub fn name_of(&self, play: &Arc<Play>) -> String {
        match play.scope.keywords.get(Kw::Name) {
            Some(name) => self.shown_name(&self.play_cx_plain(play), &name.value),
            None => self.patterns_of(play).join(","),
        }
    }

    /// The layers of a host's variables in inventory and files, with their places, the weakest first.
    #[must_use]
    pub fn inventory_layers(&self, host: &str) -> Vec<(Layer, inventory::Layer)> {
        self.groups.layers(host)
    }

    /// What a task of a play (or the play itself) sees on a host before anything ran.
    #[must_use]
    pub fn sight(&self, play: &Arc<Play>, task: Option<&Arc<Task>>, host: &Arc<str>) -> Sight {
        self.know_all_hosts();
        let mut cx = self.play_cx_plain(play);
        let public: Vec<_> = play.roles.iter().filter(|r| r.public).collect();
        cx.role_defaults = public.iter().map(|r| Arc::clone(&r.defaults)).collect();
        cx.role_vars = public.iter().map(|r| Arc::clone(&r.vars)).collect();
        let hosts = self.hosts_in(play);
        cx.magic = self.magic(&cx, &hosts, &hosts);
        let slot = self.slot(host);
        let (files, error) = match self.vars_files(&cx, &slot) {
            Ok(files) => (Arc::new(files), None),
            Err(error) => (Arc::default(), Some(error)),
        };
        let vars = slot.snapshot();
        let mut stack = match task {
            Some(task) => TaskView::new(task, Arc::new(nameless()), play).stack(
                &self.cx,
                &cx,
                &files,
                (&vars, &slot.address),
            ),
            None => {
                let mut stack = Stack::new(self.cx.options.merge_hashes);
                for map in &cx.role_defaults {
                    stack.push(Layer::RoleDefaults, map);
                }
                vars.lower(&mut stack);
                stack.push(Layer::PlayVars, &cx.vars);
                stack.push(Layer::PlayFiles, &files);
                for map in &cx.role_vars {
                    stack.push(Layer::RoleVars, map);
                }
                vars.upper(&mut stack);
                stack.push(Layer::Extra, &self.cx.options.extra_vars);
                stack.push(Layer::Magic, &cx.magic);
                stack
            }
        };
        stack = with_host(stack, &slot);
        stack.with_others(others(&self.cx, &cx.magic));
        Sight { stack, error }
    }
}

/// A task of which nobody tells anything.
fn nameless() -> TaskInfo {
    TaskInfo {
        id: 0,
        name: String::new(),
        module: String::new(),
        path: String::new(),
        handler: false,
        check: false,
        no_log: false,
        args: Value::Null,
    }
}
