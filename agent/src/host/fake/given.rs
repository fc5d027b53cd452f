//! What a host in memory is given before a test: files, accounts, packages, programs' and servers' answers.

use super::FakeHost;
use super::act::output;
use crate::host::tree::Data;
use crate::host::*;
use std::path::{Path, PathBuf};

impl FakeHost {
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
        let state = crate::host::memory::UnitState {
            active: Some(active),
            enabled: Some(enabled),
            masked: None,
        };
        let key = (UnitScope::System, crate::host::memory::unit_name(name));
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
        let served = crate::host::script::Served {
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
}
