//! Starting a program: as `posix_spawn` does, by a child that borrows this process's memory until it
//! becomes the program.
//!
//! The library's own asks the kernel twice about each of 64 signals for every program, and describes its
//! descriptors through allocations: together a fifth of what a task costs beyond its program. Here the
//! few signals that this process treats in its own way are known.

use super::*;
use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, pthread_sigmask};
use nix::unistd::Pid;
use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io::{PipeReader, PipeWriter};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// Signals that this process catches or ignores, and a program must not.
const OURS: [Signal; 4] = [
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGPIPE,
];
/// Bytes for the few calls between the child's start and its program.
const STACK: usize = 32 << 10;

/// A program to start, in a process group of its own.
pub(super) struct Spawn {
    pub program: PathBuf,
    pub argv: Vec<String>,
    /// Variables on top of this process's own.
    pub env: Vec<(String, String)>,
    pub chdir: Option<PathBuf>,
    pub umask: Option<u32>,
    /// Whether it gets something to read.
    pub talks: bool,
}

/// A program that was started, and this side's ends of its pipes.
pub(super) struct Spawned {
    pub pid: Pid,
    pub stdin: Option<PipeWriter>,
    pub stdout: Option<PipeReader>,
    pub stderr: Option<PipeReader>,
}

impl Spawn {
    /// Starts it.
    ///
    /// # Errors
    /// Those of `execve(2)`, `chdir(2)` and of the pipes; a null byte in an argument.
    pub fn start(self) -> std::io::Result<Spawned> {
        let program = CString::new(self.program.into_os_string().into_vec())?;
        let argv = self.argv.into_iter().map(CString::new);
        let argv = argv.collect::<std::result::Result<Vec<_>, _>>()?;
        let added = self
            .env
            .iter()
            .map(|(name, value)| entry(name.as_ref(), value.as_ref()));
        let added = added.collect::<std::io::Result<Vec<_>>>()?;
        let chdir = self
            .chdir
            .map(|d| CString::new(d.into_os_string().into_vec()));
        let chdir = chdir.transpose()?;
        let (input, stdin) = match self.talks {
            true => std::io::pipe().map(|(read, write)| (Input::Pipe(read), Some(write)))?,
            false => (Input::Nothing(nothing()?), None),
        };
        let (stdout, out) = std::io::pipe()?;
        let (stderr, err) = std::io::pipe()?;
        let argv = pointers(argv.iter().map(CString::as_c_str));
        let inherited = environment().iter();
        let env = inherited.filter(|e| !added.iter().any(|a| name_of(a) == name_of(e)));
        let env = pointers(env.chain(&added).map(CString::as_c_str));
        let plan = Plan {
            program: &program,
            argv: &argv,
            env: &env,
            chdir: chdir.as_deref(),
            umask: self.umask,
            fds: [input.fd(), out.as_raw_fd(), err.as_raw_fd()],
            error: 0,
        };
        Ok(Spawned {
            pid: become_program(plan)?,
            stdin,
            stdout: Some(stdout),
            stderr: Some(stderr),
        })
    }
}

/// What the child reads.
enum Input {
    Pipe(PipeReader),
    Nothing(&'static File),
}

impl Input {
    fn fd(&self) -> RawFd {
        match self {
            Self::Pipe(pipe) => pipe.as_raw_fd(),
            Self::Nothing(file) => file.as_raw_fd(),
        }
    }
}

/// `/dev/null`, opened once.
fn nothing() -> std::io::Result<&'static File> {
    static NOTHING: OnceLock<File> = OnceLock::new();
    if let Some(file) = NOTHING.get() {
        return Ok(file);
    }
    let file = File::open("/dev/null")?;
    Ok(NOTHING.get_or_init(|| file))
}

/// This process's environment as programs get it. It does not change after `main` completed it.
fn environment() -> &'static [CString] {
    static ENVIRONMENT: OnceLock<Vec<CString>> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let all = std::env::vars_os();
        all.filter_map(|(name, value)| entry(&name, &value).ok())
            .collect()
    })
}

fn entry(name: &OsStr, value: &OsStr) -> std::io::Result<CString> {
    Ok(CString::new(
        [name.as_bytes(), b"=", value.as_bytes()].concat(),
    )?)
}

fn name_of(entry: &CStr) -> &[u8] {
    let bytes = entry.to_bytes();
    bytes.split(|b| *b == b'=').next().unwrap_or(bytes)
}

/// Pointers to these texts, and the null that ends them.
fn pointers<'a>(texts: impl Iterator<Item = &'a CStr>) -> Vec<*const libc::c_char> {
    texts
        .map(CStr::as_ptr)
        .chain(std::iter::once(std::ptr::null()))
        .collect()
}

/// What the child does; all of it is ready, since the child may not allocate.
struct Plan<'a> {
    program: &'a CStr,
    argv: &'a [*const libc::c_char],
    env: &'a [*const libc::c_char],
    chdir: Option<&'a CStr>,
    umask: Option<u32>,
    fds: [RawFd; 3],
    /// Why there is no program; written by the child.
    error: i32,
}

/// Makes the child, and waits until it is the program or has failed.
#[allow(
    unsafe_code,
    reason = "neither std nor nix starts a program without asking about every signal"
)]
fn become_program(mut plan: Plan<'_>) -> std::io::Result<Pid> {
    let mut stack = Vec::<u128>::with_capacity(STACK / size_of::<u128>());
    let mut before = SigSet::empty();
    // No handler of ours may run in the child, which would write to our memory.
    pthread_sigmask(
        SigmaskHow::SIG_SETMASK,
        Some(&SigSet::all()),
        Some(&mut before),
    )?;
    // SAFETY: with CLONE_VFORK this thread stands still until the child has called `execve` or
    // `_exit`, so `plan` and `stack` outlive its use of them and nobody else touches them. The stack
    // grows down from its end, which is aligned to 16 bytes. `child` only makes system calls: it
    // neither allocates nor unwinds. The child has its own descriptors, signal actions, umask and
    // working directory (no CLONE_FILES, CLONE_SIGHAND or CLONE_FS).
    let pid = unsafe {
        let top = stack.as_mut_ptr().add(stack.capacity());
        libc::clone(
            child,
            top.cast(),
            libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD,
            (&raw mut plan).cast(),
        )
    };
    let failed = Errno::last();
    pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&before), None)?;
    if pid < 0 {
        return Err(failed.into());
    }
    let pid = Pid::from_raw(pid);
    if plan.error == 0 {
        return Ok(pid);
    }
    // It is gone already; nothing is left but its entry in the table.
    let _ = nix::sys::wait::waitpid(pid, None);
    Err(std::io::Error::from_raw_os_error(plan.error))
}

/// The child's side. See [`become_program`] for what it may do.
#[allow(unsafe_code, reason = "it runs on borrowed memory")]
extern "C" fn child(plan: *mut libc::c_void) -> libc::c_int {
    // SAFETY: `plan` is the parent's, which stands still meanwhile. The calls below are system calls
    // on its ready-made, null-terminated texts and lists.
    unsafe {
        let plan = &mut *plan.cast::<Plan<'_>>();
        for signal in OURS {
            libc::signal(signal as libc::c_int, libc::SIG_DFL);
        }
        libc::setpgid(0, 0);
        for (number, fd) in plan.fds.iter().enumerate() {
            if libc::dup2(*fd, number as libc::c_int) < 0 {
                return give_up(plan);
            }
        }
        if let Some(dir) = plan.chdir
            && libc::chdir(dir.as_ptr()) < 0
        {
            return give_up(plan);
        }
        if let Some(mask) = plan.umask {
            libc::umask(mask);
        }
        // None is blocked in a program that is started anew.
        let none = SigSet::empty();
        libc::sigprocmask(libc::SIG_SETMASK, none.as_ref(), std::ptr::null_mut());
        libc::execve(plan.program.as_ptr(), plan.argv.as_ptr(), plan.env.as_ptr());
        give_up(plan)
    }
}

/// Leaves word of the error, and ends without running what ends this process.
#[allow(unsafe_code, reason = "`_exit` is meant, in the child alone")]
fn give_up(plan: &mut Plan<'_>) -> libc::c_int {
    plan.error = Errno::last_raw();
    // SAFETY: `_exit` ends the child alone and runs no handler.
    unsafe { libc::_exit(127) }
}
