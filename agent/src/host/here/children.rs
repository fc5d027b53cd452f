//! Programs of the playbook's side: dynamic inventories, password scripts, this program once more.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this file is part of the seam"
)]

use super::{monotonic, now, stopped};
use crate::error::{Error, Result};
use crate::host::Output;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// The path of this program.
#[must_use]
pub fn program() -> Option<PathBuf> {
    std::env::current_exe().ok()
}

/// Runs a program and gives its status and what it printed: dynamic inventories, lookups. It and
/// whatever it started are ended when the run is asked to stop.
///
/// # Errors
/// When it cannot be started, or was ended so.
pub fn run(argv: &[String]) -> Result<Output> {
    use std::os::unix::process::CommandExt;
    start_and_wait(argv, |command| {
        command.process_group(0);
    })
}

/// As [`run`], for programs that may ask the user something on the terminal: only the program itself
/// is ended, since a group of its own could not read there.
///
/// # Errors
/// As [`run`].
pub fn run_in_front(argv: &[String]) -> Result<Output> {
    start_and_wait(argv, |_| {})
}

fn start_and_wait(
    argv: &[String],
    prepare: impl FnOnce(&mut std::process::Command),
) -> Result<Output> {
    use std::process::Stdio;
    let (program, arguments) = argv
        .split_first()
        .ok_or_else(|| Error::host("no program to run"))?;
    let start = now();
    let mut command = std::process::Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    prepare(&mut command);
    let failed = || Error::host(format!("cannot run {program}"));
    let mut child = command.spawn().map_err(|e| failed().caused_by(e))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (news, told) = std::sync::mpsc::channel();
    let read = |stream: Option<Box<dyn Read + Send>>, is_out: bool| {
        let news = news.clone();
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            // What was read before an error is all there is.
            let _ = stream.map(|mut s| s.read_to_end(&mut bytes));
            let _ = news.send((is_out, bytes));
        });
    };
    read(stdout.map(|s| Box::new(s) as _), true);
    read(stderr.map(|s| Box::new(s) as _), false);
    let (mut out, mut err) = (None, None);
    let mut ending = Ending::default();
    while out.is_none() || err.is_none() {
        match told.recv_timeout(std::time::Duration::from_millis(100)) {
            Ok((true, bytes)) => out = Some(bytes),
            Ok((false, bytes)) => err = Some(bytes),
            Err(_) if stopped() => {
                if ending.push(child.id()) {
                    break;
                }
            }
            Err(_) => {}
        }
    }
    let status = child.wait().map_err(|e| failed().caused_by(e))?;
    if ending.begun.is_some() {
        return Err(Error::host(format!("{program} was stopped by the user")));
    }
    Ok(Output {
        rc: status.code().unwrap_or(-1),
        stdout: out.unwrap_or_default(),
        stderr: err.unwrap_or_default(),
        start,
        end: now(),
        timed_out: false,
    })
}

/// The end of a program that the user wants no longer: SIGTERM, and SIGKILL after a while.
#[derive(Default)]
struct Ending {
    begun: Option<f64>,
}

impl Ending {
    /// Sends what is due; says whether nothing more can be done.
    fn push(&mut self, pid: u32) -> bool {
        use nix::sys::signal::{Signal, kill, killpg};
        use nix::unistd::{Pid, getpgid};
        let pid = Pid::from_raw(i32::try_from(pid).unwrap_or(0));
        let own_group = getpgid(Some(pid)).is_ok_and(|group| group == pid);
        let send = |signal: Signal| {
            // It may have ended by itself.
            let _ = if own_group {
                killpg(pid, signal)
            } else {
                kill(pid, signal)
            };
        };
        match self.begun {
            None => {
                self.begun = Some(monotonic());
                send(Signal::SIGTERM);
                false
            }
            Some(begun) if monotonic() - begun > 2.0 => {
                send(Signal::SIGKILL);
                true
            }
            Some(_) => false,
        }
    }
}

/// A program that is talked to by lines.
pub struct Piped {
    child: std::process::Child,
    input: Input,
    output: std::io::BufReader<std::process::ChildStdout>,
    complaints: std::sync::Arc<std::sync::Mutex<Complaints>>,
}

/// A program's standard input, which whoever answers its questions writes to as well.
type Input = std::sync::Arc<std::sync::Mutex<Option<std::process::ChildStdin>>>;

/// How a program on the way to another user asks for a password, and what it is told.
#[derive(Clone, Default)]
pub struct Questions {
    /// What the question ends with.
    pub prompt: String,
    /// The answer.
    pub password: Option<String>,
    /// The method's name, for errors.
    pub method: String,
}

/// What a program said on its standard error while it started.
#[derive(Default)]
struct Complaints {
    text: String,
    asked: u32,
    /// What is wrong with the password.
    verdict: Option<String>,
    /// It has started: what it says now goes to our standard error.
    started: bool,
}

/// Starts a program to talk to by lines, in this folder if one is given. It may ask for a password
/// on its standard error; what else it says there is told by [`Piped::complaint`].
///
/// # Errors
/// When it cannot be started.
pub fn pipe(argv: &[String], questions: Questions) -> Result<Piped> {
    use std::process::Stdio;
    let (program, arguments) = argv
        .split_first()
        .ok_or_else(|| Error::host("no program to run"))?;
    let failed = || Error::host(format!("cannot run {program}"));
    let mut child = std::process::Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| failed().caused_by(e))?;
    let input: Input = std::sync::Arc::new(std::sync::Mutex::new(child.stdin.take()));
    let output = child.stdout.take().ok_or_else(failed)?;
    let complaints = std::sync::Arc::default();
    if let Some(errors) = child.stderr.take() {
        let (input, complaints) = (
            std::sync::Arc::clone(&input),
            std::sync::Arc::clone(&complaints),
        );
        std::thread::spawn(move || listen(errors, &questions, &input, &complaints));
    }
    Ok(Piped {
        child,
        input,
        output: std::io::BufReader::new(output),
        complaints,
    })
}

/// Hears what a program says on its standard error, and answers its one question.
fn listen(
    mut errors: std::process::ChildStderr,
    questions: &Questions,
    input: &Input,
    complaints: &std::sync::Mutex<Complaints>,
) {
    let mut buffer = [0_u8; 4096];
    while let Ok(count @ 1..) = errors.read(&mut buffer) {
        let mut heard = complaints
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let text = String::from_utf8_lossy(&buffer[..count]);
        if heard.started {
            super::print_error(text.trim_end());
            continue;
        }
        heard.text.push_str(&text);
        let prompt = &questions.prompt;
        if prompt.is_empty() || !heard.text.trim_end().ends_with(prompt.trim_end()) {
            continue;
        }
        let end = heard.text.trim_end().len() - prompt.trim_end().len();
        heard.text.truncate(end);
        heard.asked += 1;
        let mut input = input
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let method = &questions.method;
        match (&questions.password, heard.asked) {
            (Some(password), 1) => {
                if let Some(input) = input.as_mut() {
                    // If it is gone already, the end of its output tells that.
                    let _ = writeln!(input, "{password}").and_then(|()| input.flush());
                }
                continue;
            }
            (None, _) => heard.verdict = Some(format!("Missing {method} password")),
            (Some(_), _) => heard.verdict = Some(format!("Incorrect {method} password")),
        }
        // The end of its input ends a program that waits for a password.
        *input = None;
    }
}

impl Piped {
    /// Sends a line.
    ///
    /// # Errors
    /// When the program is gone.
    pub fn send(&mut self, line: &str) -> Result<()> {
        let gone = || Error::host("the program is gone");
        let mut input = self
            .input
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let input = input.as_mut().ok_or_else(gone)?;
        writeln!(input, "{line}")
            .and_then(|()| input.flush())
            .map_err(|e| gone().caused_by(e))
    }

    /// It has started: what it says on its standard error goes to ours from now on.
    pub fn has_started(&self) {
        let mut heard = self
            .complaints
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        heard.started = true;
        if !heard.text.trim().is_empty() {
            super::print_error(heard.text.trim());
        }
    }

    /// Why it did not start, as far as it said so.
    #[must_use]
    pub fn complaint(&mut self) -> String {
        *self
            .input
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = None;
        // Its standard error is heard by another thread, which may be a moment behind.
        let _ = self.child.wait();
        std::thread::sleep(std::time::Duration::from_millis(20));
        let heard = self
            .complaints
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        match &heard.verdict {
            Some(verdict) => verdict.clone(),
            None => heard.text.trim().to_string(),
        }
    }

    /// Waits for a line; `None` when the program is gone.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn receive(&mut self) -> Result<Option<String>> {
        use std::io::BufRead;
        let mut line = String::new();
        let read = self
            .output
            .read_line(&mut line)
            .map_err(|e| Error::host("cannot read what the program says").caused_by(e))?;
        Ok((read > 0).then(|| line.trim_end().to_string()))
    }
}

impl Drop for Piped {
    fn drop(&mut self) {
        // End of input is the program's sign to end.
        *self
            .input
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = None;
        let _ = self.child.wait();
    }
}

/// This program at a path where other users can run it, and the folder to remove once it runs there:
/// where it is, or a copy in a folder that all can enter and only this user can write.
///
/// # Errors
/// When it cannot be copied.
pub fn program_for_others() -> Result<(PathBuf, Option<PathBuf>)> {
    use std::os::unix::fs::PermissionsExt;
    let program = program().ok_or_else(|| Error::host("this program does not know its path"))?;
    let open = |p: &Path| std::fs::metadata(p).is_ok_and(|m| m.permissions().mode() & 0o001 != 0);
    if program.ancestors().all(open) {
        return Ok((program, None));
    }
    let copied = || -> std::io::Result<(PathBuf, Option<PathBuf>)> {
        let folder = folder_in_tmp(0o755)?;
        let copy = folder.join("lks-agent");
        std::fs::copy(&program, &copy)?;
        std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o755))?;
        Ok((copy, Some(folder)))
    };
    copied().map_err(|e| Error::host("cannot copy this program for another user").caused_by(e))
}

fn folder_in_tmp(mode: u32) -> std::io::Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt;
    let mut random = [0_u8; 8];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut random)?;
    let name = format!("lks-{:016x}", u64::from_le_bytes(random));
    let path = std::env::temp_dir().join(name);
    std::fs::DirBuilder::new().mode(mode).create(&path)?;
    Ok(path)
}

/// A new folder that only this user can read.
///
/// # Errors
/// When it cannot be made.
pub fn private_folder() -> Result<PathBuf> {
    folder_in_tmp(0o700).map_err(|e| Error::host("cannot make a temporary folder").caused_by(e))
}

/// Starts this program once more with one argument, in a session of its own: it outlives this process
/// and hears no signal of its terminal. It gets `line` as its input, and must answer with a line.
///
/// # Errors
/// When it cannot be started, or ends without an answer.
#[allow(
    unsafe_code,
    reason = "std has no way to start a program in a session of its own"
)]
pub fn detach(argument: &str, line: &str) -> Result<String> {
    use std::io::BufRead;
    use std::os::unix::process::CommandExt;
    use std::process::Stdio;
    let failed = |e| Error::host("cannot start this program in the background").caused_by(e);
    // The kernel's link leads to the program even where its file was removed or replaced.
    let mut starting = std::process::Command::new("/proc/self/exe");
    starting
        .arg(argument)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    // SAFETY: between fork and exec only `setsid` is called, which is async-signal-safe and touches
    // no memory.
    unsafe {
        starting.pre_exec(|| {
            nix::libc::setsid();
            Ok(())
        });
    }
    let mut child = starting.spawn().map_err(failed)?;
    let mut talk = || -> std::io::Result<String> {
        let mut answer = String::new();
        if let Some(mut input) = child.stdin.take() {
            writeln!(input, "{line}")?;
        }
        if let Some(output) = child.stdout.take() {
            std::io::BufReader::new(output).read_line(&mut answer)?;
        }
        Ok(answer.trim_end().to_string())
    };
    let answer = talk();
    // Whoever started a process must wait for it, or it stays in the table of processes.
    std::thread::spawn(move || child.wait());
    answer.map_err(failed)
}

/// Lets go of standard input and output: nobody waits for what this process says any more.
#[allow(unsafe_code, reason = "std has no way to replace a standard stream")]
pub fn let_go() {
    use std::os::fd::AsRawFd;
    let Ok(nothing) = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")
    else {
        return;
    };
    for stream in 0..=2 {
        // SAFETY: `dup2` takes two descriptors that are open, and touches no memory.
        unsafe { nix::libc::dup2(nothing.as_raw_fd(), stream) };
    }
}

/// Does something after a while, beside all else.
pub fn later(wait: std::time::Duration, what: impl FnOnce() + Send + 'static) {
    std::thread::spawn(move || {
        std::thread::sleep(wait);
        what();
    });
}
