//! Attributes, folders, links, removal.

use super::*;
use nix::errno::Errno;
use nix::sys::stat::{FchmodatFlags, Mode};
use std::os::unix::fs::DirBuilderExt;

fn os_error(what: &str, path: &Path, errno: Errno) -> Error {
    io_error(what, path, std::io::Error::from(errno))
}

impl RealHost {
    pub(super) fn set_attrs(&self, path: &Path, attrs: &Attrs, follow: bool) -> Result<()> {
        let at = self.real(path, follow)?;
        let stat = match follow {
            true => files::stat(&at)?,
            false => files::lstat(&at)?,
        };
        let Some(stat) = stat else {
            return Err(Error::host(format!(
                "no such file or directory: {}",
                path.display()
            )));
        };
        set_owner(&at, attrs, follow)?;
        // A symlink has no mode of its own.
        if let Some(mode) = attrs.mode
            && stat.kind != FileKind::Link
        {
            set_mode(&at, mode, follow)?;
        }
        if attrs.atime.is_some() || attrs.mtime.is_some() {
            set_times(&at, attrs, follow)?;
        }
        if let Some(context) = &attrs.context {
            self.chcon(&at, context)?;
        }
        match &attrs.attributes {
            Some(attributes) => self.chattr(&at, attributes),
            None => Ok(()),
        }
    }

    /// Sets parts of the SELinux context, by the program for it: the kernel takes only whole ones.
    pub(super) fn chcon(&self, at: &Path, context: &Context) -> Result<()> {
        let path = at.to_string_lossy().into_owned();
        let mut context = context.clone();
        if context.parts().contains(&Some(Context::DEFAULT)) {
            let policy = self.output("matchpathcon", &["-n", &path])?;
            context = context.with_defaults(&Context::parse(&policy));
        }
        let mut arguments = vec!["--no-dereference"];
        let flags = ["--user", "--role", "--type", "--range"];
        for (flag, part) in flags.into_iter().zip(context.parts()) {
            if let Some(part) = part {
                arguments.extend([flag, part]);
            }
        }
        arguments.push(&path);
        self.output("chcon", &arguments).map(drop)
    }

    /// What a program of the machine says, or the error that it ends with.
    fn output(&self, program: &str, arguments: &[&str]) -> Result<String> {
        let argv = std::iter::once(program).chain(arguments.iter().copied());
        let output = self.run(&Command::new(argv.map(str::to_owned)), &|_| {})?;
        if output.success() {
            return Ok(output.out());
        }
        let said = output.err();
        Err(Error::host(format!("{program} failed: {}", said.trim())))
    }

    /// File attributes are set by their program: the flags differ from file system to file system.
    pub(super) fn chattr(&self, at: &Path, attributes: &str) -> Result<()> {
        let path = at.to_string_lossy().into_owned();
        // Ansible takes `i` for `=i`.
        let attributes = match attributes.chars().next() {
            Some('+' | '-' | '=') => attributes.to_owned(),
            _ => format!("={attributes}"),
        };
        self.output("chattr", &[&attributes, &path]).map(drop)
    }

    pub(super) fn make_dir(&self, path: &Path, attrs: &Attrs) -> Result<()> {
        let at = self.real(path, false)?;
        // Closed until its owner and mode are right.
        let mode = if attrs.is_empty() { 0o777 } else { 0o700 };
        let made = std::fs::DirBuilder::new().mode(mode).create(&at);
        match made {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let parent = path.parent().unwrap_or(path);
                return Err(Error::host(format!(
                    "no such directory: {}",
                    parent.display()
                )));
            }
            // Another of the hosts that are this machine was faster.
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists && is_ours(&at, attrs) => {
                return self.set_attrs(path, attrs, false);
            }
            other => other.map_err(|e| io_error("make the directory", path, e))?,
        }
        if attrs.is_empty() {
            return Ok(());
        }
        let mode = attrs.mode.unwrap_or(0o777 & !self.umask());
        let attrs = Attrs {
            mode: Some(mode),
            ..attrs.clone()
        };
        self.set_attrs(path, &attrs, false)
    }

    pub(super) fn symlink(&self, path: &Path, target: &Path) -> Result<()> {
        let at = self.real(path, false)?;
        put_link(&at, |to| std::os::unix::fs::symlink(target, to))
    }

    pub(super) fn hard_link(&self, path: &Path, target: &Path) -> Result<()> {
        let at = self.real(path, false)?;
        let target = self.real(target, true)?;
        put_link(&at, |to| std::fs::hard_link(&target, to))
    }

    /// Removes an entry, a folder with all that is in it; never what a symlink leads to, never what
    /// is mounted there.
    pub(super) fn remove(&self, path: &Path) -> Result<()> {
        let at = self.real(path, false)?;
        let Some(stat) = files::lstat(&at)? else {
            return Ok(());
        };
        if !stat.is_dir() {
            return std::fs::remove_file(&at).map_err(|e| io_error("remove", path, e));
        }
        let canonical = std::fs::canonicalize(&at).map_err(|e| io_error("remove", path, e))?;
        if canonical == Path::new("/") || self.shared.root.as_ref() == Some(&canonical) {
            return Err(Error::host("the root directory is not removed"));
        }
        if let Some(inside) = mount::own_mounts()?
            .iter()
            .find(|m| Path::new(&m.target).starts_with(&canonical))
        {
            return Err(Error::host(format!(
                "{} is not removed: {} is mounted on {}",
                path.display(),
                inside.source,
                inside.target
            ))
            .hint("unmount it first (`mount` with `state: unmounted`)"));
        }
        // By open folders (openat), so that nobody can lead it astray with a symlink meanwhile.
        match std::fs::remove_dir_all(&at) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
            other => other.map_err(|e| io_error("remove", path, e)),
        }
    }

    pub(super) fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        let (source, target) = (self.real(from, false)?, self.real(to, false)?);
        let what = format!("cannot move {} to {}", from.display(), to.display());
        let failed = |e: std::io::Error| Error::host(what.clone()).caused_by(e);
        match std::fs::rename(&source, &target) {
            Err(e) if e.raw_os_error() == Some(Errno::EXDEV as i32) => self
                .move_file(&source, &target)
                .map_err(|e| e.context(&what)),
            other => other.map_err(failed),
        }
    }

    /// To another file system: a regular file is copied, and removed once its copy is in place.
    fn move_file(&self, source: &Path, target: &Path) -> Result<()> {
        let stat = files::lstat(source)?.ok_or_else(|| no_file(source))?;
        if !stat.is_file() {
            return Err(Error::host("only a file can move to another file system"));
        }
        let mut new = write::NewFile::beside(target)?;
        let mut from = files::open(source)?.ok_or_else(|| no_file(source))?;
        std::io::copy(&mut from, &mut *new.file).map_err(|e| io_error("copy", source, e))?;
        let attrs = Attrs {
            uid: Some(stat.uid),
            gid: Some(stat.gid),
            mode: Some(stat.mode),
            atime: Some(stat.atime),
            mtime: Some(stat.mtime),
            attributes: None,
            context: None,
        };
        let placing = write::Placing {
            attrs: &attrs,
            backup: false,
            in_place: false,
            // The source is removed next.
            durable: true,
        };
        self.place(new, target, None, &placing)?;
        std::fs::remove_file(source).map_err(|e| io_error("remove", source, e))
    }
}

fn set_owner(at: &Path, attrs: &Attrs, follow: bool) -> Result<()> {
    if attrs.uid.is_none() && attrs.gid.is_none() {
        return Ok(());
    }
    let done = match follow {
        true => std::os::unix::fs::chown(at, attrs.uid, attrs.gid),
        false => std::os::unix::fs::lchown(at, attrs.uid, attrs.gid),
    };
    done.map_err(|e| io_error("set the owner of", at, e))
}

fn set_mode(at: &Path, mode: u32, follow: bool) -> Result<()> {
    let flags = if follow {
        FchmodatFlags::FollowSymlink
    } else {
        FchmodatFlags::NoFollowSymlink
    };
    let bits = Mode::from_bits_truncate(mode);
    nix::sys::stat::fchmodat(nix::fcntl::AT_FDCWD, at, bits, flags)
        .map_err(|e| os_error("set the mode of", at, e))
}

fn set_times(at: &Path, attrs: &Attrs, follow: bool) -> Result<()> {
    use nix::sys::stat::{UtimensatFlags, utimensat};
    use nix::sys::time::TimeSpec;
    let time = |t: Option<f64>| match t {
        Some(t) => TimeSpec::new(t.floor() as i64, ((t - t.floor()) * 1e9) as i64),
        None => TimeSpec::UTIME_OMIT,
    };
    let flags = if follow {
        UtimensatFlags::FollowSymlink
    } else {
        UtimensatFlags::NoFollowSymlink
    };
    let (atime, mtime) = (time(attrs.atime), time(attrs.mtime));
    utimensat(nix::fcntl::AT_FDCWD, at, &atime, &mtime, flags)
        .map_err(|e| os_error("set the times of", at, e))
}

/// Makes a link under `at`, in the place of what is there, so that there is no moment without either.
fn put_link(at: &Path, link: impl Fn(&Path) -> std::io::Result<()>) -> Result<()> {
    let failed = |e| io_error("make the link", at, e);
    match link(at) {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
        other => return other.map_err(failed),
    }
    if std::fs::symlink_metadata(at).map_err(failed)?.is_dir() {
        // No rename puts a link in the place of a directory.
        std::fs::remove_dir(at).map_err(|e| io_error("replace", at, e))?;
        return link(at).map_err(failed);
    }
    let mut name = at.file_name().unwrap_or_default().to_owned();
    name.push(format!(".lks-{}", std::process::id()));
    let new = at.with_file_name(name);
    // Left by a process of the same number that was killed.
    let _ = std::fs::remove_file(&new);
    link(&new).map_err(failed)?;
    let renamed = std::fs::rename(&new, at);
    // Renaming a hard link onto the same file does nothing and leaves both names.
    let _ = std::fs::remove_file(&new);
    renamed.map_err(failed)
}

/// Whether a directory is there that only this account, or its wanted owner, can have made.
fn is_ours(at: &Path, attrs: &Attrs) -> bool {
    let found = files::lstat(at).ok().flatten();
    found.is_some_and(|s| {
        s.is_dir() && (s.uid == files::effective_uid() || Some(s.uid) == attrs.uid)
    })
}
