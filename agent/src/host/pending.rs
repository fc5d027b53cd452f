//! Packages that check mode would have installed: what it can know of them.
//!
//! If the package's file lies in apt's cache, its list of files and its scripts say what would be
//! there. If not, anything that is missing where packages put things may be there by then.

use super::deb::Shipped;
use super::tree::Node;
use super::*;
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// Packages that were only installed in thought.
#[derive(Default)]
pub(super) struct Pending {
    packages: Vec<Package>,
    /// Whether each of them may make accounts, by what it depends on; empty if apt does not say.
    account_makers: OnceLock<HashMap<String, bool>>,
}

struct Package {
    name: String,
    version: Option<String>,
    /// What it would bring, if that can be known; looked up when first asked.
    shipped: OnceLock<Option<Arc<Shipped>>>,
}

/// What a package's arrival means for a unit that is not there yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ShippedUnit {
    /// Its scripts enable and start it, as Debian's do.
    Started,
    /// It comes along, and nothing more.
    Present,
    No,
}

impl Pending {
    pub fn add(&mut self, name: &str, version: Option<&str>) {
        self.forget(name);
        self.packages.push(Package {
            name: name.to_owned(),
            version: version.map(str::to_owned),
            shipped: OnceLock::new(),
        });
    }

    pub fn forget(&mut self, name: &str) {
        self.packages.retain(|p| p.name != name);
        self.account_makers = OnceLock::new();
    }

    /// Whether something would have been installed.
    pub fn any(&self) -> bool {
        !self.packages.is_empty()
    }

    /// What is known of each; nothing for those whose file is not there.
    fn each<'a>(
        &'a self,
        base: &'a dyn HostView,
    ) -> impl Iterator<Item = (&'a Package, Option<&'a Shipped>)> {
        self.packages.iter().map(move |package| {
            let shipped = package.shipped.get_or_init(|| {
                Shipped::find(base, &package.name, package.version.as_deref()).map(Arc::new)
            });
            (package, shipped.as_deref())
        })
    }

    /// A path that is missing on the host.
    pub fn node(&self, base: &dyn HostView, path: &Path) -> Result<Option<Node>> {
        let mut doubt = None;
        for (package, shipped) in self.each(base) {
            match shipped {
                Some(shipped) => {
                    if let Some(node) = shipped.node(path) {
                        return Ok(Some(node));
                    }
                    if shipped.mentions(&path.to_string_lossy()) {
                        doubt = Some(package);
                    }
                }
                None => doubt = Some(package),
            }
        }
        match doubt.filter(|p| may_hold(&p.name, path)) {
            Some(package) => Err(may_bring(package, &path.display().to_string())),
            None => Ok(None),
        }
    }

    /// Adds the names that would come into a directory.
    pub fn add_names(
        &self,
        base: &dyn HostView,
        path: &Path,
        names: &mut Vec<String>,
    ) -> Result<()> {
        for (package, shipped) in self.each(base) {
            match shipped {
                Some(shipped) => names.extend(shipped.names(path)),
                None if is_system(path) => {
                    return Err(may_bring(package, &format!("files in {}", path.display())));
                }
                None => {}
            }
        }
        names.sort();
        names.dedup();
        Ok(())
    }

    /// An account that is missing: an error if a package may make it.
    pub fn account(&self, base: &dyn HostView, name: &str) -> Result<()> {
        let makes = |s: &Shipped| s.mentions(name) || s.has_sysusers();
        let may = |p: &Package| self.may_make_accounts(base, &p.name);
        match self
            .each(base)
            .find(|(p, s)| s.map_or_else(|| may(p), makes))
        {
            Some((package, _)) => Err(may_bring(package, &format!("the account `{name}`"))),
            None => Ok(()),
        }
    }

    /// Whether a package may make accounts: Debian Policy 9.2.2 has those that do depend on `adduser`
    /// (or on what brings `systemd-sysusers`). Where apt does not say, it may.
    fn may_make_accounts(&self, base: &dyn HostView, package: &str) -> bool {
        let known = self.account_makers.get_or_init(|| {
            let names = self.packages.iter().map(|p| p.name.as_str());
            let words = ["apt-cache", "show", "--no-all-versions"];
            let asked = base.query(&Command::new(words.into_iter().chain(names)));
            let text = asked.map(|o| o.out()).unwrap_or_default();
            text.split("\n\n").filter_map(account_maker).collect()
        });
        known.get(package).copied().unwrap_or(true)
    }

    /// A unit that is missing.
    pub fn unit(&self, base: &dyn HostView, name: &str) -> Result<ShippedUnit> {
        let mut doubt = None;
        for (package, shipped) in self.each(base) {
            match shipped {
                Some(shipped) if shipped.unit(name) => {
                    return Ok(match shipped.mentions(name) {
                        true => ShippedUnit::Started,
                        false => ShippedUnit::Present,
                    });
                }
                Some(_) => {}
                None => doubt = Some(package),
            }
        }
        match doubt {
            Some(package) => Err(may_bring(package, &format!("the unit {name}"))),
            None => Ok(ShippedUnit::No),
        }
    }

    /// A program that is to be run: an error if it is missing, and a package may bring it.
    pub fn program(&self, base: &dyn HostView, name: &str) -> Result<()> {
        if !self.any() || base.which(name)?.is_some() {
            return Ok(());
        }
        let bin = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"];
        let brings = |s: &Shipped| match name.contains('/') {
            true => s.node(Path::new(name)).is_some(),
            false => bin
                .iter()
                .any(|dir| s.node(&Path::new(dir).join(name)).is_some()),
        };
        match self.each(base).find(|(_, s)| s.is_none_or(brings)) {
            Some((package, _)) => Err(may_bring(package, &format!("the program `{name}`"))),
            None => Ok(()),
        }
    }
}

fn may_bring(package: &Package, what: &str) -> Error {
    Error::unknown(format!(
        "the package {} would be installed first, and may bring {what}",
        package.name
    ))
}

/// Where packages put things.
/// A package's record in apt's index: its name, and whether it depends on a maker of accounts.
fn account_maker(record: &str) -> Option<(String, bool)> {
    let field = |name: &str| record.lines().find_map(|l| l.strip_prefix(name));
    let name = field("Package: ")?.to_owned();
    let depends = ["Depends: ", "Pre-Depends: "]
        .iter()
        .filter_map(|f| field(f))
        .any(|list| list.contains("adduser") || list.contains("sysuser"));
    Some((name, depends))
}

/// Whether a package of this name may hold a path. The administrator's own places it never does;
/// of configuration, what resembles its name (`docker.io`: `/etc/docker`).
fn may_hold(package: &str, path: &Path) -> bool {
    if !is_system(path) || path.starts_with("/usr/local") || path.starts_with("/etc/systemd/system")
    {
        return false;
    }
    let Ok(below) = path.strip_prefix("/etc") else {
        return true;
    };
    let stem = |text: &str| -> String {
        text.split(['-', '.', '_'])
            .next()
            .unwrap_or(text)
            .to_owned()
    };
    let own = stem(package);
    below.components().any(|part| {
        let part = part.as_os_str().to_string_lossy();
        let part = stem(&part);
        part.contains(&own) || (part.len() > 2 && package.contains(&part))
    })
}

fn is_system(path: &Path) -> bool {
    [
        "/usr", "/etc", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32",
    ]
    .iter()
    .any(|dir| path.starts_with(dir))
}

/// A path as if `/bin`, `/sbin` and `/lib` led into `/usr`: packages write either.
pub(super) fn merged(path: &Path) -> PathBuf {
    for dir in ["bin", "sbin", "lib", "lib32", "lib64", "libx32"] {
        if let Ok(rest) = path.strip_prefix(Path::new("/").join(dir)) {
            return Path::new("/usr").join(dir).join(rest);
        }
    }
    path.to_owned()
}
