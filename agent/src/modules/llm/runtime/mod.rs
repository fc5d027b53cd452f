//! `lks.llm.runtime`.

mod definition;
mod setting;
mod table;
#[cfg(test)]
mod tests;
mod trap;

use crate::error::{Error, Result};
use crate::host::{Attrs, Command, Consequence, Content, Effect, HostView, Outcome, UnitScope};
use crate::module::content::missing_parents;
use crate::module::llm::Runtime;
use crate::module::llm::container::{Engine, has_cdi};
use crate::module::llm::nvidia::Nvidia;
use crate::module::llm::share::shared;
use crate::module::{Diff, HostPath, Module, Plan, PlanCx, Returns};
use crate::secret::Secret;
use crate::value::{Map, Value};
use crate::{choices, params};
use definition::{Definition, MARK, Parts, STAMP, environment_path};
use setting::Given;
use std::path::{Path, PathBuf};

choices! {
    /// A program that serves language models.
    pub enum Kind {
        Ollama = "ollama",
        Vllm = "vllm",
        LlamaCpp = "llama_cpp" | "llama.cpp",
        Sglang = "sglang",
        Tgi = "tgi",
    }
}

choices! {
    /// How it should be.
    pub enum State { Started = "started", Stopped = "stopped", Present = "present", Absent = "absent" }
}

params! {
    /// Serves language models with a runtime, as a systemd unit: of a program, or of a container.
    ///
    /// The unit `NAME.service` is written whole, with every port, path and limit said, so that the text
    /// alone tells how the server runs. It is enabled, and started again only when its definition has
    /// changed (or when the server that runs was started with another one). With `image`, the unit runs the
    /// container by `docker` or `podman`: no compose file, one way to start, stop and read logs.
    ///
    /// Before anything is changed, the known traps are looked for, and each is told with what to do: a port
    /// that another process has (it is named), a model that is larger than the memory, a driver whose
    /// halves differ, an engine or compose plugin that is too old, a toolkit that is missing. `ignore`
    /// names those that you know better. Models are `lks.llm.model`'s part, and waiting for the first
    /// token is `lks.llm.ready`'s.
    ///
    /// Settings, by their names here; each is checked, and a name that is not known is refused:
    ///
    /// - `ollama`: `origins`, `keep_alive`, `load_timeout`, `num_parallel`, `max_loaded_models`,
    ///   `max_queue`, `context_length`, `flash_attention`, `kv_cache_type`, `noprune`, `sched_spread`,
    ///   `gpu_overhead`, `max_transfer_streams`, `llm_library`, `debug`. (`noprune` is set by itself where
    ///   the store lies on a share: Ollama deletes there, at every start, what other hosts are fetching.)
    /// - `vllm`: `tensor_parallel_size`, `pipeline_parallel_size`, `data_parallel_size`,
    ///   `gpu_memory_utilization`, `max_model_len`, `max_num_seqs`, `max_num_batched_tokens`, `dtype`,
    ///   `quantization`, `kv_cache_dtype`, `cpu_offload_gb`, `load_format`, `safetensors_load_strategy`
    ///   (`eager` for models on a share), `shutdown_timeout`, `prefix_caching`, `chunked_prefill`,
    ///   `enforce_eager`, `trust_remote_code`, `auto_tool_choice`, `tool_call_parser`, `reasoning_parser`,
    ///   `chat_template`, `tokenizer`, `revision`, `download_dir`, `runner`, `seed`.
    /// - `llama_cpp`: `ctx_size`, `parallel`, `gpu_layers`, `threads`, `threads_batch`, `batch_size`,
    ///   `ubatch_size`, `metrics`, `slots`, `mmap`, `mlock`, `flash_attn`, `cache_type_k`, `cache_type_v`,
    ///   `warmup`, `sse_ping_interval`, `timeout`, `embeddings`, `reranking`, `pooling`, `jinja`,
    ///   `chat_template`, `split_mode`, `main_gpu`, `tensor_split`, `mmproj`, `lora`.
    /// - `sglang`: `tp_size`, `dp_size`, `mem_fraction_static`, `context_length`, `max_running_requests`,
    ///   `chunked_prefill_size`, `dtype`, `quantization`, `kv_cache_dtype`, `load_format`,
    ///   `schedule_policy`, `attention_backend`, `metrics`, `trust_remote_code`, `radix_cache`,
    ///   `cuda_graph`, `embedding`, `tool_call_parser`, `reasoning_parser`, `chat_template`,
    ///   `tokenizer_path`, `revision`, `watchdog_timeout`, `log_level`.
    /// - `tgi` (in maintenance since 2026, so with a warning): `num_shard`, `max_input_tokens`,
    ///   `max_total_tokens`, `max_batch_prefill_tokens`, `max_batch_total_tokens`,
    ///   `max_concurrent_requests`, `cuda_memory_fraction`, `dtype`, `quantize`, `trust_remote_code`,
    ///   `revision`.
    ///
    /// ```yaml
    /// - name: Ollama in a container, its models on the share
    ///   lks.llm.runtime:
    ///     runtime: ollama
    ///     image: ollama/ollama:0.13.0@sha256:0000000000000000000000000000000000000000000000000000000000000000
    ///     host: 0.0.0.0
    ///     models: /share/llm/models
    ///     settings: {keep_alive: "-1", num_parallel: 2, origins: ["*"]}
    ///
    /// - name: vLLM on all GPUs, with time for answers to end
    ///   lks.llm.runtime:
    ///     runtime: vllm
    ///     program: [/opt/vllm/bin/vllm]
    ///     version: 0.11.0
    ///     user: llm
    ///     model: /srv/models/qwen
    ///     served_name: qwen
    ///     settings: {tensor_parallel_size: 4, max_model_len: 32768, shutdown_timeout: 120}
    ///     environment: {HF_TOKEN: "{{ hf_token | default('') }}"}
    ///
    /// - name: llama.cpp on a host without a GPU
    ///   lks.llm.runtime:
    ///     runtime: llama_cpp
    ///     program: [/opt/llama.cpp/llama-server]
    ///     model: /srv/models/tiny.gguf
    ///     settings: {ctx_size: 8192, threads: 8, metrics: true}
    ///
    /// - name: Give it up
    ///   lks.llm.runtime:
    ///     runtime: sglang
    ///     state: absent
    /// ```
    pub struct Server {
        /// What serves.
        required runtime: Kind,
        /// Name of the unit, and of the container: `lks-RUNTIME` if not given.
        optional name: Option<String>,
        /// `started` now and at boot; `stopped` and not at boot; only `present` (written and enabled, not
        /// started); or `absent`: stopped, and its unit removed. Models and data stay.
        default(State::Started) state: State,
        /// Container image, with its digest (`IMAGE:TAG@sha256:…`). A program of the host if not given.
        optional image: Option<String>,
        /// What runs the container: docker where it is there, else podman, if not given.
        optional engine: Option<Engine>,
        /// The program and arguments that come before the module's own: the runtime's usual one, looked for
        /// in `PATH`, if not given. With `image`, what is called in it.
        optional program: Option<Vec<String>>,
        /// The version that the program must have; another one is refused before anything is changed.
        optional version: Option<String>,
        /// The model: a path of this host, or a name that the runtime fetches itself. Ollama takes none:
        /// it loads what it is asked for.
        optional model: Option<String>,
        /// The name under which the model is asked.
        optional served_name: Option<String>,
        /// Ollama's store of models (`…/models`), which may lie on a share.
        optional models: Option<HostPath>,
        /// Address on which it listens.
        default("127.0.0.1".to_string()) host: String,
        /// Port: the runtime's usual one if not given (11434, 8000, 8080, 30000, 3000).
        optional port: Option<u16>,
        /// GPUs that it may use: `all`, `none`, or their numbers (`0,1`). `auto`: all that are there.
        default("auto".to_string()) gpus: String,
        /// Account that runs the program (root if not given); containers run as their image says.
        optional user: Option<String>,
        /// Folder of the runtime's own data (caches, keys): `/var/lib/NAME` if not given.
        optional data_dir: Option<HostPath>,
        /// Settings of the runtime: see above.
        optional settings: Map,
        /// Arguments that are no setting here; they are passed as they are.
        optional extra_args: Vec<String>,
        /// More variables for the server. They are kept in a file that only root reads.
        optional environment: Map,
        /// What the server asks its clients for as a bearer token.
        optional api_key: Option<Secret<String>>,
        /// Seconds that the server gets to end its answers when it is stopped; 30, or vLLM's
        /// `shutdown_timeout` and 15 more, if not given.
        optional stop_timeout: Option<u64>,
        /// Checks whose failure is only a warning: `program`, `version`, `engine`, `toolkit`, `driver`,
        /// `memory`, `model`, `port`, `user`, `environment`.
        optional ignore: Vec<String>,
    }
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[
    ("name", "Name of the unit."),
    ("unit", "Path of the unit."),
    ("url", "Where the server answers, seen from this host."),
    ("definition", "What tells this definition from others."),
    ("gpus", "GPUs that it may use: `all`, `none`, or numbers."),
    (
        "restarted",
        "Whether the server was started (again) by this task.",
    ),
    (
        "findings",
        "What was looked at: `check`, `level` (`ok`, `warn`, `fail`), `message`, `advice`.",
    ),
];

/// Stages of a plan; each takes one step, since later ones judge its outcome.
const PULL: usize = 0;
const WRITE: usize = 1;
const RUN: usize = 2;

impl Module for Server {
    fn plan(&self, cx: &PlanCx<'_>) -> Result<Plan> {
        let mut plan = Plan::default();
        let name = self.name()?;
        plan.returns
            .set("name", name.as_str())
            .set("unit", unit_path(&name).to_string_lossy().into_owned());
        if let Some(why) = self.complaint(cx.outcomes) {
            plan.returns.fail(why);
            return Ok(plan);
        }
        if self.state == State::Absent {
            return self.plan_absent(cx, plan, &name);
        }
        let parts = self.parts(cx.host)?;
        let definition = parts.definition();
        plan.returns
            .set("url", parts.url())
            .set("definition", definition.stamp.as_str())
            .set("gpus", parts.gpus.as_str())
            .set("restarted", false);
        let work = Work::new(self, cx, &parts, &definition)?;
        if cx.stage == PULL || cx.stage >= RUN {
            let mut findings = trap::check(self, cx, &parts, &work)?;
            findings.ignore(&self.ignore, trap::KNOWN)?;
            plan.returns.set("findings", findings.value());
            plan.returns.warnings = findings.warnings();
            if let Some(why) = findings.failure() {
                plan.returns.fail(why);
                return Ok(plan);
            }
        }
        match cx.stage {
            PULL if work.pull => self.pull(&mut plan, &parts),
            PULL => {}
            WRITE => work.write(cx.host, &mut plan, &parts, &definition)?,
            _ => work.run(&mut plan, &name),
        }
        plan.returns
            .set("restarted", matches!(work.verb, Some("start" | "restart")));
        plan.more = cx.stage < RUN && (cx.stage > PULL || work.anything());
        Ok(plan)
    }

    fn finish(&self, _: &PlanCx<'_>, returns: &mut Returns, outcomes: &[Outcome]) -> Result<()> {
        let failed = outcomes
            .iter()
            .position(|o| matches!(o, Outcome::Ran(output) if !output.success()));
        if let Some(at) = failed.filter(|_| !returns.failed)
            && let Some(why) = self.complaint(&outcomes[..=at])
        {
            returns.fail(why);
        }
        Ok(())
    }
}

impl Server {
    fn name(&self) -> Result<String> {
        let usual = || format!("lks-{}", self.runtime.word().replace('_', "-"));
        let name = self.name.clone().unwrap_or_else(usual);
        let name = name.strip_suffix(".service").unwrap_or(&name).to_owned();
        let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        match name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(fits) {
            true => Ok(name),
            false => Err(Error::params(format!(
                "`{name}` is no name of a unit: letters, digits, `-`, `_` and `.`"
            ))),
        }
    }

    /// Why the last command failed, if it did.
    fn complaint(&self, outcomes: &[Outcome]) -> Option<String> {
        let Some(Outcome::Ran(output)) = outcomes.last() else {
            return None;
        };
        if output.success() {
            return None;
        }
        let said = crate::module::command::complaint(output);
        let name = self.name().unwrap_or_default();
        Some(format!(
            "{said}; `journalctl -u {name}` has what the server said"
        ))
    }

    /// Decides everything that the definition is made of.
    fn parts(&self, host: &dyn HostView) -> Result<Parts> {
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

    fn pull(&self, plan: &mut Plan, parts: &Parts) {
        if let Some((engine, path, image)) = &parts.container {
            let command = Command::new([&*path.to_string_lossy(), "pull", image]).with_progress();
            let subject = format!("{} image {image}", engine.word());
            plan.change(
                Diff::new(subject, Value::Null, "pulled\n"),
                command.effect(),
            );
        }
    }

    fn plan_absent(&self, cx: &PlanCx<'_>, mut plan: Plan, name: &str) -> Result<Plan> {
        let service = format!("{name}.service");
        let path = unit_path(name);
        let ours = cx.host.lstat(&path)?.is_some();
        if cx.stage == 0 {
            let unit = cx.host.unit(UnitScope::System, &service)?;
            if ours && (unit.is_active() || unit.get("UnitFileState") == "enabled") {
                systemctl(
                    &mut plan,
                    "disable",
                    &["--now", &service],
                    &service,
                    (Some(false), Some(false)),
                );
            }
            plan.more = ours || cx.host.lstat(&environment_path(name))?.is_some();
            return Ok(plan);
        }
        for path in [path, environment_path(name)] {
            if cx.host.lstat(&path)?.is_some() {
                let shown = path.to_string_lossy().into_owned();
                plan.change(
                    Diff::new(shown, "file\n", Value::Null),
                    Effect::Remove { path },
                );
            }
        }
        if ours {
            plan.act(Command::new(["systemctl", "daemon-reload"]).effect());
        }
        Ok(plan)
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

fn unit_path(name: &str) -> PathBuf {
    PathBuf::from(format!("/etc/systemd/system/{name}.service"))
}

fn systemctl(
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
struct Work {
    pull: bool,
    /// A file that differs, or a unit that systemd has not read.
    write: bool,
    verb: Option<&'static str>,
    enable: Option<bool>,
}

impl Work {
    fn new(
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

    fn anything(&self) -> bool {
        self.pull || self.write || self.verb.is_some() || self.enable.is_some()
    }

    fn write(
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

    fn run(&self, plan: &mut Plan, name: &str) {
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
fn running_stamp(host: &dyn HostView, pid: &str) -> Result<Option<String>> {
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

impl Parts {
    fn url(&self) -> String {
        let host = match self.host.as_str() {
            "0.0.0.0" | "::" | "*" => "127.0.0.1".to_owned(),
            other if other.contains(':') => format!("[{other}]"),
            other => other.to_owned(),
        };
        format!("http://{host}:{}", self.port)
    }

    fn owner(&self, host: &dyn HostView) -> Result<(u32, u32, u32)> {
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

/// Whether a unit's file is one of ours.
fn is_ours(host: &dyn HostView, name: &str) -> Result<Option<bool>> {
    let text = host.read(&unit_path(name))?;
    Ok(text.map(|t| t.starts_with(MARK.as_bytes())))
}
