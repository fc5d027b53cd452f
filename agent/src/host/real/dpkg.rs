//! Installed packages: dpkg's status file, read once and again when it changes.

use super::*;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

const STATUS: &str = "/var/lib/dpkg/status";
const AUTOMATIC: &str = "/var/lib/apt/extended_states";

/// What the files said when they were last read.
#[derive(Default)]
pub(super) struct Dpkg {
    parsed: Mutex<Parsed>,
}

type Seen = Option<(u64, u64, f64)>;

#[derive(Default)]
struct Parsed {
    seen: [Seen; 2],
    /// By name, and by `name:architecture`.
    packages: HashMap<String, Package>,
}

impl RealHost {
    pub(super) fn find_package(&self, name: &str) -> Result<Option<Package>> {
        let status = self.real(Path::new(STATUS), true)?;
        let automatic = self.real(Path::new(AUTOMATIC), true)?;
        let seen = |path: &Path| -> Result<Seen> {
            Ok(files::stat(path)?.map(|s| (s.inode, s.size, s.mtime)))
        };
        let now = [seen(&status)?, seen(&automatic)?];
        let parsed = &self.shared.dpkg.parsed;
        let mut parsed = parsed.lock().unwrap_or_else(PoisonError::into_inner);
        if parsed.seen != now {
            let text = |path: &Path| -> Result<String> {
                let bytes = files::read(path)?.unwrap_or_default();
                Ok(String::from_utf8_lossy(&bytes).into_owned())
            };
            parsed.packages = parse(&text(&status)?, &text(&automatic)?);
            parsed.seen = now;
        }
        Ok(parsed.packages.get(name).cloned())
    }
}

fn parse(status: &str, automatic: &str) -> HashMap<String, Package> {
    let automatic: HashSet<(&str, &str)> = automatic
        .split("\n\n")
        .filter(|s| field(s, "Auto-Installed") == Some("1"))
        .filter_map(|s| Some((field(s, "Package")?, field(s, "Architecture")?)))
        .collect();
    let mut packages = HashMap::new();
    for stanza in status.split("\n\n") {
        let Some(mut package) = package_of(stanza) else {
            continue;
        };
        let key = (package.name.as_str(), package.architecture.as_str());
        package.automatic = automatic.contains(&key);
        let full = format!("{}:{}", package.name, package.architecture);
        packages.insert(full, package.clone());
        // The machine's own architecture is written first, or is the only one.
        packages.entry(package.name.clone()).or_insert(package);
    }
    packages
}

/// A stanza of an installed package (`dpkg(1)`: wanted state, flag, state).
fn package_of(stanza: &str) -> Option<Package> {
    let mut status = field(stanza, "Status")?.split(' ');
    let want = status.next()?;
    let state = status.nth(1)?;
    if !matches!(state, "installed" | "triggers-awaited" | "triggers-pending") {
        return None;
    }
    Some(Package {
        name: field(stanza, "Package")?.to_owned(),
        version: field(stanza, "Version").map(str::to_owned),
        architecture: field(stanza, "Architecture").unwrap_or("").to_owned(),
        held: want == "hold",
        automatic: false,
    })
}

fn field<'t>(stanza: &'t str, name: &str) -> Option<&'t str> {
    stanza
        .lines()
        .find_map(|l| l.strip_prefix(name)?.strip_prefix(':'))
        .map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_installed_packages_count() {
        let status = "Package: curl\nStatus: install ok installed\nArchitecture: amd64\nVersion: 7.88.1-10\nDescription: x\n Status: no\n\nPackage: vim\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 9\n\nPackage: linux\nStatus: hold ok installed\nArchitecture: amd64\nVersion: 6\n";
        let auto = "Package: linux\nArchitecture: amd64\nAuto-Installed: 1\n";
        let packages = parse(status, auto);
        assert_eq!(packages["curl"].version.as_deref(), Some("7.88.1-10"));
        assert!(packages["curl:amd64"].name == "curl" && !packages.contains_key("vim"));
        assert!(packages["linux"].held && packages["linux"].automatic);
    }
}
