//! Carries a task's module out, as often as `until` asks, and judges the result.

use super::context::Login;
use super::include::IncludeCall;
use super::perform::Mode;
use super::result::ItemEnd;
use super::runner::ModuleCall;
use super::task::{Effective, Seen, TaskCx};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{EventKind, Status};
use crate::host::{HostView, RealHost, here};
use crate::module::{ModuleDef, Returns, Rule, Seat};
use crate::modules;
use crate::playbook::keyword::{Kw, Setting, plain_text};
use crate::playbook::kv::parse_kv;
use crate::playbook::task::{Arg, Task};
use crate::value::{Key, Map, Value};
use std::path::Path;
use std::sync::{Arc, PoisonError};

/// The version of ansible-core that modules are told they work with.
const ANSIBLE_VERSION: &str = "2.19.14";

/// Runs the module until `until` holds or no retries are left.
pub(super) fn attempts(cx: &TaskCx<'_>, seen: &Seen, effective: &Effective) -> ItemEnd {
    let until = cx.task().own(Kw::Until).cloned();
    let retries = match number(cx, Kw::Retries, seen) {
        Ok(n) => n,
        Err(e) => return ItemEnd::error(&e),
    };
    let delay = number(cx, Kw::Delay, seen).ok().flatten().unwrap_or(5.0);
    let loops = until.is_some() || retries.is_some();
    let retries = if loops {
        retries.unwrap_or(3.0).max(0.0) as u32
    } else {
        0
    };
    for attempt in 1.. {
        let mut end = once(cx, seen, effective, loops.then_some(attempt));
        if !loops || end.unreachable() || end.status == Status::MayChange {
            return end;
        }
        let seen_now = cx.with_result(seen, &end.result);
        let met = match &until {
            Some(setting) => all_hold(cx, setting, &seen_now),
            None => Ok(!end.failed()),
        };
        match met {
            Ok(true) => return end,
            Err(error) => return ItemEnd::error(&error),
            Ok(false) if attempt > retries || here::stopped() => {
                end.result.insert(Key::from("failed"), Value::Bool(true));
                // As Ansible counts where none helped: only what came after the first.
                end.result
                    .insert(Key::from("attempts"), Value::from(retries));
                // A task that `failed_when` judged is as that says, whatever became of `until`.
                if end.result.get("failed_when_result") != Some(&Value::Bool(false)) {
                    end.status = Status::Failed;
                }
                return ignore_if_asked(cx, seen, end);
            }
            Ok(false) => {}
        }
        cx.run.emit.host(
            &cx.slot.name,
            EventKind::Retry {
                task: cx.view.info.id,
                left: retries - attempt + 1,
                result: end.report(cx.task()).result,
            },
        );
        here::sleep(delay);
    }
    unreachable!("attempts end")
}

fn number(cx: &TaskCx<'_>, kw: Kw, seen: &Seen) -> Result<Option<f64>> {
    let Some(value) = cx.setting(kw, seen)? else {
        return Ok(None);
    };
    match &value {
        Value::Int(i) => Ok(Some(*i as f64)),
        Value::Float(f) => Ok(Some(*f)),
        other => plain_text(other).trim().parse().map(Some).map_err(|_| {
            Error::new(
                ErrorKind::Syntax,
                format!(
                    "`{}` must be a number, not `{}`",
                    kw.name(),
                    plain_text(other)
                ),
            )
            .at_opt(cx.task().find(kw).map(|s| &s.span))
        }),
    }
}

fn all_hold(cx: &TaskCx<'_>, setting: &Setting, seen: &Seen) -> Result<bool> {
    for condition in setting.items() {
        let holds = cx
            .run
            .condition(&condition, Some(&setting.span), &seen.vars)?;
        if !holds {
            return Ok(false);
        }
    }
    Ok(true)
}

/// One attempt, judged.
fn once(cx: &TaskCx<'_>, seen: &Seen, effective: &Effective, attempt: Option<u32>) -> ItemEnd {
    let began = here::monotonic();
    let mut end = match module(cx, seen, effective) {
        Ok(end) => end,
        Err(error) => ItemEnd::error(&error.at(&cx.task().span)),
    };
    if let Some(limit) = effective.timeout
        && here::monotonic() - began >= limit as f64
    {
        end = ItemEnd::performed(super::runner::timed_out(limit), &[]);
    }
    if end.include.is_some() {
        return end;
    }
    if end.unreachable() {
        return ignore_if_asked(cx, seen, end);
    }
    if let Some(attempt) = attempt {
        let number = Value::from(attempt);
        end.result.insert(Key::from("attempts"), number);
    }
    // Attempts that are followed by another are reported, too.
    // A module may know that its result is a secret.
    let secret = end.result.get("_ansible_no_log") == Some(&Value::Bool(true));
    end.no_log = effective.no_log || secret;
    let mut end = place(cx, judge(cx, seen, end));
    end.mark_failure();
    ignore_if_asked(cx, seen, end)
}

/// Whether the module works at the engine.
fn is_action(cx: &TaskCx<'_>, task: &Task) -> bool {
    cx.run
        .library
        .find(&task.module)
        .is_some_and(|def| matches!(def.seat, Seat::Engine(_)))
}

/// A module's failure, with the task's place.
fn place(cx: &TaskCx<'_>, mut end: ItemEnd) -> ItemEnd {
    if end.status == Status::Failed && end.error.is_none() {
        // Where `failed_when` judged, the module itself did not fail.
        let judged = end.result.contains_key("failed_when_result");
        let who = if judged || is_action(cx, cx.task()) {
            "Action"
        } else {
            "Module"
        };
        let message = match end.result.get("msg").map(|m| cx.run.text(m)) {
            Some(text) if end.result.contains_key("timedout") => {
                text.trim_start_matches("Task failed: ").to_string()
            }
            Some(text) if !text.is_empty() => format!("{who} failed: {text}"),
            _ => format!("{who} failed."),
        };
        let error = Error::host(message).at(&cx.task().span);
        end.error = Some(super::told::told(&error));
    }
    end
}

pub(super) fn ignore_if_asked(cx: &TaskCx<'_>, seen: &Seen, mut end: ItemEnd) -> ItemEnd {
    let kw = match end.unreachable() {
        true => Kw::IgnoreUnreachable,
        false => Kw::IgnoreErrors,
    };
    if end.failed() {
        end.ignored = cx.flag(kw, seen).ok().flatten() == Some(true);
    }
    end
}

/// `changed_when`, then `failed_when`. What cannot be judged has failed; what the module did is told
/// all the same.
fn judge(cx: &TaskCx<'_>, seen: &Seen, mut end: ItemEnd) -> ItemEnd {
    if end.status == Status::MayChange || end.status == Status::Skipped {
        return end;
    }
    let task = cx.task();
    let (changed_when, failed_when) = (task.own(Kw::ChangedWhen), task.own(Kw::FailedWhen));
    if let Some(setting) = changed_when {
        match all_hold(cx, setting, &cx.with_result(seen, &end.result)) {
            Ok(changed) => end.judge_changed(changed),
            Err(e) if e.is_unknown() => {
                end.set("changed", Value::Unknown(e.message().into()));
                end.status = Status::MayChange;
                end.error = Some(e.message());
            }
            Err(e) => {
                end.cannot_judge("changed_when_result", &e);
                return end;
            }
        }
    }
    if let Some(setting) = failed_when {
        match all_hold(cx, setting, &cx.with_result(seen, &end.result)) {
            Ok(failed) => end.judge_failed(failed),
            Err(e) if e.is_unknown() => end.set("failed", Value::Unknown(e.message().into())),
            Err(e) => end.cannot_judge("failed_when_result", &e),
        }
    }
    end
}

/// Actions that leave their work to a module on the host, which can be done in the background.
const WITH_HOST_MODULE: &[&str] = &["package", "template", "gather_facts"];

/// Evaluates the arguments and carries the module out.
fn module(cx: &TaskCx<'_>, seen: &Seen, effective: &Effective) -> Result<ItemEnd> {
    let task = cx.task();
    let name = module_name(cx, seen)?;
    let Some(def) = cx.run.library.find(&name) else {
        return Err(no_module(&name).at(&task.module_span));
    };
    let args = arguments(cx, seen, def)?;
    match def.short_name() {
        "include_tasks" | "include_role" => {
            return IncludeCall::new(cx, def, args, seen).map(|call| ItemEnd {
                include: Some(call),
                ..ItemEnd::default()
            });
        }
        _ => {}
    }
    let mut end = match def.seat {
        Seat::Engine(bind) => {
            if effective.background.is_some() && !WITH_HOST_MODULE.contains(&def.short_name()) {
                return Err(Error::params(format!(
                    "This action ({}) does not support async.",
                    def.short_name()
                ))
                .at_opt(task.find(Kw::Async).map(|s| &s.span)));
            }
            let action = bind(&args)?;
            let mut actor = cx.actor(seen, effective);
            actor.args = args;
            let returns = action.run(&mut actor)?;
            actor.finish(returns, def)
        }
        Seat::Host(_) => {
            let call = call(cx, seen, effective, def, args)?;
            carry_out(cx, seen, effective, &call)?
        }
    };
    end.action = (name != task.module).then(|| def.name.into());
    Ok(end)
}

/// The module's name: it may be a template (`action: "{{ which }}"`).
fn module_name(cx: &TaskCx<'_>, seen: &Seen) -> Result<Arc<str>> {
    let task = cx.task();
    if !task.module.contains("{{") {
        return Ok(Arc::clone(&task.module));
    }
    let setting = Setting {
        value: Value::written(&*task.module, Some(&task.module_span)),
        span: task.module_span.clone(),
    };
    Ok(plain_text(&cx.resolve(&setting, seen)?).trim().into())
}

/// Ansible's first words, which scripts look for, and what is near.
pub(super) fn no_module(name: &str) -> Error {
    let known = modules::names();
    let keywords = Kw::names(crate::playbook::keyword::TASK);
    Error::params(format!(
        "couldn't resolve module/action '{name}': no module or keyword is called so"
    ))
    .did_you_mean(name, known.iter().copied().chain(keywords))
}

/// A call of a host module for this task.
pub(super) fn call(
    cx: &TaskCx<'_>,
    seen: &Seen,
    effective: &Effective,
    def: &'static ModuleDef,
    mut args: Map,
) -> Result<ModuleCall> {
    let def = match def.file {
        Some(file) => {
            args = foreign(cx, seen, effective, file, args)?;
            &modules::foreign::FOREIGN
        }
        None => def,
    };
    super::files::find_assets(cx, def, &mut args)?;
    if def.short_name() == "async_status" {
        args.insert(Key::from("_async_dir"), cx.async_dir(seen)?.into());
    }
    if def.short_name() == "setup"
        && let Some(python) = cx.host_variable(effective, seen, "ansible_python_interpreter")?
    {
        args.insert(Key::from("_python"), python.into());
    }
    Ok(ModuleCall {
        module: def,
        args,
        mode: Mode {
            check: effective.check,
            diff: effective.diff,
        },
        environment: if def.short_name() == "raw" {
            Vec::new()
        } else {
            effective.environment.clone()
        },
        probe: is_probe(cx),
        timeout: effective.timeout,
        background: effective.background.clone(),
    })
}

/// The arguments of a module of the user's own, as the row that carries them out takes them.
fn foreign(
    cx: &TaskCx<'_>,
    seen: &Seen,
    effective: &Effective,
    file: &Path,
    args: Map,
) -> Result<Map> {
    let mut out = Map::new();
    let mut set = |name: &str, value: Value| {
        out.insert(Key::from(name), value);
    };
    set("_file", Value::from(file.display().to_string()));
    set("_args", Value::map(args));
    let text = here::read(file)?.unwrap_or_default();
    if let Some(words) = modules::foreign::shebang(&text) {
        let program = match words.as_slice() {
            [env, named, ..] if env.ends_with("/env") => named,
            [program, ..] => program,
            [] => "",
        };
        let name = program.rsplit('/').next().unwrap_or(program);
        let name = if name.starts_with("python") {
            "python"
        } else {
            name
        };
        let variable = format!("ansible_{name}_interpreter");
        if let Some(given) = cx.host_variable(effective, seen, &variable)? {
            set("_interpreter", given.into());
        }
    }
    if let Some(folder) = cx.host_variable(effective, seen, "ansible_remote_tmp")? {
        set("_remote_tmp", folder.into());
    }
    let internal: Map = [
        ("_ansible_no_log", Value::Bool(effective.no_log)),
        (
            "_ansible_verbosity",
            Value::Int(cx.run.options.verbosity.into()),
        ),
        ("_ansible_version", Value::from(ANSIBLE_VERSION)),
    ]
    .into_iter()
    .map(|(k, v)| (Key::from(k), v))
    .collect();
    set("_internal", Value::map(internal));
    Ok(out)
}

/// `changed_when: false`: the playbook says that the task only looks.
fn is_probe(cx: &TaskCx<'_>) -> bool {
    let never = |s: &Setting| {
        s.items()
            .iter()
            .any(|v| matches!(v, Value::Bool(false)) || v.as_str() == Some("false"))
    };
    cx.task().own(Kw::ChangedWhen).is_some_and(never)
}

/// Carries a module out on the task's host, or the one it is delegated to; what works in the
/// background is waited for where `poll` asks for it.
pub(super) fn carry_out(
    cx: &TaskCx<'_>,
    seen: &Seen,
    effective: &Effective,
    call: &ModuleCall,
) -> Result<ItemEnd> {
    let end = on_host(cx, effective, call)?;
    match &effective.background {
        Some(background) if effective.poll > 0 && !effective.check && !end.failed() => {
            super::polling::wait(cx, seen, effective, background, &end)
        }
        _ => Ok(end),
    }
}

/// Carries a module out on the task's host, or the one it is delegated to.
pub(super) fn on_host(
    cx: &TaskCx<'_>,
    effective: &Effective,
    call: &ModuleCall,
) -> Result<ItemEnd> {
    let host = effective.delegate_to.as_ref().unwrap_or(&cx.slot.name);
    if call.module.short_name() == "user"
        && let Some(name) = call.args.get("name").and_then(Value::as_str)
    {
        // A process of that account would keep it from being changed or removed.
        cx.run.close_runners_as(host, name);
    }
    let runner = cx.run.runner(host, &login_for(effective, call)?)?;
    let mut runner = runner.lock().unwrap_or_else(PoisonError::into_inner);
    let progress = super::progress::to_events(cx);
    let done = runner.run(call, &progress)?;
    let mut end = ItemEnd::performed(done, call.module.returns);
    if cx.run.options.verbosity >= 3 {
        end.invocation = Some(super::invocation::of(call));
    }
    Ok(end)
}

/// As whom a call is carried out. In check mode, root looks at this machine as itself, whoever the task
/// would become: only one process remembers what earlier tasks would have done. A probe is really run
/// as that user, who may have to be made first.
fn login_for(effective: &Effective, call: &ModuleCall) -> Result<Login> {
    let mut login = effective.login.clone();
    let host = RealHost::new();
    let Some(user) = login.become_user.as_deref() else {
        return Ok(login);
    };
    if !effective.check || login.connection != "local" || host.current_uid() != 0 {
        return Ok(login);
    }
    if call.probe {
        if host.user(user)?.is_none() {
            return Err(Error::unknown(format!("there is no account `{user}` yet")));
        }
    } else {
        login.become_user = None;
    }
    Ok(login)
}

/// The arguments, evaluated: module defaults, then the task's own.
fn arguments(cx: &TaskCx<'_>, seen: &Seen, def: &ModuleDef) -> Result<Map> {
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
        if task.module.contains("{{") && !super::load::is_command_line(def) {
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
fn argument_name(cx: &TaskCx<'_>, seen: &Seen, def: &ModuleDef, arg: &Arg) -> Result<Arc<str>> {
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
fn resolve_known(cx: &TaskCx<'_>, setting: &Setting, seen: &Seen) -> Result<Value> {
    match cx.resolve(setting, seen) {
        Err(e) if e.is_unknown() => Ok(Value::Unknown(e.message().into())),
        other => other,
    }
}

/// The rules across parameters, for what templates gave.
fn check_rules(def: &ModuleDef, args: &Map) -> Result<()> {
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

fn check_names(def: &ModuleDef, args: &Map) -> Result<()> {
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
pub(super) fn module_defaults(cx: &TaskCx<'_>, seen: &Seen, def: &ModuleDef) -> Result<Map> {
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
fn is_meant(cx: &TaskCx<'_>, def: &ModuleDef, name: &str) -> bool {
    let Some(group) = name.strip_prefix("group/") else {
        let named = cx.run.library.find(name);
        return named.is_some_and(|m| std::ptr::eq(m, def));
    };
    let beside = cx.play.play.dir.join("collections");
    let more = cx.run.options.collections_path.iter().cloned();
    let dirs: Vec<_> = std::iter::once(beside).chain(more).collect();
    cx.run.groups.has(group, def.name, &dirs)
}

/// What a module returned to an action, as a result.
pub(super) fn returned(returns: Returns, changed: bool, def: &ModuleDef) -> ItemEnd {
    let done = super::perform::Performed {
        changed: returns.changed.unwrap_or(changed),
        returns,
        ..super::perform::Performed::default()
    };
    ItemEnd::performed(done, def.returns)
}
