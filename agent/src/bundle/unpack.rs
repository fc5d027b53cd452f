//! Puts a verified bundle's files into a folder named by its id.

use super::Verified;
use crate::error::Result;
use crate::host::here::{self, durable};
use std::path::{Path, PathBuf};

/// Unpacks below `dir`, into `dir/ID`; what is there already is complete, because it got its name last.
///
/// A [`Verified`] bundle has only paths that stay in their folder; the folder they are written into is
/// new, so that no link of anybody's lies in it.
///
/// # Errors
/// When the disk refuses.
pub fn unpack(bundle: &Verified<'_>, dir: &Path) -> Result<PathBuf> {
    let target = dir.join(&bundle.id);
    if here::is_dir(&target) {
        return Ok(target);
    }
    here::make_dir(dir, 0o700)?;
    let staging = dir.join(format!("{}.part", bundle.id));
    here::remove_folder(&staging);
    here::make_dir(&staging, 0o700)?;
    for (file, bytes) in bundle.index.files.iter().zip(&bundle.files) {
        let mode = if file.executable { 0o700 } else { 0o600 };
        durable::write_new(&staging.join(&file.path), bytes, mode)?;
    }
    durable::rename_folder(&staging, &target)?;
    Ok(target)
}
