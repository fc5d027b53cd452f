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
        args.insert(Key::from(*param), Value::from(text));
    }
    Ok(())
}

/// Opens a source file that is a vault: its text goes with the call, and never to a disk of this side.
///
/// # Errors
/// When there is no key that opens it, or it holds no text.
pub(super) fn open_vault(cx: &TaskCx<'_>, def: &ModuleDef, args: &mut Map) -> Result<()> {
    let (param, text_param) = match def.short_name() {
        "copy" => ("src", "content"),
        "script" => ("_file", "_text"),
        _ => return Ok(()),
    };
    let stays = args.get("decrypt").is_some_and(|v| match v {
        Value::Str(text) => as_bool(text) == Some(false),
        other => !other.is_truthy(),
    });
    if stays || def.is_from_host(args) {
        return Ok(());
    }
    let Some(Value::Str(path)) = args.get(param).cloned() else {
        return Ok(());
    };
    let path = Path::new(&*path);
    if !here::is_file(path) || !here::begins_with(path, b"$ANSIBLE_VAULT;") {
        return Ok(());
    }
    let Some(sealed) = here::read_text(path)? else {
        return Ok(());
    };
    let text = cx.run.vault.decrypt_text(&sealed)?;
    if text_param == "content" {
        if args.get("mode").and_then(Value::as_str) == Some("preserve") {
            let mode = format!("{:04o}", here::mode(path)?);
            args.insert(Key::from("mode"), Value::from(mode));
        }
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned());
        args.insert(Key::from("_original_basename"), Value::from(name));
        args.shift_remove(param);
    }
    args.insert(Key::from(text_param), Value::from(text));
    Ok(())
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
    find_in(dirs, "tasks", name).map_err(|e| e.context("Could not find or access the file"))
}

/// As [`find`], in these folders.
///
/// # Errors
/// When there is none.
pub fn find_in(dirs: &[PathBuf], folder: &str, name: &str) -> Result<PathBuf> {
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
    let tried: Vec<String> = candidates.iter().map(|p| p.display().to_string()).collect();
    Err(Error::params(format!("the file `{name}` was not found"))
        .did_you_mean(
            Path::new(name)
                .file_name()
                .and_then(|n| n.to_str())
                .unwrap_or(name),
            near.iter().map(String::as_str),
        )
        .hint(format!("it was looked for as {}", tried.join(", "))))
}
