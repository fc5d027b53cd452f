//! A module's arguments for a host: evaluated, with defaults beside them, held to its rules.

use crate::engine::task::{Seen, TaskCx};
use crate::error::{Error, Result};
use crate::module::{ModuleDef, Rule};
use crate::playbook::keyword::{Kw, Setting, plain_text};
use crate::playbook::kv::parse_kv;
use crate::playbook::task::Arg;
use crate::value::{Key, Map, Value};
use std::sync::Arc;

/// The arguments, evaluated: module defaults, then the task's own.
pub(super) fn arguments(cx: &TaskCx<'_>, seen: &Seen, def: &ModuleDef) -> Result<Map> {
    let task = cx.task();
    let mut args = module_defaults(cx, seen, def)?;
    if let Some(whole) = &task.args.whole {
        match cx.resolve(whole, seen)? {
            Value::Map(map) => args.extend(map.iter().map(|(k, v)| (k.clone(), v.clone()))),
            Value::Null | Value::Omit => {}
            other => {
                return Err(Error::params(format!(
                    "Finalization of task args for '{}' failed: the arguments must be a mapping, not a {}",
                    def.name,
                    other.type_name()
                ))
                .at(&whole.span));
            }
        }
    }
    for arg in &task.args.named {
        let setting = Setting {
            value: arg.value.clone(),
            span: arg.span.clone(),
        };
        let name = argument_name(cx, seen, def, arg)?;
        match resolve_known(cx, &setting, seen)? {
            Value::Omit => {
                args.shift_remove(&*name);
            }
            value => {
                args.insert(Key::Str(name), value);
            }
        }
    }
    if let Some(free) = &task.args.free {
        let mut text = Some(resolve_known(cx, free, seen)?);
        // While the module's name was a template, nobody knew what its text was.
        if task.module.contains("{{") && !crate::engine::load::is_command_line(def) {
            let words = text.as_ref().map(plain_text).unwrap_or_default();
            let (rest, pairs) = parse_kv(&words, &free.span, false)?;
            args.extend(
                pairs
                    .into_iter()
                    .map(|(name, value, _)| (Key::from(name), value)),
            );
            text = rest.map(Value::from);
        }
        let name = def.free_form.unwrap_or("_raw_params");
        args.extend(text.map(|text| (Key::from(name), text)));
    }
    check_names(def, &args)?;
    check_rules(def, &args)?;
    Ok(args)
}

/// The name of an argument. Where any name is allowed (`set_fact`), it may be a template.
pub(super) fn argument_name(
    cx: &TaskCx<'_>,
    seen: &Seen,
    def: &ModuleDef,
    arg: &Arg,
) -> Result<Arc<str>> {
    if !def.any_name || !arg.name.contains("{{") {
        return Ok(Arc::clone(&arg.name));
    }
    let setting = Setting {
        value: Value::written(&*arg.name, Some(&arg.name_span)),
        span: arg.name_span.clone(),
    };
    match cx.resolve(&setting, seen)? {
        Value::Str(name) => Ok(name),
        other => Err(Error::params(format!(
            "Invalid variable name '{}' of type '{}'",
            cx.run.text(&other),
            other.type_name()
        ))
        .at(&arg.name_span)),
    }
}

/// A value; what check mode cannot know stays so, as a value.
pub(super) fn resolve_known(cx: &TaskCx<'_>, setting: &Setting, seen: &Seen) -> Result<Value> {
    match cx.resolve(setting, seen) {
        Err(e) if e.is_unknown() => Ok(Value::Unknown(e.message().into())),
        other => other,
    }
}

/// The rules across parameters, for what templates gave.
pub(super) fn check_rules(def: &ModuleDef, args: &Map) -> Result<()> {
    let specs = def.params();
    let given = |name: &str| -> Option<Value> {
        let spec = specs.iter().find(|s| s.is_named(name))?;
        let names = std::iter::once(spec.name).chain(spec.aliases.iter().copied());
        names.into_iter().find_map(|n| args.get(n)).cloned()
    };
    let rules = (def.rules)();
    let mut told = rules
        .iter()
        .filter(|rule| !matches!(rule, Rule::Written(_)));
    told.try_for_each(|rule| rule.check(&given))
}

pub(super) fn check_names(def: &ModuleDef, args: &Map) -> Result<()> {
    if def.any_name {
        return Ok(());
    }
    let specs = def.params();
    for key in args.keys() {
        let name = key.to_string();
        let known = specs.iter().any(|s| s.is_named(&name)) || def.free_form == Some(&name);
        if !known && name == "_raw_params" {
            return Err(Error::params(format!(
                "Action '{}' does not support raw params: it takes no free text",
                def.short_name()
            )));
        }
        if !known {
            let names = specs
                .iter()
                .flat_map(|s| std::iter::once(s.name).chain(s.aliases.iter().copied()));
            return Err(Error::params(format!(
                "Unsupported parameters for ({}) module: {name}. Supported parameters include: {}.",
                def.short_name(),
                specs.iter().map(|s| s.name).collect::<Vec<_>>().join(", ")
            ))
            .did_you_mean(&name, names));
        }
    }
    Ok(())
}

/// `module_defaults`, outer ones first; groups (`group/NAME`) are looked up by the module's table row.
pub(in crate::engine) fn module_defaults(
    cx: &TaskCx<'_>,
    seen: &Seen,
    def: &ModuleDef,
) -> Result<Map> {
    let mut out = Map::new();
    for setting in cx.task().scope.all(Kw::ModuleDefaults) {
        for item in setting.items() {
            let mut whole = Setting {
                value: item,
                span: setting.span.clone(),
            };
            if matches!(whole.value, Value::Template(_)) {
                whole.value = cx.resolve(&whole, seen)?;
            }
            for (name, defaults) in whole.value.as_map().into_iter().flatten() {
                if !is_meant(cx, def, &name.to_string()) {
                    continue;
                }
                let own = Setting {
                    value: defaults.clone(),
                    span: setting.span.clone(),
                };
                if let Value::Map(map) = cx.resolve(&own, seen)? {
                    out.extend(map.iter().map(|(k, v)| (k.clone(), v.clone())));
                }
            }
        }
    }
    Ok(out)
}

/// Whether `module_defaults` of this name, a module's or `group/NAME`, hold for the module.
pub(super) fn is_meant(cx: &TaskCx<'_>, def: &ModuleDef, name: &str) -> bool {
    let Some(group) = name.strip_prefix("group/") else {
        let named = cx.run.library.find(name);
        return named.is_some_and(|m| std::ptr::eq(m, def));
    };
    let beside = cx.play.play.dir.join("collections");
    let more = cx.run.options.collections_path.iter().cloned();
    let dirs: Vec<_> = std::iter::once(beside).chain(more).collect();
    cx.run.groups.has(group, def.name, &dirs)
}
