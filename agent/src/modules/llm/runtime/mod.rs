//! `lks.llm.runtime`.

mod definition;
mod kind;
mod parts;
mod setting;
mod table;
#[cfg(test)]
mod tests;
mod trap;
mod work;

use crate::error::{Error, Result};
use crate::host::{Command, Effect, Outcome, UnitScope};
use crate::module::llm::Runtime;
use crate::module::llm::container::Engine;
use crate::module::{Diff, HostPath, Module, Plan, PlanCx, Returns};
use crate::secret::Secret;
use crate::value::{Map, Value};
use crate::{choices, params};
use definition::{Parts, environment_path};
use work::{Work, is_ours, systemctl, unit_path};

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
