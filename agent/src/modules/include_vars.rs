//! `include_vars`.

use crate::choices;
use crate::error::{Error, Result};
use crate::module::attrs::shown;
use crate::module::{Action, ActionCx, Returns, Rule};
use crate::params;
use crate::pattern::Pattern;
use crate::value::{Key, Map, Value};
use std::path::{Path, PathBuf};

choices! {
    /// What happens to a mapping that is there already.
    pub enum HashBehaviour { Replace = "replace", Merge = "merge" }
}

params! {
    /// Reads variables from YAML or JSON files beside the playbook.
    ///
    /// ```yaml
    /// - include_vars: gpu.yml
    ///
    /// - include_vars:
    ///     dir: vars/models
    ///     extensions: [yml]
    ///     ignore_files: ['^\.', 'draft']
    ///     name: models
    /// ```
    pub struct IncludeVars {
        /// The file, looked for in `vars/`.
        optional file | "_raw_params": Option<String>,
        /// A directory of files, in the order of their names.
        optional dir: Option<String>,
        /// Put the variables under this name.
        optional name: Option<String>,
        /// How deep to look in `dir`; 0 is all the way down.
        default(0) depth: u64,
        /// Read only files whose name matches this regular expression.
        optional files_matching: Option<String>,
        /// Do not read files whose name ends with a match of one of these regular expressions.
        default(Vec::new()) ignore_files: Vec<String>,
        /// Extensions of files that are read.
        default(["json", "yaml", "yml"].map(String::from).into()) extensions: Vec<String>,
        /// Pass over files with other extensions, and do not fail.
        default(false) ignore_unknown_extensions: bool,
        /// `merge`: add to mappings that are there already, all the way down.
        optional hash_behaviour: Option<HashBehaviour>,
    }
    rules [Rule::Written(&["file", "dir"]), Rule::Exclusive(&["file", "dir"])]
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[
    ("ansible_facts", "The variables."),
    ("ansible_included_var_files", "Files that were read."),
    ("message", "Why it failed."),
];

impl Action for IncludeVars {
    fn run(&self, cx: &mut dyn ActionCx) -> Result<Returns> {
        let mut loaded = Loaded::default();
        let outcome = match (&self.dir, &self.file) {
            (Some(dir), _) => self.load_dir(cx, dir, &mut loaded),
            (None, Some(file)) => cx
                .find("vars", file.trim_end())
                .and_then(|path| loaded.load(cx, &path)),
            // Said by the check before the run where neither is written; here, a template gave nothing.
            (None, None) => Err(Error::host(
                "Could not find file: no name of one is left after templating",
            )),
        };
        let mut vars = match &self.name {
            Some(name) => [(Key::from(name.as_str()), Value::from(loaded.vars))]
                .into_iter()
                .collect(),
            None => loaded.vars,
        };
        let mut returns = Returns::default();
        returns.set("ansible_included_var_files", loaded.files);
        if loaded.secret {
            returns.set("_ansible_no_log", true);
        }
        if let Err(error) = outcome {
            returns
                .fail(error.message())
                .set("message", error.message());
            return Ok(returns);
        }
        if self.hash_behaviour == Some(HashBehaviour::Merge) {
            vars = merged_with_present(cx, vars)?;
        }
        returns.set("ansible_facts", vars.clone());
        cx.include_vars(vars);
        Ok(returns)
    }
}

/// What was read so far.
#[derive(Default)]
struct Loaded {
    vars: Map,
    files: Vec<String>,
    /// Whether one of the files was vaulted.
    secret: bool,
}

impl Loaded {
    fn load(&mut self, cx: &dyn ActionCx, path: &Path) -> Result<()> {
        self.secret |= cx.is_vault(path);
        match cx.load_yaml(path)? {
            Value::Null => {}
            Value::Map(map) => {
                self.vars
                    .extend(map.iter().map(|(k, v)| (k.clone(), v.clone())));
            }
            _ => {
                return Err(Error::host(format!(
                    "{} must be stored as a dictionary/hash",
                    shown(path)
                )));
            }
        }
        self.files.push(shown(path));
        Ok(())
    }
}

impl IncludeVars {
    fn load_dir(&self, cx: &dyn ActionCx, dir: &str, loaded: &mut Loaded) -> Result<()> {
        let top = cx
            .find("vars", dir)
            .map_err(|_| Error::host(format!("{dir} directory does not exist")))?;
        let matching = self
            .files_matching
            .as_deref()
            .map(Pattern::new)
            .transpose()?;
        let ignored: Vec<Pattern> = self
            .ignore_files
            .iter()
            .map(|text| {
                Pattern::new(&format!("{text}$")).map_err(|e| {
                    Error::params(format!("Invalid regular expression: {text}")).caused_by(e)
                })
            })
            .collect::<Result<_>>()?;
        for file in self.files(cx, &top)? {
            let name = file
                .file_name()
                .map(|n| n.to_string_lossy().into_owned())
                .unwrap_or_default();
            if let Some(pattern) = &matching
                && !pattern.is_match(&name)?
            {
                continue;
            }
            let mut skip = false;
            for pattern in &ignored {
                skip |= pattern.is_match(&name)?;
            }
            let known = self.is_known(&name);
            if skip || (!known && self.ignore_unknown_extensions) {
                continue;
            }
            if !known {
                return Err(Error::host(format!(
                    "{} does not have a valid extension: {}",
                    shown(&file),
                    self.extensions.join(", ")
                )));
            }
            loaded.load(cx, &file)?;
        }
        Ok(())
    }

    fn is_known(&self, name: &str) -> bool {
        let extension = name.rsplit_once('.').map_or("", |(_, e)| e);
        self.extensions.iter().any(|e| e == extension)
    }

    /// Files below a directory, directory by directory in the order of their paths.
    fn files(&self, cx: &dyn ActionCx, top: &Path) -> Result<Vec<PathBuf>> {
        let none = || Error::host(format!("{} is not a directory", shown(top)));
        let first = cx.list_dir(top)?.ok_or_else(none)?;
        let (mut folders, mut out) = (vec![(top.to_path_buf(), first, 1)], Vec::new());
        while let Some((folder, names, depth)) = folders.pop() {
            let mut inner = Vec::new();
            for name in names {
                let path = folder.join(name);
                match cx.list_dir(&path)? {
                    None => out.push(path),
                    Some(_) if self.depth != 0 && depth >= self.depth => {}
                    Some(names) => inner.push((path, names, depth + 1)),
                }
            }
            folders.extend(inner.into_iter().rev());
        }
        Ok(out)
    }
}

/// New variables, with mappings that are there already kept below them.
fn merged_with_present(cx: &dyn ActionCx, vars: Map) -> Result<Map> {
    let mut out = Map::new();
    for (key, value) in vars {
        let present = match key.as_str() {
            Some(name) if value.as_map().is_some() => cx.variable(name)?,
            _ => None,
        };
        let value = match present {
            Some(present) => present.merged(value),
            None => value,
        };
        out.insert(key, value);
    }
    Ok(out)
}
