//! Programs: started in a group of their own, both outputs read while they run.

use super::pipes::{Feed, Lines, Stream, wait_for};
use super::spawn::{Spawn, Spawned};
use super::*;
use crate::host::here;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::cell::Cell;
use std::os::fd::{AsFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

/// How long a program may tidy up after SIGTERM.
const GRACE: Duration = Duration::from_secs(3);
/// How often the stop flag is looked at while a program runs.
const GLANCE: Duration = Duration::from_millis(100);
/// A program has ended, but a child of it keeps its outputs open: this is found out after so long.
const FIRST_GLANCE: Duration = Duration::from_millis(10);

thread_local! {
    /// What outputs are read into: to clear a new one for each program would cost more than reading.
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The environment that this process has, made whole: systemd gives a service neither `HOME` nor `LANG`.
pub(super) struct BaseEnvironment {
    /// What had to be added; nothing in a login session.
    added: Vec<(String, String)>,
}

impl BaseEnvironment {
    /// What is missing now. The account is looked up only if something of it is.
    fn new() -> Self {
        let mut added = Vec::new();
        let missing = |name: &str| here::env(name).is_none_or(|v| v.is_empty());
        let mut need = |name: &str, value: &str| {
            if missing(name) {
                added.push((name.to_owned(), value.to_owned()));
            }
        };
        need("PATH", DEFAULT_PATH);
        if ["HOME", "USER", "LOGNAME", "SHELL"]
            .into_iter()
            .any(missing)
        {
            // Of this process's account, so never of the folder that stands for a machine.
            let user = RealHost::new().user_in_files(files::effective_uid());
            let user = user.unwrap_or_default();
            if !user.name.is_empty() {
                need("HOME", &user.home);
                need("USER", &user.name);
                need("LOGNAME", &user.name);
                need("SHELL", &user.shell);
            }
        }
        if here::env("LC_ALL").is_none() && here::env("LC_CTYPE").is_none() {
            need("LANG", "C.UTF-8");
        }
        Self { added }
    }

    pub fn added(&self) -> &[(String, String)] {
        &self.added
    }

    pub fn get(&self, name: &str) -> Option<String> {
        let added = self.added.iter().find(|(n, _)| n == name);
        added.map(|(_, v)| v.clone()).or_else(|| here::env(name))
    }
}

/// Gives this process the variables that it lacks, so that programs inherit its environment as it is:
/// one that must be put together anew for each of them costs more than the rest of starting it.
///
/// To be called first of all in `main`.
#[allow(
    unsafe_code,
    clippy::disallowed_methods,
    reason = "the variables of a whole process are meant"
)]
pub fn complete_environment() {
    for (name, value) in BaseEnvironment::new().added {
        // SAFETY: `main` calls this before it starts any thread, so nobody reads the environment
        // meanwhile.
        unsafe { std::env::set_var(name, value) };
    }
}

impl RealHost {
    pub(super) fn base_environment(&self) -> &BaseEnvironment {
        self.shared
            .base_environment
            .get_or_init(BaseEnvironment::new)
    }

    /// The file that a program's name means, in these folders.
    pub(super) fn find_program(&self, program: &str, path: &str) -> Option<PathBuf> {
        let executable = |p: &Path| {
            let at = self.real(p, true).ok()?;
            let file = std::fs::metadata(&at).is_ok_and(|m| m.is_file());
            (file && files::access(&at, 1)).then(|| p.to_owned())
        };
        if program.contains('/') {
            return executable(Path::new(program));
        }
        path.split(':')
            .filter(|dir| dir.starts_with('/'))
            .find_map(|dir| executable(&Path::new(dir).join(program)))
    }

    /// Runs a program to its end.
    pub(super) fn run(&self, command: &Command, progress: &dyn Fn(Progress)) -> Result<Output> {
        let start = here::now();
        let began = Instant::now();
        let child = self.spawn(command)?;
        let mut running = Running {
            child,
            status: None,
            deadline: sooner(
                command.timeout.and_then(|t| began.checked_add(t)),
                self.deadline,
            ),
            terminated: None,
            timed_out: false,
            stopped: false,
        };
        let mut news = Lines {
            progress: command.progress.then_some(progress),
            parts: Default::default(),
        };
        let (stdout, stderr) = running
            .talk(command.stdin.as_deref(), &mut news)
            .map_err(|e| Error::host(format!("cannot run {}", command.argv[0])).caused_by(e))?;
        let rc = running
            .wait()
            .map_err(|e| Error::host(format!("cannot await {}", command.argv[0])).caused_by(e))?;
        if running.stopped {
            return Err(Error::host(format!(
                "{} was stopped by the user",
                command.argv[0]
            )));
        }
        Ok(Output {
            rc,
            stdout,
            stderr,
            start,
            end: start + began.elapsed().as_secs_f64(),
            timed_out: running.timed_out,
        })
    }

    fn spawn(&self, command: &Command) -> Result<Spawned> {
        let Some(name) = command.argv.first().filter(|n| !n.is_empty()) else {
            return Err(Error::host("no program to run"));
        };
        let program = match name.contains('/') {
            true => PathBuf::from(name),
            false => self.program_in_path(name, &command.env)?,
        };
        let chdir = command.chdir.as_ref().map(|dir| self.real(dir, true));
        let spawn = Spawn {
            program: program.clone(),
            argv: command.argv.clone(),
            env: self.variables(command)?,
            chdir: chdir.transpose()?,
            umask: command.umask,
            talks: command.stdin.is_some(),
        };
        spawn
            .start()
            .map_err(|e| self.not_started(command, &program, e))
    }

    /// What the program's environment has on top of this process's; the last of a name wins.
    fn variables(&self, command: &Command) -> Result<Vec<(String, String)>> {
        let added = &self.base_environment().added;
        let extra = [added, &self.environment, &command.env];
        let mut out: Vec<(String, String)> = Vec::new();
        for (name, value) in extra.into_iter().flatten() {
            check_variable(name, value)?;
            out.retain(|(n, _)| n != name);
            out.push((name.clone(), value.clone()));
        }
        Ok(out)
    }

    /// `/bin/sh` and the like cost no search; a name is looked for where the command would look.
    fn program_in_path(&self, name: &str, env: &[(String, String)]) -> Result<PathBuf> {
        let here = Self::new();
        let found = here.find_program(name, &self.search_path(env));
        found.ok_or_else(|| no_program(name))
    }

    fn not_started(&self, command: &Command, program: &Path, error: std::io::Error) -> Error {
        let name = &command.argv[0];
        if let Some(dir) = &command.chdir
            && !self
                .real(dir, true)
                .is_ok_and(|d| std::fs::metadata(d).is_ok_and(|m| m.is_dir()))
        {
            return Error::host(format!("no such directory: {}", dir.display()));
        }
        let at = command
            .chdir
            .as_deref()
            .unwrap_or(Path::new(""))
            .join(program);
        match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::ENOENT) if at.exists() => Error::host(format!(
                "cannot run {name}: the interpreter that it names is not there"
            )),
            Some(Errno::ENOENT | Errno::ENOTDIR) => no_program(name),
            Some(Errno::ENOEXEC) => Error::host(format!("cannot run {name}: no executable format"))
                .hint("a script needs a first line such as #!/bin/sh"),
            Some(Errno::EACCES) => Error::host(format!("cannot run {name}: permission denied")),
            Some(Errno::E2BIG) => Error::host(format!("cannot run {name}: arguments too long")),
            _ => Error::host(format!("cannot run {name}")).caused_by(error),
        }
    }
}

fn sooner(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    a.into_iter().chain(b).min()
}

fn no_program(name: &str) -> Error {
    Error::host(format!("no such program: {name}"))
}

/// What `execve` cannot carry would be a panic or an odd error later.
fn check_variable(name: &str, value: &str) -> Result<()> {
    if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
        return Err(Error::params(format!(
            "`{name}` is no name of an environment variable, or its value has a null byte"
        )));
    }
    Ok(())
}

/// A program under way.
struct Running {
    child: Spawned,
    /// What it ended with, once that was asked for: it can be had only once.
    status: Option<i32>,
    deadline: Option<Instant>,
    /// When it was sent SIGTERM.
    terminated: Option<Instant>,
    timed_out: bool,
    stopped: bool,
}

impl Running {
    /// Feeds its input and reads its outputs until both are closed, or it has ended and nothing
    /// more is there (a daemon it left keeps them open).
    fn talk(
        &mut self,
        input: Option<&[u8]>,
        news: &mut Lines<'_>,
    ) -> std::io::Result<(Vec<u8>, Vec<u8>)> {
        let mut out = Stream::new(self.child.stdout.take());
        let mut err = Stream::new(self.child.stderr.take());
        let mut feed = Feed::new(self.child.stdin.take(), input.unwrap_or_default())?;
        let mut buffer = BUFFER.take();
        buffer.resize(16 << 10, 0);
        let mut glance = FIRST_GLANCE;
        let mut ended = false;
        while !(out.is_closed() && err.is_closed()) {
            let patience = if ended {
                Duration::ZERO
            } else {
                self.patience(glance)
            };
            let ready = wait_for(&out, &err, &feed, patience)?;
            if ready == [false; 3] {
                if ended {
                    break;
                }
                // Only quiet times tell that it has ended, so that talkative programs cost nothing.
                ended = self.ended()?.is_some();
                glance = GLANCE;
            }
            if ready[0] {
                out.read(&mut buffer, |bytes| news.take(0, bytes))?;
            }
            if ready[1] {
                err.read(&mut buffer, |bytes| news.take(1, bytes))?;
            }
            if ready[2] {
                feed.write();
            }
            self.end_in_time();
        }
        news.finish();
        BUFFER.set(buffer);
        Ok((out.bytes, err.bytes))
    }

    /// How long to wait for news before looking at the clock and the stop flag again.
    fn patience(&self, glance: Duration) -> Duration {
        let left = |t: Instant| t.saturating_duration_since(Instant::now());
        let ends = match (self.terminated, self.deadline) {
            (Some(at), _) => left(at + GRACE),
            (None, Some(at)) => left(at),
            (None, None) => glance,
        };
        // At least a millisecond: poll counts in those.
        glance.min(ends).max(Duration::from_millis(1))
    }

    /// Ends the whole group when its time is up or the run is stopped: first kindly, then not.
    fn end_in_time(&mut self) {
        let now = Instant::now();
        match self.terminated {
            None if here::stopped() => self.stopped = true,
            None if self.deadline.is_some_and(|d| now >= d) => self.timed_out = true,
            Some(at) if now >= at + GRACE => {
                // It may have gone by itself.
                let _ = killpg(self.child.pid, Signal::SIGKILL);
                return;
            }
            _ => return,
        }
        let _ = killpg(self.child.pid, Signal::SIGTERM);
        self.terminated = Some(now);
    }

    /// Its status, once it has ended: its outputs are closed, so that this is a matter of
    /// microseconds, unless it closed them by itself and works on.
    fn wait(&mut self) -> std::io::Result<i32> {
        let mut ending = None;
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            let ending = ending.get_or_insert_with(|| pid_fd(self.child.pid));
            let patience = self.patience(GLANCE);
            match ending {
                Some(fd) => {
                    let fd = PollFd::new(fd.as_fd(), PollFlags::POLLIN);
                    let timeout = PollTimeout::try_from(patience);
                    // Interrupted or not: the next round looks again.
                    let _ = poll(&mut [fd], timeout.unwrap_or(PollTimeout::from(100_u8)));
                }
                None => std::thread::sleep(Duration::from_millis(1)),
            }
            self.end_in_time();
        }
    }

    /// Its status if it has ended: what it returned, or the signal that killed it, below zero.
    fn ended(&mut self) -> std::io::Result<Option<i32>> {
        if self.status.is_none() {
            self.status = match waitpid(self.child.pid, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(_, code)) => Some(code),
                Ok(WaitStatus::Signaled(_, signal, _)) => Some(-(signal as i32)),
                Ok(_) | Err(Errno::EINTR) => None,
                Err(e) => return Err(e.into()),
            };
        }
        Ok(self.status)
    }
}

/// Something to poll for the end of a child; kernels before 5.3 have none.
#[allow(unsafe_code, reason = "neither std nor nix has pidfd_open")]
fn pid_fd(pid: Pid) -> Option<OwnedFd> {
    // SAFETY: `pidfd_open` takes two integers and touches no memory. What it returns, unless
    // negative, is a new descriptor that nobody else owns.
    unsafe {
        let fd = nix::libc::syscall(nix::libc::SYS_pidfd_open, pid.as_raw(), 0);
        let fd = i32::try_from(fd).ok().filter(|fd| *fd >= 0)?;
        Some(OwnedFd::from_raw_fd(fd))
    }
}
