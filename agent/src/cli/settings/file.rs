//! The `ansible.cfg` that counts, on this machine.

use super::candidates;
use crate::host::here;
use std::path::Path;

/// The `ansible.cfg` that counts.
pub(in crate::cli) struct SettingsFile {
    /// Its path from the root.
    pub path: String,
    /// Its text.
    pub text: String,
    /// Its folder.
    pub dir: String,
}

/// The `ansible.cfg` that counts, if there is one.
pub(in crate::cli) fn settings_file() -> Option<SettingsFile> {
    candidates(&|name| here::env(name))
        .iter()
        .find_map(|name| settings_file_at(name))
}

/// The settings in the file of this name; a folder stands for the `ansible.cfg` in it.
pub(in crate::cli) fn settings_file_at(name: &str) -> Option<SettingsFile> {
    let mut path = here::absolute(&here::expand_home(name));
    if here::is_dir(&path) {
        path = path.join("ansible.cfg");
    }
    let text = here::read_text(&path).ok().flatten()?;
    let dir = path
        .parent()
        .unwrap_or(Path::new("/"))
        .display()
        .to_string();
    Some(SettingsFile {
        path: path.display().to_string(),
        text,
        dir,
    })
}
