//! The systemd unit of a runtime, as text: of its program, or of the container that an engine runs.

use super::Kind;
use crate::host::{Digest, digest_of};
use crate::module::llm::container::Engine;
use crate::module::llm::quote::systemd_quoted;
use std::path::{Path, PathBuf};

/// Where files of variables lie; only root reads them.
pub const ENVIRONMENTS: &str = "/etc/lks/llm";
/// How a unit of ours begins.
pub const MARK: &str =
    "# Written by lks.llm.runtime: changes made here are undone by its next run.\n";
/// The variable by which a running server is known to have this definition.
pub const STAMP: &str = "LKS_DEFINITION";
/// A key that a runtime takes only as an argument: its variable, and the word that systemd replaces.
pub const KEY_NAME: &str = "LKS_API_KEY";
/// As above.
pub const KEY_WORD: &str = "${LKS_API_KEY}";
/// Seconds that a server gets to stop, where nothing else is said.
const STOP: u64 = 30;

/// Everything that the text is made of, decided.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Parts {
    pub kind: Kind,
    pub name: String,
    /// The engine, its program's full path, and the image; a program of the host if not given.
    pub container: Option<(Engine, PathBuf, String)>,
    /// The program and the arguments that come before ours.
    pub program: Vec<String>,
    pub model: Option<String>,
    pub served_name: Option<String>,
    pub host: String,
    pub port: u16,
    /// `all`, `none`, or numbers.
    pub gpus: String,
    /// Whether the engine gives GPUs by CDI.
    pub cdi: bool,
    pub user: Option<String>,
    pub data_dir: PathBuf,
    pub models: Option<PathBuf>,
    /// Variables that are no secrets.
    pub env: Vec<(String, String)>,
    /// Arguments: a flag and its value are one entry.
    pub args: Vec<Vec<String>>,
    /// Variables that only root may read.
    pub secret: Vec<(String, String)>,
    /// Seconds that a stop may take.
    pub stop: Option<u64>,
    pub shared_memory: bool,
}

/// What is written to the host.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Definition {
    pub unit: String,
    /// The file of variables; it holds secrets.
    pub environment: String,
    /// What tells this definition from others.
    pub stamp: String,
}

/// The file of variables that goes with a unit.
#[must_use]
pub fn environment_path(name: &str) -> PathBuf {
    Path::new(ENVIRONMENTS).join(format!("{name}.env"))
}

impl Parts {
    /// Both texts.
    #[must_use]
    pub fn definition(&self) -> Definition {
        let unit = self.unit();
        let mut secrets = String::new();
        for (name, value) in &self.secret {
            secrets.push_str(&format!("{name}={}\n", systemd_quoted(value)));
        }
        let whole = format!("{unit}\0{secrets}");
        let stamp: String = digest_of(whole.as_bytes(), Digest::Sha256)
            .chars()
            .take(16)
            .collect();
        Definition {
            unit,
            environment: format!("{STAMP}={stamp}\n{secrets}"),
            stamp,
        }
    }

    fn unit(&self) -> String {
        let runtime = self.kind.title();
        let what = match &self.model {
            Some(model) => format!("{runtime} serving {model}"),
            None => runtime.to_owned(),
        };
        let mut out = format!("{MARK}[Unit]\n");
        let mut line = |text: String| {
            out.push_str(&text);
            out.push('\n');
        };
        line(format!("Description={}", what.replace('%', "%%")));
        line(format!("Documentation={}", self.kind.pages()));
        // An engine that is stopped and started again, as an upgrade does, finds the server trying again:
        // `Requires=` would have ended it for good.
        let engine = match &self.container {
            Some((Engine::Docker, ..)) => " docker.service",
            _ => "",
        };
        line(format!("Wants=network-online.target{engine}"));
        line(format!("After=network-online.target{engine}"));
        // Models on a share: not before it is mounted.
        for path in self.paths() {
            line(format!(
                "RequiresMountsFor={}",
                quoted(&path.to_string_lossy())
            ));
        }
        // A server that cannot start yet (its share, its GPU) is tried for ever, not five times.
        line("StartLimitIntervalSec=0".into());
        line("\n[Service]\nType=exec".into());
        match &self.container {
            None => self.program_lines(&mut line),
            Some((engine, path, image)) => self.container_lines(*engine, path, image, &mut line),
        }
        line("Restart=always\nRestartSec=3".into());
        line("\n[Install]\nWantedBy=multi-user.target".into());
        out
    }

    /// Folders that must be mounted.
    fn paths(&self) -> Vec<PathBuf> {
        let mut paths = vec![self.data_dir.clone()];
        paths.extend(self.models.clone());
        paths.extend(self.model_path().map(Path::to_path_buf));
        paths.dedup();
        paths
    }

    fn model_path(&self) -> Option<&Path> {
        let path = Path::new(self.model.as_deref()?);
        path.is_absolute().then_some(path)
    }

    fn program_lines(&self, line: &mut dyn FnMut(String)) {
        if let Some(user) = &self.user {
            line(format!("User={user}"));
        }
        // Without HOME, which units do not have, Ollama does not start and caches go to `/`.
        line(format!("WorkingDirectory={}", self.data_dir.display()));
        line(assignment("HOME", &self.data_dir.to_string_lossy()));
        for (name, value) in self.variables() {
            line(assignment(&name, &value));
        }
        line(format!(
            "EnvironmentFile={}",
            environment_path(&self.name).display()
        ));
        line(format!("ExecStart={}", folded(&self.command())));
        line(format!("TimeoutStopSec={}", self.stop.unwrap_or(STOP)));
        line("LimitNOFILE=1048576\nLimitMEMLOCK=infinity".into());
        line("NoNewPrivileges=true\nProtectSystem=full\nPrivateTmp=true".into());
    }

    fn container_lines(
        &self,
        engine: Engine,
        path: &Path,
        image: &str,
        line: &mut dyn FnMut(String),
    ) {
        let program = path.to_string_lossy();
        let stop = self.stop.unwrap_or(STOP);
        // The engine's own HOME: there are the credentials of registries.
        line(assignment("HOME", "/root"));
        line(format!(
            "EnvironmentFile={}",
            environment_path(&self.name).display()
        ));
        line(format!("ExecStartPre=-{program} rm --force {}", self.name));
        let start = self.run_words(engine, &program, image);
        line(format!("ExecStart={}", folded(&start)));
        line(format!("ExecStop={program} stop -t {stop} {}", self.name));
        line(format!(
            "TimeoutStartSec=infinity\nTimeoutStopSec={}",
            stop + 15
        ));
    }

    /// `docker run …`, each option with its value.
    fn run_words(&self, engine: Engine, program: &str, image: &str) -> Vec<Vec<String>> {
        let mut out: Vec<Vec<String>> = vec![words(&[program, "run"])];
        let mut add = |list: &[&str]| out.push(words(list));
        add(&["--rm"]);
        add(&["--name", &self.name]);
        add(&["--pull", "never"]);
        let publish = match self.host.contains(':') {
            true => format!("[{}]:{1}:{1}", self.host, self.port),
            false => format!("{}:{1}:{1}", self.host, self.port),
        };
        add(&["--publish", &publish]);
        add(&["--stop-timeout", &self.stop.unwrap_or(STOP).to_string()]);
        add(&["--ulimit", "nofile=1048576:1048576"]);
        if self.gpus != "none" {
            for device in self.device_words(engine) {
                add(&[device.0, &device.1]);
            }
        }
        if self.shared_memory {
            add(&["--ipc", "host"]);
        }
        for (from, to, mode) in self.volumes() {
            add(&["--volume", &format!("{}:{to}{mode}", from.display())]);
        }
        for (name, value) in self.variables() {
            add(&["--env", &format!("{name}={value}")]);
        }
        // By name only: the engine's program takes the value from its own environment.
        for (name, _) in &self.secret {
            add(&["--env", name]);
        }
        let command = self.command();
        let mut command = command.into_iter();
        // The image's own entry point differs from version to version: where ours names a program, it is said.
        let first = command.next().unwrap_or_default();
        match first.split_first() {
            Some((entry, rest)) => {
                add(&["--entrypoint", entry]);
                add(&[image]);
                if !rest.is_empty() {
                    out.push(rest.to_vec());
                }
            }
            None => add(&[image]),
        }
        out.extend(command);
        out
    }

    fn device_words(&self, engine: Engine) -> Vec<(&'static str, String)> {
        let cdi = self.cdi || engine == Engine::Podman;
        match (cdi, self.gpus.as_str()) {
            (false, "all") => vec![("--gpus", "all".into())],
            (false, list) => vec![("--gpus", format!("\"device={list}\""))],
            (true, list) => list
                .split(',')
                .map(|gpu| ("--device", format!("nvidia.com/gpu={}", gpu.trim())))
                .collect(),
        }
    }

    fn volumes(&self) -> Vec<(PathBuf, String, &'static str)> {
        let mut out = vec![(self.data_dir.clone(), self.kind.home().to_owned(), "")];
        if let Some(models) = &self.models {
            out.push((models.clone(), format!("{}/models", self.kind.home()), ""));
        }
        if let Some(path) = self.model_path() {
            // A file with its folder: a split model has more files there.
            let is_file = path.extension().is_some_and(|e| e == "gguf");
            let folder = if is_file {
                path.parent().unwrap_or(path)
            } else {
                path
            };
            out.push((
                folder.to_path_buf(),
                folder.to_string_lossy().into_owned(),
                ":ro",
            ));
        }
        out
    }

    /// Variables of the runtime, ours and the user's.
    fn variables(&self) -> Vec<(String, String)> {
        let mut out = Vec::new();
        let inside = self.container.is_some();
        if self.kind == Kind::Ollama {
            let host = if inside { "0.0.0.0" } else { &self.host };
            let host = match host.contains(':') {
                true => format!("[{host}]:{}", self.port),
                false => format!("{host}:{}", self.port),
            };
            out.push(("OLLAMA_HOST".to_owned(), host));
            if let Some(models) = self.models.as_ref().filter(|_| !inside) {
                let path = models.to_string_lossy().into_owned();
                out.push(("OLLAMA_MODELS".to_owned(), path));
            }
        }
        if !inside && self.gpus != "all" {
            // A number that no GPU has hides them all.
            let visible = if self.gpus == "none" {
                "-1"
            } else {
                &self.gpus
            };
            out.push(("CUDA_VISIBLE_DEVICES".to_owned(), visible.to_owned()));
        }
        out.extend(self.env.iter().cloned());
        out
    }

    /// The server's command line, each flag with its value.
    fn command(&self) -> Vec<Vec<String>> {
        let inside = self.container.is_some();
        let host = if inside { "0.0.0.0" } else { &self.host };
        let port = self.port.to_string();
        let mut out = vec![self.program.clone()];
        let model = self.model.as_deref().unwrap_or_default();
        let mut add = |list: &[&str]| out.push(words(list));
        match self.kind {
            Kind::Ollama => add(&["serve"]),
            Kind::Vllm => add(&["serve", model]),
            Kind::LlamaCpp => add(&["--model", model]),
            Kind::Sglang => add(&["--model-path", model]),
            Kind::Tgi => add(&["--model-id", model]),
        }
        if self.kind != Kind::Ollama {
            let address = if self.kind == Kind::Tgi {
                "--hostname"
            } else {
                "--host"
            };
            add(&[address, host]);
            // Always said: defaults differ between versions and images.
            add(&["--port", &port]);
        }
        if let (Some(name), Some(flag)) = (&self.served_name, self.kind.name_flag()) {
            add(&[flag, name]);
        }
        out.extend(self.args.iter().cloned());
        out
    }
}

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|w| (*w).to_owned()).collect()
}

fn assignment(name: &str, value: &str) -> String {
    // `$` has no meaning here, `%` has.
    format!(
        "Environment={}",
        systemd_quoted(&format!("{name}={value}")).replace('%', "%%")
    )
}

/// A command line on several lines: a flag and its value on each.
fn folded(lines: &[Vec<String>]) -> String {
    let line = |words: &Vec<String>| {
        let words: Vec<String> = words.iter().map(|w| argument(w)).collect();
        words.join(" ")
    };
    let filled: Vec<String> = lines.iter().filter(|l| !l.is_empty()).map(line).collect();
    filled.join(" \\\n    ")
}

/// A word of a command line: systemd would replace `%` and `$`.
fn argument(word: &str) -> String {
    match word {
        KEY_WORD => word.to_owned(),
        other => quoted(other).replace('$', "$$"),
    }
}

fn quoted(word: &str) -> String {
    systemd_quoted(word).replace('%', "%%")
}
