//! `file` with the states `link` and `hard`.

use super::{Task, fails};
use crate::error::Result;
use crate::host::{Effect, Stat};
use crate::module::attrs::shown;
use crate::module::{Change, Diff, Plan};
use crate::value::Value;
use std::path::{Path, PathBuf};

impl Task<'_> {
    /// A symlink.
    pub(super) fn link(self, src: Option<PathBuf>) -> Result<Plan> {
        let mut plan = Plan::default();
        let current = self.host.read_link(&self.path)?;
        let src = match src {
            None if self.params.follow && self.host.stat(&self.path)?.is_some() => current.clone(),
            other => other,
        };
        let Some(src) = src else {
            if self.previous != "link" {
                return fails("src is required for creating new symlinks", &self.path);
            }
            plan.returns
                .set("dest", shown(&self.path))
                .set("src", Value::Null);
            return Ok(plan);
        };
        let base = if self.previous == "directory" {
            Some(&*self.path)
        } else {
            self.path.parent()
        };
        let target = base.unwrap_or(Path::new("/")).join(&src);
        if let Some(message) = self.link_refused(&target)? {
            let mut plan = fails(message, &self.path)?;
            plan.returns.set("src", shown(&src));
            return Ok(plan);
        }
        plan.returns
            .set("dest", shown(&self.path))
            .set("src", shown(&src));
        let same = current
            .as_ref()
            .is_some_and(|c| c.as_os_str() == src.as_os_str());
        if !same {
            let (mut before, mut after) = self.state_diff("link");
            if let Some(current) = current {
                before.insert("src".into(), shown(&current).into());
                after.insert("src".into(), shown(&src).into());
            }
            plan.change(
                Diff::new(shown(&self.path), before, after),
                Effect::Symlink {
                    path: self.path.clone(),
                    target: src,
                },
            );
        }
        self.link_attributes(&mut plan, &target, same)?;
        Ok(plan)
    }

    /// Owner, group and mode of a link, or of what it leads to.
    fn link_attributes(&self, plan: &mut Plan, target: &Path, same: bool) -> Result<()> {
        if self.params.follow {
            let target = self.host.canonical(target)?;
            match self.host.lstat(&target)? {
                Some(stat) => self.set(plan, &target, &stat)?,
                None => plan.returns.warnings.push(
                    "Cannot set fs attributes on a non-existent symlink target. follow should be \
                     set to False to avoid this."
                        .to_owned(),
                ),
            }
        } else if same {
            if let Some(stat) = self.host.lstat(&self.path)? {
                self.set(plan, &self.path, &stat)?;
            }
        } else {
            // The link is not there yet: it will be the caller's own, and links have no mode.
            let mut attrs = self.with_times(self.wanted.for_new(false));
            attrs.mode = None;
            if !attrs.is_empty() {
                let path = self.path.clone();
                plan.changes.push(Change {
                    diff: None,
                    effect: Effect::SetAttrs {
                        path,
                        attrs,
                        follow: false,
                    },
                    counts: true,
                });
            }
        }
        Ok(())
    }

    /// Why a link is not made in the place of what is there.
    fn link_refused(&self, target: &Path) -> Result<Option<String>> {
        let (path, force) = (shown(&self.path), self.params.force);
        let convert = || {
            format!(
                "refusing to convert from {} to symlink for {path}",
                self.previous
            )
        };
        Ok(match self.previous {
            _ if !force && self.host.stat(target)?.is_none() => Some(format!(
                "src file does not exist, use 'force=yes' if you really want to create the link: {}",
                shown(target)
            )),
            "directory" if !force => Some(convert()),
            "directory"
                if self
                    .host
                    .list(&self.path)?
                    .is_some_and(|names| !names.is_empty()) =>
            {
                Some(format!(
                    "the directory {path} is not empty, refusing to convert it"
                ))
            }
            "file" | "hard" if !force => Some(convert()),
            _ => None,
        })
    }

    /// A hard link.
    pub(super) fn hard(self, src: Option<&Path>, there: Option<Stat>) -> Result<Plan> {
        let mut plan = Plan::default();
        plan.returns
            .set("dest", shown(&self.path))
            .set("src", src.map(shown));
        let Some(src) = src else {
            let Some(stat) = there.filter(|_| self.previous == "hard") else {
                return fails("src is required for creating new hardlinks", &self.path);
            };
            self.set(&mut plan, &self.path, &stat)?;
            return Ok(plan);
        };
        let source = self.host.stat(src)?;
        let Some(source) = source else {
            plan.returns.fail("src does not exist");
            return Ok(plan);
        };
        let same = there
            .as_ref()
            .is_some_and(|s| (s.inode, s.device) == (source.inode, source.device));
        if there.is_some() && !same && !self.params.force && self.previous != "link" {
            plan.returns.fail(match self.previous {
                "hard" => "Cannot link, different hard link exists at destination".to_owned(),
                "directory" => "Cannot link: different hard link exists at destination".to_owned(),
                state => format!("Cannot link, {state} exists at destination"),
            });
            return Ok(plan);
        }
        if !same {
            let (before, after) = self.state_diff("hard");
            // A hard link to a symlink would be a link itself.
            let target = if self.params.follow {
                self.host.canonical(src)?
            } else {
                src.to_owned()
            };
            plan.change(
                Diff::new(shown(&self.path), before, after),
                Effect::HardLink {
                    path: self.path.clone(),
                    target,
                },
            );
        }
        self.set(&mut plan, &self.path, &source)?;
        Ok(plan)
    }
}
