//! Writing regular files: what every module that puts content in place shares.

use super::attrs::{FileAttrs, Wanted, shown};
use super::{Diff, Plan, PlanCx};
use crate::error::{Error, Result};
use crate::host::{Attrs, Content, Effect, HostView, Outcome};
use crate::params;
use crate::value::Value;
use std::path::{Path, PathBuf};

params! {
    /// How a file is put in place.
    pub struct WriteParams {
        /// Keep the file that was there, under a name with the time in it.
        default(false) backup: bool,
        /// A command that must accept the new file before it is put in place; `%s` is its path.
        optional validate: Option<String>,
    }
}

/// A regular file, and how it is to be written.
pub struct FileWrite<'a> {
    /// What planning may read.
    pub cx: &'a PlanCx<'a>,
    /// The path as the task names it.
    pub path: &'a Path,
    /// The file that is really written: links are resolved where they are followed.
    pub target: PathBuf,
    /// Owner, group and mode, looked up.
    pub wanted: Wanted,
    /// Whether owner, group and mode go through a link at `path`.
    pub follow: bool,
    /// Keep the file that was there.
    pub backup: bool,
    /// Command that must accept the file.
    pub validate: Option<&'a str>,
    /// Write in place where a rename is impossible.
    pub in_place: bool,
}

/// Before and after, as texts for a diff; made only when someone will see them.
pub struct Shown {
    /// Before.
    pub before: Value,
    /// After.
    pub after: Value,
}

impl<'a> FileWrite<'a> {
    /// An edit of the file at `path`: links are followed for content, as Ansible's editors do.
    ///
    /// # Errors
    /// When the host cannot be read or has no such owner.
    pub fn edit(
        cx: &'a PlanCx<'a>,
        path: &'a Path,
        attrs: &FileAttrs,
        write: &'a WriteParams,
    ) -> Result<Self> {
        check_validate(write.validate.as_deref())?;
        Ok(Self {
            cx,
            path,
            target: cx.host.canonical(path)?,
            wanted: attrs.resolve(cx.host)?,
            follow: false,
            backup: write.backup,
            validate: write.validate.as_deref(),
            in_place: attrs.unsafe_writes,
        })
    }

    /// Plans new content, and the attributes with it, so that no moment shows a secret to others.
    /// Says whether attributes change, for Ansible's messages.
    ///
    /// # Errors
    /// When the host cannot be read.
    pub fn write(self, plan: &mut Plan, content: Content, texts: Shown) -> Result<bool> {
        let host = self.cx.host;
        let there = host.lstat(&self.target)?;
        let through_link = !self.follow && self.target != self.path;
        let difference = match &there {
            Some(stat) if !through_link => {
                Some(self.wanted.difference(host, &self.target, stat)?)
            }
            _ => None,
        };
        let attrs = match (&difference, through_link) {
            (Some(difference), _) => difference.attrs.clone(),
            (None, true) => Attrs::default(),
            (None, false) => self.wanted.for_new(false),
        };
        plan.change(
            Diff::new(shown(self.path), texts.before, texts.after),
            Effect::WriteFile {
                path: self.target.clone(),
                content,
                attrs: attrs.clone(),
                backup: self.backup && there.is_some(),
                validate: self.validate.map(str::to_owned),
                in_place: self.in_place,
            },
        );
        if through_link {
            return self.wanted.set(plan, host, self.path, false);
        }
        let Some(difference) = difference else {
            return Ok(self.wanted.differs_from_fresh(host, false));
        };
        if difference.is_empty() {
            return Ok(false);
        }
        // The file was written with them already: this shows them, and holds where a file had to
        // be written in place.
        plan.change(
            difference.diff(&self.target),
            Effect::SetAttrs {
                path: self.target,
                attrs,
                follow: false,
            },
        );
        Ok(true)
    }

    /// Plans the attributes alone. Says whether any change.
    ///
    /// # Errors
    /// When the host cannot be read.
    pub fn attributes(&self, plan: &mut Plan) -> Result<bool> {
        self.wanted.set(plan, self.cx.host, self.path, self.follow)
    }

    /// The plan of an editor: new content if it differs, else only attributes. Returns Ansible's
    /// message, which begins with `message` if the content changes.
    ///
    /// # Errors
    /// When the host cannot be read.
    pub fn edit_to(
        self,
        plan: &mut Plan,
        before: Option<&[u8]>,
        after: Vec<u8>,
        message: &str,
    ) -> Result<String> {
        let changed = before != Some(&after[..]);
        let attributes = if changed {
            make_parents(plan, self.cx.host, &self.target, &Attrs::default())?;
            let texts = texts(self.cx, before, &after);
            self.write(plan, Content::Bytes(after), texts)?
        } else {
            self.attributes(plan)?
        };
        let mut said = if changed {
            message.to_owned()
        } else {
            String::new()
        };
        if attributes {
            if changed {
                said.push_str(" and ");
            }
            said.push_str("ownership, perms or SE linux context changed");
        }
        Ok(said)
    }
}

/// Refuses a `validate` command that would not look at the file.
///
/// # Errors
/// When it has no `%s`.
pub fn check_validate(command: Option<&str>) -> Result<()> {
    match command {
        Some(command) if !command.contains("%s") => Err(Error::params(format!(
            "validate must contain %s: {command}"
        ))),
        _ => Ok(()),
    }
}

/// Before and after as texts, if someone will see them.
#[must_use]
pub fn texts(cx: &PlanCx<'_>, before: Option<&[u8]>, after: &[u8]) -> Shown {
    if !cx.diff {
        return Shown {
            before: Value::Null,
            after: Value::Null,
        };
    }
    Shown {
        before: text_of(before.unwrap_or_default()),
        after: text_of(after),
    }
}

/// More than this is not shown, as in Ansible.
const MOST_SHOWN: usize = 104_448;

/// Content as text for a diff.
#[must_use]
pub fn text_of(bytes: &[u8]) -> Value {
    if bytes.iter().take(8192).any(|b| *b == 0) {
        return Value::from(format!("(binary content, {} bytes)\n", bytes.len()));
    }
    if bytes.len() > MOST_SHOWN {
        return Value::from(format!(
            "(content of {} bytes, too long to show)\n",
            bytes.len()
        ));
    }
    Value::from(&*String::from_utf8_lossy(bytes))
}

/// Directories that lead to `path` and do not exist yet, the outermost first; `path` itself is not
/// among them.
///
/// # Errors
/// When one of them is something else than a directory, or the host cannot be read.
pub fn missing_parents(host: &dyn HostView, path: &Path) -> Result<Vec<PathBuf>> {
    let mut missing = Vec::new();
    for parent in path.ancestors().skip(1) {
        if parent.as_os_str().is_empty() {
            break;
        }
        match host.stat(parent)? {
            Some(stat) if stat.is_dir() => break,
            Some(_) => {
                return Err(Error::host(format!("{} is not a directory", shown(parent))));
            }
            None => missing.push(parent.to_path_buf()),
        }
    }
    missing.reverse();
    Ok(missing)
}

/// Plans the directories that lead to `path` and do not exist yet.
///
/// # Errors
/// As [`missing_parents`].
pub fn make_parents(
    plan: &mut Plan,
    host: &dyn HostView,
    path: &Path,
    attrs: &Attrs,
) -> Result<()> {
    for dir in missing_parents(host, path)? {
        plan.change(
            new_dir_diff(&dir),
            Effect::MakeDir {
                path: dir,
                attrs: attrs.clone(),
            },
        );
    }
    Ok(())
}

/// The difference that a new directory is.
#[must_use]
pub fn new_dir_diff(path: &Path) -> Diff {
    let state = |word: &str| -> crate::value::Map {
        [
            ("path".into(), shown(path).into()),
            ("state".into(), word.into()),
        ]
        .into_iter()
        .collect()
    };
    Diff::new(shown(path), state("absent"), state("directory"))
}

/// The backup that an effect made, if any did.
#[must_use]
pub fn backup_of(outcomes: &[Outcome]) -> Option<String> {
    outcomes.iter().find_map(|outcome| match outcome {
        Outcome::Written { backup: Some(path) }
        | Outcome::Downloaded {
            backup: Some(path), ..
        } => Some(shown(path)),
        _ => None,
    })
}

/// Every entry below a directory, parents before their children; links are not followed.
///
/// # Errors
/// When the host cannot be read.
pub fn walk(host: &dyn HostView, top: &Path) -> Result<Vec<(PathBuf, crate::host::Stat)>> {
    let mut out = Vec::new();
    let mut waiting = vec![top.to_path_buf()];
    while let Some(dir) = waiting.pop() {
        let mut inner = Vec::new();
        for name in host.list(&dir)?.unwrap_or_default() {
            let path = dir.join(name);
            if let Some(stat) = host.lstat(&path)? {
                if stat.is_dir() {
                    inner.push(path.clone());
                }
                out.push((path, stat));
            }
        }
        // Taken from the end: the first name comes next.
        waiting.extend(inner.into_iter().rev());
    }
    Ok(out)
}
