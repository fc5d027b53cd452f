//! The inventory of a run: sources, and the variables beside them and beside the playbooks.

use super::groups::Groups;
use super::sources::InventoryFiles;
use crate::error::Result;
use crate::inventory::{self, Config, NearVars, Remark, Side, Templates, Tools};
use crate::playbook::vault::VaultKeys;
use crate::source::Span;
use crate::template::{Templar, Variables};
use crate::value::{Map, Value};
use crate::vars::{Layer, Stack};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is needed to read an inventory.
pub struct Stock<'a> {
    /// `-i`, in order; none means this machine.
    pub sources: &'a [String],
    /// Settings.
    pub config: &'a Config,
    /// Keys of vaults.
    pub vault: &'a VaultKeys,
    /// Evaluates the templates of inventory plugins.
    pub templar: &'a Templar,
    /// The playbooks' folders.
    pub dirs: &'a [PathBuf],
}

/// Where an inventory came from, kept to read it again.
#[derive(Clone, Debug)]
pub struct Sources {
    /// As [`Stock::sources`].
    pub inventory: Vec<String>,
    /// As [`Stock::config`].
    pub config: Config,
    /// As [`Stock::dirs`].
    pub dirs: Vec<PathBuf>,
}

impl Stock<'_> {
    /// Reads hosts, groups and their variables; says what deserves a look.
    ///
    /// # Errors
    /// When a source or a file of variables cannot be read, and that is no mere warning.
    pub fn read(&self) -> Result<(Groups, Vec<Remark>)> {
        let mut dirs = self.dirs.to_vec();
        dirs.dedup();
        if self.sources.is_empty() {
            let near: Vec<(Side, &Path)> = dirs.iter().map(|d| (Side::Playbook, &**d)).collect();
            return Ok((Groups::this_machine(&near, self.vault)?, Vec::new()));
        }
        let templates = Evaluate(self.templar);
        let tools = Tools {
            files: &InventoryFiles,
            vault: self.vault,
            config: self.config,
            templates: &templates,
        };
        let mut inventory = inventory::load(self.sources, &tools)?;
        let remarks = std::mem::take(&mut inventory.warnings);
        let mut hosts: Vec<Arc<str>> = inventory.hosts().map(|h| Arc::clone(&h.name)).collect();
        // Plays may name it though no inventory does; what is written of it holds then, too.
        if !hosts.iter().any(|h| &**h == "localhost") {
            hosts.push("localhost".into());
        }
        let sides = inventory
            .dirs
            .iter()
            .map(|d| (Side::Inventory, d))
            .chain(dirs.iter().map(|d| (Side::Playbook, d)));
        let near = sides
            .map(|(side, dir)| {
                NearVars::read(side, dir, &inventory, &hosts, &InventoryFiles, self.vault)
            })
            .collect::<Result<_>>()?;
        Ok((Groups::new(inventory, near), remarks))
    }
}

/// Where a run's inventory came from, to read it again (`meta: refresh_inventory`).
#[derive(Debug)]
pub struct Restock {
    /// `-i`, in order.
    pub sources: Vec<String>,
    /// Settings.
    pub config: Config,
    /// The playbooks' folders.
    pub dirs: Vec<PathBuf>,
}

impl Restock {
    /// Reads hosts, groups and their variables anew.
    ///
    /// # Errors
    /// As [`Stock::read`].
    pub fn read(&self, vault: &VaultKeys, templar: &Templar) -> Result<Groups> {
        let stock = Stock {
            sources: &self.sources,
            config: &self.config,
            vault,
            templar,
            dirs: &self.dirs,
        };
        stock.read().map(|(groups, _)| groups)
    }
}

/// The templates of inventory plugins, by the run's own templar.
struct Evaluate<'a>(&'a Templar);

impl Evaluate<'_> {
    fn stack(vars: &Arc<Map>) -> Arc<dyn Variables> {
        let mut stack = Stack::default();
        stack.push(Layer::InventoryHosts, vars);
        Arc::new(stack)
    }
}

impl Templates for Evaluate<'_> {
    fn resolve(&self, value: &Value, vars: &Arc<Map>) -> Result<Value> {
        self.0.resolve(value, &Self::stack(vars))
    }
    fn expression(&self, text: &str, span: Option<&Span>, vars: &Arc<Map>) -> Result<Value> {
        self.0.expression(text, span, &Self::stack(vars))
    }
    fn condition(&self, condition: &Value, span: Option<&Span>, vars: &Arc<Map>) -> Result<bool> {
        self.0.condition(condition, span, &Self::stack(vars))
    }
}
