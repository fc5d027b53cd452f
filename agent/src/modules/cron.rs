//! `ansible.builtin.cron`.

mod table;

use crate::error::{Error, Result};
use crate::host::{Attrs, Command, Consequence, Content, Effect, HostView, Outcome};
use crate::module::attrs::shown;
use crate::module::command::complaint;
use crate::module::{Diff, HostPath, Module, Plan, PlanCx, Returns, Rule};
use crate::value::Value;
use crate::{choices, params};
use std::path::{Path, PathBuf};
use table::Table;

choices! {
    /// Whether the job or variable is there.
    pub enum State { Present = "present", Absent = "absent" }
}

choices! {
    /// Times with a name.
    pub enum Special {
        Reboot = "reboot", Yearly = "yearly", Annually = "annually", Monthly = "monthly",
        Weekly = "weekly", Daily = "daily", Hourly = "hourly",
    }
}

params! {
    /// Keeps jobs and variables in a user's crontab, or in a file of `/etc/cron.d`.
    ///
    /// A job is known by its name, which stands in a comment above it.
    ///
    /// ```yaml
    /// - cron:
    ///     name: rotate the logs of vLLM
    ///     minute: "0"
    ///     hour: "3"
    ///     job: /usr/local/bin/rotate >/dev/null
    ///
    /// - cron:
    ///     name: PATH
    ///     env: true
    ///     job: /opt/bin:/usr/bin
    ///     user: root
    ///     cron_file: models
    /// ```
    pub struct Cron {
        /// What the job is called, or the variable's name.
        required name: String,
        /// Whose crontab; with `cron_file`, as whom the job runs.
        optional user: Option<String>,
        /// The command, or the variable's value.
        optional job | "value": Option<String>,
        /// Whether it is there.
        default(State::Present) state: State,
        /// A file, in `/etc/cron.d` if its path is relative, in the place of a user's crontab.
        optional cron_file: Option<HostPath>,
        /// Whether the crontab is kept as it was, too.
        default(false) backup: bool,
        /// The minute.
        default("*".to_string()) minute: String,
        /// The hour.
        default("*".to_string()) hour: String,
        /// The day of the month.
        default("*".to_string()) day | "dom": String,
        /// The month.
        default("*".to_string()) month: String,
        /// The day of the week.
        default("*".to_string()) weekday | "dow": String,
        /// A time with a name.
        optional special_time: Option<Special>,
        /// Whether the job stands in a comment.
        default(false) disabled: bool,
        /// Whether it is a variable.
        default(false) env: bool,
        /// Put a new variable behind this one.
        optional insertafter: Option<String>,
        /// Put a new variable before this one.
        optional insertbefore: Option<String>,
    }
    rules [Rule::Exclusive(&["insertafter", "insertbefore"])]
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[
    ("jobs", "Names of the jobs."),
    ("envs", "Names of the variables."),
    ("cron_file", "The file, if one was given."),
    ("backup_file", "Where the crontab is kept as it was."),
];

impl Module for Cron {
    fn plan(&self, cx: &PlanCx<'_>) -> Result<Plan> {
        let mut warnings = Vec::new();
        let file = self.file(cx.host, &mut warnings)?;
        self.check()?;
        let before = match &file {
            Some(path) => {
                let bytes = cx.host.read(path)?.unwrap_or_default();
                String::from_utf8_lossy(&bytes).into_owned()
            }
            None => self.crontab(cx.host)?,
        };
        let mut table = Table::new(&before);
        let wanted = self.change(&mut table, &mut warnings)?;
        let mut plan = Plan::default();
        plan.returns.warnings = warnings;
        let names = |names: Vec<String>| Value::from(names);
        plan.returns
            .set("jobs", names(table.jobs()))
            .set("envs", names(table.variables()));
        if let Some(given) = &self.cron_file {
            plan.returns.set("cron_file", given.0.as_str());
        }
        // The last line of a crontab must end.
        let ends = before.is_empty() || before.ends_with('\n');
        if !wanted && ends {
            return Ok(plan);
        }
        if self.backup {
            self.keep(cx, &before, &mut plan);
        }
        let gone = self.state == State::Absent && !self.env && table.is_empty();
        self.write(
            cx.host,
            file,
            before,
            (!gone).then(|| table.text()),
            &mut plan,
        )?;
        Ok(plan)
    }

    fn finish(&self, _: &PlanCx<'_>, returns: &mut Returns, outcomes: &[Outcome]) -> Result<()> {
        if let Some(Outcome::Ran(output)) = outcomes.last()
            && !output.success()
        {
            returns.fail(format!(
                "Failed to install new crontab: {}",
                complaint(output)
            ));
            returns.set("rc", output.rc);
        }
        Ok(())
    }
}

impl Cron {
    fn file(&self, host: &dyn HostView, warnings: &mut Vec<String>) -> Result<Option<PathBuf>> {
        let Some(given) = &self.cron_file else {
            return Ok(None);
        };
        let path = Path::new("/etc/cron.d").join(given.expand(host)?);
        if path == Path::new("/etc/crontab") {
            return Err(Error::params("Will not manage /etc/crontab via cron_file")
                .hint("a file of its own below /etc/cron.d does the same"));
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        if !name.chars().all(plain) {
            warnings.push(format!(
                "cron passes over the file \"{name}\": its name may only have letters, digits, `_` and `-`"
            ));
        }
        Ok(Some(path))
    }

    fn check(&self) -> Result<()> {
        let times = [
            &self.minute,
            &self.hour,
            &self.day,
            &self.month,
            &self.weekday,
        ];
        if self.special_time.is_some() && times.iter().any(|t| *t != "*") {
            return Err(Error::params(
                "You cannot combine special_time with any of the time or day/date parameters.",
            ));
        }
        if self.env && self.name.contains(' ') {
            return Err(Error::params("Invalid name for environment variable"));
        }
        if self.state == State::Absent {
            return Ok(());
        }
        if self.cron_file.is_some() && self.user.is_none() {
            return Err(Error::params(
                "To use cron_file=... parameter you must specify user=... as well",
            ));
        }
        if self.job.is_none() {
            return Err(Error::params(
                "You must specify 'job' to install a new cron job or variable",
            ));
        }
        if !self.env && (self.insertafter.is_some() || self.insertbefore.is_some()) {
            return Err(Error::params(
                "Insertafter and insertbefore parameters are valid only with env=yes",
            ));
        }
        Ok(())
    }

    /// Makes the change; says whether there was one to make.
    fn change(&self, table: &mut Table, warnings: &mut Vec<String>) -> Result<bool> {
        let value = self.job.as_deref().unwrap_or_default();
        Ok(match (self.env, self.state) {
            (true, State::Absent) => table.remove_variable(&self.name),
            (true, State::Present) => table.set_variable(
                &self.name,
                value,
                self.insertafter.as_deref(),
                self.insertbefore.as_deref(),
            )?,
            (false, State::Absent) => table.remove_job(&self.name),
            (false, State::Present) => {
                let job = value.trim_matches(['\r', '\n']);
                if job.contains(['\r', '\n']) {
                    warnings.push("Job should not contain line breaks".into());
                }
                table.set_job(&self.name, &self.line(job))
            }
        })
    }

    /// The job's line.
    fn line(&self, job: &str) -> String {
        let prefix = if self.disabled { "#" } else { "" };
        let when = match self.special_time {
            Some(special) => format!("@{}", special.word()),
            None => [
                &self.minute,
                &self.hour,
                &self.day,
                &self.month,
                &self.weekday,
            ]
            .map(String::as_str)
            .join(" "),
        };
        match (&self.cron_file, &self.user) {
            (Some(_), Some(user)) => format!("{prefix}{when} {user} {job}"),
            _ => format!("{prefix}{when} {job}"),
        }
    }

    /// `crontab`, for the user if it is another one.
    fn program(&self, host: &dyn HostView, last: &str) -> Result<Command> {
        let mut argv = vec!["crontab"];
        let own = host.user_by_id(host.current_uid())?;
        match &self.user {
            Some(user) if own.is_none_or(|own| own.name != *user) => argv.extend(["-u", user]),
            _ => {}
        }
        argv.push(last);
        Ok(Command::new(argv))
    }

    /// What `crontab -l` says, without the lines that it puts before.
    fn crontab(&self, host: &dyn HostView) -> Result<String> {
        if host.which("crontab")?.is_none() {
            return Err(
                Error::host("Failed to find required executable \"crontab\"")
                    .hint("install the package cron"),
            );
        }
        let output = host.query(&self.program(host, "-l")?)?;
        // 1 says that there is none yet.
        if !matches!(output.rc, 0 | 1) {
            return Err(Error::host(format!(
                "Unable to read crontab: {}",
                complaint(&output)
            )));
        }
        let text = output.out();
        let ours = |(at, line): &(usize, &str)| {
            let header = line.starts_with("# DO NOT EDIT THIS FILE - edit the master")
                || line.starts_with("# (/tmp/") && line.contains("installed on")
                || line.starts_with("# (") && line.contains("version");
            *at > 2 || !header
        };
        let lines = text.split_inclusive('\n').enumerate().filter(ours);
        Ok(lines.map(|(_, line)| line).collect())
    }

    fn keep(&self, cx: &PlanCx<'_>, before: &str, plan: &mut Plan) {
        let path = PathBuf::from(format!("/tmp/crontab.{:.0}", cx.host.now() * 1000.0));
        plan.returns.set("backup_file", shown(&path));
        plan.act(Effect::WriteFile {
            path,
            content: Content::Bytes(before.into()),
            attrs: Attrs {
                mode: Some(0o600),
                ..Attrs::default()
            },
            backup: false,
            validate: None,
            in_place: false,
        });
    }

    /// Puts the new text in place; without one, the file goes.
    fn write(
        &self,
        host: &dyn HostView,
        file: Option<PathBuf>,
        before: String,
        after: Option<String>,
        plan: &mut Plan,
    ) -> Result<()> {
        let subject = match (&file, &self.user) {
            (Some(path), _) => shown(path),
            (None, Some(user)) => format!("crontab for user \"{user}\""),
            (None, None) => "crontab".into(),
        };
        let text = after.clone().unwrap_or_default();
        let effect = match (file, after) {
            (Some(path), None) => Effect::Remove { path },
            (Some(path), Some(text)) => Effect::WriteFile {
                path,
                content: Content::Bytes(text.into_bytes()),
                attrs: Attrs::default(),
                backup: false,
                validate: None,
                in_place: false,
            },
            (None, _) => {
                let mut command = self.program(host, "-")?;
                command.stdin = Some(text.clone().into_bytes());
                let path = PathBuf::from("/var/spool/cron");
                command.then(vec![Consequence::PathUnknown { path }])
            }
        };
        plan.change(Diff::new(subject, before, text), effect);
        Ok(())
    }
}
