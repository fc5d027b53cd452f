//! `replace`.

use crate::error::{Error, Result};
use crate::host::Outcome;
use crate::module::attrs::{FileAttrs, entry_path};
use crate::module::content::{FileWrite, WriteParams, backup_of};
use crate::module::text::Coding;
use crate::module::{HostPath, Module, Plan, PlanCx, Returns};
use crate::params;
use crate::pattern::{Flags, Pattern};
use std::ops::Range;

params! {
    /// Replaces every match of a regular expression in a file.
    ///
    /// It is up to the playbook that the expression does not match what it made (or makes the same
    /// of it): only then does a second run change nothing.
    ///
    /// ```yaml
    /// - replace:
    ///     path: /etc/apt/sources.list
    ///     regexp: 'http://archive\.'
    ///     replace: 'https://archive.'
    ///     after: '# main'
    /// ```
    pub struct Replace {
        /// The file.
        required path | "dest" | "destfile" | "name": HostPath,
        /// Python's regular expression; `^` and `$` match at every line.
        required regexp: String,
        /// What each match becomes; `\1` and `\g<name>` are its groups.
        optional replace: String,
        /// Only what follows a match of this regular expression is looked at.
        optional after: Option<String>,
        /// Only what comes before a match of this regular expression is looked at.
        optional before: Option<String>,
        /// Encoding of the file: `utf-8`, `ascii` or `latin-1`.
        default("utf-8".to_owned()) encoding: String,
        flatten write: WriteParams,
        flatten attrs: FileAttrs,
    }
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[
    ("msg", "What was done."),
    ("rc", "0, or why the file cannot be edited."),
    ("backup_file", "Path of the backup, if one was made."),
];

impl Module for Replace {
    fn plan(&self, cx: &PlanCx<'_>) -> Result<Plan> {
        let mut plan = Plan::default();
        let path = entry_path(cx.host, &self.path)?;
        let shown = self.path.expand(cx.host)?.display().to_string();
        if cx.host.stat(&path)?.is_some_and(|s| s.is_dir()) {
            plan.returns =
                Returns::failure(format!("Path {shown} is a directory !")).with("rc", 256);
            return Ok(plan);
        }
        let Some(before) = cx.host.read(&path)? else {
            let msg = format!("Path {shown} does not exist !");
            plan.returns = Returns::failure(msg).with("rc", 257);
            return Ok(plan);
        };
        let coding = self.coding(&before)?;
        let text = coding.decode(&before);
        plan.returns.set("rc", 0);
        let Some(section) = self.section(&text)? else {
            plan.returns.set(
                "msg",
                format!(
                    "Pattern for before/after params did not match the given file: {}",
                    self.around()
                ),
            );
            return Ok(plan);
        };
        let flags = Flags {
            multiline: true,
            ..Flags::default()
        };
        let pattern = Pattern::with(&self.regexp, flags)?;
        let (replaced, count) = pattern.replace_all(&text[section.clone()], &self.replace)?;
        let after = format!(
            "{}{replaced}{}",
            &text[..section.start],
            &text[section.end..]
        );
        let file = FileWrite::edit(cx, &path, &self.attrs, &self.write)?;
        let message = format!("{count} replacements made");
        let msg = file.edit_to(&mut plan, Some(&before), coding.encode(&after), &message)?;
        plan.returns.set("msg", msg);
        Ok(plan)
    }

    fn finish(&self, _: &PlanCx<'_>, returns: &mut Returns, outcomes: &[Outcome]) -> Result<()> {
        if let Some(backup) = backup_of(outcomes) {
            returns.set("backup_file", backup);
        }
        Ok(())
    }
}

impl Replace {
    fn coding(&self, bytes: &[u8]) -> Result<Coding> {
        let name = self.encoding.to_ascii_lowercase().replace(['-', '_'], "");
        match name.as_str() {
            "utf8" | "ascii" | "usascii" => match Coding::of(bytes) {
                Coding::Utf8 => Ok(Coding::Utf8),
                Coding::Bytes => Err(Error::host(format!("the file is not {}", self.encoding))
                    .hint("give its `encoding`, such as latin-1")),
            },
            "latin1" | "iso88591" => Ok(Coding::Bytes),
            _ => Err(Error::params(format!(
                "unknown encoding: {}",
                self.encoding
            ))),
        }
    }

    /// The pattern that finds the part that is looked at; empty if that is the whole file.
    fn around(&self) -> String {
        let given = |t: &Option<String>| t.clone().filter(|t| !t.is_empty());
        match (given(&self.after), given(&self.before)) {
            (Some(after), Some(before)) => format!("{after}(?P<subsection>.*?){before}"),
            (Some(after), None) => format!("{after}(?P<subsection>.*)"),
            (None, Some(before)) => format!("(?P<subsection>.*){before}"),
            (None, None) => String::new(),
        }
    }

    /// The part that is looked at; nothing if `after` and `before` do not match.
    fn section(&self, text: &str) -> Result<Option<Range<usize>>> {
        let around = self.around();
        if around.is_empty() {
            return Ok(Some(0..text.len()));
        }
        let pattern = Pattern::with(
            &around,
            Flags {
                dotall: true,
                ..Flags::default()
            },
        )?;
        let captures = pattern.search(text)?;
        Ok(captures.and_then(|c| c.name("subsection").map(|m| m.range())))
    }
}
