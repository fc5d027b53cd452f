//! `ansible.builtin.shell`.

use crate::error::Result;
use crate::host::Outcome;
use crate::module::command::{CommandParams, Line};
use crate::module::{Module, Plan, PlanCx, Returns, Rule, reads, shlex};
use crate::params;

params! {
    /// Runs a command line with a shell: pipes, redirections and `&&` work.
    ///
    /// Use `command` where no shell is needed: nothing in its arguments is special. Quote variables
    /// with the `quote` filter.
    ///
    /// In check mode the text is not run. With `changed_when: false`, text that is known only to read
    /// (pipelines of `grep`, `mount` without arguments, `docker ps`, …) is run all the same, so that
    /// later tasks see the truth.
    ///
    /// ```yaml
    /// - name: Is it mounted?
    ///   shell: mount | grep -q '{{ efs_ip }}:/'
    ///   register: nfs_mounted
    ///   ignore_errors: true
    ///   changed_when: false
    ///
    /// - name: Unpack once
    ///   shell:
    ///     cmd: zcat models.gz > models.txt
    ///     chdir: /srv
    ///     creates: models.txt
    ///     executable: /bin/bash
    /// ```
    pub struct Shell {
        flatten command: CommandParams,
    }
    rules [
        Rule::OneOf(&["_raw_params", "cmd", "argv"]),
        Rule::Exclusive(&["_raw_params", "cmd", "argv"]),
    ]
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[
    ("cmd", "the command line"),
    ("rc", "exit status"),
    ("stdout", "standard output"),
    ("stdout_lines", "standard output, line by line"),
    ("stderr", "standard error"),
    ("stderr_lines", "standard error, line by line"),
    ("start", "when it was started"),
    ("end", "when it ended"),
    ("delta", "how long it ran"),
    ("msg", "why it failed or was not run"),
];

impl Shell {
    fn script(&self) -> String {
        let given = self.command.text().map(String::from);
        given.unwrap_or_else(|| shlex::join(self.command.argv.as_deref().unwrap_or_default()))
    }

    fn executable(&self) -> &str {
        self.command.executable.as_deref().unwrap_or("/bin/sh")
    }
}

impl Module for Shell {
    fn plan(&self, cx: &PlanCx<'_>) -> Result<Plan> {
        let script = self.script();
        let line = Line {
            argv: vec![self.executable().into(), "-c".into(), script.clone()],
            shown: script.into(),
        };
        self.command.plan(cx, line)
    }

    fn finish(&self, cx: &PlanCx<'_>, returns: &mut Returns, outcomes: &[Outcome]) -> Result<()> {
        self.command.finish(cx, returns, outcomes)
    }

    fn only_reads(&self) -> bool {
        let name = self.executable().rsplit('/').next().unwrap_or_default();
        matches!(name, "sh" | "bash" | "dash" | "ash") && reads::script_only_reads(&self.script())
    }
}
