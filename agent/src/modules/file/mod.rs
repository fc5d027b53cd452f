//! `file`.

mod links;
mod times;

use crate::choices;
use crate::error::Result;
use crate::host::{Attrs, Content, Effect, HostView, Outcome, Stat};
use crate::module::attrs::{FileAttrs, Wanted, add_path_info, entry_path, shown, state_word};
use crate::module::content::{missing_parents, new_dir_diff, walk};
use crate::module::{Diff, HostPath, Module, Plan, PlanCx, Returns};
use crate::params;
use crate::value::{Key, Map, Value};
use std::path::{Path, PathBuf};
use times::Times;

choices! {
    /// What should be at the path.
    pub enum State {
        Absent = "absent", Directory = "directory", File = "file",
        Hard = "hard", Link = "link", Touch = "touch",
    }
}

params! {
    /// Makes sure that a path is a file, a directory or a link with the right owner and mode, or is gone.
    ///
    /// Directories that lead to a new directory are made too, with the same owner and mode.
    ///
    /// ```yaml
    /// - file:
    ///     path: /srv/models
    ///     state: directory
    ///     owner: root
    ///     group: root
    ///     mode: '0755'
    ///
    /// - file:
    ///     src: /srv/models/v2
    ///     dest: /srv/current
    ///     state: link
    ///
    /// - file:
    ///     path: /etc/old.conf
    ///     state: absent
    /// ```
    pub struct File {
        /// The path.
        required path | "dest" | "name": HostPath,
        /// What should be there. Without it, what is there stays, and a path that is not there is an
        /// error (with `recurse`, it becomes a directory).
        optional state: Option<State>,
        /// What a link leads to, as it is written in the link.
        optional src: Option<HostPath>,
        /// Set owner, group and mode of everything below a directory too.
        default(false) recurse: bool,
        /// Make a link whose target does not exist, or in the place of a file or an empty directory.
        default(false) force: bool,
        /// Whether a link at the path is followed.
        default(true) follow: bool,
        /// Modification time: `now`, `preserve`, or a time in `modification_time_format`.
        optional modification_time: Option<String>,
        /// How `modification_time` is written.
        default("%Y%m%d%H%M.%S".to_owned()) modification_time_format: String,
        /// Access time: `now`, `preserve`, or a time in `access_time_format`.
        optional access_time: Option<String>,
        /// How `access_time` is written.
        default("%Y%m%d%H%M.%S".to_owned()) access_time_format: String,
        flatten attrs: FileAttrs,
    }
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[
    ("path", "The path (`file`, `directory`, `absent`)."),
    ("dest", "The path (`link`, `hard`, `touch`)."),
    ("src", "What the link leads to."),
    ("uid", "Number of the owner."),
    ("gid", "Number of the group."),
    ("owner", "Name of the owner."),
    ("group", "Name of the group."),
    ("mode", "Permissions, as octal digits."),
    ("size", "Size in bytes."),
    (
        "state",
        "What is there: `file`, `hard`, `link`, `directory` or `absent`.",
    ),
];

impl Module for File {
    fn plan(&self, cx: &PlanCx<'_>) -> Result<Plan> {
        let host = cx.host;
        let mut path = entry_path(host, &self.path)?;
        let src = self.src.as_ref().map(|s| s.expand(host)).transpose()?;
        if !matches!(self.state, Some(State::Link | State::Absent))
            && let Some(name) = src.as_deref().and_then(Path::file_name)
            && host.stat(&path)?.is_some_and(|s| s.is_dir())
        {
            path.push(name);
        }
        let there = host.lstat(&path)?;
        let state = self.state_for(there.as_ref());
        if self.recurse && state != State::Directory {
            return fails("recurse option requires state to be 'directory'", &path);
        }
        if src.is_some() && !matches!(state, State::Link | State::Hard) {
            return fails("src option requires state to be 'link' or 'hard'", &path);
        }
        let task = Task {
            params: self,
            cx,
            host,
            previous: there.as_ref().map_or("absent", state_word),
            wanted: self.attrs.resolve(host)?,
            times: if state == State::Absent {
                Times::default()
            } else {
                self.times(host, state)?
            },
            path,
        };
        let mut plan = match state {
            State::Absent => task.absent(),
            State::Directory => task.directory(there),
            State::File => task.file(there),
            State::Touch => task.touch(there),
            State::Link => task.link(src),
            State::Hard => task.hard(src.as_deref(), there),
        }?;
        self.name_as_given(host, &mut plan.returns)?;
        Ok(plan)
    }

    fn finish(&self, cx: &PlanCx<'_>, returns: &mut Returns, _: &[Outcome]) -> Result<()> {
        let path = returns
            .values
            .get("path")
            .or_else(|| returns.values.get("dest"));
        match path.and_then(Value::as_str).map(PathBuf::from) {
            Some(path) => add_path_info(cx.host, &path, returns),
            None => Ok(()),
        }
    }
}

impl File {
    /// Returns the path with the slash at its end with which it was given.
    fn name_as_given(&self, host: &dyn HostView, returns: &mut Returns) -> Result<()> {
        let given = shown(&self.path.expand(host)?);
        for name in ["path", "dest"] {
            let same = |value: &&mut Value| value.as_str() == Some(given.trim_end_matches('/'));
            if let Some(value) = returns.values.get_mut(name).filter(same) {
                *value = Value::from(given.as_str());
            }
        }
        Ok(())
    }

    fn state_for(&self, there: Option<&Stat>) -> State {
        self.state.unwrap_or_else(|| match there.map(state_word) {
            Some("directory") => State::Directory,
            Some("link") => State::Link,
            Some("hard") => State::Hard,
            Some(_) => State::File,
            None if self.recurse => State::Directory,
            None => State::File,
        })
    }
}

/// A plan that fails, as Ansible's module fails: with the path among its values.
fn fails(message: impl Into<String>, path: &Path) -> Result<Plan> {
    let returns = Returns::failure(message).with("path", shown(path));
    Ok(Plan::returning(returns))
}

/// One call of the module, with what it found out about the host.
struct Task<'a> {
    params: &'a File,
    cx: &'a PlanCx<'a>,
    host: &'a dyn HostView,
    path: PathBuf,
    previous: &'static str,
    wanted: Wanted,
    times: Times,
}

impl Task<'_> {
    /// The difference in state, as Ansible shows it.
    fn state_diff(&self, state: &str) -> (Map, Map) {
        let path = || (Key::from("path"), Value::from(shown(&self.path)));
        let (mut before, mut after): (Map, Map) = (
            [path()].into_iter().collect(),
            [path()].into_iter().collect(),
        );
        if self.previous != state {
            before.insert("state".into(), self.previous.into());
            after.insert("state".into(), state.into());
        }
        (before, after)
    }

    fn absent(self) -> Result<Plan> {
        let mut plan = Plan::default();
        plan.returns
            .set("path", shown(&self.path))
            .set("state", "absent");
        if self.previous == "absent" {
            return Ok(plan);
        }
        let (mut before, after) = self.state_diff("absent");
        if self.previous == "directory" && self.cx.diff {
            before.insert("path_content".into(), content_of(self.host, &self.path)?);
        }
        plan.change(
            Diff::new(shown(&self.path), before, after),
            Effect::Remove { path: self.path },
        );
        Ok(plan)
    }

    fn directory(mut self, mut there: Option<Stat>) -> Result<Plan> {
        if self.params.follow && self.previous == "link" {
            self.path = self.host.canonical(&self.path)?;
            there = self.host.lstat(&self.path)?;
            self.previous = there.as_ref().map_or("absent", state_word);
        }
        let mut plan = Plan::default();
        plan.returns.set("path", shown(&self.path));
        match there {
            None => {
                let mut dirs = missing_parents(self.host, &self.path).map_err(|e| {
                    e.context(format!(
                        "There was an issue creating {} as requested",
                        shown(&self.path)
                    ))
                })?;
                dirs.push(self.path.clone());
                for dir in dirs {
                    let attrs = self.with_times(self.wanted.for_new(true));
                    plan.change(new_dir(&dir, &attrs), Effect::MakeDir { path: dir, attrs });
                }
            }
            Some(stat) if stat.is_dir() => {
                self.set(&mut plan, &self.path, &stat)?;
                if self.params.recurse {
                    self.recurse(&mut plan, &self.path)?;
                }
            }
            Some(_) => {
                let message = format!(
                    "{} already exists as a {}",
                    shown(&self.path),
                    self.previous
                );
                return fails(message, &self.path);
            }
        }
        Ok(plan)
    }

    /// Owner, group, mode and times of everything below a directory.
    fn recurse(&self, plan: &mut Plan, top: &Path) -> Result<()> {
        if self.wanted.is_empty() && self.times.mtime.is_none() && self.times.atime.is_none() {
            return Ok(());
        }
        // Links that lead to a folder again would go on for ever.
        let mut seen = vec![self.host.canonical(top)?];
        let mut tops = vec![top.to_path_buf()];
        while let Some(top) = tops.pop() {
            for (path, stat) in walk(self.host, &top)? {
                self.set(plan, &path, &stat)?;
                if stat.kind != crate::host::FileKind::Link || !self.params.follow {
                    continue;
                }
                let target = self.host.canonical(&path)?;
                if let Some(stat) = self.host.lstat(&target)?
                    && !seen.contains(&target)
                {
                    self.set(plan, &target, &stat)?;
                    if stat.is_dir() {
                        tops.push(target.clone());
                    }
                    seen.push(target);
                }
            }
        }
        Ok(())
    }

    fn file(mut self, mut there: Option<Stat>) -> Result<Plan> {
        if self.params.follow && self.previous == "link" {
            self.path = self.host.canonical(&self.path)?;
            there = self.host.lstat(&self.path)?;
            self.previous = there.as_ref().map_or("absent", state_word);
        }
        let mut plan = Plan::default();
        plan.returns.set("path", shown(&self.path));
        match there {
            Some(stat) if matches!(self.previous, "file" | "hard") => {
                self.set(&mut plan, &self.path, &stat)?;
            }
            _ => {
                let message = format!(
                    "file ({}) is {}, cannot continue",
                    shown(&self.path),
                    self.previous
                );
                plan = fails(message, &self.path)?;
                plan.returns.set("state", self.previous);
            }
        }
        Ok(plan)
    }

    fn touch(self, there: Option<Stat>) -> Result<Plan> {
        let mut plan = Plan::default();
        plan.returns.set("dest", shown(&self.path));
        let Some(stat) = there else {
            let (before, after) = self.state_diff("touch");
            // A new file has the present time anyway: only other times are worth saying.
            let given = |name: &Option<String>, time: Option<f64>| {
                time.filter(|_| name.as_deref().is_some_and(|n| n != "now"))
            };
            let mut attrs = self.wanted.for_new(false);
            attrs.mtime = given(&self.params.modification_time, self.times.mtime);
            attrs.atime = given(&self.params.access_time, self.times.atime);
            plan.change(
                Diff::new(shown(&self.path), before, after),
                Effect::WriteFile {
                    path: self.path,
                    content: Content::Bytes(Vec::new()),
                    attrs,
                    backup: false,
                    validate: None,
                    in_place: false,
                },
            );
            return Ok(plan);
        };
        let (path, stat) = self.followed(&self.path, stat)?;
        self.set(&mut plan, &path, &stat)?;
        Ok(plan)
    }

    /// The entry that attributes are set on.
    fn followed(&self, path: &Path, stat: Stat) -> Result<(PathBuf, Stat)> {
        if self.params.follow && state_word(&stat) == "link" {
            let target = self.host.canonical(path)?;
            if let Some(stat) = self.host.lstat(&target)? {
                return Ok((target, stat));
            }
        }
        Ok((path.to_path_buf(), stat))
    }

    fn with_times(&self, mut attrs: Attrs) -> Attrs {
        attrs.mtime = self.times.mtime;
        attrs.atime = self.times.atime;
        attrs
    }

    /// Plans what an existing entry lacks.
    fn set(&self, plan: &mut Plan, path: &Path, stat: &Stat) -> Result<()> {
        let mut difference = self.wanted.difference(self.host, path, stat)?;
        for (name, wanted, is) in [
            ("mtime", self.times.mtime, stat.mtime),
            ("atime", self.times.atime, stat.atime),
        ] {
            // Nanoseconds do not survive a number with a fraction.
            let Some(wanted) = wanted.filter(|w| (w - is).abs() > 1e-6) else {
                continue;
            };
            difference.before.insert(name.into(), is.into());
            difference.after.insert(name.into(), wanted.into());
            match name {
                "mtime" => difference.attrs.mtime = Some(wanted),
                _ => difference.attrs.atime = Some(wanted),
            }
        }
        if !difference.is_empty() {
            let diff = difference.diff(path);
            let path = path.to_path_buf();
            plan.change(
                diff,
                Effect::SetAttrs {
                    path,
                    attrs: difference.attrs,
                    follow: false,
                },
            );
        }
        Ok(())
    }
}

/// The difference that a new directory is, with what is asked of it.
fn new_dir(path: &Path, attrs: &Attrs) -> Diff {
    let mut diff = new_dir_diff(path);
    if let Value::Map(after) = &mut diff.after {
        let after = std::sync::Arc::make_mut(after);
        let mut add = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                after.insert(name.into(), value);
            }
        };
        add(
            "mode",
            attrs.mode.map(|m| crate::module::attrs::octal(m).into()),
        );
        add("owner", attrs.uid.map(Value::from));
        add("group", attrs.gid.map(Value::from));
    }
    diff
}

/// The entries below a directory that is about to be removed, as Ansible shows them.
fn content_of(host: &dyn HostView, path: &Path) -> Result<Value> {
    let (dirs, files): (Vec<_>, Vec<_>) = walk(host, path)?
        .into_iter()
        .partition(|(_, stat)| stat.is_dir());
    let names = |entries: Vec<(PathBuf, Stat)>| -> Value {
        entries
            .iter()
            .map(|(path, _)| shown(path))
            .collect::<Vec<_>>()
            .into()
    };
    let map: Map = [
        ("directories".into(), names(dirs)),
        ("files".into(), names(files)),
    ]
    .into_iter()
    .collect();
    Ok(map.into())
}
