//! The call of a module, and the seat on the host that it is carried out from.

use crate::ANSIBLE_VERSION;
use crate::engine::context::Login;
use crate::engine::perform::Mode;
use crate::engine::result::ItemEnd;
use crate::engine::runner::ModuleCall;
use crate::engine::task::{Effective, Seen, TaskCx};
use crate::error::{Error, Result};
use crate::host::{HostView, RealHost, here};
use crate::module::ModuleDef;
use crate::modules;
use crate::playbook::keyword::{Kw, Setting};
use crate::value::{Key, Map, Value};
use std::path::Path;
use std::sync::PoisonError;

/// A call of a host module for this task.
pub(in crate::engine) fn call(
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
    crate::engine::files::find_assets(cx, def, &mut args)?;
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
pub(super) fn foreign(
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
pub(super) fn is_probe(cx: &TaskCx<'_>) -> bool {
    let never = |s: &Setting| {
        s.items()
            .iter()
            .any(|v| matches!(v, Value::Bool(false)) || v.as_str() == Some("false"))
    };
    cx.task().own(Kw::ChangedWhen).is_some_and(never)
}

/// Carries a module out on the task's host, or the one it is delegated to; what works in the
/// background is waited for where `poll` asks for it.
pub(in crate::engine) fn carry_out(
    cx: &TaskCx<'_>,
    seen: &Seen,
    effective: &Effective,
    call: &ModuleCall,
) -> Result<ItemEnd> {
    let end = on_host(cx, effective, call)?;
    match &effective.background {
        Some(background) if effective.poll > 0 && !effective.check && !end.failed() => {
            crate::engine::polling::wait(cx, seen, effective, background, &end)
        }
        _ => Ok(end),
    }
}

/// Carries a module out on the task's host, or the one it is delegated to.
pub(in crate::engine) fn on_host(
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
    let progress = crate::engine::progress::to_events(cx);
    let done = runner.run(call, &progress)?;
    let mut end = ItemEnd::performed(done, call.module.returns);
    if cx.run.options.verbosity >= 3 {
        end.invocation = Some(crate::engine::invocation::of(call));
    }
    Ok(end)
}

/// As whom a call is carried out. In check mode, root looks at this machine as itself, whoever the task
/// would become: only one process remembers what earlier tasks would have done. A probe is really run
/// as that user, who may have to be made first.
pub(super) fn login_for(effective: &Effective, call: &ModuleCall) -> Result<Login> {
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
