//! Tags as the engine sees them: templates in them are evaluated with what the play knows.

use super::context::PlayCx;
use super::run::Run;
use crate::event::{EventKind, Level};
use crate::playbook::keyword::{Kw, plain_text};
use crate::playbook::play::Play;
use crate::playbook::scope::Scope;
use crate::playbook::task::Task;
use crate::template::Variables;
use crate::value::Value;
use crate::vars::{Layer, Stack};
use std::sync::Arc;

impl Run {
    /// The tags of a task: its own, and those of all that it stands in.
    #[must_use]
    pub fn tags_of(&self, cx: &PlayCx, task: &Task) -> Vec<String> {
        self.tags_in(cx, &task.scope)
    }

    /// The tags of a play's task, before the play runs.
    #[must_use]
    pub fn listed_tags(&self, play: &Arc<Play>, scope: &Scope) -> Vec<String> {
        self.tags_in(&self.play_cx_plain(play), scope)
    }

    pub(super) fn tags_in(&self, cx: &PlayCx, scope: &Scope) -> Vec<String> {
        let settings = scope.all(Kw::Tags);
        if !settings.iter().any(|s| s.value.has_template()) {
            return scope.tags();
        }
        let vars = self.tag_vars(cx, scope);
        let mut tags: Vec<String> = Vec::new();
        for setting in settings {
            let value = match self.cx.templar.resolve(&setting.value, &vars) {
                Ok(value) => value,
                Err(error) => {
                    self.cx.emit.run(EventKind::Notice {
                        level: Level::Error,
                        text: error
                            .context("tags cannot be evaluated")
                            .at(&setting.span)
                            .to_string(),
                    });
                    continue;
                }
            };
            let mut words = Vec::new();
            flatten(&value, &mut words);
            tags.extend(words);
        }
        let mut seen = std::collections::HashSet::new();
        tags.retain(|t| seen.insert(t.clone()));
        tags
    }

    /// The play's variables, and those of the blocks and includes around a task.
    fn tag_vars(&self, cx: &PlayCx, scope: &Scope) -> Arc<dyn Variables> {
        let mut stack = Stack::default();
        let roles: Vec<_> = scope.roles().collect();
        for map in &cx.role_defaults {
            stack.push(Layer::RoleDefaults, map);
        }
        for role in roles.iter().rev() {
            stack.push(Layer::RoleDefaults, &role.defaults);
        }
        stack.push(Layer::PlayVars, &cx.vars);
        stack.push(Layer::PlayPrompt, &cx.prompted);
        for map in &cx.role_vars {
            stack.push(Layer::RoleVars, map);
        }
        for role in roles.iter().rev() {
            stack.push(Layer::RoleVars, &role.vars);
        }
        stack.push(Layer::TaskVars, &Arc::new(scope.inner_vars()));
        for role in roles.iter().rev() {
            stack.push(Layer::RoleParams, &role.params);
        }
        let (written, items) = scope.include_vars();
        stack.push(Layer::IncludeParams, &Arc::new(written));
        stack.push(Layer::IncludeItems, &Arc::new(items));
        stack.push(Layer::Extra, &self.cx.options.extra_vars);
        stack.push(Layer::Magic, &cx.magic);
        Arc::new(stack)
    }
}

/// Tags in a value, lists in lists too, commas split.
fn flatten(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::List(items) => items.iter().for_each(|v| flatten(v, out)),
        Value::Null | Value::Omit => {}
        other => out.extend(
            plain_text(other)
                .split(',')
                .map(|t| t.trim().to_string())
                .filter(|t| !t.is_empty()),
        ),
    }
}
