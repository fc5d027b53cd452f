//! What a playbook uses that lks does not have: modules, filters, tests and lookups of collections
//! that are not built in, or that lie beside the playbook as Python. A run is refused for it; to list,
//! check or lint a playbook it is not in the way, because the playbook is not wrong.

use super::job::Findings;
use crate::error::Error;
use crate::host::here;
use crate::modules::elsewhere;
use crate::source::Span;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Something that lks does not have.
#[derive(Clone, Debug, PartialEq)]
pub struct Absent {
    /// `module`, `filter`, `test`, `lookup`.
    pub what: &'static str,
    /// Its name as written.
    pub name: String,
    /// The collection it belongs to; of a file beside the playbook, that file.
    pub from: String,
    /// Where it is used.
    pub span: Option<Span>,
}

/// How the check before a run says that there is no such thing.
const SAYINGS: &[(&str, &str, &str)] = &[
    ("module", "no module is called `", "library"),
    ("module", "resolve module/action '", "library"),
    ("module", "no module or keyword is called `", "library"),
    ("filter", "there is no filter `", "filter_plugins"),
    ("test", "there is no test `", "test_plugins"),
    ("lookup", "there is no lookup `", "lookup_plugins"),
    ("lookup", "there is no loop `with_", "lookup_plugins"),
];

impl Findings {
    /// Takes what is only absent out of the errors. `dirs` are the folders of playbooks and roles.
    pub fn set_aside_absent(&mut self, dirs: &[PathBuf]) {
        let own = OwnPlugins::beside(dirs);
        let errors = std::mem::take(&mut self.errors);
        for error in errors {
            match absent(&error, &own) {
                Some(found) => self.absent.push(found),
                None => self.errors.push(error),
            }
        }
        self.warnings.retain(|(text, span)| {
            let found = said(text).and_then(|(what, name, folder)| {
                let from = own.find(folder, name).or_else(|| owner(what, name))?;
                Some(Absent {
                    what,
                    name: name.into(),
                    from,
                    span: span.clone(),
                })
            });
            self.absent.extend(found.clone());
            found.is_none()
        });
    }
}

fn absent(error: &Error, own: &OwnPlugins) -> Option<Absent> {
    let message = error.message();
    let (what, name, folder) = said(&message)?;
    // A file of plugins may bring them from anywhere; what looks like a slip stays one.
    let any = || error.hints().is_empty().then(|| own.any(folder)).flatten();
    let from = own
        .find(folder, name)
        .or_else(|| owner(what, name))
        .or_else(any)?;
    Some(Absent {
        what,
        name: name.into(),
        from,
        span: error.span().cloned(),
    })
}

/// What is missing, its name, and the folder where a playbook may have its own.
fn said(message: &str) -> Option<(&'static str, &str, &'static str)> {
    SAYINGS.iter().find_map(|(what, start, folder)| {
        let at = message.find(start)? + start.len();
        let name = message[at..].split(['`', '\'']).next()?;
        Some((*what, name, *folder))
    })
}

/// The collection that has it. Filters and the like of ansible-core are all built in.
fn owner(what: &str, name: &str) -> Option<String> {
    if what == "module" {
        return elsewhere::collection_of(name);
    }
    elsewhere::plugin_collection_of(what, name)
}

/// Plugins in Python that lie beside playbooks and in roles.
struct OwnPlugins {
    /// Folder, name, and the file that has it.
    names: Vec<(&'static str, String, PathBuf)>,
}

impl OwnPlugins {
    fn beside(dirs: &[PathBuf]) -> Self {
        let mut names = Vec::new();
        let mut seen = HashSet::new();
        for dir in dirs.iter().flat_map(|d| with_roles(d)) {
            if !seen.insert(dir.clone()) {
                continue;
            }
            for (_, _, folder) in SAYINGS {
                Self::folder(&dir, folder, &mut names);
            }
        }
        Self { names }
    }

    fn folder(dir: &Path, folder: &'static str, names: &mut Vec<(&'static str, String, PathBuf)>) {
        let folders: &[&'static str] = match folder {
            "library" => &["library", "plugins/modules"],
            "filter_plugins" => &["filter_plugins", "plugins/filter"],
            "test_plugins" => &["test_plugins", "plugins/test"],
            _ => &["lookup_plugins", "plugins/lookup"],
        };
        for place in folders {
            let path = dir.join(place);
            for file in here::list(&path).unwrap_or_default() {
                let Some((stem, _)) = file.rsplit_once('.') else {
                    continue;
                };
                names.push((folder, stem.to_string(), path.join(&file)));
                if matches!(folder, "filter_plugins" | "test_plugins") {
                    // One file has several filters: their names are the keys of a mapping in it.
                    let text = here::read_text(&path.join(&file)).ok().flatten();
                    for name in quoted(&text.unwrap_or_default()) {
                        names.push((folder, name, path.join(&file)));
                    }
                }
            }
        }
    }

    /// A folder of plugins that may bring any name.
    fn any(&self, folder: &str) -> Option<String> {
        let found = self.names.iter().find(|(f, ..)| *f == folder);
        found.and_then(|(_, _, path)| Some(path.parent()?.display().to_string()))
    }

    fn find(&self, folder: &str, name: &str) -> Option<String> {
        let short = name.rsplit('.').next().unwrap_or(name);
        let found = self
            .names
            .iter()
            .find(|(f, n, _)| *f == folder && n == short);
        found.map(|(_, _, path)| path.display().to_string())
    }
}

/// A folder, the folders around it that may hold plugins, and the roles below it.
fn with_roles(dir: &Path) -> Vec<PathBuf> {
    let mut out: Vec<PathBuf> = here::absolute(dir)
        .ancestors()
        .take(4)
        .map(Path::to_path_buf)
        .collect();
    for base in out.clone().into_iter().take(3) {
        for role in here::list(&base.join("roles")).unwrap_or_default() {
            out.push(base.join("roles").join(role));
        }
        out.push(base.join("ansible"));
    }
    out
}

/// Words in quotes.
fn quoted(text: &str) -> Vec<String> {
    let pieces = text.split(['\'', '"']).skip(1).step_by(2);
    pieces
        .filter(|w| !w.is_empty() && w.chars().all(|c| c.is_alphanumeric() || c == '_'))
        .map(str::to_string)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn what_a_collection_has_is_absent_and_a_slip_stays_an_error() {
        let mut findings = Findings::default();
        for text in [
            "no module is called `community.docker.docker_container`",
            "no module is called `coppy`",
            "couldn't resolve module/action 'community.general.snap': no module or keyword is called so",
            "there is no filter `json_query`",
            "there is no filter `a.b.c`",
            "there is no filter `lowr`",
        ] {
            findings
                .errors
                .push(Error::new(ErrorKind::Params, text.to_string()));
        }
        findings.set_aside_absent(&[]);
        let absent: Vec<String> = findings
            .absent
            .iter()
            .map(|a| format!("{} {} {}", a.what, a.name, a.from))
            .collect();
        assert_eq!(
            absent,
            [
                "module community.docker.docker_container community.docker",
                "module community.general.snap community.general",
                "filter json_query community.general",
                "filter a.b.c a.b"
            ]
        );
        assert_eq!(findings.errors.len(), 2);
    }
}
