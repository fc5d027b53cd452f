//! The peers, each in a Python environment of its own below the cache folder.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use lks_tests::rig::stage::say;
use lks_tests::rig::{Attempt, Failure, Result, process};

use super::tools::{Ready, Tool};

/// What pip installs. Exact versions: figures of two days must be of the same peers.
fn requirements(tool: Tool) -> &'static [&'static str] {
    match tool {
        Tool::Ansible => &["ansible-core==2.19.14"],
        Tool::Mitogen => &["ansible-core==2.19.14", "mitogen==0.3.51"],
        Tool::Pyinfra => &["pyinfra==3.10.0"],
        Tool::Lks | Tool::Sh => &[],
    }
}

/// Gives `tool`, installed if it is not there yet.
pub fn install(tool: Tool) -> Result<Ready> {
    let home = environment(tool).attempt(format_args!(
        "cannot install {} (without it: --peers none)",
        tool.id()
    ))?;
    let program = match tool {
        Tool::Pyinfra => "bin/pyinfra",
        _ => "bin/ansible-playbook",
    };
    let mut variables = Vec::new();
    if tool == Tool::Mitogen {
        variables.push(("ANSIBLE_STRATEGY", "mitogen_linear".to_owned()));
        variables.push(("ANSIBLE_STRATEGY_PLUGINS", strategies(&home)?));
    }
    Ok(Ready {
        tool,
        program: home.join(program),
        version: requirements(tool).join(" + ").replace("==", " "),
        environment: variables,
    })
}

/// The environment's folder. It is whole when it says so, in a file that is written last.
fn environment(tool: Tool) -> Result<PathBuf> {
    packages(tool.id(), requirements(tool))
}

/// A Python environment called `name` with these packages of PyPI.
pub fn packages(name: &str, packages: &[&str]) -> Result<PathBuf> {
    let cache = cache();
    fs::create_dir_all(&cache)?;
    let lock = File::create(cache.join(format!("{name}.lock")))?;
    lock.lock()?;
    let home = cache.join(name);
    let done = home.join("requirements.txt");
    let wanted = packages.join("\n");
    if fs::read_to_string(&done).is_ok_and(|found| found == wanted) {
        return Ok(home);
    }
    say(format_args!("-- installing {}", wanted.replace('\n', ", ")));
    let python = std::env::var("LKS_BENCH_PYTHON").unwrap_or_else(|_| "python3".into());
    process::run(
        Command::new(python)
            .args(["-m", "venv", "--clear"])
            .arg(&home),
    )?;
    let mut pip = Command::new(home.join("bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check"]);
    process::run(pip.args(packages))?;
    fs::write(done, wanted)?;
    Ok(home)
}

fn cache() -> PathBuf {
    let var = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    match var("LKS_BENCH_CACHE") {
        Some(dir) => PathBuf::from(dir),
        None => {
            PathBuf::from(var("HOME").unwrap_or_else(|| "/root".into())).join(".cache/lks-bench")
        }
    }
}

/// Where Mitogen's strategies lie: ansible-core does not find them by itself.
fn strategies(home: &Path) -> Result<String> {
    let libraries = fs::read_dir(home.join("lib"))?;
    libraries
        .flatten()
        .map(|python| {
            python
                .path()
                .join("site-packages/ansible_mitogen/plugins/strategy")
        })
        .find(|folder| folder.is_dir())
        .map(|folder| folder.display().to_string())
        .ok_or_else(|| Failure::new("mitogen is installed without its strategies"))
}
