//! `lks.llm.preflight`.

mod read;
mod room;

use crate::error::{Error, Result};
use crate::host::HostView;
use crate::module::llm::Runtime;
use crate::module::llm::container::{self, COMPOSE, Engine};
use crate::module::llm::finding::{Finding, Findings, Level};
use crate::module::llm::listening::listener;
use crate::module::llm::nvidia::Nvidia;
use crate::module::llm::share::{Health, is_remote, mount_of};
use crate::module::llm::weights::{self, Need, gpu_memory};
use crate::module::{HostPath, Module, Plan, PlanCx};
use crate::params;
use crate::value::{Key, Map, Value};
use std::path::Path;
use std::time::Duration;

/// Checks, in their order.
const KNOWN: &[&str] = &[
    "share", "read", "disk", "memory", "driver", "cuda", "engine", "compose", "toolkit", "port",
];
const GIB: f64 = (1_u64 << 30) as f64;

params! {
    /// Looks whether a host can serve a model, before anything is changed on it.
    ///
    /// It compares what there is with what the model and its runtime want, and gives a list of findings
    /// (`ok`, `warn`, `fail`) with figures and advice. With a finding of the level `fail` the task fails,
    /// and so nothing after it is done. It only reads: in check mode it does and says the same.
    ///
    /// A share is asked by a child process with a time limit, so that a dead server cannot hold it; its
    /// throughput is measured by a short, bounded read of one of its files.
    ///
    /// ```yaml
    /// - name: Can this host serve it?
    ///   lks.llm.preflight:
    ///     runtime: vllm
    ///     model: /srv/models/qwen
    ///     model_gib: 15.3
    ///     gpus: all
    ///     cuda: "12.8"
    ///     engine: docker
    ///     port: 8000
    ///
    /// - name: Is the share fast enough for cold starts?
    ///   lks.llm.preflight:
    ///     share: /share
    ///     min_read_mib_s: 50
    ///   register: looked
    ///
    /// - name: What it found
    ///   debug:
    ///     var: looked.findings
    /// ```
    pub struct Preflight {
        /// What will serve: it decides how much of a GPU's memory can be used.
        optional runtime: Option<Runtime>,
        /// Where the model is, or will be. Its size is looked at if it is there.
        optional model: Option<HostPath>,
        /// GiB of its weights, where it is not there yet.
        optional model_gib: Option<f64>,
        /// GiB that must be free at `model` (or at `path`) beyond the model itself.
        default(1.0) spare_gib: f64,
        /// Another folder in which there must be room (container images: `/var/lib/docker`).
        optional path: Option<HostPath>,
        /// GiB that must be free there.
        optional path_gib: Option<f64>,
        /// GiB of memory that the host must have.
        optional memory_gib: Option<f64>,
        /// GPUs that will be used: `auto` (all that are there), `all`, `none`, or numbers (`0,1`).
        default("auto".to_string()) gpus: String,
        /// GiB of GPU memory that they must have together.
        optional vram_gib: Option<f64>,
        /// Share of the GPUs' memory that the runtime takes: 0.9 for vLLM and SGLang, else 1.
        optional gpu_share: Option<f64>,
        /// CUDA that the runtime was built for (`12.8`): the driver must take it.
        optional cuda: Option<String>,
        /// The driver's lowest version.
        optional driver: Option<String>,
        /// The engine that will run a container; with GPUs, its toolkit is looked for too.
        optional engine: Option<Engine>,
        /// Whether the compose plugin will be used: one that is too old is then no mere warning.
        default(false) compose: bool,
        /// Port that must be free.
        optional port: Option<u16>,
        /// Where a share is mounted that must answer.
        optional share: Option<HostPath>,
        /// A file on it to read; the largest in its first folders if not given.
        optional read_file: Option<HostPath>,
        /// MiB that are read at most.
        default(64) read_mib: u64,
        /// Seconds that reading may take.
        default(10) read_seconds: u64,
        /// MiB/s that it must give; half as much again is wanted without a warning.
        optional min_read_mib_s: Option<f64>,
        /// Checks whose failure is only a warning: `share`, `read`, `disk`, `memory`, `driver`, `cuda`,
        /// `engine`, `compose`, `toolkit`, `port`.
        optional ignore: Vec<String>,
        /// Whether a finding of the level `fail` fails the task; if not, it only tells.
        default(true) fail: bool,
    }
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[
    ("ready", "Whether nothing is in the way."),
    (
        "findings",
        "What was looked at: `check`, `level` (`ok`, `warn`, `fail`), `message`, `advice`.",
    ),
    (
        "figures",
        "`model_gib`, `memory_gib`, `vram_gib`, `free_gib`, `read_mib_s`, as far as they are known.",
    ),
];

/// How long a share may take to answer.
const SHARE_LIMIT: Duration = Duration::from_secs(8);

impl Module for Preflight {
    fn plan(&self, cx: &PlanCx<'_>) -> Result<Plan> {
        if self.path.is_some() != self.path_gib.is_some() {
            return Err(Error::params(
                "parameters are required together: path, path_gib",
            ));
        }
        if self.share.is_none() && (self.min_read_mib_s.is_some() || self.read_file.is_some()) {
            return Err(Error::params(
                "`min_read_mib_s` and `read_file` need a `share`",
            ));
        }
        let mut look = Look {
            ask: self,
            host: cx.host,
            found: Findings::default(),
            figures: Map::new(),
        };
        look.share()?;
        look.room()?;
        look.memory_and_gpus()?;
        look.engine()?;
        look.port()?;
        let Look {
            mut found, figures, ..
        } = look;
        found.ignore(&self.ignore, KNOWN)?;
        let mut plan = Plan::default();
        plan.returns.changed = Some(false);
        plan.returns
            .set("ready", found.failure().is_none())
            .set("findings", found.value())
            .set("figures", figures);
        plan.returns.warnings = found.warnings();
        match found.failure() {
            Some(why) if self.fail => drop(plan.returns.fail(why)),
            Some(why) => plan.returns.warnings.push(why),
            None => {}
        }
        Ok(plan)
    }

    fn only_reads(&self) -> bool {
        true
    }
}

/// One look at a host.
struct Look<'a> {
    ask: &'a Preflight,
    host: &'a dyn HostView,
    found: Findings,
    figures: Map,
}

impl Look<'_> {
    fn figure(&mut self, name: &str, value: f64) {
        let short = (value * 100.0).round() / 100.0;
        self.figures.insert(Key::from(name), Value::Float(short));
    }

    /// Whether a share answers, and how fast it reads.
    fn share(&mut self) -> Result<()> {
        let Some(path) = &self.ask.share else {
            return Ok(());
        };
        let path = path.expand(self.host)?;
        let Some(mount) = mount_of(self.host, &path)?.filter(is_remote) else {
            let what = format!("nothing is mounted at `{}`", path.display());
            self.found.push(Finding::fail(
                "share",
                what,
                "mount it first (lks.llm.efs_mount)",
            ));
            return Ok(());
        };
        let health = Health::of(self.host, &mount.target, SHARE_LIMIT)?;
        let finding = health.finding(&mount, SHARE_LIMIT);
        let answers = finding.level == Level::Ok;
        self.found.push(finding);
        if answers && let Some(measured) = read::measure(self.host, self.ask, &path)? {
            self.figure("read_mib_s", measured.mib_s);
            self.found
                .push(read::finding(&measured, self.ask.min_read_mib_s, &mount));
        }
        Ok(())
    }

    /// Bytes of the model's weights: as they are, or as they will be.
    fn model_bytes(&self) -> Result<(Option<u64>, bool)> {
        if let Some(path) = self.model_path()?
            && self.is_answering(&path)?
            && let Some(bytes) = weights::size(self.host, &path)?
        {
            return Ok((Some(bytes), true));
        }
        Ok((self.ask.model_gib.map(|gib| (gib * GIB) as u64), false))
    }

    fn model_path(&self) -> Result<Option<String>> {
        let path = self
            .ask
            .model
            .as_ref()
            .map(|m| m.expand(self.host))
            .transpose()?;
        Ok(path.map(|p| p.to_string_lossy().into_owned()))
    }

    /// Whether looking at a path can hang: that of a share is only looked at when its server answers.
    fn is_answering(&self, path: &str) -> Result<bool> {
        match mount_of(self.host, Path::new(path))?.filter(is_remote) {
            None => Ok(true),
            Some(mount) => {
                let health = Health::of(self.host, &mount.target, SHARE_LIMIT)?;
                Ok(matches!(health, Health::Answers(_)))
            }
        }
    }

    fn room(&mut self) -> Result<()> {
        let (bytes, is_there) = self.model_bytes()?;
        if let Some(bytes) = bytes {
            self.figure("model_gib", bytes as f64 / GIB);
        }
        if let (Some(path), Some(bytes), false) = (self.model_path()?, bytes, is_there) {
            // A twentieth more: what is fetched in parts lies beside the file until it is whole.
            let need = bytes as f64 / GIB * 1.05 + self.ask.spare_gib;
            let (finding, free) = room::finding(self.host, Path::new(&path), need, SHARE_LIMIT)?;
            self.found.push(finding);
            free.into_iter()
                .for_each(|free| self.figure("free_gib", free));
        }
        if let (Some(path), Some(need)) = (&self.ask.path, self.ask.path_gib) {
            let path = path.expand(self.host)?;
            let (finding, free) = room::finding(self.host, &path, need, SHARE_LIMIT)?;
            self.found.push(finding);
            free.into_iter()
                .for_each(|free| self.figure("free_gib", free));
        }
        Ok(())
    }

    fn memory_and_gpus(&mut self) -> Result<()> {
        let memory = weights::memory(self.host)?;
        if let Some((total, _)) = memory {
            self.figure("memory_gib", total as f64 / GIB);
        }
        if let (Some(want), Some((total, _))) = (self.ask.memory_gib, memory) {
            let has = total as f64 / GIB;
            let what = format!("this host has {has:.1} GiB of memory, and {want:.1} are wanted");
            self.found.push(match has < want {
                true => Finding::fail("memory", what, "take a larger host"),
                false => Finding::ok("memory", what),
            });
        }
        let nvidia = match self.ask.gpus.as_str() {
            "none" => Nvidia::default(),
            _ => Nvidia::look(self.host),
        };
        let wants = matches!(self.ask.gpus.as_str(), "all")
            || self.ask.vram_gib.is_some()
            || self.ask.cuda.is_some();
        let uses = self.ask.gpus != "none" && (wants || nvidia.is_there());
        if uses {
            self.gpus(&nvidia);
        }
        let (Some(bytes), _) = self.model_bytes()? else {
            return Ok(());
        };
        let model = self.model_path()?.unwrap_or_else(|| "the model".into());
        let need = Need {
            model: &model,
            bytes,
            share: self.ask.gpu_share.unwrap_or(match self.ask.runtime {
                Some(Runtime::Vllm | Runtime::Sglang) => 0.9,
                _ => 1.0,
            }),
        };
        let mib = gpu_memory(&nvidia, chosen(&self.ask.gpus));
        if uses && !mib.is_empty() {
            self.found.push(need.in_gpus(&mib));
        } else if !uses && let Some(memory) = memory {
            self.found.push(need.in_memory(memory));
        }
        Ok(())
    }

    /// Driver, CUDA, and the memory of the GPUs.
    fn gpus(&mut self, nvidia: &Nvidia) {
        if !nvidia.is_there() {
            let what = "a GPU is wanted, and this host has none";
            self.found.push(Finding::fail(
                "driver",
                what,
                "say `gpus: none`, or take a host with one",
            ));
            return;
        }
        self.found.push(nvidia.finding());
        if let (Some(want), Some(is)) = (&self.ask.driver, nvidia.driver()) {
            let what = format!("the driver is {is}, and {want} or later is wanted");
            self.found.push(match numbers(&is) < numbers(want) {
                true => Finding::fail(
                    "driver",
                    what,
                    "install a newer one (lks.llm.gpu) and reboot",
                ),
                false => Finding::ok("driver", what),
            });
        }
        if let (Some(want), Some(takes)) = (&self.ask.cuda, nvidia.cuda()) {
            self.found.push(cuda(want, &takes));
        }
        let mib: f64 = gpu_memory(nvidia, chosen(&self.ask.gpus)).iter().sum();
        let has = mib / 1024.0;
        if mib > 0.0 {
            self.figure("vram_gib", has);
        }
        if let Some(want) = self.ask.vram_gib {
            let what = format!("the GPUs have {has:.1} GiB, and {want:.1} are wanted");
            self.found.push(match has < want {
                true => Finding::fail(
                    "memory",
                    what,
                    "take more or larger GPUs, or a quantised model",
                ),
                false => Finding::ok("memory", what),
            });
        }
    }

    fn engine(&mut self) -> Result<()> {
        let Some(engine) = self.ask.engine else {
            return Ok(());
        };
        if self.host.which(engine.word())?.is_none() {
            let what = format!("there is no `{}` on this host", engine.word());
            self.found
                .push(Finding::fail("engine", what, "install docker.io or podman"));
            return Ok(());
        }
        let gpus = self.ask.gpus != "none" && Nvidia::cards(self.host).is_there();
        container::check(self.host, engine, gpus, &mut self.found)?;
        if self.ask.compose {
            let has = self.found.0.iter().any(|f| f.check == COMPOSE);
            for finding in &mut self.found.0 {
                if finding.check == COMPOSE && finding.level == Level::Warn {
                    finding.level = Level::Fail;
                }
            }
            if !has {
                let what = "there is no compose plugin";
                self.found
                    .push(Finding::fail(COMPOSE, what, "install docker-compose-v2"));
            }
        }
        Ok(())
    }

    fn port(&mut self) -> Result<()> {
        let Some(port) = self.ask.port else {
            return Ok(());
        };
        self.found.push(match listener(self.host, port)? {
            None => Finding::ok("port", format!("port {port} is free")),
            Some(other) => Finding::fail(
                "port",
                format!("port {port} is taken by {}", other.text()),
                "stop it, or choose another port",
            ),
        });
        Ok(())
    }
}

fn chosen(gpus: &str) -> &str {
    if gpus == "auto" { "all" } else { gpus }
}

fn numbers(version: &str) -> Vec<u32> {
    version
        .split('.')
        .map_while(|part| part.parse().ok())
        .collect()
}

/// Whether a driver that takes CUDA up to `takes` runs what was built for `want` (NVIDIA, "CUDA
/// compatibility": within a major version it does, with limits).
fn cuda(want: &str, takes: &str) -> Finding {
    let (w, t) = (numbers(want), numbers(takes));
    let what = format!("the driver takes CUDA {takes}, and the runtime was built for {want}");
    match (w.first(), t.first()) {
        (Some(w_major), Some(t_major)) if w_major > t_major => Finding::fail(
            "cuda",
            what,
            "install a newer driver (lks.llm.gpu), or take a build for an older CUDA",
        ),
        _ if w > t => Finding::warn(
            "cuda",
            what,
            "it runs by minor-version compatibility; a newer driver is safer",
        ),
        _ => Finding::ok("cuda", what),
    }
}
