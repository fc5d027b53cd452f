//! Facts about an entry of the file system under Ansible's names, for `stat` and `find`.

use super::attrs::{number, octal, size};
use crate::choices;
use crate::error::Result;
use crate::host::{Digest, FileKind, HostView, Stat};
use crate::value::{Map, Value};

choices! {
    /// A digest algorithm.
    pub enum Algorithm {
        Sha1 = "sha1", Md5 = "md5", Sha224 = "sha224", Sha256 = "sha256", Sha384 = "sha384",
        Sha512 = "sha512",
    }
}

impl Algorithm {
    /// As the host names it.
    #[must_use]
    pub const fn digest(self) -> Digest {
        match self {
            Self::Sha1 => Digest::Sha1,
            Self::Md5 => Digest::Md5,
            Self::Sha224 => Digest::Sha224,
            Self::Sha256 => Digest::Sha256,
            Self::Sha384 => Digest::Sha384,
            Self::Sha512 => Digest::Sha512,
        }
    }
}

/// Kind, mode, owner, size and times.
#[must_use]
pub fn facts(stat: &Stat) -> Map {
    let kind = |kind: FileKind| Value::from(stat.kind == kind);
    let bit = |bit: u32| Value::from(stat.mode & bit != 0);
    [
        ("mode", octal(stat.mode).into()),
        ("isdir", kind(FileKind::Dir)),
        ("ischr", kind(FileKind::Char)),
        ("isblk", kind(FileKind::Block)),
        ("isreg", kind(FileKind::File)),
        ("isfifo", kind(FileKind::Fifo)),
        ("islnk", kind(FileKind::Link)),
        ("issock", kind(FileKind::Socket)),
        ("uid", number(stat.uid)),
        ("gid", number(stat.gid)),
        ("size", size(stat)),
        ("inode", stat.inode.into()),
        ("dev", stat.device.into()),
        ("nlink", stat.nlink.into()),
        ("atime", stat.atime.into()),
        ("mtime", stat.mtime.into()),
        ("ctime", stat.ctime.into()),
        ("wusr", bit(0o200)),
        ("rusr", bit(0o400)),
        ("xusr", bit(0o100)),
        ("wgrp", bit(0o020)),
        ("rgrp", bit(0o040)),
        ("xgrp", bit(0o010)),
        ("woth", bit(0o002)),
        ("roth", bit(0o004)),
        ("xoth", bit(0o001)),
        ("isuid", bit(0o4000)),
        ("isgid", bit(0o2000)),
    ]
    .into_iter()
    .map(|(name, value)| (name.into(), value))
    .collect()
}

/// The names of owner and group, where the host has such.
///
/// # Errors
/// When the host's accounts cannot be read.
pub fn names(host: &dyn HostView, stat: &Stat) -> Result<(Option<String>, Option<String>)> {
    Ok((
        host.user_by_id(stat.uid)?.map(|u| u.name),
        host.group_by_id(stat.gid)?.map(|g| g.name),
    ))
}

/// The words for `lsattr`'s letters.
#[must_use]
pub fn attribute_words(flags: &str) -> Vec<&'static str> {
    flags
        .chars()
        .filter_map(|letter| {
            Some(match letter {
                'A' => "noatime",
                'a' => "append",
                'c' => "compressed",
                'C' => "nocow",
                'd' => "nodump",
                'D' => "dirsync",
                'e' => "extents",
                'E' => "encrypted",
                'h' => "blocksize",
                'i' => "immutable",
                'I' => "indexed",
                'j' => "journalled",
                'N' => "inline",
                's' => "zero",
                'S' => "synchronous",
                't' => "notail",
                'T' => "blockroot",
                'u' => "undelete",
                'X' => "compressedraw",
                'Z' => "compresseddirty",
                _ => return None,
            })
        })
        .collect()
}
