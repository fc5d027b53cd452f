//! `find`.

use crate::choices;
use crate::error::{Error, ErrorKind, Result};
use crate::host::{FileKind, HostView, Stat};
use crate::module::attrs::shown;
use crate::module::entry::{Algorithm, facts, names};
use crate::module::text::Coding;
use crate::module::{HostPath, Mode, Module, Plan, PlanCx, Returns};
use crate::params;
use crate::pattern::Pattern;
use crate::value::{Map, Value};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

choices! {
    /// What is looked for.
    pub enum Kind { File = "file", Directory = "directory", Link = "link", Any = "any" }
}

choices! {
    /// Which time counts.
    pub enum Stamp { Mtime = "mtime", Atime = "atime", Ctime = "ctime" }
}

params! {
    /// Lists files below directories that meet conditions.
    ///
    /// ```yaml
    /// - find:
    ///     paths: /var/log
    ///     patterns: '*.gz,*.old'
    ///     age: 4w
    ///     size: 10m
    ///     recurse: true
    ///   register: old_logs
    ///
    /// - find:
    ///     paths: [/etc/systemd/system]
    ///     file_type: link
    ///     use_regex: true
    ///     patterns: ['^multi-user.*\.target$']
    /// ```
    pub struct Find {
        /// Directories to look in.
        required paths | "name" | "path": Vec<HostPath>,
        /// The name must match one of these shell patterns (or Python's regular expressions).
        default(Vec::new()) patterns | "pattern": Vec<String>,
        /// The name must match none of these.
        default(Vec::new()) excludes | "exclude": Vec<String>,
        /// Some line must match this regular expression at its start.
        optional contains: Option<String>,
        /// Match `contains` anywhere in the whole file and not line by line.
        default(false) read_whole_file: bool,
        /// What is looked for.
        default(Kind::File) file_type: Kind,
        /// At least this old: seconds, or with `s`, `m`, `h`, `d` or `w`. Negative: at most.
        optional age: Option<String>,
        /// Which time counts.
        default(Stamp::Mtime) age_stamp: Stamp,
        /// At least this large: bytes, or with `b`, `k`, `m`, `g` or `t`. Negative: at most.
        optional size: Option<String>,
        /// Look in directories below too.
        default(false) recurse: bool,
        /// Find names that begin with a dot too.
        default(false) hidden: bool,
        /// Look in directories that links lead to, with `recurse`.
        default(false) follow: bool,
        /// Tell the digest of files.
        default(false) get_checksum: bool,
        /// Which digest.
        default(Algorithm::Sha1) checksum_algorithm | "checksum" | "checksum_algo": Algorithm,
        /// Patterns are Python's regular expressions.
        default(false) use_regex: bool,
        /// How deep to look, with `recurse`; 1 is the directory itself.
        optional depth: Option<u64>,
        /// The mode must be this, in octal digits or symbols.
        optional mode: Option<Mode>,
        /// With `false`, one bit of `mode` in common is enough.
        default(true) exact_mode: bool,
        /// Encoding of files for `contains`. Text that is no UTF-8 is read byte by byte.
        optional encoding: Option<String>,
        /// Stop after this many.
        optional limit: Option<i64>,
    }
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[
    (
        "files",
        "What was found: for each its `path` and what `stat` tells.",
    ),
    ("matched", "How many were found."),
    ("examined", "How many were looked at."),
    (
        "skipped_paths",
        "Directories that could not be looked at, and why.",
    ),
    ("msg", "Whether all was looked at."),
];

impl Module for Find {
    fn plan(&self, cx: &PlanCx<'_>) -> Result<Plan> {
        let mut search = Search::new(self, cx)?;
        let mut returns = Returns::default();
        let mut full = false;
        for path in &self.paths {
            let path = path.expand(cx.host)?;
            if !cx.host.stat(&path)?.is_some_and(|s| s.is_dir()) {
                let why = format!("'{}' is not a directory", shown(&path));
                search.skipped.insert(shown(&path).into(), why.into());
                continue;
            }
            full |= search.below(&path)?;
        }
        let skipped = search.skipped;
        for (path, why) in &skipped {
            let why = why.as_str().unwrap_or_default();
            let path = path.to_string();
            let text = format!("Skipped '{path}' path due to this access issue: {why}\n");
            returns.warnings.push(text);
        }
        let msg = match (skipped.is_empty(), full) {
            (false, _) => "Not all paths examined, check warnings for details",
            (true, true) => "Limit of matches reached",
            (true, false) => "All paths examined",
        };
        returns
            .set("matched", search.found.len())
            .set("files", search.found)
            .set("msg", msg)
            .set("examined", search.examined)
            .set("skipped_paths", skipped);
        Ok(Plan::returning(returns))
    }

    fn only_reads(&self) -> bool {
        true
    }
}

/// Names that match.
enum Names {
    Any,
    Some(Vec<Pattern>),
}

impl Names {
    fn new(written: &[String], regex: bool) -> Result<Self> {
        if written.is_empty() {
            return Ok(Self::Any);
        }
        let compile = |text: &String| {
            if regex {
                Pattern::new(text)
            } else {
                Pattern::new(&shell_pattern(text))
            }
        };
        written
            .iter()
            .map(compile)
            .collect::<Result<_>>()
            .map(Self::Some)
    }

    fn has(&self, name: &str) -> Result<bool> {
        let Self::Some(patterns) = self else {
            return Ok(true);
        };
        for pattern in patterns {
            if pattern.at_start(name)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Conditions, and what was found so far.
struct Search<'a> {
    params: &'a Find,
    host: &'a dyn HostView,
    names: Names,
    excludes: Option<Names>,
    contains: Option<Pattern>,
    age: Option<i64>,
    size: Option<i64>,
    mode: Option<u32>,
    now: f64,
    found: Vec<Value>,
    examined: usize,
    /// What could not be looked at, and why.
    skipped: Map,
}

impl<'a> Search<'a> {
    fn new(params: &'a Find, cx: &PlanCx<'a>) -> Result<Self> {
        if let Some(limit) = params.limit.filter(|l| *l <= 0) {
            return Err(Error::params(format!(
                "limit cannot be {limit} (use None for unlimited)"
            )));
        }
        let scaled = |given: &Option<String>, units: &[(char, i64)], what: &str| match given {
            None => Ok(None),
            Some(text) => number(text, units)
                .map(Some)
                .ok_or_else(|| Error::params(format!("failed to process {what}"))),
        };
        let ages = [
            ('s', 1),
            ('m', 60),
            ('h', 3600),
            ('d', 86_400),
            ('w', 604_800),
        ];
        let sizes = [
            ('b', 1),
            ('k', 1 << 10),
            ('m', 1 << 20),
            ('g', 1 << 30),
            ('t', 1 << 40),
        ];
        let excludes = &params.excludes;
        Ok(Self {
            params,
            host: cx.host,
            names: Names::new(&params.patterns, params.use_regex)?,
            excludes: (!excludes.is_empty())
                .then(|| Names::new(excludes, params.use_regex))
                .transpose()?,
            contains: params.contains.as_deref().map(Pattern::new).transpose()?,
            age: scaled(&params.age, &ages, "age")?,
            size: scaled(&params.size, &sizes, "size")?,
            mode: params.mode.as_ref().map(|m| m.bits(0, false, 0o022)),
            now: cx.host.now(),
            found: Vec::new(),
            examined: 0,
            skipped: Map::new(),
        })
    }

    /// Looks below one directory, the shallow ones first. Says whether the limit was reached.
    fn below(&mut self, top: &Path) -> Result<bool> {
        let mut waiting = vec![(top.to_path_buf(), 1)];
        // Links may lead in a circle.
        let mut seen = HashSet::new();
        while let Some((folder, depth)) = waiting.pop() {
            let entries = self.entries(&folder)?;
            self.examined += entries.len();
            let mut inner = Vec::new();
            for (path, name, stat, is_folder) in entries {
                if self
                    .params
                    .depth
                    .is_some_and(|most| most > 0 && depth > most)
                {
                    continue;
                }
                let through_link = stat.kind == FileKind::Link;
                if is_folder && self.params.recurse && (!through_link || self.params.follow) {
                    let real = if self.params.follow {
                        self.host.canonical(&path)?
                    } else {
                        path.clone()
                    };
                    if seen.insert(real) {
                        inner.push((path.clone(), depth + 1));
                    }
                }
                if name.starts_with('.') && !self.params.hidden {
                    continue;
                }
                let fits = self.fits(&path, &name, &stat);
                if self.or_skip(&path, fits)?.unwrap_or(false) {
                    let told = self.told(&path, &stat)?;
                    self.found.push(told);
                }
                if self
                    .params
                    .limit
                    .is_some_and(|most| self.found.len() as i64 >= most)
                {
                    return Ok(true);
                }
            }
            waiting.extend(inner.into_iter().rev());
        }
        Ok(false)
    }

    /// Entries of a directory, files before directories as Python's `walk` has them.
    fn entries(&mut self, folder: &Path) -> Result<Vec<(PathBuf, String, Stat, bool)>> {
        let mut out = Vec::new();
        let names = self.host.list(folder);
        for name in self.or_skip(folder, names)?.flatten().unwrap_or_default() {
            let path = folder.join(&name);
            let looked = self.look(&path);
            if let Some((stat, is_folder)) = self.or_skip(&path, looked)?.flatten() {
                out.push((path, name, stat, is_folder));
            }
        }
        out.sort_by_key(|(_, _, _, is_folder)| *is_folder);
        Ok(out)
    }

    /// What an entry is, and whether it is (or leads to) a directory.
    fn look(&self, path: &Path) -> Result<Option<(Stat, bool)>> {
        let Some(stat) = self.host.lstat(path)? else {
            return Ok(None);
        };
        let is_folder = match stat.kind {
            // A link that leads nowhere, or round in a circle, is a link all the same.
            FileKind::Link => matches!(self.host.stat(path), Ok(Some(s)) if s.is_dir()),
            kind => kind == FileKind::Dir,
        };
        Ok(Some((stat, is_folder)))
    }

    /// Notes what the host would not show, which must not hide all others; what cannot be known stays an error.
    fn or_skip<T>(&mut self, path: &Path, looked: Result<T>) -> Result<Option<T>> {
        match looked {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.kind() == ErrorKind::Host => {
                let why = error.message();
                self.skipped.insert(shown(path).into(), why.into());
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn fits(&self, path: &Path, name: &str, stat: &Stat) -> Result<bool> {
        let (kind, is_file) = (self.params.file_type, stat.is_file());
        let fits_kind = match kind {
            Kind::Any => true,
            Kind::File => is_file,
            Kind::Directory => stat.is_dir(),
            Kind::Link => stat.kind == FileKind::Link,
        };
        let stamp = match self.params.age_stamp {
            Stamp::Mtime => stat.mtime,
            Stamp::Atime => stat.atime,
            Stamp::Ctime => stat.ctime,
        };
        let bits = stat.mode & 0o7777;
        Ok(fits_kind
            && reaches(self.age, self.now - stamp)
            && (!is_file || reaches(self.size, stat.size as f64))
            && self.mode.is_none_or(|mode| {
                if self.params.exact_mode {
                    bits == mode
                } else {
                    bits & mode != 0
                }
            })
            && self.names.has(name)?
            && !self.excluded(name)?
            && (kind != Kind::File || self.has_content(path)?))
    }

    fn excluded(&self, name: &str) -> Result<bool> {
        self.excludes
            .as_ref()
            .map_or(Ok(false), |names| names.has(name))
    }

    fn has_content(&self, path: &Path) -> Result<bool> {
        let Some(pattern) = &self.contains else {
            return Ok(true);
        };
        let bytes = self.host.read(path)?.unwrap_or_default();
        let coding = match self
            .params
            .encoding
            .as_deref()
            .map(str::to_ascii_lowercase)
            .as_deref()
        {
            Some("latin-1" | "latin1" | "iso-8859-1") => Coding::Bytes,
            _ => Coding::of(&bytes),
        };
        let text = coding.decode(&bytes);
        if self.params.read_whole_file {
            return pattern.is_match(&text);
        }
        for line in text.split_inclusive('\n') {
            if pattern.at_start(line)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn told(&self, path: &Path, stat: &Stat) -> Result<Value> {
        let mut told = Map::new();
        told.insert("path".into(), shown(path).into());
        told.extend(facts(stat));
        let (user, group) = names(self.host, stat)?;
        told.insert("pw_name".into(), user.unwrap_or_default().into());
        told.insert("gr_name".into(), group.unwrap_or_default().into());
        if stat.is_file() && self.params.get_checksum {
            let digest = self
                .host
                .digest(path, self.params.checksum_algorithm.digest())?;
            told.insert("checksum".into(), digest.into());
        }
        Ok(told.into())
    }
}

/// A number with a unit's letter.
fn number(text: &str, units: &[(char, i64)]) -> Option<i64> {
    let text = text.to_ascii_lowercase();
    let last = text.chars().last()?;
    match units.iter().find(|(letter, _)| *letter == last) {
        Some((letter, factor)) => text
            .strip_suffix(*letter)?
            .parse::<i64>()
            .ok()?
            .checked_mul(*factor),
        None => text.parse().ok(),
    }
}

/// Whether a value is at least the wanted one, or at most if that is negative.
fn reaches(wanted: Option<i64>, is: f64) -> bool {
    match wanted {
        None => true,
        Some(most) if most < 0 => is <= -(most as f64),
        Some(least) => is >= least as f64,
    }
}

/// A shell pattern (`*.log`, `a?[!b]`) as a regular expression for the whole name.
fn shell_pattern(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::from("(?s)");
    let mut i = 0;
    while i < chars.len() {
        match chars[i] {
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            '[' => {
                let first = if chars.get(i + 1) == Some(&'!') {
                    i + 3
                } else {
                    i + 2
                };
                match chars.iter().skip(first).position(|c| *c == ']') {
                    Some(length) => {
                        let inner: String = chars[i + 1..first + length].iter().collect();
                        let inner = inner.replace('\\', "\\\\");
                        match inner.strip_prefix('!') {
                            Some(rest) => out.push_str(&format!("[^{rest}]")),
                            None if inner.starts_with('^') => out.push_str(&format!("[\\{inner}]")),
                            None => out.push_str(&format!("[{inner}]")),
                        }
                        i = first + length;
                    }
                    None => out.push_str("\\["),
                }
            }
            c if c.is_ascii_punctuation() => out.extend(['\\', c]),
            c => out.push(c),
        }
        i += 1;
    }
    out.push_str("\\Z");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shell_patterns_match_as_fnmatch_does() {
        for (pattern, name, want) in [
            ("*.log", "a.log", true),
            ("*.log", "a.log.1", false),
            ("a?c", "abc", true),
            ("[!a]*", "abc", false),
            ("[ab]c", "bc", true),
            ("[^a]", "^", true),
            ("a[", "a[", true),
            ("a.b", "axb", false),
        ] {
            let names = Names::new(&[pattern.to_owned()], false).unwrap();
            assert_eq!(names.has(name).unwrap(), want, "{pattern} on {name}");
        }
    }

    #[test]
    fn numbers_have_units() {
        let units = [('s', 1), ('m', 60)];
        for (text, want) in [("5", Some(5)), ("-2M", Some(-120)), ("x", None), ("", None)] {
            assert_eq!(number(text, &units), want, "{text}");
        }
    }
}
