//! What `command` and `shell` have in common: their parameters, when they skip, and what they return.

use super::{Change, HostPath, Plan, PlanCx, Returns, glob, shlex, time};
use crate::error::Result;
use crate::host::{Command, HostView, Outcome, Output};
use crate::params;
use crate::value::Value;
use std::path::Path;

params! {
    /// What `command` and `shell` accept.
    pub struct CommandParams {
        /// The command line, given as the task's text.
        optional _raw_params: Option<String>,
        /// The command line.
        optional cmd: Option<String>,
        /// Program and arguments, one by one.
        optional argv: Option<Vec<String>>,
        /// Run in this directory.
        optional chdir: Option<HostPath>,
        /// Do not run if something matches this path or pattern.
        optional creates: Option<HostPath>,
        /// Do not run unless something matches this path or pattern.
        optional removes: Option<HostPath>,
        /// The shell to run the text with, by its absolute path (`/bin/sh` if not given).
        optional executable: Option<String>,
        /// Text for the command's standard input.
        optional stdin: Option<String>,
        /// Whether a line feed is added to that text.
        default(true) stdin_add_newline: bool,
        /// Whether line ends are cut off the end of the output.
        default(true) strip_empty_ends: bool,
        /// Whether `$VAR` and `~` in arguments are replaced (`command` only: a shell does it itself).
        default(true) expand_argument_vars: bool,
    }
}

/// A command line, ready to run.
pub struct Line {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// What `cmd` of the result shows.
    pub shown: Value,
}

impl CommandParams {
    /// The command line as text; nothing if it was given as arguments.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        let raw = self._raw_params.as_deref().filter(|t| !t.is_empty());
        raw.or(self.cmd.as_deref())
    }

    /// The arguments that `command` runs: split, but not yet expanded.
    ///
    /// # Errors
    /// When a quote is open.
    pub fn split(&self) -> Result<Vec<String>> {
        match (self.text(), &self.argv) {
            (Some(text), _) => shlex::split(text),
            (None, Some(argv)) => Ok(argv.clone()),
            (None, None) => Ok(Vec::new()),
        }
    }

    /// Replaces `$VAR` and `~` in each argument, as Ansible does before it runs a program.
    ///
    /// # Errors
    /// When the host's accounts cannot be read.
    pub fn expand(&self, argv: &[String], host: &dyn HostView) -> Result<Vec<String>> {
        if !self.expand_argument_vars {
            return Ok(argv.to_vec());
        }
        argv.iter()
            .map(|a| match a.contains('$') || a.starts_with('~') {
                true => Ok(HostPath(a.clone())
                    .expand(host)?
                    .to_string_lossy()
                    .into_owned()),
                false => Ok(a.clone()),
            })
            .collect()
    }

    /// Plans to run the line, unless `creates` or `removes` says that there is nothing to do.
    ///
    /// # Errors
    /// When the host cannot be read.
    pub fn plan(&self, cx: &PlanCx<'_>, line: Line) -> Result<Plan> {
        let mut returns = Returns::default();
        returns
            .set("cmd", line.shown)
            .set("rc", Value::Null)
            .set("stdout", "")
            .set("stderr", "")
            .set("start", Value::Null)
            .set("end", Value::Null)
            .set("delta", Value::Null)
            .set("msg", "");
        if line.argv.is_empty() {
            returns.set("rc", 256).fail("no command given");
            return Ok(Plan::returning(returns));
        }
        let chdir = self.chdir.as_ref().map(|d| d.expand(cx.host)).transpose()?;
        if let Some(dir) = &chdir
            && !cx.host.stat(dir)?.is_some_and(|s| s.is_dir())
        {
            returns.fail("Unable to change directory before execution.");
            return Ok(Plan::returning(with_lines(returns)));
        }
        if let Some((path, how)) = self.skip(cx, chdir.as_deref())? {
            let did = if cx.check { "Would" } else { "Did" };
            returns
                .set("rc", 0)
                .set("stdout", format!("skipped, since {path} {how}"))
                .set("msg", format!("{did} not run command since '{path}' {how}"));
            return Ok(Plan::returning(with_lines(returns)));
        }
        let mut command = Command::new(line.argv);
        command.chdir = chdir;
        command.stdin = self.stdin.as_ref().map(|text| {
            let end = if self.stdin_add_newline { "\n" } else { "" };
            format!("{text}{end}").into_bytes()
        });
        let mut plan = Plan::returning(returns);
        plan.changes.push(Change {
            diff: None,
            effect: command.effect(),
            counts: true,
        });
        Ok(plan)
    }

    /// Why there is nothing to do, if there is not.
    fn skip(&self, cx: &PlanCx<'_>, dir: Option<&Path>) -> Result<Option<(String, &'static str)>> {
        for (path, exists, how) in [
            (&self.creates, true, "exists"),
            (&self.removes, false, "does not exist"),
        ] {
            let Some(path) = path else { continue };
            let path = path.expand(cx.host)?;
            let full = dir.map_or_else(|| path.clone(), |d| d.join(&path));
            if is_there(cx.host, &full)? == exists {
                return Ok(Some((path.to_string_lossy().into_owned(), how)));
            }
        }
        Ok(None)
    }

    /// Fills the return values in from what the program did.
    ///
    /// # Errors
    /// Of kind `Unknown` when it was not run (check mode).
    pub fn finish(
        &self,
        cx: &PlanCx<'_>,
        returns: &mut Returns,
        outcomes: &[Outcome],
    ) -> Result<()> {
        let Some(outcome) = outcomes.last() else {
            return Ok(());
        };
        let output = outcome.ran().inspect_err(|_| forget(returns))?;
        let zone = time::zone(cx.host)?;
        let clock = |at: f64| time::Civil::at(at, zone.offset(at).seconds).to_string();
        let cut = |text: String| match self.strip_empty_ends {
            true => text.trim_end_matches(['\r', '\n']).to_string(),
            false => text,
        };
        returns
            .set("rc", output.rc)
            .set("stdout", cut(output.out()))
            .set("stderr", cut(output.err()))
            .set("start", clock(output.start))
            .set("end", clock(output.end))
            .set("delta", time::delta(output.end - output.start));
        if output.rc != 0 {
            returns.fail("non-zero return code");
        }
        *returns = with_lines(std::mem::take(returns));
        Ok(())
    }
}

/// What a program would have said is not known, and neither empty nor null.
fn forget(returns: &mut Returns) {
    for name in ["rc", "stdout", "stderr", "start", "end", "delta", "msg"] {
        returns.values.shift_remove(name);
    }
}

fn is_there(host: &dyn HostView, path: &Path) -> Result<bool> {
    if glob::is_pattern(&path.to_string_lossy()) {
        return Ok(!glob::expand(host, path)?.is_empty());
    }
    Ok(host.lstat(path)?.is_some())
}

/// Adds `stdout_lines` and `stderr_lines`.
fn with_lines(mut returns: Returns) -> Returns {
    for (text, list) in [("stdout", "stdout_lines"), ("stderr", "stderr_lines")] {
        let lines = returns.values.get(text).and_then(Value::as_str).map(lines);
        returns.set(list, lines.unwrap_or_default());
    }
    returns
}

/// Returns what a program said, for modules that have no more to say of it; any status but 0 fails.
///
/// # Errors
/// When the last outcome is none of a program.
pub fn report(returns: &mut Returns, outcomes: &[Outcome]) -> Result<()> {
    let Some(outcome) = outcomes.last() else {
        return Ok(());
    };
    let output = outcome.ran()?;
    let (out, err) = (output.out(), output.err());
    returns
        .set("rc", output.rc)
        .set("stdout_lines", Value::from(lines(&out)))
        .set("stdout", out)
        .set("stderr_lines", Value::from(lines(&err)))
        .set("stderr", err);
    if output.rc != 0 {
        returns.fail("non-zero return code");
    }
    Ok(())
}

/// Splits text at every line boundary that Python's `splitlines` knows.
#[must_use]
pub fn lines(text: &str) -> Vec<String> {
    const ENDS: &[char] = &[
        '\n', '\r', '\u{b}', '\u{c}', '\u{1c}', '\u{1d}', '\u{1e}', '\u{85}', '\u{2028}',
        '\u{2029}',
    ];
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(ENDS) {
        out.push(rest[..at].to_string());
        let end = if rest[at..].starts_with("\r\n") {
            2
        } else {
            rest[at..].chars().next().map_or(1, char::len_utf8)
        };
        rest = &rest[at + end..];
    }
    if !rest.is_empty() {
        out.push(rest.into());
    }
    out
}

/// Why a program failed, in one line: what it said last on standard error, else on standard output.
#[must_use]
pub fn complaint(output: &Output) -> String {
    let (err, out) = (output.err(), output.out());
    let last = |text: &str| {
        let line = text.lines().rev().find(|l| !l.trim().is_empty());
        line.map(|l| l.trim().to_string())
    };
    match last(&err).or_else(|| last(&out)) {
        Some(line) => line,
        None if output.timed_out => "it took too long".into(),
        None => format!("it ended with status {}", output.rc),
    }
}

/// A path as text, for commands.
#[must_use]
pub fn arg(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn lines_end_where_python_ends_them() {
        assert_eq!(lines("a\r\nb\rc\n\nd"), ["a", "b", "c", "", "d"]);
        assert!(lines("").is_empty());
    }
}
