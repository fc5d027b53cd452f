//! Paths on the host, as people write them: with `~` and `$VAR`.

use super::{Param, text};
use crate::error::Result;
use crate::host::HostView;
use crate::value::Value;
use std::path::PathBuf;

/// A path on the host. `~`, `~user` and `$VAR` are expanded there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPath(pub String);

impl Param for HostPath {
    const KIND: &'static str = "path";
    fn from_value(value: &Value) -> Result<Self> {
        text(value).map(Self)
    }
}

impl HostPath {
    /// The path with `~`, `~user` and `$VAR` expanded.
    ///
    /// # Errors
    /// When the host's accounts cannot be read.
    pub fn expand(&self, host: &dyn HostView) -> Result<PathBuf> {
        let path = expand_variables(&self.0, host);
        let Some(rest) = path.strip_prefix('~') else {
            return Ok(PathBuf::from(path));
        };
        let (name, tail) = rest.split_once('/').map_or((rest, ""), |(n, t)| (n, t));
        let home = if name.is_empty() {
            match host.env("HOME") {
                Some(home) => Some(home),
                None => host.user_by_id(host.current_uid())?.map(|u| u.home),
            }
        } else {
            host.user(name)?.map(|u| u.home)
        };
        Ok(match home {
            Some(home) if tail.is_empty() => PathBuf::from(home),
            Some(home) => PathBuf::from(home).join(tail),
            None => PathBuf::from(path),
        })
    }

    /// Whether it was written with a slash at its end.
    #[must_use]
    pub fn ends_with_slash(&self) -> bool {
        self.0.ends_with('/')
    }
}

/// `$NAME` and `${NAME}` from the task's environment; unknown names stay as they are (as
/// Python's `os.path.expandvars` does).
fn expand_variables(text: &str, host: &dyn HostView) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let (name, used) = match after.strip_prefix('{') {
            Some(inner) => inner
                .find('}')
                .map_or(("", 0), |end| (&inner[..end], end + 2)),
            None => {
                let end = after
                    .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
                    .unwrap_or(after.len());
                (&after[..end], end)
            }
        };
        match host.env(name).filter(|_| !name.is_empty()) {
            Some(value) => out.push_str(&value),
            None => out.push_str(&rest[at..at + 1 + used]),
        }
        rest = &after[used..];
    }
    out.push_str(rest);
    out
}
