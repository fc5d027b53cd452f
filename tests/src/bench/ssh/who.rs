//! The tools: `lks-ctl run -c ssh`, and ansible-core as its documentation makes it fast ("Ansible
//! configuration settings": `pipelining`, `forks`; ControlPersist is its default).

use std::path::{Path, PathBuf};

use lks_tests::rig::{Attempt, Failure, Result, ensure, process};

use crate::peers;
use crate::tools::Tool;

/// One of them.
pub struct Who {
    /// Its name, in the table.
    pub name: &'static str,
    /// What is measured exactly.
    pub version: String,
    /// Its program and first words.
    pub words: Vec<String>,
    /// Variables of its environment.
    pub environment: Vec<(&'static str, String)>,
    /// Whether one run is enough, and the goal speaks of it.
    pub is_slow: bool,
}

/// lks: these programs, or both as released.
pub fn lks(ctl: Option<PathBuf>, agent: Option<PathBuf>) -> Result<Who> {
    let (ctl, agent) = match (ctl, agent) {
        (Some(ctl), Some(agent)) => (ctl, agent),
        (ctl, agent) => {
            let folder = build()?;
            let or = |given: Option<PathBuf>, name: &str| given.unwrap_or(folder.join(name));
            (or(ctl, "lks-ctl"), or(agent, "lks-agent"))
        }
    };
    let whole = |path: &Path| {
        path.canonicalize()
            .attempt(format_args!("there is no {}", path.display()))
    };
    let (ctl, agent) = (whole(&ctl)?, whole(&agent)?);
    let size = agent.metadata()?.len() as f64 / 1e6;
    Ok(Who {
        name: "lks",
        version: format!("lks-ctl run -c ssh, and an agent of {size:.1} MB"),
        words: vec![
            ctl.display().to_string(),
            "run".into(),
            "-c".into(),
            "ssh".into(),
        ],
        environment: vec![("LKS_AGENT_BINARY", agent.display().to_string())],
        is_slow: false,
    })
}

/// Builds both as released; cargo puts them beside this binary's profile.
fn build() -> Result<PathBuf> {
    let mut cargo = lks_tests::cargo::command();
    cargo
        .args([
            "build",
            "--quiet",
            "--release",
            "-p",
            "lks-agent",
            "-p",
            "lks-ctl",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    process::run(&mut cargo).attempt("cannot build lks (or give it: --ctl PATH --agent PATH)")?;
    let me = std::env::current_exe()?;
    let profiles = me.parent().and_then(Path::parent);
    let folder = profiles.map(|profiles| profiles.join("release"));
    let folder = folder.ok_or_else(|| Failure::new("this binary is in no target directory"))?;
    ensure(
        folder.is_dir(),
        "cargo put the programs elsewhere: --ctl PATH --agent PATH",
    )?;
    Ok(folder)
}

/// ansible-core, with every setting that makes it faster.
pub fn ansible() -> Result<Who> {
    let ready = peers::install(Tool::Ansible)?;
    let environment = [
        ("ANSIBLE_PIPELINING", "True"),
        // As long as both runs of a play take, and then some.
        (
            "ANSIBLE_SSH_ARGS",
            "-C -o ControlMaster=auto -o ControlPersist=300s",
        ),
        ("ANSIBLE_PYTHON_INTERPRETER", "/usr/bin/python3"),
    ];
    Ok(Who {
        name: "ansible-core",
        version: format!("{}, pipelining, ControlPersist", ready.version),
        words: vec![ready.program.display().to_string()],
        environment: environment
            .map(|(name, value)| (name, value.to_owned()))
            .to_vec(),
        is_slow: true,
    })
}
