//! Modules that are no part of lks: a user's own executables and scripts.
//!
//! What kind one is, its text says, as in Ansible: `WANT_JSON` or a binary get a file of JSON,
//! `<<INCLUDE_ANSIBLE_MODULE_JSON_ARGS>>` is replaced by JSON, a Python module that imports
//! `ansible.module_utils` is run by a Python that has ansible-core, and any other gets a file of
//! `name=value` words. All print a mapping as JSON.

use crate::error::{Error, Result};
use crate::host::{Attrs, Command, Content, Effect, Outcome, Output};
use crate::module::{
    Args, Bound, BoundModule, Change, HostPath, Module, ModuleDef, Params, Plan, PlanCx, Returns,
    Seat, command, shlex,
};
use crate::params;
use crate::value::{Key, Map, Value};
use std::path::{Path, PathBuf};

params! {
    /// Runs a module that is not part of lks (internal).
    pub struct Foreign {
        /// The module's file, on the playbook's side.
        required _file: String,
        /// Its arguments.
        default(Value::Null) _args: Value,
        /// The interpreter to use in the place of the one that its first line names.
        optional _interpreter: Option<String>,
        /// Where temporary files are put.
        default(HostPath("~/.ansible/tmp".to_string())) _remote_tmp: HostPath,
        /// Internal arguments, which Ansible gives every module.
        default(Value::Null) _internal: Value,
    }
}

/// The row through which all of them are carried out.
pub static FOREIGN: ModuleDef = ModuleDef {
    name: "lks.builtin.foreign",
    doc: Foreign::DOC,
    specs: Foreign::specs,
    rules: Foreign::rules,
    returns: &[],
    free_form: None,
    any_name: false,
    assets: &[("_file", "library")],
    seat: Seat::Host(bind),
    from_host: false,
    file: None,
};

/// Binds the wrapped arguments.
///
/// # Errors
/// When they are not wrapped.
pub fn bind(args: &Map) -> Result<Bound<dyn BoundModule>> {
    Ok(Box::new(Foreign::read(&Args::new(args))?))
}

params! {
    /// Runs a script of the playbook's side on the host (internal; `script` uses it).
    pub struct ScriptHere {
        /// The script's file, on the playbook's side.
        required _file: String,
        /// The script as it was named, and its arguments.
        required line: String,
        /// The script as it was named.
        required name: String,
        /// Do not run if this path exists.
        optional creates: Option<HostPath>,
        /// Do not run unless this path exists.
        optional removes: Option<HostPath>,
        /// Run in this directory.
        optional chdir: Option<HostPath>,
        /// The program to run the script with.
        optional executable: Option<String>,
        /// Whether a script that is a vault is opened.
        default(true) decrypt: bool,
        /// The text of a script that was a vault.
        optional _text: Option<String>,
    }
}

/// The row that carries `script` out on the host.
pub static SCRIPT: ModuleDef = ModuleDef {
    name: "lks.builtin.script",
    doc: ScriptHere::DOC,
    specs: ScriptHere::specs,
    rules: ScriptHere::rules,
    returns: &[],
    free_form: None,
    any_name: false,
    assets: &[("_file", "files")],
    seat: Seat::Host(|args| Ok(Box::new(ScriptHere::read(&Args::new(args))?))),
    from_host: false,
    file: None,
};

impl Module for ScriptHere {
    fn plan(&self, cx: &PlanCx<'_>) -> Result<Plan> {
        let _ = self.decrypt;
        for (path, wanted, how) in [
            (&self.creates, true, "exists, matching creates option"),
            (
                &self.removes,
                false,
                "does not exist, matching removes option",
            ),
        ] {
            let Some(path) = path else { continue };
            if cx.host.stat(&path.expand(cx.host)?)?.is_some() == wanted {
                let mut returns = Returns::default().with("msg", format!("{} {how}", path.0));
                returns.skipped = true;
                return Ok(Plan::returning(returns));
            }
        }
        if let Some(dir) = self.chdir.as_ref().filter(|d| !d.0.starts_with('/')) {
            return Err(Error::params(format!(
                "chdir {} must be an absolute path for a Unix-aware remote node",
                dir.0
            )));
        }
        let folder = temporary(cx, &HostPath("~/.ansible/tmp".into()))?;
        let script = folder.join(file_name(&self._file));
        let line = self
            .line
            .replace(&self.name, &shlex::join(&[command::arg(&script)]));
        let line = match self.executable.as_deref() {
            Some(executable) => format!("{executable} {line}"),
            None => line,
        };
        let mut plan = Plan::default();
        make_folders(cx, &folder, &mut plan)?;
        let file = match &self._text {
            Some(text) => Content::Bytes(text.clone().into_bytes()),
            None => Content::Asset(PathBuf::from(&self._file)),
        };
        plan.act(write(script, file, 0o700));
        let mut argv: Vec<String> = ["/bin/sh", "-c", RUN].map(String::from).to_vec();
        argv.extend([command::arg(&folder), "/bin/sh".into(), "-c".into(), line]);
        let mut run = Command::new(argv);
        run.chdir = self.chdir.as_ref().map(|d| PathBuf::from(&d.0));
        plan.changes.push(Change {
            diff: None,
            effect: run.effect(),
            counts: true,
        });
        Ok(plan)
    }

    fn finish(&self, _: &PlanCx<'_>, returns: &mut Returns, outcomes: &[Outcome]) -> Result<()> {
        command::report(returns, outcomes)
    }
}

/// A folder for what one task needs, which nobody has yet.
fn temporary(cx: &PlanCx<'_>, below: &HostPath) -> Result<PathBuf> {
    let unique = (cx.host.now() * 1e9) as u64 ^ u64::from(cx.host.current_uid());
    Ok(below.expand(cx.host)?.join(format!("lks-{unique:x}")))
}

/// How a module takes its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An executable: a file of JSON.
    Binary,
    /// A Python module made for ansible-core.
    Python,
    /// A file of JSON.
    WantJson,
    /// JSON in its text.
    JsonArgs,
    /// A file of `name=value` words.
    Old,
}

const JSON_ARGS: &str = "<<INCLUDE_ANSIBLE_MODULE_JSON_ARGS>>";

/// The kind of a module, by its text.
#[must_use]
pub fn kind(bytes: &[u8]) -> Kind {
    let head = &bytes[..bytes.len().min(1024)];
    let is_text = |b: &u8| !matches!(b, 0..=6 | 14..=26 | 28..=31);
    if !head.iter().all(is_text) {
        return Kind::Binary;
    }
    let text = String::from_utf8_lossy(bytes);
    let imports = text.lines().map(str::trim_start).any(|line| {
        [
            "from ansible.module_utils",
            "import ansible.module_utils",
            "from ansible_collections",
        ]
        .iter()
        .any(|start| line.starts_with(start))
    });
    if imports || text.contains("#<<INCLUDE_ANSIBLE_MODULE_COMMON>>") {
        Kind::Python
    } else if text.contains("WANT_JSON") {
        Kind::WantJson
    } else if text.contains(JSON_ARGS) {
        Kind::JsonArgs
    } else {
        Kind::Old
    }
}

/// The words of a script's first line (`#!/usr/bin/env bash`), if it has one.
#[must_use]
pub fn shebang(bytes: &[u8]) -> Option<Vec<String>> {
    let line = bytes.strip_prefix(b"#!")?.split(|b| *b == b'\n').next()?;
    let line = String::from_utf8_lossy(line);
    let words: Vec<String> = line.split_whitespace().map(String::from).collect();
    (!words.is_empty()).then_some(words)
}

/// Removes the folder of temporary files whatever becomes of the module.
const RUN: &str = r#"trap 'rm -rf "$0"' EXIT; trap 'exit 143' TERM; "$@""#;

/// Runs a module of ansible-core's kind, whose text and arguments are its input.
const PYTHON: &str = r#"
import json, os, runpy, sys
d = json.load(sys.stdin)
try:
    from ansible.module_utils import basic
except ImportError as e:
    print(json.dumps(dict(failed=True, msg="This module needs ansible-core in the host's Python (%s): %s" % (sys.executable, e))))
    sys.exit(1)
basic._ANSIBLE_ARGS = json.dumps(dict(ANSIBLE_MODULE_ARGS=d["args"])).encode()
basic._ANSIBLE_PROFILE = "legacy"
sys.argv = [d["file"]]
g = dict(__name__="__main__", __file__=d["file"], __builtins__=__builtins__, _module_fqn=d["name"], _modlib_path=None)
exec(compile(d["text"], d["file"], "exec"), g)
"#;

impl Foreign {
    fn name(&self) -> String {
        let stem = Path::new(&self._file).file_stem();
        stem.map(|s| s.to_string_lossy().into_owned())
            .unwrap_or_default()
    }

    /// The arguments with Ansible's own.
    fn arguments(&self, check: bool, diff: bool) -> Map {
        let own = [&self._args, &self._internal]
            .into_iter()
            .filter_map(Value::as_map);
        let mut all: Map = own.flatten().map(|(k, v)| (k.clone(), v.clone())).collect();
        let mut set = |name: &str, value: Value| {
            all.insert(Key::from(name), value);
        };
        set("_ansible_check_mode", check.into());
        set("_ansible_diff", diff.into());
        set("_ansible_module_name", self.name().into());
        all
    }

    /// The interpreter's words: those given, or those of the first line.
    fn interpreter(&self, cx: &PlanCx<'_>, text: &[u8]) -> Result<Vec<String>> {
        let made_for_python = kind(text) == Kind::Python;
        let first = shebang(text).or_else(|| made_for_python.then(|| vec!["python3".into()]));
        let Some(mut words) = first else {
            return Err(Error::host(format!(
                "module ({}) is missing interpreter line",
                self.name()
            ))
            .hint("its first line must name an interpreter, such as #!/bin/sh"));
        };
        if base(&words[0]) == "env" && words.len() > 1 {
            words.remove(0);
        }
        match self
            ._interpreter
            .as_deref()
            .filter(|i| !i.starts_with("auto"))
        {
            Some(given) => {
                let mut all = shlex::split(given)?;
                all.extend(words.split_off(1));
                Ok(all)
            }
            None if base(&words[0]).starts_with("python") => {
                words[0] = python(cx, &words[0])?;
                Ok(words)
            }
            None => Ok(words),
        }
    }

    fn python(&self, cx: &PlanCx<'_>, text: &[u8], given: &Map) -> Result<Command> {
        let words = self.interpreter(cx, text)?;
        let input: Map = [
            ("name", Value::from(self.name())),
            ("file", Value::from(self._file.as_str())),
            (
                "text",
                Value::from(String::from_utf8_lossy(text).into_owned()),
            ),
            ("args", Value::map(given.clone())),
        ]
        .into_iter()
        .map(|(k, v)| (Key::from(k), v))
        .collect();
        let mut command = Command::new(words.into_iter().chain(["-c".into(), PYTHON.into()]));
        command.stdin = Some(Value::map(input).to_json().to_string().into_bytes());
        Ok(command)
    }
}

fn base(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

/// The Python that a first line names, or another one if that is not there.
fn python(cx: &PlanCx<'_>, named: &str) -> Result<String> {
    for name in [named, "python3", "python"] {
        if let Some(path) = cx.host.which(name)? {
            return Ok(path.display().to_string());
        }
    }
    Err(Error::host(format!(
        "The module interpreter '{named}' was not found."
    )))
}

impl Module for Foreign {
    fn plan(&self, cx: &PlanCx<'_>) -> Result<Plan> {
        let text = cx.host.asset_read(Path::new(&self._file))?;
        let given = self.arguments(cx.check, cx.diff);
        let kind = kind(&text);
        if kind == Kind::Python {
            return self.plan_python(cx, &text, &given);
        }
        let folder = temporary(cx, &self._remote_tmp)?;
        let (script, words) = (folder.join(file_name(&self._file)), folder.join("args"));
        let mut argv: Vec<String> = ["/bin/sh", "-c", RUN].map(String::from).to_vec();
        argv.push(command::arg(&folder));
        if kind != Kind::Binary {
            argv.extend(self.interpreter(cx, &text)?);
        }
        argv.push(command::arg(&script));
        let json = || Value::map(given.clone()).to_json().to_string();
        let (content, data) = match kind {
            Kind::JsonArgs => {
                let text = String::from_utf8_lossy(&text).replace(JSON_ARGS, &json());
                (Content::Bytes(text.into_bytes()), None)
            }
            Kind::Old => (
                Content::Asset(PathBuf::from(&self._file)),
                Some(old_words(&given)),
            ),
            _ => (Content::Asset(PathBuf::from(&self._file)), Some(json())),
        };
        let mut plan = Plan::default();
        make_folders(cx, &folder, &mut plan)?;
        plan.act(write(script, content, 0o700));
        if let Some(data) = data {
            argv.push(command::arg(&words));
            plan.act(write(words, Content::Bytes(data.into_bytes()), 0o600));
        }
        plan.act(Command::new(argv).effect());
        Ok(plan)
    }

    fn finish(&self, _: &PlanCx<'_>, returns: &mut Returns, outcomes: &[Outcome]) -> Result<()> {
        if let Some(outcome) = outcomes.last() {
            take(outcome.ran()?, returns);
        }
        Ok(())
    }
}

impl Foreign {
    /// Modules of ansible-core's kind know check mode themselves: they are asked even then.
    fn plan_python(&self, cx: &PlanCx<'_>, text: &[u8], given: &Map) -> Result<Plan> {
        let command = self.python(cx, text, given)?;
        let mut plan = Plan::default();
        if cx.check {
            take(&cx.host.query(&command)?, &mut plan.returns);
        } else {
            plan.act(command.effect());
        }
        Ok(plan)
    }
}

fn file_name(path: &str) -> String {
    let name = Path::new(path).file_name();
    name.map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn make_folders(cx: &PlanCx<'_>, folder: &Path, plan: &mut Plan) -> Result<()> {
    let mut missing = Vec::new();
    for dir in folder.ancestors() {
        if cx.host.stat(dir)?.is_some() {
            break;
        }
        missing.push(dir.to_path_buf());
    }
    for path in missing.into_iter().rev() {
        let attrs = Attrs {
            mode: Some(0o700),
            ..Attrs::default()
        };
        plan.act(Effect::MakeDir { path, attrs });
    }
    Ok(())
}

fn write(path: PathBuf, content: Content, mode: u32) -> Effect {
    Effect::WriteFile {
        path,
        content,
        attrs: Attrs {
            mode: Some(mode),
            ..Attrs::default()
        },
        backup: false,
        validate: None,
        in_place: false,
    }
}

/// `name=value` words, quoted for a shell.
fn old_words(given: &Map) -> String {
    let mut out = String::new();
    for (key, value) in given {
        let text = match value {
            Value::Str(text) => text.to_string(),
            Value::Bool(true) => "True".into(),
            Value::Bool(false) => "False".into(),
            Value::Null => "None".into(),
            other => other.to_json().to_string(),
        };
        out.push_str(&format!("{key}={} ", shlex::join(&[text])));
    }
    out
}

/// Takes a module's result out of what it printed: lines before and after the JSON are left aside.
fn take(output: &Output, returns: &mut Returns) {
    let text = output.out();
    let (json, junk) = clean(&text);
    let parsed = json.and_then(|j| match serde_json::from_str::<Value>(&j) {
        Ok(Value::Map(map)) => Some(map),
        _ => None,
    });
    let Some(map) = parsed else {
        returns
            .set("module_stdout", text)
            .set("module_stderr", output.err())
            .set("rc", output.rc)
            .fail(
                "Module result deserialization failed: No start of json char found. \
                 See stdout/stderr for the returned output.",
            );
        return;
    };
    if let Some(junk) = junk {
        returns.warnings.push(format!(
            "Module invocation had junk after the JSON data: {junk}"
        ));
    }
    fill(&map, returns);
}

/// A module's own result as ours.
fn fill(map: &Map, returns: &mut Returns) {
    let flag = |name: &str| map.get(name).is_some_and(Value::is_truthy);
    returns.changed = Some(flag("changed"));
    returns.failed = flag("failed")
        || (!map.contains_key("failed")
            && map
                .get("rc")
                .is_some_and(|rc| !matches!(rc.as_int(), Some(0) | None)));
    returns.skipped = flag("skipped");
    for (key, value) in map {
        match (key.as_str().unwrap_or_default(), value) {
            ("changed" | "failed" | "skipped", _) => {}
            ("ansible_facts", Value::Map(facts)) => returns.facts = (**facts).clone(),
            ("warnings", value) => returns.warnings.extend(texts(value)),
            (name, _) if name.starts_with("_ansible_") => {}
            (name, value) => {
                returns.set(name, value.clone());
            }
        }
    }
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Str(text) => vec![text.to_string()],
        Value::List(list) => list.iter().flat_map(texts).collect(),
        Value::Map(map) => map.get("msg").map(texts).unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// The lines from the first that begins with a brace to the last that ends with one, and what came
/// after them.
fn clean(text: &str) -> (Option<String>, Option<String>) {
    let lines: Vec<&str> = text.lines().collect();
    let Some(start) = lines.iter().position(|l| l.trim_start().starts_with('{')) else {
        return (None, None);
    };
    let Some(end) = lines.iter().rposition(|l| l.trim_end().ends_with('}')) else {
        return (None, None);
    };
    if end < start {
        return (None, None);
    }
    let junk = lines[end + 1..].join("\n");
    let junk = Some(junk).filter(|j| !j.trim().is_empty());
    (Some(lines[start..=end].join("\n")), junk)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_says_how_a_module_takes_its_arguments() {
        for (text, want) in [
            ("#!/bin/sh\n. \"$1\"\n", Kind::Old),
            ("#!/usr/bin/python\n# WANT_JSON\n", Kind::WantJson),
            (
                "#!/bin/sh\nargs='<<INCLUDE_ANSIBLE_MODULE_JSON_ARGS>>'\n",
                Kind::JsonArgs,
            ),
            (
                "#!/usr/bin/python\nfrom ansible.module_utils.basic import *\n",
                Kind::Python,
            ),
            ("\u{7f}ELF\u{2}\u{1}\u{1}\0\0", Kind::Binary),
        ] {
            assert_eq!(kind(text.as_bytes()), want, "{text:?}");
        }
    }

    #[test]
    fn first_lines_name_interpreters() {
        let words = |text: &str| shebang(text.as_bytes()).map(|w| w.join(" "));
        assert_eq!(words("#!/bin/sh -e\nx").as_deref(), Some("/bin/sh -e"));
        assert_eq!(
            words("#! /usr/bin/env bash\n").as_deref(),
            Some("/usr/bin/env bash")
        );
        assert_eq!(words("echo"), None);
    }

    #[test]
    fn junk_around_the_result_is_left_aside() {
        let (json, junk) = clean("hello\n[ list]\n{\"a\": 1}\nbye\n");
        assert_eq!(json.as_deref(), Some("{\"a\": 1}"));
        assert_eq!(junk.as_deref(), Some("bye"));
        assert_eq!(clean("nothing\n"), (None, None));
    }

    #[test]
    fn words_of_old_modules_are_quoted() {
        let args: Map = [("a", Value::from("x y")), ("b", Value::Bool(true))]
            .into_iter()
            .map(|(k, v)| (Key::from(k), v))
            .collect();
        assert_eq!(old_words(&args), "a='x y' b=True ");
    }
}
