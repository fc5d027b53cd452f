//! Accounts of other name services (LDAP, sssd, systemd), asked through programs.

use super::*;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// An answer is believed for so long: a listing asks for the same owner a thousand times.
const FRESH: f64 = 5.0;

/// What was asked lately: the answer's fields, and when.
#[derive(Default)]
pub(super) struct Elsewhere {
    asked: Mutex<HashMap<(&'static str, String), Asked>>,
}

type Asked = (f64, Option<Vec<String>>);

impl RealHost {
    /// The fields of an entry of another name service. A machine that has only files is not asked.
    pub(super) fn getent(&self, database: &'static str, key: &str) -> Result<Option<Vec<String>>> {
        if self.is_folder() || key.is_empty() || !self.has_other_services(database) {
            return Ok(None);
        }
        let asked = &self.shared.accounts.elsewhere.asked;
        let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
        let now = here::monotonic();
        let name = (database, key.to_owned());
        if let Some((when, answer)) = asked.get(&name)
            && now - when < FRESH
        {
            return Ok(answer.clone());
        }
        let answer = self.ask(database, key)?;
        asked.insert(name, (now, answer.clone()));
        Ok(answer)
    }

    fn ask(&self, database: &str, key: &str) -> Result<Option<Vec<String>>> {
        if self.which("getent")?.is_none() {
            return Ok(None);
        }
        let command = Command {
            timeout: Some(std::time::Duration::from_secs(30)),
            ..Command::new(["getent", database, "--", key])
        };
        let output = self.run(&command, &|_| {})?;
        match output.rc {
            0 => {
                let out = output.out();
                let line = out.lines().next().unwrap_or_default();
                Ok(Some(line.split(':').map(str::to_owned).collect()))
            }
            // 2: there is none. 1: the database is not known here.
            1 | 2 => Ok(None),
            _ => Err(Error::host(format!(
                "cannot look up `{key}` in {database}: {}",
                output.err().trim()
            ))),
        }
    }

    fn has_other_services(&self, database: &str) -> bool {
        let text = files::read(Path::new("/etc/nsswitch.conf"));
        let text = text.ok().flatten().unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        text.lines()
            .filter_map(|l| l.split_once(':'))
            .filter(|(name, _)| name.trim() == database)
            .flat_map(|(_, services)| services.split_whitespace())
            .any(|service| !matches!(service, "files" | "compat") && !service.starts_with('['))
    }

    /// Names of the groups that another name service puts an account in, without its primary one.
    pub(super) fn groups_elsewhere(&self, user: &User) -> Result<Vec<String>> {
        let output = self.run(&Command::new(["id", "-G", "--", &user.name]), &|_| {})?;
        let ids = output.out();
        let ids = ids.split_whitespace().filter_map(|id| id.parse().ok());
        let mut names = Vec::new();
        for gid in ids.filter(|gid| *gid != user.gid) {
            names.extend(self.find_group_by_id(gid)?.map(|g| g.name));
        }
        Ok(names)
    }
}
