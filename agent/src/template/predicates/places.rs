//! Tests of paths and addresses.

use super::super::access;
use super::super::call::Call;
use super::super::fault::{Fault, Res};
use super::super::outside::{Entry, EntryKind};
use super::super::val::Val;
use super::Test;
use std::path::Path;

pub(super) static TABLE: &[Test] = &[
    Test::new("uri", &["value", "schemes"], "Whether it is a URI.", |c| {
        uri(c, None)
    }),
    Test::new("url", &["value", "schemes"], "Whether it is a URL.", |c| {
        let rest = c.text(0)?;
        let rest = rest.split_once(':').map_or(
            "",
            |(scheme, rest)| if scheme == "file" { "//file" } else { rest },
        );
        if !rest.starts_with("//") || rest.len() == 2 {
            return Ok(Val::Bool(false));
        }
        uri(c, None)
    }),
    Test::new("urn", &["value"], "Whether it is a URN.", |c| {
        uri(c, Some("urn"))
    }),
    Test::new("abs", &["path"], "Whether the path is absolute.", |c| {
        Ok(Val::Bool(c.text(0)?.starts_with('/')))
    }),
    Test::new("is_abs", &["path"], "As `abs`.", |c| {
        Ok(Val::Bool(c.text(0)?.starts_with('/')))
    }),
    Test::new("file", &["path"], "Whether a file is there.", |c| {
        at(c, true, |e| e.kind == EntryKind::File)
    }),
    Test::new("is_file", &["path"], "As `file`.", |c| {
        at(c, true, |e| e.kind == EntryKind::File)
    }),
    Test::new(
        "directory",
        &["path"],
        "Whether a directory is there.",
        |c| at(c, true, |e| e.kind == EntryKind::Directory),
    ),
    Test::new("is_dir", &["path"], "As `directory`.", |c| {
        at(c, true, |e| e.kind == EntryKind::Directory)
    }),
    Test::new("link", &["path"], "Whether a link is there.", |c| {
        at(c, false, |e| e.kind == EntryKind::Link)
    }),
    Test::new("is_link", &["path"], "As `link`.", |c| {
        at(c, false, |e| e.kind == EntryKind::Link)
    }),
    Test::new("exists", &["path"], "Whether anything is there.", |c| {
        at(c, true, |_| true)
    }),
    Test::new(
        "link_exists",
        &["path"],
        "Whether anything is there, a broken link too.",
        |c| at(c, false, |_| true),
    ),
    Test::new(
        "mount",
        &["path"],
        "Whether a file system is mounted there.",
        |c| at(c, true, |e| e.mounted),
    ),
    Test::new("is_mount", &["path"], "As `mount`.", |c| {
        at(c, true, |e| e.mounted)
    }),
    Test::new(
        "same_file",
        &["path", "other"],
        "Whether both paths are one file.",
        same_file,
    ),
    Test::new(
        "is_same_file",
        &["path", "other"],
        "As `same_file`.",
        same_file,
    ),
    Test::new(
        "vaulted_file",
        &["path"],
        "Whether the file is vaulted.",
        |c| {
            let path = c.text(0)?;
            match c.ctx.outside().read(Path::new(&path))? {
                Some(bytes) => Ok(Val::Bool(bytes.starts_with(b"$ANSIBLE_VAULT"))),
                None => Err(Fault::error(format!(
                    "Cannot test if the file '{path}' is a vault."
                ))),
            }
        },
    ),
];

fn uri(c: &Call, scheme: Option<&str>) -> Res<Val> {
    let value = c.text(0)?;
    let found = value.split_once(':').map_or("", |(s, _)| s).to_lowercase();
    let is_scheme = !found.is_empty()
        && found.starts_with(|c: char| c.is_ascii_alphabetic())
        && found
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    let found = if is_scheme { found } else { String::new() };
    Ok(Val::Bool(match (scheme, c.given(1)) {
        (Some(scheme), _) => found == scheme,
        (None, None) => true,
        (None, Some(Val::Str(one))) => one.is_empty() || one.contains(&found),
        (None, Some(list)) => {
            access::has(c.ctx, &access::iterate(c.ctx, list)?, &Val::from(found))?
        }
    }))
}

fn at(c: &Call, follow: bool, test: fn(&Entry) -> bool) -> Res<Val> {
    let path = c.text(0)?;
    let entry = c.ctx.outside().entry(Path::new(&path), follow);
    Ok(Val::Bool(entry.is_some_and(|e| test(&e))))
}

fn same_file(c: &Call) -> Res<Val> {
    let (a, b) = (c.text(0)?, c.text(1)?);
    let identity = |path: &str| {
        let entry = c.ctx.outside().entry(Path::new(path), true);
        entry
            .map(|e| e.identity)
            .ok_or_else(|| Fault::error(format!("there is nothing at '{path}'")))
    };
    Ok(Val::Bool(identity(&a)? == identity(&b)?))
}
