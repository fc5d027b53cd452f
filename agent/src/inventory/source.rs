//! From inventory sources (files, directories, scripts, lists of hosts) to an [`Inventory`].

use super::config::Weight;
use super::{
    Inventory, Tools, UNGROUPED, address, aws_ec2, constructed, generator, ini, script, toml, yaml,
};
use crate::caller::Caller;
use crate::error::{Error, ErrorKind, Result};
use crate::playbook::vault;
use crate::playbook::yaml as syntax;
use crate::source::SourceFile;
use crate::value::{Map, Value};
use fancy_regex::Regex;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How an inventory reaches files: the engine implements it on the host seam.
pub trait Files {
    /// The text of a file; nothing if there is none, or if it is a directory.
    ///
    /// # Errors
    /// If it cannot be read, or is not UTF-8.
    fn read(&self, path: &Path) -> Result<Option<String>>;

    /// The names in a directory, in any order; nothing if it is no directory.
    ///
    /// # Errors
    /// If it cannot be read.
    fn list(&self, dir: &Path) -> Result<Option<Vec<String>>>;

    /// Whether the file may be executed.
    fn is_executable(&self, path: &Path) -> bool;

    /// Runs an inventory script.
    ///
    /// # Errors
    /// If it cannot be started.
    fn run(&self, script: &Path, arguments: &[&str]) -> Result<ScriptOutput>;

    /// Instances of EC2, in the order of the regions.
    ///
    /// # Errors
    /// If AWS cannot be asked here, or refuses.
    fn instances(&self, _asked: &AskEc2) -> Result<Vec<Map>> {
        Err(host_error("cannot ask EC2 here".into()))
    }

    /// The regions of the account.
    ///
    /// # Errors
    /// As [`Files::instances`].
    fn regions(&self, _caller: &Caller) -> Result<Vec<String>> {
        Err(host_error("cannot ask EC2 here".into()))
    }
}

/// Which instances an inventory asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AskEc2 {
    /// As whom.
    pub caller: Caller,
    /// Where.
    pub regions: Vec<String>,
    /// Names and values of filters (`DescribeInstances` in EC2's API reference): all must be passed.
    pub filters: Vec<(String, Vec<String>)>,
    /// A region where the caller may not look has none.
    pub skip_denied: bool,
}

/// What an inventory script answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScriptOutput {
    /// Its exit status; nothing if a signal killed it.
    pub status: Option<i32>,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: String,
}

/// Names in an inventory directory that are never an inventory.
const IGNORED_NAMES: [&str; 3] = ["host_vars", "group_vars", "vars_plugins"];

/// Reads all `sources`, as `-i` names them: a path, or hosts with commas between or behind them.
/// As in Ansible, a source that no reader understands is a warning, unless the settings make it an
/// error.
///
/// # Errors
/// When the settings ask for one, with the place where a source could not be understood.
pub fn load(sources: &[String], tools: &Tools<'_>) -> Result<Inventory> {
    let ignored = tools.config.ignored_patterns.iter();
    let ignored = ignored.map(|text| {
        Regex::new(text).map_err(|e| {
            usage(format!(
                "`{text}` (inventory ignore_patterns) is no regular expression"
            ))
            .caused_by(e)
        })
    });
    let mut loader = Loader {
        tools,
        ignored: ignored.collect::<Result<_>>()?,
        inventory: Inventory::new(),
    };
    loader.inventory.group_chars = tools.config.group_chars;
    loader.inventory.merge_hashes = tools.config.merge_hashes;
    let mut parsed = false;
    for source in sources.iter().filter(|s| !s.is_empty()) {
        parsed |= loader.source(source)?;
    }
    if !parsed && !sources.is_empty() {
        if tools.config.unparsed_is_failed {
            return Err(host_error(
                "No inventory was parsed, please check your configuration and options.".into(),
            )
            .hint(loader.told()));
        }
        if tools.config.unparsed_warning {
            loader.inventory.warn(
                "No inventory was parsed, only implicit localhost is available".into(),
                None,
            );
        }
    }
    loader.inventory.reconcile();
    Ok(loader.inventory)
}

struct Loader<'a> {
    tools: &'a Tools<'a>,
    ignored: Vec<Regex>,
    inventory: Inventory,
}

/// The readers, under the names of Ansible's plugins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    HostList,
    AdvancedHostList,
    Script,
    Auto,
    Yaml,
    Ini,
    Toml,
    Generator,
    Constructed,
    AwsEc2,
}

impl Reader {
    fn of(name: &str) -> Option<Self> {
        let name = ["ansible.builtin.", "ansible.legacy."]
            .iter()
            .find_map(|prefix| name.strip_prefix(prefix))
            .unwrap_or(name);
        Some(match name {
            "host_list" => Self::HostList,
            "advanced_host_list" => Self::AdvancedHostList,
            "script" => Self::Script,
            "auto" => Self::Auto,
            "yaml" => Self::Yaml,
            "ini" => Self::Ini,
            "toml" => Self::Toml,
            "generator" => Self::Generator,
            "constructed" => Self::Constructed,
            "aws_ec2" | "amazon.aws.aws_ec2" => Self::AwsEc2,
            _ => return None,
        })
    }
}

/// A reader that could not understand a source, and why.
struct Failure<'n> {
    name: &'n str,
    reader: Reader,
    error: Error,
}

impl Loader<'_> {
    /// Reads one source; says whether anybody understood it.
    fn source(&mut self, source: &str) -> Result<bool> {
        let path = Path::new(source);
        if self.tools.files.list(path)?.is_some() {
            self.inventory.dirs.push(path.to_owned());
            return self.directory(path);
        }
        if self.exists(path) {
            self.inventory.dirs.push(parent(path));
        }
        self.file(source)
    }

    fn exists(&self, path: &Path) -> bool {
        // A file that cannot be read is there all the same.
        !matches!(self.tools.files.read(path), Ok(None))
    }

    fn directory(&mut self, dir: &Path) -> Result<bool> {
        let mut names = self.tools.files.list(dir)?.unwrap_or_default();
        names.sort();
        let mut parsed = false;
        names.retain(|name| !self.is_ignored(name));
        for name in names {
            let path = dir.join(name);
            parsed |= if self.tools.files.list(&path)?.is_some() {
                self.directory(&path)?
            } else {
                self.file(&path.display().to_string())?
            };
        }
        if !parsed {
            self.not_understood(&dir.display().to_string(), Vec::new())?;
        }
        Ok(parsed)
    }

    fn is_ignored(&self, name: &str) -> bool {
        let endings = &self.tools.config.ignored_endings;
        name.starts_with('.')
            || IGNORED_NAMES.contains(&name)
            || endings.iter().any(|ending| name.ends_with(ending.as_str()))
            || self
                .ignored
                .iter()
                .any(|pattern| pattern.is_match(name).unwrap_or(false))
    }

    /// Hands a source to the readers, until one understands it.
    fn file(&mut self, source: &str) -> Result<bool> {
        let config = self.tools.config;
        let mut failures = Vec::new();
        let mut readers = 0;
        for name in &config.enabled {
            let Some(reader) = Reader::of(name) else {
                self.inventory.warn(
                    format!("Failed to load inventory plugin, skipping {name}"),
                    None,
                );
                continue;
            };
            readers += 1;
            if !self.wants(reader, source) {
                continue;
            }
            let before = self.inventory.clone();
            match self.read(reader, source) {
                Ok(true) => {
                    self.note_origin(source, before.hosts.len());
                    return Ok(true);
                }
                Ok(false) => {}
                Err(error) => failures.push(Failure {
                    name,
                    reader,
                    error,
                }),
            }
            // Nothing stays of what was half understood, but for what was said of it.
            let said = std::mem::take(&mut self.inventory.warnings);
            self.inventory = Inventory {
                warnings: said,
                ..before
            };
            // A script is no text; its comments must not pass for an empty inventory.
            if reader == Reader::Script && !failures.is_empty() {
                break;
            }
        }
        if readers == 0 {
            return Err(usage(
                "No inventory plugins available to generate inventory, make sure you have at least one enabled.".into(),
            ));
        }
        self.not_understood(source, failures)?;
        Ok(false)
    }

    /// Tells why no reader understood a source.
    fn not_understood(&mut self, source: &str, failures: Vec<Failure<'_>>) -> Result<()> {
        let failures = self.worth_telling(source, failures);
        let strict = self.tools.config.any_unparsed_is_failed;
        if strict {
            let gone = !self.exists(Path::new(source))
                && self.tools.files.list(Path::new(source))?.is_none();
            return Err(match failures.into_iter().next() {
                Some(failure) => failure.error,
                None if gone => host_error(format!("there is no inventory `{source}`"))
                    .hint(format!("to name a host itself, write `-i {source},`")),
                None => host_error(format!(
                    "Completely failed to parse inventory source {source}"
                )),
            });
        }
        for Failure { name, error, .. } in failures {
            let text = format!("Failed to parse inventory with '{name}' plugin: {error}");
            self.inventory.warn(text, None);
        }
        self.inventory.warn(
            format!("Unable to parse {source} as an inventory source"),
            None,
        );
        Ok(())
    }

    /// The failures that say something: what the file is not is no news.
    fn worth_telling<'n>(&self, source: &str, failures: Vec<Failure<'n>>) -> Vec<Failure<'n>> {
        if failures.len() < 2 {
            return failures;
        }
        let text = self.text(Path::new(source)).unwrap_or_default();
        let is_script = text.starts_with("#!");
        let ending = ending(source);
        let is_yaml = YAML.contains(&ending) || looks_like_yaml(&text);
        let says = |failure: &Failure<'_>| match failure.reader {
            Reader::Yaml => is_yaml && !is_script,
            Reader::Ini => !is_yaml && !is_script,
            _ => true,
        };
        if failures.iter().any(says) {
            failures.into_iter().filter(says).collect()
        } else {
            failures
        }
    }

    /// Whether a reader takes such a source on.
    fn wants(&self, reader: Reader, source: &str) -> bool {
        let path = Path::new(source);
        let ending = ending(source);
        match reader {
            Reader::HostList | Reader::AdvancedHostList => {
                source.contains(',') && !self.exists(path)
            }
            _ if !self.exists(path) => false,
            Reader::Script => {
                let text = self.tools.files.read(path);
                let is_text = |text: &str| !text.starts_with("#!");
                let plain = matches!(&text, Ok(Some(text)) if is_text(text));
                self.tools.files.is_executable(path) && !plain
            }
            Reader::Auto => matches!(ending, "yml" | "yaml"),
            Reader::Yaml => ending.is_empty() || YAML.contains(&ending),
            Reader::Toml => ending == "toml",
            // Not to be tried on TOML, whose sections look alike.
            Reader::Ini => ending != "toml",
            Reader::Generator | Reader::Constructed => {
                matches!(ending, "" | "yml" | "yaml" | "json" | "config")
            }
            Reader::AwsEc2 => aws_ec2::is_named(source),
        }
    }

    /// The text of a source, out of its vault if it is in one.
    fn text(&self, path: &Path) -> Result<String> {
        let text = self.tools.files.read(path)?.unwrap_or_default();
        self.tools.vault.open_text(text)
    }

    /// Has a source read; says whether the reader found it to be its own.
    fn read(&mut self, reader: Reader, source: &str) -> Result<bool> {
        let path = Path::new(source);
        match reader {
            Reader::HostList => self.host_list(source, false)?,
            Reader::AdvancedHostList => self.host_list(source, true)?,
            Reader::Script => {
                let tools = *self.tools;
                script::read(path, &tools, &mut self.inventory)?;
            }
            Reader::Auto => return self.configured(path, None),
            Reader::Generator | Reader::Constructed | Reader::AwsEc2 => {
                return self.configured(path, Some(reader));
            }
            Reader::Yaml | Reader::Ini | Reader::Toml => {
                let file = SourceFile::new(path.display().to_string(), self.text(path)?);
                match reader {
                    Reader::Yaml => yaml::read(&file, &mut self.inventory, self.tools.vault)?,
                    Reader::Toml => toml::read(&file, &mut self.inventory)?,
                    _ => ini::read(&file, &mut self.inventory)?,
                }
            }
        }
        Ok(true)
    }

    /// A file that says by `plugin:` who reads it.
    fn configured(&mut self, path: &Path, wanted: Option<Reader>) -> Result<bool> {
        let name = path.display().to_string();
        let file = SourceFile::new(name.as_str(), self.text(path)?);
        let loaded = syntax::load(&file)?;
        let root = match loaded.single()? {
            Some(root) if root.as_map().is_some() => root,
            _ if wanted.is_some() => return Err(host_error(format!("{name} is empty"))),
            _ => return Ok(false),
        };
        let given = root.get("plugin");
        let reader = given.and_then(|n| n.as_str()).and_then(Reader::of);
        match (wanted, given, reader) {
            (None, None, _) => return Ok(false),
            (Some(wanted), _, reader) if reader != Some(wanted) => {
                let wanted = match wanted {
                    Reader::AwsEc2 => "amazon.aws.aws_ec2".to_owned(),
                    other => format!("{other:?}").to_lowercase(),
                };
                return Err(constructed::not_mine(root, &wanted));
            }
            (_, _, Some(Reader::Generator)) => {
                generator::read(root, self.tools, &mut self.inventory)?;
            }
            (_, _, Some(Reader::Constructed)) => {
                let dirs = self.inventory.dirs.clone();
                constructed::read(root, self.tools, &dirs, &mut self.inventory)?;
            }
            // Ansible's plugin takes files of its own names only; another's file is not its own.
            (_, Some(given), Some(Reader::AwsEc2)) if !aws_ec2::is_named(&name) => {
                return Err(given
                    .error(format!(
                        "inventory config '{name}' could not be verified by plugin 'amazon.aws.aws_ec2'"
                    ))
                    .hint("its files are named *aws_ec2.yml or *aws_ec2.yaml"));
            }
            (_, _, Some(Reader::AwsEc2)) => {
                aws_ec2::read(root, self.tools, &mut self.inventory)?;
            }
            (_, Some(given), _) => {
                let plugin = given.scalar_text().unwrap_or_default();
                return Err(given
                    .error(format!(
                        "inventory config '{name}' specifies unknown plugin '{plugin}'"
                    ))
                    .hint("lks has `generator`, `constructed` and `amazon.aws.aws_ec2`; an executable script that prints JSON for --list can stand in for any other plugin"));
            }
            (Some(_), None, _) => return Ok(false),
        }
        Ok(true)
    }

    fn host_list(&mut self, list: &str, ranges: bool) -> Result<()> {
        for entry in list.split(',').map(str::trim).filter(|e| !e.is_empty()) {
            let (hosts, port) = match (ranges, address::parse(entry)) {
                (true, _) => self.expanded(entry)?,
                (false, Some((host, port))) => (vec![host.to_owned()], port),
                (false, None) => (vec![entry.to_owned()], None),
            };
            for host in hosts {
                if self.inventory.host(&host).is_some() {
                    continue;
                }
                self.inventory.add_host(&host, UNGROUPED);
                if let Some(port) = port {
                    let port = Value::Int(port.into());
                    self.inventory
                        .set_host_var(&host, "ansible_port".into(), port, None);
                }
            }
        }
        Ok(())
    }

    /// The hosts of an entry with ranges. One that lacks its end stays as it is, as in Ansible; one
    /// that cannot be counted is an error.
    fn expanded(&mut self, entry: &str) -> Result<(Vec<String>, Option<u16>)> {
        match address::expand(entry) {
            Ok(found) => Ok(found),
            Err(why) if why == address::NO_END => {
                self.inventory.remark(
                    Weight::Verbose,
                    format!("Unable to parse address from hostname, leaving unchanged: {why}"),
                    None,
                );
                Ok((vec![entry.to_owned()], None))
            }
            Err(why) => Err(usage(format!(
                "Invalid data from string, could not parse: {why}"
            ))),
        }
    }

    /// Ansible's `inventory_file` and `inventory_dir`, for the hosts after the first `known`.
    fn note_origin(&mut self, source: &str, known: usize) {
        let path = Path::new(source);
        let text = |path: &Path| Value::from(path.display().to_string());
        if !self.exists(path) {
            return;
        }
        for (_, host) in self.inventory.hosts.iter_mut().skip(known) {
            for (key, value) in [
                ("inventory_file", text(path)),
                ("inventory_dir", text(&parent(path))),
            ] {
                if host.vars.get(key).is_none() {
                    Arc::make_mut(&mut host.vars).set(key.into(), value, None);
                }
            }
        }
    }

    /// All that was said so far, in lines.
    fn told(&self) -> String {
        let said = self.inventory.warnings.iter().map(|w| w.message.clone());
        said.collect::<Vec<_>>().join("\n")
    }
}

/// Endings of YAML inventories.
const YAML: [&str; 3] = ["yml", "yaml", "json"];

/// The ending of a path, without its dot; empty if there is none.
fn ending(source: &str) -> &str {
    let path = Path::new(source);
    path.extension().and_then(|e| e.to_str()).unwrap_or("")
}

fn usage(message: String) -> Error {
    Error::new(ErrorKind::Usage, message)
}

fn host_error(message: String) -> Error {
    Error::new(ErrorKind::Host, message)
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Whether a file without an ending is a YAML inventory: its content is a mapping.
fn looks_like_yaml(text: &str) -> bool {
    if vault::is_vault(text) {
        return false;
    }
    let file = SourceFile::new("", text);
    let mapping = |node: &syntax::Node| node.as_map().is_some();
    match syntax::load(&file) {
        Ok(loaded) => loaded.docs.first().is_some_and(mapping),
        // Broken YAML is still YAML, and its own error is the better one.
        Err(_) => text.lines().any(|line| line.trim_end() == "---"),
    }
}
