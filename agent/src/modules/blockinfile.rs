//! `blockinfile`.

use crate::choices;
use crate::error::Result;
use crate::host::Outcome;
use crate::module::attrs::{FileAttrs, entry_path};
use crate::module::content::{FileWrite, WriteParams, backup_of};
use crate::module::text::{Coding, any_lines};
use crate::module::{HostPath, Module, Plan, PlanCx, Returns, Rule};
use crate::params;
use crate::pattern::Pattern;

choices! {
    /// Whether the block should be there.
    pub enum State { Present = "present", Absent = "absent" }
}

params! {
    /// Makes sure that a block of lines is in a file, between two marker lines, or is not.
    ///
    /// ```yaml
    /// - blockinfile:
    ///     path: /etc/ssh/sshd_config
    ///     block: |
    ///       Match User deploy
    ///       PasswordAuthentication no
    ///
    /// - blockinfile:
    ///     path: /etc/hosts
    ///     marker: "# {mark} model servers"
    ///     insertbefore: BOF
    ///     block: 10.0.0.5 model-store
    /// ```
    pub struct BlockInFile {
        /// The file.
        required path | "dest" | "destfile" | "name": HostPath,
        /// Whether the block should be there.
        default(State::Present) state: State,
        /// The marker line; `{mark}` stands for `marker_begin` and `marker_end`.
        default("# {mark} ANSIBLE MANAGED BLOCK".to_owned()) marker: String,
        /// The lines. With none, the block is removed.
        optional block | "content": String,
        /// Insert a new block after the last line that matches this regular expression, or at `EOF`.
        optional insertafter: Option<String>,
        /// Insert a new block before the last line that matches this regular expression, or at `BOF`.
        optional insertbefore: Option<String>,
        /// Make the file if it is not there.
        default(false) create: bool,
        /// What `{mark}` becomes in the opening marker.
        default("BEGIN".to_owned()) marker_begin: String,
        /// What `{mark}` becomes in the closing marker.
        default("END".to_owned()) marker_end: String,
        /// Keep an empty line after the block.
        default(false) append_newline: bool,
        /// Keep an empty line before the block.
        default(false) prepend_newline: bool,
        flatten write: WriteParams,
        flatten attrs: FileAttrs,
    }
    rules [Rule::Exclusive(&["insertbefore", "insertafter"])]
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[
    ("msg", "What was done."),
    ("backup_file", "Path of the backup, if one was made."),
];

impl Module for BlockInFile {
    fn plan(&self, cx: &PlanCx<'_>) -> Result<Plan> {
        let mut plan = Plan::default();
        let path = entry_path(cx.host, &self.path)?;
        let shown = self.path.expand(cx.host)?.display().to_string();
        if cx.host.stat(&path)?.is_some_and(|s| s.is_dir()) {
            plan.returns =
                Returns::failure(format!("Path {shown} is a directory !")).with("rc", 256);
            return Ok(plan);
        }
        let before = cx.host.read(&path)?;
        if before.is_none() && !self.create {
            let msg = format!("Path {shown} does not exist !");
            plan.returns = Returns::failure(msg).with("rc", 257);
            return Ok(plan);
        }
        if before.is_none() && self.state == State::Absent {
            plan.returns.set("msg", format!("File {shown} not present"));
            return Ok(plan);
        }
        let old = before.as_deref().unwrap_or_default();
        let coding = Coding::of(old);
        let after = coding.encode(&self.edited(&coding.decode(old), coding)?);
        let message = match (&before, self.block_lines(coding).is_empty()) {
            (None, _) => "File created",
            (Some(_), true) => "Block removed",
            (Some(_), false) => "Block inserted",
        };
        let file = FileWrite::edit(cx, &path, &self.attrs, &self.write)?;
        let msg = file.edit_to(&mut plan, before.as_deref(), after, message)?;
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

impl BlockInFile {
    /// Both marker lines.
    fn markers(&self, coding: Coding) -> (String, String) {
        let marker = coding.seen(&self.marker);
        let with = |word: &str| format!("{}\n", marker.replace("{mark}", &coding.seen(word)));
        (with(&self.marker_begin), with(&self.marker_end))
    }

    /// The block with its markers; empty if there should be none.
    fn block_lines(&self, coding: Coding) -> Vec<String> {
        if self.state == State::Absent || self.block.is_empty() {
            return Vec::new();
        }
        let (begin, end) = self.markers(coding);
        let mut block = coding.seen(&self.block);
        if !block.ends_with('\n') {
            block.push('\n');
        }
        let mut lines = vec![begin];
        lines.extend(any_lines(&block));
        lines.push(end);
        lines
    }

    /// The text of the file as it should be.
    fn edited(&self, text: &str, coding: Coding) -> Result<String> {
        let mut lines = any_lines(text);
        let (begin, end) = self.markers(coding);
        let last = |wanted: &str| lines.iter().rposition(|line| line == wanted);
        let mut at = match (last(&begin), last(&end)) {
            (Some(a), Some(b)) => {
                let (first, last) = (a.min(b), a.max(b));
                lines.drain(first..=last);
                first
            }
            _ => self.place(text, &lines, coding)?,
        };
        if at > 0 && !lines[at - 1].ends_with('\n') {
            lines[at - 1].push('\n');
        }
        let present = self.state == State::Present;
        if self.prepend_newline && present && at != 0 && lines[at - 1] != "\n" {
            lines.insert(at, "\n".to_owned());
            at += 1;
        }
        let block = self.block_lines(coding);
        let after = at + block.len();
        lines.splice(at..at, block);
        if self.append_newline && present && lines.get(after).is_some_and(|l| l != "\n") {
            lines.insert(after, "\n".to_owned());
        }
        Ok(lines.concat())
    }

    /// The index at which a new block goes.
    fn place(&self, text: &str, lines: &[String], coding: Coding) -> Result<usize> {
        let (written, after) = match (self.insertafter.as_deref(), self.insertbefore.as_deref()) {
            (None, Some("BOF")) => return Ok(0),
            (Some("EOF"), _) | (None, None) => return Ok(lines.len()),
            (Some(after), _) => (after, true),
            (None, Some(before)) => (before, false),
        };
        let pattern = Pattern::new(&coding.seen(written))?;
        let line = if pattern.is_multiline() {
            // Looked for in the whole text, so that a pattern may span lines.
            pattern
                .search(text)?
                .and_then(|captures| captures.get(0))
                .map(|m| {
                    let end = if after { m.end() } else { m.start() };
                    text[..end].matches('\n').count()
                })
        } else {
            let mut found = None;
            for (i, line) in lines.iter().enumerate() {
                if pattern.is_match(line)? {
                    found = Some(i);
                }
            }
            found
        };
        Ok(line.map_or(lines.len(), |i| (i + usize::from(after)).min(lines.len())))
    }
}
