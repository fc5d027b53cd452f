//! `ansible.builtin.user`.
//!
//! Step by step, each planned when the one before is done: the account, its fields, then what belongs
//! to it (`home`: its folder; `key`: its SSH key; the age of its password).

mod account;
mod home;
mod key;

use crate::error::Result;
use crate::host::{Command, HostView, Outcome, User as Account};
use crate::module::{Diff, HostPath, Module, Plan, PlanCx, Returns};
use crate::secret::Secret;
use crate::value::{Map, Value};
use crate::{choices, params};
use std::path::Path;

choices! {
    /// Whether it is there.
    pub enum State { Present = "present", Absent = "absent" }
}

choices! {
    /// When the password is set.
    pub enum UpdatePassword { Always = "always", OnCreate = "on_create" }
}

params! {
    /// Makes, changes and removes accounts of users.
    ///
    /// `password` is a hash as in `/etc/shadow` (the `password_hash` filter makes one), never the
    /// password itself.
    ///
    /// ```yaml
    /// - user:
    ///     name: deploy
    ///     groups: [docker, sudo]
    ///     append: true
    ///     shell: /bin/bash
    ///     generate_ssh_key: true
    ///     ssh_key_type: ed25519
    ///
    /// - user:
    ///     name: old
    ///     state: absent
    ///     remove: true
    /// ```
    pub struct User {
        /// The account.
        required name | "user": String,
        /// Whether it is there.
        default(State::Present) state: State,
        /// Its number.
        optional uid: Option<u32>,
        /// Whether another account may have the same number.
        default(false) non_unique: bool,
        /// Its primary group, by name or number.
        optional group: Option<String>,
        /// Its other groups; an empty text takes it out of all.
        optional groups: Option<Vec<String>>,
        /// Whether groups are only added.
        default(false) append: bool,
        /// Its description.
        optional comment: Option<String>,
        /// Its home folder.
        optional home: Option<HostPath>,
        /// Its shell.
        optional shell: Option<HostPath>,
        /// The hash of its password; `*` for none.
        optional password: Option<Secret<String>>,
        /// Whether an existing account's password is changed too.
        default(UpdatePassword::Always) update_password: UpdatePassword,
        /// Whether its password is locked.
        optional password_lock: Option<bool>,
        /// Most days between changes of its password.
        optional password_expire_max: Option<i64>,
        /// Least days between changes of its password.
        optional password_expire_min: Option<i64>,
        /// Days of warning before its password expires.
        optional password_expire_warn: Option<i64>,
        /// Days after its password expired until it is disabled.
        optional password_expire_account_disable: Option<i64>,
        /// When the account expires, in seconds since 1970; negative for never.
        optional expires: Option<f64>,
        /// Whether its home folder is made.
        default(true) create_home | "createhome": bool,
        /// Whether the home folder moves when `home` changes.
        default(false) move_home: bool,
        /// Folder whose content a new home gets.
        optional skeleton: Option<String>,
        /// Mask of a new home's mode.
        optional umask: Option<String>,
        /// Whether a new account gets a number of the range for the system's own.
        default(false) system: bool,
        /// With `state: absent`, also while it is logged in; with `generate_ssh_key`, over an existing key.
        default(false) force: bool,
        /// With `state: absent`, its home folder and mail too.
        default(false) remove: bool,
        /// Whether an SSH key is made for it.
        optional generate_ssh_key: Option<bool>,
        /// Size of the key; the type's own if 0.
        default(0) ssh_key_bits: i64,
        /// Type of the key.
        default("rsa".to_string()) ssh_key_type: String,
        /// Its file, absolute or in the home folder (`.ssh/id_TYPE` if not given).
        optional ssh_key_file: Option<HostPath>,
        /// Its comment.
        optional ssh_key_comment: Option<String>,
        /// Its passphrase; none if not given.
        optional ssh_key_passphrase: Option<Secret<String>>,
        /// SELinux user.
        optional seuser: Option<String>,
        /// Only the host's own files are looked at and changed (`luseradd` and its like).
        default(false) local: bool,
        /// Least number for a new account.
        optional uid_min: Option<u32>,
        /// Greatest number for a new account.
        optional uid_max: Option<u32>,
        /// Accepted for compatibility: macOS only.
        optional hidden: Option<bool>,
        /// Accepted for compatibility: BSD only.
        optional login_class: Option<String>,
        /// Accepted for compatibility: Solaris only.
        optional profile: Option<String>,
        /// Accepted for compatibility: Solaris only.
        optional authorization: Option<String>,
        /// Accepted for compatibility: Solaris only.
        optional role: Option<String>,
    }
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[
    ("name", "the account"),
    ("state", "whether it is there"),
    ("uid", "its number"),
    ("group", "number of its primary group"),
    ("groups", "its other groups"),
    ("comment", "its description"),
    ("home", "its home folder"),
    ("shell", "its shell"),
    ("append", "whether groups were only added"),
    ("move_home", "whether the home folder was moved"),
    ("create_home", "whether a home folder was made"),
    ("system", "whether a number for the system's own was asked"),
    ("password", "that there is one"),
    ("ssh_key_file", "path of its SSH key"),
    ("ssh_public_key", "its public key"),
    ("ssh_fingerprint", "fingerprint of its key"),
];

impl Module for User {
    fn plan(&self, cx: &PlanCx<'_>) -> Result<Plan> {
        // Accepted, and without meaning on Linux.
        let _ = (
            &self.hidden,
            &self.login_class,
            &self.profile,
            &self.authorization,
            &self.role,
        );
        if let Some(failure) = self.failure(cx.outcomes) {
            return Ok(Plan::returning(failure));
        }
        let current = self.current(cx.host)?;
        let mut plan = Plan::returning(self.returns(current.as_ref()));
        match (self.state, &current) {
            (State::Absent, Some(account)) => self.remove(account, &mut plan),
            (State::Absent, None) => {}
            (State::Present, None) => {
                self.add(cx.host, &mut plan)?;
                plan.more = true;
            }
            (State::Present, Some(account)) => {
                self.modify(cx.host, account, &mut plan)?;
                if plan.changes.is_empty() {
                    self.belongings(cx, account, &mut plan)?;
                } else {
                    plan.more = true;
                }
            }
        }
        self.warn(&mut plan.returns);
        Ok(plan)
    }

    fn finish(&self, _: &PlanCx<'_>, returns: &mut Returns, outcomes: &[Outcome]) -> Result<()> {
        let (mut out, mut err) = (String::new(), String::new());
        for outcome in outcomes {
            if let Outcome::Ran(output) = outcome {
                out.push_str(&output.out());
                err.push_str(&output.err());
            }
        }
        for (name, text) in [("stdout", out), ("stderr", err)] {
            if !text.is_empty() {
                returns.set(name, text);
            }
        }
        if !returns.failed
            && let Some(failure) = self.failure(outcomes)
        {
            returns.failed = true;
            returns.values.extend(failure.values);
        }
        Ok(())
    }
}

impl User {
    fn current(&self, host: &dyn HostView) -> Result<Option<Account>> {
        if self.local {
            let table = host.read(Path::new("/etc/passwd"))?.unwrap_or_default();
            let text = String::from_utf8_lossy(&table).into_owned();
            let prefix = format!("{}:", self.name);
            if !text.lines().any(|l| l.starts_with(&prefix)) {
                return Ok(None);
            }
        }
        host.user(&self.name)
    }

    /// The program, or its namesake that only knows local files.
    fn program(&self, name: &str) -> String {
        if self.local {
            format!("l{name}")
        } else {
            name.into()
        }
    }

    fn failure(&self, outcomes: &[Outcome]) -> Option<Returns> {
        let output = outcomes.iter().find_map(|o| match o {
            Outcome::Ran(output) if !output.success() => Some(output),
            _ => None,
        })?;
        let mut returns = Returns::default()
            .with("name", self.name.as_str())
            .with("rc", output.rc);
        returns.fail(output.err());
        Some(returns)
    }

    fn returns(&self, current: Option<&Account>) -> Returns {
        let mut returns = Returns::default()
            .with("name", self.name.as_str())
            .with("state", self.state.word());
        if self.state == State::Absent {
            if current.is_some() {
                returns.set("force", self.force).set("remove", self.remove);
            }
            return returns;
        }
        returns
            .set("append", self.append)
            .set("move_home", self.move_home)
            .set("create_home", self.create_home)
            .set("system", self.system);
        if self.password.is_some() {
            returns.set("password", "NOT_LOGGING_PASSWORD");
        }
        if let Some(groups) = &self.groups {
            returns.set("groups", groups.join(","));
        }
        if let Some(account) = current {
            returns
                .set("uid", account.uid)
                .set("group", account.gid)
                .set("comment", account.gecos.as_str())
                .set("home", account.home.as_str())
                .set("shell", account.shell.as_str());
        }
        returns
    }

    /// What belongs to an account that is as it should be.
    fn belongings(&self, cx: &PlanCx<'_>, account: &Account, plan: &mut Plan) -> Result<()> {
        if self.create_home {
            self.make_home(cx.host, account, plan)?;
        }
        if self.generate_ssh_key.unwrap_or(false) {
            self.make_key(cx, account, plan)?;
        }
        let wanted = [
            self.password_expire_min,
            self.password_expire_max,
            self.password_expire_warn,
        ];
        let mut argv = vec!["chage".to_string()];
        for ((wanted, current), option) in wanted
            .iter()
            .zip(account.password_days)
            .zip(["-m", "-M", "-W"])
        {
            if let Some(days) = wanted.filter(|days| Some(*days) != current) {
                argv.extend([option.into(), days.to_string()]);
            }
        }
        if argv.len() > 1 {
            argv.push(self.name.clone());
            let days = |d: [Option<i64>; 3]| -> Map {
                let names = ["min", "max", "warn"];
                names
                    .into_iter()
                    .zip(d)
                    .map(|(n, d)| (n.into(), Value::from(d)))
                    .collect()
            };
            let after: Vec<Option<i64>> = wanted
                .iter()
                .zip(account.password_days)
                .map(|(w, c)| w.or(c))
                .collect();
            let after = [after[0], after[1], after[2]];
            let then = crate::host::Consequence::User {
                user: Account {
                    password_days: after,
                    ..account.clone()
                },
                id_known: true,
            };
            plan.change(
                Diff::new(
                    format!("password of {}", self.name),
                    days(account.password_days),
                    days(after),
                ),
                Command::new(argv).then(vec![then]),
            );
        }
        Ok(())
    }

    fn warn(&self, returns: &mut Returns) {
        if self.append && self.groups.is_none() {
            returns.warnings.push("'append' is set, but no 'groups' are specified. Use 'groups' for appending new groups.".into());
        }
        if self.password.as_ref().is_some_and(|p| !is_hash(p.reveal())) {
            returns.warnings.push(
                "The input password appears not to have been hashed. The 'password' argument must be \
                 encrypted for this module to work properly."
                    .into(),
            );
        }
    }
}

/// Whether a text looks like a hash of `crypt(5)`, or says that there is no password.
fn is_hash(text: &str) -> bool {
    if matches!(text, "" | "*" | "!" | "*************") {
        return true;
    }
    let fields: Vec<&str> = text.split('$').collect();
    if fields.len() < 3 || text.contains([':', '*', '!']) {
        return false;
    }
    let last = fields[fields.len() - 1];
    let plain = last
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "./".contains(c));
    plain
        && match fields[1] {
            "1" => last.len() == 22,
            "5" | "y" => last.len() == 43,
            "6" => last.len() == 86,
            _ => true,
        }
}

#[cfg(test)]
mod tests {
    use super::is_hash;

    #[test]
    fn a_plain_password_is_noticed() {
        let hash = format!("$6$salt${}", "a".repeat(86));
        for (text, want) in [
            (hash.as_str(), true),
            ("*", true),
            ("secret", false),
            ("$6$salt$short", false),
        ] {
            assert_eq!(is_hash(text), want, "{text}");
        }
    }
}
