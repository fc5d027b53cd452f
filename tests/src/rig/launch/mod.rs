//! From the launch of an EC2 instance to a report, with no hand in between: a real controller, real
//! cloud-init, and user-data of `lks-ctl bootstrap` as all that the host is given.
//!
//! [`worker`] has the first user's playbook assigned to new hosts; [`kinds`] `playbooks/worker.yml` around
//! it; [`llm`] a chain of the LLM modules that ends behind a load balancer, and takes the host out again
//! while it streams answers.

mod kinds;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::cloud::{Cloud, SMBIOS};
use super::controller::Controller;
use super::options::Options;
use super::services::{EFS, Surroundings};
use super::stage::{say, stage};
use super::vm::Vm;
use super::{
    Attempt, Failure, Result, data, disk, ensure, first_light, ollama, process, reported, setup,
};

pub use kinds::run as kinds;

/// An emulator on a busy machine: boot and cloud-init.
const BOOT: Duration = Duration::from_secs(900);
/// The same, for a playbook that installs a docker engine.
const RUN: Duration = Duration::from_secs(1800);
/// Between two looks.
const GLANCE: Duration = Duration::from_millis(500);
/// EC2 takes no more user-data.
const MOST_USER_DATA: usize = 16 << 10;
/// Where the model's server listens.
const PORT: u16 = 8080;
/// Where the host finds packages and models.
const MIRROR: &str = "http://10.77.0.1:8000";
/// Tokens of an answer: half a minute or more under an emulator, and less than `drain.yml` waits.
const ANSWER: u32 = 150;
/// Answers under way while the host is drained.
const STREAMS: usize = 4;

/// An instance that was launched, and who watches it.
struct Launch {
    vm: Vm,
    cloud: Cloud,
    controller: Controller,
    switched_on: Instant,
}

/// The first user's host.
///
/// # Errors
/// When a stage fails.
pub fn worker(options: &Options) -> Result<()> {
    stage("images", || disk::get().and_then(|_| ollama::get()))?;
    let variables = json!({"efs_ip": EFS});
    let (around, cloud, controller) = prepared(options, PORT, &[&options.playbook], &variables)?;
    let mut launch = Launch::switch_on(around, cloud, controller)?;
    launch.watch()?;
    stage("the host is as the playbook says", || {
        first_light::converged(&mut launch.vm)
    })
}

/// A host that serves a language model: into service, and out again.
///
/// # Errors
/// When a stage fails.
pub fn llm(options: &Options) -> Result<()> {
    let wheels = stage("images", || disk::get().and_then(|_| setup::wheels()))?;
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../playbooks");
    let files = [
        data("launch-llm.yml"),
        shipped.join("llama_cpp.yml"),
        shipped.join("drain.yml"),
    ];
    let variables = json!({
        "efs_ip": EFS,
        "llama_cpp_model_url": format!("{MIRROR}/tiny.gguf"),
        "llama_cpp_models_dir": "/models",
        "llama_cpp_pip_args": format!("--no-index --find-links {MIRROR} --trusted-host 10.77.0.1"),
        "llama_cpp_host": "0.0.0.0",
        "llama_cpp_port": PORT,
        "llama_cpp_settings": {"ctx_size": 2048 * STREAMS, "parallel": STREAMS, "metrics": true, "slots": true},
    });
    let files: Vec<_> = files.iter().collect();
    let (mut around, cloud, controller) = prepared(options, PORT, &files, &variables)?;
    serve_files(&mut around, |dir| {
        process::run(Command::new("cp").arg("-r").arg(wheels).arg(dir))?;
        tiny_model(&dir.join("tiny.gguf"), 7)
    })?;
    let mut launch = Launch::switch_on(around, cloud, controller)?;
    launch.watch()?;
    stage("the load balancer calls it healthy", || {
        launch.is_healthy("lks-tg-chat")
    })?;
    stage("drained while it streams, and no answer is cut", || {
        launch.drain()
    })
}

/// Everything that is there before the instance: the region, the controller, the playbook that new hosts
/// run, and user-data.
fn prepared(
    options: &Options,
    port: u16,
    files: &[&std::path::PathBuf],
    variables: &Value,
) -> Result<(Surroundings, Cloud, Controller)> {
    let (mut around, mut cloud) = stage("the region", || {
        let mut around = Surroundings::open()?;
        let cloud = Cloud::start(&mut around, port)?;
        Ok((around, cloud))
    })?;
    let controller = stage("lks-ctl serve", || {
        Controller::start(&mut around, &options.agent)
    })?;
    stage("lks-ctl bundle assign", || {
        let mut first = None;
        for file in files {
            let name = file.file_name().unwrap_or_default();
            let to = controller.site().join(name);
            fs::copy(file, &to).attempt(format_args!("cannot copy {}", file.display()))?;
            first.get_or_insert(to.display().to_string());
        }
        let (playbook, variables) = (first.unwrap_or_default(), variables.to_string());
        let words = [
            "bundle", "assign", "--hosts", "i-*", "-e", &variables, &playbook,
        ];
        let said = controller.call(&around, &words)?;
        say(format_args!("     {}", said.trim_end()));
        Ok(())
    })?;
    let user_data = stage("lks-ctl bootstrap", || {
        let agent = options.agent.display().to_string();
        let words = ["bootstrap", "--agent", &agent, "--agent-url", "controller"];
        controller.call(&around, &words)
    })?;
    say(format_args!("     {} bytes of user-data", user_data.len()));
    ensure(
        user_data.len() <= MOST_USER_DATA,
        "EC2 does not take that much",
    )?;
    ensure(
        user_data.contains("--join iam") && !user_data.contains("lks-join-"),
        "the user-data has a token, or does not say to join by the role",
    )?;
    cloud.launch_with(&user_data)?;
    Ok((around, cloud, controller))
}

/// A web server of what is put into its folder, as a package index, a hub or a registry is one.
fn serve_files(around: &mut Surroundings, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let dir = around.namespace.dir().join("mirror");
    fill(&dir)?;
    let mut server = around.namespace.command("python3");
    server.args(["-m", "http.server", "--bind", "10.77.0.1", "8000"]);
    server.arg("--directory").arg(&dir);
    around.serve("mirror", &mut server, Some("10.77.0.1:8000"))
}

/// A model of half a megabyte; another seed is another one.
fn tiny_model(to: &Path, seed: u32) -> Result<()> {
    let mut writer = Command::new(setup::python()?.join("bin/python"));
    writer
        .arg(data("tiny_model.py"))
        .arg(to)
        .arg(seed.to_string());
    process::run(&mut writer).map(drop)
}

impl Launch {
    fn switch_on(around: Surroundings, cloud: Cloud, controller: Controller) -> Result<Self> {
        let vm = stage("launch", || Vm::power_on(around, SMBIOS))?;
        Ok(Self {
            vm,
            cloud,
            controller,
            switched_on: Instant::now(),
        })
    }

    /// From the launch to a complete run on the controller: nothing is done but looking.
    fn watch(&mut self) -> Result<()> {
        self.console("cloud-init runs the user-data", "lks: fetching controller")?;
        self.console(
            "the agent is fetched and verified",
            "lks: the agent is installed",
        )?;
        self.console("its service starts", "lks: lks-agent is started")?;
        self.until("it joins by its role", BOOT, |launch| {
            let hosts = launch.controller.hosts(launch.vm.around())?;
            Ok((hosts == [launch.cloud.instance.as_str()]).then_some(()))
        })?;
        let run = self.until("its first task", BOOT, |launch| {
            let around = launch.vm.around();
            let Some((run, _)) = launch.controller.run(around)? else {
                return Ok(None);
            };
            let events = launch.controller.events(around, &run)?;
            let begun = events.iter().any(|e| e["type"] == "task_finished");
            Ok(begun.then_some(run))
        })?;
        let status = self.until("the run is over", RUN, |launch| {
            let run = launch.controller.run(launch.vm.around())?;
            Ok(run.and_then(|(_, status)| status))
        })?;
        let events = self.controller.events(self.vm.around(), &run)?;
        if status != 0 {
            let said = self.controller.call(self.vm.around(), &["events", &run]);
            self.vm.wait()?;
            let journal = self.vm.exec("journalctl --no-pager --lines 30")?;
            return Err(Failure::new(format!(
                "the run ended with {status}:\n{}\nthe host's journal:\n{}",
                said.unwrap_or_else(|failure| failure.to_string()),
                process::tail(&journal)
            )));
        }
        stage("the report is complete", || {
            for task in reported::complete(&events)? {
                say(format_args!(
                    "     {:<10} {:>7.1} s  {}",
                    task.status,
                    task.millis as f64 / 1000.0,
                    task.name
                ));
            }
            Ok(())
        })?;
        stage("cloud-init has nothing to complain of", || {
            self.vm.wait()?;
            let told = self.vm.exec("cloud-init status --wait --long; cloud-id")?;
            ensure(
                told.contains("status: done") && told.ends_with("aws\n"),
                format_args!("cloud-init says {told}"),
            )
        })
    }

    /// Waits until the console's log, which EC2 shows (`get-console-output`), has these words.
    fn console(&mut self, name: &str, words: &str) -> Result<()> {
        self.until(name, BOOT, |launch| {
            let log = launch.vm.log("serial");
            if let Some(line) = log.lines().find(|line| line.contains("lks: FAILED")) {
                return Err(Failure::new(line.to_owned()));
            }
            Ok(log.contains(words).then_some(()))
        })
    }

    /// Looks until something is so, and says when it was.
    fn until<T>(
        &mut self,
        name: &str,
        limit: Duration,
        mut look: impl FnMut(&mut Self) -> Result<Option<T>>,
    ) -> Result<T> {
        let found = stage(name, || {
            let begun = Instant::now();
            loop {
                if let Some(found) = look(self)? {
                    return Ok(found);
                }
                self.vm.still_runs()?;
                if begun.elapsed() > limit {
                    let (serial, controller) = (self.vm.log("serial"), self.vm.log("controller"));
                    return Err(Failure::new(format!(
                        "not after {limit:?}; the console:\n{}\nthe controller:\n{}",
                        process::tail(&serial),
                        process::tail(&controller)
                    )));
                }
                std::thread::sleep(GLANCE);
            }
        })?;
        let seconds = self.switched_on.elapsed().as_secs_f64();
        say(format_args!("     {seconds:.1} s after the launch"));
        Ok(found)
    }

    fn is_healthy(&mut self, group: &str) -> Result<()> {
        let health = self.cloud.health(self.vm.around(), group)?;
        ensure(
            health == "healthy",
            format_args!("{group} calls it {health}"),
        )
    }

    /// Takes the host out of service by the playbook that ships, while it gives answers.
    fn drain(&mut self) -> Result<()> {
        let url = format!("http://10.77.0.10:{PORT}");
        let streams = (0..STREAMS)
            .map(|_| self.stream(&url))
            .collect::<Result<Vec<_>>>()?;
        let begun = Instant::now();
        while self.busy(&url)? < STREAMS {
            ensure(
                begun.elapsed() < Duration::from_secs(60),
                "the streams do not begin",
            )?;
        }
        let variables = json!({
            "drain_target_group": "lks-tg-chat",
            "drain_runtime": "llama_cpp",
            "drain_url": format!("http://127.0.0.1:{PORT}"),
            "drain_stop": "systemctl stop lks-llama-cpp",
        })
        .to_string();
        let playbook = self
            .controller
            .site()
            .join("drain.yml")
            .display()
            .to_string();
        let words = ["run", "-c", "agent", "-e", &variables, &playbook];
        let said = self.controller.call(self.vm.around(), &words)?;
        say(said.trim_end());
        for stream in streams {
            let output = stream.wait_with_output()?;
            let answer = String::from_utf8_lossy(&output.stdout);
            let whole = answer.contains("\"finish_reason\":\"length\"")
                && answer.trim_end().ends_with("data: [DONE]");
            ensure(
                output.status.success() && whole,
                format_args!("an answer was cut: …{}", process::tail(&answer)),
            )?;
        }
        let health = self.cloud.health(self.vm.around(), "lks-tg-chat")?;
        ensure(
            health != "healthy",
            format_args!("the load balancer still calls it {health}"),
        )?;
        let state = self.vm.try_exec("systemctl is-active lks-llama-cpp")?;
        ensure(
            state.stdout.trim() == "inactive",
            format_args!("the server is {}", state.stdout.trim()),
        )
    }

    /// An answer that takes a while, asked for from outside the host, as a load balancer's clients do.
    fn stream(&mut self, url: &str) -> Result<Child> {
        let body = json!({"model": "tiny", "prompt": "hello", "max_tokens": ANSWER, "stream": true, "ignore_eos": true});
        let mut curl = self.vm.around().namespace.command("curl");
        curl.args(["-sSN", "--fail", "--max-time", "600", "-H"])
            .args(["Content-Type: application/json", "-d", &body.to_string()])
            .arg(format!("{url}/v1/completions"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        curl.spawn().attempt("cannot start curl")
    }

    fn busy(&mut self, url: &str) -> Result<usize> {
        let mut curl = self.vm.around().namespace.command("curl");
        let slots = process::run(curl.args(["-sS", "--fail", &format!("{url}/slots")]))?;
        Ok(slots.matches("\"is_processing\":true").count())
    }
}
