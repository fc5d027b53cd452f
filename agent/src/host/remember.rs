//! How effects change what is remembered of a machine.

use super::clock::stamp;
use super::memory::Memory;
use super::tables::unescape;
use super::tree::{Body, Data, Node, new_stat};
use super::*;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

impl Memory {
    /// Takes an effect on files or mounts in; `None` for an effect of another sort.
    pub fn remember(&mut self, effect: &Effect) -> Result<Option<Outcome>> {
        match effect {
            Effect::WriteFile {
                path,
                content,
                attrs,
                backup,
                ..
            } => {
                let data = self.content(content)?;
                let backup = self.write(path, data, attrs, *backup)?;
                return Ok(Some(Outcome::Written { backup }));
            }
            Effect::SetAttrs {
                path,
                attrs,
                follow,
            } => self.set_attrs(path, attrs, *follow)?,
            Effect::MakeDir { path, attrs } => self.make_dir(path, attrs)?,
            Effect::Symlink { path, target } => self.symlink(path, target)?,
            Effect::HardLink { path, target } => self.hard_link(path, target)?,
            Effect::Remove { path } => {
                let at = self.tree.resolve(self, path, false)?;
                self.tree.remove(&at);
            }
            Effect::Rename { from, to } => self.rename(from, to)?,
            Effect::Mount { .. } | Effect::Unmount { .. } | Effect::Remount { .. } => {
                self.remember_mount(effect)?;
            }
            Effect::Run { .. }
            | Effect::Http(_)
            | Effect::Await { .. }
            | Effect::Download(_)
            | Effect::Fetch(_) => {
                return Ok(None);
            }
        }
        Ok(Some(Outcome::Done))
    }

    fn content(&self, content: &Content) -> Result<Data> {
        Ok(match content {
            Content::Bytes(bytes) => Data::Bytes(bytes.as_slice().into()),
            Content::Asset(path) => {
                if self.asset(path)?.is_none() {
                    return Err(Error::host(format!("no such file: {}", path.display())));
                }
                Data::Asset(path.clone())
            }
            Content::HostFile(path) => match self.find(path, true)?.1 {
                Some(Node {
                    body: Body::File(data),
                    ..
                }) => data,
                _ => return Err(Error::host(format!("no such file: {}", path.display()))),
            },
        })
    }

    fn size(&self, data: &Data) -> Result<u64> {
        Ok(match data {
            Data::Bytes(bytes) => bytes.len() as u64,
            Data::Base(path) => self.base.stat(path)?.map_or(0, |s| s.size),
            Data::Asset(path) => self.base.asset(path)?.map_or(0, |s| s.size),
            Data::Unknown(_) => Stat::SIZE_UNKNOWN,
        })
    }

    /// Puts a file in place, and gives the backup's path.
    pub fn write(
        &mut self,
        path: &Path,
        data: Data,
        attrs: &Attrs,
        backup: bool,
    ) -> Result<Option<PathBuf>> {
        let (at, old) = self.find(path, true)?;
        if old.as_ref().is_some_and(|o| o.stat.is_dir()) {
            return Err(Error::host(format!("{} is a directory", path.display())));
        }
        self.parent_of(&at)?;
        let now = self.now();
        let mut stat = match &old {
            Some(old) => Stat {
                mtime: now,
                ctime: now,
                ..old.stat.clone()
            },
            None => {
                let (uid, gid) = self.owner()?;
                new_stat(FileKind::File, 0o666 & !self.umask(), uid, gid, now)
            }
        };
        (stat.kind, stat.nlink, stat.inode, stat.device) = (FileKind::File, 1, self.inode(), 0);
        stat.size = self.size(&data)?;
        apply_attrs(&mut stat, attrs);
        let backup = match old {
            Some(old) if backup => {
                let name = PathBuf::from(format!("{}.1.{}~", at.display(), stamp(now)));
                self.tree.put(&name, old);
                Some(name)
            }
            _ => None,
        };
        let body = Body::File(data);
        self.put(&at, stat, body);
        Ok(backup)
    }

    fn put(&mut self, at: &Path, stat: Stat, body: Body) {
        let sealed = stat.is_dir();
        self.tree.put(at, Node { stat, body, sealed });
    }

    fn inode(&mut self) -> u64 {
        self.next_inode += 1;
        self.next_inode
    }

    fn owner(&self) -> Result<(u32, u32)> {
        let uid = self.current_uid();
        Ok((uid, self.user_by_id(uid)?.map_or(uid, |u| u.gid)))
    }

    /// The folder of a canonical path must be there.
    fn parent_of(&self, at: &Path) -> Result<()> {
        let parent = at.parent().unwrap_or(Path::new("/"));
        match self.tree.node(self, parent)? {
            Some(node) if node.stat.is_dir() => Ok(()),
            Some(_) => Err(Error::host(format!(
                "{} is not a directory",
                parent.display()
            ))),
            None => Err(Error::host(format!(
                "no such directory: {}",
                parent.display()
            ))),
        }
    }

    fn set_attrs(&mut self, path: &Path, attrs: &Attrs, follow: bool) -> Result<()> {
        let (at, node) = self.find(path, follow)?;
        let Some(mut node) = node else {
            return Err(Error::host(format!(
                "no such file or directory: {}",
                path.display()
            )));
        };
        apply_attrs(&mut node.stat, attrs);
        node.stat.ctime = self.now();
        self.tree.put(&at, node);
        Ok(())
    }

    fn make_dir(&mut self, path: &Path, attrs: &Attrs) -> Result<()> {
        let (at, old) = self.find(path, false)?;
        if old.is_some() {
            return Err(Error::host(format!("{} exists", path.display())));
        }
        self.parent_of(&at)?;
        let (uid, gid) = self.owner()?;
        let mode = 0o777 & !self.umask();
        let mut stat = new_stat(FileKind::Dir, mode, uid, gid, self.now());
        (stat.nlink, stat.size, stat.inode) = (2, 4096, self.inode());
        apply_attrs(&mut stat, attrs);
        self.put(&at, stat, Body::Dir);
        Ok(())
    }

    fn make_room(&mut self, path: &Path) -> Result<PathBuf> {
        let (at, old) = self.find(path, false)?;
        self.parent_of(&at)?;
        if old.is_some_and(|o| o.stat.is_dir())
            && self.tree.list(self, &at)?.is_some_and(|l| !l.is_empty())
        {
            return Err(Error::host(format!(
                "{} is a directory that is not empty",
                path.display()
            )));
        }
        Ok(at)
    }

    fn symlink(&mut self, path: &Path, target: &Path) -> Result<()> {
        let at = self.make_room(path)?;
        let (uid, gid) = self.owner()?;
        let mut stat = new_stat(FileKind::Link, 0o777, uid, gid, self.now());
        stat.size = target.as_os_str().len() as u64;
        stat.inode = self.inode();
        self.put(&at, stat, Body::Link(target.to_owned()));
        Ok(())
    }

    fn hard_link(&mut self, path: &Path, target: &Path) -> Result<()> {
        let at = self.make_room(path)?;
        let (from, node) = self.find(target, true)?;
        let Some(mut node) = node.filter(|n| !n.stat.is_dir()) else {
            return Err(Error::host(format!("no such file: {}", target.display())));
        };
        node.stat.nlink += 1;
        self.tree.put(&from, node.clone());
        self.tree.put(&at, node);
        Ok(())
    }

    fn rename(&mut self, from: &Path, to: &Path) -> Result<()> {
        let (at, node) = self.find(from, false)?;
        if node.is_none() {
            return Err(Error::host(format!(
                "no such file or directory: {}",
                from.display()
            )));
        }
        let to = self.tree.resolve(self, to, false)?;
        self.parent_of(&to)?;
        let mut tree = self.tree.clone();
        tree.rename(self, &at, &to)?;
        self.tree = tree;
        Ok(())
    }

    fn remember_mount(&mut self, effect: &Effect) -> Result<()> {
        let mut mounts = self.mounts()?;
        let at = |this: &Self, target: &Path| this.tree.resolve(this, target, true);
        match effect {
            Effect::Mount { target, .. } => {
                let target = at(self, target)?;
                let entry = self.mount_entry(effect, &target)?;
                self.words.push(entry.source.clone());
                mounts.push(entry);
                self.mount_changed(&target, "would be mounted on");
            }
            Effect::Unmount { target } => {
                let target = at(self, target)?;
                let found = mounts.iter().rposition(|m| Path::new(&m.target) == target);
                let Some(found) = found else {
                    return Err(Error::host(format!("{} is not mounted", target.display())));
                };
                let gone = mounts.remove(found);
                self.words.push(gone.source);
                self.mount_changed(&target, "would be unmounted");
            }
            Effect::Remount { target, options } => {
                let target = at(self, target)?;
                let found = mounts
                    .iter_mut()
                    .rfind(|m| Path::new(&m.target) == target)
                    .ok_or_else(|| Error::host(format!("{} is not mounted", target.display())))?;
                if !options.is_empty() {
                    found.options.clone_from(options);
                }
            }
            _ => {}
        }
        self.mounts = Some(mounts);
        Ok(())
    }

    /// The files below a mount point are others than before.
    fn mount_changed(&mut self, target: &Path, what: &str) {
        if self.imagined {
            let why = format!("{} {what} by an earlier task", target.display());
            self.tree.blur(target, &why, true);
        }
    }

    fn mount_entry(&self, effect: &Effect, at: &Path) -> Result<MountEntry> {
        let Effect::Mount {
            source,
            target,
            fstype,
            options,
            from_fstab,
            fstab,
        } = effect
        else {
            return Ok(MountEntry::default());
        };
        let mut entry = MountEntry {
            source: source.clone(),
            target: at.display().to_string(),
            fstype: fstype.clone(),
            options: options.clone(),
            root: "/".to_owned(),
            // A fake's mounts have numbers, as a kernel's; what is only imagined has none yet.
            device: match self.imagined {
                true => String::new(),
                false => format!("0:{}", 40 + self.mounts()?.len()),
            },
        };
        if *from_fstab {
            let path = fstab.as_deref().unwrap_or(Path::new("/etc/fstab"));
            let text = self.read(path)?.unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            let line = text.lines().rev().find_map(|line| {
                let f: Vec<String> = line.split_whitespace().map(unescape).collect();
                let ours = f.len() >= 3 && !f[0].starts_with('#') && Path::new(&f[1]) == target;
                ours.then_some(f)
            });
            let Some(f) = line else {
                return Err(Error::host(format!(
                    "{} has no entry for {}",
                    path.display(),
                    target.display()
                )));
            };
            (entry.source, entry.fstype) = (f[0].clone(), f[2].clone());
            entry.options = f.get(3).cloned().unwrap_or_else(|| "defaults".to_owned());
        }
        Ok(entry)
    }

    /// A file that a fetch would bring, or brought.
    pub fn fetched(&mut self, fetch: &Fetch, data: Data) -> Result<()> {
        self.write(&fetch.dest, data, &fetch.attrs, false).map(drop)
    }

    /// A file that a download would bring, or brought.
    pub fn downloaded(&mut self, download: &Download, data: Data) -> Result<Option<PathBuf>> {
        self.write(&download.dest, data, &download.attrs, download.backup)
    }
}

fn apply_attrs(stat: &mut Stat, attrs: &Attrs) {
    stat.uid = attrs.uid.unwrap_or(stat.uid);
    stat.gid = attrs.gid.unwrap_or(stat.gid);
    stat.mode = attrs.mode.unwrap_or(stat.mode);
    stat.atime = attrs.atime.unwrap_or(stat.atime);
    stat.mtime = attrs.mtime.unwrap_or(stat.mtime);
}
