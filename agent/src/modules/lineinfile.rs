//! `lineinfile`.

use crate::choices;
use crate::error::{Error, Result};
use crate::host::Outcome;
use crate::module::attrs::{FileAttrs, entry_path};
use crate::module::content::{FileWrite, WriteParams, backup_of};
use crate::module::text::{Coding, bare, lines};
use crate::module::{HostPath, Module, Plan, PlanCx, Returns, Rule};
use crate::params;
use crate::pattern::{Pattern, expand};

choices! {
    /// Whether the line should be there.
    pub enum State { Present = "present", Absent = "absent" }
}

params! {
    /// Makes sure that a line is in a file, or is not.
    ///
    /// Without `regexp` and `search_string`, the line is looked for as it is written. With one of
    /// them, the last line that matches (the first with `firstmatch`) becomes `line`.
    ///
    /// ```yaml
    /// - lineinfile:
    ///     path: /etc/selinux/config
    ///     regexp: '^SELINUX='
    ///     line: SELINUX=enforcing
    ///
    /// - lineinfile:
    ///     path: /etc/hosts
    ///     line: 10.0.0.5 model-store
    ///     insertafter: '^127\.0\.0\.1'
    ///     owner: root
    ///     mode: '0644'
    ///
    /// - lineinfile:
    ///     path: /etc/sudoers
    ///     state: absent
    ///     regexp: '^%wheel'
    ///     validate: /usr/sbin/visudo -cf %s
    /// ```
    pub struct LineInFile {
        /// The file.
        required path | "dest" | "destfile" | "name": HostPath,
        /// Python's regular expression; the last line that it matches is replaced, or with
        /// `state: absent` every line that it matches is removed.
        optional regexp | "regex": Option<String>,
        /// Plain text in the place of `regexp`.
        optional search_string: Option<String>,
        /// Whether the line should be there.
        default(State::Present) state: State,
        /// The line, without a line break.
        optional line | "value": Option<String>,
        /// Fill `\1` and `\g<name>` in `line` from the match of `regexp`; if it does not match,
        /// nothing changes.
        default(false) backrefs: bool,
        /// Insert a new line after the last line that matches this regular expression, or at `EOF`.
        optional insertafter: Option<String>,
        /// Insert a new line before the last line that matches this regular expression, or at `BOF`.
        optional insertbefore: Option<String>,
        /// Make the file if it is not there.
        default(false) create: bool,
        /// Use the first match and not the last.
        default(false) firstmatch: bool,
        flatten write: WriteParams,
        flatten attrs: FileAttrs,
    }
    rules [
        Rule::Exclusive(&["insertbefore", "insertafter"]),
        Rule::Exclusive(&["regexp", "search_string"]),
        Rule::Exclusive(&["backrefs", "search_string"]),
    ]
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[
    ("msg", "What was done."),
    ("backup", "Path of the backup, or nothing."),
    ("found", "How many lines were removed."),
];

impl Module for LineInFile {
    fn plan(&self, cx: &PlanCx<'_>) -> Result<Plan> {
        let mut plan = Plan::default();
        let path = entry_path(cx.host, &self.path)?;
        let shown = self.path.expand(cx.host)?.display().to_string();
        if cx.host.stat(&path)?.is_some_and(|s| s.is_dir()) {
            plan.returns =
                Returns::failure(format!("Path {shown} is a directory !")).with("rc", 256);
            return Ok(plan);
        }
        self.check()?;
        let before = cx.host.read(&path)?;
        if before.is_none() {
            if self.state == State::Absent {
                plan.returns.set("msg", "file not present");
                return Ok(plan);
            }
            if !self.create {
                let msg = format!("Destination {shown} does not exist !");
                plan.returns = Returns::failure(msg).with("rc", 257);
                return Ok(plan);
            }
        }
        let old = before.as_deref().unwrap_or_default();
        let coding = Coding::of(old);
        let edit = Edit::new(self, coding)?;
        let present = lines(&coding.decode(old));
        let (after, message) = match self.state {
            State::Present => edit.present(present)?,
            State::Absent => edit.absent(present, &mut plan.returns)?,
        };
        let after = coding.encode(&after.concat());
        let file = FileWrite::edit(cx, &path, &self.attrs, &self.write)?;
        // A file that is not there and would stay empty is not made.
        let before = if after.is_empty() {
            before.or_else(|| Some(Vec::new()))
        } else {
            before
        };
        let msg = file.edit_to(&mut plan, before.as_deref(), after, &message)?;
        plan.returns.set("msg", msg).set("backup", "");
        plan.returns.warnings.extend(self.warning());
        Ok(plan)
    }

    fn finish(&self, _: &PlanCx<'_>, returns: &mut Returns, outcomes: &[Outcome]) -> Result<()> {
        if let Some(backup) = backup_of(outcomes) {
            returns.set("backup", backup);
        }
        Ok(())
    }
}

impl LineInFile {
    /// What the table of rules cannot say.
    fn check(&self) -> Result<()> {
        let no = |message: &str| Err(Error::params(message));
        match self.state {
            State::Present if self.backrefs && self.regexp.is_none() => {
                no("regexp is required with backrefs=true")
            }
            State::Present if self.line.is_none() => no("line is required with state=present"),
            State::Absent
                if self.line.is_none() && self.regexp.is_none() && self.search_string.is_none() =>
            {
                no("one of line, search_string, or regexp is required with state=absent")
            }
            _ => Ok(()),
        }
    }

    fn warning(&self) -> Option<String> {
        let (name, advice) = if self.regexp.as_deref() == Some("") {
            (
                "regular expression",
                " If this is desired, use '^' to match every line in the file and avoid this warning.",
            )
        } else if self.search_string.as_deref() == Some("") {
            ("search string", "")
        } else {
            return None;
        };
        Some(format!(
            "The {name} is an empty string, which will match every line in the file. This may have \
             unintended consequences, such as replacing the last line in the file rather than appending.{advice}"
        ))
    }
}

/// The arguments, compiled and seen as the file's text is.
struct Edit<'a> {
    params: &'a LineInFile,
    line: String,
    regexp: Option<Pattern>,
    search: Option<String>,
    place: Place,
}

/// Where a line goes that is not there yet.
enum Place {
    Start,
    End,
    After(Pattern),
    Before(Pattern),
}

/// Which line of the file is meant.
enum Found {
    /// This one matches `regexp` or `search_string`; the new line with its groups filled in.
    Match(usize, String),
    /// This one is the line already.
    Exact(usize),
    /// None; the index at which the place for a new line is.
    Nothing(Option<usize>),
}

impl<'a> Edit<'a> {
    fn new(params: &'a LineInFile, coding: Coding) -> Result<Self> {
        let compile = |text: &String| Pattern::new(&coding.seen(text));
        let place = match (
            params.insertafter.as_deref(),
            params.insertbefore.as_deref(),
        ) {
            (Some("BOF"), _) | (None, Some("BOF")) => Place::Start,
            (Some("EOF"), _) | (None, None) => Place::End,
            (Some(after), _) => Place::After(Pattern::new(&coding.seen(after))?),
            (None, Some(before)) => Place::Before(Pattern::new(&coding.seen(before))?),
        };
        Ok(Self {
            params,
            line: coding.seen(params.line.as_deref().unwrap_or_default()),
            regexp: params.regexp.as_ref().map(compile).transpose()?,
            search: params.search_string.as_ref().map(|s| coding.seen(s)),
            place,
        })
    }

    /// Whether `regexp` or `search_string` matches a line.
    fn matches(&self, line: &str) -> Result<bool> {
        match (&self.regexp, &self.search) {
            (Some(regexp), _) => regexp.is_match(line),
            (None, Some(search)) => Ok(line.contains(search.as_str())),
            (None, None) => Ok(false),
        }
    }

    fn find(&self, lines: &[String]) -> Result<Found> {
        let mut matched = None;
        for (i, line) in lines.iter().enumerate() {
            if self.matches(line)? {
                matched = Some(i);
                if self.params.firstmatch {
                    break;
                }
            }
        }
        if let Some(i) = matched {
            return Ok(Found::Match(i, self.filled_in(&lines[i])?));
        }
        let (mut exact, mut place) = (None, None);
        for (i, line) in lines.iter().enumerate() {
            if bare(line) == self.line {
                exact = Some(i);
                continue;
            }
            let here = match &self.place {
                Place::After(pattern) => pattern.is_match(line)?.then_some(i + 1),
                Place::Before(pattern) => pattern.is_match(line)?.then_some(i),
                Place::Start | Place::End => None,
            };
            place = here.or(place);
            if here.is_some() && self.params.firstmatch {
                break;
            }
        }
        Ok(exact.map_or(Found::Nothing(place), Found::Exact))
    }

    /// The line with the groups of the match, if they are wanted.
    fn filled_in(&self, matched: &str) -> Result<String> {
        match &self.regexp {
            Some(regexp) if self.params.backrefs => match regexp.search(matched)? {
                Some(captures) => expand(&captures, &self.line),
                None => Ok(self.line.clone()),
            },
            _ => Ok(self.line.clone()),
        }
    }

    /// The lines with the line among them, and Ansible's message.
    fn present(&self, mut lines: Vec<String>) -> Result<(Vec<String>, String)> {
        let found = self.find(&lines)?;
        let added = |lines| Ok((lines, "line added".to_owned()));
        let (at, new) = match found {
            Found::Match(at, line) => (at, line),
            Found::Exact(at) => (at, self.line.clone()),
            // Without a match there is nothing to fill the line in from.
            Found::Nothing(_) if self.params.backrefs => return Ok((lines, String::new())),
            Found::Nothing(place) => {
                let ended = format!("{}\n", self.line);
                match (&self.place, place) {
                    (Place::Start, _) => lines.insert(0, ended),
                    (Place::After(_), Some(at)) if is_line(&lines, at, &self.line) => {}
                    (_, Some(at)) if at < lines.len() => lines.insert(at, ended),
                    _ => {
                        end_last_line(&mut lines);
                        lines.push(ended);
                    }
                }
                return added(lines);
            }
        };
        let new = if new.ends_with('\n') { new } else { new + "\n" };
        lines[at] = new;
        Ok((lines, "line replaced".to_owned()))
    }

    fn absent(&self, lines: Vec<String>, returns: &mut Returns) -> Result<(Vec<String>, String)> {
        let by_line = self.regexp.is_none() && self.search.is_none();
        let count = lines.len();
        let mut kept = Vec::with_capacity(count);
        for line in lines {
            let hit = if by_line {
                bare(&line) == self.line
            } else {
                self.matches(&line)?
            };
            if !hit {
                kept.push(line);
            }
        }
        let found = count - kept.len();
        returns.set("found", found);
        Ok((kept, format!("{found} line(s) removed")))
    }
}

fn is_line(lines: &[String], at: usize, line: &str) -> bool {
    lines.get(at).is_some_and(|l| bare(l) == line)
}

fn end_last_line(lines: &mut [String]) {
    if let Some(last) = lines.last_mut()
        && !last.ends_with(['\n', '\r'])
    {
        last.push('\n');
    }
}
