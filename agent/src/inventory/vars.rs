//! Variables of hosts: what the inventory says, and `group_vars/` and `host_vars/` beside it and
//! beside the playbook, layer upon layer.

use super::source::Files;
use super::{ALL, Group, HostName, Inventory};
use crate::error::{Error, Result};
use crate::playbook::vault::{self, VaultKeys};
use crate::playbook::yaml::{Node, Warning, load};
use crate::source::{SourceFile, Span};
use crate::value::{Key, Map, Value};
use indexmap::{IndexMap, IndexSet};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Endings of variable files. The name without an ending comes first, so that a directory is
/// found before a file.
const ENDINGS: [&str; 4] = ["", ".yml", ".yaml", ".json"];

/// Variables, and where each was written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vars {
    values: Map,
    places: IndexMap<Key, Span>,
}

impl Vars {
    /// Sets a variable.
    pub fn set(&mut self, key: Key, value: Value, span: Option<&Span>) {
        match span {
            Some(span) => self.places.insert(key.clone(), span.clone()),
            None => self.places.shift_remove(&key),
        };
        self.values.insert(key, value);
    }

    /// As [`Vars::set`]; with `merge`, a mapping over a mapping adds to it.
    pub(super) fn add(&mut self, key: Key, value: Value, span: Option<&Span>, merge: bool) {
        let value = match self.values.get(&key) {
            Some(present) if merge => present.clone().merged(value),
            _ => value,
        };
        self.set(key, value, span);
    }

    /// The value of a variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// All of them.
    #[must_use]
    pub fn values(&self) -> &Map {
        &self.values
    }

    /// Where a variable was written, if that is known.
    #[must_use]
    pub fn place(&self, name: &str) -> Option<&Span> {
        self.places.get(name)
    }

    pub(super) fn first_place(&self) -> Option<&Span> {
        self.values.keys().find_map(|key| self.places.get(key))
    }

    /// The variables of a mapping.
    ///
    /// # Errors
    /// If it is none, or a vaulted value cannot be decrypted.
    pub fn from_node(node: &Node, vault: &VaultKeys) -> Result<Self> {
        let values = node.to_map(vault)?;
        let keys = node.as_map().unwrap_or_default();
        let places = keys
            .iter()
            .map(|(key, _)| (key.to_key(), key.span.clone()))
            .collect();
        Ok(Self { values, places })
    }
}

/// A file of variables that was read.
#[derive(Clone, Debug)]
pub struct FileVars {
    /// The file.
    pub path: PathBuf,
    /// What it says.
    pub vars: Arc<Vars>,
    /// What is legal in it but is likely a slip.
    pub warnings: Vec<Warning>,
}

/// Reads a file of variables, which may be vaulted as a whole; nothing if there is none.
///
/// # Errors
/// With the place, if it cannot be read or decrypted, or is no mapping.
pub fn read_vars_file(
    path: &Path,
    files: &dyn Files,
    vault: &VaultKeys,
) -> Result<Option<FileVars>> {
    let Some(text) = files.read(path)? else {
        return Ok(None);
    };
    let name = path.display().to_string();
    let secret = vault::is_vault(&text);
    let text = vault
        .open_text(text)
        .map_err(|e| e.context(format!("cannot read `{name}`")))?;
    let file = SourceFile::new(name.as_str(), text);
    let read = || {
        let loaded = load(&file)?;
        let vars = match loaded.single()? {
            Some(root) => Vars::from_node(root, vault)?,
            None => Vars::default(),
        };
        Ok((vars, loaded.warnings))
    };
    let (vars, warnings) = if secret {
        let blank = SourceFile::new(name, "");
        hide(read().map_err(|e| hide_error(&e, &blank))?, &blank)
    } else {
        read()?
    };
    Ok(Some(FileVars {
        path: path.to_owned(),
        vars: Arc::new(vars),
        warnings,
    }))
}

/// Moves all places into a file without text: an excerpt must not show what a vault holds.
fn hide((vars, warnings): (Vars, Vec<Warning>), blank: &Arc<SourceFile>) -> (Vars, Vec<Warning>) {
    let blind = |span: &Span| Span::new(blank, span.line, span.column, 1);
    let hidden = Vars {
        values: vars
            .values
            .into_iter()
            .map(|(key, value)| (key, hide_value(&value, &blind)))
            .collect(),
        places: vars
            .places
            .into_iter()
            .map(|(k, s)| (k, blind(&s)))
            .collect(),
    };
    let warnings = warnings.into_iter().map(|warning| Warning {
        span: blind(&warning.span),
        ..warning
    });
    (hidden, warnings.collect())
}

fn hide_value(value: &Value, blind: &dyn Fn(&Span) -> Span) -> Value {
    match value {
        Value::Template(t) => {
            Value::written(Arc::clone(&t.text), t.span.as_ref().map(blind).as_ref())
        }
        Value::List(items) => Value::list(items.iter().map(|v| hide_value(v, blind)).collect()),
        Value::Map(map) => Value::map(
            map.iter()
                .map(|(k, v)| (k.clone(), hide_value(v, blind)))
                .collect(),
        ),
        other => other.clone(),
    }
}

fn hide_error(error: &Error, blank: &Arc<SourceFile>) -> Error {
    let hidden = Error::new(error.kind(), error.message());
    match error.span() {
        Some(span) => hidden.at(&Span::new(blank, span.line, span.column, 1)),
        None => hidden,
    }
}

/// Beside what a `group_vars/` or `host_vars/` directory stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// An inventory.
    Inventory,
    /// The playbook.
    Playbook,
}

/// The `group_vars/` and `host_vars/` of one directory, for the hosts that were asked for.
#[derive(Debug)]
pub struct NearVars {
    /// Beside what they stand.
    pub side: Side,
    dir: PathBuf,
    groups: HashMap<Arc<str>, Vec<FileVars>>,
    hosts: HashMap<HostName, Vec<FileVars>>,
    unread: Vec<(Owner, Error)>,
}

/// Whose files they are.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Owner {
    Group(Arc<str>),
    Host(HostName),
}

impl NearVars {
    /// Reads what `dir` has for `hosts` and their groups. A file that cannot be read is no error
    /// yet: it may be vaulted with a password that this run does not have, for hosts that it does not
    /// touch ([`NearVars::problems`]).
    ///
    /// # Errors
    /// When a folder cannot be listed.
    pub fn read(
        side: Side,
        dir: &Path,
        inventory: &Inventory,
        hosts: &[HostName],
        files: &dyn Files,
        vault: &VaultKeys,
    ) -> Result<Self> {
        let mut near = Self {
            side,
            dir: dir.to_path_buf(),
            groups: HashMap::new(),
            hosts: HashMap::new(),
            unread: Vec::new(),
        };
        if let Some(shelf) = Shelf::open(dir.join("group_vars"), files, vault)? {
            let groups = hosts.iter().flat_map(|host| inventory.groups_of(host));
            let names: IndexSet<Arc<str>> = groups.map(|group| Arc::clone(&group.name)).collect();
            let (read, unread) = shelf.all(names);
            near.groups = read;
            near.note(unread, Owner::Group);
        }
        if let Some(shelf) = Shelf::open(dir.join("host_vars"), files, vault)? {
            let (read, unread) = shelf.all(hosts.iter().cloned());
            near.hosts = read;
            near.note(unread, Owner::Host);
        }
        Ok(near)
    }

    fn note(&mut self, unread: Vec<(Arc<str>, Error)>, owner: fn(Arc<str>) -> Owner) {
        let unread = unread.into_iter().map(|(name, error)| (owner(name), error));
        self.unread.extend(unread);
    }

    /// Why files could not be read that tell one of these hosts something; each is told once.
    pub fn problems(&mut self, inventory: &Inventory, hosts: &[HostName]) -> Vec<Error> {
        let concerns = |owner: &Owner| match owner {
            Owner::Host(name) => hosts.contains(name),
            Owner::Group(name) => {
                let members = inventory.hosts_of(name);
                let implicit = |host: &HostName| &**name == ALL && inventory.host(host).is_none();
                hosts
                    .iter()
                    .any(|host| members.contains(host) || implicit(host))
            }
        };
        let unread = self.unread.extract_if(.., |(owner, _)| concerns(owner));
        unread.map(|(_, error)| error).collect()
    }

    /// What the files of a group say, the weakest first.
    pub fn of_group(&self, group: &str) -> impl Iterator<Item = Arc<Vars>> + '_ {
        let files = self.groups.get(group).into_iter().flatten();
        files.map(|file| Arc::clone(&file.vars))
    }

    /// Reads what there is for a host, and for groups that were not asked for before: tasks add
    /// hosts and groups.
    ///
    /// # Errors
    /// As [`read_vars_file`].
    pub fn learn(
        &mut self,
        inventory: &Inventory,
        host: &HostName,
        files: &dyn Files,
        vault: &VaultKeys,
    ) -> Result<()> {
        let groups = inventory.groups_of(host).into_iter();
        let new: Vec<Arc<str>> = groups
            .map(|group| Arc::clone(&group.name))
            .filter(|name| !self.groups.contains_key(name))
            .collect();
        if !new.is_empty()
            && let Some(shelf) = Shelf::open(self.dir.join("group_vars"), files, vault)?
        {
            self.groups.extend(shelf.all_or_none(new)?);
        }
        if !self.hosts.contains_key(host)
            && let Some(shelf) = Shelf::open(self.dir.join("host_vars"), files, vault)?
        {
            self.hosts.extend(shelf.all_or_none([Arc::clone(host)])?);
        }
        Ok(())
    }

    /// Warnings about the files that were read.
    pub fn warnings(&self) -> impl Iterator<Item = &Warning> {
        let files = self.groups.values().chain(self.hosts.values()).flatten();
        files.flat_map(|file| &file.warnings)
    }
}

/// A `group_vars/` or `host_vars/` directory with the names in it.
struct Shelf<'a> {
    dir: PathBuf,
    names: Vec<String>,
    files: &'a dyn Files,
    vault: &'a VaultKeys,
}

/// The variables that files hold, by the name of their group or host.
type ByName = HashMap<Arc<str>, Vec<FileVars>>;

impl<'a> Shelf<'a> {
    fn open(dir: PathBuf, files: &'a dyn Files, vault: &'a VaultKeys) -> Result<Option<Self>> {
        let names = files.list(&dir)?;
        Ok(names.map(|names| Self {
            dir,
            names,
            files,
            vault,
        }))
    }

    /// What there is for these names, and for which it cannot be read.
    fn all(&self, names: impl IntoIterator<Item = Arc<str>>) -> (ByName, Vec<(Arc<str>, Error)>) {
        let (mut found, mut unread) = (HashMap::new(), Vec::new());
        for name in names {
            match self.of(&name) {
                Ok(vars) if vars.is_empty() => {}
                Ok(vars) => {
                    found.insert(name, vars);
                }
                Err(error) => unread.push((name, error)),
            }
        }
        (found, unread)
    }

    fn all_or_none(&self, names: impl IntoIterator<Item = Arc<str>>) -> Result<ByName> {
        let (found, unread) = self.all(names);
        match unread.into_iter().next() {
            Some((_, error)) => Err(error),
            None => Ok(found),
        }
    }

    /// The files for one name: the first of `NAME`, `NAME.yml` … that exists; if it is a
    /// directory, all files in it.
    fn of(&self, name: &str) -> Result<Vec<FileVars>> {
        let candidates = ENDINGS.iter().map(|ending| format!("{name}{ending}"));
        let mut vars = Vec::new();
        if let Some(found) = candidates.into_iter().find(|c| self.names.contains(c)) {
            self.read(&self.dir.join(found), &mut vars)?;
        }
        Ok(vars)
    }

    fn read(&self, path: &Path, vars: &mut Vec<FileVars>) -> Result<()> {
        let Some(mut names) = self.files.list(path)? else {
            vars.extend(read_vars_file(path, self.files, self.vault)?);
            return Ok(());
        };
        names.sort();
        for name in names {
            let path = path.join(&name);
            let ending = path.extension().and_then(|ending| ending.to_str());
            let wanted = ending.is_none_or(|e| matches!(e, "yml" | "yaml" | "json"));
            if wanted && !name.starts_with('.') && !name.ends_with('~') {
                self.read(&path, vars)?;
            }
        }
        Ok(())
    }
}

/// Where a layer of a host's variables comes from. Files have their path with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A group of the inventory.
    Group(Arc<str>),
    /// A file for a group.
    GroupFile(Side, Arc<str>, PathBuf),
    /// The host's entry in the inventory.
    Host,
    /// A file for the host.
    HostFile(Side, PathBuf),
}

/// One layer of a host's variables.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Where it comes from.
    pub origin: Origin,
    /// What it says.
    pub vars: Arc<Vars>,
}

impl Inventory {
    /// What a host is told by the inventory and by `near`, the weakest first. That is Ansible's
    /// order: groups of the inventory, then files for `all`, files for other groups, the host's
    /// entry, files for the host; of equals, those beside the playbook win.
    #[must_use]
    pub fn host_vars(&self, host: &str, near: &[NearVars]) -> Vec<Layer> {
        let groups = self.groups_of(host);
        let mut near: Vec<&NearVars> = near.iter().collect();
        near.sort_by_key(|near| near.side);
        let (all, rest): (Vec<&Group>, Vec<&Group>) =
            groups.iter().partition(|group| &*group.name == ALL);
        let mut layers: Vec<Layer> = groups
            .iter()
            .map(|group| layer(Origin::Group(group.name.clone()), &group.vars))
            .collect();
        for groups in [all, rest] {
            for side in [Side::Inventory, Side::Playbook] {
                let near = near.iter().filter(|near| near.side == side);
                layers.extend(group_files(&groups, near.copied()));
            }
        }
        let own = self.host(host).cloned().or_else(|| self.localhost(host));
        layers.extend(own.map(|host| layer(Origin::Host, &host.vars)));
        for near in near {
            let files = near.hosts.get(host).into_iter().flatten();
            layers.extend(files.map(|file| Layer {
                origin: Origin::HostFile(near.side, file.path.clone()),
                vars: Arc::clone(&file.vars),
            }));
        }
        layers.retain(|layer| !layer.vars.values.is_empty());
        layers
    }
}

fn layer(origin: Origin, vars: &Arc<Vars>) -> Layer {
    Layer {
        origin,
        vars: Arc::clone(vars),
    }
}

/// The files of `groups` in these directories: directory by directory, in each by group.
fn group_files<'n>(groups: &[&Group], near: impl Iterator<Item = &'n NearVars>) -> Vec<Layer> {
    let mut layers = Vec::new();
    for near in near {
        for group in groups {
            let files = near.groups.get(&group.name).into_iter().flatten();
            layers.extend(files.map(|file| Layer {
                origin: Origin::GroupFile(near.side, Arc::clone(&group.name), file.path.clone()),
                vars: Arc::clone(&file.vars),
            }));
        }
    }
    layers
}
