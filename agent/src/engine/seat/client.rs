//! The asking side of a seat.

use super::{Ask, Asset, AssetEntry, COMMAND, Say, told};
use crate::engine::context::Login;
use crate::engine::perform::Performed;
use crate::engine::runner::{ModuleCall, TaskRunner};
use crate::error::{Error, ErrorKind, Result};
use crate::host::{HostView, Progress, RealHost, here};
use crate::value::Value;
use base64::Engine as _;
use std::path::Path;

/// The way to a seat: a pair of pipes, or a channel.
pub trait Line: Send {
    /// Sends a line.
    ///
    /// # Errors
    /// When the other end is gone.
    fn send(&mut self, line: &str) -> Result<()>;
    /// Waits for a line; `None` when the other end is gone.
    ///
    /// # Errors
    /// When it cannot be read.
    fn receive(&mut self) -> Result<Option<String>>;
    /// The other end is there.
    fn has_started(&self) {}
    /// Why it is not, as far as it said so.
    fn complaint(&mut self) -> String {
        String::new()
    }
}

impl Line for here::Piped {
    fn send(&mut self, line: &str) -> Result<()> {
        Self::send(self, line)
    }
    fn receive(&mut self) -> Result<Option<String>> {
        Self::receive(self)
    }
    fn has_started(&self) {
        Self::has_started(self);
    }
    fn complaint(&mut self) -> String {
        Self::complaint(self)
    }
}

/// Carries modules out at the other end of a line.
pub struct Seat<L: Line> {
    line: L,
    what: String,
    /// The command behind it, where it has one to show.
    pub command: Option<String>,
}

impl<L: Line> Seat<L> {
    /// Waits until the seat is ready. `what` names it in errors.
    ///
    /// # Errors
    /// Of kind `Unreachable` when it does not come up, or is of another version.
    pub fn open(mut line: L, what: impl Into<String>) -> Result<Self> {
        let what = what.into();
        let mut noise = String::new();
        while let Some(text) = line.receive()? {
            match serde_json::from_str::<Say>(&text) {
                Ok(Say::Ready { version }) if version == env!("CARGO_PKG_VERSION") => {
                    line.has_started();
                    return Ok(Self {
                        line,
                        what,
                        command: None,
                    });
                }
                Ok(Say::Ready { version }) => {
                    return Err(Error::new(
                        ErrorKind::Unreachable,
                        format!(
                            "{what} is of version {version}, not {}",
                            env!("CARGO_PKG_VERSION")
                        ),
                    ));
                }
                // A login may greet with lines of its own.
                _ => noise = text,
            }
        }
        let said = [line.complaint(), noise, "no answer".into()];
        let why = said.into_iter().find(|text| !text.is_empty());
        Err(Error::new(
            ErrorKind::Unreachable,
            format!("{what} did not start: {}", why.unwrap_or_default()),
        ))
    }

    fn gone(&self) -> Error {
        Error::new(ErrorKind::Unreachable, format!("{} went away", self.what))
    }
}

impl<L: Line> TaskRunner for Seat<L> {
    fn run(&mut self, call: &ModuleCall, progress: &dyn Fn(Progress)) -> Result<Performed> {
        if let Some(why) = Value::map(call.args.clone()).unknown_reason() {
            return Ok(Performed {
                may_change: Some(why.to_string()),
                ..Performed::default()
            });
        }
        let ask = Ask::new(call, assets(call)?);
        let text = ask.line()?;
        self.line.send(&text).map_err(|_| self.gone())?;
        while let Some(text) = self.line.receive()? {
            match serde_json::from_str::<Say>(&text) {
                Ok(Say::Line(line)) => progress(Progress::Line(line)),
                Ok(Say::Bytes { done, total }) => progress(Progress::Bytes { done, total }),
                Ok(Say::Done(wire)) => return Ok((*wire).into()),
                Ok(Say::Failed {
                    kind,
                    message,
                    hints,
                }) => {
                    return Err(told(&kind, message, hints));
                }
                Ok(Say::Ready { .. }) | Err(_) => {}
            }
        }
        Err(self.gone())
    }

    fn command(&self) -> Option<&str> {
        self.command.as_deref()
    }
}

/// Files of the playbook's side that a call needs.
fn assets(call: &ModuleCall) -> Result<Vec<Asset>> {
    let mut out = Vec::new();
    if call.module.is_from_host(&call.args) || call.args.contains_key("content") {
        return Ok(out);
    }
    for (param, _) in call.module.assets {
        let Some(Value::Str(text)) = call.args.get(*param) else {
            continue;
        };
        let path = Path::new(&**text);
        if !here::exists(path) {
            continue;
        }
        let mut entries = Vec::new();
        collect(path, "", &mut entries)?;
        out.push(Asset {
            param: (*param).into(),
            slash: text.ends_with('/'),
            entries,
            name: path
                .file_name()
                .map(|n| n.to_string_lossy().into_owned())
                .unwrap_or_default(),
        });
    }
    Ok(out)
}

fn collect(root: &Path, below: &str, out: &mut Vec<AssetEntry>) -> Result<()> {
    let path = if below.is_empty() {
        root.to_path_buf()
    } else {
        root.join(below)
    };
    let is_dir = here::is_dir(&path);
    let data = if is_dir {
        None
    } else {
        let bytes = here::read(&path)?.unwrap_or_default();
        Some(base64::engine::general_purpose::STANDARD.encode(bytes))
    };
    out.push(AssetEntry {
        path: below.to_string(),
        mode: here::mode(&path)?,
        data,
    });
    if is_dir {
        for name in here::list(&path).unwrap_or_default() {
            let next = if below.is_empty() {
                name
            } else {
                format!("{below}/{name}")
            };
            collect(root, &next, out)?;
        }
    }
    Ok(())
}

/// Whether this process runs as `user`.
///
/// # Errors
/// When the accounts cannot be read.
pub fn is_current_user(user: &str) -> Result<bool> {
    let host = RealHost::new();
    let uid = host.current_uid();
    if user == "root" {
        return Ok(uid == 0);
    }
    Ok(host.user(user)?.is_some_and(|u| u.uid == uid))
}

/// What `sudo` asks with, so that its question can be told from what else it says.
const PROMPT: &str = "[sudo for lks] password:";

/// The same command, started in another folder.
fn in_folder(dir: &str, argv: Vec<String>) -> Vec<String> {
    let words = ["/bin/sh", "-c", "cd \"$0\" && exec \"$@\"", dir].map(String::from);
    words.into_iter().chain(argv).collect()
}

/// A seat on this machine as another user.
///
/// # Errors
/// When the user is not known, or the way to become that user fails.
pub fn as_user(user: &str, login: &Login) -> Result<Box<dyn TaskRunner>> {
    let host = RealHost::new();
    if host.user(user)?.is_none() {
        return Err(Error::params(format!(
            "cannot become `{user}`: there is no such user"
        )));
    }
    let (program, copy) = here::program_for_others()?;
    let program = program.display().to_string();
    let argv = argv(user, login, &program, host.current_uid() == 0, PROMPT)?;
    let given = |names: &[&str]| {
        let found = login.more.iter().find(|(name, _)| names.contains(&&**name));
        found.map(|(_, value)| value.clone())
    };
    let method = login.become_method.rsplit('.').next().unwrap_or_default();
    let questions = here::Questions {
        prompt: match method {
            "sudo" => PROMPT.into(),
            _ => "assword:".into(),
        },
        password: given(&["ansible_become_password", "ansible_become_pass"]),
        method: method.into(),
    };
    let argv = match given(&["ansible_sudo_chdir"]).filter(|_| method == "sudo") {
        Some(dir) => in_folder(&dir, argv),
        None => argv,
    };
    let pipe = here::pipe(&argv, questions)?;
    let seat = Seat::open(pipe, format!("{} as {user}", login.become_method));
    if let Some(folder) = copy {
        // A program that runs needs its file no more.
        here::remove_folder(&folder);
    }
    // As in Ansible, this is a failure of the task: the host itself is in reach.
    let mut seat = seat.map_err(|e| {
        Error::host(e.message())
            .hint("does the method need a password? give it with -K, or use another become_method")
    })?;
    seat.command = Some(crate::module::shlex::join(&argv));
    Ok(Box::new(seat))
}

/// The command that becomes another user and serves a seat: `program` is run by somebody who may be
/// root already, and `sudo` asks for a password in the words of `prompt`.
///
/// # Errors
/// When there is no such method.
pub fn argv(
    user: &str,
    login: &Login,
    program: &str,
    is_root: bool,
    prompt: &str,
) -> Result<Vec<String>> {
    let words = |text: &str| -> Vec<String> {
        let plain = || text.split_whitespace().map(String::from).collect();
        crate::module::shlex::split(text).unwrap_or_else(|_| plain())
    };
    let mut argv = match login.become_method.rsplit('.').next().unwrap_or_default() {
        // Root needs no password for either, and `runuser` is on every Linux.
        "sudo" | "su" | "runuser"
            if is_root && login.become_exe.is_none() && !login.become_same_user =>
        {
            vec!["runuser".into(), "-u".into(), user.into(), "--".into()]
        }
        "sudo" => {
            let exe = login.become_exe.clone().unwrap_or_else(|| "sudo".into());
            let mut argv = vec![exe];
            let has_password = login
                .more
                .iter()
                .any(|(name, _)| name.starts_with("ansible_become_pass"));
            let flags = login.become_flags.as_deref().unwrap_or("-H -S -n");
            // One that must not ask would refuse the password, too.
            let quiet = |w: &String| has_password && matches!(&**w, "-n" | "--non-interactive");
            argv.extend(words(flags).into_iter().filter(|w| !quiet(w)));
            argv.extend([
                "-p".into(),
                prompt.into(),
                "-u".into(),
                user.into(),
                "--".into(),
            ]);
            argv
        }
        "su" => {
            let exe = login.become_exe.clone().unwrap_or_else(|| "su".into());
            let mut argv = vec![exe];
            argv.extend(words(login.become_flags.as_deref().unwrap_or_default()));
            argv.extend([user.into(), "-c".into(), format!("{program} {COMMAND}")]);
            return Ok(argv);
        }
        "doas" => {
            let exe = login.become_exe.clone().unwrap_or_else(|| "doas".into());
            let mut argv = vec![exe];
            argv.extend(words(login.become_flags.as_deref().unwrap_or_default()));
            argv.extend(["-u".into(), user.into()]);
            argv
        }
        other => {
            return Err(
                Error::params(format!("there is no become_method `{other}`"))
                    .did_you_mean(other, ["sudo", "su", "runuser", "doas"]),
            );
        }
    };
    argv.extend([program.to_string(), COMMAND.to_string()]);
    Ok(argv)
}
