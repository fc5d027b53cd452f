//! `async`: a module that works on while the play goes on, and after lks has ended.
//!
//! The side that works on the host starts this program once more, detached (`job`), and hands it the
//! call through its standard input. The job keeps a file `DIR/JID` of Ansible's form: while it works,
//! `{"started": true, "finished": false, "ansible_job_id": JID}`; in the end, the module's result.
//! `async_status` reads it, whoever wrote it.

use super::perform::Performed;
use super::runner::{Background, LocalRunner, ModuleCall};
use super::seat::{self, Ask};
use crate::error::{Error, ErrorKind, Result};
use crate::host::{Attrs, Command, Consequence, Content, Effect, Host, Overlay, RealHost, here};
use crate::module::{HostPath, Returns};
use crate::value::{Key, Map, Value};
use serde::{Deserialize, Serialize};
use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The name of the hidden command that is a job.
pub const COMMAND: &str = "job";

/// How long past its limit a job may be busy with what cannot be interrupted.
const PATIENCE: Duration = Duration::from_secs(15);

/// What a job is told, as one line of JSON.
#[derive(Debug, Serialize, Deserialize)]
struct Order {
    /// The folder of job files.
    dir: PathBuf,
    /// Seconds; 0 is without end.
    limit: u64,
    /// The call.
    call: String,
}

/// What a job answers once its file is there.
#[derive(Debug, Serialize, Deserialize)]
struct Started {
    jid: String,
    file: PathBuf,
}

/// Starts a call in the background. Its files are those of this machine.
///
/// # Errors
/// When the job cannot be started.
pub fn start(call: &ModuleCall, background: &Background, host: &RealHost) -> Result<Performed> {
    let ask = Ask::new(call, Vec::new());
    start_line(&ask.foreground().line()?, background, host)
}

/// Starts a call, given as a line, in the background.
///
/// # Errors
/// When the job cannot be started.
pub fn start_line(line: &str, background: &Background, host: &RealHost) -> Result<Performed> {
    let order = Order {
        dir: HostPath(background.dir.clone()).expand(host)?,
        limit: background.limit,
        call: line.to_string(),
    };
    let order = serde_json::to_string(&order).map_err(broken)?;
    let answer = here::detach(COMMAND, &order)?;
    let started: Started = serde_json::from_str(&answer)
        .map_err(|_| Error::host(format!("the background job did not start: {answer}")))?;
    Ok(started_as(started.jid, &started.file))
}

/// In check mode a job is no other process, since only this one remembers what earlier tasks would have
/// done. Its file is remembered instead, so that `async_status` finds it.
///
/// # Errors
/// When the folder is nobody's.
pub fn remember(
    done: Performed,
    background: &Background,
    overlay: &mut Overlay,
) -> Result<Performed> {
    let dir = HostPath(background.dir.clone()).expand(overlay.view())?;
    let jid = new_id()?;
    let path = dir.join(&jid);
    let known = done.may_change.is_none() && done.unknown_values.is_none();
    let effect = if known {
        Effect::WriteFile {
            path: path.clone(),
            content: Content::Bytes(result_of(done).to_json().to_string().into_bytes()),
            attrs: Attrs::default(),
            backup: false,
            validate: None,
            in_place: false,
        }
    } else {
        Command::new(["true"]).then(vec![Consequence::PathUnknown { path: path.clone() }])
    };
    for dir in [dir.parent(), Some(&*dir)].into_iter().flatten() {
        if overlay.view().stat(dir)?.is_none() {
            let (path, attrs) = (dir.to_path_buf(), Attrs::default());
            overlay.apply(&Effect::MakeDir { path, attrs }, &|_| {})?;
        }
    }
    overlay.apply(&effect, &|_| {})?;
    Ok(started_as(jid, &path))
}

fn started_as(jid: String, file: &Path) -> Performed {
    let mut returns = Returns::default();
    returns
        .set("started", true)
        .set("finished", false)
        .set("ansible_job_id", jid)
        .set("results_file", file.display().to_string());
    returns.changed = Some(true);
    Performed {
        returns,
        changed: true,
        ..Performed::default()
    }
}

fn broken(error: serde_json::Error) -> Error {
    Error::new(ErrorKind::Internal, "cannot write a job's order").caused_by(error)
}

/// Is a job: reads the order, works, and leaves the result in the job's file.
///
/// # Errors
/// When the order cannot be read, or the file cannot be written.
pub fn serve(mut input: impl BufRead) -> Result<()> {
    let mut text = String::new();
    input
        .read_line(&mut text)
        .map_err(|e| Error::host("cannot read a job's order").caused_by(e))?;
    let order: Order = serde_json::from_str(&text)
        .map_err(|e| Error::new(ErrorKind::Internal, "cannot read a job's order").caused_by(e))?;
    let jid = new_id()?;
    let file = order.dir.join(&jid);
    here::make_dir(&order.dir, 0o700)?;
    let head = started(&jid);
    here::replace(&file, head.to_json().to_string().as_bytes())?;
    let said = serde_json::to_string(&Started {
        jid: jid.clone(),
        file: file.clone(),
    })
    .map_err(broken)?;
    here::print(&said);
    here::let_go();
    watch(&order, &file);
    let mut runner = LocalRunner::new();
    let done = seat::answer(&order.call, &mut runner, &|_| {});
    let late = matches!(&done, Ok(done) if done.returns.values.contains_key("timedout"));
    let result = match done {
        // Only that it is over counts, in the words of Ansible's own wrapper.
        _ if late => exceeded(),
        Ok(done) => result_of(done),
        Err(error) => failure(&error.to_string(), &jid),
    };
    here::replace(&file, result.to_json().to_string().as_bytes())
}

/// A job that is stuck where nothing can end it (a dead server's file system) is given up.
fn watch(order: &Order, file: &Path) {
    if order.limit == 0 {
        return;
    }
    let limit = Duration::from_secs(order.limit).saturating_add(PATIENCE);
    let file = file.to_path_buf();
    here::later(limit, move || {
        // There is nobody left to tell that this failed, too.
        let _ = here::replace(&file, exceeded().to_json().to_string().as_bytes());
        std::process::exit(1);
    });
}

/// `j`, random digits, and the number of the process: the form of Ansible's ids.
fn new_id() -> Result<String> {
    let bytes = here::random_bytes(8)?;
    let random = bytes.iter().fold(0_u64, |n, b| n << 8 | u64::from(*b)) % 1_000_000_000_000;
    Ok(format!("j{random}.{}", std::process::id()))
}

fn map(entries: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    let map: Map = entries
        .into_iter()
        .map(|(k, v)| (Key::from(k), v))
        .collect();
    Value::map(map)
}

fn started(jid: &str) -> Value {
    map([
        ("started", Value::Bool(true)),
        ("finished", Value::Bool(false)),
        ("ansible_job_id", Value::from(jid)),
    ])
}

fn exceeded() -> Value {
    map([
        ("msg", Value::from("Timeout exceeded")),
        ("failed", Value::Bool(true)),
        ("child_pid", Value::from(i64::from(std::process::id()))),
    ])
}

fn failure(message: &str, jid: &str) -> Value {
    map([
        ("msg", Value::from(message)),
        ("failed", Value::Bool(true)),
        ("ansible_job_id", Value::from(jid)),
    ])
}

/// A module's result, as the module itself would have printed it.
fn result_of(done: Performed) -> Value {
    let mut out = Map::new();
    let mut set = |name: &str, value: Value| {
        out.insert(Key::from(name), value);
    };
    set("changed", Value::Bool(done.changed));
    for (key, value) in done.returns.values {
        set(&key.to_string(), value);
    }
    set("failed", Value::Bool(done.returns.failed));
    if done.returns.skipped {
        set("skipped", Value::Bool(true));
    }
    if !done.returns.facts.is_empty() {
        set("ansible_facts", Value::map(done.returns.facts));
    }
    if !done.returns.warnings.is_empty() {
        set("warnings", Value::from(done.returns.warnings));
    }
    Value::map(out)
}
