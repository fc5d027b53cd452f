//! Files of the user's that commands write: whole or not at all, and without leaving what was there.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this file is part of the seam"
)]

use super::{Stdio, exists, random_bytes, real_path};
use crate::error::{Error, Result};
use std::fs::{File, OpenOptions, Permissions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

/// Writes a file in the place of the one that is there, which keeps its owner and its permission
/// bits; a new file gets `mode`. With `shred`, the bytes of the old one are overwritten.
///
/// # Errors
/// When it cannot be written; then nothing has changed.
pub fn rewrite(path: &Path, bytes: &[u8], mode: u32, shred: bool) -> Result<()> {
    let path = real_path(path);
    let dir = path.parent().unwrap_or(Path::new("/")).to_path_buf();
    let failed = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::PermissionDenied => {
            Error::host(format!("Destination '{}' not writable", dir.display())).caused_by(e)
        }
        _ => Error::host(format!("cannot write {}", path.display())).caused_by(e),
    };
    let old = OpenOptions::new().read(true).write(true).open(&path).ok();
    let known = std::fs::metadata(&path).ok();
    let (temporary, mut file) = beside(&path).map_err(failed)?;
    let written = || -> std::io::Result<()> {
        file.write_all(bytes)?;
        match &known {
            Some(known) => {
                if (known.uid(), known.gid()) != owner(&file)? {
                    fchown(&file, Some(known.uid()), Some(known.gid()))?;
                }
                file.set_permissions(Permissions::from_mode(known.mode() & 0o7777))?;
            }
            None => file.set_permissions(Permissions::from_mode(mode))?,
        }
        file.sync_all()?;
        std::fs::rename(&temporary, &path)
    };
    let mut written = written;
    if let Err(error) = written() {
        let _ = std::fs::remove_file(&temporary);
        return Err(failed(error));
    }
    if let Some(old) = old.filter(|_| shred) {
        overwrite(old);
    }
    Ok(())
}

fn owner(file: &File) -> std::io::Result<(u32, u32)> {
    let meta = file.metadata()?;
    Ok((meta.uid(), meta.gid()))
}

/// A new file that only this user can read, in the same folder.
fn beside(path: &Path) -> std::io::Result<(PathBuf, File)> {
    let random = random_bytes(6).map_err(|e| std::io::Error::other(e.to_string()))?;
    let tail: String = random.iter().map(|b| format!("{b:02x}")).collect();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.{tail}"));
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)?;
    Ok((temporary, file))
}

/// Overwrites a file that has no name any more. One that has a second name is somebody else's, too.
fn overwrite(mut file: File) {
    let Ok(meta) = file.metadata() else { return };
    if meta.nlink() > 0 {
        return;
    }
    // As far as it goes: many file systems write elsewhere anyway.
    let _ = fill(&mut file, meta.len());
}

fn fill(file: &mut File, len: u64) -> std::io::Result<()> {
    file.rewind()?;
    let mut random = File::open("/dev/urandom")?.take(len);
    std::io::copy(&mut random, file)?;
    file.sync_all()
}

/// Overwrites and removes a file of ours.
pub fn shred(path: &Path) {
    let file = OpenOptions::new().write(true).open(path).ok();
    let _ = std::fs::remove_file(path);
    if let Some(file) = file {
        overwrite(file);
    }
}

/// Runs a program that the user works with: an editor, a pager. `input` is what it reads; without,
/// it has the terminal. Gives its status.
///
/// # Errors
/// When it cannot be started.
pub fn run_interactive(argv: &[String], input: Option<&[u8]>) -> Result<i32> {
    let (program, arguments) = argv
        .split_first()
        .ok_or_else(|| Error::host("no program to run"))?;
    let failed = |e| Error::host(format!("cannot run {program}")).caused_by(e);
    let mut child = std::process::Command::new(program)
        .args(arguments)
        .stdin(match input {
            Some(_) => Stdio::piped(),
            None => Stdio::inherit(),
        })
        .spawn()
        .map_err(failed)?;
    if let (Some(mut pipe), Some(input)) = (child.stdin.take(), input) {
        // A pager that was closed early wants no more.
        let _ = pipe.write_all(input);
    }
    let status = child.wait().map_err(failed)?;
    Ok(status.code().unwrap_or(-1))
}

/// Whether a program of this name is in the search path.
#[must_use]
pub fn has_program(name: &str) -> bool {
    let path = super::env("PATH").unwrap_or_default();
    path.split(':')
        .any(|dir| exists(&Path::new(dir).join(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_keeps_its_mode_and_a_new_one_is_private() {
        let dir = super::super::private_folder().unwrap();
        let mode = |p: &Path| std::fs::metadata(p).unwrap().mode() & 0o7777;
        let old = dir.join("old");
        std::fs::write(&old, "secret").unwrap();
        std::fs::set_permissions(&old, Permissions::from_mode(0o640)).unwrap();
        let link = dir.join("link");
        std::os::unix::fs::symlink(&old, &link).unwrap();
        let held = File::options().read(true).open(&old).unwrap();
        rewrite(&link, b"sealed", 0o600, true).unwrap();
        assert_eq!(std::fs::read(&old).unwrap(), b"sealed");
        assert_eq!(mode(&old), 0o640);
        assert!(link.is_symlink());
        let mut left = Vec::new();
        (&held).read_to_end(&mut left).unwrap();
        assert_eq!(left.len(), 6);
        assert_ne!(left, b"secret");
        let new = dir.join("new");
        rewrite(&new, b"x", 0o600, false).unwrap();
        assert_eq!(mode(&new), 0o600);
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 3);
        super::super::remove_folder(&dir);
    }

    #[test]
    fn a_second_name_keeps_its_content() {
        let dir = super::super::private_folder().unwrap();
        let (one, two) = (dir.join("one"), dir.join("two"));
        std::fs::write(&one, "both").unwrap();
        std::fs::hard_link(&one, &two).unwrap();
        rewrite(&one, b"sealed", 0o600, true).unwrap();
        assert_eq!(std::fs::read(&two).unwrap(), b"both");
        shred(&two);
        assert!(!two.exists());
        super::super::remove_folder(&dir);
    }
}
