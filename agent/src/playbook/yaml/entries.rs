//! The entries of a mapping while it is read: doubled keys, and merge keys.

use super::node::{Kind, Node};
use crate::error::{Error, Result};
use crate::value::Key;
use std::collections::HashMap;

/// The entries that `<<: value` brings in, in the order in which PyYAML inserts them: of a list,
/// the first mapping wins, so it comes last.
pub(super) fn merge_entries(value: &Node, merged: &mut Vec<(Node, Node)>) -> Result<()> {
    match &value.kind {
        Kind::Map(entries) => merged.extend(entries.iter().cloned()),
        Kind::Seq(items) => {
            for item in items.iter().rev() {
                let entries = item.as_map().ok_or_else(|| cannot_merge(item))?;
                merged.extend(entries.iter().cloned());
            }
        }
        _ => return Err(cannot_merge(value)),
    }
    Ok(())
}

fn cannot_merge(node: &Node) -> Error {
    node.error(format!(
        "`<<` merges a mapping or a list of mappings, but this is {}",
        node.what()
    ))
}

/// Entries of a mapping under construction, with an index once there are many.
#[derive(Default)]
pub(super) struct Entries {
    list: Vec<(Node, Node)>,
    index: HashMap<Key, usize>,
}

impl Entries {
    /// Below this, looking through the list is quicker than hashing.
    const FEW: usize = 12;

    /// Adds an entry, or replaces the one with that key and answers its key.
    pub(super) fn put(&mut self, key: Node, value: Node) -> Option<Node> {
        let name = key.to_key();
        if let Some(at) = self.find(&name) {
            let (first, _) = std::mem::replace(&mut self.list[at], (key, value));
            return Some(first);
        }
        if self.list.len() >= Self::FEW {
            self.index.insert(name, self.list.len());
        }
        self.list.push((key, value));
        None
    }

    fn find(&self, name: &Key) -> Option<usize> {
        let few = &self.list[..self.list.len().min(Self::FEW)];
        few.iter()
            .position(|(key, _)| is_key(key, name))
            .or_else(|| self.index.get(name).copied())
    }

    /// These entries laid over `merged` ones.
    pub(super) fn after(self, merged: Vec<(Node, Node)>) -> Vec<(Node, Node)> {
        if merged.is_empty() {
            return self.list;
        }
        let mut all = Self::default();
        for (key, value) in merged.into_iter().chain(self.list) {
            all.put(key, value);
        }
        all.list
    }
}

fn is_key(node: &Node, name: &Key) -> bool {
    match (&node.kind, name) {
        (Kind::Str(a) | Kind::Vault(a), Key::Str(b)) => a == b,
        (Kind::Str(_), _) => false,
        _ => node.to_key() == *name,
    }
}
