//! File attributes (`chattr`) and what `stat` of an entry tells.

use super::context::context_of;
use super::{SELINUX, octal, shown};
use crate::error::Result;
use crate::host::{Command, FileKind, HostView, Stat, is_provisional};
use crate::module::Returns;
use crate::value::Value;
use std::path::Path;

/// What `lsattr` says of an entry.
#[derive(Clone, Debug, Default)]
pub struct FileFlags {
    /// The version (generation) of the inode.
    pub version: String,
    /// The letters that are set.
    pub flags: String,
}

/// What `lsattr` says; nothing where there is no such program or the file system has no attributes.
///
/// # Errors
/// When the host cannot run it.
pub fn file_flags(host: &dyn HostView, path: &Path) -> Result<Option<FileFlags>> {
    let Some(program) = host.which("lsattr")? else {
        return Ok(None);
    };
    let output = host.query(&Command::new([shown(&program), "-vd".into(), shown(path)]))?;
    let text = output.out();
    let mut words = text.split_whitespace();
    Ok(match (output.success(), words.next(), words.next()) {
        (true, Some(version), Some(flags)) => Some(FileFlags {
            version: version.to_owned(),
            flags: flags.replace('-', ""),
        }),
        _ => None,
    })
}

pub(super) fn signed(wanted: &str) -> String {
    if wanted.starts_with(['+', '-', '=']) {
        wanted.to_owned()
    } else {
        format!("={wanted}")
    }
}

/// Whether the letters that are set must change. Ansible sets `-i` again and again; we do not.
pub(super) fn flags_differ(wanted: &str, flags: &str) -> bool {
    let wanted = signed(wanted);
    let (sign, letters) = wanted.split_at(1);
    match sign {
        "+" => letters.chars().any(|c| !flags.contains(c)),
        "-" => letters.chars().any(|c| flags.contains(c)),
        _ => {
            letters.chars().any(|c| !flags.contains(c))
                || flags.chars().any(|c| !letters.contains(c))
        }
    }
}

/// Adds what Ansible tells of a file that a task was about: uid, gid, owner, group, mode, size, state.
///
/// # Errors
/// When the host cannot be read, or check mode cannot know.
pub fn add_path_info(host: &dyn HostView, path: &Path, returns: &mut Returns) -> Result<()> {
    // A link that leads nowhere has no such values, as in Ansible.
    let (Some(stat), Some(_)) = (host.lstat(path)?, host.stat(path)?) else {
        return Ok(());
    };
    let owner = host.user_by_id(stat.uid)?.map(|u| u.name);
    let group = host.group_by_id(stat.gid)?.map(|g| g.name);
    returns
        .set("uid", number(stat.uid))
        .set("gid", number(stat.gid))
        .set("owner", owner.unwrap_or_else(|| stat.uid.to_string()))
        .set("group", group.unwrap_or_else(|| stat.gid.to_string()))
        .set("mode", octal(stat.mode))
        .set("state", state_word(&stat))
        .set("size", size(&stat));
    if host.lstat(Path::new(SELINUX))?.is_some() {
        let context = context_of(host, path)?;
        let parts = context.parts().into_iter().flatten().map(Value::from);
        returns.set("secontext", Value::list(parts.collect()));
    }
    Ok(())
}

/// The number of an account, unless check mode only stands in for it.
#[must_use]
pub fn number(id: u32) -> Value {
    if is_provisional(id) {
        return Value::Unknown("the account gets its number only when it is made".into());
    }
    id.into()
}

/// The size of an entry, unless check mode cannot know it.
#[must_use]
pub fn size(stat: &Stat) -> Value {
    if stat.size == Stat::SIZE_UNKNOWN {
        return Value::Unknown(
            "the file gets its content only when the task is carried out".into(),
        );
    }
    stat.size.into()
}

/// What Ansible calls the state of an entry that is there.
#[must_use]
pub fn state_word(stat: &Stat) -> &'static str {
    match stat.kind {
        FileKind::Link => "link",
        FileKind::Dir => "directory",
        _ if stat.nlink > 1 => "hard",
        _ => "file",
    }
}
