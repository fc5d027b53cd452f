//! What is built once and kept: below `$LKS_RIG_CACHE`, or `~/.cache/lks-rig`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Attempt, Result};

/// A file whose time says when its directory was last asked for.
const LAST_USE: &str = "last-use";

/// How long a version is kept that nobody asks for.
const KEPT_UNUSED: Duration = Duration::from_secs(24 * 60 * 60);

/// The cache's directory.
pub fn dir() -> PathBuf {
    let var = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    match var("LKS_RIG_CACHE") {
        Some(dir) => PathBuf::from(dir),
        None => PathBuf::from(var("HOME").unwrap_or_else(|| "/root".into())).join(".cache/lks-rig"),
    }
}

/// Something kept under a name that changes with everything it is made from.
pub struct Kept {
    kind: &'static str,
    name: String,
}

impl Kept {
    /// A thing of `kind`, made from `ingredients`: recipes, scripts, package lists.
    pub fn new(kind: &'static str, ingredients: &[&str]) -> Self {
        let name = format!("{kind}-{:016x}", digest(ingredients));
        Kept { kind, name }
    }

    /// Where it lies.
    pub fn path(&self) -> PathBuf {
        dir().join(&self.name)
    }

    /// Whether it is there.
    pub fn is_built(&self) -> bool {
        self.path().is_dir()
    }

    /// Gives its directory, calling `build` to fill one first if need be.
    pub fn get(&self, build: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
        fs::create_dir_all(dir()).attempt("cannot make the rig's cache")?;
        // Tests run side by side: the second waits here for the first, then finds it built.
        let lock = File::create(dir().join(format!("{}.lock", self.kind)))?;
        lock.lock().attempt("cannot lock the rig's cache")?;
        if !self.is_built() {
            self.forget_others()?;
            // A name of its own until it is whole: a build that was cut off is never taken for one.
            let partial = dir().join(format!("{}.partial", self.name));
            fs::create_dir_all(&partial)?;
            build(&partial)?;
            fs::rename(&partial, self.path())?;
        }
        fs::write(self.path().join(LAST_USE), "")?;
        Ok(self.path())
    }

    /// Older versions only take up room, unless another checkout works with one just now.
    fn forget_others(&self) -> Result<()> {
        let prefix = format!("{}-", self.kind);
        for entry in fs::read_dir(dir())?.flatten() {
            let ours = entry.file_name().to_string_lossy().starts_with(&prefix);
            if ours && !used_lately(&entry.path()) {
                fs::remove_dir_all(entry.path()).attempt("cannot remove an old image")?;
            }
        }
        Ok(())
    }
}

/// A build that was cut off has never been used.
fn used_lately(dir: &Path) -> bool {
    let used = fs::metadata(dir.join(LAST_USE)).and_then(|file| file.modified());
    used.is_ok_and(|when| when.elapsed().is_ok_and(|age| age < KEPT_UNUSED))
}

/// FNV-1a: a name, not a defence; stable across compilers, unlike std's hasher.
fn digest(ingredients: &[&str]) -> u64 {
    let bytes = ingredients
        .iter()
        .flat_map(|part| part.bytes().chain([0xff]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_ingredient_is_another_name() {
        let one = Kept::new("x", &["a", "bc"]).path();
        assert_ne!(one, Kept::new("x", &["ab", "c"]).path());
        assert_eq!(one, Kept::new("x", &["a", "bc"]).path());
    }
}
