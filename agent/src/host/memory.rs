//! What is remembered of a machine: effects laid over another host. A fake host is this over
//! nothing; check mode's overlay is this over the real host.

use super::digest::digest_of;
use super::pending::Pending;
use super::tree::{Below, Body, Data, Node, Tree};
use super::*;
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a command without a slash is looked for when the environment has no `PATH`, and besides it.
pub(super) const DEFAULT_PATH: &str =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin";

/// A host, and what was done to it.
pub(super) struct Memory {
    pub base: Arc<dyn HostView>,
    /// Whether what was done was only thought of, so that side effects of programs are missing.
    pub imagined: bool,
    pub tree: Tree,
    pub users: BTreeMap<String, Option<User>>,
    pub groups: BTreeMap<String, Option<Group>>,
    /// Supplementary groups of users, where they were set as a whole.
    pub memberships: BTreeMap<String, Vec<String>>,
    pub packages: BTreeMap<String, Option<Package>>,
    pub units: BTreeMap<(UnitScope, String), UnitState>,
    /// The mount table, once it was changed.
    pub mounts: Option<Vec<MountEntry>>,
    /// Words by which a command could notice changed mounts and accounts: sources and names.
    pub words: Vec<String>,
    pub pending: Pending,
    pub environment: Vec<(String, String)>,
    pub next_inode: u64,
    pub next_id: u32,
}

/// What was changed of a unit.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct UnitState {
    pub active: Option<bool>,
    pub enabled: Option<bool>,
    pub masked: Option<bool>,
}

/// Numbers of accounts that check mode gave out itself, since the real ones are chosen only when the
/// account is made. See [`is_provisional`].
const PROVISIONAL: u32 = 0xF000_0000;

/// Whether `id` stands for the yet unknown number of an account that would be made.
#[must_use]
pub fn is_provisional(id: u32) -> bool {
    (PROVISIONAL..0xFFFF_0000).contains(&id)
}

impl Memory {
    /// Nothing done yet to `base`.
    pub fn over(base: Arc<dyn HostView>, imagined: bool) -> Self {
        Self {
            base,
            imagined,
            tree: Tree::default(),
            users: BTreeMap::new(),
            groups: BTreeMap::new(),
            memberships: BTreeMap::new(),
            packages: BTreeMap::new(),
            units: BTreeMap::new(),
            mounts: None,
            words: Vec::new(),
            pending: Pending::default(),
            environment: Vec::new(),
            next_inode: 0x4000_0000_0000_0000,
            next_id: if imagined { PROVISIONAL } else { 1000 },
        }
    }

    /// A path as a tree knows it: symlinks resolved.
    pub fn find(&self, path: &Path, follow: bool) -> Result<(PathBuf, Option<Node>)> {
        self.tree.find(self, path, follow)
    }

    fn file(&self, path: &Path) -> Result<Option<(PathBuf, Data)>> {
        Ok(match self.find(path, true)? {
            (at, Some(node)) => match node.body {
                Body::File(data) => Some((at, data)),
                Body::Dir => {
                    return Err(Error::host(format!("{} is a directory", path.display())));
                }
                _ => None,
            },
            _ => None,
        })
    }

    /// The content of a file, wherever it is.
    pub fn bytes(&self, data: &Data) -> Result<Vec<u8>> {
        match data {
            Data::Bytes(bytes) => Ok(bytes.to_vec()),
            Data::Base(path) => Ok(self.base.read(path)?.unwrap_or_default()),
            Data::Asset(path) => self.base.asset_read(path),
            Data::Unknown(why) => Err(Error::unknown(&**why)),
        }
    }

    /// Variables of the task and of the command on top of the host's own.
    pub fn with_environment(&self, command: &Command) -> Command {
        let mut command = command.clone();
        let own = std::mem::take(&mut command.env);
        command.env = self.environment.iter().cloned().chain(own).collect();
        command
    }

    fn search_path(&self) -> String {
        match self.env("PATH") {
            Some(path) => format!("{path}:{DEFAULT_PATH}"),
            None => DEFAULT_PATH.to_owned(),
        }
    }
}

impl Below for Memory {
    fn node(&self, path: &Path) -> Result<Option<Node>> {
        let Some(stat) = self.base.lstat(path)? else {
            return self.pending.node(&*self.base, path);
        };
        let body = match stat.kind {
            FileKind::Dir => Body::Dir,
            FileKind::File => Body::File(Data::Base(path.to_owned())),
            FileKind::Link => Body::Link(self.base.read_link(path)?.unwrap_or_default()),
            _ => Body::Other,
        };
        Ok(Some(Node {
            stat,
            body,
            sealed: false,
        }))
    }

    fn names(&self, path: &Path) -> Result<Vec<String>> {
        let mut names = self.base.list(path)?.unwrap_or_default();
        self.pending.add_names(&*self.base, path, &mut names)?;
        Ok(names)
    }
}

impl HostView for Memory {
    fn lstat(&self, path: &Path) -> Result<Option<Stat>> {
        Ok(self.find(path, false)?.1.map(|n| n.stat))
    }

    fn stat(&self, path: &Path) -> Result<Option<Stat>> {
        Ok(self.find(path, true)?.1.map(|n| n.stat))
    }

    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        match self.file(path)? {
            Some((_, data)) => self.bytes(&data).map(Some),
            None => Ok(None),
        }
    }

    fn digest(&self, path: &Path, algorithm: Digest) -> Result<Option<String>> {
        Ok(match self.file(path)? {
            None => None,
            Some((_, Data::Base(at))) => self.base.digest(&at, algorithm)?,
            Some((_, Data::Asset(at))) => Some(self.base.asset_digest(&at, algorithm)?),
            Some((_, data)) => Some(digest_of(&self.bytes(&data)?, algorithm)),
        })
    }

    fn read_link(&self, path: &Path) -> Result<Option<PathBuf>> {
        Ok(match self.find(path, false)?.1 {
            Some(Node {
                body: Body::Link(target),
                ..
            }) => Some(target),
            _ => None,
        })
    }

    fn list(&self, path: &Path) -> Result<Option<Vec<String>>> {
        let at = self.tree.resolve(self, path, true)?;
        self.tree.list(self, &at)
    }

    fn access(&self, path: &Path, mode: u32) -> Result<bool> {
        let (at, node) = self.find(path, true)?;
        let Some(Node { stat, .. }) = node else {
            return Ok(false);
        };
        if !self.tree.knows(&at) && self.base.lstat(&at)?.is_some() {
            return self.base.access(&at, mode);
        }
        let uid = self.current_uid();
        let bits = if uid == 0 {
            // Root needs one x bit to execute a file, and nothing else.
            6 | u32::from(stat.is_dir() || stat.mode & 0o111 != 0)
        } else if stat.uid == uid {
            stat.mode >> 6 & 7
        } else if self.user_by_id(uid)?.is_some_and(|u| u.gid == stat.gid) {
            stat.mode >> 3 & 7
        } else {
            stat.mode & 7
        };
        Ok(bits & mode == mode)
    }

    fn canonical(&self, path: &Path) -> Result<PathBuf> {
        self.tree.resolve(self, path, true)
    }

    fn user(&self, name: &str) -> Result<Option<User>> {
        match self.users.get(name) {
            Some(known) => Ok(known.clone()),
            None => match self.base.user(name)? {
                None => self.pending.account(&*self.base, name).map(|()| None),
                found => Ok(found),
            },
        }
    }

    fn user_by_id(&self, uid: u32) -> Result<Option<User>> {
        if let Some(user) = self.users.values().flatten().find(|u| u.uid == uid) {
            return Ok(Some(user.clone()));
        }
        let found = self.base.user_by_id(uid)?;
        Ok(found.filter(|u| !self.users.contains_key(&u.name)))
    }

    fn group(&self, name: &str) -> Result<Option<Group>> {
        let group = match self.groups.get(name) {
            Some(known) => known.clone(),
            None => match self.base.group(name)? {
                None => {
                    self.pending.account(&*self.base, name)?;
                    None
                }
                found => found,
            },
        };
        Ok(group.map(|g| self.with_members(g)))
    }

    fn group_by_id(&self, gid: u32) -> Result<Option<Group>> {
        if let Some(group) = self.groups.values().flatten().find(|g| g.gid == gid) {
            return Ok(Some(self.with_members(group.clone())));
        }
        let found = self.base.group_by_id(gid)?;
        let found = found.filter(|g| !self.groups.contains_key(&g.name));
        Ok(found.map(|g| self.with_members(g)))
    }

    fn groups_of(&self, user: &str) -> Result<Vec<String>> {
        if let Some(groups) = self.memberships.get(user) {
            return Ok(groups.clone());
        }
        let mut names: Vec<String> = match self.users.get(user) {
            Some(None) => Vec::new(),
            _ => self.base.groups_of(user)?,
        };
        for (name, group) in &self.groups {
            names.retain(|n| n != name);
            if group
                .as_ref()
                .is_some_and(|g| g.members.iter().any(|m| m == user))
            {
                names.push(name.clone());
            }
        }
        names.sort();
        Ok(names)
    }

    fn current_uid(&self) -> u32 {
        self.base.current_uid()
    }

    fn umask(&self) -> u32 {
        self.base.umask()
    }

    fn package(&self, name: &str) -> Result<Option<Package>> {
        match self.packages.get(name) {
            Some(known) => Ok(known.clone()),
            None => self.base.package(name),
        }
    }

    fn unit(&self, scope: UnitScope, name: &str) -> Result<Unit> {
        self.unit_state(scope, &unit_name(name))
    }

    fn space(&self, path: &Path) -> Option<Space> {
        self.base.space(path)
    }

    fn mounts(&self) -> Result<Vec<MountEntry>> {
        match &self.mounts {
            Some(mounts) => Ok(mounts.clone()),
            None => self.base.mounts(),
        }
    }

    fn query(&self, command: &Command) -> Result<Output> {
        let command = self.with_environment(command);
        if let Some(program) = command.argv.first() {
            self.pending.program(&*self.base, program)?;
        }
        self.base.query(&command)
    }

    fn fetch(&self, request: &Request) -> Result<Response> {
        self.base.fetch(request)
    }

    fn which(&self, program: &str) -> Result<Option<PathBuf>> {
        if program.contains('/') {
            let path = PathBuf::from(program);
            return Ok(self.access(&path, 1)?.then_some(path));
        }
        if let Some(found) = self.base.which(program)?
            && (!self.imagined || self.access(&found, 1)?)
        {
            return Ok(Some(found));
        }
        for folder in self.search_path().split(':').filter(|f| !f.is_empty()) {
            let path = Path::new(folder).join(program);
            let (_, node) = self.find(&path, true)?;
            if node.is_some_and(|n| n.stat.is_file() && n.stat.mode & 0o111 != 0) {
                return Ok(Some(path));
            }
        }
        Ok(None)
    }

    fn env(&self, name: &str) -> Option<String> {
        let own = self.environment.iter().rev().find(|(n, _)| n == name);
        own.map(|(_, v)| v.clone()).or_else(|| self.base.env(name))
    }

    fn now(&self) -> f64 {
        self.base.now()
    }

    fn asset(&self, path: &Path) -> Result<Option<Stat>> {
        self.base.asset(path)
    }

    fn asset_read(&self, path: &Path) -> Result<Vec<u8>> {
        self.base.asset_read(path)
    }

    fn asset_digest(&self, path: &Path, algorithm: Digest) -> Result<String> {
        self.base.asset_digest(path, algorithm)
    }

    fn asset_list(&self, path: &Path) -> Result<Vec<String>> {
        self.base.asset_list(path)
    }
}

/// A unit's full name: systemd takes `docker` for `docker.service`, a path for a mount unit.
pub(super) fn unit_name(name: &str) -> String {
    const TYPES: [&str; 11] = [
        ".service",
        ".socket",
        ".target",
        ".timer",
        ".mount",
        ".automount",
        ".path",
        ".slice",
        ".scope",
        ".swap",
        ".device",
    ];
    if TYPES.iter().any(|t| name.ends_with(t)) {
        name.to_owned()
    } else {
        format!("{name}.service")
    }
}

/// Answers [`HostView`] by what a field of the type remembers.
macro_rules! view_by {
    ($type:ty, $field:ident) => {
        impl HostView for $type {
            view_by! { @ $field
                lstat(path: &Path) -> Result<Option<Stat>>;
                stat(path: &Path) -> Result<Option<Stat>>;
                read(path: &Path) -> Result<Option<Vec<u8>>>;
                digest(path: &Path, algorithm: Digest) -> Result<Option<String>>;
                read_link(path: &Path) -> Result<Option<PathBuf>>;
                list(path: &Path) -> Result<Option<Vec<String>>>;
                access(path: &Path, mode: u32) -> Result<bool>;
                canonical(path: &Path) -> Result<PathBuf>;
                user(name: &str) -> Result<Option<User>>;
                user_by_id(uid: u32) -> Result<Option<User>>;
                group(name: &str) -> Result<Option<Group>>;
                group_by_id(gid: u32) -> Result<Option<Group>>;
                groups_of(user: &str) -> Result<Vec<String>>;
                current_uid() -> u32;
                umask() -> u32;
                space(path: &Path) -> Option<Space>;
                package(name: &str) -> Result<Option<Package>>;
                unit(scope: UnitScope, name: &str) -> Result<Unit>;
                mounts() -> Result<Vec<MountEntry>>;
                query(command: &Command) -> Result<Output>;
                fetch(request: &Request) -> Result<Response>;
                which(program: &str) -> Result<Option<PathBuf>>;
                env(name: &str) -> Option<String>;
                environment() -> Vec<(String, String)>;
                now() -> f64;
                asset(path: &Path) -> Result<Option<Stat>>;
                asset_read(path: &Path) -> Result<Vec<u8>>;
                asset_digest(path: &Path, algorithm: Digest) -> Result<String>;
                asset_list(path: &Path) -> Result<Vec<String>>;
            }
        }
    };
    (@ $field:ident $($name:ident($($arg:ident: $t:ty),*) -> $r:ty;)*) => {
        $(fn $name(&self, $($arg: $t),*) -> $r { self.$field.$name($($arg),*) })*
    };
}
pub(super) use view_by;
