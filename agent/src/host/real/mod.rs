//! The machine itself, or a folder that stands for one.

mod accounts;
mod change;
mod ciphers;
mod credentials;
mod download;
mod dpkg;
mod fetch;
mod files;
mod getent;
mod http;
mod mount;
mod patience;
mod pipes;
mod process;
mod redirect;
mod spawn;
mod systemd;
mod tls;
mod wait;
mod write;

pub use process::complete_environment;

use super::memory::DEFAULT_PATH;
use super::*;
use crate::error::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// The machine itself. Cheap to clone: what was parsed is shared.
///
/// Under another root than `/` (for tests and images) paths are looked up below it, symlinks
/// included, and accounts and packages are those of its files. Programs run as they are, not
/// chrooted: only their working directory is mapped. Mounting is refused there.
#[derive(Clone)]
pub struct RealHost {
    shared: Arc<Shared>,
    /// `environment:` of the task.
    environment: Vec<(String, String)>,
    /// Nothing of the task may take longer (`timeout:`, `async:`).
    deadline: Option<std::time::Instant>,
}

/// What does not change from task to task.
struct Shared {
    /// `None` for `/`.
    root: Option<PathBuf>,
    base_environment: OnceLock<process::BaseEnvironment>,
    umask: OnceLock<u32>,
    accounts: accounts::Accounts,
    dpkg: dpkg::Dpkg,
    tls: tls::Tls,
}

impl Default for RealHost {
    fn default() -> Self {
        Self::new()
    }
}

impl RealHost {
    /// The machine this process runs on.
    #[must_use]
    pub fn new() -> Self {
        Self::at(None)
    }

    /// A folder that stands for a machine.
    pub fn under(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        Self::at(Some(root).filter(|r| r != Path::new("/")))
    }

    fn at(root: Option<PathBuf>) -> Self {
        Self {
            shared: Arc::new(Shared {
                root,
                base_environment: OnceLock::new(),
                umask: OnceLock::new(),
                accounts: accounts::Accounts::default(),
                dpkg: dpkg::Dpkg::default(),
                tls: tls::Tls::default(),
            }),
            environment: Vec::new(),
            deadline: None,
        }
    }

    /// From now on, what is asked of this host may take `limit` in all: programs are ended, waiting
    /// stops. Nothing lifts the limit.
    pub fn set_deadline(&mut self, limit: Option<std::time::Duration>) {
        self.deadline = limit.and_then(|l| std::time::Instant::now().checked_add(l));
    }

    /// Whether the time that was set has passed.
    #[must_use]
    pub fn is_late(&self) -> bool {
        self.deadline
            .is_some_and(|d| std::time::Instant::now() >= d)
    }

    /// How long something may take that would like to take `most`.
    fn in_time(&self, most: std::time::Duration) -> std::time::Duration {
        match self.deadline {
            Some(end) => most.min(end.saturating_duration_since(std::time::Instant::now())),
            None => most,
        }
    }

    /// Whether this is a folder and no machine: no programs of it can be asked.
    fn is_folder(&self) -> bool {
        self.shared.root.is_some()
    }

    fn refuse_in_folder(&self, what: &str) -> Result<()> {
        match &self.shared.root {
            None => Ok(()),
            Some(root) => Err(Error::host(format!(
                "{what} needs the machine itself, not the folder {}",
                root.display()
            ))),
        }
    }
}

/// An error about a path: `cannot read /x: permission denied`.
fn io_error(what: &str, path: &Path, error: std::io::Error) -> Error {
    Error::host(format!("cannot {what} {}", path.display())).caused_by(error)
}

/// `None` where nothing is there.
fn if_there<T>(result: std::io::Result<T>) -> std::io::Result<Option<T>> {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    match result {
        Ok(value) => Ok(Some(value)),
        Err(e) if matches!(e.kind(), NotFound | NotADirectory) => Ok(None),
        Err(e) => Err(e),
    }
}

impl HostView for RealHost {
    fn lstat(&self, path: &Path) -> Result<Option<Stat>> {
        files::lstat(&self.real(path, false)?)
    }
    fn stat(&self, path: &Path) -> Result<Option<Stat>> {
        files::stat(&self.real(path, true)?)
    }
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        files::read(&self.real(path, true)?)
    }
    fn digests(&self, path: &Path, algorithms: &[Digest]) -> Result<Option<Vec<String>>> {
        files::digests(&self.real(path, true)?, algorithms)
    }
    fn digest(&self, path: &Path, algorithm: Digest) -> Result<Option<String>> {
        files::digest(&self.real(path, true)?, algorithm)
    }
    fn read_link(&self, path: &Path) -> Result<Option<PathBuf>> {
        files::read_link(&self.real(path, false)?)
    }
    fn list(&self, path: &Path) -> Result<Option<Vec<String>>> {
        files::list(&self.real(path, true)?)
    }
    fn access(&self, path: &Path, mode: u32) -> Result<bool> {
        Ok(files::access(&self.real(path, true)?, mode))
    }
    fn canonical(&self, path: &Path) -> Result<PathBuf> {
        self.resolve(path, true)
    }

    fn user(&self, name: &str) -> Result<Option<User>> {
        self.find_user(name)
    }
    fn user_by_id(&self, uid: u32) -> Result<Option<User>> {
        self.find_user_by_id(uid)
    }
    fn group(&self, name: &str) -> Result<Option<Group>> {
        self.find_group(name)
    }
    fn group_by_id(&self, gid: u32) -> Result<Option<Group>> {
        self.find_group_by_id(gid)
    }
    fn groups_of(&self, user: &str) -> Result<Vec<String>> {
        self.find_groups_of(user)
    }
    fn current_uid(&self) -> u32 {
        files::effective_uid()
    }
    fn umask(&self) -> u32 {
        *self.shared.umask.get_or_init(files::umask)
    }

    fn package(&self, name: &str) -> Result<Option<Package>> {
        self.find_package(name)
    }
    fn unit(&self, scope: UnitScope, name: &str) -> Result<Unit> {
        self.show_unit(scope, name)
    }
    fn mounts(&self) -> Result<Vec<MountEntry>> {
        self.mount_table()
    }

    fn space(&self, path: &Path) -> Option<Space> {
        let stat = nix::sys::statvfs::statvfs(&self.resolve(path, true).ok()?).ok()?;
        Some(Space {
            block: stat.fragment_size(),
            blocks: stat.blocks(),
            available: stat.blocks_available(),
            inodes: stat.files(),
            inodes_free: stat.files_free(),
        })
    }

    fn query(&self, command: &Command) -> Result<Output> {
        self.run(command, &|_| {})
    }
    fn fetch(&self, request: &Request) -> Result<Response> {
        if !request.only_reads && !matches!(&*request.method, "GET" | "HEAD" | "OPTIONS") {
            let what = format!("{} is no method that only reads", request.method);
            return Err(Error::new(ErrorKind::Internal, what));
        }
        self.patiently(request)
    }
    fn which(&self, program: &str) -> Result<Option<PathBuf>> {
        Ok(self.find_program(program, &self.search_path(&[])))
    }
    fn env(&self, name: &str) -> Option<String> {
        let own = self.environment.iter().rev().find(|(n, _)| n == name);
        own.map(|(_, v)| v.clone())
            .or_else(|| self.base_environment().get(name))
    }
    fn environment(&self) -> Vec<(String, String)> {
        let added = self.base_environment().added().iter();
        added.chain(&self.environment).cloned().collect()
    }
    fn now(&self) -> f64 {
        here::now()
    }

    fn asset(&self, path: &Path) -> Result<Option<Stat>> {
        files::stat(path)
    }
    fn asset_read(&self, path: &Path) -> Result<Vec<u8>> {
        files::read(path)?.ok_or_else(|| no_file(path))
    }
    fn asset_digest(&self, path: &Path, algorithm: Digest) -> Result<String> {
        files::digest(path, algorithm)?.ok_or_else(|| no_file(path))
    }
    fn asset_list(&self, path: &Path) -> Result<Vec<String>> {
        files::list(path)?
            .ok_or_else(|| Error::host(format!("no such directory: {}", path.display())))
    }

    fn with_environment(&self, variables: &[(String, String)]) -> Option<Arc<dyn HostView>> {
        Some(Arc::new(Self {
            deadline: self.deadline,
            shared: Arc::clone(&self.shared),
            environment: variables.to_vec(),
        }))
    }
}

impl RealHost {
    fn search_path(&self, more: &[(String, String)]) -> String {
        let given = more.iter().rev().find(|(n, _)| n == "PATH");
        match given.map(|(_, v)| v.clone()).or_else(|| self.env("PATH")) {
            Some(path) => format!("{path}:{DEFAULT_PATH}"),
            None => DEFAULT_PATH.to_owned(),
        }
    }
}

fn no_file(path: &Path) -> Error {
    Error::host(format!("no such file: {}", path.display()))
}

impl Host for RealHost {
    fn apply(&mut self, effect: &Effect, progress: &dyn Fn(Progress)) -> Result<Outcome> {
        match effect {
            Effect::WriteFile { .. } => {
                return self
                    .write_file(effect)
                    .map(|backup| Outcome::Written { backup });
            }
            Effect::SetAttrs {
                path,
                attrs,
                follow,
            } => self.set_attrs(path, attrs, *follow)?,
            Effect::MakeDir { path, attrs } => self.make_dir(path, attrs)?,
            Effect::Symlink { path, target } => self.symlink(path, target)?,
            Effect::HardLink { path, target } => self.hard_link(path, target)?,
            Effect::Remove { path } => self.remove(path)?,
            Effect::Rename { from, to } => self.rename(from, to)?,
            Effect::Download(download) => return self.download(download, progress),
            Effect::Fetch(fetch) => return self.fetch_file(fetch, progress),
            Effect::Mount { .. } | Effect::Unmount { .. } | Effect::Remount { .. } => {
                self.change_mount(effect)?;
            }
            Effect::Run { command, .. } => return self.run(command, progress).map(Outcome::Ran),
            Effect::Http(request) => return self.patiently(request).map(Outcome::Responded),
            Effect::Await { .. } => return self.wait(effect, progress),
        }
        Ok(Outcome::Done)
    }

    fn set_environment(&mut self, variables: Vec<(String, String)>) {
        self.environment = variables;
    }

    fn view(&self) -> &dyn HostView {
        self
    }
}

#[cfg(test)]
mod tests;
