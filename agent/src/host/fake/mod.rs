//! A host in memory, for tests: effects hold at once, commands and servers answer as recorded.

mod act;
mod given;

use super::memory::{Memory, view_by};
use super::script::Script;
use super::*;
use crate::error::Result;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A machine in memory: a root that is empty but for the usual folders, the account `root`, the
/// answers it was given, and a log of what was run.
///
/// What it is given by `with_…` is there from the start; effects change it as they would a real
/// machine. An [`Effect::Run`] without a recorded answer succeeds and prints nothing; if it
/// succeeds, its consequences hold. A [`HostView::query`] without one is "no such program".
///
/// ```
/// use lks_agent::host::{FakeHost, Host, HostView};
/// let host = FakeHost::new()
///     .with_file("/etc/hosts", "127.0.0.1 localhost\n")
///     .answering(&["uname", "-r"], "6.1.0\n");
/// assert_eq!(host.text("/etc/hosts"), "127.0.0.1 localhost\n");
/// ```
pub struct FakeHost {
    memory: Memory,
    script: Arc<Script>,
}

view_by!(FakeHost, memory);

impl Default for FakeHost {
    fn default() -> Self {
        Self::new()
    }
}

impl FakeHost {
    /// A machine with the usual folders, `root`, and a clock that stands at 2023-11-14 22:13:20 UTC.
    #[must_use]
    pub fn new() -> Self {
        let script = Arc::new(Script::default());
        script.state().now = 1_700_000_000.0;
        let mut host = Self {
            memory: Memory::over(Arc::clone(&script) as Arc<dyn HostView>, false),
            script,
        };
        for dir in [
            "/etc",
            "/tmp",
            "/usr/bin",
            "/usr/sbin",
            "/root",
            "/home",
            "/var/lib",
            "/opt",
            "/srv",
        ] {
            host = host.with_dir(dir);
        }
        host.chmod("/tmp", 0o1777);
        host.chmod("/root", 0o700);
        host.with_group("root", 0, &[]).with_user("root", 0, 0)
    }

    fn chmod(&mut self, path: &str, mode: u32) {
        let attrs = Attrs {
            mode: Some(mode),
            ..Attrs::default()
        };
        self.set(Path::new(path), attrs);
    }

    fn set(&mut self, path: &Path, attrs: Attrs) {
        let _ = self.memory.remember(&Effect::SetAttrs {
            path: path.to_owned(),
            attrs,
            follow: false,
        });
    }

    fn make_dirs(&mut self, path: Option<&Path>) {
        let mut missing: Vec<&Path> = path.into_iter().flat_map(Path::ancestors).collect();
        missing.reverse();
        for dir in missing {
            let attrs = Attrs {
                mode: Some(0o755),
                uid: Some(0),
                gid: Some(0),
                ..Attrs::default()
            };
            // Those that exist refuse, and may.
            let _ = self.memory.remember(&Effect::MakeDir {
                path: dir.to_owned(),
                attrs,
            });
        }
    }

    /// Commands that effects ran, in order.
    #[must_use]
    pub fn ran(&self) -> Vec<Command> {
        self.script.state().ran.clone()
    }

    /// Commands that planning ran, in order.
    #[must_use]
    pub fn queried(&self) -> Vec<Command> {
        self.script.state().queried.clone()
    }

    /// HTTP requests, in order.
    #[must_use]
    pub fn requested(&self) -> Vec<Request> {
        self.script.state().requested.clone()
    }

    /// A file's content as text; empty if there is none.
    #[must_use]
    pub fn text(&self, path: impl AsRef<Path>) -> String {
        let bytes = self.read(path.as_ref()).ok().flatten().unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Host for FakeHost {
    fn apply(&mut self, effect: &Effect, progress: &dyn Fn(Progress)) -> Result<Outcome> {
        self.validate(effect)?;
        if let Some(outcome) = self.memory.remember(effect)? {
            return Ok(outcome);
        }
        match effect {
            Effect::Run { command, then } => {
                let output = self.run(command, then)?;
                if command.progress {
                    let text = output.out();
                    text.lines()
                        .for_each(|l| progress(Progress::Line(l.to_owned())));
                }
                Ok(Outcome::Ran(output))
            }
            Effect::Http(request) => self.script.respond(request).map(Outcome::Responded),
            Effect::Download(download) => self.download(download),
            Effect::Fetch(fetch) => self.fetch_file(fetch),
            Effect::Await {
                probe,
                delay,
                timeout,
                ..
            } => self.wait(probe, *delay, *timeout),
            _ => Ok(Outcome::Done),
        }
    }

    fn set_environment(&mut self, variables: Vec<(String, String)>) {
        self.memory.environment = variables;
    }

    fn view(&self) -> &dyn HostView {
        self
    }
}

#[cfg(test)]
mod tests;
