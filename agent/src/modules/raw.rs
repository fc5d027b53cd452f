//! `ansible.builtin.raw`.

use crate::error::Result;
use crate::host::{Command, Outcome};
use crate::module::command::report;
use crate::module::{Change, Module, Plan, PlanCx, Returns, reads};
use crate::params;

params! {
    /// Runs a command line with a shell, and nothing else: no return values are made up, no line ends
    /// are cut off, `environment` does not reach it. Here it needs no more of a host than `shell` does;
    /// it is there for playbooks that use it to put a Python in place first.
    ///
    /// In check mode it is not run, unless it is known only to read and `changed_when` is false.
    ///
    /// ```yaml
    /// - name: Put Python in place for other tools
    ///   raw: test -e /usr/bin/python3 || apt-get install -y python3-minimal
    ///   changed_when: false
    /// ```
    pub struct Raw {
        /// The command line.
        default(String::new()) _raw_params: String,
        /// The shell to run it with, by its absolute path (`/bin/sh` if not given).
        optional executable: Option<String>,
    }
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[
    ("rc", "exit status"),
    ("stdout", "standard output"),
    ("stdout_lines", "standard output, line by line"),
    ("stderr", "standard error"),
    ("stderr_lines", "standard error, line by line"),
];

impl Raw {
    fn shell(&self) -> &str {
        let given = self.executable.as_deref().filter(|e| !e.is_empty());
        given.unwrap_or("/bin/sh")
    }
}

impl Module for Raw {
    fn plan(&self, _: &PlanCx<'_>) -> Result<Plan> {
        let command = Command::new([self.shell(), "-c", &self._raw_params]);
        let mut plan = Plan::default();
        plan.changes.push(Change {
            diff: None,
            effect: command.effect(),
            counts: true,
        });
        Ok(plan)
    }

    fn finish(&self, _: &PlanCx<'_>, returns: &mut Returns, outcomes: &[Outcome]) -> Result<()> {
        report(returns, outcomes)
    }

    fn only_reads(&self) -> bool {
        let name = self.shell().rsplit('/').next().unwrap_or_default();
        matches!(name, "sh" | "bash" | "dash" | "ash")
            && reads::script_only_reads(&self._raw_params)
    }
}
