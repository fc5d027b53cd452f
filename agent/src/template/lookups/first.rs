//! The lookup `first_found`.

use super::super::access;
use super::super::fault::{Fault, Res};
use super::super::filters::expand_user;
use super::super::ops;
use super::super::text;
use super::super::val::Val;
use super::glob::is_there;
use super::{Look, Lookup};
use crate::error::ErrorKind;
use std::path::Path;

pub(super) static TABLE: &[Lookup] = &[Lookup::new(
    "first_found",
    &["files", "paths", "skip"],
    "The first of several files that is there.",
    first_found,
)
.with_markers()];

/// The text of what is there; what is undefined is passed over, as Ansible does.
fn names_of(l: &Look, value: &Val, split: bool, out: &mut Vec<String>) -> Res<()> {
    match value {
        Val::Missing(fault) if fault.kind() == ErrorKind::Undefined => {}
        Val::Null | Val::Omit => {}
        Val::List(_) | Val::Tuple(_) => {
            for item in access::iterate(l.ctx, value)? {
                names_of(l, &item, split, out)?;
            }
        }
        other => {
            let text = text::to_text(l.ctx, other)?;
            if split {
                out.extend(
                    text.split([',', ';'])
                        .map(|p| p.trim().to_owned())
                        .filter(|p| !p.is_empty()),
                );
            } else {
                out.push(text);
            }
        }
    }
    Ok(())
}

fn first_found(l: &Look) -> Res<Vec<Val>> {
    let mut skip = l.flag("skip", false)?;
    let mut candidates = Vec::new();
    let combine = |files: Vec<String>, paths: Vec<String>, out: &mut Vec<String>| {
        if paths.is_empty() {
            out.extend(files);
        } else if files.is_empty() {
            out.extend(paths);
        } else {
            for path in &paths {
                out.extend(
                    files
                        .iter()
                        .map(|f| format!("{}/{f}", path.trim_end_matches('/'))),
                );
            }
        }
    };
    let list = |value: Option<&Val>| -> Res<Vec<String>> {
        let mut out = Vec::new();
        if let Some(value) = value {
            names_of(l, value, true, &mut out)?;
        }
        Ok(out)
    };
    let mut terms = Vec::new();
    for term in &l.terms {
        match term {
            Val::List(_) | Val::Tuple(_) => terms.extend(access::iterate(l.ctx, term)?),
            other => terms.push(other.clone()),
        }
    }
    if l.option("files").is_some() || l.option("paths").is_some() {
        let mut files = list(l.option("files"))?;
        for term in terms.iter().filter(|t| !matches!(t, Val::Map(_))) {
            names_of(l, term, false, &mut files)?;
        }
        combine(files, list(l.option("paths"))?, &mut candidates);
        terms.retain(|t| matches!(t, Val::Map(_)));
    }
    for term in &terms {
        let Val::Map(map) = term else {
            names_of(l, term, false, &mut candidates)?;
            continue;
        };
        let files = list(map.get_str(l.ctx, "files").as_ref())?;
        let paths = list(map.get_str(l.ctx, "paths").as_ref())?;
        combine(files, paths, &mut candidates);
        if let Some(flag) = map.get_str(l.ctx, "skip") {
            skip = ops::truth(l.ctx, &flag)?;
        }
    }
    for name in &candidates {
        let name = expand_user(l.ctx, name)?;
        let path = Path::new(&name);
        let found = if path.is_absolute() {
            is_there(l.ctx, path).then(|| path.to_path_buf())
        } else {
            ["files", "templates", "vars"]
                .iter()
                .find_map(|kind| l.ctx.outside().find(kind, &name, &*l.ctx.home))
        };
        if let Some(path) = found {
            return Ok(vec![Val::from(path.to_string_lossy().into_owned())]);
        }
    }
    if skip {
        return Ok(Vec::new());
    }
    Err(Fault::error(if candidates.is_empty() {
        "no file was found: no names were given".to_owned()
    } else {
        format!("no file was found among {}", candidates.join(", "))
    })
    .hint("`skip=true` makes this no error"))
}
