//! A host in memory, for tests: effects hold at once, commands and servers answer as recorded.

use super::digest::digest_of;
use super::memory::{Memory, view_by};
use super::script::Script;
use super::tree::Data;
use super::*;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

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

    /// A file with mode 0644 of root; folders above it are made.
    #[must_use]
    pub fn with_file(self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> Self {
        self.with_file_attrs(path, content, 0o644, 0, 0)
    }

    /// A file with this mode and owner.
    #[must_use]
    pub fn with_file_attrs(
        mut self,
        path: impl AsRef<Path>,
        content: impl AsRef<[u8]>,
        mode: u32,
        uid: u32,
        gid: u32,
    ) -> Self {
        let path = path.as_ref();
        self.make_dirs(path.parent());
        let attrs = Attrs {
            uid: Some(uid),
            gid: Some(gid),
            mode: Some(mode),
            ..Attrs::default()
        };
        let data = Data::Bytes(content.as_ref().into());
        // A fake's own files cannot be unknown, so that only a folder in the way could fail it.
        let _ = self.memory.write(path, data, &attrs, false);
        self
    }

    /// A folder with mode 0755 of root, and those above it.
    #[must_use]
    pub fn with_dir(mut self, path: impl AsRef<Path>) -> Self {
        self.make_dirs(Some(path.as_ref()));
        self
    }

    /// Owner and mode of an entry that is there.
    #[must_use]
    pub fn with_attrs(mut self, path: impl AsRef<Path>, mode: u32, uid: u32, gid: u32) -> Self {
        let attrs = Attrs {
            uid: Some(uid),
            gid: Some(gid),
            mode: Some(mode),
            ..Attrs::default()
        };
        self.set(path.as_ref(), attrs);
        self
    }

    /// A symlink; folders above it are made.
    #[must_use]
    pub fn with_link(mut self, path: impl AsRef<Path>, target: impl AsRef<Path>) -> Self {
        self.make_dirs(path.as_ref().parent());
        let _ = self.memory.remember(&Effect::Symlink {
            path: path.as_ref().to_owned(),
            target: target.as_ref().to_owned(),
        });
        self
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

    /// An account with home `/home/NAME` (`/root` for root) and `/bin/sh`.
    #[must_use]
    pub fn with_user(self, name: &str, uid: u32, gid: u32) -> Self {
        let home = if uid == 0 {
            "/root".to_owned()
        } else {
            format!("/home/{name}")
        };
        self.with_account(User {
            name: name.to_owned(),
            uid,
            gid,
            home,
            shell: "/bin/sh".to_owned(),
            ..User::default()
        })
    }

    /// An account as given.
    #[must_use]
    pub fn with_account(mut self, user: User) -> Self {
        self.memory.users.insert(user.name.clone(), Some(user));
        self
    }

    /// A group.
    #[must_use]
    pub fn with_group(mut self, name: &str, gid: u32, members: &[&str]) -> Self {
        let group = Group {
            name: name.to_owned(),
            gid,
            members: members.iter().map(|m| (*m).to_owned()).collect(),
        };
        self.memory.groups.insert(name.to_owned(), Some(group));
        self
    }

    /// An installed package.
    #[must_use]
    pub fn with_package(mut self, name: &str, version: &str) -> Self {
        let package = Package {
            name: name.to_owned(),
            version: Some(version.to_owned()),
            architecture: "amd64".to_owned(),
            held: false,
            automatic: false,
        };
        self.memory.packages.insert(name.to_owned(), Some(package));
        self
    }

    /// A systemd unit of the machine.
    #[must_use]
    pub fn with_unit(mut self, name: &str, active: bool, enabled: bool) -> Self {
        let state = super::memory::UnitState {
            active: Some(active),
            enabled: Some(enabled),
            masked: None,
        };
        let key = (UnitScope::System, super::memory::unit_name(name));
        self.memory.units.insert(key, state);
        self
    }

    /// A line of the mount table.
    #[must_use]
    pub fn with_mount(mut self, source: &str, target: &str, fstype: &str, options: &str) -> Self {
        let mounts = self.memory.mounts.get_or_insert_default();
        let device = format!("0:{}", 40 + mounts.len());
        mounts.push(MountEntry {
            device,
            source: source.to_owned(),
            target: target.to_owned(),
            fstype: fstype.to_owned(),
            options: options.to_owned(),
            root: "/".to_owned(),
        });
        self
    }

    /// This very command succeeds and prints this.
    #[must_use]
    pub fn answering(self, argv: &[&str], stdout: &str) -> Self {
        self.answering_with(argv, 0, stdout, "")
    }

    /// This very command ends with `rc` and prints these.
    #[must_use]
    pub fn answering_with(self, argv: &[&str], rc: i32, stdout: &str, stderr: &str) -> Self {
        let argv: Vec<String> = argv.iter().map(|a| (*a).to_owned()).collect();
        let output = output(rc, stdout, stderr);
        self.with_program(&argv.first().cloned().unwrap_or_default())
            .answering_when(move |command| (command.argv == argv).then(|| output.clone()))
    }

    /// Every command that begins with these words ends with `rc` and prints these.
    #[must_use]
    pub fn answering_prefix(self, argv: &[&str], rc: i32, stdout: &str, stderr: &str) -> Self {
        let argv: Vec<String> = argv.iter().map(|a| (*a).to_owned()).collect();
        let output = output(rc, stdout, stderr);
        self.with_program(&argv.first().cloned().unwrap_or_default())
            .answering_when(move |command| command.argv.starts_with(&argv).then(|| output.clone()))
    }

    /// Commands for which the function has an answer get it. The answer given last is asked first.
    #[must_use]
    pub fn answering_when(
        self,
        answer: impl Fn(&Command) -> Option<Output> + Send + Sync + 'static,
    ) -> Self {
        self.script.state().answers.push(Box::new(answer));
        self
    }

    /// A program that [`HostView::which`] finds: an empty file `/usr/bin/NAME` (or at its path, if it
    /// has a slash).
    #[must_use]
    pub fn with_program(self, name: &str) -> Self {
        let path = match name.contains('/') {
            true => PathBuf::from(name),
            false => Path::new("/usr/bin").join(name),
        };
        match self.lstat(&path) {
            Ok(None) if path.is_absolute() => self.with_file_attrs(path, "", 0o755, 0, 0),
            _ => self,
        }
    }

    /// A server answers every request to this URL so.
    #[must_use]
    pub fn serving(self, url: &str, status: u16, body: impl AsRef<[u8]>) -> Self {
        let response = Response {
            status,
            reason: if status < 400 { "OK" } else { "Error" }.to_owned(),
            url: url.to_owned(),
            headers: Vec::new(),
            body: body.as_ref().to_vec(),
        };
        self.serving_response("", url, response)
    }

    /// A server answers requests of this method (any, if empty) to this URL so.
    #[must_use]
    pub fn serving_response(self, method: &str, url: &str, response: Response) -> Self {
        self.serving_call(method, url, ("", ""), response)
    }

    /// A server answers requests so whose body has the first part, once one whose body has the second part
    /// has come (either may be empty). Of several that fit, the last one given counts.
    #[must_use]
    pub fn serving_call(
        self,
        method: &str,
        url: &str,
        (asked, after): (&str, &str),
        response: Response,
    ) -> Self {
        let served = super::script::Served {
            method: method.to_owned(),
            url: url.to_owned(),
            asked: asked.to_owned(),
            after: after.to_owned(),
            response,
        };
        self.script.state().responses.push(served);
        self
    }

    /// A local TCP port that accepts connections.
    #[must_use]
    pub fn with_port(self, port: u16) -> Self {
        self.script.state().ports.insert(port);
        self
    }

    /// A file of the side that holds the playbook.
    #[must_use]
    pub fn with_asset(self, path: impl AsRef<Path>, content: impl AsRef<[u8]>) -> Self {
        let content = content.as_ref().to_vec();
        self.script
            .state()
            .assets
            .insert(path.as_ref().to_owned(), content);
        self
    }

    /// A variable of the environment.
    #[must_use]
    pub fn with_env(self, name: &str, value: &str) -> Self {
        self.script
            .state()
            .environment
            .insert(name.to_owned(), value.to_owned());
        self
    }

    /// What the clock says, in seconds since 1970. It stands still but for waiting.
    #[must_use]
    pub fn with_now(self, now: f64) -> Self {
        self.script.state().now = now;
        self
    }

    /// Acts as this account (root if not called).
    #[must_use]
    pub fn as_uid(self, uid: u32) -> Self {
        self.script.state().uid = uid;
        self
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

    fn run(&mut self, command: &Command, then: &[Consequence]) -> Result<Output> {
        let command = self.memory.with_environment(command);
        self.script.state().ran.push(command.clone());
        let answer = self.script.answer(&command);
        let output = answer.unwrap_or_else(|| {
            let now = self.now();
            Output {
                start: now,
                end: now,
                ..Output::default()
            }
        });
        if output.success() {
            for consequence in then {
                self.memory.consequence(consequence)?;
            }
        }
        Ok(output)
    }

    fn validate(&mut self, effect: &Effect) -> Result<()> {
        let Effect::WriteFile {
            validate: Some(line),
            ..
        } = effect
        else {
            return Ok(());
        };
        let argv = line.replace("%s", "/tmp/validated");
        let output = self.run(&Command::new(argv.split_whitespace()), &[])?;
        if output.success() {
            return Ok(());
        }
        Err(Error::host(format!(
            "failed to validate: rc:{} error:{}",
            output.rc,
            output.err()
        )))
    }

    fn download(&mut self, download: &Download) -> Result<Outcome> {
        let mut response = self.script.respond(&download.request)?;
        let outcome = |response, replaced, backup, fetched| Outcome::Downloaded {
            response,
            replaced,
            backup,
            fetched,
            resumed: 0,
        };
        if response.status == 304 {
            return Ok(outcome(response, false, None, 0));
        }
        if response.status >= 400 {
            return Err(Error::host(format!(
                "{}: HTTP {} {}",
                download.request.url, response.status, response.reason
            )));
        }
        let body = std::mem::take(&mut response.body);
        if let Some((algorithm, want)) = &download.checksum
            && digest_of(&body, *algorithm) != want.to_lowercase()
        {
            return Err(Error::host(format!(
                "{}: the checksum does not match",
                download.request.url
            )));
        }
        let fetched = body.len() as u64;
        let same = self.read(&download.dest)?.as_deref() == Some(&body);
        let data = Data::Bytes(body.into());
        let backup = self.memory.downloaded(download, data)?;
        Ok(outcome(response, !same, backup, fetched))
    }

    fn fetch_file(&mut self, fetch: &Fetch) -> Result<Outcome> {
        let url = &fetch.request.url;
        let response = match url.strip_prefix("file://").map(Path::new) {
            Some(path) => Response {
                status: 200,
                body: self.read(path)?.unwrap_or_default(),
                ..Response::default()
            },
            None => self.script.respond(&fetch.request)?,
        };
        if response.status >= 400 {
            let (status, reason) = (response.status, &response.reason);
            return Err(Error::host(format!("{url}: HTTP {status} {reason}")));
        }
        let sha256 = digest_of(&response.body, Digest::Sha256);
        if let Some(want) = fetch.sha256.as_ref().filter(|w| **w != sha256) {
            return Err(super::weights::wrong_digest(url, &sha256, want));
        }
        super::weights::check(&fetch.dest, &mut &response.body[..], fetch.size)?;
        let fetched = response.body.len() as u64;
        self.memory
            .fetched(fetch, Data::Bytes(response.body.into()))?;
        if let Some(path) = &fetch.note {
            let mtime = self.stat(&fetch.dest)?.map_or(0.0, |s| s.mtime);
            let text = super::FetchNote::of(fetch, &sha256, mtime).text();
            self.memory.remember(&Effect::WriteFile {
                path: path.clone(),
                content: Content::Bytes(text.into_bytes()),
                attrs: Attrs::default(),
                backup: false,
                validate: None,
                in_place: false,
            })?;
        }
        Ok(Outcome::Fetched(Box::new(Fetched {
            sha256,
            fetched,
            ..Fetched::default()
        })))
    }

    fn wait(&mut self, probe: &Probe, delay: Duration, timeout: Duration) -> Result<Outcome> {
        let open = |port| self.script.state().ports.contains(port);
        let mut groups = Vec::new();
        let mut answer = None;
        let met = match probe {
            Probe::Answer {
                request, search, ..
            } => {
                let last = self.script.respond(request).map_err(|e| e.message());
                let found = super::probe::answers(&last, search.as_deref())?;
                answer = Some(Box::new(last));
                found.map(|g| groups = g).is_some()
            }
            Probe::PortOpen { port, .. } => open(port),
            Probe::PortClosed { port, .. } | Probe::PortDrained { port, .. } => !open(port),
            Probe::PathPresent { path, search: None } => self.stat(path)?.is_some(),
            Probe::PathPresent {
                path,
                search: Some(regex),
            } => match self.read(path)? {
                None => false,
                Some(text) => super::probe::search(regex, &text)?
                    .map(|g| groups = g)
                    .is_some(),
            },
            Probe::PathAbsent { path } => self.lstat(path)?.is_none(),
            Probe::Nothing => false,
        };
        let given_up = probe.is_hopeless(answer.as_deref());
        let waits = !met && !given_up || matches!(probe, Probe::Nothing);
        let elapsed = delay + if waits { timeout } else { Duration::ZERO };
        self.script.state().now += elapsed.as_secs_f64();
        Ok(Outcome::Awaited {
            met: met || matches!(probe, Probe::Nothing),
            elapsed: elapsed.as_secs_f64(),
            groups,
            answer,
        })
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

fn output(rc: i32, stdout: &str, stderr: &str) -> Output {
    Output {
        rc,
        stdout: stdout.as_bytes().to_vec(),
        stderr: stderr.as_bytes().to_vec(),
        ..Output::default()
    }
}

#[cfg(test)]
#[path = "fake_tests.rs"]
mod tests;
