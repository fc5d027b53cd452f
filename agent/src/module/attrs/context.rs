//! SELinux contexts that files are given.

use super::shown;
use crate::error::{Error, Result};
use crate::host::{Command, Context, HostView};
use std::path::Path;

/// The SELinux context of an entry; nothing where it has none.
pub(super) fn context_of(host: &dyn HostView, path: &Path) -> Result<Context> {
    let output = host.query(&Command::new(["stat", "-c", "%C", &shown(path)]))?;
    let text = output.out();
    Ok(match output.success() && text.trim() != "?" {
        true => Context::parse(&text),
        false => Context::default(),
    })
}

/// What the host's policy has for a path (`matchpathcon(8)`).
pub(super) fn policy_context(host: &dyn HostView, path: &Path) -> Result<Context> {
    let output = host.query(&Command::new(["matchpathcon", "-n", &shown(path)]))?;
    if !output.success() {
        return Err(Error::host(format!(
            "the policy has no SELinux context for {}: {}",
            shown(path),
            output.err().trim()
        ))
        .hint("`_default` needs the program matchpathcon (package libselinux-utils)"));
    }
    Ok(Context::parse(&output.out()))
}
