//! The account's SSH key.

use super::User;
use crate::error::{Error, Result};
use crate::host::{Attrs, Command, Consequence, Effect, HostView, User as Account};
use crate::module::{Diff, Plan, PlanCx};
use crate::value::Value;
use std::path::{Path, PathBuf};

/// Makes the key and gives it to its owner. Arguments: owner, file; then those of ssh-keygen.
const SCRIPT: &str = "owner=$1 file=$2; shift 2; rm -f \"$file\" \"$file.pub\"; \
                      ssh-keygen \"$@\" && chown \"$owner\" \"$file\" \"$file.pub\"";

impl User {
    pub(super) fn make_key(
        &self,
        cx: &PlanCx<'_>,
        account: &Account,
        plan: &mut Plan,
    ) -> Result<()> {
        let file = self.key_path(cx.host, account)?;
        let shown = file.to_string_lossy().into_owned();
        plan.returns.set("ssh_key_file", shown.as_str());
        let there = match cx.host.lstat(&file) {
            Err(e) if e.is_unknown() => true,
            other => other?.is_some(),
        };
        // A key that this very task has made is not made once more.
        if there && (!self.force || cx.stage > 0) {
            return self.show_key(cx.host, &file, plan);
        }
        if let Some(dir) = file.parent()
            && !exists(cx.host, dir)?
        {
            if !dir.parent().map_or(Ok(true), |p| exists(cx.host, p))? {
                return Err(Error::host(format!(
                    "Failed to create {}: no such folder",
                    dir.display()
                )));
            }
            let attrs = Attrs {
                uid: Some(account.uid),
                gid: Some(account.gid),
                mode: Some(0o700),
                ..Attrs::default()
            };
            plan.act(Effect::MakeDir {
                path: dir.into(),
                attrs,
            });
        }
        let comment = match &self.ssh_key_comment {
            Some(comment) => comment.clone(),
            None => default_comment(cx.host)?,
        };
        let owner = format!("{}:{}", account.uid, account.gid);
        let mut argv: Vec<String> = ["/bin/sh", "-c", SCRIPT, "sh", &owner, &shown]
            .map(String::from)
            .into();
        argv.extend(["-q", "-t", &self.ssh_key_type].map(String::from));
        if self.ssh_key_bits > 0 {
            argv.extend(["-b".into(), self.ssh_key_bits.to_string()]);
        }
        let passphrase = self
            .ssh_key_passphrase
            .as_ref()
            .map_or("", |p| p.reveal().as_str());
        argv.extend(["-C", &comment, "-f", &shown, "-N", passphrase].map(String::from));
        let public = format!("{shown}.pub").into();
        let then = [file.clone(), public].map(|path| Consequence::PathUnknown { path });
        plan.change(
            Diff::new(shown, Value::Null, format!("{} key\n", self.ssh_key_type)),
            Command::new(argv).then(then.into()),
        );
        plan.more = true;
        Ok(())
    }

    fn key_path(&self, host: &dyn HostView, account: &Account) -> Result<PathBuf> {
        let path = match &self.ssh_key_file {
            Some(path) => path.expand(host)?,
            None => format!(".ssh/id_{}", self.ssh_key_type).into(),
        };
        if path.is_relative() && !exists(host, Path::new(&account.home))? {
            return Err(Error::host(format!(
                "User {} home directory does not exist",
                account.name
            )));
        }
        Ok(Path::new(&account.home).join(path))
    }

    fn show_key(&self, host: &dyn HostView, file: &Path, plan: &mut Plan) -> Result<()> {
        let public = PathBuf::from(format!("{}.pub", file.display()));
        match host.read(&public) {
            Ok(Some(bytes)) => {
                let text = String::from_utf8_lossy(&bytes).trim().to_string();
                plan.returns.set("ssh_public_key", text);
            }
            Err(e) if !e.is_unknown() => return Err(e),
            _ => return Ok(()),
        }
        let command = Command::new(["ssh-keygen", "-l", "-f", &file.to_string_lossy()]);
        if let Ok(output) = host.query(&command) {
            let text = if output.success() {
                output.out()
            } else {
                output.err()
            };
            plan.returns.set("ssh_fingerprint", text.trim());
        }
        Ok(())
    }
}

/// Whether it is there; what only the real run shows counts as there.
fn exists(host: &dyn HostView, path: &Path) -> Result<bool> {
    match host.stat(path) {
        Err(e) if e.is_unknown() => Ok(true),
        other => Ok(other?.is_some()),
    }
}

fn default_comment(host: &dyn HostView) -> Result<String> {
    let name = host
        .read(Path::new("/proc/sys/kernel/hostname"))?
        .unwrap_or_default();
    Ok(format!(
        "ansible-generated on {}",
        String::from_utf8_lossy(&name).trim()
    ))
}
