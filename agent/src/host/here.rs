//! The side that holds the playbook: its files, its clock, its terminal. The engine, the loader and
//! lookups reach them through these functions only.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this file is part of the seam"
)]

use crate::error::{Error, Result};
use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

static STOP: AtomicBool = AtomicBool::new(false);
static START: OnceLock<Instant> = OnceLock::new();

/// Seconds since 1970-01-01 UTC.
#[must_use]
pub fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |d| d.as_secs_f64())
}

/// Seconds since the first call: for durations.
#[must_use]
pub fn monotonic() -> f64 {
    START.get_or_init(Instant::now).elapsed().as_secs_f64()
}

/// Asks the run to stop at the next task (Ctrl-C).
pub fn stop() {
    STOP.store(true, Ordering::SeqCst);
}

/// Whether the run was asked to stop.
#[must_use]
pub fn stopped() -> bool {
    STOP.load(Ordering::SeqCst)
}

/// Lets time pass; ends early when the run is asked to stop.
pub fn sleep(seconds: f64) {
    let end = monotonic() + seconds;
    while !stopped() {
        let left = end - monotonic();
        if left <= 0.0 {
            break;
        }
        std::thread::sleep(Duration::from_secs_f64(left.min(0.1)));
    }
}

/// The text of a file; `None` if there is none.
///
/// # Errors
/// When it is there but cannot be read, or is no UTF-8.
pub fn read_text(path: &Path) -> Result<Option<String>> {
    let Some(bytes) = read(path)? else {
        return Ok(None);
    };
    String::from_utf8(bytes).map(Some).map_err(|e| {
        Error::host(format!(
            "{} is not UTF-8: byte {} is wrong",
            path.display(),
            e.utf8_error().valid_up_to()
        ))
    })
}

/// The content of a file; `None` if there is none.
///
/// # Errors
/// When it is there but cannot be read.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e)
            if matches!(
                e.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(e) => Err(Error::host(format!("cannot read {}", path.display())).caused_by(e)),
    }
}

/// All of standard input, as text.
///
/// # Errors
/// When it cannot be read or is no UTF-8.
pub fn read_stdin() -> Result<String> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|e| Error::host("cannot read standard input").caused_by(e))?;
    Ok(text)
}

/// Whether anything is at this path, links followed.
#[must_use]
pub fn exists(path: &Path) -> bool {
    path.exists()
}

/// Whether it is a directory.
#[must_use]
pub fn is_dir(path: &Path) -> bool {
    path.is_dir()
}

/// Whether it is a regular file.
#[must_use]
pub fn is_file(path: &Path) -> bool {
    path.is_file()
}

/// Whether it may be executed.
#[must_use]
pub fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

/// A file's permission bits.
///
/// # Errors
/// When it cannot be looked at.
pub fn mode(path: &Path) -> Result<u32> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path)
        .map(|m| m.permissions().mode() & 0o7777)
        .map_err(|e| Error::host(format!("cannot look at {}", path.display())).caused_by(e))
}

/// Names in a directory, sorted; `None` if it is none or cannot be read.
#[must_use]
pub fn list(path: &Path) -> Option<Vec<String>> {
    let mut names: Vec<String> = std::fs::read_dir(path)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    Some(names)
}

/// The path with `~` replaced by the home of the user.
#[must_use]
pub fn expand_home(path: &str) -> PathBuf {
    match (path.strip_prefix('~'), env("HOME")) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
            PathBuf::from(home).join(rest.trim_start_matches('/'))
        }
        _ => PathBuf::from(path),
    }
}

/// The path from the root, without `.` and `..`; links stay.
#[must_use]
pub fn absolute(path: &Path) -> PathBuf {
    let whole = if path.is_absolute() {
        path.to_path_buf()
    } else {
        working_dir().join(path)
    };
    let mut out = PathBuf::new();
    for part in whole.components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

/// The working directory.
#[must_use]
pub fn working_dir() -> PathBuf {
    std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"))
}

/// The path with links followed, as far as it exists.
#[must_use]
pub fn real_path(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| absolute(path))
}

/// A variable of this process's environment.
#[must_use]
pub fn env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// All variables of this process's environment that are UTF-8.
#[must_use]
pub fn env_all() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
        .collect()
}

/// This process's arguments, the program first.
#[must_use]
pub fn arguments() -> Vec<String> {
    std::env::args_os()
        .map(|a| a.to_string_lossy().into_owned())
        .collect()
}

/// The path of this program.
#[must_use]
pub fn program() -> Option<PathBuf> {
    std::env::current_exe().ok()
}

/// Runs a program and gives its status and what it printed: dynamic inventories, password scripts.
///
/// # Errors
/// When it cannot be started.
pub fn run(argv: &[String]) -> Result<super::Output> {
    let (program, arguments) = argv
        .split_first()
        .ok_or_else(|| Error::host("no program to run"))?;
    let start = now();
    let done = std::process::Command::new(program)
        .args(arguments)
        .stdin(std::process::Stdio::null())
        .output()
        .map_err(|e| Error::host(format!("cannot run {program}")).caused_by(e))?;
    Ok(super::Output {
        rc: done.status.code().unwrap_or(-1),
        stdout: done.stdout,
        stderr: done.stderr,
        start,
        end: now(),
        timed_out: false,
    })
}

/// Writes a file with these permission bits, making the directories above it.
///
/// # Errors
/// When it cannot be written.
pub fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let done = || -> std::io::Result<()> {
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir)?;
        }
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(mode)
            .open(path)?;
        file.write_all(bytes)
    };
    done().map_err(|e| Error::host(format!("cannot write {}", path.display())).caused_by(e))
}

/// Random bytes of the kernel.
///
/// # Errors
/// When the kernel gives none.
pub fn random_bytes(count: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; count];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut f| f.read_exact(&mut bytes))
        .map_err(|e| Error::host("cannot read /dev/urandom").caused_by(e))?;
    Ok(bytes)
}

/// Whether the user sees standard output on a terminal.
#[must_use]
pub fn stdout_is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Columns of the terminal, if standard output is one (or `COLUMNS` says it).
#[must_use]
pub fn terminal_width() -> Option<usize> {
    if let Some(columns) = env("COLUMNS").and_then(|c| c.parse().ok()) {
        return Some(columns);
    }
    let mut size = nix::libc::winsize {
        ws_row: 0,
        ws_col: 0,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: TIOCGWINSZ writes one `winsize`, and `size` is one.
    #[allow(unsafe_code)]
    let done = unsafe { nix::libc::ioctl(1, nix::libc::TIOCGWINSZ, &raw mut size) };
    (done == 0 && size.ws_col > 0).then(|| usize::from(size.ws_col))
}

/// Whether the user can type answers.
#[must_use]
pub fn stdin_is_terminal() -> bool {
    std::io::stdin().is_terminal()
}

/// Asks the user for a line. `None` when there is no terminal or the time (in seconds) is up.
///
/// # Errors
/// When the terminal cannot be used, or the user asked the run to stop.
pub fn ask(prompt: &str, echo: bool, timeout: Option<f64>) -> Result<Option<String>> {
    let terminal = |e| Error::host("cannot use the terminal").caused_by(e);
    if !stdin_is_terminal() {
        return Ok(None);
    }
    let mut out = std::io::stdout();
    write!(out, "{prompt}")
        .and_then(|()| out.flush())
        .map_err(terminal)?;
    let hidden = if echo {
        None
    } else {
        Some(HiddenInput::start()?)
    };
    let line = read_line(timeout)?;
    if hidden.is_some() {
        writeln!(out).map_err(terminal)?;
    }
    Ok(line)
}

/// Reads a line from the terminal, looking at the stop flag ten times a second.
fn read_line(timeout: Option<f64>) -> Result<Option<String>> {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::os::fd::AsFd;
    let end = timeout.map(|t| monotonic() + t);
    loop {
        if stopped() {
            return Err(Error::host("stopped by the user"));
        }
        if end.is_some_and(|e| monotonic() >= e) {
            return Ok(None);
        }
        let stdin = std::io::stdin();
        let mut fds = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, PollTimeout::from(100_u8)) {
            Ok(0) | Err(nix::errno::Errno::EINTR) => {}
            Ok(_) => {
                let mut line = String::new();
                let read = std::io::stdin()
                    .read_line(&mut line)
                    .map_err(|e| Error::host("cannot read the terminal").caused_by(e))?;
                return Ok((read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_string()));
            }
            Err(e) => return Err(Error::host("cannot read the terminal").caused_by(e)),
        }
    }
}

/// Keeps what is typed from being shown, until it is dropped.
struct HiddenInput(nix::sys::termios::Termios);

impl HiddenInput {
    fn start() -> Result<Self> {
        use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
        let failed = |e| Error::host("cannot use the terminal").caused_by(e);
        let before = tcgetattr(std::io::stdin()).map_err(failed)?;
        let mut quiet = before.clone();
        quiet.local_flags.remove(LocalFlags::ECHO);
        tcsetattr(std::io::stdin(), SetArg::TCSANOW, &quiet).map_err(failed)?;
        Ok(Self(before))
    }
}

impl Drop for HiddenInput {
    fn drop(&mut self) {
        use nix::sys::termios::{SetArg, tcsetattr};
        // Nothing better can be done when this fails than to leave the terminal as it is.
        let _ = tcsetattr(std::io::stdin(), SetArg::TCSANOW, &self.0);
    }
}

/// A program that is talked to by lines.
pub struct Piped {
    child: std::process::Child,
    input: Option<std::process::ChildStdin>,
    output: std::io::BufReader<std::process::ChildStdout>,
}

/// Starts a program to talk to by lines; its standard error goes to ours.
///
/// # Errors
/// When it cannot be started.
pub fn pipe(argv: &[String]) -> Result<Piped> {
    use std::process::Stdio;
    let (program, arguments) = argv
        .split_first()
        .ok_or_else(|| Error::host("no program to run"))?;
    let failed = || Error::host(format!("cannot run {program}"));
    let mut child = std::process::Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| failed().caused_by(e))?;
    let input = child.stdin.take();
    let output = child.stdout.take().ok_or_else(failed)?;
    Ok(Piped {
        child,
        input,
        output: std::io::BufReader::new(output),
    })
}

impl Piped {
    /// Sends a line.
    ///
    /// # Errors
    /// When the program is gone.
    pub fn send(&mut self, line: &str) -> Result<()> {
        let gone = || Error::host("the program is gone");
        let input = self.input.as_mut().ok_or_else(gone)?;
        writeln!(input, "{line}")
            .and_then(|()| input.flush())
            .map_err(|e| gone().caused_by(e))
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
        self.input = None;
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

/// Makes a folder and those above it.
///
/// # Errors
/// When it cannot be made.
pub fn make_dir(path: &Path, mode: u32) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir_all(path)
        .and_then(|()| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode | 0o700))
        })
        .map_err(|e| Error::host(format!("cannot make {}", path.display())).caused_by(e))
}

/// Removes a folder of ours with all that is in it, as far as it goes.
pub fn remove_folder(path: &Path) {
    let _ = std::fs::remove_dir_all(path);
}

/// Standard output, to be written to in pieces.
#[must_use]
pub fn stdout() -> Box<dyn Write + Send> {
    Box::new(std::io::stdout())
}

/// Standard error.
#[must_use]
pub fn stderr() -> Box<dyn Write + Send> {
    Box::new(std::io::stderr())
}

/// Makes a file to write a report to.
///
/// # Errors
/// When it cannot be made.
pub fn create(path: &Path) -> Result<Box<dyn Write + Send>> {
    let file = std::fs::File::create(path)
        .map_err(|e| Error::host(format!("cannot write {}", path.display())).caused_by(e))?;
    Ok(Box::new(std::io::BufWriter::new(file)))
}

/// Prints text and a line break. A reader that went away (`| head`) is no error of ours.
pub fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Prints text and a line break to standard error.
pub fn print_error(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// From now on, the first Ctrl-C (or SIGTERM) asks the run to stop after the tasks that are under
/// way; the second ends the process.
pub fn stop_on_interrupt() {
    use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
    extern "C" fn handle(_: nix::libc::c_int) {
        STOP.store(true, Ordering::SeqCst);
    }
    let action = SigAction::new(
        SigHandler::Handler(handle),
        // The second signal finds the default again.
        SaFlags::SA_RESETHAND,
        SigSet::empty(),
    );
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        // SAFETY: the handler only stores to an atomic, which is async-signal-safe.
        #[allow(unsafe_code)]
        let _ = unsafe { sigaction(signal, &action) };
    }
}

/// Standard input, line by line.
#[must_use]
pub fn stdin() -> Box<dyn std::io::BufRead> {
    Box::new(std::io::stdin().lock())
}

/// Seconds that local time is ahead of UTC at `unix`, and the zone's name.
#[must_use]
pub fn zone(unix: i64) -> (i32, String) {
    let time: nix::libc::time_t = unix;
    // SAFETY: `tm` is plain data for which zeroes are valid; localtime_r fills it and keeps no pointer
    // to it. Its `tm_zone` points at a name that lives as long as the process.
    #[allow(unsafe_code)]
    unsafe {
        let mut tm: nix::libc::tm = std::mem::zeroed();
        if nix::libc::localtime_r(&raw const time, &raw mut tm).is_null() || tm.tm_zone.is_null() {
            return (0, "UTC".into());
        }
        let name = std::ffi::CStr::from_ptr(tm.tm_zone);
        (
            i32::try_from(tm.tm_gmtoff).unwrap_or(0),
            name.to_string_lossy().into_owned(),
        )
    }
}
