//! Packages that check mode would have installed: what it can know of them.

use super::tree::Node;
use super::*;
use crate::error::Result;
use std::path::Path;

/// Packages that were only installed in thought.
#[derive(Debug, Default)]
pub(super) struct Pending {
    packages: Vec<(String, Option<String>)>,
}

impl Pending {
    pub fn add(&mut self, name: &str, version: Option<&str>) {
        self.packages
            .push((name.to_owned(), version.map(str::to_owned)));
    }
    pub fn forget(&mut self, name: &str) {
        self.packages.retain(|(n, _)| n != name);
    }
    pub fn node(&self, _base: &dyn HostView, _path: &Path) -> Result<Option<Node>> {
        Ok(None)
    }
    pub fn add_names(&self, _: &dyn HostView, _: &Path, _: &mut Vec<String>) -> Result<()> {
        Ok(())
    }
    pub fn account(&self, _base: &dyn HostView, _name: &str) -> Result<()> {
        Ok(())
    }
    pub fn ships_unit(&self, _base: &dyn HostView, _name: &str) -> Result<bool> {
        Ok(false)
    }
    pub fn program(&self, _base: &dyn HostView, _name: &str) -> Result<()> {
        Ok(())
    }
}
