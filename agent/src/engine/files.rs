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
    let remote = match args.get("remote_src") {
        Some(Value::Bool(b)) => *b,
        Some(Value::Str(s)) => as_bool(s).unwrap_or(false),
        _ => false,
    };
    if remote || args.contains_key("content") {
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
    let tried: Vec<String> = candidates.iter().map(|p| p.display().to_string()).collect();
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
