//! `playbooks/worker.yml` around the first user's playbook, as it is: from the launch to a worker of the kind
//! that its tag says, behind its target group; then the same host as each of the other kinds.

use std::path::Path;

use serde_json::{Value, json};

use super::{Launch, MIRROR, prepared, serve_files, tiny_model};
use crate::models::registry;
use crate::rig::options::Options;
use crate::rig::services::EFS;
use crate::rig::stage::{say, stage};
use crate::rig::{Attempt, Result, disk, ensure, first_light, ollama, process};

/// Where the playbook's service listens.
const PORT: u16 = 11434;
/// The first user's models.
const MODELS: [&str; 3] = ["orca-mini", "llama3", "nomic-embed-text"];
/// What its container must have been told by the file beside the user's compose file.
const TOLD: [&str; 4] = [
    "OLLAMA_KEEP_ALIVE=-1",
    "OLLAMA_NOPRUNE=1",
    "OLLAMA_ORIGINS=*",
    "OLLAMA_CONFIG=/var/lib/ollama/config.yaml",
];

/// A worker that is launched with nothing but user-data, and tagged as one of the kind `llm`.
///
/// # Errors
/// When a stage fails.
pub fn run(options: &Options) -> Result<()> {
    stage("images", || disk::get().and_then(|_| ollama::get()))?;
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../playbooks/worker.yml");
    let variables = json!({
        "efs_ip": EFS,
        "worker_registry": MIRROR,
        "worker_target_groups": {"llm": "lks-tg-llm", "scoring": "lks-tg-scoring", "chat": "lks-tg-chat"},
    });
    // Beside worker.yml it is found under the name that worker.yml expects.
    let own = std::env::temp_dir().join(format!("lks-kinds-{}", std::process::id()));
    std::fs::create_dir_all(&own)?;
    let playbook = own.join("playbook.yml");
    std::fs::copy(&options.playbook, &playbook)?;
    let prepared = prepared(options, PORT, &[&shipped, &playbook], &variables);
    std::fs::remove_dir_all(&own)?;
    let (mut around, cloud, controller) = prepared?;
    stage("a registry of three models", || {
        serve_files(&mut around, |dir| {
            std::fs::create_dir_all(dir)?;
            for (seed, name) in (1..).zip(MODELS) {
                let file = dir.join(name);
                tiny_model(&file, seed)?;
                registry::put(dir, name, &file)?;
            }
            Ok(())
        })
    })?;
    let mut launch = Launch::switch_on(around, cloud, controller)?;
    launch.watch()?;
    stage("the host is as the user's playbook says", || {
        first_light::converged(&mut launch.vm)
    })?;
    stage("and as worker.yml says", || as_said(&mut launch))?;
    stage("in service as its tag says: llm", || {
        launch.is_healthy("lks-tg-llm")
    })?;
    for (kind, changes) in [("llm", 1), ("scoring", 2), ("chat", 2)] {
        stage(
            &format!("as a {kind} worker, by a run of the operator"),
            || {
                again(&mut launch, &variables, kind, changes)?;
                launch.is_healthy(&format!("lks-tg-{kind}"))
            },
        )?;
    }
    Ok(())
}

/// What worker.yml brings beside the user's playbook, seen from outside the agent.
fn as_said(launch: &mut Launch) -> Result<()> {
    let tags = format!("curl -sS --fail http://10.77.0.10:{PORT}/api/tags");
    let listed = launch.vm.around().namespace.script(&tags)?;
    for name in MODELS {
        ensure(
            listed.contains(&format!("\"{name}:latest\"")),
            format_args!("/api/tags does not list {name}: {listed}"),
        )?;
    }
    let told = launch
        .vm
        .exec("docker inspect --format '{{range .Config.Env}}{{println .}}{{end}}' llm")?;
    for variable in TOLD {
        ensure(
            told.lines().any(|line| line == variable),
            format_args!("the container has no {variable}:\n{told}"),
        )?;
    }
    let ahead = launch
        .vm
        .exec("cat /sys/class/bdi/$(mountpoint -d /share)/read_ahead_kb")?;
    ensure(
        ahead.trim() == "15360",
        format_args!("the kernel reads {} KiB ahead", ahead.trim()),
    )?;
    let docker = launch.vm.exec("systemctl show -p Environment docker")?;
    ensure(
        docker.contains("DOCKER_MIN_API_VERSION=1.24"),
        format_args!("Docker is told {docker}"),
    )
}

/// The same host as a worker of a kind: so many tasks change something. One always does, which is the user's
/// own command.
fn again(launch: &mut Launch, variables: &Value, kind: &str, changes: usize) -> Result<()> {
    let mut variables = variables.clone();
    variables["worker_kind"] = json!(kind);
    let playbook = launch.controller.site().join("worker.yml");
    let (variables, playbook) = (variables.to_string(), playbook.display().to_string());
    let words = ["run", "-c", "agent", "-e", &variables, &playbook];
    let said = launch
        .controller
        .call(launch.vm.around(), &words)
        .attempt(format_args!("worker.yml as {kind}"))?;
    let recap = said.lines().find(|line| line.contains("changed="));
    say(format_args!("     {}", recap.unwrap_or_default().trim()));
    ensure(
        recap.is_some_and(|line| line.contains(&format!("changed={changes} "))),
        format_args!(
            "another number of changes than {changes}:\n{}",
            process::tail(&said)
        ),
    )
}
