//! What the paths on the command line are: playbooks, roles, files of tasks.

use lks_agent::error::{Error, ErrorKind, Result};
use lks_agent::host::here;
use lks_agent::playbook::yaml::{self, Node};
use lks_agent::source::SourceFile;
use std::path::{Path, PathBuf};

/// What a path on the command line is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A playbook.
    Playbook(PathBuf),
    /// A role's folder.
    Role(PathBuf),
    /// A file of tasks or handlers.
    Tasks(PathBuf),
}

/// What the paths on the command line are.
///
/// # Errors
/// When one does not exist.
pub fn targets(paths: &[String]) -> Result<Vec<Target>> {
    let mut out = Vec::new();
    for path in paths {
        let path = PathBuf::from(path);
        if here::is_dir(&path) {
            folder(&path, &mut out);
            if out.is_empty() {
                below(&path, DEPTH, &mut out);
            }
        } else if here::is_file(&path) {
            out.extend(file(&path));
        } else {
            return Err(Error::new(
                ErrorKind::Usage,
                format!("{} does not exist", path.display()),
            ));
        }
    }
    Ok(out)
}

/// How deep below a repository's top its playbooks are looked for.
const DEPTH: u8 = 3;

/// The playbooks and roles in the folders of a folder that has none of its own, such as `deploy/ansible`.
fn below(path: &Path, depth: u8, out: &mut Vec<Target>) {
    for name in here::list(path).unwrap_or_default() {
        let dir = path.join(&name);
        if name.starts_with('.') || !here::is_dir(&dir) {
            continue;
        }
        let before = out.len();
        folder(&dir, out);
        if out.len() == before && depth > 1 {
            below(&dir, depth - 1, out);
        }
    }
}

fn is_role(path: &Path) -> bool {
    ["tasks", "handlers", "meta", "defaults"].iter().any(|d| {
        ["main.yml", "main.yaml"]
            .iter()
            .any(|f| here::is_file(&path.join(d).join(f)))
    })
}

/// A role, or the playbooks and roles in a folder.
fn folder(path: &Path, out: &mut Vec<Target>) {
    if is_role(path) {
        return out.push(Target::Role(path.to_path_buf()));
    }
    for dir in [path.to_path_buf(), path.join("playbooks")] {
        for name in here::list(&dir).unwrap_or_default() {
            let is_yaml = name.ends_with(".yml") || name.ends_with(".yaml");
            if is_yaml && here::is_file(&dir.join(&name)) {
                let found = file(&dir.join(&name));
                out.extend(
                    found
                        .into_iter()
                        .filter(|t| matches!(t, Target::Playbook(_))),
                );
            }
        }
    }
    let roles = path.join("roles");
    for name in here::list(&roles).unwrap_or_default() {
        if is_role(&roles.join(&name)) {
            out.push(Target::Role(roles.join(name)));
        }
    }
}

/// A file that holds plays, or tasks; what cannot be read is taken for a playbook, which says why.
fn file(path: &Path) -> Option<Target> {
    let playbook = Some(Target::Playbook(path.to_path_buf()));
    let Ok(Some(text)) = here::read_text(path) else {
        return playbook;
    };
    let Ok(loaded) = yaml::load(&SourceFile::new(path.display().to_string(), text)) else {
        return playbook;
    };
    let first = loaded.docs.first()?;
    let entries = first.as_seq()?;
    let is_play = |n: &Node| {
        [
            "hosts",
            "import_playbook",
            "ansible.builtin.import_playbook",
        ]
        .iter()
        .any(|k| n.get(k).is_some())
    };
    if entries.iter().any(is_play) {
        playbook
    } else if entries.iter().any(|n| n.as_map().is_some()) {
        Some(Target::Tasks(path.to_path_buf()))
    } else {
        None
    }
}
