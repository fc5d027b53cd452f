//! What a playbook writes for a package: `name`, `name=1.2*`, `name>=1.2`, `name/release`, `lib*`.

use super::version;
use crate::error::{Error, Result};
use crate::host::{Command, HostView};
use crate::module::glob;
use std::cmp::Ordering;

/// A wanted package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// The name; it may have an architecture (`:i386`).
    pub name: String,
    /// Which of its versions.
    pub want: Want,
}

/// Which version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Want {
    /// Any that is installed, or the candidate.
    Any,
    /// One that matches this pattern.
    Exactly(String),
    /// This one or a later one.
    AtLeast(String),
    /// The one of this release.
    Release(String),
}

impl Spec {
    /// Reads one.
    ///
    /// # Errors
    /// When it has more than one `=`.
    pub fn parse(text: &str) -> Result<Self> {
        if text.matches('=').count() > 1 {
            return Err(Error::params(format!("invalid package spec: {text}")));
        }
        let (name, want) = if let Some((name, version)) = text.split_once(">=") {
            (name, Want::AtLeast(version.into()))
        } else if let Some((name, version)) = text.split_once('=') {
            (name, Want::Exactly(version.into()))
        } else if let Some((name, release)) = text.split_once('/') {
            (name, Want::Release(release.into()))
        } else {
            (text, Want::Any)
        };
        Ok(Self {
            name: name.trim().into(),
            want,
        })
    }

    /// Whether an installed version is one that is wanted; `None` if only apt can tell.
    #[must_use]
    pub fn accepts(&self, installed: &str) -> Option<bool> {
        match &self.want {
            Want::Any => Some(true),
            Want::Exactly(pattern) => Some(glob::matches(pattern, installed)),
            Want::AtLeast(least) => Some(version::compare(installed, least) != Ordering::Less),
            Want::Release(_) => None,
        }
    }

    /// How apt-get is told: a pattern or a least version is made a version that can be had.
    ///
    /// # Errors
    /// When no version of it is one that is wanted.
    pub fn for_apt(&self, host: &dyn HostView) -> Result<String> {
        match &self.want {
            Want::Any => Ok(self.name.clone()),
            Want::Release(release) => Ok(format!("{}/{release}", self.name)),
            Want::Exactly(version) if !glob::is_pattern(version) => {
                Ok(format!("{}={version}", self.name))
            }
            Want::Exactly(_) | Want::AtLeast(_) => {
                let best = self.available(host)?;
                let best = best.ok_or_else(|| {
                    Error::host(format!("no available installation candidate for {self}"))
                })?;
                Ok(format!("{}={best}", self.name))
            }
        }
    }

    /// The best version in the index that is wanted.
    fn available(&self, host: &dyn HostView) -> Result<Option<String>> {
        let command = Command::new(["apt-cache", "madison", &self.name]).env("LC_ALL", "C.UTF-8");
        let table = host.query(&command)?.out();
        let versions = table
            .lines()
            .filter_map(|line| line.split('|').nth(1))
            .map(str::trim)
            .filter(|v| self.accepts(v) == Some(true));
        Ok(versions
            .max_by(|a, b| version::compare(a, b))
            .map(String::from))
    }
}

impl std::fmt::Display for Spec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.want {
            Want::Any => f.write_str(&self.name),
            Want::Exactly(v) => write!(f, "{}={v}", self.name),
            Want::AtLeast(v) => write!(f, "{}>={v}", self.name),
            Want::Release(r) => write!(f, "{}/{r}", self.name),
        }
    }
}

/// Reads all of them; patterns in names become the names that match (`installed`: of what is there,
/// else of what the index has).
///
/// # Errors
/// When a pattern matches nothing that could be installed.
pub fn read_all(texts: &[String], installed: bool, host: &dyn HostView) -> Result<Vec<Spec>> {
    let mut names: Option<Vec<String>> = None;
    let mut out = Vec::new();
    for text in texts.iter().map(|t| t.trim()).filter(|t| !t.is_empty()) {
        let spec = Spec::parse(text)?;
        if !spec.name.contains(['*', '?', '[', ']', '!']) {
            out.push(spec);
            continue;
        }
        let known = match &names {
            Some(names) => names,
            None => names.insert(all_names(installed, host)?),
        };
        let before = out.len();
        out.extend(
            known
                .iter()
                .filter(|n| glob::matches(&spec.name, n))
                .map(|n| Spec {
                    name: n.clone(),
                    want: spec.want.clone(),
                }),
        );
        if out.len() == before && !installed {
            return Err(Error::host(format!(
                "No package(s) matching '{}' available",
                spec.name
            )));
        }
    }
    Ok(out)
}

fn all_names(installed: bool, host: &dyn HostView) -> Result<Vec<String>> {
    let command = match installed {
        true => Command::new([
            "dpkg-query",
            "-W",
            "-f",
            "${db:Status-Status} ${Package}\\n",
        ]),
        false => Command::new(["apt-cache", "pkgnames"]),
    };
    let output = host.query(&command.env("LC_ALL", "C.UTF-8"))?.out();
    let mut names: Vec<String> = output
        .lines()
        .filter_map(|line| match installed {
            true => line
                .strip_prefix("installed ")
                .or(line.strip_prefix("config-files ")),
            false => Some(line),
        })
        .map(String::from)
        .collect();
    names.sort();
    names.dedup();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs_are_read_and_judged() {
        for (text, installed, want) in [
            ("foo", "1", Some(true)),
            ("foo=1.2*", "1.2.3", Some(true)),
            ("foo=1.2*", "1.3", Some(false)),
            ("foo=1.2", "1.2.3", Some(false)),
            ("foo>=1.10", "1.9", Some(false)),
            ("foo>=1.9", "1.10", Some(true)),
            ("foo/bookworm", "1", None),
        ] {
            let spec = Spec::parse(text).unwrap();
            assert_eq!(spec.name, "foo");
            assert_eq!(spec.to_string(), text);
            assert_eq!(spec.accepts(installed), want, "{text}");
        }
        assert!(Spec::parse("a=b=c").is_err());
    }
}
