//! The format of a case file: a YAML list of [`Case`]s.

use crate::host::{Command, FakeHost, Output, Response};
use crate::value::{Map, Value};
use serde::Deserialize;
use std::collections::BTreeMap;

/// One case: a host, a module's arguments, and what is expected.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it shows, as a sentence.
    pub title: String,
    /// The host as it is before; an empty one if not given.
    #[serde(default)]
    pub host: Given,
    /// The playbook's side, for actions.
    #[serde(default)]
    pub play: Play,
    /// The module's arguments.
    #[serde(default)]
    pub args: Value,
    /// Whether it says "changed".
    #[serde(default)]
    pub changed: bool,
    /// Values that it returns, among others. `null` means that it is not returned.
    #[serde(default)]
    pub returns: BTreeMap<String, Value>,
    /// A part of the message with which it fails.
    pub fails: Option<String>,
    /// Paths of the host afterwards.
    #[serde(default)]
    pub files: BTreeMap<String, Option<Entry>>,
    /// Beginnings of command lines that effects run, in order, and no others. Not checked if not given.
    pub runs: Option<Vec<Vec<String>>>,
    /// Method and URL of each HTTP request, in order. Not checked if not given.
    pub asks: Option<Vec<String>>,
    /// Parts of warnings.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// Whether a second run finds nothing to do.
    #[serde(default)]
    pub again: Again,
    /// What check mode says beforehand.
    #[serde(default)]
    pub check: Check,
    /// Whether the case also holds on a real machine below a temporary folder. (Cases with accounts,
    /// packages, units, commands or servers are never tried there.)
    #[serde(default = "yes")]
    pub real: bool,
}

fn yes() -> bool {
    true
}

/// What the second run says.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Again {
    /// Nothing to do: the law.
    #[default]
    Ok,
    /// It changes again, on purpose.
    Changed,
    /// It cannot be run again in the same way.
    Skip,
}

/// What check mode says.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Check {
    /// What the real run says.
    #[default]
    Same,
    /// That it cannot know.
    Unknown,
    /// Not looked at.
    Skip,
}

/// A path: text is the content of a file.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Entry {
    /// A file with this content.
    Text(String),
    /// An entry in detail.
    Details(Details),
}

/// An entry in detail; what is not given is not looked at (or as usual, when it is made).
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Details {
    /// Content of a file.
    pub content: Option<String>,
    /// It is a directory.
    #[serde(default)]
    pub dir: bool,
    /// It is a link with this target.
    pub link: Option<String>,
    /// Permissions, as octal digits.
    pub mode: Option<String>,
    /// Number of the owner.
    pub owner: Option<u32>,
    /// Number of the group.
    pub group: Option<u32>,
    /// Modification time.
    pub mtime: Option<f64>,
}

impl Details {
    /// The mode as a number.
    pub fn bits(&self) -> Option<u32> {
        self.mode
            .as_deref()
            .map(|m| u32::from_str_radix(m, 8).expect("octal digits"))
    }
}

/// The playbook's side.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Play {
    /// Files, by the name under which tasks find them.
    #[serde(default)]
    pub files: BTreeMap<String, Value>,
    /// Variables; expressions are looked up here too.
    #[serde(default)]
    pub vars: BTreeMap<String, Value>,
    /// What conditions are.
    #[serde(default)]
    pub conditions: BTreeMap<String, bool>,
    /// What is typed on the terminal, if there is one.
    pub typed: Option<String>,
    /// How many `-v` were given.
    #[serde(default)]
    pub verbosity: u8,
    /// What `set_fact` is expected to set.
    pub facts: Option<Value>,
    /// What `include_vars` is expected to set.
    pub included: Option<Value>,
    /// The call of another module or method that is expected: its name and arguments.
    pub calls: Option<Value>,
}

/// The host as it is before.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    #[serde(default)]
    files: BTreeMap<String, Entry>,
    #[serde(default)]
    users: BTreeMap<String, u32>,
    #[serde(default)]
    groups: BTreeMap<String, u32>,
    #[serde(default)]
    packages: BTreeMap<String, String>,
    #[serde(default)]
    units: BTreeMap<String, GivenUnit>,
    #[serde(default)]
    mounts: Vec<GivenMount>,
    #[serde(default)]
    programs: Vec<String>,
    #[serde(default)]
    answers: Vec<GivenAnswer>,
    #[serde(default)]
    urls: Vec<GivenResponse>,
    #[serde(default)]
    assets: BTreeMap<String, String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    ports: Vec<u16>,
    now: Option<f64>,
    uid: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenUnit {
    #[serde(default)]
    active: bool,
    #[serde(default)]
    enabled: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenMount {
    source: String,
    target: String,
    fstype: String,
    #[serde(default)]
    options: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenAnswer {
    /// The command, or its first words.
    argv: Vec<String>,
    /// Text on standard input that it must get.
    stdin: Option<String>,
    #[serde(default)]
    rc: i32,
    #[serde(default)]
    stdout: String,
    #[serde(default)]
    stderr: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GivenResponse {
    url: String,
    /// Any, if not given.
    #[serde(default)]
    method: String,
    /// A part that the request's body must have.
    #[serde(default)]
    asked: String,
    /// A part of the body of a request that must have come before.
    #[serde(default)]
    after: String,
    #[serde(default = "ok")]
    status: u16,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    body: String,
    #[serde(default)]
    headers: Vec<(String, String)>,
    /// Where a redirect led.
    answers_as: Option<String>,
}

fn ok() -> u16 {
    200
}

impl Given {
    /// The files, in order.
    pub fn files(&self) -> &BTreeMap<String, Entry> {
        &self.files
    }

    /// Whether only files matter, so that a folder on a real machine can stand for the host.
    pub fn only_files(&self) -> bool {
        self.users.is_empty()
            && self.groups.is_empty()
            && self.packages.is_empty()
            && self.units.is_empty()
            && self.mounts.is_empty()
            && self.programs.is_empty()
            && self.answers.is_empty()
            && self.urls.is_empty()
            && self.assets.is_empty()
            && self.env.is_empty()
            && self.ports.is_empty()
            && self.now.is_none()
            && self.uid.is_none()
    }

    /// A host in memory that is like this.
    pub fn host(&self) -> FakeHost {
        let mut host = FakeHost::new();
        for (path, entry) in &self.files {
            host = with_entry(host, path, entry);
        }
        for (name, gid) in &self.groups {
            host = host.with_group(name, *gid, &[]);
        }
        for (name, uid) in &self.users {
            if !self.groups.contains_key(name) {
                host = host.with_group(name, *uid, &[]);
            }
            host = host.with_user(name, *uid, *uid);
        }
        for (name, version) in &self.packages {
            host = host.with_package(name, version);
        }
        for (name, unit) in &self.units {
            host = host.with_unit(name, unit.active, unit.enabled);
        }
        for mount in &self.mounts {
            host = host.with_mount(&mount.source, &mount.target, &mount.fstype, &mount.options);
        }
        self.world(host)
    }

    /// Programs, servers, environment.
    fn world(&self, mut host: FakeHost) -> FakeHost {
        for program in &self.programs {
            host = with_program(host, program);
        }
        for answer in &self.answers {
            host = with_answer(host, answer);
        }
        for response in &self.urls {
            let url = response
                .answers_as
                .clone()
                .unwrap_or_else(|| response.url.clone());
            let answer = Response {
                status: response.status,
                reason: response.reason.clone(),
                url,
                headers: response.headers.clone(),
                body: response.body.clone().into_bytes(),
            };
            let when = (response.asked.as_str(), response.after.as_str());
            host = host.serving_call(&response.method, &response.url, when, answer);
        }
        for (path, content) in &self.assets {
            host = host.with_asset(path, content);
        }
        for (name, value) in &self.env {
            host = host.with_env(name, value);
        }
        for port in &self.ports {
            host = host.with_port(*port);
        }
        if let Some(now) = self.now {
            host = host.with_now(now);
        }
        match self.uid {
            Some(uid) => host.as_uid(uid),
            None => host,
        }
    }
}

fn with_entry(host: FakeHost, path: &str, entry: &Entry) -> FakeHost {
    let details = match entry {
        Entry::Text(text) => return host.with_file(path, text),
        Entry::Details(details) => details,
    };
    if let Some(target) = &details.link {
        return host.with_link(path, target);
    }
    let (uid, gid) = (details.owner.unwrap_or(0), details.group.unwrap_or(0));
    if details.dir {
        let bits = details.bits().unwrap_or(0o755);
        return host.with_dir(path).with_attrs(path, bits, uid, gid);
    }
    let content = details.content.as_deref().unwrap_or_default();
    host.with_file_attrs(path, content, details.bits().unwrap_or(0o644), uid, gid)
}

/// A program, and the file that it is.
fn with_program(host: FakeHost, name: &str) -> FakeHost {
    if name.contains('/') {
        return host.with_file_attrs(name, "", 0o755, 0, 0);
    }
    let file = format!("/usr/bin/{name}");
    host.with_file_attrs(file, "", 0o755, 0, 0)
        .with_program(name)
}

fn with_answer(host: FakeHost, answer: &GivenAnswer) -> FakeHost {
    let program = answer.argv.first().expect("a command has a program");
    let (argv, stdin) = (answer.argv.clone(), answer.stdin.clone());
    let output = Output {
        rc: answer.rc,
        stdout: answer.stdout.clone().into_bytes(),
        stderr: answer.stderr.clone().into_bytes(),
        ..Output::default()
    };
    with_program(host, program).answering_when(move |command: &Command| {
        let fed = stdin.as_deref().map(str::as_bytes);
        let fits =
            command.argv.starts_with(&argv) && (fed.is_none() || fed == command.stdin.as_deref());
        fits.then(|| output.clone())
    })
}

/// A mapping out of a case's value.
pub fn map_of(value: &Value) -> Map {
    match value {
        Value::Null => Map::new(),
        Value::Map(map) => (**map).clone(),
        other => panic!("arguments are a mapping, not {other:?}"),
    }
}
