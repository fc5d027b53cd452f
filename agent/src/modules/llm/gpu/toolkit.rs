//! NVIDIA's container toolkit, and docker's settings for it.

use super::Gpu;
use super::packages::{file, install};
use crate::error::{Error, Result};
use crate::host::{Command, Effect, HostView, UnitScope};
use crate::module::content::missing_parents;
use crate::module::{Diff, Plan};
use crate::value::Value;
use serde_json::json;
use std::path::Path;

const DAEMON: &str = "/etc/docker/daemon.json";
/// What CDI knows of the GPUs.
const CDI: &str = "/etc/cdi/nvidia.yaml";

/// Plans package, settings and specification.
pub fn plan(gpu: &Gpu, host: &dyn HostView, plan: &mut Plan) -> Result<()> {
    if gpu.container_toolkit {
        let known = host.which("nvidia-container-runtime")?.is_some();
        if !known {
            install(
                host,
                plan,
                &["nvidia-container-toolkit".to_owned()],
                gpu.lock_timeout,
            )?;
        }
        daemon(gpu, host, plan)?;
    }
    if gpu.cdi && host.read(Path::new(CDI))?.is_none() {
        let command = Command::new(["nvidia-ctk", "cdi", "generate", &format!("--output={CDI}")]);
        let then = crate::host::Consequence::PathUnknown { path: CDI.into() };
        plan.change(
            Diff::new(CDI, Value::Null, "specification of the GPUs\n"),
            command.then(vec![then]),
        );
    }
    Ok(())
}

/// `daemon.json` with what `nvidia-ctk runtime configure` adds; all else in it stays.
fn daemon(gpu: &Gpu, host: &dyn HostView, plan: &mut Plan) -> Result<()> {
    if host.which("dockerd")?.is_none() && host.which("docker")?.is_none() {
        return Ok(());
    }
    let before = host.read(Path::new(DAEMON))?;
    let text = before
        .as_ref()
        .map(|b| String::from_utf8_lossy(b).into_owned());
    let mut json = match text.as_deref().map(str::trim) {
        None | Some("") => json!({}),
        Some(text) => serde_json::from_str(text).map_err(|e| {
            Error::host(format!("`{DAEMON}` is no JSON: {e}"))
                .context("docker would not start either: mend it first")
        })?,
    };
    if !json.is_object() {
        return Err(Error::host(format!("`{DAEMON}` is no JSON object")));
    }
    let old = json.clone();
    if json["runtimes"]["nvidia"]["path"].is_null() {
        json["runtimes"]["nvidia"] = json!({"args": [], "path": "nvidia-container-runtime"});
    }
    if gpu.cdi {
        json["features"]["cdi"] = json!(true);
    }
    if json == old {
        return Ok(());
    }
    let after = format!(
        "{}\n",
        serde_json::to_string_pretty(&json).unwrap_or_default()
    );
    for dir in missing_parents(host, Path::new(DAEMON))? {
        let effect = Effect::MakeDir {
            path: dir.clone(),
            attrs: crate::host::Attrs::default(),
        };
        plan.change(
            Diff::new(dir.to_string_lossy(), Value::Null, "directory\n"),
            effect,
        );
    }
    plan.change(
        Diff::new(
            DAEMON,
            text.map_or(Value::Null, Value::from),
            after.as_str(),
        ),
        file(DAEMON, &after),
    );
    if host.unit(UnitScope::System, "docker.service")?.is_active() {
        plan.returns
            .warnings
            .push("docker was started again: its containers were, too".into());
        plan.change(
            Diff::new(
                "docker.service",
                "started with other settings\n",
                "restarted\n",
            ),
            Command::new(["systemctl", "restart", "docker.service"]).effect(),
        );
    }
    Ok(())
}
