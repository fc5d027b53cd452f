//! Texts as typed settings.

use super::{Sources, wrong};
use crate::error::Result;
use crate::value::Value;

/// What a text is, apart from its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// No path; lists are split at commas.
    Plain,
    /// A path; one in a file starts from the file's directory.
    Path,
    /// Paths with commas (host lists stay as they are).
    Paths,
    /// Paths with colons.
    Search,
}

impl Place {
    /// What stands between the parts of a list.
    pub(super) const fn separator(self) -> char {
        match self {
            Self::Search => ':',
            Self::Plain | Self::Path | Self::Paths => ',',
        }
    }
}

/// A type that a setting can have.
pub(super) trait Setting: Sized {
    /// Reads it. `origin` is the name of the environment variable or of the key.
    fn parse(text: &str, origin: &str, place: Place, sources: &Sources<'_>) -> Result<Self>;

    /// As a value, to be shown.
    fn value(&self) -> Value;

    /// Ansible's word for the type.
    fn type_name() -> &'static str;
}

impl Setting for bool {
    fn parse(text: &str, origin: &str, _: Place, _: &Sources<'_>) -> Result<Self> {
        // By its own rule (no-color.org) any text at all means yes.
        if origin == "NO_COLOR" {
            return Ok(!text.is_empty());
        }
        match unquoted(text).to_ascii_lowercase().as_str() {
            "yes" | "on" | "1" | "true" | "t" | "y" => Ok(true),
            "no" | "off" | "0" | "false" | "f" | "n" | "" => Ok(false),
            _ => Err(wrong(format!("expected a truth value, not `{text}`"))),
        }
    }

    fn value(&self) -> Value {
        Value::Bool(*self)
    }

    fn type_name() -> &'static str {
        "boolean"
    }
}

impl Setting for u32 {
    fn parse(text: &str, _: &str, _: Place, _: &Sources<'_>) -> Result<Self> {
        let number = unquoted(text).parse();
        number.map_err(|_| wrong(format!("expected a whole number, not `{text}`")))
    }

    fn value(&self) -> Value {
        Value::Int((*self).into())
    }

    fn type_name() -> &'static str {
        "integer"
    }
}

impl Setting for String {
    fn parse(text: &str, origin: &str, place: Place, sources: &Sources<'_>) -> Result<Self> {
        let text = unquoted(text);
        Ok(match place {
            Place::Plain => text.to_string(),
            _ => path(text, origin, sources),
        })
    }

    fn value(&self) -> Value {
        Value::from(self.as_str())
    }

    fn type_name() -> &'static str {
        "string"
    }
}

impl<T: Setting> Setting for Option<T> {
    fn parse(text: &str, origin: &str, place: Place, sources: &Sources<'_>) -> Result<Self> {
        if text.trim().is_empty() {
            return Ok(None);
        }
        T::parse(text, origin, place, sources).map(Some)
    }

    fn value(&self) -> Value {
        self.as_ref().map_or(Value::Null, Setting::value)
    }

    fn type_name() -> &'static str {
        T::type_name()
    }
}

impl Setting for Vec<String> {
    fn parse(text: &str, origin: &str, place: Place, sources: &Sources<'_>) -> Result<Self> {
        let text = unquoted(text);
        // `a,b,` is a list of hosts, and not of files.
        if place == Place::Paths && text.ends_with(',') {
            return Ok(vec![text.to_string()]);
        }
        let parts = text.split([place.separator(), '\n']).map(str::trim);
        let parts = parts.filter(|part| !part.is_empty());
        Ok(match place {
            Place::Plain => parts.map(Into::into).collect(),
            _ => parts.map(|part| path(part, origin, sources)).collect(),
        })
    }

    fn value(&self) -> Value {
        Value::list(self.iter().map(|s| Value::from(s.as_str())).collect())
    }

    fn type_name() -> &'static str {
        "list"
    }
}

/// A text without the quotes around it.
fn unquoted(text: &str) -> &str {
    let text = text.trim();
    for mark in ['"', '\''] {
        let inner = text.strip_prefix(mark).and_then(|t| t.strip_suffix(mark));
        if let Some(inner) = inner {
            return inner;
        }
    }
    text
}

/// A path with `~`, `{{CWD}}` and the directory of the file put in.
fn path(text: &str, origin: &str, sources: &Sources<'_>) -> String {
    if let Some(rest) = text.strip_prefix("{{CWD}}/") {
        return rest.to_string();
    }
    let home = || (sources.env)("HOME");
    if let (Some(rest), Some(home)) = (text.strip_prefix('~'), home())
        && (rest.is_empty() || rest.starts_with('/'))
    {
        return format!("{home}{rest}");
    }
    let from_file = origin.starts_with("ansible.cfg");
    match sources
        .file
        .filter(|_| from_file && !text.starts_with(['/', '~']))
    {
        Some((_, folder)) if !folder.is_empty() => {
            format!(
                "{}/{}",
                folder.trim_end_matches('/'),
                text.trim_start_matches("./")
            )
        }
        _ => text.to_string(),
    }
}
