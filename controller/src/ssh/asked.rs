//! What `ssh` would be told: options by keyword, from a command line or from `ssh_config`. As with
//! `ssh`, the first value that a keyword gets is the one that counts.

use super::hostkeys::Strict;
use lks_agent::error::{Error, ErrorKind, Result};
use lks_agent::module::shlex;
use std::path::PathBuf;

/// Options of one connection.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct Asked {
    pub host_name: Option<String>,
    pub user: Option<String>,
    pub port: Option<u16>,
    /// Keys add up; all others are set once.
    pub identity_files: Vec<String>,
    pub identities_only: Option<bool>,
    pub proxy_jump: Option<String>,
    pub proxy_command: Option<String>,
    pub strict: Option<Strict>,
    pub known_hosts: Option<Vec<String>>,
    pub host_key_alias: Option<String>,
    pub connect_timeout: Option<u64>,
    /// `-F`: read this instead of `~/.ssh/config`.
    pub config_file: Option<PathBuf>,
}

/// Keywords that change nothing here: one connection is kept for a host anyway, no terminal is asked
/// for, and nothing is forwarded unless a task does it.
const MOOT: &[&str] = &[
    "addkeystoagent",
    "addressfamily",
    "batchmode",
    "checkhostip",
    "compression",
    "connectionattempts",
    "controlmaster",
    "controlpath",
    "controlpersist",
    "escapechar",
    "forwardagent",
    "forwardx11",
    "forwardx11trusted",
    "gssapiauthentication",
    "gssapidelegatecredentials",
    "hashknownhosts",
    "ipqos",
    "kbdinteractiveauthentication",
    "loglevel",
    "numberofpasswordprompts",
    "passwordauthentication",
    "preferredauthentications",
    "pubkeyauthentication",
    "requesttty",
    "sendenv",
    "serveralivecountmax",
    "serveraliveinterval",
    "tcpkeepalive",
    "updatehostkeys",
    "verifyhostkeydns",
    "visualhostkey",
];

/// Flags of `ssh` without a value that change nothing here.
const MOOT_FLAGS: &str = "46AaCKknqTtvXxYy";

impl Asked {
    /// Takes `keyword value` in; `false` when the keyword is not known.
    ///
    /// # Errors
    /// When the value does not fit.
    pub fn set(&mut self, keyword: &str, value: &str) -> Result<bool> {
        let text = || Some(value.to_string());
        match keyword.to_ascii_lowercase().as_str() {
            "hostname" => first(&mut self.host_name, text()),
            "user" => first(&mut self.user, text()),
            "port" => first(&mut self.port, Some(number(keyword, value)?)),
            "identityfile" => self.add_identity(value),
            "identitiesonly" => first(&mut self.identities_only, Some(is_yes(value))),
            "proxyjump" => first(&mut self.proxy_jump, text()),
            "proxycommand" => first(&mut self.proxy_command, text()),
            "stricthostkeychecking" => first(&mut self.strict, Some(strict(value)?)),
            "userknownhostsfile" => {
                let files = value.split_whitespace().map(String::from).collect();
                first(&mut self.known_hosts, Some(files));
            }
            "hostkeyalias" => first(&mut self.host_key_alias, text()),
            "connecttimeout" => first(&mut self.connect_timeout, Some(number(keyword, value)?)),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn add_identity(&mut self, file: &str) {
        if !file.eq_ignore_ascii_case("none") && !self.identity_files.iter().any(|f| f == file) {
            self.identity_files.push(file.to_string());
        }
    }

    /// Fills what is not set yet.
    pub fn fill(&mut self, later: Self) {
        first(&mut self.host_name, later.host_name);
        first(&mut self.user, later.user);
        first(&mut self.port, later.port);
        for file in &later.identity_files {
            self.add_identity(file);
        }
        first(&mut self.identities_only, later.identities_only);
        // Either of the two ways through another host rules the other out.
        if self.proxy_jump.is_none() && self.proxy_command.is_none() {
            self.proxy_jump = later.proxy_jump;
            self.proxy_command = later.proxy_command;
        }
        first(&mut self.strict, later.strict);
        first(&mut self.known_hosts, later.known_hosts);
        first(&mut self.host_key_alias, later.host_key_alias);
        first(&mut self.connect_timeout, later.connect_timeout);
        first(&mut self.config_file, later.config_file);
    }

    /// Reads arguments as `ssh` does; gives the words that are no options, too.
    ///
    /// # Errors
    /// When one is not understood here: leaving it aside could reach another host, or less safely.
    pub fn from_args(text: &str) -> Result<(Self, Vec<String>)> {
        let mut asked = Self::default();
        let mut words = Vec::new();
        let mut args = shlex::split(text)?.into_iter();
        while let Some(arg) = args.next() {
            let Some(letters) = arg.strip_prefix('-').filter(|l| !l.is_empty()) else {
                words.push(arg);
                continue;
            };
            let (flag, joined) = letters.split_at(letters.chars().next().map_or(0, char::len_utf8));
            if letters.chars().all(|c| MOOT_FLAGS.contains(c)) {
                continue;
            }
            if !"FJilopS".contains(flag) {
                return Err(not_understood(&arg));
            }
            let value = match joined {
                "" => args.next().ok_or_else(|| not_understood(&arg))?,
                joined => joined.to_string(),
            };
            asked.set_flag(flag, &value)?;
        }
        Ok((asked, words))
    }

    fn set_flag(&mut self, flag: &str, value: &str) -> Result<()> {
        let keyword = match flag {
            "F" => {
                first(&mut self.config_file, Some(PathBuf::from(value)));
                return Ok(());
            }
            // The path of a control socket: there is none.
            "S" => return Ok(()),
            "J" => "proxyjump",
            "i" => "identityfile",
            "l" => "user",
            "p" => "port",
            _ => return self.set_option(value),
        };
        self.set(keyword, value).map(drop)
    }

    /// `-o KEYWORD=VALUE`, `-o "KEYWORD VALUE"`.
    fn set_option(&mut self, text: &str) -> Result<()> {
        let (keyword, value) = split_option(text);
        if value.is_empty() {
            return Err(not_understood(&format!("-o {text}")));
        }
        let known = self.set(keyword, &value)?;
        if !known && !MOOT.contains(&keyword.to_ascii_lowercase().as_str()) {
            return Err(not_understood(&format!("-o {text}")));
        }
        Ok(())
    }
}

/// `keyword value`, `keyword=value`, `keyword "value"`.
pub fn split_option(text: &str) -> (&str, String) {
    let text = text.trim();
    let end = text
        .find(|c: char| c.is_whitespace() || c == '=')
        .unwrap_or(text.len());
    let (keyword, rest) = text.split_at(end);
    let rest = rest.trim_start();
    let value = rest.strip_prefix('=').unwrap_or(rest).trim();
    let bare = value
        .strip_prefix('"')
        .and_then(|v| v.strip_suffix('"'))
        .filter(|v| !v.contains('"'))
        .unwrap_or(value);
    (keyword, bare.to_string())
}

fn first<T>(slot: &mut Option<T>, value: Option<T>) {
    if slot.is_none() {
        *slot = value;
    }
}

fn is_yes(value: &str) -> bool {
    matches!(value.to_ascii_lowercase().as_str(), "yes" | "true")
}

fn strict(value: &str) -> Result<Strict> {
    match value.to_ascii_lowercase().as_str() {
        // There is nobody to ask in the middle of a run.
        "yes" | "true" | "ask" => Ok(Strict::Yes),
        "accept-new" => Ok(Strict::AcceptNew),
        "no" | "false" | "off" => Ok(Strict::No),
        other => Err(wrong(format!(
            "StrictHostKeyChecking is `yes`, `accept-new` or `no`, not `{other}`"
        ))),
    }
}

fn number<T: std::str::FromStr>(keyword: &str, value: &str) -> Result<T> {
    value
        .parse()
        .map_err(|_| wrong(format!("{keyword} cannot be `{value}`")))
}

fn wrong(text: String) -> Error {
    Error::new(ErrorKind::Unreachable, text)
}

fn not_understood(arg: &str) -> Error {
    wrong(format!("the ssh argument `{arg}` is not understood here")).hint(
        "lks makes connections itself: it knows -i, -l, -p, -J, -F, and -o with HostName, User, Port, \
         IdentityFile, IdentitiesOnly, ProxyJump, StrictHostKeyChecking, UserKnownHostsFile, \
         HostKeyAlias, ConnectTimeout",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read_as_ssh_reads_them() {
        let (asked, words) = Asked::from_args(
            "-C -o ControlMaster=auto -o ControlPersist=60s -oStrictHostKeyChecking=no \
             -o 'UserKnownHostsFile /dev/null' -J me@bastion:2222 -i ~/.ssh/one -p2200 -p 9 -q host",
        )
        .unwrap();
        assert_eq!(asked.strict, Some(Strict::No));
        assert_eq!(asked.known_hosts, Some(vec!["/dev/null".to_string()]));
        assert_eq!(asked.proxy_jump.as_deref(), Some("me@bastion:2222"));
        assert_eq!(asked.identity_files, ["~/.ssh/one"]);
        assert_eq!(asked.port, Some(2200), "the first value counts");
        assert_eq!(words, ["host"]);
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for text in [
            "-o Ciphers=aes128-ctr",
            "-w 0:0",
            "-o Port=x",
            "-o StrictHostKeyChecking=maybe",
            "-p",
        ] {
            let error = Asked::from_args(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unreachable, "{text}");
        }
        let error = Asked::from_args("-o Ciphers=aes128-ctr").unwrap_err();
        assert!(
            error.message().contains("`-o Ciphers=aes128-ctr`"),
            "{error}"
        );
    }
}
