//! Files of the playbook's side: where a task's `src` is found.

use super::task::TaskCx;
use crate::error::{Error, Result};
use crate::host::here;
use crate::module::ModuleDef;
use crate::playbook::keyword::as_bool;
use crate::value::{Key, Map, Value};
use std::path::{Path, PathBuf};

/// Replaces names of files of the playbook's side by their absolute paths.
///
/// # Errors
/// When one is not found: the message lists where it was looked for.
pub(super) fn find_assets(cx: &TaskCx<'_>, def: &ModuleDef, args: &mut Map) -> Result<()> {
    if def.is_from_host(args) || args.contains_key("content") {
        return Ok(());
    }
    for (param, folder) in def.assets {
        let Some(Value::Str(name)) = args.get(*param) else {
            continue;
        };
        let span = cx.task().args.get(param).map(|a| a.span.clone());
        let slash = name.ends_with('/');
        let path = find(cx, folder, name).map_err(|e| e.at_opt(span.as_ref()))?;
        let mut text = path.display().to_string();
        if slash && !text.ends_with('/') {
            // Whether a folder or what is in it is copied hangs on this slash.
            text.push('/');
        }
        let plain = match def.short_name() {
            "copy" | "script" if wants_plain(args) => open_vault(cx, &path)?,
            _ => None,
        };
        match plain {
            Some(plain) if def.short_name() == "script" => {
                args.insert(Key::from("_text"), Value::from(plain));
                args.insert(Key::from(*param), Value::from(text));
            }
            Some(plain) => {
                args.shift_remove(*param);
                args.insert(Key::from("content"), Value::from(plain));
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                args.insert(Key::from("_original_basename"), Value::from(&*name));
            }
            None => drop(args.insert(Key::from(*param), Value::from(text))),
        }
    }
    Ok(())
}

/// `decrypt`: vaulted files go to the host in plain text, unless that is not wanted.
fn wants_plain(args: &Map) -> bool {
    match args.get("decrypt") {
        Some(Value::Bool(b)) => *b,
        Some(Value::Str(s)) => as_bool(s).unwrap_or(true),
        _ => true,
    }
}

/// What is in a vaulted file; nothing if it is none.
fn open_vault(cx: &TaskCx<'_>, path: &Path) -> Result<Option<String>> {
    if !is_vault(path) {
        return Ok(None);
    }
    let text = here::read_text(path)?.unwrap_or_default();
    let plain = cx.run.vault.decrypt_text(&text);
    plain
        .map(Some)
        .map_err(|e| e.context(path.display().to_string()))
}

/// Whether a file of the playbook's side is vaulted as a whole.
pub(super) fn is_vault(path: &Path) -> bool {
    here::read_start(path, 14).is_some_and(|start| start == b"$ANSIBLE_VAULT")
}

/// Finds a file as Ansible searches: the roles around the task (`FOLDER/NAME`, `NAME`), the folder
/// of the task's file, the playbook's folder.
///
/// # Errors
/// When there is none.
pub(super) fn find(cx: &TaskCx<'_>, folder: &str, name: &str) -> Result<PathBuf> {
    find_in(&cx.run.search_dirs(cx.task(), &cx.play.play), folder, name)
}

/// A file of tasks or handlers in these folders. Handlers may be in `tasks/`, too.
///
/// # Errors
/// When there is none.
pub fn tasks_in(dirs: &[PathBuf], handler: bool, name: &str) -> Result<PathBuf> {
    if handler && let Ok(found) = find_in(dirs, "handlers", name) {
        return Ok(found);
    }
    let missing = format!("Could not find or access '{name}'");
    find_or(dirs, "tasks", name, &missing)
}

/// As [`find`], in these folders.
///
/// # Errors
/// When there is none.
pub fn find_in(dirs: &[PathBuf], folder: &str, name: &str) -> Result<PathBuf> {
    find_or(
        dirs,
        folder,
        name,
        &format!("the file `{name}` was not found"),
    )
}

/// As [`find_in`]; this is said when there is none.
fn find_or(dirs: &[PathBuf], folder: &str, name: &str, missing: &str) -> Result<PathBuf> {
    let given = here::expand_home(name);
    if given.is_absolute() {
        return if here::exists(&given) {
            Ok(given)
        } else {
            Err(Error::params(format!("{} does not exist", given.display())))
        };
    }
    let candidates: Vec<PathBuf> = dirs
        .iter()
        .flat_map(|dir| [dir.join(folder).join(&given), dir.join(&given)])
        .collect();
    if let Some(found) = candidates.iter().find(|p| here::exists(p)) {
        return Ok(here::absolute(found));
    }
    let near: Vec<String> = candidates
        .iter()
        .filter_map(|c| c.parent().and_then(here::list))
        .flatten()
        .collect();
    let mut tried: Vec<String> = Vec::new();
    for path in candidates.iter().map(|p| p.display().to_string()) {
        if !tried.contains(&path) {
            tried.push(path);
        }
    }
    Err(Error::params(missing)
        .did_you_mean(
            Path::new(name)
                .file_name()
                .and_then(|n| n.to_str())
                .unwrap_or(name),
            near.iter().map(String::as_str),
        )
        .hint(format!("it was looked for as {}", tried.join(", "))))
}
