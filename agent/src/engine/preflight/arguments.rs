//! A task's arguments, held to the parameters of its module.

use super::Preflight;
use crate::error::Error;
use crate::module::{ModuleDef, ParamSpec, about};
use crate::playbook::keyword::Kw;
use crate::playbook::task::{Arg, Task, TaskArgs};
use crate::value::Value;

pub(super) fn argument_of<'t>(args: &'t TaskArgs, spec: &ParamSpec) -> Option<&'t Arg> {
    args.named.iter().find(|a| spec.is_named(&a.name))
}

pub(super) fn is_given(task: &Task, def: &ModuleDef, spec: &ParamSpec) -> bool {
    argument_of(&task.args, spec).is_some_and(|a| !a.value.is_null())
        || (is_free_form(def, spec) && task.args.free.is_some())
}

/// Whether text in the place of the arguments is this parameter, by its name or another.
pub(super) fn is_free_form(def: &ModuleDef, spec: &ParamSpec) -> bool {
    def.free_form.is_some_and(|name| spec.is_named(name))
}

impl Preflight<'_> {
    /// A task's arguments against its module's parameters.
    pub(super) fn arguments(&mut self, task: &Task, def: &'static ModuleDef) {
        let specs = def.params();
        let known = |name: &str| specs.iter().find(|s| s.is_named(name));
        for arg in &task.args.named {
            match known(&arg.name) {
                Some(spec) => self.argument(spec, arg),
                None if def.any_name => {}
                None => self.unknown_parameter(def, &specs, arg),
            }
        }
        self.free_form(task, def, &specs);
        if task.args.whole.is_none() && !self.has_defaults(task, def) {
            self.required(task, def, &specs);
            self.rules(task, def, &specs);
        }
        self.files(task, def);
    }

    pub(super) fn argument(&mut self, spec: &ParamSpec, arg: &Arg) {
        if arg.value.has_template() || matches!(arg.value, Value::Null) {
            return;
        }
        if arg.name.ends_with("_from") && matches!(arg.value, Value::List(_) | Value::Map(_)) {
            // Ansible's words for the files of a role.
            let error = crate::playbook::role::not_text(&arg.name, &arg.value);
            return self.found(error.at(&arg.span));
        }
        if let Err(error) = (spec.check)(&arg.value) {
            self.found(about(&arg.name, spec.kind, &arg.value, error).at(&arg.span));
        }
    }

    pub(super) fn unknown_parameter(&mut self, def: &ModuleDef, specs: &[ParamSpec], arg: &Arg) {
        let names = specs
            .iter()
            .flat_map(|s| std::iter::once(s.name).chain(s.aliases.iter().copied()));
        let mut error = Error::params(format!(
            "Unsupported parameters for ({}) module: {}",
            def.short_name(),
            arg.name
        ))
        .at(&arg.name_span)
        .did_you_mean(&arg.name, names);
        if error.hints().is_empty() {
            let is_keyword = Kw::ALL.iter().any(|kw| kw.name() == &*arg.name);
            error = error.hint(if is_keyword {
                format!(
                    "`{}` is a keyword of the task: move it to the left, below the module's name",
                    arg.name
                )
            } else {
                format!("`lks-ctl doc {}` lists the parameters", def.short_name())
            });
        }
        self.found(error);
    }

    pub(super) fn free_form(&mut self, task: &Task, def: &ModuleDef, specs: &[ParamSpec]) {
        let Some(free) = &task.args.free else {
            return;
        };
        if def.free_form.is_none() {
            let first = specs.iter().find(|s| s.required).map_or("name", |s| s.name);
            self.found(
                Error::params(format!(
                    "Action '{}' does not support raw params: it takes no free text",
                    def.short_name()
                ))
                .at(&free.span)
                .hint(format!("write `{}: {first}=…`", def.short_name())),
            );
        }
    }

    pub(super) fn required(&mut self, task: &Task, def: &ModuleDef, specs: &[ParamSpec]) {
        let missing: Vec<&str> = specs
            .iter()
            .filter(|s| s.required && !is_given(task, def, s))
            .map(|s| s.name)
            .collect();
        if missing.is_empty() {
            return;
        }
        self.found(
            Error::params(format!(
                "`{}`: missing required arguments: {}",
                def.short_name(),
                missing.join(", ")
            ))
            .at(&task.module_span),
        );
    }

    pub(super) fn rules(&mut self, task: &Task, def: &ModuleDef, specs: &[ParamSpec]) {
        let given = |name: &str| -> Option<Value> {
            let spec = specs.iter().find(|s| s.is_named(name))?;
            if is_free_form(def, spec)
                && let Some(free) = &task.args.free
            {
                return Some(free.value.clone());
            }
            argument_of(&task.args, spec).map(|a| a.value.clone())
        };
        for rule in (def.rules)() {
            if let Err(error) = rule.check(&given) {
                self.found(
                    error
                        .context(format!("`{}`", def.short_name()))
                        .at(&task.module_span),
                );
            }
        }
    }

    pub(super) fn has_defaults(&self, task: &Task, def: &'static ModuleDef) -> bool {
        task.scope.all(Kw::ModuleDefaults).iter().any(|setting| {
            setting.items().iter().any(|item| {
                item.as_map().is_some_and(|map| {
                    map.keys().any(|k| {
                        let name = k.to_string();
                        name.starts_with("group/")
                            || self
                                .library
                                .find(&name)
                                .is_some_and(|m| std::ptr::eq(m, def))
                    })
                })
            })
        })
    }
}
