//! Runs integration tests of ansible-core itself against `lks-ctl`, under the names of Ansible's commands.
//!
//! `cargo run -p lks-tests --bin conformance [-- --lks-ctl FILE] [TARGET…]`; without targets, those of
//! `tests/conformance/fast.txt`. The tests are read from ansible-core's source archive, which `pip`
//! fetches; nothing of it is part of this project. Each target runs in a copy of that tree, with a HOME
//! of its own. Exit code 75: the archive cannot be had here.

#![allow(clippy::print_stdout)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

/// The release whose behaviour is the measure.
const RELEASE: &str = "2.19.14";

/// Names under which `lks-ctl` is Ansible's command.
const NAMES: [&str; 5] = [
    "ansible",
    "ansible-config",
    "ansible-inventory",
    "ansible-playbook",
    "ansible-vault",
];

/// What a check that cannot run here exits with (`EX_TEMPFAIL`, as the rigs do).
const CANNOT_RUN: u8 = 75;

type Result<T> = std::result::Result<T, String>;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (mut program, mut names) = (None, Vec::new());
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--lks-ctl" => program = arguments.next().map(PathBuf::from),
            name => names.push(name.to_string()),
        }
    }
    if names.is_empty() {
        names = fast_targets();
    }
    let suite = match Suite::prepared(program) {
        Ok(suite) => suite,
        Err(why) => {
            println!("skipped: ansible-core's tests: {why}");
            return ExitCode::from(CANNOT_RUN);
        }
    };
    let failed: Vec<&String> = names.iter().filter(|name| !suite.passes(name)).collect();
    println!(
        "{} passed, {} failed",
        names.len() - failed.len(),
        failed.len()
    );
    ExitCode::from(u8::from(!failed.is_empty()))
}

fn fast_targets() -> Vec<String> {
    include_str!("../../conformance/fast.txt")
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .map(str::to_string)
        .collect()
}

/// A copy of ansible-core's integration tests, and folders to run them in. Removed at the end.
struct Suite {
    root: PathBuf,
}

impl Drop for Suite {
    fn drop(&mut self) {
        // What cannot be removed lies in the temporary folder.
        let _ = fs::remove_dir_all(&self.root);
    }
}

impl Suite {
    fn prepared(program: Option<PathBuf>) -> Result<Self> {
        let program = match program {
            Some(given) => given,
            None => beside_this_program("lks-ctl")?,
        };
        let program = fs::canonicalize(&program)
            .map_err(|e| format!("{} (build lks-ctl first): {e}", program.display()))?;
        let root = std::env::temp_dir().join(format!("lks-conformance-{}", std::process::id()));
        let suite = Self { root };
        let sources = archive()?;
        for folder in ["home", "tmp", "output", "bin"] {
            make_dir(&suite.root.join(folder))?;
        }
        run(Command::new("tar").args(["-xzf"]).arg(&sources).args([
            "-C",
            &text(&suite.root),
            &format!("ansible_core-{RELEASE}/test/integration"),
        ]))?;
        for name in NAMES {
            let link = suite.root.join("bin").join(name);
            symlink(&program, &link).map_err(|e| format!("{}: {e}", link.display()))?;
        }
        // The targets' scripts call it so.
        for (name, target) in [
            ("python", "/usr/bin/python3"),
            ("python3", "/usr/bin/python3"),
        ] {
            let link = suite.root.join("bin").join(name);
            symlink(target, &link).map_err(|e| format!("{}: {e}", link.display()))?;
        }
        let inventory = "[testgroup]\ntesthost ansible_connection=local ansible_pipelining=yes \
                         ansible_python_interpreter=/usr/bin/python3\n";
        write(&suite.integration().join("inventory"), inventory)?;
        write(&suite.integration().join("integration.cfg"), "")?;
        Ok(suite)
    }

    fn integration(&self) -> PathBuf {
        let sources = self.root.join(format!("ansible_core-{RELEASE}"));
        sources.join("test").join("integration")
    }

    /// Runs a target after what it needs, and says how it went.
    fn passes(&self, name: &str) -> bool {
        let started = Instant::now();
        let outcome = self.all_of(name);
        let seconds = started.elapsed().as_secs_f64();
        match &outcome {
            Ok(()) => println!("PASS {name} ({seconds:.1} s)"),
            Err(why) => println!("FAIL {name} ({seconds:.1} s)\n{why}"),
        }
        outcome.is_ok()
    }

    fn all_of(&self, name: &str) -> Result<()> {
        let folder = self.integration().join("targets").join(name);
        if !folder.is_dir() {
            return Err(format!("ansible-core {RELEASE} has no target of this name"));
        }
        let aliases = fs::read_to_string(folder.join("aliases")).unwrap_or_default();
        let setups = aliases
            .lines()
            .filter_map(|line| line.strip_prefix("setup/"))
            .filter_map(|line| line.split_once('/'));
        for (_, setup) in setups {
            let setup = setup.split('#').next().unwrap_or_default().trim();
            self.one(setup.trim_end_matches('/'))?;
        }
        self.one(name)
    }

    fn one(&self, name: &str) -> Result<()> {
        let output = self.root.join("output");
        // An earlier target's output is none of this one's business.
        let _ = fs::remove_dir_all(&output);
        make_dir(&output)?;
        let folder = self.integration().join("targets").join(name);
        let (mut command, here) = if folder.join("runme.sh").is_file() {
            (Command::new("./runme.sh"), folder)
        } else {
            let play = format!("{name}-play.yml");
            let plays = serde_json::json!([{
                "hosts": "testhost",
                "gather_facts": !self.without_facts(&folder),
                "vars": {"output_dir": output},
                "roles": [name],
            }]);
            write(&self.integration().join(&play), &plays.to_string())?;
            let mut command = Command::new(self.root.join("bin").join("ansible-playbook"));
            command.args([&play, "-i", "inventory"]);
            command.env("ANSIBLE_ROLES_PATH", self.integration().join("targets"));
            (command, self.integration())
        };
        self.surroundings(&mut command, &here);
        run(&mut command)
    }

    fn without_facts(&self, folder: &Path) -> bool {
        let aliases = fs::read_to_string(folder.join("aliases")).unwrap_or_default();
        aliases.lines().any(|line| line.trim() == "gather_facts/no")
    }

    /// What ansible-test gives its targets, and nothing of whoever runs this.
    fn surroundings(&self, command: &mut Command, here: &Path) {
        let path = format!(
            "{}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            text(&self.root.join("bin"))
        );
        let roles = command
            .get_envs()
            .find_map(|(name, value)| (name == "ANSIBLE_ROLES_PATH").then(|| value.map(Into::into)))
            .flatten();
        command.env_clear().current_dir(here);
        command.envs(roles.map(|value: std::ffi::OsString| ("ANSIBLE_ROLES_PATH", value)));
        command.env("PATH", path);
        for (name, folder) in [
            ("HOME", "home"),
            ("TMPDIR", "tmp"),
            ("OUTPUT_DIR", "output"),
        ] {
            command.env(name, self.root.join(folder));
        }
        command.env("ANSIBLE_PLAYBOOK_DIR", here);
        command.env("ANSIBLE_CONFIG", self.integration().join("integration.cfg"));
        command.env("INVENTORY_PATH", self.integration().join("inventory"));
        command.env("ANSIBLE_TEST_PYTHON_INTERPRETER", "/usr/bin/python3");
        for (name, value) in [
            ("LC_ALL", "C.UTF-8"),
            ("LANG", "C.UTF-8"),
            ("TERM", "dumb"),
            ("SHELL", "/bin/bash"),
            ("USER", "root"),
            ("LOGNAME", "root"),
            ("ANSIBLE_INVENTORY", "/dev/null"),
            ("ANSIBLE_LIBRARY", "/dev/null"),
            ("ANSIBLE_FORCE_COLOR", "false"),
            ("ANSIBLE_FORCE_HANDLERS", "true"),
            ("ANSIBLE_HOST_PATTERN_MISMATCH", "error"),
            ("ANSIBLE_DEPRECATION_WARNINGS", "false"),
            ("ANSIBLE_HOST_KEY_CHECKING", "false"),
            ("ANSIBLE_TEST_ANSIBLE_VERSION", RELEASE),
        ] {
            command.env(name, value);
        }
    }
}

/// The program built together with this one.
fn beside_this_program(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe().map_err(|e| e.to_string())?;
    Ok(own.with_file_name(name))
}

/// ansible-core's source archive; fetched once, kept in the cache of whoever runs this.
fn archive() -> Result<PathBuf> {
    let home = std::env::var_os("HOME").map_or_else(std::env::temp_dir, PathBuf::from);
    let cache =
        std::env::var_os("XDG_CACHE_HOME").map_or_else(|| home.join(".cache"), PathBuf::from);
    let folder = cache.join("lks-tests");
    let file = folder.join(format!("ansible_core-{RELEASE}.tar.gz"));
    if !file.is_file() {
        make_dir(&folder)?;
        run(Command::new("python3")
            .args(["-m", "pip", "download", "--quiet", "--no-deps"])
            .args(["--no-binary", ":all:", "--dest"])
            .arg(&folder)
            .arg(format!("ansible-core=={RELEASE}")))?;
    }
    Ok(file)
}

/// Runs a command; what it printed is the error if it fails.
fn run(command: &mut Command) -> Result<()> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("{}: {e}", command.get_program().display()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let lines: Vec<&str> = said.lines().collect();
    let last = &lines[lines.len().saturating_sub(40)..];
    Err(format!(
        "{}: {}\n{}",
        command.get_program().display(),
        output.status,
        last.join("\n")
    ))
}

fn make_dir(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|e| format!("{}: {e}", path.display()))
}

fn write(path: &Path, content: &str) -> Result<()> {
    fs::write(path, content).map_err(|e| format!("{}: {e}", path.display()))
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
