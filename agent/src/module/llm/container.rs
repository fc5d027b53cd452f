//! Container engines: which is there, what it takes, what it has.

use super::finding::{Finding, Findings};
use crate::choices;
use crate::error::{Error, Result};
use crate::host::{Command, HostView, Output};
use std::path::Path;
use std::time::Duration;

/// Names of the checks.
pub const ENGINE: &str = "engine";
/// As above.
pub const COMPOSE: &str = "compose";
/// As above.
pub const TOOLKIT: &str = "toolkit";
/// An engine that hangs must not hang us.
const PATIENCE: Duration = Duration::from_secs(20);
/// What the engine says to programs that are older than it takes.
const TOO_OLD: &str = "is too old. Minimum supported API version";
/// Where the specifications of devices lie that CDI knows (`--device nvidia.com/gpu=…`).
const CDI: &[&str] = &["/etc/cdi", "/var/run/cdi", "/run/cdi"];

choices! {
    /// A program that runs containers.
    pub enum Engine { Docker = "docker", Podman = "podman" }
}

impl Engine {
    fn ask(self, host: &dyn HostView, words: &[&str]) -> Result<Output> {
        let mut command = Command::new([&[self.word()], words].concat());
        command.timeout = Some(PATIENCE);
        host.query(&command)
    }

    /// What the engine is, or why it cannot be used. Nothing where its program is not there.
    ///
    /// # Errors
    /// When the host cannot be read.
    pub fn finding(self, host: &dyn HostView) -> Result<Option<Finding>> {
        let name = self.word();
        if host.which(name)?.is_none() {
            return Ok(None);
        }
        let format = match self {
            Self::Docker => "{{.Server.Version}} {{.Server.MinAPIVersion}}",
            Self::Podman => "{{.Client.Version}}",
        };
        let output = self.ask(host, &["version", "--format", format])?;
        let (out, err) = (output.out(), output.err());
        let said = err
            .trim()
            .lines()
            .next_back()
            .unwrap_or_default()
            .to_owned();
        Ok(Some(if output.success() {
            Finding::ok(
                ENGINE,
                format!(
                    "{name} {}",
                    out.split(' ').next().unwrap_or_default().trim()
                ),
            )
        } else if output.timed_out {
            Finding::fail(
                ENGINE,
                format!("{name} does not answer"),
                "look at `systemctl status docker`",
            )
        } else if err.contains(TOO_OLD) {
            let advice = "the program `docker` is older than the engine takes: install the engine's own (package docker-cli or docker.io)";
            Finding::fail(ENGINE, said, advice)
        } else {
            let advice = match self {
                Self::Docker => {
                    "is it started (`systemctl start docker`), and may this account use it?"
                }
                Self::Podman => "podman itself is broken here: see what it says",
            };
            Finding::fail(ENGINE, format!("{name} does not work: {said}"), advice)
        }))
    }

    /// Whether the compose plugin is one that the engine takes: a query shows it, no list of versions.
    /// Nothing where there is no plugin.
    ///
    /// # Errors
    /// When the host cannot be read.
    pub fn compose(host: &dyn HostView) -> Result<Option<Finding>> {
        if host.which("docker")?.is_none() {
            return Ok(None);
        }
        let version = Self::Docker.ask(host, &["compose", "version", "--short"])?;
        if !version.success() {
            return Ok(None);
        }
        let (version, asked) = (
            version.out(),
            Self::Docker.ask(host, &["compose", "ls", "--quiet"])?,
        );
        let version = version.trim().trim_start_matches('v');
        let said = asked.err();
        Ok(Some(match said.contains(TOO_OLD) {
            false => Finding::ok(COMPOSE, format!("compose plugin {version}")),
            true => Finding::warn(
                COMPOSE,
                format!(
                    "the compose plugin {version} is too old for this engine, which refuses it ({})",
                    said.trim()
                ),
                "install a newer one (Ubuntu's docker-compose-v2, or 2.27.0 and later), or let it be with \
                 `DOCKER_API_VERSION=1.44` in the task's environment or \
                 `{\"min-api-version\": \"1.24\"}` in /etc/docker/daemon.json",
            ),
        }))
    }

    /// Whether containers can have GPUs.
    ///
    /// # Errors
    /// When the host cannot be read.
    pub fn toolkit(self, host: &dyn HostView) -> Result<Finding> {
        let cdi = has_cdi(host)?;
        let hook = host.which("nvidia-container-runtime-hook")?.is_some()
            || host.which("nvidia-container-runtime")?.is_some();
        Ok(match self {
            Self::Docker if hook || cdi => {
                Finding::ok(TOOLKIT, "NVIDIA's container toolkit is there")
            }
            Self::Podman if cdi => Finding::ok(TOOLKIT, "CDI knows the GPUs"),
            Self::Docker => Finding::fail(
                TOOLKIT,
                "docker cannot give GPUs to containers: NVIDIA's container toolkit is missing",
                "install it with lks.llm.gpu (container_toolkit: true)",
            ),
            Self::Podman => Finding::fail(
                TOOLKIT,
                "podman cannot give GPUs to containers: no CDI specification is there",
                "run `nvidia-ctk cdi generate --output=/etc/cdi/nvidia.yaml`",
            ),
        })
    }

    /// The digest of an image that is here; nothing if it is not.
    ///
    /// # Errors
    /// When the engine cannot be asked.
    pub fn image(self, host: &dyn HostView, image: &str) -> Result<Option<String>> {
        let words = ["image", "inspect", "--format", "{{.Id}}", image];
        let output = self.ask(host, &words)?;
        match output.success() {
            true => Ok(Some(output.out().trim().to_owned())),
            false
                if output.err().to_lowercase().contains("no such image")
                    || output.err().contains("image not known") =>
            {
                Ok(None)
            }
            false => Err(Error::host(format!(
                "{} cannot say whether it has `{image}`: {}",
                self.word(),
                output.err().trim()
            ))),
        }
    }

    /// Names of running containers that were given GPUs without CDI: they lose them when systemd reads
    /// its units anew (nvidia-container-toolkit, issue 48).
    ///
    /// An engine that cannot be asked has none.
    ///
    /// # Errors
    /// When the host cannot be read.
    pub fn losing_gpus(self, host: &dyn HostView) -> Result<Vec<String>> {
        if self != Self::Docker || host.which("docker")?.is_none() {
            return Ok(Vec::new());
        }
        let running = self.ask(host, &["ps", "--quiet"]).unwrap_or_default().out();
        let ids: Vec<&str> = running.split_whitespace().collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let format = "{{.Name}} {{json .HostConfig.DeviceRequests}} {{.HostConfig.Runtime}}";
        let words = [&["inspect", "--format", format], ids.as_slice()].concat();
        let said = self.ask(host, &words)?.out();
        let loses = |line: &&str| {
            (line.contains("\"gpu\"") || line.ends_with(" nvidia")) && !line.contains("\"cdi\"")
        };
        let names = said
            .lines()
            .filter(loses)
            .filter_map(|l| l.split(' ').next());
        Ok(names
            .map(|n| n.trim_start_matches('/').to_owned())
            .collect())
    }
}

/// Whether CDI has a specification of NVIDIA's devices.
///
/// # Errors
/// When the host cannot be read.
pub fn has_cdi(host: &dyn HostView) -> Result<bool> {
    for folder in CDI {
        let names = host.list(Path::new(folder))?.unwrap_or_default();
        if names.iter().any(|n| n.contains("nvidia")) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// How firmly an image is named.
#[must_use]
pub fn pinned(image: &str) -> Option<Finding> {
    const CHECK: &str = "pinned";
    if image.contains("@sha256:") {
        return None;
    }
    let name = image.rsplit_once('/').map_or(image, |(_, name)| name);
    let tag = name.split_once(':').map_or("latest", |(_, tag)| tag);
    let (what, advice) = match tag {
        "latest" => (
            format!(
                "`{image}` moves with every release: hosts that pull at other times run other versions"
            ),
            "name a version and its digest (`IMAGE:TAG@sha256:…`)",
        ),
        _ => (
            format!("`{image}` is not pinned: a tag can be moved"),
            "add its digest (`IMAGE:TAG@sha256:…`, shown by `docker image inspect`)",
        ),
    };
    Some(Finding::warn(CHECK, what, advice))
}

/// Everything that is to be known of an engine before it runs a container.
///
/// # Errors
/// When the host cannot be read.
pub fn check(host: &dyn HostView, engine: Engine, gpus: bool, found: &mut Findings) -> Result<()> {
    let finding = engine.finding(host)?;
    let works = finding
        .as_ref()
        .is_some_and(|f| f.level == super::finding::Level::Ok);
    found.push(finding);
    if works && engine == Engine::Docker {
        found.push(Engine::compose(host)?);
    }
    if works && gpus {
        found.push(engine.toolkit(host)?);
    }
    Ok(())
}
