//! Lookups of files.

use super::super::access;
use super::super::fault::{Fault, Res};
use super::super::filters::expand_user;
use super::super::outside::EntryKind;
use super::super::val::{Val, ValMap};
use super::super::{FileOptions, Templar};
use super::glob::glob_files;
use super::{Look, Lookup};
use crate::source::SourceFile;
use crate::value::Key;
use std::path::{Path, PathBuf};

pub(super) static TABLE: &[Lookup] = &[
    Lookup::new(
        "file",
        &["lstrip", "rstrip"],
        "The content of a file of the controller.",
        file,
    ),
    Lookup::new("unvault", &[], "The content of a file, decrypted.", unvault),
    Lookup::new(
        "template",
        &[
            "convert_data",
            "template_vars",
            "jinja2_native",
            "block_start_string",
            "block_end_string",
            "variable_start_string",
            "variable_end_string",
            "comment_start_string",
            "comment_end_string",
            "trim_blocks",
            "lstrip_blocks",
        ],
        "A template file, rendered.",
        template,
    ),
    Lookup::new("fileglob", &[], "The files that fit patterns.", fileglob),
    Lookup::new(
        "filetree",
        &["exclude"],
        "Everything below a directory.",
        filetree,
    )
    .of("community.general"),
];

fn found(l: &Look, kind: &str, name: &str) -> Res<PathBuf> {
    let name = expand_user(l.ctx, name)?;
    let path = Path::new(&name);
    let by_itself = path.is_absolute().then(|| path.to_path_buf());
    by_itself
        .or_else(|| l.ctx.outside().find(kind, &name, &*l.ctx.home))
        .ok_or_else(|| {
            Fault::error(format!("could not find '{name}'")).hint(format!(
                "it is looked for in the role's and the playbook's `{kind}/`"
            ))
        })
}

fn bytes(l: &Look, kind: &str, name: &str) -> Res<Vec<u8>> {
    let path = found(l, kind, name)?;
    l.ctx
        .outside()
        .read(&path)?
        .ok_or_else(|| Fault::error(format!("could not find '{}'", path.display())))
}

/// The text of a file; a vaulted one is decrypted.
fn content(l: &Look, kind: &str, name: &str) -> Res<String> {
    let bytes = bytes(l, kind, name)?;
    let bytes = match std::str::from_utf8(&bytes) {
        Ok(text) if text.starts_with("$ANSIBLE_VAULT;") => l.ctx.outside().decrypt(text)?,
        _ => bytes,
    };
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn file(l: &Look) -> Res<Vec<Val>> {
    let (lstrip, rstrip) = (l.flag("lstrip", false)?, l.flag("rstrip", true)?);
    let read = |name: &String| {
        let text = content(l, "files", name)?;
        let text = if rstrip { text.trim_end() } else { &text };
        Ok(Val::from(if lstrip { text.trim_start() } else { text }))
    };
    l.texts()?.iter().map(read).collect()
}

fn unvault(l: &Look) -> Res<Vec<Val>> {
    let read = |name: &String| content(l, "files", name).map(Val::from);
    l.texts()?.iter().map(read).collect()
}

fn template(l: &Look) -> Res<Vec<Val>> {
    let mut options = FileOptions {
        trim_blocks: l.flag("trim_blocks", true)?,
        lstrip_blocks: l.flag("lstrip_blocks", false)?,
        ..FileOptions::default()
    };
    let pair = |name: &str, start: &str, end: &str| -> Res<Option<(String, String)>> {
        let (first, last) = (format!("{name}_start_string"), format!("{name}_end_string"));
        let given = l.option(&first).is_some() || l.option(&last).is_some();
        Ok(if given {
            Some((l.text_option(&first, start)?, l.text_option(&last, end)?))
        } else {
            None
        })
    };
    options.variable = pair("variable", "{{", "}}")?;
    options.comment = pair("comment", "{#", "#}")?;
    options.block = pair("block", "{%", "%}")?;
    let mut more = crate::value::Map::new();
    if let Some(extra) = l
        .option("template_vars")
        .filter(|v| !matches!(v, Val::Null))
    {
        let Some(entries) = access::entries(l.ctx, extra)? else {
            return Err(Fault::error("`template_vars` must be a dict"));
        };
        for (key, value) in entries {
            more.insert(key, super::super::finish::value(l.ctx, &value)?);
        }
    }
    let mut out = Vec::new();
    for name in l.texts()? {
        let path = found(l, "templates", &name)?;
        let Some(bytes) = l.ctx.outside().read(&path)? else {
            return Err(Fault::error(format!(
                "the template file {name} could not be found"
            )));
        };
        let bytes = match bytes.starts_with(b"$ANSIBLE_VAULT;") {
            true => l.ctx.outside().decrypt(&String::from_utf8_lossy(&bytes))?,
            false => bytes,
        };
        let text = String::from_utf8(bytes)
            .map_err(|_| Fault::error(format!("the template '{name}' is not UTF-8 text")))?;
        let source = SourceFile::new(path.to_string_lossy(), text);
        let mut options = options.clone();
        options.search.extend(path.parent().map(Path::to_path_buf));
        for dir in search_path(l)? {
            options.search.extend([dir.join("templates"), dir]);
        }
        let _guard = l
            .ctx
            .run
            .enter(20, "templates look each other up too deep")?;
        let templar: &Templar = l.ctx.run.templar;
        let home = templar.vars_of_file(&name, &path, None, more.clone(), &l.ctx.home);
        let value = templar.file_value(&source, &options, &home)?;
        out.push(l.ctx.lift(&value, &l.ctx.home));
    }
    Ok(out)
}

fn fileglob(l: &Look) -> Res<Vec<Val>> {
    let mut out = Vec::new();
    for pattern in l.texts()? {
        let bases = match pattern.rsplit_once('/') {
            Some((dir, _)) if dir.is_empty() || dir.starts_with(['/', '~']) => {
                vec![PathBuf::from(expand_user(l.ctx, &format!("{dir}/"))?)]
            }
            Some((dir, _)) => {
                let found = l.ctx.outside().find("files", dir, &*l.ctx.home);
                found.into_iter().collect()
            }
            // A bare name is looked for everywhere; the first folder that has one counts.
            None => search_path(l)?
                .iter()
                .flat_map(|dir| [dir.join("files"), dir.clone()])
                .collect(),
        };
        let name = pattern.rsplit('/').next().unwrap_or_default();
        for base in bases {
            let full = format!("{}/{name}", base.to_string_lossy().trim_end_matches('/'));
            let found = access::iterate(l.ctx, &glob_files(l.ctx, &full)?)?;
            if !found.is_empty() {
                out.extend(found);
                break;
            }
        }
    }
    Ok(out)
}

/// Folders in which files are looked for: the role's, the task's, the playbook's.
fn search_path(l: &Look) -> Res<Vec<PathBuf>> {
    let dirs = match l.ctx.variable(&"ansible_search_path".into()) {
        Some(dirs) => access::iterate(l.ctx, &dirs)?,
        None => l.ctx.variable(&"playbook_dir".into()).into_iter().collect(),
    };
    let text = |v: &Val| super::super::text::to_text(l.ctx, v).map(PathBuf::from);
    dirs.iter().map(text).collect()
}

fn filetree(l: &Look) -> Res<Vec<Val>> {
    let exclude = l.text_option("exclude", "")?;
    let mut out = Vec::new();
    for name in l.texts()? {
        let root = found(l, "files", name.trim_end_matches('/'))?;
        tree(l, &root, "", &exclude, &mut out, 0)?;
    }
    Ok(out)
}

fn tree(
    l: &Look,
    root: &Path,
    below: &str,
    exclude: &str,
    out: &mut Vec<Val>,
    depth: usize,
) -> Res<()> {
    if depth > 64 {
        return Err(Fault::error("the directories are nested too deep"));
    }
    let dir = root.join(below);
    let mut names = l.ctx.outside().list(&dir)?;
    names.sort();
    let mut dirs = Vec::new();
    for name in names {
        let path = if below.is_empty() {
            name.clone()
        } else {
            format!("{below}/{name}")
        };
        let Some(entry) = l.ctx.outside().entry(&root.join(&path), false) else {
            continue;
        };
        if !exclude.is_empty()
            && super::super::filters::regex::compiled(exclude, false, false)?.is_match(&name)?
        {
            continue;
        }
        let state = match entry.kind {
            EntryKind::File => "file",
            EntryKind::Directory => "directory",
            EntryKind::Link => "link",
            EntryKind::Other => continue,
        };
        if entry.kind == EntryKind::Directory {
            dirs.push(path.clone());
        }
        let text = |p: &Path| Val::from(p.to_string_lossy().into_owned());
        let mut map: ValMap = [
            ("root", text(root)),
            ("path", Val::from(path.as_str())),
            ("state", Val::from(state)),
            (
                "src",
                match &entry.target {
                    Some(target) => text(target),
                    None => text(&root.join(&path)),
                },
            ),
            ("size", Val::Int(entry.size.into())),
            ("mode", Val::from(format!("0{:o}", entry.mode & 0o7777))),
            ("uid", Val::Int(entry.uid.into())),
            ("gid", Val::Int(entry.gid.into())),
            ("owner", Val::from(entry.owner)),
            ("group", Val::from(entry.group)),
            ("mtime", Val::Float(entry.mtime)),
            ("ctime", Val::Float(entry.ctime)),
        ]
        .into_iter()
        .map(|(k, v)| (Key::from(k), v))
        .collect();
        if entry.kind == EntryKind::Directory {
            map.shift_remove("src");
        }
        out.push(Val::map(map));
    }
    for dir in dirs {
        tree(l, root, &dir, exclude, out, depth + 1)?;
    }
    Ok(())
}
