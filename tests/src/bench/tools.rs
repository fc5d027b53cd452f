//! Who is measured, and how each is called.

use std::path::{Path, PathBuf};

use lks_tests::rig::{Attempt, Failure, Result, ensure, process};

use super::options::{Agent, Options};
use super::peers;
use super::work::Work;

/// The tools, in the table's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// `lks-agent run`.
    Lks,
    /// A plain shell script that does the same.
    Sh,
    /// pyinfra.
    Pyinfra,
    /// ansible-core with Mitogen's strategy.
    Mitogen,
    /// ansible-core as shipped.
    Ansible,
}

impl Tool {
    /// Those that are installed from PyPI.
    pub const PEERS: [Tool; 3] = [Tool::Pyinfra, Tool::Mitogen, Tool::Ansible];

    /// Its name, on the command line and in the table.
    pub fn id(self) -> &'static str {
        match self {
            Tool::Lks => "lks",
            Tool::Sh => "sh",
            Tool::Pyinfra => "pyinfra",
            Tool::Mitogen => "mitogen",
            Tool::Ansible => "ansible",
        }
    }
}

/// A tool that can be run.
pub struct Ready {
    /// Which.
    pub tool: Tool,
    /// Its program.
    pub program: PathBuf,
    /// What exactly was measured.
    pub version: String,
    /// Variables beside those that every tool gets.
    pub environment: Vec<(&'static str, String)>,
}

/// Installs or builds what is to be measured.
pub fn ready(options: &Options) -> Result<Vec<Ready>> {
    let mut tools: Vec<Ready> = agent(&options.agent)?.into_iter().collect();
    tools.push(sh()?);
    for &peer in &options.peers {
        tools.push(peers::install(peer)?);
    }
    Ok(tools)
}

/// The agent, ready to be measured; nothing if it is to be left out.
pub fn agent(agent: &Agent) -> Result<Option<Ready>> {
    let program = match agent {
        Agent::Absent => return Ok(None),
        Agent::At(path) => path
            .canonicalize()
            .attempt(format_args!("no lks-agent at {}", path.display()))?,
        Agent::Built => build()?,
    };
    let size = program
        .metadata()
        .attempt("cannot look at lks-agent")?
        .len();
    Ok(Some(Ready {
        tool: Tool::Lks,
        version: format!("lks-agent, {:.1} MB on disk", size as f64 / 1e6),
        program,
        environment: Vec::new(),
    }))
}

/// Builds the agent as it is released; cargo puts it beside this binary's profile.
fn build() -> Result<PathBuf> {
    let mut cargo = lks_tests::cargo::command();
    cargo
        .args(["build", "--quiet", "--release", "--package", "lks-agent"])
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    process::run(&mut cargo).attempt("cannot build the agent (or give one: --agent PATH)")?;
    let me = std::env::current_exe()?;
    let profiles = me.parent().and_then(Path::parent);
    let agent = profiles
        .ok_or_else(|| Failure::new("this binary is not in a target directory"))?
        .join("release/lks-agent");
    ensure(
        agent.is_file(),
        format_args!(
            "no lks-agent at {}: give one with --agent PATH",
            agent.display()
        ),
    )?;
    Ok(agent)
}

fn sh() -> Result<Ready> {
    let program = Path::new("/bin/sh");
    let shell = program.canonicalize().attempt("there is no /bin/sh")?;
    Ok(Ready {
        tool: Tool::Sh,
        program: program.to_path_buf(),
        version: format!("/bin/sh, which is {}", shell.display()),
        environment: Vec::new(),
    })
}

impl Ready {
    /// The command that runs the shape whose files lie in `work`.
    pub fn command(&self, work: &Work) -> Vec<String> {
        let mut words = vec![self.program.display().to_string()];
        let file = |name| work.source(name).display().to_string();
        match self.tool {
            Tool::Lks => words.extend(["run".into(), file(PLAY)]),
            Tool::Sh => words.push(file(SCRIPT)),
            Tool::Pyinfra => words.extend(["-y".into(), "@local".into(), file(DEPLOY)]),
            Tool::Mitogen | Tool::Ansible => words.push(file(PLAY)),
        }
        if self.source() == PLAY && work.source(INVENTORY).exists() {
            words.extend(["-i".into(), file(INVENTORY)]);
        }
        words
    }

    /// The name of the file that it runs.
    pub fn source(&self) -> &'static str {
        match self.tool {
            Tool::Sh => SCRIPT,
            Tool::Pyinfra => DEPLOY,
            Tool::Lks | Tool::Mitogen | Tool::Ansible => PLAY,
        }
    }
}

/// The playbook of a shape.
pub const PLAY: &str = "play.yml";
/// The pyinfra deploy of a shape.
pub const DEPLOY: &str = "deploy.py";
/// The shell script of a shape.
pub const SCRIPT: &str = "script.sh";
/// The inventory of a shape that has one; without, a playbook runs on this machine.
pub const INVENTORY: &str = "hosts.ini";
