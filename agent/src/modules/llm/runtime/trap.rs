//! The known traps, looked for before anything is changed; each says what to do.

use super::definition::Parts;
use super::setting::OLLAMA_CONFIG;
use super::table::OLLAMA;
use super::{Kind, Server, State, Work, is_ours, unit_path};
use crate::error::{Error, Result};
use crate::host::HostView;
use crate::module::PlanCx;
use crate::module::llm::container::{self, Engine, pinned};
use crate::module::llm::finding::{Finding, Findings};
use crate::module::llm::listening::listener;
use crate::module::llm::nvidia::Nvidia;
use crate::module::llm::share::shared;
use crate::module::llm::version;
use crate::module::llm::weights::{self, Need, gpu_memory};
use crate::value::Value;
use std::path::Path;

/// Checks that can be ignored.
pub const KNOWN: &[&str] = &[
    "program",
    "version",
    "engine",
    "toolkit",
    "driver",
    "memory",
    "model",
    "port",
    "user",
    "environment",
];

/// Looks for all of them.
///
/// # Errors
/// When the host cannot be read; of kind `Unknown` in check mode, where an earlier task may bring what is
/// missing.
pub fn check(server: &Server, cx: &PlanCx<'_>, parts: &Parts, work: &Work) -> Result<Findings> {
    let mut found = Findings::default();
    if server.state == State::Stopped {
        return Ok(found);
    }
    let host = cx.host;
    match &parts.container {
        Some((engine, _, image)) => {
            present(
                cx,
                engine.word(),
                "engine",
                "install the package docker.io or podman",
                &mut found,
            )?;
            container::check(host, *engine, parts.gpus != "none", &mut found)?;
            found.push(pinned(image));
        }
        None => program(server, cx, parts, &mut found)?,
    }
    environment(server, &mut found);
    gpus(server, cx, parts, &mut found)?;
    found.push(port(host, parts)?);
    habits(server, host, parts, &mut found)?;
    if work.anything() {
        on_change(server, host, parts, work, &mut found)?;
    }
    Ok(found)
}

/// What an earlier task may bring is not known in check mode.
fn missing(cx: &PlanCx<'_>, finding: Finding, found: &mut Findings) -> Result<()> {
    if cx.check {
        let why = format!("{}; an earlier task may bring it", finding.message);
        return Err(Error::unknown(why));
    }
    found.push(finding);
    Ok(())
}

fn present(
    cx: &PlanCx<'_>,
    program: &str,
    check: &'static str,
    advice: &str,
    found: &mut Findings,
) -> Result<()> {
    if cx.host.which(program)?.is_some() {
        return Ok(());
    }
    let what = format!("there is no program `{program}` on this host");
    missing(cx, Finding::fail(check, what, advice), found)
}

fn program(server: &Server, cx: &PlanCx<'_>, parts: &Parts, found: &mut Findings) -> Result<()> {
    let host = cx.host;
    let first = parts
        .program
        .first()
        .map(String::as_str)
        .unwrap_or_default();
    if host.which(first)?.is_none() {
        return present(
            cx,
            first,
            "program",
            "install the runtime first, or say where it is (`program`)",
            found,
        );
    }
    if let Some(user) = &parts.user
        && host.user(user)?.is_none()
    {
        let advice = "make it first (`user: name=… system=true`), or leave `user` out";
        let what = format!("there is no account `{user}`");
        missing(cx, Finding::fail("user", what, advice), found)?;
    }
    let is = version::of(host, server.runtime.runtime(), first)?;
    found.push(match (&server.version, is) {
        (None, is) => Finding::warn(
            "pinned",
            format!(
                "the version of `{first}` is not pinned (now {})",
                is.as_deref().unwrap_or("unknown")
            ),
            "say which one you mean with `version`, so that an upgrade is seen before it serves",
        ),
        (Some(wanted), None) => Finding::warn(
            "version",
            format!("`{first}` does not say that it is {wanted}"),
            "look yourself: its version cannot be read",
        ),
        (Some(wanted), Some(is)) if version::same(wanted, &is) => {
            Finding::ok("version", format!("`{first}` is {is}"))
        }
        (Some(wanted), Some(is)) => Finding::fail(
            "version",
            format!("`{first}` is {is}, and {wanted} is wanted"),
            format!("install {wanted} first, or say `version: {is}`"),
        ),
    });
    Ok(())
}

/// Variables that do not do what people hope.
fn environment(server: &Server, found: &mut Findings) {
    let names = server.environment.keys().map(ToString::to_string);
    for name in names {
        let finding = match name.as_str() {
            "OLLAMA_CONFIG" => Finding::fail("environment", OLLAMA_CONFIG, "take it out"),
            "OLLAMA_HOST" | "OLLAMA_MODELS" | "HOME" | "CUDA_VISIBLE_DEVICES" => Finding::fail(
                "environment",
                format!("`{name}` is set by this module"),
                "give `host`, `port`, `models`, `data_dir` or `gpus` in its place",
            ),
            other if server.runtime == Kind::Ollama && other.starts_with("OLLAMA_") => {
                let is_known = |s: &&super::setting::Setting| matches!(s.form, super::setting::Form::Env(word) if word == other);
                match OLLAMA.iter().find(is_known) {
                    Some(setting) => Finding::warn(
                        "environment",
                        format!("`{other}` is passed unchecked"),
                        format!("say it as a setting: `{}`", setting.name),
                    ),
                    None => {
                        let words = OLLAMA.iter().filter_map(|s| match s.form {
                            super::setting::Form::Env(word) => Some(word),
                            _ => None,
                        });
                        let near = crate::error::nearest(other, words);
                        let near = near.map(|n| format!(" (did you mean `{n}`?)"));
                        Finding::warn(
                            "environment",
                            format!(
                                "`{other}` is no variable of Ollama that is known here{}",
                                near.unwrap_or_default()
                            ),
                            "what Ollama does not know it ignores without a word",
                        )
                    }
                }
            }
            _ => continue,
        };
        found.push(finding);
    }
}

/// The driver, and whether the model fits.
fn gpus(server: &Server, cx: &PlanCx<'_>, parts: &Parts, found: &mut Findings) -> Result<()> {
    let host = cx.host;
    let on_gpu = parts.gpus != "none";
    let nvidia = if on_gpu {
        Nvidia::look(host)
    } else {
        Nvidia::default()
    };
    if on_gpu && !nvidia.is_there() {
        let advice = "say `gpus: none`, or run it on a host with a GPU";
        let what = format!("`gpus: {}`, and this host has none", parts.gpus);
        found.push(Finding::fail("driver", what, advice));
    }
    let fault = nvidia.finding();
    let works = fault
        .as_ref()
        .is_none_or(|f| f.level != crate::module::llm::finding::Level::Fail);
    found.push(fault);
    if !on_gpu && matches!(server.runtime, Kind::Vllm | Kind::Sglang | Kind::Tgi) {
        found.push(Finding::warn(
            "gpu",
            format!("{} serves without a GPU here", server.runtime.word()),
            "its usual builds and images need one: take its CPU build, or llama_cpp",
        ));
    }
    let Some(model) = &parts.model else {
        return Ok(());
    };
    let Some(bytes) = weights::size(host, model)? else {
        if Path::new(model).is_absolute() && host.lstat(Path::new(model))?.is_none() {
            let what = format!("there is no model at `{model}`");
            let advice = "fetch it first (lks.llm.model)";
            return missing(cx, Finding::fail("model", what, advice), found);
        }
        return Ok(());
    };
    let need = Need {
        model,
        bytes,
        share: share(server),
    };
    // llama.cpp divides a model between GPU and memory as it is told.
    let divided = server.runtime == Kind::LlamaCpp && server.settings.get("gpu_layers").is_some();
    let mib = gpu_memory(&nvidia, &parts.gpus);
    if on_gpu && works && !mib.is_empty() && !divided {
        found.push(need.in_gpus(&mib));
    } else if !on_gpu && let Some(memory) = weights::memory(host)? {
        found.push(need.in_memory(memory));
    }
    Ok(())
}

/// The share of the GPUs' memory that the runtime takes, by its setting or its default.
fn share(server: &Server) -> f64 {
    let given = [
        "gpu_memory_utilization",
        "mem_fraction_static",
        "cuda_memory_fraction",
    ]
    .iter()
    .find_map(|name| server.settings.get(*name));
    match (given, server.runtime) {
        (Some(Value::Float(share)), _) => *share,
        (Some(Value::Str(text)), _) => text.parse().unwrap_or(1.0),
        (_, Kind::Vllm | Kind::Sglang) => 0.9,
        _ => 1.0,
    }
}

fn port(host: &dyn HostView, parts: &Parts) -> Result<Option<Finding>> {
    let Some(other) = listener(host, parts.port)? else {
        return Ok(Some(Finding::ok(
            "port",
            format!("port {} is free", parts.port),
        )));
    };
    let service = format!("{}.service", parts.name);
    let own = other.unit.as_deref() == Some(&service);
    // The engine's proxy has the port for our container.
    let published = || -> Result<bool> {
        let text = host.read(&unit_path(&parts.name))?.unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let unit = host.unit(crate::host::UnitScope::System, &service)?;
        Ok(unit.is_active() && text.contains(&format!(":{0}:{0}", parts.port)))
    };
    if own || parts.container.is_some() && published()? {
        return Ok(None);
    }
    let advice = match &other.unit {
        Some(unit) if unit != "docker.service" => format!(
            "stop it (`systemctl disable --now {unit}`), take its place (`name: {}`), or choose another `port`",
            unit.trim_end_matches(".service")
        ),
        _ => "stop it, or choose another `port`".into(),
    };
    let what = format!("port {} is taken by {}", parts.port, other.text());
    Ok(Some(Finding::fail("port", what, advice)))
}

/// What works now and bites later.
fn habits(server: &Server, host: &dyn HostView, parts: &Parts, found: &mut Findings) -> Result<()> {
    if server.runtime == Kind::Tgi {
        found.push(Finding::warn(
            "legacy",
            "Text Generation Inference is in maintenance: it gets only small fixes",
            "plan to move to vllm or sglang",
        ));
    }
    if server.runtime == Kind::Ollama {
        let store = parts.models.as_deref().unwrap_or(&parts.data_dir);
        let off = server
            .settings
            .get("noprune")
            .is_some_and(|v| !v.is_truthy() || v.as_str() == Some("false"));
        if let Some(mount) = shared(host, store)?.filter(|_| off) {
            found.push(Finding::warn(
                "noprune",
                format!(
                    "`noprune: false`, and `{}` lies on a share ({})",
                    store.display(),
                    mount.source
                ),
                "Ollama deletes there, at every start, what no manifest names: also what other hosts are fetching. Leave it out or say true",
            ));
        }
    }
    if server.runtime == Kind::Vllm && server.settings.get("shutdown_timeout").is_none() {
        found.push(Finding::warn(
            "shutdown",
            "vLLM cuts the answers that it is giving when it is stopped",
            "set `shutdown_timeout: 120`, where your vLLM has it, to let them end; the unit waits as long",
        ));
    }
    if let (Some(path), Kind::Vllm) = (parts.model.as_deref().map(Path::new), server.runtime)
        && path.is_absolute()
        && shared(host, path)?.is_some()
        && server.settings.get("safetensors_load_strategy").is_none()
    {
        found.push(Finding::warn(
            "shared",
            format!("`{}` lies on a share, and vLLM maps it page by page", path.display()),
            "set `safetensors_load_strategy: eager`, or stage the model on a local disk (lks.llm.model)",
        ));
    }
    if parts.stop.is_some_and(|stop| {
        let drains = server
            .settings
            .get("shutdown_timeout")
            .and_then(Value::as_int);
        drains.is_some_and(|d| i64::try_from(stop).unwrap_or(i64::MAX) <= d)
    }) {
        found.push(Finding::warn(
            "shutdown",
            "`stop_timeout` is not longer than `shutdown_timeout`",
            "systemd would kill the server before its answers end: make it some seconds longer",
        ));
    }
    Ok(())
}

/// What a change brings about elsewhere.
fn on_change(
    server: &Server,
    host: &dyn HostView,
    parts: &Parts,
    work: &Work,
    found: &mut Findings,
) -> Result<()> {
    if is_ours(host, &parts.name)? == Some(false) {
        found.push(Finding::warn(
            "taken-over",
            format!(
                "`{}` was written by another hand",
                unit_path(&parts.name).display()
            ),
            "this module's definition takes its place",
        ));
    }
    if work.verb == Some("restart") && server.runtime == Kind::Ollama {
        found.push(Finding::warn(
            "drain",
            "Ollama is started again, and cuts the answers that it is giving",
            "take the host out of service first where it has users (playbooks/drain.yml)",
        ));
    }
    if work.write && Nvidia::cards(host).is_there() {
        let mut losing = Engine::Docker.losing_gpus(host)?;
        losing.retain(|name| *name != parts.name);
        if !losing.is_empty() {
            found.push(Finding::warn(
                "reload",
                format!(
                    "systemd reads its units anew, and containers that have GPUs lose them: {}",
                    losing.join(", ")
                ),
                "start them again after this task, or let docker give GPUs by CDI (lks.llm.gpu)",
            ));
        }
    }
    Ok(())
}
