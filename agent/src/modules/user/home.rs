//! A home folder that is missing: made as `useradd` would.

use super::User;
use crate::error::Result;
use crate::host::{Attrs, Content, Effect, FileKind, HostView, User as Account};
use crate::module::{Diff, Plan};
use crate::value::Value;
use std::path::Path;

impl User {
    pub(super) fn make_home(
        &self,
        host: &dyn HostView,
        account: &Account,
        plan: &mut Plan,
    ) -> Result<()> {
        let home = Path::new(&account.home);
        // Where only the real run shows it, the tool that made the account has made its home.
        let there = match host.stat(home) {
            Err(e) if e.is_unknown() => true,
            other => other?.is_some(),
        };
        if there || account.home.is_empty() {
            return Ok(());
        }
        let skeleton = self.skeleton.as_deref().unwrap_or("/etc/skel");
        let mode = home_mode(host)?;
        copy(host, Path::new(skeleton), home, account, Some(mode), plan)
    }
}

/// Makes a folder and fills it, all in the account's name.
fn copy(
    host: &dyn HostView,
    from: &Path,
    to: &Path,
    account: &Account,
    mode: Option<u32>,
    plan: &mut Plan,
) -> Result<()> {
    let owned = |mode: Option<u32>| Attrs {
        uid: Some(account.uid),
        gid: Some(account.gid),
        mode,
        ..Attrs::default()
    };
    let is_top = mode.is_some();
    let mode = mode.or(host.lstat(from)?.map(|s| s.mode));
    let effect = Effect::MakeDir {
        path: to.into(),
        attrs: owned(mode),
    };
    match is_top {
        true => plan.change(
            Diff::new(to.to_string_lossy(), Value::Null, "directory\n"),
            effect,
        ),
        false => plan.act(effect),
    }
    for name in host.list(from)?.unwrap_or_default() {
        let (source, target) = (from.join(&name), to.join(&name));
        let Some(stat) = host.lstat(&source)? else {
            continue;
        };
        match stat.kind {
            FileKind::Dir => copy(host, &source, &target, account, None, plan)?,
            FileKind::File => plan.act(Effect::WriteFile {
                path: target,
                content: Content::HostFile(source),
                attrs: owned(Some(stat.mode)),
                backup: false,
                validate: None,
                in_place: false,
            }),
            FileKind::Link => {
                if let Some(link) = host.read_link(&source)? {
                    plan.act(Effect::Symlink {
                        path: target,
                        target: link,
                    });
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// `HOME_MODE`, else 0777 less `UMASK`, of `/etc/login.defs`.
fn home_mode(host: &dyn HostView) -> Result<u32> {
    let bytes = host.read(Path::new("/etc/login.defs"))?.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let setting = |name: &str| {
        let mut words = text.lines().map(str::split_whitespace);
        let value = words.find_map(|mut w| (w.next() == Some(name)).then(|| w.next()).flatten());
        value.and_then(|v| u32::from_str_radix(v, 8).ok())
    };
    Ok(match (setting("HOME_MODE"), setting("UMASK")) {
        (Some(mode), _) => mode & 0o7777,
        (None, Some(umask)) => 0o777 & !umask,
        (None, None) => 0o755,
    })
}
