//! Where a host is and how to log in there: variables, flags, settings and `ssh_config`, merged.

use super::asked::Asked;
use super::hostkeys::Strict;
use super::{SshOptions, config};
use lks_agent::engine::Login;
use lks_agent::error::{Error, ErrorKind, Result};
use lks_agent::host::{HostView, RealHost, here};
use lks_agent::module::shlex;
use lks_agent::playbook::keyword::as_bool;
use lks_agent::secret::Secret;
use std::path::PathBuf;

/// Files with keys of hosts, where nothing else is said.
const KNOWN_HOSTS: &[&str] = &["~/.ssh/known_hosts", "~/.ssh/known_hosts2"];

/// How many hosts may lie between here and there: more is a circle in `ssh_config`.
const MAX_JUMPS: usize = 8;

/// One host, as a connection needs it.
#[derive(Clone, Debug)]
pub struct Target {
    /// As the inventory names it.
    pub name: String,
    pub address: String,
    pub port: u16,
    pub user: String,
    /// Keys that were asked for.
    pub keys: Vec<PathBuf>,
    /// Offer no others.
    pub only_these_keys: bool,
    pub password: Option<Secret<String>>,
    pub strict: Strict,
    /// The first one is written to.
    pub known_hosts: Vec<PathBuf>,
    /// The name in `known_hosts`, if it is another than the address.
    pub alias: Option<String>,
    /// Seconds that reaching it may take.
    pub timeout: u64,
    /// How often that is tried again.
    pub retries: u32,
    /// The host through which this one is reached.
    pub jump: Option<Box<Target>>,
}

impl Target {
    /// Merges what is said of `host`, in the order in which Ansible gives it to `ssh`.
    ///
    /// # Errors
    /// When an argument is not understood, or `ssh_config` is none.
    pub fn new(host: &str, login: &Login, options: &SshOptions) -> Result<Self> {
        let asked = asked(login, options)?;
        let address = login.address.clone().unwrap_or_else(|| host.to_string());
        let mut target = Self::resolve(host, &address, asked, options, 0)?;
        target.password = var(login, &["ansible_password", "ansible_ssh_pass"])
            .map(|text| Secret::new(text.to_string()))
            .or_else(|| options.password.clone());
        Ok(target)
    }

    fn resolve(
        name: &str,
        address: &str,
        mut asked: Asked,
        options: &SshOptions,
        depth: usize,
    ) -> Result<Self> {
        if depth > MAX_JUMPS {
            return Err(unreachable(format!("the way to {name} leads in a circle")));
        }
        let general = asked.clone();
        asked.fill(config::read(address, asked.config_file.as_deref())?);
        let user = match asked.user.clone() {
            Some(user) => user,
            None => local_user()?,
        };
        let host_name = asked.host_name.clone().unwrap_or_else(|| address.into());
        let address = host_name.replace("%h", address).replace("%%", "%");
        let path = |text: &String| path(text, &address, &user);
        let jump = jump(&asked, general, options, depth)?;
        let known_hosts = match &asked.known_hosts {
            Some(files) => files.iter().map(path).collect(),
            None => KNOWN_HOSTS.iter().map(|f| here::expand_home(f)).collect(),
        };
        Ok(Self {
            name: name.to_string(),
            port: asked.port.or(options.port).unwrap_or(22),
            keys: asked.identity_files.iter().map(path).collect(),
            only_these_keys: asked.identities_only.unwrap_or(false),
            password: None,
            strict: asked.strict.unwrap_or_default(),
            known_hosts,
            alias: asked.host_key_alias.clone(),
            timeout: asked.connect_timeout.unwrap_or(options.timeout),
            retries: options.retries,
            jump: jump.map(Box::new),
            address,
            user,
        })
    }

    /// As people write it: `user@address:port`.
    pub fn place(&self) -> String {
        format!("{}@{}:{}", self.user, self.address, self.port)
    }

    /// An error of this host: what was wrong there.
    pub fn unreachable(&self, text: impl std::fmt::Display) -> Error {
        let place = self.place();
        unreachable(format!("cannot reach {} ({place}): {text}", self.name))
    }
}

fn unreachable(text: String) -> Error {
    Error::new(ErrorKind::Unreachable, text)
}

/// The first of these variables that is set.
pub fn var<'l>(login: &'l Login, names: &[&str]) -> Option<&'l str> {
    names.iter().find_map(|name| {
        let found = login.more.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    })
}

/// What the command line of `ssh` would say, first things first.
fn asked(login: &Login, options: &SshOptions) -> Result<Asked> {
    let mut asked = Asked::default();
    let args = |asked: &mut Asked, text: Option<&str>, what: &str| -> Result<()> {
        let (more, words) =
            Asked::from_args(text.unwrap_or_default()).map_err(|e| e.context(what))?;
        if let Some(word) = words.first() {
            return Err(unreachable(format!("{what}: `{word}` is no option of ssh")));
        }
        asked.fill(more);
        Ok(())
    };
    args(&mut asked, options.args.as_deref(), "ssh_args")?;
    let check = var(login, &["ansible_host_key_checking"])
        .and_then(as_bool)
        .unwrap_or(options.host_key_checking);
    let key = var(
        login,
        &["ansible_private_key_file", "ansible_ssh_private_key_file"],
    )
    .or(options.private_key.as_deref());
    asked.fill(Asked {
        strict: (!check).then_some(Strict::No),
        user: login.user.clone(),
        port: login.port,
        identity_files: key.map(String::from).into_iter().collect(),
        ..Asked::default()
    });
    let common = var(login, &["ansible_ssh_common_args"]).or(options.common_args.as_deref());
    args(&mut asked, common, "ansible_ssh_common_args")?;
    let extra = var(login, &["ansible_ssh_extra_args"]).or(options.extra_args.as_deref());
    args(&mut asked, extra, "ansible_ssh_extra_args")?;
    Ok(asked)
}

/// The host before this one, if there is one.
fn jump(
    asked: &Asked,
    mut general: Asked,
    options: &SshOptions,
    depth: usize,
) -> Result<Option<Target>> {
    let (mut own, way) = match (&asked.proxy_jump, &asked.proxy_command) {
        (Some(way), _) if !is_none(way) => (Asked::default(), way.clone()),
        (None, Some(command)) if !is_none(command) => ssh_as_proxy(command)?,
        _ => return Ok(None),
    };
    // `a,b`: a is reached first, then b through it.
    let (before, last) = match way.rsplit_once(',') {
        Some((before, last)) => (Some(before.to_string()), last),
        None => (None, way.as_str()),
    };
    let (user, host, port) = destination(last)?;
    // Keys and the care about host keys hold for all hosts of the way; the rest is the target's own.
    general.user = user;
    general.port = port;
    general.host_name = None;
    general.host_key_alias = None;
    general.proxy_command = None;
    general.proxy_jump = before;
    own.fill(general);
    let target = Target::resolve(&host, &host, own, options, depth + 1);
    target.map(Some)
}

/// `ssh -W %h:%p … host` as `ProxyCommand` is what `ProxyJump` was before it had a name.
fn ssh_as_proxy(command: &str) -> Result<(Asked, String)> {
    let refuse = || {
        unreachable(format!("ProxyCommand `{command}` cannot be used here"))
            .hint("lks makes connections itself: say ProxyJump=[USER@]HOST[:PORT]")
    };
    let words = shlex::split(command)?;
    let is_ssh = words
        .first()
        .is_some_and(|w| w == "ssh" || w.ends_with("/ssh"));
    let at = words.iter().position(|w| w == "-W");
    let (true, Some(at)) = (is_ssh, at) else {
        return Err(refuse());
    };
    if words
        .get(at + 1)
        .is_none_or(|w| w != "%h:%p" && w != "[%h]:%p")
    {
        return Err(refuse());
    }
    let rest = words[1..at].iter().chain(&words[at + 2..]);
    let rest: Vec<String> = rest.map(|w| shlex::quote(w)).collect();
    match Asked::from_args(&rest.join(" "))? {
        (asked, words) if words.len() == 1 => Ok((asked, words[0].clone())),
        _ => Err(refuse()),
    }
}

fn is_none(value: &str) -> bool {
    value.eq_ignore_ascii_case("none")
}

/// `[ssh://][user@]host[:port]`, the host in brackets if it has colons.
fn destination(text: &str) -> Result<(Option<String>, String, Option<u16>)> {
    let text = text.trim();
    let bare = text.strip_prefix("ssh://").unwrap_or(text);
    let (user, rest) = match bare.rsplit_once('@') {
        Some((user, rest)) => (Some(user.to_string()), rest),
        None => (None, bare),
    };
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port)),
        _ => (rest, None),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = port
        .map(|p| {
            p.parse()
                .map_err(|_| unreachable(format!("`{text}`: `{p}` is no port")))
        })
        .transpose()?;
    if host.is_empty() {
        return Err(unreachable(format!("`{text}` names no host")));
    }
    Ok((user, host.to_string(), port))
}

/// A path with `~` and the tokens that keys and `known_hosts` have.
fn path(text: &str, host: &str, user: &str) -> PathBuf {
    let text = text
        .replace("%d", "~")
        .replace("%h", host)
        .replace("%r", user)
        .replace("%%", "%");
    here::expand_home(&text)
}

/// Who runs this: the user to log in as, where nothing else is said.
fn local_user() -> Result<String> {
    let host = RealHost::new();
    match host.user_by_id(host.current_uid())? {
        Some(user) => Ok(user.name),
        None => here::env("USER").ok_or_else(|| {
            unreachable("it is not known as whom to log in".into())
                .hint("name a user: -u USER, or ansible_user")
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> SshOptions {
        SshOptions {
            // No file of whoever runs the tests.
            args: Some("-F /dev/null".into()),
            ..SshOptions::default()
        }
    }

    fn login(more: &[(&str, &str)]) -> Login {
        Login {
            connection: "ssh".into(),
            address: Some("10.0.0.5".into()),
            port: None,
            user: Some("me".into()),
            become_user: None,
            become_method: "sudo".into(),
            become_flags: None,
            become_exe: None,
            become_same_user: false,
            more: more
                .iter()
                .map(|(k, v)| (k.to_string(), v.to_string()))
                .collect(),
        }
    }

    #[test]
    fn variables_go_over_flags() {
        let flags = SshOptions {
            private_key: Some("/flag".into()),
            common_args: Some("-p 1".into()),
            host_key_checking: false,
            ..options()
        };
        let of = |more| Target::new("web", &login(more), &flags).unwrap();
        let plain = of(&[]);
        assert_eq!(plain.place(), "me@10.0.0.5:1");
        assert_eq!(plain.keys, [PathBuf::from("/flag")]);
        assert_eq!(plain.strict, Strict::No);
        let own = of(&[
            ("ansible_ssh_private_key_file", "/own"),
            ("ansible_ssh_common_args", "-p 2"),
            ("ansible_host_key_checking", "true"),
        ]);
        assert_eq!(own.place(), "me@10.0.0.5:2");
        assert_eq!(own.keys, [PathBuf::from("/own")]);
        assert_eq!(own.strict, Strict::Yes);
    }

    #[test]
    fn a_way_through_others_is_found_in_both_forms() {
        let of = |args| {
            Target::new(
                "web",
                &login(&[("ansible_ssh_common_args", args)]),
                &options(),
            )
        };
        let two = of("-J a@one:22,two:2200").unwrap();
        let second = two.jump.unwrap();
        assert_eq!((second.address.as_str(), second.port), ("two", 2200));
        let first = second.jump.unwrap();
        assert_eq!(first.place(), "a@one:22");
        assert!(first.jump.is_none());
        let old = of("-o ProxyCommand=\"ssh -W %h:%p -q -p 7 b@bastion\"").unwrap();
        assert_eq!(old.jump.unwrap().place(), "b@bastion:7");
        assert!(of("-o ProxyCommand='nc %h %p'").is_err());
        assert!(of("-o ProxyJump=none").unwrap().jump.is_none());
    }
}
