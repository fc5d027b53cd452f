//! Filters on paths.

use super::super::access;
use super::super::call::Call;
use super::super::ctx::Ctx;
use super::super::fault::{Fault, Res};
use super::super::lookups;
use super::super::text;
use super::super::val::Val;
use super::Filter;
use std::path::Path;

pub(super) static TABLE: &[Filter] = &[
    Filter::new("basename", &["path"], "The last part of a path.", |c| {
        Ok(Val::from(base(&c.text(0)?, '/')))
    }),
    Filter::new("dirname", &["path"], "A path without its last part.", |c| {
        Ok(Val::from(dir(&c.text(0)?)))
    }),
    Filter::new("splitext", &["path"], "A path and its extension.", |c| {
        let path = c.text(0)?;
        let (stem, extension) = path.split_at(extension_at(&path));
        Ok(Val::pair(Val::from(stem), Val::from(extension)))
    }),
    Filter::new("expanduser", &["path"], "With `~` replaced.", |c| {
        expand_user(c.ctx, &c.text(0)?).map(Val::from)
    }),
    Filter::new("expandvars", &["path"], "With `$NAME` replaced.", |c| {
        Ok(Val::from(expand_vars(c.ctx, &c.text(0)?)))
    }),
    Filter::new("realpath", &["path"], "With links followed.", |c| {
        let path = absolute(c.ctx, &c.text(0)?);
        Ok(Val::from(
            c.ctx
                .outside()
                .real_path(Path::new(&path))
                .to_string_lossy()
                .into_owned(),
        ))
    }),
    Filter::new(
        "normpath",
        &["path"],
        "Without `.`, `..` and doubled slashes.",
        |c| Ok(Val::from(normal(&c.text(0)?))),
    ),
    Filter::new(
        "relpath",
        &["path", "start"],
        "As seen from another directory.",
        relpath,
    ),
    Filter::new("path_join", &["paths"], "The parts as one path.", path_join),
    Filter::new(
        "commonpath",
        &["paths"],
        "The path that all begin with.",
        commonpath,
    ),
    Filter::new(
        "fileglob",
        &["pattern"],
        "The files that fit a pattern.",
        |c| lookups::glob_files(c.ctx, &c.text(0)?),
    ),
    Filter::new(
        "win_basename",
        &["path"],
        "The last part of a Windows path.",
        |c| Ok(Val::from(base(&c.text(0)?.replace('/', "\\"), '\\'))),
    ),
    Filter::new(
        "win_dirname",
        &["path"],
        "A Windows path without its last part.",
        win_dirname,
    ),
    Filter::new(
        "win_splitdrive",
        &["path"],
        "The drive and the rest of a Windows path.",
        |c| {
            let path = c.text(0)?;
            let (drive, rest) = path.split_at(drive_len(&path));
            Ok(Val::pair(Val::from(drive), Val::from(rest)))
        },
    ),
];

fn base(path: &str, separator: char) -> String {
    path.rsplit(separator).next().unwrap_or(path).to_owned()
}

fn dir(path: &str) -> String {
    let head = path.rfind('/').map_or("", |i| &path[..=i]);
    let bare = head.trim_end_matches('/');
    if bare.is_empty() { head } else { bare }.to_owned()
}

/// Where the extension begins; dots at the start of the name are part of it.
fn extension_at(path: &str) -> usize {
    let name = path.rfind('/').map_or(0, |i| i + 1);
    let first = name + path[name..].len() - path[name..].trim_start_matches('.').len();
    path[first..].rfind('.').map_or(path.len(), |i| first + i)
}

/// `~` and `~user` at the start of a path.
pub(in super::super) fn expand_user(ctx: &Ctx, path: &str) -> Res<String> {
    let Some(rest) = path.strip_prefix('~') else {
        return Ok(path.to_owned());
    };
    let (user, tail) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let home = if user.is_empty() {
        ctx.outside().env("HOME")
    } else {
        let accounts = ctx
            .outside()
            .read(Path::new("/etc/passwd"))?
            .unwrap_or_default();
        String::from_utf8_lossy(&accounts)
            .lines()
            .map(|line| line.split(':').collect::<Vec<_>>())
            .find(|fields| fields.first() == Some(&user))
            .and_then(|fields| fields.get(5).map(|home| (*home).to_owned()))
    };
    Ok(match home {
        Some(home) => format!("{}{tail}", home.trim_end_matches('/')),
        None => path.to_owned(),
    })
}

fn expand_vars(ctx: &Ctx, path: &str) -> String {
    let mut out = String::new();
    let mut rest = path;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let (name, used) = if let Some(inside) = after.strip_prefix('{') {
            inside
                .find('}')
                .map_or(("", 0), |end| (&inside[..end], end + 2))
        } else {
            let word = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
            let end = after.find(word).unwrap_or(after.len());
            (&after[..end], end)
        };
        match ctx.outside().env(name) {
            Some(value) if !name.is_empty() => out.push_str(&value),
            _ => out.push_str(&rest[at..=at + used]),
        }
        rest = &after[used..];
    }
    out + rest
}

fn absolute(ctx: &Ctx, path: &str) -> String {
    if path.starts_with('/') {
        return normal(path);
    }
    normal(&format!("{}/{path}", ctx.outside().working_dir().display()))
}

/// Python's `normpath`.
pub(in super::super) fn normal(path: &str) -> String {
    let root = match path {
        p if p.starts_with("//") && !p.starts_with("///") => "//",
        p if p.starts_with('/') => "/",
        _ => "",
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').filter(|p| !p.is_empty() && *p != ".") {
        match (part, parts.last()) {
            ("..", Some(&last)) if last != ".." => {
                parts.pop();
            }
            ("..", None) if !root.is_empty() => {}
            _ => parts.push(part),
        }
    }
    let joined = format!("{root}{}", parts.join("/"));
    if joined.is_empty() {
        ".".into()
    } else {
        joined
    }
}

fn relpath(c: &Call) -> Res<Val> {
    let path = absolute(c.ctx, &c.text(0)?);
    let start = absolute(c.ctx, &c.text_or(1, ".")?);
    let split = |p: &str| -> Vec<String> {
        p.split('/')
            .filter(|s| !s.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let (path, start) = (split(&path), split(&start));
    let common = path.iter().zip(&start).take_while(|(a, b)| a == b).count();
    let ups = start[common..].iter().map(|_| "..");
    let parts: Vec<&str> = ups
        .chain(path[common..].iter().map(String::as_str))
        .collect();
    Ok(Val::from(if parts.is_empty() {
        ".".into()
    } else {
        parts.join("/")
    }))
}

fn path_join(c: &Call) -> Res<Val> {
    let parts = match c.need(0)?.usable()? {
        Val::Str(s) => return Ok(Val::Str(s.clone())),
        other if other.is_sequence() => access::iterate(c.ctx, other)?,
        _ => return Err(Fault::error("|path_join expects string or sequence")),
    };
    let mut path = String::new();
    for part in parts {
        let part = text::to_text(c.ctx, &part)?;
        if part.starts_with('/') || path.is_empty() {
            path = part;
        } else {
            if !path.ends_with('/') {
                path.push('/');
            }
            path.push_str(&part);
        }
    }
    Ok(Val::from(path))
}

fn commonpath(c: &Call) -> Res<Val> {
    let mut common: Option<Vec<String>> = None;
    let mut absolute = false;
    if !c.need(0)?.usable()?.is_sequence() {
        return Err(Fault::error("|commonpath expects a list of paths"));
    }
    for path in c.sequence(0)? {
        let path = text::to_text(c.ctx, &path)?;
        let rooted = path.starts_with('/');
        let parts: Vec<String> = path
            .split('/')
            .filter(|p| !p.is_empty() && *p != ".")
            .map(str::to_owned)
            .collect();
        common = Some(match common {
            None => {
                absolute = rooted;
                parts
            }
            Some(_) if absolute != rooted => {
                return Err(Fault::error("Can't mix absolute and relative paths"));
            }
            Some(old) => {
                let same = old.iter().zip(&parts).take_while(|(a, b)| a == b).count();
                old[..same].to_vec()
            }
        });
    }
    let Some(parts) = common else {
        return Err(Fault::error("commonpath() arg is an empty sequence"));
    };
    Ok(Val::from(format!(
        "{}{}",
        if absolute { "/" } else { "" },
        parts.join("/")
    )))
}

fn drive_len(path: &str) -> usize {
    let bytes = path.as_bytes();
    if bytes.len() >= 2 && bytes[1] == b':' {
        2
    } else {
        0
    }
}

fn win_dirname(c: &Call) -> Res<Val> {
    let path = c.text(0)?;
    let (drive, rest) = path.split_at(drive_len(&path));
    let head = rest.rfind(['\\', '/']).map_or("", |i| &rest[..=i]);
    let bare = head.trim_end_matches(['\\', '/']);
    Ok(Val::from(format!(
        "{drive}{}",
        if bare.is_empty() { head } else { bare }
    )))
}
