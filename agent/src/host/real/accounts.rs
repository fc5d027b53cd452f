//! Accounts, out of `/etc/passwd`, `/etc/group` and `/etc/shadow`; then out of `getent`.
//!
//! libc's own functions are out of the question: in a static binary they load plugins, and crash.

use super::*;
use crate::secret::Secret;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// What the files said when they were last read.
#[derive(Default)]
pub(super) struct Accounts {
    files: Mutex<HashMap<&'static str, Parsed>>,
    pub elsewhere: getent::Elsewhere,
}

#[derive(Clone, Default)]
struct Parsed {
    /// Inode, size and times: an editor puts a new file in place, a program appends.
    seen: Option<(u64, u64, f64, f64)>,
    table: Arc<Table>,
}

#[derive(Default)]
struct Table {
    lines: Vec<Vec<String>>,
}

impl Table {
    fn by(&self, column: usize, value: &str) -> Option<&[String]> {
        self.lines
            .iter()
            .find(|l| l.get(column).is_some_and(|f| f == value))
            .map(Vec::as_slice)
    }
}

impl RealHost {
    fn table(&self, file: &'static str) -> Result<Arc<Table>> {
        let path = self.real(Path::new(file), true)?;
        let seen = files::stat(&path)?.map(|s| (s.inode, s.size, s.mtime, s.ctime));
        let accounts = &self.shared.accounts.files;
        let mut cache = accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let parsed = cache.entry(file).or_default();
        if parsed.seen != seen || seen.is_none() {
            // shadow is closed to most: its part of an account is then not known.
            let text = files::read(&path).unwrap_or_default().unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            let lines = text.lines().filter(|l| !l.starts_with(['#', '+', '-']));
            let lines = lines.map(|l| l.split(':').map(str::to_owned).collect());
            let table = Table {
                lines: lines.collect(),
            };
            *parsed = Parsed {
                seen,
                table: Arc::new(table),
            };
        }
        Ok(Arc::clone(&parsed.table))
    }

    pub(super) fn find_user(&self, name: &str) -> Result<Option<User>> {
        let found = self.table("/etc/passwd")?.by(0, name).and_then(user_of);
        match found {
            Some(user) => self.with_shadow(user).map(Some),
            None => Ok(self.getent("passwd", name)?.as_deref().and_then(user_of)),
        }
    }

    pub(super) fn find_user_by_id(&self, uid: u32) -> Result<Option<User>> {
        let id = uid.to_string();
        let found = self.table("/etc/passwd")?.by(2, &id).and_then(user_of);
        match found {
            Some(user) => self.with_shadow(user).map(Some),
            None => Ok(self.getent("passwd", &id)?.as_deref().and_then(user_of)),
        }
    }

    /// Without asking other services: for this process's own environment.
    pub(super) fn user_in_files(&self, uid: u32) -> Option<User> {
        let table = self.table("/etc/passwd").ok()?;
        table.by(2, &uid.to_string()).and_then(user_of)
    }

    pub(super) fn find_group(&self, name: &str) -> Result<Option<Group>> {
        match self.table("/etc/group")?.by(0, name).and_then(group_of) {
            None => Ok(self.getent("group", name)?.as_deref().and_then(group_of)),
            found => Ok(found),
        }
    }

    pub(super) fn find_group_by_id(&self, gid: u32) -> Result<Option<Group>> {
        let id = gid.to_string();
        match self.table("/etc/group")?.by(2, &id).and_then(group_of) {
            None => Ok(self.getent("group", &id)?.as_deref().and_then(group_of)),
            found => Ok(found),
        }
    }

    /// Of the group file; an account of another name service has its groups there, too.
    pub(super) fn find_groups_of(&self, user: &str) -> Result<Vec<String>> {
        let table = self.table("/etc/group")?;
        let groups = table.lines.iter().filter_map(|l| group_of(l));
        let groups = groups.filter(|g| g.members.iter().any(|m| m == user));
        let mut names: Vec<String> = groups.map(|g| g.name).collect();
        if self.table("/etc/passwd")?.by(0, user).is_none()
            && let Some(account) = self.find_user(user)?
        {
            names.extend(self.groups_elsewhere(&account)?);
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    fn with_shadow(&self, mut user: User) -> Result<User> {
        let table = self.table("/etc/shadow")?;
        let Some(line) = table.by(0, &user.name) else {
            return Ok(user);
        };
        let days = |i: usize| line.get(i).and_then(|d| d.parse().ok());
        user.password = line.get(1).cloned().map(Secret::new);
        user.password_days = [days(3), days(4), days(5)];
        user.expires = days(7);
        Ok(user)
    }
}

fn user_of(line: &[String]) -> Option<User> {
    let [name, _, uid, gid, gecos, home, shell] = line else {
        return None;
    };
    Some(User {
        name: name.clone(),
        uid: uid.parse().ok()?,
        gid: gid.parse().ok()?,
        gecos: gecos.clone(),
        home: home.clone(),
        shell: shell.clone(),
        ..User::default()
    })
}

fn group_of(line: &[String]) -> Option<Group> {
    let [name, _, gid, members] = line else {
        return None;
    };
    let members = members.split(',').filter(|m| !m.is_empty());
    Some(Group {
        name: name.clone(),
        gid: gid.parse().ok()?,
        members: members.map(str::to_owned).collect(),
    })
}
