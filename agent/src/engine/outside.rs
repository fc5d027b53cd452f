//! What templates may ask of the machine that holds the playbook.

use super::aws::AwsMemory;
use crate::error::{Error, Result};
use crate::host::{FileKind, HostView, RealHost, Redirects, Request, Stat, here};
use crate::playbook::vault::VaultKeys;
use crate::secret::masked;
use crate::template::{
    AskAws, AwsFound, Clock, Entry, EntryKind, Fetch, Outside, Piped, Variables,
};
use crate::value::Value;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The machine that holds the playbook.
#[derive(Debug)]
pub struct Controller {
    /// Keys of vaults.
    pub vault: VaultKeys,
    /// What `ansible_managed` is where no variable says it.
    pub managed: String,
    /// Whether conditions may be of any type.
    pub lenient: bool,
    /// What the lookup `config` finds.
    pub setting: super::options::SettingNamed,
    /// What AWS answered.
    pub aws: AwsMemory,
    /// Texts without markers that a template trusted.
    pub trusted: Mutex<HashSet<String>>,
}

impl Outside for Controller {
    fn env(&self, name: &str) -> Option<String> {
        here::env(name)
    }

    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>> {
        here::read(path)
    }

    /// As Ansible searches: the roles around the task, then the playbook's folder.
    fn find(&self, kind: &str, name: &str, scope: &dyn Variables) -> Option<PathBuf> {
        let text = |name: &str| match scope.get(name) {
            Some(Value::Str(s)) => Some(PathBuf::from(&*s)),
            _ => None,
        };
        let mut dirs: Vec<PathBuf> = Vec::new();
        if let Some(Value::List(places)) = scope.get("ansible_search_path") {
            dirs.extend(places.iter().filter_map(Value::as_str).map(PathBuf::from));
        }
        dirs.extend(text("playbook_dir"));
        dirs.push(here::working_dir());
        super::files::find_in(&dirs, kind, name).ok()
    }

    fn list(&self, dir: &Path) -> Result<Vec<String>> {
        here::list(dir).ok_or_else(|| Error::host(format!("cannot list {}", dir.display())))
    }

    fn entry(&self, path: &Path, follow: bool) -> Option<Entry> {
        let host = RealHost::new();
        let stat = if follow {
            host.stat(path)
        } else {
            host.lstat(path)
        };
        stat.ok().flatten().map(|stat| entry(&host, path, &stat))
    }

    fn zone(&self, unix: i64) -> (i32, String) {
        here::zone(unix)
    }

    fn fetch(&self, fetch: &Fetch) -> Result<Vec<u8>> {
        let host = RealHost::new();
        let answer = host.fetch(&request(&host, fetch)?)?;
        if answer.status >= 400 {
            return Err(Error::host(format!(
                "Received HTTP error for {}: HTTP Error {}: {}",
                fetch.url, answer.status, answer.reason
            )));
        }
        Ok(answer.body)
    }

    fn aws(&self, asked: &AskAws) -> Result<AwsFound> {
        self.aws.ask(asked)
    }

    fn ask_name_servers(&self, servers: &[String], message: &[u8], tcp: bool) -> Result<Vec<u8>> {
        here::ask_name_servers(servers, message, tcp)
    }

    fn tells_of_untrusted(&self) -> bool {
        here::env("_ANSIBLE_TEMPLAR_UNTRUSTED_TEMPLATE_BEHAVIOR").as_deref() == Some("warning")
    }

    fn warn(&self, message: &str) {
        here::print_error(&masked(&format!("[WARNING]: {message}")));
    }

    fn pipe(&self, command: &str) -> Result<Piped> {
        let argv = ["/bin/sh", "-c", command].map(String::from);
        let done = here::run(&argv)?;
        Ok(Piped {
            status: done.rc,
            stdout: done.stdout,
            stderr: done.stderr,
        })
    }

    fn now(&self) -> Clock {
        let now = here::now();
        Clock {
            unix: now as i64,
            micros: (now.fract() * 1e6) as u32,
        }
    }

    fn random(&self) -> u64 {
        here::random_bytes(8)
            .ok()
            .and_then(|b| b.try_into().ok())
            .map_or_else(now_bits, u64::from_le_bytes)
    }

    fn write(&self, path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
        here::write(path, bytes, mode)
    }

    fn real_path(&self, path: &Path) -> PathBuf {
        here::real_path(path)
    }

    fn working_dir(&self) -> PathBuf {
        here::working_dir()
    }

    fn host_name(&self) -> String {
        let name = here::read_text(Path::new("/proc/sys/kernel/hostname"));
        name.ok().flatten().unwrap_or_default().trim().to_owned()
    }

    fn setting(
        &self,
        name: &str,
        plugin: Option<(&str, &str)>,
        _scope: &dyn Variables,
    ) -> Result<Option<(Value, String)>> {
        Ok(match (name, plugin) {
            ("DEFAULT_MANAGED_STR", None) => {
                Some((Value::from(self.managed.as_str()), "default".into()))
            }
            ("ALLOW_BROKEN_CONDITIONALS", None) => {
                Some((Value::Bool(self.lenient), "default".into()))
            }
            (name, Some(("become", method))) => {
                let value = become_default(name, method);
                value.map(|value| (Value::from(value), "default".into()))
            }
            (name, None) => (self.setting)(name)?,
            _ => None,
        })
    }

    fn decrypt(&self, text: &str) -> Result<Vec<u8>> {
        self.vault.decrypt(text)
    }

    fn note_trusted(&self, text: &str) {
        let mut trusted = self.trusted.lock().unwrap_or_else(PoisonError::into_inner);
        trusted.insert(text.to_string());
    }

    fn was_trusted(&self, text: &str) -> bool {
        let trusted = self.trusted.lock().unwrap_or_else(PoisonError::into_inner);
        trusted.contains(text)
    }

    fn was_vaulted(&self, text: &str) -> bool {
        self.vault.was_vaulted(text)
    }
}

/// The request that the lookup `url` wants.
fn request(host: &RealHost, fetch: &Fetch) -> Result<Request> {
    let mut request = Request::new("GET", &fetch.url);
    request.headers.clone_from(&fetch.headers);
    request.validate_certs = fetch.validate_certs;
    request.use_proxy = fetch.use_proxy;
    request.user.clone_from(&fetch.user);
    request.password.clone_from(&fetch.password);
    request.force_basic_auth = fetch.force_basic_auth;
    request.negotiate = fetch.negotiate;
    request.timeout = Duration::from_secs_f64(fetch.timeout.clamp(0.001, 1e9));
    request.unix_socket.clone_from(&fetch.unix_socket);
    request.ca_path.clone_from(&fetch.ca_path);
    request.redirects = match fetch.follow_redirects {
        None => Redirects::Safe,
        Some(true) => Redirects::All,
        Some(false) => Redirects::None,
    };
    if fetch.use_netrc && request.user.is_none() {
        let login = crate::module::http::netrc(host, &fetch.url)?;
        if login.user.is_some() {
            // They go before an `Authorization` that was asked for, as in Ansible.
            let other = |(name, _): &(String, String)| !name.eq_ignore_ascii_case("authorization");
            request.headers.retain(other);
            request.force_basic_auth = true;
            request.user = login.user;
            request.password = login.password;
        }
    }
    Ok(request)
}

/// What templates may know of a path.
fn entry(host: &RealHost, path: &Path, stat: &Stat) -> Entry {
    let text = path.display().to_string();
    let mounts = host.mounts().unwrap_or_default();
    Entry {
        kind: match stat.kind {
            FileKind::File => EntryKind::File,
            FileKind::Dir => EntryKind::Directory,
            FileKind::Link => EntryKind::Link,
            _ => EntryKind::Other,
        },
        size: stat.size,
        mode: stat.mode,
        uid: stat.uid,
        gid: stat.gid,
        owner: host.user_by_id(stat.uid).ok().flatten().map(|u| u.name),
        group: host.group_by_id(stat.gid).ok().flatten().map(|g| g.name),
        mtime: stat.mtime,
        ctime: stat.ctime,
        target: host.read_link(path).ok().flatten(),
        identity: (stat.device, stat.inode),
        mounted: mounts.iter().any(|m| m.target == text),
    }
}

/// Something that differs from call to call, where the kernel gives no random bytes.
fn now_bits() -> u64 {
    here::now().to_bits()
}

/// What Ansible's ways to become another user are set to where nobody says anything.
fn become_default(name: &str, method: &str) -> Option<&'static str> {
    let method = method.strip_prefix("ansible.builtin.").unwrap_or(method);
    match (name, method) {
        ("become_flags", "sudo") => Some("-H -S -n"),
        ("become_flags", "su" | "runas") => Some(""),
        ("become_exe", "sudo") => Some("sudo"),
        ("become_exe", "su") => Some("su"),
        ("become_user", "sudo" | "su") => Some("root"),
        _ => None,
    }
}
