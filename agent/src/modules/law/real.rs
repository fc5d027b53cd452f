//! The law on a real file system: cases that are only about files, below a temporary folder.

use super::case::{Case, Details, Entry};
use super::{Again, Bind, compare_files, judge, run};
use crate::error::{Error, Result};
use crate::host::{Attrs, Content, Effect, Host, HostView, Outcome, Progress, RealHost};
use crate::module::ModuleDef;
use crate::module::content::missing_parents;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Folders that every host has, as `FakeHost` has them.
const FOLDERS: &[&str] = &["/etc", "/tmp", "/root", "/home", "/var/lib", "/opt", "/srv"];

/// A folder that is gone once the case is over.
struct Scratch(PathBuf);

impl Scratch {
    // The test's own folder, and not a host's.
    #[allow(clippy::disallowed_methods)]
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("lks-law-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a temporary folder");
        Self(path)
    }
}

impl Drop for Scratch {
    #[allow(clippy::disallowed_methods)]
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A real file system on which no program is run: programs would not stay below the folder.
struct FilesOnly(RealHost);

impl Host for FilesOnly {
    fn apply(&mut self, effect: &Effect, progress: &dyn Fn(Progress)) -> Result<Outcome> {
        match effect {
            Effect::Run { command, .. } => Err(Error::host(format!(
                "this case would run {:?} on this machine: say `real: false` in it",
                command.argv
            ))),
            other => self.0.apply(other, progress),
        }
    }
    fn set_environment(&mut self, variables: Vec<(String, String)>) {
        self.0.set_environment(variables);
    }
    fn view(&self) -> &dyn HostView {
        self.0.view()
    }
}

/// Carries a case out on a real file system: what went wrong.
pub fn on_real(def: &ModuleDef, bind: Bind, case: &Case) -> Vec<String> {
    let scratch = Scratch::new();
    let mut host = RealHost::under(&scratch.0);
    prepare(&mut host, case);
    let mut host = FilesOnly(host);
    let first = run(def, bind, case, &mut host, false);
    let mut faults = judge(case, &first);
    if case.fails.is_none() && first.is_ok() {
        faults.extend(compare_files(case, host.view()));
        if case.again == Again::Ok {
            match run(def, bind, case, &mut host, false) {
                Ok(done) if done.changed => {
                    faults.push(format!("changes again: {:?}", done.diffs));
                }
                Ok(_) => {}
                Err(message) => faults.push(format!("fails the second time: {message}")),
            }
        }
    }
    faults
        .into_iter()
        .map(|fault| format!("on a real file system, {fault}"))
        .collect()
}

/// Whether a case can be tried on a real file system by this account: only root gives files away.
pub fn is_possible(case: &Case) -> bool {
    let owners = ["owner", "group", "uid", "gid"];
    let mentions = |value: &crate::value::Value| owners.iter().any(|o| value.get(o).is_some());
    let is_root = RealHost::new().current_uid() == 0;
    let about_owners = mentions(&case.args) || owners.iter().any(|o| case.returns.contains_key(*o));
    case.real && case.host.only_files() && (is_root || !about_owners)
}

fn prepare(host: &mut RealHost, case: &Case) {
    for folder in FOLDERS {
        make_dir(host, Path::new(folder));
    }
    write(
        host,
        "/etc/passwd",
        b"root:x:0:0:root:/root:/bin/sh\n",
        Attrs::default(),
    );
    write(host, "/etc/group", b"root:x:0:\n", Attrs::default());
    for (path, entry) in case.host.files() {
        let none = Details::default();
        let (text, details) = match entry {
            Entry::Text(text) => (text.as_str(), &none),
            Entry::Details(details) => (details.content.as_deref().unwrap_or_default(), details),
        };
        let usual = if details.dir { 0o755 } else { 0o644 };
        let attrs = Attrs {
            mode: Some(details.bits().unwrap_or(usual)),
            ..Attrs::default()
        };
        if details.dir {
            make_dir(host, Path::new(path));
            let path = path.into();
            apply(
                host,
                &Effect::SetAttrs {
                    path,
                    attrs,
                    follow: false,
                },
            );
        } else if let Some(target) = &details.link {
            make_dir(host, Path::new(path).parent().unwrap_or(Path::new("/")));
            apply(
                host,
                &Effect::Symlink {
                    path: path.into(),
                    target: target.into(),
                },
            );
        } else {
            write(host, path, text.as_bytes(), attrs);
        }
    }
}

fn write(host: &mut RealHost, path: &str, content: &[u8], attrs: Attrs) {
    make_dir(host, Path::new(path).parent().unwrap_or(Path::new("/")));
    let effect = Effect::WriteFile {
        path: path.into(),
        content: Content::Bytes(content.to_vec()),
        attrs,
        backup: false,
        validate: None,
        in_place: false,
    };
    apply(host, &effect);
}

/// Makes a directory and those that lead to it.
fn make_dir(host: &mut RealHost, path: &Path) {
    let dirs = missing_parents(host, &path.join("x")).expect("a host that can be read");
    for dir in dirs {
        let attrs = Attrs {
            mode: Some(0o755),
            ..Attrs::default()
        };
        apply(host, &Effect::MakeDir { path: dir, attrs });
    }
}

fn apply(host: &mut RealHost, effect: &Effect) {
    host.apply(effect, &|_| {})
        .unwrap_or_else(|e| panic!("{effect:?}: {e}"));
}
