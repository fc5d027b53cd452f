//! Owner, group, mode and file attributes: parameters that many modules share, and how they differ
//! from an entry that is there.

mod context;
mod flags;

use super::{HostPath, Mode};
use crate::error::{Error, Result};
use crate::host::{Attrs, Context, Effect, FileKind, HostView, Stat};
use crate::module::{Diff, Plan};
use crate::params;
use crate::value::{Key, Map, Value};
use context::{context_of, policy_context};
pub use flags::{FileFlags, add_path_info, file_flags, number, size, state_word};
use flags::{flags_differ, signed};
use std::path::{Path, PathBuf};

/// Is there where the kernel enforces, or could, an SELinux policy.
const SELINUX: &str = "/sys/fs/selinux/enforce";

/// The mask under which new entries are made; symbolic modes that name nobody (`+x`) respect it.
const UMASK: u32 = 0o022;

params! {
    /// Who owns an entry of the file system, and who may do what with it.
    pub struct FileAttrs {
        /// Permissions, as octal digits in quotes (`'0644'`) or as `chmod` writes them (`u=rw,g=r,o=r`).
        optional mode: Option<Mode>,
        /// Name or number of the user who should own it.
        optional owner: Option<String>,
        /// Name or number of the group that should own it.
        optional group: Option<String>,
        /// `chattr` attributes, such as `+i`; without a sign, exactly these.
        optional attributes | "attr": Option<String>,
        /// User part of the SELinux context, or `_default` for the policy's. Ignored on hosts without SELinux.
        optional seuser: Option<String>,
        /// Role part of the SELinux context, or `_default` for the policy's. Ignored on hosts without SELinux.
        optional serole: Option<String>,
        /// Type part of the SELinux context, or `_default` for the policy's. Ignored on hosts without SELinux.
        optional setype: Option<String>,
        /// Level part of the SELinux context, or `_default` for the policy's. Ignored on hosts without SELinux.
        optional selevel: Option<String>,
        /// Write in place where an atomic rename is impossible, as with a bind-mounted file.
        default(false) unsafe_writes: bool,
    }
}

/// [`FileAttrs`] with names looked up on one host.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    uid: Option<u32>,
    gid: Option<u32>,
    mode: Option<Mode>,
    attributes: Option<String>,
    context: Option<Context>,
}

/// What must be set on an entry, and how it shows as before and after.
#[derive(Clone, Debug, Default)]
pub struct Difference {
    /// What to set.
    pub attrs: Attrs,
    /// Ansible's names with the present values.
    pub before: Map,
    /// The same with the wanted values.
    pub after: Map,
}

impl Difference {
    /// Whether the entry is as wanted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.attrs.is_empty()
    }

    fn shows(&mut self, name: &str, before: impl Into<Value>, after: impl Into<Value>) {
        self.before.insert(Key::from(name), before.into());
        self.after.insert(Key::from(name), after.into());
    }

    /// The difference as it is shown, as Ansible words it.
    #[must_use]
    pub fn diff(&self, path: &Path) -> Diff {
        let with_path = |map: &Map| {
            let mut out = Map::new();
            out.insert(Key::from("path"), shown(path).into());
            out.extend(map.clone());
            out
        };
        Diff::new(shown(path), with_path(&self.before), with_path(&self.after))
    }
}

impl FileAttrs {
    /// Looks owner and group up.
    ///
    /// # Errors
    /// When the host has no such user or group.
    pub fn resolve(&self, host: &dyn HostView) -> Result<Wanted> {
        Ok(Wanted {
            uid: self.owner.as_deref().map(|o| uid(host, o)).transpose()?,
            gid: self.group.as_deref().map(|g| gid(host, g)).transpose()?,
            mode: self.mode.clone(),
            attributes: self.attributes.clone().filter(|a| !a.is_empty()),
            context: self.context(host)?,
        })
    }

    /// What is asked of the SELinux context, on a host that has SELinux.
    fn context(&self, host: &dyn HostView) -> Result<Option<Context>> {
        let asked = Context {
            user: self.seuser.clone(),
            role: self.serole.clone(),
            type_: self.setype.clone(),
            level: self.selevel.clone(),
        };
        if asked.is_empty() || host.lstat(Path::new(SELINUX))?.is_none() {
            return Ok(None);
        }
        Ok(Some(asked))
    }
}

fn uid(host: &dyn HostView, name: &str) -> Result<u32> {
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    match host.user(name)? {
        Some(user) => Ok(user.uid),
        None => Err(no_such(host, "user", name, "/etc/passwd", "chown")),
    }
}

fn gid(host: &dyn HostView, name: &str) -> Result<u32> {
    if let Ok(number) = name.parse() {
        return Ok(number);
    }
    match host.group(name)? {
        Some(group) => Ok(group.gid),
        None => Err(no_such(host, "group", name, "/etc/group", "chgrp")),
    }
}

fn no_such(host: &dyn HostView, what: &str, name: &str, file: &str, act: &str) -> Error {
    let table = host
        .read(Path::new(file))
        .ok()
        .flatten()
        .unwrap_or_default();
    let table = String::from_utf8_lossy(&table).into_owned();
    let known = table.lines().filter_map(|l| l.split(':').next());
    Error::host(format!("{act} failed: failed to look up {what} {name}")).did_you_mean(name, known)
}

impl Wanted {
    /// Replaces [`Mode::Preserve`] by the mode of the source.
    #[must_use]
    pub fn preserving(mut self, source: u32) -> Self {
        if self.mode == Some(Mode::Preserve) {
            self.mode = Some(Mode::Bits(source));
        }
        self
    }

    /// Takes another mode, or none.
    #[must_use]
    pub fn with_mode(mut self, mode: Option<Mode>) -> Self {
        self.mode = mode;
        self
    }

    /// Whether nothing at all is asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.uid.is_none()
            && self.gid.is_none()
            && self.mode.is_none()
            && self.attributes.is_none()
            && self.context.is_none()
    }

    /// All that is asked, for an entry that is about to be made.
    #[must_use]
    pub fn for_new(&self, is_dir: bool) -> Attrs {
        Attrs {
            uid: self.uid,
            gid: self.gid,
            mode: self
                .mode
                .as_ref()
                .map(|m| m.bits(fresh_mode(is_dir), is_dir, UMASK)),
            attributes: self.attributes.as_deref().map(signed),
            context: self.context.clone(),
            ..Attrs::default()
        }
    }

    /// What differs from the entry at `path`, of which `stat` was read.
    ///
    /// # Errors
    /// When the host cannot be asked for its file attributes.
    pub fn difference(&self, host: &dyn HostView, path: &Path, stat: &Stat) -> Result<Difference> {
        let mut out = self.plain_difference(stat);
        if let Some(wanted) = &self.attributes {
            let flags = file_flags(host, path)?.map(|f| f.flags).unwrap_or_default();
            if flags_differ(wanted, &flags) {
                out.shows("attributes", flags, signed(wanted));
                out.attrs.attributes = Some(signed(wanted));
            }
        }
        if let Some(wanted) = &self.context {
            Self::context_difference(wanted, host, path, &mut out)?;
        }
        Ok(out)
    }

    fn context_difference(
        wanted: &Context,
        host: &dyn HostView,
        path: &Path,
        out: &mut Difference,
    ) -> Result<()> {
        let asks_policy = wanted.parts().contains(&Some(Context::DEFAULT));
        let wanted = match asks_policy {
            true => wanted.with_defaults(&policy_context(host, path)?),
            false => wanted.clone(),
        };
        let is = context_of(host, path)?;
        let pairs: Vec<_> = is.parts().into_iter().zip(wanted.parts()).collect();
        if pairs.iter().all(|(is, want)| want.is_none() || is == want) {
            return Ok(());
        }
        let text = |part: Option<&str>| Value::from(part.unwrap_or_default());
        let before: Vec<Value> = pairs.iter().map(|(is, _)| text(*is)).collect();
        let after: Vec<Value> = pairs.iter().map(|(is, want)| text(want.or(*is))).collect();
        out.shows("secontext", Value::list(before), Value::list(after));
        out.attrs.context = Some(wanted);
        Ok(())
    }

    /// What differs in owner, group and mode.
    fn plain_difference(&self, stat: &Stat) -> Difference {
        let mut out = Difference::default();
        if let Some(uid) = self.uid.filter(|uid| *uid != stat.uid) {
            out.shows("owner", stat.uid, uid);
            out.attrs.uid = Some(uid);
        }
        if let Some(gid) = self.gid.filter(|gid| *gid != stat.gid) {
            out.shows("group", stat.gid, gid);
            out.attrs.gid = Some(gid);
        }
        // Linux has no modes on links.
        if let Some(mode) = self.mode.as_ref().filter(|_| stat.kind != FileKind::Link) {
            let bits = mode.bits(stat.mode, stat.is_dir(), UMASK);
            if bits != stat.mode {
                out.shows("mode", octal(stat.mode), octal(bits));
                out.attrs.mode = Some(bits);
            }
        }
        out
    }

    /// How a new entry, as asked, will differ from one that was made without asking: what Ansible
    /// words as "ownership, perms or SE linux context changed".
    #[must_use]
    pub fn differs_from_fresh(&self, host: &dyn HostView, is_dir: bool) -> bool {
        let uid = host.current_uid();
        let gid = host.user_by_id(uid).ok().flatten().map_or(uid, |u| u.gid);
        self.attributes.is_some()
            || self.context.is_some()
            || self.uid.is_some_and(|u| u != uid)
            || self.gid.is_some_and(|g| g != gid)
            || self
                .for_new(is_dir)
                .mode
                .is_some_and(|m| m != fresh_mode(is_dir))
    }

    /// Adds the change that gives an existing entry what it lacks. Says whether there was any.
    ///
    /// # Errors
    /// When the host cannot be read.
    pub fn set(
        &self,
        plan: &mut Plan,
        host: &dyn HostView,
        path: &Path,
        follow: bool,
    ) -> Result<bool> {
        if self.is_empty() {
            return Ok(false);
        }
        let path = if follow {
            host.canonical(path)?
        } else {
            path.to_path_buf()
        };
        let Some(stat) = host.lstat(&path)? else {
            return Ok(false);
        };
        let difference = self.difference(host, &path, &stat)?;
        if difference.is_empty() {
            return Ok(false);
        }
        plan.change(
            difference.diff(&path),
            Effect::SetAttrs {
                path,
                attrs: difference.attrs,
                follow: false,
            },
        );
        Ok(true)
    }
}

/// The mode of an entry that was made without asking for one.
const fn fresh_mode(is_dir: bool) -> u32 {
    if is_dir {
        0o777 & !UMASK
    } else {
        0o666 & !UMASK
    }
}

/// A mode as Ansible writes it: `0644`.
#[must_use]
pub fn octal(mode: u32) -> String {
    format!("{:04o}", mode & 0o7777)
}

/// A path as text; what is no UTF-8 is replaced.
#[must_use]
pub fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// The path of an entry without slashes at its end, which would follow a final link.
///
/// # Errors
/// When the host's accounts cannot be read.
pub fn entry_path(host: &dyn HostView, path: &HostPath) -> Result<PathBuf> {
    let expanded = shown(&path.expand(host)?);
    let trimmed = expanded.trim_end_matches('/');
    Ok(PathBuf::from(if trimmed.is_empty() {
        "/"
    } else {
        trimmed
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_set_only_where_they_differ() {
        for (wanted, flags, want) in [
            ("+i", "e", true),
            ("+i", "ie", false),
            ("-i", "e", false),
            ("-i", "ie", true),
            ("e", "e", false),
            ("=e", "ie", true),
        ] {
            assert_eq!(flags_differ(wanted, flags), want, "{wanted} on {flags}");
        }
    }

    #[test]
    fn the_mode_of_a_link_is_left_alone() {
        let wanted = Wanted {
            mode: Some(Mode::Bits(0o600)),
            ..Wanted::default()
        };
        let mut stat = Stat {
            kind: FileKind::Link,
            mode: 0o777,
            uid: 0,
            gid: 0,
            size: 0,
            nlink: 1,
            inode: 1,
            device: 1,
            atime: 0.0,
            mtime: 0.0,
            ctime: 0.0,
            disk: None,
        };
        assert!(wanted.plain_difference(&stat).is_empty());
        stat.kind = FileKind::File;
        assert_eq!(wanted.plain_difference(&stat).attrs.mode, Some(0o600));
    }
}
