//! `ansible.builtin.apt_repository`.

use crate::error::{Error, Result};
use crate::host::{Attrs, Consequence, Content, Effect, HostView, Outcome};
use crate::module::apt::{Patience, failed, lock_patience, patiently};
use crate::module::command::complaint;
use crate::module::{Diff, Mode, Module, Plan, PlanCx, Returns};
use crate::value::Value;
use crate::{choices, params};
use std::path::{Path, PathBuf};

choices! {
    /// Whether it is there.
    pub enum State { Present = "present", Absent = "absent" }
}

params! {
    /// Adds and removes package repositories (lines of `sources.list`).
    ///
    /// ```yaml
    /// - apt_repository:
    ///     repo: deb [signed-by=/usr/share/keyrings/docker.gpg] https://download.docker.com/linux/debian bookworm stable
    ///     filename: docker
    /// ```
    pub struct AptRepository {
        /// The line, as in `sources.list`.
        required repo: String,
        /// Whether it is there.
        default(State::Present) state: State,
        /// Mode of a new file.
        optional mode: Option<Mode>,
        /// Whether the package index is updated after a change.
        default(true) update_cache | "update-cache": bool,
        /// Attempts of an update that cannot fetch the index.
        default(5) update_cache_retries: u64,
        /// Longest pause between these attempts, in seconds.
        default(12) update_cache_retry_max_delay: u64,
        /// Name of the file in `sources.list.d`, without `.list`; made of the address if not given.
        optional filename: Option<String>,
        /// Accepted for compatibility: no Python library is needed.
        default(true) install_python_apt: bool,
        /// Accepted for compatibility: only addresses of Launchpad (`ppa:`) would be asked.
        default(true) validate_certs: bool,
        /// Accepted for compatibility: only addresses of Launchpad (`ppa:`) need it.
        optional codename: Option<String>,
    }
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[
    ("repo", "the line"),
    ("state", "whether it is there"),
    ("sources_added", "files that were made"),
    ("sources_removed", "files that were removed"),
];

const FOLDER: &str = "/etc/apt/sources.list.d";
const KINDS: &[&str] = &["deb", "deb-src", "rpm", "rpm-src"];

impl Module for AptRepository {
    fn plan(&self, cx: &PlanCx<'_>) -> Result<Plan> {
        // Accepted, and without meaning here.
        let _ = (self.install_python_apt, self.validate_certs, &self.codename);
        let source = self.source()?;
        let mut plan = Plan::default();
        let files = files(cx.host)?;
        let (mut added, mut removed) = (Vec::new(), Vec::new());
        let mut found = false;
        for (path, before) in &files {
            let after = self.rewrite(before, &source, &mut found);
            if after == *before {
                continue;
            }
            match after.trim().is_empty() && self.state == State::Absent {
                true => {
                    removed.push(path.to_string_lossy().into_owned());
                    let effect = Effect::Remove { path: path.clone() };
                    plan.change(
                        Diff::new(path.to_string_lossy(), before.as_str(), Value::Null),
                        effect,
                    );
                }
                false => self.write(path, Some(before), after, &mut plan),
            }
        }
        if self.state == State::Present && !found {
            let path = self.path(&source);
            let before = files.iter().find(|(p, _)| *p == path).map(|(_, text)| text);
            let mut after = before.cloned().unwrap_or_default();
            if !after.is_empty() && !after.ends_with('\n') {
                after.push('\n');
            }
            after.push_str(&format!("{source}\n"));
            if before.is_none() {
                added.push(path.to_string_lossy().into_owned());
            }
            self.write(&path, before, after, &mut plan);
        }
        if !plan.changes.is_empty() && self.update_cache {
            self.update(cx.host, &mut plan)?;
        }
        plan.returns
            .set("repo", self.repo.as_str())
            .set("state", self.state.word())
            .set("sources_added", added)
            .set("sources_removed", removed);
        Ok(plan)
    }

    fn finish(&self, _: &PlanCx<'_>, returns: &mut Returns, outcomes: &[Outcome]) -> Result<()> {
        if let Some(output) = failed(outcomes) {
            let retries = self.update_cache_retries;
            returns.fail(format!(
                "Failed to update apt cache after {retries} retries: {}",
                complaint(output)
            ));
        }
        Ok(())
    }
}

impl AptRepository {
    /// The line with single spaces.
    fn source(&self) -> Result<String> {
        if self.repo.starts_with("ppa:") {
            return Err(
                Error::params("addresses of Launchpad (`ppa:`) are not supported")
                    .hint("give the line of `sources.list` that `add-apt-repository` would write"),
            );
        }
        let text = self.repo.split('#').next().unwrap_or_default();
        let words: Vec<&str> = text.split_whitespace().collect();
        match words.first() {
            None => Err(Error::params(
                "Please set argument 'repo' to a non-empty value",
            )),
            Some(kind) if KINDS.contains(kind) => Ok(words.join(" ")),
            Some(_) => Err(
                Error::params(format!("Invalid repository string: {}", self.repo))
                    .hint("it begins with `deb` or `deb-src`"),
            ),
        }
    }

    /// The file with the line in force wherever it stands, or nowhere.
    fn rewrite(&self, text: &str, source: &str, found: &mut bool) -> String {
        let mut out = String::new();
        for line in text.split_inclusive('\n') {
            let bare = line.trim();
            let (enabled, rest) = match bare.strip_prefix('#') {
                Some(rest) => (false, rest),
                None => (true, bare),
            };
            let (this, comment) = rest.split_once('#').unwrap_or((rest, ""));
            let same = this.split_whitespace().eq(source.split_whitespace());
            match (same, self.state) {
                (true, State::Absent) if enabled => {}
                (true, State::Present) if !enabled => {
                    *found = true;
                    let comment = comment.trim();
                    let end = if comment.is_empty() {
                        String::new()
                    } else {
                        format!(" # {comment}")
                    };
                    out.push_str(&format!("{source}{end}\n"));
                }
                _ => {
                    *found |= same;
                    out.push_str(line);
                }
            }
        }
        out
    }

    fn path(&self, source: &str) -> PathBuf {
        let name = match &self.filename {
            Some(name) if name.contains('/') => return PathBuf::from(format!("{name}.list")),
            Some(name) => name.clone(),
            None => suggested(source),
        };
        Path::new(FOLDER).join(format!("{name}.list"))
    }

    fn write(&self, path: &Path, before: Option<&String>, after: String, plan: &mut Plan) {
        let mode = self.mode.as_ref().filter(|_| before.is_none());
        let effect = Effect::WriteFile {
            path: path.into(),
            content: Content::Bytes(after.clone().into_bytes()),
            attrs: Attrs {
                mode: match before {
                    None => Some(mode.map_or(0o644, |m| m.bits(0o644, false, 0o022))),
                    Some(_) => None,
                },
                ..Attrs::default()
            },
            backup: false,
            validate: None,
            in_place: false,
        };
        plan.change(
            Diff::new(path.to_string_lossy(), before.cloned(), after),
            effect,
        );
    }

    fn update(&self, host: &dyn HostView, plan: &mut Plan) -> Result<()> {
        let patience = Patience {
            attempts: self.update_cache_retries,
            pause: self.update_cache_retry_max_delay,
            lock: lock_patience(host)?,
        };
        let argv = ["apt-get", "update", "-q"].map(String::from).into();
        let lists = Consequence::PathUnknown {
            path: "/var/lib/apt/lists".into(),
        };
        plan.act(patiently(patience, argv).then(vec![lists]));
        Ok(())
    }
}

/// A file's name made of the address, as Ansible makes it.
fn suggested(source: &str) -> String {
    let mut inside = false;
    let bare: String = source
        .chars()
        .filter(|c| {
            inside |= *c == '[';
            let keep = !inside;
            inside &= *c != ']';
            keep
        })
        .collect();
    let address = bare
        .split_whitespace()
        .find(|w| !KINDS.contains(w))
        .unwrap_or_default();
    let address = address.split_once("://").map_or(address, |(_, rest)| rest);
    let address = address.split_once('@').map_or(address, |(_, rest)| rest);
    let words = address.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<&str> = words.filter(|w| !w.is_empty()).collect();
    words.join("_")
}

/// The files of sources in the old form, with their content.
fn files(host: &dyn HostView) -> Result<Vec<(PathBuf, String)>> {
    let mut paths = vec![PathBuf::from("/etc/apt/sources.list")];
    let names = host.list(Path::new(FOLDER))?.unwrap_or_default();
    let lists = names.iter().filter(|n| n.ends_with(".list"));
    paths.extend(lists.map(|n| Path::new(FOLDER).join(n)));
    let mut out = Vec::new();
    for path in paths {
        if let Some(bytes) = host.read(&path)? {
            out.push((path, String::from_utf8_lossy(&bytes).into_owned()));
        }
    }
    Ok(out)
}
