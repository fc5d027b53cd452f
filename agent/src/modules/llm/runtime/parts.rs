//! Deciding everything that a definition is made of, from the parameters and the host.

use super::definition::{self, Parts};
use super::setting::{self, Given};
use super::{Kind, Server, table};
use crate::error::{Error, Result};
use crate::host::HostView;
use crate::module::llm::container::{Engine, has_cdi};
use crate::module::llm::nvidia::Nvidia;
use crate::module::llm::share::shared;
use crate::value::Value;
use std::path::{Path, PathBuf};

impl Server {
    /// Decides everything that the definition is made of.
    pub(super) fn parts(&self, host: &dyn HostView) -> Result<Parts> {
        self.check_params()?;
        let name = self.name()?;
        let container = self.container(host)?;
        let gpus = self.gpus(host)?;
        let models = self.models.as_ref().map(|m| m.expand(host)).transpose()?;
        let data_dir = match &self.data_dir {
            Some(dir) => dir.expand(host)?,
            None => Path::new("/var/lib").join(&name),
        };
        let mut given = self.given()?;
        if self.runtime == Kind::Ollama
            && self.settings.get("noprune").is_none()
            && shared(host, models.as_deref().unwrap_or(&data_dir))?.is_some()
        {
            given.env.push(("OLLAMA_NOPRUNE".into(), "1".into()));
        }
        Parts {
            kind: self.runtime,
            program: match (&self.program, &container) {
                (Some(program), _) => program.clone(),
                (None, Some(_)) => self.runtime.program(true),
                (None, None) => self.runtime.program(false),
            },
            cdi: container.is_some() && gpus != "none" && use_cdi(host)?,
            shared_memory: container.is_some()
                && matches!(self.runtime, Kind::Vllm | Kind::Sglang | Kind::Tgi),
            container,
            model: self.model.clone(),
            served_name: self.served_name.clone(),
            host: self.host.clone(),
            port: self.port(),
            gpus,
            user: self.user.clone(),
            data_dir,
            models,
            env: given.env,
            args: given.args,
            secret: self.secrets()?,
            stop: self.stop(),
            name,
        }
        .with_found_program(host)
    }

    fn check_params(&self) -> Result<()> {
        // No rules across parameters: playbooks choose between them by `omit`, which only a run knows.
        if self.image.is_some() && (self.version.is_some() || self.user.is_some()) {
            return Err(Error::params(
                "a container has its version and its account from its image",
            )
            .context("`version` and `user` are for programs of the host"));
        }
        if self.engine.is_some() && self.image.is_none() {
            return Err(Error::params(
                "missing parameter(s) required by 'engine': image",
            ));
        }
        let ollama = self.runtime == Kind::Ollama;
        if ollama && (self.model.is_some() || self.served_name.is_some()) {
            return Err(Error::params("Ollama serves every model of its store, and is started with none")
                .context("`model` and `served_name` are not for ollama; lks.llm.model fetches one, lks.llm.ready loads it"));
        }
        if !ollama && self.model.is_none() {
            return Err(Error::params(format!(
                "{} needs a `model`",
                self.runtime.word()
            )));
        }
        if !ollama && self.models.is_some() {
            return Err(Error::params(
                "`models` is Ollama's store; others take the path of a `model`",
            ));
        }
        if self.runtime == Kind::Tgi && self.served_name.is_some() {
            return Err(Error::params(
                "tgi has no other name for its model: leave `served_name` out",
            ));
        }
        let is_word = |text: &str| !text.is_empty() && !text.contains(char::is_whitespace);
        if !is_word(&self.host) || self.program.as_ref().is_some_and(Vec::is_empty) {
            return Err(Error::params(
                "`host` is an address, and `program` names a program",
            ));
        }
        for taken in ["--port", "--host", "--model", "-m"] {
            let begins = |a: &&String| a.split('=').next() == Some(taken);
            if let Some(arg) = self.extra_args.iter().find(begins) {
                return Err(Error::params(format!(
                    "`{arg}` in `extra_args`: what listens where is said by `host`, `port` and `model`, \
                     so that a port that is taken is seen before"
                )));
            }
        }
        Ok(())
    }

    fn port(&self) -> u16 {
        self.port.unwrap_or_else(|| self.runtime.runtime().port())
    }

    fn container(&self, host: &dyn HostView) -> Result<Option<(Engine, PathBuf, String)>> {
        let Some(image) = &self.image else {
            return Ok(None);
        };
        let engine = match self.engine {
            Some(engine) => engine,
            None if host.which("docker")?.is_none() && host.which("podman")?.is_some() => {
                Engine::Podman
            }
            None => Engine::Docker,
        };
        let usual = || Path::new("/usr/bin").join(engine.word());
        let path = host.which(engine.word())?.unwrap_or_else(usual);
        Ok(Some((engine, path, image.clone())))
    }

    fn gpus(&self, host: &dyn HostView) -> Result<String> {
        let is_number = |part: &str| part.trim().parse::<u32>().is_ok();
        match self.gpus.as_str() {
            "auto" => Ok(match Nvidia::cards(host).pci.is_empty() {
                true => "none".into(),
                false => "all".into(),
            }),
            "all" | "none" => Ok(self.gpus.clone()),
            list if list.split(',').all(is_number) => Ok(list.replace(' ', "")),
            other => Err(Error::params(format!(
                "gpus is `auto`, `all`, `none` or numbers (`0,1`), and not `{other}`"
            ))),
        }
    }

    fn given(&self) -> Result<Given> {
        let table = match self.runtime {
            Kind::Ollama => table::OLLAMA,
            Kind::Vllm => table::VLLM,
            Kind::LlamaCpp => table::LLAMA_CPP,
            Kind::Sglang => table::SGLANG,
            Kind::Tgi => table::TGI,
        };
        let mut given = setting::read(self.runtime.word(), table, &self.settings)?;
        if self.api_key.is_some() && self.runtime == Kind::Sglang {
            // It takes its key in no other way; systemd puts it in from the file that only root reads.
            given
                .args
                .push(vec!["--api-key".into(), definition::KEY_WORD.into()]);
        }
        given
            .args
            .extend(self.extra_args.iter().map(|a| vec![a.clone()]));
        Ok(given)
    }

    /// Variables for the file that only root reads.
    fn secrets(&self) -> Result<Vec<(String, String)>> {
        let mut out = Vec::new();
        if let Some(key) = &self.api_key {
            let name = match self.runtime {
                Kind::Vllm => "VLLM_API_KEY",
                Kind::LlamaCpp => "LLAMA_API_KEY",
                Kind::Sglang => definition::KEY_NAME,
                Kind::Tgi => "API_KEY",
                Kind::Ollama => {
                    return Err(Error::params("Ollama asks nobody for a key")
                        .context("`api_key`: put a proxy before it, or keep its port closed"));
                }
            };
            out.push((name.to_owned(), key.reveal().clone()));
        }
        for (name, value) in &self.environment {
            let name = name.to_string();
            let text = <String as crate::module::Param>::from_value(value)
                .map_err(|e| e.context(format!("environment `{name}`")))?;
            if text.contains('\n') || name.contains(['=', ' ', '\n']) || name.is_empty() {
                return Err(Error::params(format!(
                    "environment `{name}`: a variable has a plain name and one line"
                )));
            }
            out.push((name, text));
        }
        Ok(out)
    }

    fn stop(&self) -> Option<u64> {
        let drains = self
            .settings
            .get("shutdown_timeout")
            .and_then(Value::as_int);
        let drains = drains
            .and_then(|s| u64::try_from(s).ok())
            .filter(|s| *s > 0);
        self.stop_timeout.or_else(|| drains.map(|s| s + 15))
    }
}

/// With CDI, containers keep their GPUs when systemd reads its units anew. Docker knows it where
/// its daemon is told (`features.cdi`), and since version 28.3 without.
fn use_cdi(host: &dyn HostView) -> Result<bool> {
    if !has_cdi(host)? {
        return Ok(false);
    }
    let text = host
        .read(Path::new("/etc/docker/daemon.json"))?
        .unwrap_or_default();
    let json: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
    Ok(json["features"]["cdi"] == true)
}

impl Parts {
    pub(super) fn url(&self) -> String {
        let host = match self.host.as_str() {
            "0.0.0.0" | "::" | "*" => "127.0.0.1".to_owned(),
            other if other.contains(':') => format!("[{other}]"),
            other => other.to_owned(),
        };
        format!("http://{host}:{}", self.port)
    }

    pub(super) fn owner(&self, host: &dyn HostView) -> Result<(u32, u32, u32)> {
        match self.user.as_deref().filter(|_| self.container.is_none()) {
            None => Ok((0, 0, 0o755)),
            Some(name) => match host.user(name)? {
                Some(user) => Ok((user.uid, user.gid, 0o750)),
                None => Err(Error::host(format!("there is no account `{name}`"))),
            },
        }
    }

    /// Units name programs by their full path.
    fn with_found_program(mut self, host: &dyn HostView) -> Result<Self> {
        if self.container.is_none()
            && let Some(first) = self.program.first_mut()
            && let Some(path) = host.which(first)?
        {
            *first = path.to_string_lossy().into_owned();
        }
        Ok(self)
    }
}
