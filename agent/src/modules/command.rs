//! `ansible.builtin.command`.

use crate::error::Result;
use crate::host::Outcome;
use crate::module::command::{CommandParams, Line};
use crate::module::{Module, Plan, PlanCx, Returns, Rule, reads};
use crate::params;

params! {
    /// Runs a program, without a shell.
    ///
    /// `$VAR` and `~` in arguments are replaced, but pipes, redirections and `&&` mean nothing: use
    /// `shell` for those. `creates` and `removes` make it do nothing on a second run.
    ///
    /// In check mode the program is not run. With `changed_when: false`, a program that is known only to
    /// read (`docker ps`, `systemctl is-active`, …) is run all the same, so that later tasks see the truth.
    ///
    /// ```yaml
    /// - name: Start the containers
    ///   command: docker compose up -d
    ///   args:
    ///     chdir: /opt/llm
    ///
    /// - name: Make a key once
    ///   command:
    ///     argv: [ssh-keygen, -t, ed25519, -f, /root/.ssh/id_ed25519, -N, ""]
    ///     creates: /root/.ssh/id_ed25519
    /// ```
    pub struct Command {
        flatten command: CommandParams,
    }
    rules [
        Rule::OneOf(&["_raw_params", "cmd", "argv"]),
        Rule::Exclusive(&["_raw_params", "cmd", "argv"]),
    ]
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[
    ("cmd", "program and arguments"),
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

impl Module for Command {
    fn plan(&self, cx: &PlanCx<'_>) -> Result<Plan> {
        let argv = self.command.split()?;
        let line = Line {
            argv: self.command.expand(&argv, cx.host)?,
            shown: argv.into(),
        };
        let mut plan = self.command.plan(cx, line)?;
        if let Some(given) = &self.command.executable {
            plan.returns.warnings.push(format!(
                "`executable` is no longer supported by `command`: `{given}` is not used"
            ));
        }
        Ok(plan)
    }

    fn finish(&self, cx: &PlanCx<'_>, returns: &mut Returns, outcomes: &[Outcome]) -> Result<()> {
        self.command.finish(cx, returns, outcomes)
    }

    fn only_reads(&self) -> bool {
        self.command
            .split()
            .is_ok_and(|argv| reads::argv_only_reads(&argv))
    }
}
