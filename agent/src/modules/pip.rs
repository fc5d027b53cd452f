//! `ansible.builtin.pip`.

use crate::choices;
use crate::error::{Error, Result};
use crate::host::{Command, Outcome, Output};
use crate::module::command::{arg, complaint};
use crate::module::{Change, Diff, HostPath, Module, Plan, PlanCx, Returns, Rule, shlex};
use crate::params;
use crate::value::Value;
use std::path::{Path, PathBuf};

choices! {
    /// How packages should be.
    pub enum State {
        Present = "present", Absent = "absent", Latest = "latest", Force = "forcereinstall",
    }
}

params! {
    /// Installs and removes Python packages with `pip`, in a virtual environment or for the whole host.
    ///
    /// What is installed already, in a version that suits, is found out without `pip install`.
    ///
    /// ```yaml
    /// - pip:
    ///     name: [vllm==0.6.3, "huggingface_hub[cli]"]
    ///     virtualenv: /opt/vllm
    ///     virtualenv_command: python3 -m venv
    ///
    /// - pip:
    ///     requirements: /opt/app/requirements.txt
    ///     virtualenv: /opt/app/venv
    /// ```
    pub struct Pip {
        /// Packages, with version specifiers or as URLs.
        default(Vec::new()) name: Vec<String>,
        /// The version of the only package.
        optional version: Option<String>,
        /// A requirements file of the host.
        optional requirements: Option<String>,
        /// The folder of a virtual environment; it is made if it is not there.
        optional virtualenv: Option<HostPath>,
        /// Whether the virtual environment sees the host's packages.
        default(false) virtualenv_site_packages: bool,
        /// The command that makes a virtual environment.
        default("virtualenv".to_string()) virtualenv_command: String,
        /// The Python of a virtual environment that is made.
        optional virtualenv_python: Option<String>,
        /// How the packages should be.
        default(State::Present) state: State,
        /// More arguments for `pip`.
        optional extra_args: Option<String>,
        /// Whether packages are installed as links to their sources.
        default(false) editable: bool,
        /// Run in this directory.
        optional chdir: Option<HostPath>,
        /// The `pip` to use, by its path or name.
        optional executable: Option<String>,
        /// The mask of permission bits that new files lack.
        optional umask: Option<String>,
        /// Whether packages of the operating system may be overridden.
        default(false) break_system_packages: bool,
    }
    rules [
        Rule::OneOf(&["name", "requirements"]),
        Rule::Exclusive(&["name", "requirements"]),
        Rule::Exclusive(&["executable", "virtualenv"]),
    ]
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[
    ("cmd", "pip's arguments"),
    ("name", "the packages"),
    ("state", "how they should be"),
    ("requirements", "the requirements file"),
    ("version", "the version that was asked for"),
    ("virtualenv", "the virtual environment"),
    ("stdout", "what pip said"),
    ("stderr", "what pip said on standard error"),
];

impl Module for Pip {
    fn plan(&self, cx: &PlanCx<'_>) -> Result<Plan> {
        let dir = self.chdir.as_ref().map(|d| d.expand(cx.host)).transpose()?;
        let env = match (&self.virtualenv, &dir) {
            (None, _) => None,
            (Some(env), None) => Some(env.expand(cx.host)?),
            (Some(env), Some(dir)) => Some(dir.join(env.expand(cx.host)?)),
        };
        let packages = self.packages()?;
        if let Some(env) = &env
            && cx.stage == 0
            && cx.host.stat(&env.join("bin/activate"))?.is_none()
        {
            return self.make_env(cx, env, dir.as_deref());
        }
        let pip = self.pip(cx, env.as_deref())?;
        let mut plan = Plan::default();
        plan.returns
            .set("name", Value::from(self.name.clone()))
            .set("version", Value::from(self.version.clone()))
            .set("state", self.state.word())
            .set("requirements", Value::from(self.requirements.clone()))
            .set("virtualenv", Value::from(env.as_deref().map(arg)))
            .set("stdout", "")
            .set("stderr", "");
        if self.is_satisfied(cx, &pip, &packages, dir.as_deref())? {
            plan.returns.set("cmd", Value::from(pip));
            return Ok(plan);
        }
        let argv = self.argv(&pip, &packages)?;
        plan.returns.set("cmd", Value::from(argv.clone()));
        let mut command = self.command(argv, dir)?.with_progress();
        if let Some(env) = &env {
            let path = cx.host.env("PATH").unwrap_or_default();
            command = command.env("PATH", format!("{}:{path}", arg(&env.join("bin"))));
        }
        let subject = if packages.is_empty() {
            self.requirements.clone().unwrap_or_default()
        } else {
            packages.join(" ")
        };
        plan.changes.push(Change {
            diff: Some(Diff::new(subject, Value::Null, self.state.word())),
            effect: command.effect(),
            counts: true,
        });
        Ok(plan)
    }

    fn finish(&self, cx: &PlanCx<'_>, returns: &mut Returns, outcomes: &[Outcome]) -> Result<()> {
        let made = matches!(outcomes.first(), Some(Outcome::Ran(o)) if is_made(o, outcomes.len()));
        let Some(outcome) = outcomes.last() else {
            return Ok(());
        };
        if cx.check {
            return Ok(());
        }
        let output = outcome.ran()?;
        let said = output.out();
        returns
            .set("stdout", said.as_str())
            .set("stderr", output.err());
        let gone = self.state == State::Absent && said.contains("not installed");
        if output.rc != 0 && !gone && !(output.rc == 1 && output.err().contains("not installed")) {
            returns.fail(format!(":stderr: {}", complaint(output)));
            returns.set("rc", output.rc);
            return Ok(());
        }
        let mark = match self.state {
            State::Absent => "Successfully uninstalled",
            _ => "Successfully installed",
        };
        returns.changed = Some(made || said.contains(mark));
        Ok(())
    }
}

/// Whether the first of several programs was the one that makes the virtual environment.
fn is_made(output: &Output, count: usize) -> bool {
    count > 1 && output.success()
}

impl Pip {
    /// The packages, the version put to the only one.
    fn packages(&self) -> Result<Vec<String>> {
        let mut out: Vec<String> = Vec::new();
        for word in self.name.iter().flat_map(|n| n.split(',')).map(str::trim) {
            // A comma also stands between two specifiers of one package (`x>1,<2`).
            match out.last_mut() {
                Some(last) if word.starts_with(['<', '>', '=', '!', '~']) => {
                    last.push(',');
                    last.push_str(word);
                }
                _ if word.is_empty() => {}
                _ => out.push(word.to_string()),
            }
        }
        let Some(version) = &self.version else {
            return Ok(out);
        };
        if self.state == State::Latest {
            return Err(Error::params("version is incompatible with state=latest"));
        }
        let [only] = out.as_mut_slice() else {
            return Err(Error::params(
                "'version' argument is ambiguous when installing multiple package distributions. \
                 Please specify version restrictions next to each package in 'name' argument.",
            ));
        };
        if only.contains(['<', '>', '=', '!', '~']) {
            return Err(Error::params(
                "The 'version' argument conflicts with any version specifier provided along with a \
                 package name. Please keep the version specifier, but remove the 'version' argument.",
            ));
        }
        let compares = version.starts_with(['<', '>', '=', '!', '~']);
        only.push_str(if compares { "" } else { "==" });
        only.push_str(version);
        Ok(out)
    }

    fn make_env(&self, cx: &PlanCx<'_>, env: &Path, dir: Option<&Path>) -> Result<Plan> {
        let mut argv = shlex::split(&self.virtualenv_command)?;
        let program = argv.first().cloned().unwrap_or_default();
        if cx.host.which(&program)?.is_none() {
            return Err(
                Error::host(format!("Failed to find required executable \"{program}\""))
                    .hint("`virtualenv_command: python3 -m venv` needs only Python"),
            );
        }
        if self.virtualenv_site_packages {
            argv.push("--system-site-packages".into());
        }
        let is_venv = self.virtualenv_command.contains("venv")
            && !self.virtualenv_command.contains("virtualenv");
        if let Some(python) = &self.virtualenv_python {
            if is_venv {
                return Err(Error::params(
                    "virtualenv_python should not be used when using the venv module or pyvenv as \
                     virtualenv_command",
                ));
            }
            argv.push(format!("-p{python}"));
        }
        argv.push(arg(env));
        let mut plan = Plan {
            more: !cx.check,
            ..Plan::default()
        };
        plan.changes.push(Change {
            diff: Some(Diff::new(arg(env), Value::Null, "virtual environment")),
            effect: self.command(argv, dir.map(PathBuf::from))?.effect(),
            counts: true,
        });
        Ok(plan)
    }

    /// The words of the `pip` that is used.
    fn pip(&self, cx: &PlanCx<'_>, env: Option<&Path>) -> Result<Vec<String>> {
        if let Some(env) = env {
            if let Some(Outcome::Ran(made)) = cx.outcomes.first()
                && !made.success()
            {
                return Err(Error::host(format!(
                    "cannot make the virtual environment {}: {}",
                    arg(env),
                    complaint(made)
                )));
            }
            for name in ["pip3", "pip"] {
                let path = env.join("bin").join(name);
                if cx.host.stat(&path)?.is_some() {
                    return Ok(vec![arg(&path)]);
                }
            }
            return Ok(vec![
                arg(&env.join("bin/python")),
                "-m".into(),
                "pip".into(),
            ]);
        }
        if let Some(given) = &self.executable {
            return Ok(vec![given.clone()]);
        }
        for name in ["pip3", "pip"] {
            if let Some(path) = cx.host.which(name)? {
                return Ok(vec![arg(&path)]);
            }
        }
        if let Some(python) = cx.host.which("python3")?
            && let words = [arg(&python), "-m".into(), "pip".into()]
            && let probe = Command::new(words.iter().cloned().chain(["--version".to_string()]))
            && cx.host.query(&probe).is_ok_and(|o| o.success())
        {
            return Ok(words.to_vec());
        }
        Err(Error::host(
            "Unable to find any of pip3, pip to use.  pip needs to be installed.",
        ))
    }

    /// Whether what is installed is as it should be. Only plain names and exact versions can be
    /// judged; of all others pip itself knows more.
    fn is_satisfied(
        &self,
        cx: &PlanCx<'_>,
        pip: &[String],
        packages: &[String],
        dir: Option<&Path>,
    ) -> Result<bool> {
        let decides = matches!(self.state, State::Present | State::Absent);
        if !decides || packages.is_empty() || self.extra_args.is_some() || self.editable {
            return Ok(false);
        }
        let words = pip.iter().cloned();
        let list = words.chain(["list", "--format=freeze"].map(String::from));
        let output = cx
            .host
            .query(&self.command(list.collect(), dir.map(PathBuf::from))?)?;
        if !output.success() {
            return Ok(false);
        }
        let text = output.out();
        let installed: Vec<(String, &str)> = text
            .lines()
            .filter_map(|line| line.split_once("=="))
            .map(|(name, version)| (canonical(name), version.trim()))
            .collect();
        Ok(packages.iter().all(|package| {
            let (name, version) = match package.split_once("==") {
                Some((name, version)) => (name, Some(version.trim())),
                None => (package.as_str(), None),
            };
            let name = name.trim();
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            if !name.chars().all(plain) || version.is_some_and(|v| v.contains(['*', ',', ';'])) {
                return false;
            }
            let found = installed.iter().find(|(n, _)| *n == canonical(name));
            match (self.state, found) {
                (State::Absent, found) => found.is_none(),
                (_, Some((_, is))) => version.is_none_or(|v| v == *is),
                (_, None) => false,
            }
        }))
    }

    fn argv(&self, pip: &[String], packages: &[String]) -> Result<Vec<String>> {
        let mut argv = pip.to_vec();
        let words: &[&str] = match self.state {
            State::Present => &["install"],
            State::Absent => &["uninstall", "-y"],
            State::Latest => &["install", "-U"],
            State::Force => &["install", "-U", "--force-reinstall"],
        };
        argv.extend(words.iter().map(ToString::to_string));
        let extra = shlex::split(self.extra_args.as_deref().unwrap_or_default())?;
        if self.editable && !extra.iter().any(|w| w == "-e") {
            argv.push("-e".into());
        }
        argv.extend(extra);
        argv.extend(packages.iter().cloned());
        if let Some(file) = &self.requirements {
            argv.extend(["-r".to_string(), file.clone()]);
        }
        Ok(argv)
    }

    fn command(&self, argv: Vec<String>, dir: Option<PathBuf>) -> Result<Command> {
        let mut command = Command::new(argv);
        // Not the caller's folder, which another user may not enter.
        command.chdir = Some(dir.unwrap_or_else(|| PathBuf::from("/tmp")));
        if let Some(mask) = &self.umask {
            let mask = u32::from_str_radix(mask.trim_start_matches("0o"), 8)
                .map_err(|_| Error::params("umask must be an octal integer"))?;
            command.umask = Some(mask);
        }
        if self.break_system_packages {
            command = command.env("PIP_BREAK_SYSTEM_PACKAGES", "1");
        }
        Ok(command)
    }
}

/// Names that differ only in case and punctuation are one (PEP 503).
fn canonical(name: &str) -> String {
    let mut out = String::new();
    for c in name.trim().chars() {
        if !"-_.".contains(c) {
            out.push(c.to_ascii_lowercase());
        } else if !out.ends_with('-') {
            out.push('-');
        }
    }
    out
}
