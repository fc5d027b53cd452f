//! How to get to a host and as whom to work there, from keywords, variables and options.

use super::context::Login;
use super::task::{Seen, TaskCx};
use crate::error::{Error, ErrorKind, Result};
use crate::playbook::keyword::{Kw, as_bool};
use crate::template::Variables;
use crate::value::Value;
use std::sync::Arc;

/// Variables that a connection reads besides those with a field of their own.
const MORE: &[&str] = &[
    "ansible_ssh_private_key_file",
    "ansible_private_key_file",
    "ansible_ssh_common_args",
    "ansible_ssh_extra_args",
    "ansible_ssh_pass",
    "ansible_password",
    "ansible_become_password",
    "ansible_become_pass",
    "ansible_sudo_chdir",
    "ansible_host_key_checking",
];

impl TaskCx<'_> {
    /// How to get to `host` for this task.
    pub(super) fn login(&self, host: &Arc<str>, delegated: bool, seen: &Seen) -> Result<Login> {
        // A task that is delegated goes by the other host's connection variables.
        let other = delegated.then(|| seen.vars.of_host(host)).flatten();
        let vars = other.as_ref().unwrap_or(&seen.vars);
        let own = |name: &str| -> Result<Option<String>> { self.connection_var(name, vars) };
        let first = |names: &[&str]| -> Result<Option<String>> {
            for name in names {
                if let Some(text) = own(name)? {
                    return Ok(Some(text));
                }
            }
            Ok(None)
        };
        let options = &self.run.options;
        let is_here = matches!(&**host, "localhost" | "127.0.0.1" | "::1");
        let connection = match first(&["ansible_connection"])? {
            Some(given) => given,
            None if delegated && is_here => "local".into(),
            None => match self.text(Kw::Connection, seen)? {
                Some(given) => given,
                None => options.connection.clone().unwrap_or_else(|| "ssh".into()),
            },
        };
        let connection = match connection.as_str() {
            "ansible.builtin.local" => "local".into(),
            "ansible.builtin.ssh" | "smart" | "paramiko" | "paramiko_ssh" => "ssh".into(),
            _ => connection,
        };
        let port = match first(&["ansible_port", "ansible_ssh_port"])? {
            Some(port) => Some(port),
            None => self.text(Kw::Port, seen)?,
        };
        let user = match first(&["ansible_user", "ansible_ssh_user"])? {
            Some(user) => Some(user),
            None => match self.text(Kw::RemoteUser, seen)? {
                Some(user) => Some(user),
                None => options.remote_user.clone(),
            },
        };
        let become_ = match own("ansible_become")? {
            Some(text) => as_bool(&text).unwrap_or(false),
            None => self.flag(Kw::Become, seen)?.unwrap_or(options.become_),
        };
        Ok(Login {
            // A task always sees an `ansible_host`; the older name was written by somebody.
            address: first(&["ansible_ssh_host", "ansible_host"])?,
            port: port.map(|p| parse_port(&p)).transpose()?,
            user,
            become_user: if become_ {
                Some(match own("ansible_become_user")? {
                    // No name at all means root, as for `sudo` itself.
                    Some(user) if user.is_empty() => "root".into(),
                    Some(user) => user,
                    None => self
                        .text(Kw::BecomeUser, seen)?
                        .unwrap_or_else(|| options.become_user.clone()),
                })
            } else {
                None
            },
            become_method: match own("ansible_become_method")? {
                Some(method) => method,
                None => self
                    .text(Kw::BecomeMethod, seen)?
                    .unwrap_or_else(|| options.become_method.clone()),
            },
            become_flags: match own("ansible_become_flags")? {
                Some(flags) => Some(flags),
                None => self.text(Kw::BecomeFlags, seen)?,
            },
            become_exe: match own("ansible_become_exe")? {
                Some(exe) => Some(exe),
                None => self.text(Kw::BecomeExe, seen)?,
            },
            become_same_user: options.become_same_user,
            more: {
                let mut more = Vec::new();
                // A task that stays in this process asks for nothing more.
                let wanted = if connection == "local" && !become_ {
                    &[]
                } else {
                    MORE
                };
                for name in wanted {
                    if let Some(text) = own(name)? {
                        more.push(((*name).to_string(), text));
                    }
                }
                // `-K`, where the host has no password of its own.
                let has_own = more
                    .iter()
                    .any(|(name, _)| name.starts_with("ansible_become_pass"));
                if let (true, false, Some(asked)) = (become_, has_own, &options.become_password) {
                    more.push(("ansible_become_password".into(), asked.reveal().clone()));
                }
                more
            },
            connection,
        })
    }

    /// A variable of the host that the task works on, as text.
    pub(super) fn host_variable(
        &self,
        effective: &super::task::Effective,
        seen: &Seen,
        name: &str,
    ) -> Result<Option<String>> {
        let other = effective.delegate_to.as_ref();
        let other = other.and_then(|host| seen.vars.of_host(host));
        self.connection_var(name, other.as_ref().unwrap_or(&seen.vars))
    }

    fn connection_var(&self, name: &str, vars: &Arc<dyn Variables>) -> Result<Option<String>> {
        let Some(value) = vars.get(name) else {
            return Ok(None);
        };
        Ok(match self.run.templar.resolve(&value, vars)? {
            Value::Null | Value::Omit => None,
            value => Some(self.run.text(&value)),
        })
    }
}

fn parse_port(text: &str) -> Result<u16> {
    text.parse().map_err(|_| {
        Error::new(
            ErrorKind::Syntax,
            format!("`{text}` is no port: a number from 1 to 65535 is needed"),
        )
    })
}
