//! What is to be done to a host, and doing it: files, systemd, the server.

use super::definition::{Definition, MARK, Parts, STAMP, environment_path};
use super::{RUN, Server, State, WRITE};
use crate::error::Result;
use crate::host::{Attrs, Command, Consequence, Content, Effect, HostView, Outcome, UnitScope};
use crate::module::content::missing_parents;
use crate::module::{Diff, Plan, PlanCx};
use crate::value::Value;
use std::path::{Path, PathBuf};

pub fn unit_path(name: &str) -> PathBuf {
    PathBuf::from(format!("/etc/systemd/system/{name}.service"))
}

pub fn systemctl(
    plan: &mut Plan,
    verb: &str,
    words: &[&str],
    service: &str,
    (active, enabled): (Option<bool>, Option<bool>),
) {
    let then = Consequence::Unit {
        scope: UnitScope::System,
        name: service.to_owned(),
        active,
        enabled,
        masked: None,
    };
    let command = Command::new([&["systemctl", verb], words].concat());
    let before = match verb {
        "enable" => "disabled\n",
        "start" => "stopped\n",
        "restart" => "started with another definition\n",
        _ => "started or enabled\n",
    };
    plan.change(
        Diff::new(service, before, format!("{verb}\n")),
        command.then(vec![then]),
    );
}

/// What is to be done, as the host is now.
pub struct Work {
    pub pull: bool,
    /// A file that differs, or a unit that systemd has not read.
    pub write: bool,
    pub verb: Option<&'static str>,
    enable: Option<bool>,
}

impl Work {
    pub fn new(
        server: &Server,
        cx: &PlanCx<'_>,
        parts: &Parts,
        definition: &Definition,
    ) -> Result<Self> {
        let host = cx.host;
        let service = format!("{}.service", parts.name);
        let pull = match &parts.container {
            Some((engine, _, image))
                if host.which(engine.word())?.is_some() && cx.stage <= WRITE =>
            {
                engine.image(host, image)?.is_none()
            }
            _ => false,
        };
        let unit = host.unit(UnitScope::System, &service)?;
        let differs = differs(host, &unit_path(&parts.name), &definition.unit)?
            || differs(
                host,
                &environment_path(&parts.name),
                &definition.environment,
            )?;
        let write = differs || unit.get("NeedDaemonReload") == "yes";
        let stale =
            running_stamp(host, unit.get("MainPID"))?.is_some_and(|s| s != definition.stamp);
        let wrote = cx.stage == RUN && wrote(cx.outcomes);
        let (active, again) = (unit.is_active(), differs || wrote || stale);
        let verb = match server.state {
            State::Started if !active => Some("start"),
            State::Started if again => Some("restart"),
            State::Stopped if active => Some("stop"),
            _ => None,
        };
        let wanted = server.state != State::Stopped;
        let enabled = matches!(unit.get("UnitFileState"), "enabled" | "enabled-runtime");
        Ok(Self {
            pull,
            write,
            verb,
            enable: (enabled != wanted).then_some(wanted),
        })
    }

    pub fn anything(&self) -> bool {
        self.pull || self.write || self.verb.is_some() || self.enable.is_some()
    }

    pub fn write(
        &self,
        host: &dyn HostView,
        plan: &mut Plan,
        parts: &Parts,
        definition: &Definition,
    ) -> Result<()> {
        if !self.write {
            return Ok(());
        }
        let owner = parts.owner(host)?;
        folder(host, plan, &parts.data_dir, owner)?;
        if let Some(models) = &parts.models {
            folder(host, plan, models, owner)?;
        }
        let environment = environment_path(&parts.name);
        folder(
            host,
            plan,
            environment.parent().unwrap_or(Path::new("/")),
            (0, 0, 0o755),
        )?;
        // Secrets: only that the file differs is shown.
        if differs(host, &environment, &definition.environment)? {
            let names: Vec<&str> = parts.secret.iter().map(|(n, _)| n.as_str()).collect();
            let after = format!("variables: {}\n", names.join(" "));
            let diff = Diff::new(environment.to_string_lossy(), Value::Null, after);
            plan.change(
                diff,
                file(environment.clone(), &definition.environment, 0o600),
            );
        }
        let path = unit_path(&parts.name);
        folder(
            host,
            plan,
            path.parent().unwrap_or(Path::new("/")),
            (0, 0, 0o755),
        )?;
        if differs(host, &path, &definition.unit)? {
            let before = host
                .read(&path)?
                .map(|b| String::from_utf8_lossy(&b).into_owned());
            let diff = Diff::new(
                path.to_string_lossy(),
                before.map_or(Value::Null, Value::from),
                definition.unit.as_str(),
            );
            plan.change(diff, file(path, &definition.unit, 0o644));
        }
        plan.act(Command::new(["systemctl", "daemon-reload"]).effect());
        Ok(())
    }

    pub fn run(&self, plan: &mut Plan, name: &str) {
        let service = format!("{name}.service");
        if let Some(verb) = self.verb {
            systemctl(
                plan,
                verb,
                &[&service],
                &service,
                (Some(verb != "stop"), None),
            );
        }
        match self.enable {
            Some(true) => systemctl(plan, "enable", &[&service], &service, (None, Some(true))),
            Some(false) => systemctl(plan, "disable", &[&service], &service, (None, Some(false))),
            None => {}
        }
    }
}

/// Whether the stage before wrote a file: then the server that runs has the old definition. (In check
/// mode nothing says which effect was remembered; a pull is not followed by one where nothing differs.)
fn wrote(outcomes: &[Outcome]) -> bool {
    outcomes
        .iter()
        .any(|o| matches!(o, Outcome::Written { .. }))
        || outcomes
            .iter()
            .filter(|o| **o == Outcome::Remembered)
            .count()
            > 1
}

fn differs(host: &dyn HostView, path: &Path, content: &str) -> Result<bool> {
    Ok(host.read(path)?.as_deref() != Some(content.as_bytes()))
}

fn file(path: PathBuf, content: &str, mode: u32) -> Effect {
    Effect::WriteFile {
        path,
        content: Content::Bytes(content.as_bytes().to_vec()),
        attrs: Attrs {
            uid: Some(0),
            gid: Some(0),
            mode: Some(mode),
            ..Attrs::default()
        },
        backup: false,
        validate: None,
        in_place: false,
    }
}

/// Plans a folder, if it is missing, and those above it.
fn folder(
    host: &dyn HostView,
    plan: &mut Plan,
    path: &Path,
    (uid, gid, mode): (u32, u32, u32),
) -> Result<()> {
    if host.stat(path)?.is_some() {
        return Ok(());
    }
    let mut missing = missing_parents(host, path)?;
    missing.push(path.to_path_buf());
    for dir in missing {
        if plan
            .changes
            .iter()
            .any(|c| matches!(&c.effect, Effect::MakeDir { path, .. } if *path == dir))
        {
            continue;
        }
        let last = dir == path;
        let attrs = Attrs {
            uid: last.then_some(uid),
            gid: last.then_some(gid),
            mode: Some(if last { mode } else { 0o755 }),
            ..Attrs::default()
        };
        plan.change(
            Diff::new(dir.to_string_lossy(), Value::Null, "directory\n"),
            Effect::MakeDir { path: dir, attrs },
        );
    }
    Ok(())
}

/// The definition that the running server was started with, from its environment; nothing where it
/// cannot be seen.
pub fn running_stamp(host: &dyn HostView, pid: &str) -> Result<Option<String>> {
    if pid.is_empty() || pid == "0" {
        return Ok(None);
    }
    // A process that ends meanwhile, or one of another account, tells nothing.
    let path = format!("/proc/{pid}/environ");
    let bytes = host
        .read(Path::new(&path))
        .ok()
        .flatten()
        .unwrap_or_default();
    let mut variables = bytes.split(|b| *b == 0);
    let prefix = format!("{STAMP}=");
    let stamp = variables.find_map(|v| v.strip_prefix(prefix.as_bytes()));
    Ok(stamp.map(|s| String::from_utf8_lossy(s).into_owned()))
}

/// Whether a unit's file is one of ours.
pub fn is_ours(host: &dyn HostView, name: &str) -> Result<Option<bool>> {
    let text = host.read(&unit_path(name))?;
    Ok(text.map(|t| t.starts_with(MARK.as_bytes())))
}
