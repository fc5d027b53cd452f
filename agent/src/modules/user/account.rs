//! The account itself: made, changed and removed by the tools of shadow.

use super::{UpdatePassword, User};
use crate::error::{Error, Result};
use crate::host::{Attrs, Command, Consequence, Effect, Group, HostView, User as Account};
use crate::module::time::Civil;
use crate::module::{Diff, Plan};
use crate::secret::Secret;
use crate::value::{Key, Map, Value};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const DAY: f64 = 86_400.0;

impl User {
    pub(super) fn add(&self, host: &dyn HostView, plan: &mut Plan) -> Result<()> {
        let mut argv = vec![self.program("useradd")];
        let mut push = |option: &str, value: String| argv.extend([option.to_string(), value]);
        if let Some(uid) = self.uid {
            push("-u", uid.to_string());
        }
        if let Some(seuser) = &self.seuser {
            push("-Z", seuser.clone());
        }
        let primary = self.primary(host)?;
        if let Some(group) = &self.group {
            push("-g", group.clone());
        }
        let groups = self.group_names(host)?.unwrap_or_default();
        if !groups.is_empty() && !self.local {
            push("-G", groups.join(","));
        }
        if let Some(comment) = &self.comment {
            push("-c", comment.clone());
        }
        let home = self.home_path(host)?;
        if let Some(home) = &self.home {
            if self.create_home
                && let Some(parent) = home.expand(host)?.parent()
            {
                make_dirs(host, parent, plan)?;
            }
            push("-d", home.expand(host)?.to_string_lossy().into_owned());
        }
        if let Some(shell) = &self.shell {
            push("-s", shell.0.clone());
        }
        if let Some(date) = self.expires.map(expiry).filter(|_| !self.local) {
            push("-e", date);
        }
        if let Some(days) = self.password_expire_account_disable {
            push("-f", days.to_string());
        }
        if let Some(password) = self.locked_password() {
            push("-p", password);
        }
        for (given, key) in [(self.uid_min, "UID_MIN"), (self.uid_max, "UID_MAX")] {
            if let Some(number) = given {
                push("-K", format!("{key}={number}"));
            }
        }
        if self.create_home {
            if let Some(skeleton) = &self.skeleton {
                push("-k", skeleton.clone());
            }
            if let Some(umask) = &self.umask {
                push("-K", format!("UMASK={umask}"));
            }
        }
        let own_group_exists = self.group.is_none() && host.group(&self.name)?.is_some();
        for (wanted, option) in [
            (self.uid.is_some() && self.non_unique, "-o"),
            (own_group_exists && !self.local, "-N"),
            (own_group_exists && self.local, "-n"),
            (self.create_home && !self.local, "-m"),
            (!self.create_home, "-M"),
            (self.system, "-r"),
        ] {
            if wanted {
                argv.push(option.into());
            }
        }
        argv.push(self.name.clone());
        let user = Account {
            name: self.name.clone(),
            uid: self.uid.unwrap_or_default(),
            gid: primary
                .as_ref()
                .map_or(self.uid.unwrap_or_default(), |g| g.gid),
            gecos: self.comment.clone().unwrap_or_default(),
            home: home.to_string_lossy().into_owned(),
            shell: self
                .shell
                .as_ref()
                .map_or("/bin/sh".into(), |s| s.0.clone()),
            password: self.locked_password().map(Secret::new),
            expires: self
                .expires
                .filter(|e| *e >= 0.0)
                .map(|e| (e / DAY).floor() as i64),
            password_days: [None; 3],
        };
        let mut then = vec![Consequence::User {
            user: user.clone(),
            id_known: self.uid.is_some(),
        }];
        if self.create_home {
            then.push(Consequence::PathUnknown { path: home });
        }
        if !groups.is_empty() {
            then.push(Consequence::Membership {
                user: self.name.clone(),
                groups: groups.clone(),
            });
        }
        let mut shown = describe(&user, &groups);
        if self.uid.is_none() {
            shown.shift_remove("uid");
            shown.shift_remove("group");
        }
        let diff = Diff::new(format!("user {}", self.name), Value::Null, shown);
        plan.change(diff, Command::new(argv).then(then));
        if self.local {
            self.local_extras(&groups, &[], plan);
        }
        Ok(())
    }

    pub(super) fn modify(
        &self,
        host: &dyn HostView,
        current: &Account,
        plan: &mut Plan,
    ) -> Result<()> {
        let mut new = current.clone();
        let mut argv = vec![self.program("usermod")];
        if let Some(uid) = self.uid.filter(|uid| *uid != current.uid) {
            argv.extend(["-u".into(), uid.to_string()]);
            if self.non_unique {
                argv.push("-o".into());
            }
            new.uid = uid;
        }
        if let Some(group) = self.primary(host)?.filter(|g| g.gid != current.gid) {
            argv.extend(["-g".into(), group.gid.to_string()]);
            new.gid = group.gid;
        }
        let before = host.groups_of(&self.name)?;
        let after = self.groups_after(host, &before)?;
        if let Some(after) = after.as_ref().filter(|_| !self.local) {
            argv.extend(["-G".into(), after.join(",")]);
        }
        let home = self.home.as_ref().map(|h| h.expand(host)).transpose()?;
        let home = home.map(|h| h.to_string_lossy().into_owned());
        let shell = self.shell.as_ref().map(|s| s.0.clone());
        for (wanted, field, option) in [
            (&self.comment, &mut new.gecos, "-c"),
            (&home, &mut new.home, "-d"),
            (&shell, &mut new.shell, "-s"),
        ] {
            if let Some(wanted) = wanted.as_ref().filter(|w| *w != field) {
                argv.extend([option.into(), wanted.clone()]);
                if option == "-d" && self.move_home {
                    argv.push("-m".into());
                }
                field.clone_from(wanted);
            }
        }
        self.modify_expiry(host, current, &mut new, &mut argv)?;
        self.modify_password(current, &mut new, &mut argv);
        let groups_change = after.is_some();
        if argv.len() > 1 || groups_change {
            let groups = after.clone().unwrap_or_else(|| before.clone());
            let diff = Diff::new(
                format!("user {}", self.name),
                describe(current, &before),
                describe(&new, &groups),
            );
            let mut then = vec![Consequence::User {
                user: new.clone(),
                id_known: true,
            }];
            if groups_change {
                then.push(Consequence::Membership {
                    user: self.name.clone(),
                    groups: groups.clone(),
                });
            }
            if argv.len() > 1 {
                argv.push(self.name.clone());
                plan.change(diff, Command::new(argv).then(then));
            }
            if self.local && groups_change {
                self.local_extras(&groups, &before, plan);
            }
        }
        Ok(())
    }

    pub(super) fn remove(&self, current: &Account, plan: &mut Plan) {
        let mut argv = vec![self.program("userdel")];
        if self.force && !self.local {
            argv.push("-f".into());
        }
        if self.remove {
            argv.push("-r".into());
        }
        argv.push(self.name.clone());
        let mut then = vec![Consequence::UserGone {
            name: self.name.clone(),
        }];
        if self.remove {
            then.push(Consequence::PathUnknown {
                path: current.home.clone().into(),
            });
        }
        let diff = Diff::new(
            format!("user {}", self.name),
            describe(current, &[]),
            Value::Null,
        );
        plan.change(diff, Command::new(argv).then(then));
    }

    /// The tools for local files know neither groups nor expiry: others do that.
    fn local_extras(&self, after: &[String], before: &[String], plan: &mut Plan) {
        for group in after.iter().filter(|g| !before.contains(g)) {
            plan.act(Command::new(["lgroupmod", "-M", &self.name, group]).effect());
        }
        for group in before.iter().filter(|g| !after.contains(g)) {
            plan.act(Command::new(["lgroupmod", "-m", &self.name, group]).effect());
        }
        if let Some(expires) = self.expires {
            let days = if expires < 0.0 {
                -1
            } else {
                (expires / DAY).floor() as i64
            };
            plan.act(Command::new(["lchage", "-E", &days.to_string(), &self.name]).effect());
        }
    }

    fn modify_expiry(
        &self,
        host: &dyn HostView,
        current: &Account,
        new: &mut Account,
        argv: &mut Vec<String>,
    ) -> Result<()> {
        if let Some(expires) = self.expires.filter(|_| !self.local) {
            let wanted = (expires >= 0.0).then(|| (expires / DAY).floor() as i64);
            if wanted != current.expires.filter(|d| *d >= 0) {
                argv.extend(["-e".into(), expiry(expires)]);
                new.expires = wanted;
            }
        }
        if let Some(days) = self.password_expire_account_disable
            && shadow_field(host, &self.name, 6)? != Some(days)
        {
            argv.extend(["-f".into(), days.to_string()]);
        }
        Ok(())
    }

    fn modify_password(&self, current: &Account, new: &mut Account, argv: &mut Vec<String>) {
        let there = current
            .password
            .as_ref()
            .map_or("", |p| p.reveal().as_str());
        let bare = there.trim_start_matches('!');
        let wanted = self
            .password
            .as_ref()
            .filter(|_| self.update_password == UpdatePassword::Always);
        if wanted.is_some_and(|w| w.reveal().trim_start_matches('!') != bare) {
            let password = self.locked_password().unwrap_or_default();
            argv.extend(["-p".into(), password.clone()]);
            new.password = Some(Secret::new(password));
        } else if self.password_lock == Some(true) && !there.starts_with('!') {
            argv.push("-L".into());
            new.password = Some(Secret::new(format!("!{there}")));
        } else if self.password_lock == Some(false) && there.starts_with('!') {
            argv.push("-U".into());
            new.password = Some(Secret::new(bare.into()));
        }
    }

    fn locked_password(&self) -> Option<String> {
        let password = self.password.as_ref()?.reveal();
        Some(match self.password_lock {
            Some(true) => format!("!{password}"),
            _ => password.clone(),
        })
    }

    fn primary(&self, host: &dyn HostView) -> Result<Option<Group>> {
        self.group.as_ref().map(|g| find_group(host, g)).transpose()
    }

    /// Names of the groups that are asked for.
    fn group_names(&self, host: &dyn HostView) -> Result<Option<Vec<String>>> {
        let Some(groups) = &self.groups else {
            return Ok(None);
        };
        let names = groups.iter().map(|g| g.trim()).filter(|g| !g.is_empty());
        let names: BTreeSet<String> = names
            .map(|g| find_group(host, g).map(|g| g.name))
            .collect::<Result<_>>()?;
        Ok(Some(names.into_iter().collect()))
    }

    /// The groups that it must be in; nothing if it is so already.
    fn groups_after(&self, host: &dyn HostView, before: &[String]) -> Result<Option<Vec<String>>> {
        let Some(wanted) = self.group_names(host)? else {
            return Ok(None);
        };
        let before: BTreeSet<String> = before.iter().cloned().collect();
        let mut after: BTreeSet<String> = wanted.into_iter().collect();
        if self.append {
            after.extend(before.iter().cloned());
        }
        Ok((after != before).then(|| after.into_iter().collect()))
    }

    fn home_path(&self, host: &dyn HostView) -> Result<PathBuf> {
        match &self.home {
            Some(home) => home.expand(host),
            None => Ok(Path::new("/home").join(&self.name)),
        }
    }
}

/// A group by its number or its name, as playbooks may give it.
fn find_group(host: &dyn HostView, text: &str) -> Result<Group> {
    let by_id = match text.parse() {
        Ok(gid) => host.group_by_id(gid)?,
        Err(_) => None,
    };
    match by_id {
        Some(group) => Ok(group),
        None => host
            .group(text)?
            .ok_or_else(|| Error::host(format!("Group {text} does not exist"))),
    }
}

/// A date for `-e`; empty text means never.
fn expiry(seconds: f64) -> String {
    if seconds < 0.0 {
        return String::new();
    }
    let day = Civil::utc(seconds);
    format!("{:04}-{:02}-{:02}", day.year, day.month, day.day)
}

/// A number of `shadow(5)` that the account's facts do not hold.
fn shadow_field(host: &dyn HostView, name: &str, index: usize) -> Result<Option<i64>> {
    let table = host.read(Path::new("/etc/shadow"))?.unwrap_or_default();
    let text = String::from_utf8_lossy(&table).into_owned();
    let prefix = format!("{name}:");
    let line = text.lines().find(|l| l.starts_with(&prefix));
    Ok(line.and_then(|l| l.split(':').nth(index)?.parse().ok()))
}

/// The account for a difference: whether there is a password, but never which.
fn describe(account: &Account, groups: &[String]) -> Map {
    let password = account
        .password
        .as_ref()
        .map(|p| match p.reveal().starts_with('!') {
            true => "locked",
            false => "set",
        });
    [
        ("uid", Value::from(account.uid)),
        ("group", account.gid.into()),
        ("groups", groups.to_vec().into()),
        ("comment", account.gecos.as_str().into()),
        ("home", account.home.as_str().into()),
        ("shell", account.shell.as_str().into()),
        ("expires", account.expires.into()),
        ("password", password.into()),
    ]
    .into_iter()
    .map(|(k, v)| (Key::from(k), v))
    .collect()
}

fn make_dirs(host: &dyn HostView, path: &Path, plan: &mut Plan) -> Result<()> {
    if host.stat(path)?.is_some() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        make_dirs(host, parent, plan)?;
    }
    let effect = Effect::MakeDir {
        path: path.into(),
        attrs: Attrs {
            mode: Some(0o755),
            ..Attrs::default()
        },
    };
    plan.change(
        Diff::new(path.to_string_lossy(), Value::Null, "directory\n"),
        effect,
    );
    Ok(())
}
