//! Real hosts to test on, in two weights.
//!
//! - [`vm::Vm`]: Debian 12 in QEMU with a kernel of its own, an NFS server standing for EFS, an apt
//!   repository, a release server and an image registry ([`services`]). A minute to boot.
//!   [`first_light`] and [`kill`] run the first user's playbook on it. [`launch`] boots it as an
//!   instance of EC2 ([`cloud`]) that gets nothing but user-data. [`clock`] sets its clock
//!   while a fleet works on it. [`shared_model`] has three hosts in it, on one NFS export.
//! - [`container::Container`]: the same root file system under systemd-nspawn, systemd as PID 1.
//!   Seconds; for every test run.
//!
//! Both live in a [`namespace::Namespace`] that dies with this process, however it dies: there is
//! nothing to clean up by hand. What takes minutes to make is made once and kept ([`cache`]).

pub mod cache;
pub mod clock;
pub mod cloud;
pub mod console;
pub mod container;
pub mod controller;
pub mod disk;
pub mod first_light;
pub mod kill;
pub mod launch;
pub mod llm_host;
pub mod namespace;
pub mod ollama;
pub mod options;
pub mod playbook_run;
pub mod process;
pub mod report;
pub mod reported;
pub mod rootfs;
pub mod services;
pub mod setup;
pub mod shared_model;
pub mod shell;
pub mod stage;
pub mod vm;

use std::fmt;
use std::path::PathBuf;

/// What was attempted and why it failed, in one text for a human.
#[derive(Debug)]
pub struct Failure(String);

/// The rig's result.
pub type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    /// A failure described by `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Failure(text.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Failure(error.to_string())
    }
}

/// Says what was attempted when it failed.
pub trait Attempt<T> {
    /// Puts `what` in front of the error.
    fn attempt(self, what: impl fmt::Display) -> Result<T>;
}

impl<T, E: fmt::Display> Attempt<T> for std::result::Result<T, E> {
    fn attempt(self, what: impl fmt::Display) -> Result<T> {
        self.map_err(|error| Failure(format!("{what}: {error}")))
    }
}

/// `Err` with `text` unless `holds`.
pub fn ensure(holds: bool, text: impl fmt::Display) -> Result<()> {
    if holds {
        Ok(())
    } else {
        Err(Failure(text.to_string()))
    }
}

/// A file of `tests/rig`.
pub fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("rig")
        .join(name)
}

/// The two rigs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rig {
    /// A virtual machine with its own kernel.
    Vm,
    /// A systemd container.
    Container,
}

/// Whether `rig` can run on this machine; the error says why not and what to do.
pub fn can_run(rig: Rig) -> Result<()> {
    setup::root()?;
    setup::tools(rig)?;
    setup::namespaces()?;
    if rig == Rig::Vm {
        setup::tun()?;
    }
    ensure(
        rootfs::is_built(),
        "the root file system is not built yet: run `cargo run -p lks-tests --bin rig -- setup`",
    )
}
