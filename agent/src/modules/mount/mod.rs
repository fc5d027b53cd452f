//! `ansible.posix.mount`.

use crate::error::{Error, Result};
use crate::host::{Attrs, Command, Consequence, Content, Effect, HostView, MountEntry, Outcome};
use crate::module::fstab::{self, Entry};
use crate::module::{Diff, HostPath, Module, Plan, PlanCx, Returns, Rule};
use crate::value::Value;
use crate::{choices, params};
use std::path::{Path, PathBuf};

choices! {
    /// How a mount point should be.
    pub enum State {
        Mounted = "mounted",
        Present = "present",
        Unmounted = "unmounted",
        Absent = "absent",
        AbsentFromFstab = "absent_from_fstab",
        AbsentMount = "absent_mount",
        Remounted = "remounted",
        Ephemeral = "ephemeral",
    }
}

params! {
    /// Mounts file systems, and keeps their entries in the fstab.
    ///
    /// - `mounted`: it is mounted now and at boot; the mount point is made if it is missing.
    /// - `present`, `absent_from_fstab`: only the fstab's entry is there or gone.
    /// - `unmounted`: it is not mounted now; the fstab stays as it is.
    /// - `absent`: neither mounted nor in the fstab, and the mount point is removed (if it is empty);
    ///   `absent_mount` keeps the mount point.
    /// - `remounted`: mounts it again with other options (always a change).
    /// - `ephemeral`: it is mounted now; the fstab stays as it is.
    ///
    /// Whether something is mounted is read from the kernel's table, so a server that does not answer
    /// cannot make it hang. The fstab is written only when the mount has succeeded.
    ///
    /// ```yaml
    /// - name: Mount the shared file system
    ///   mount:
    ///     src: "{{ efs_ip }}:/"
    ///     path: /share
    ///     fstype: nfs4
    ///     opts: defaults,_netdev
    ///     state: mounted
    ///
    /// - name: Give it up
    ///   ansible.posix.mount:
    ///     path: /share
    ///     state: absent
    /// ```
    pub struct Mount {
        /// Where it is mounted.
        required path | "name": HostPath,
        /// How it should be.
        required state: State,
        /// Device, `HOST:/PATH`, `UUID=…`, or a directory to bind.
        optional src: Option<HostPath>,
        /// Type of the file system.
        optional fstype: Option<String>,
        /// Mount options.
        optional opts: Option<String>,
        /// Whether the options are kept out of logs and results.
        default(false) opts_no_log: bool,
        /// Whether `dump` backs it up.
        default("0".to_string()) dump: String,
        /// In which pass `fsck` looks at it.
        default("0".to_string()) passno: String,
        /// Another file in the place of `/etc/fstab`.
        optional fstab: Option<String>,
        /// Whether it is mounted at boot (`noauto` is added to the options if not).
        default(true) boot: bool,
        /// Whether the fstab that was there is kept beside the new one.
        default(false) backup: bool,
    }
    rules [
        Rule::If("state", "mounted", &["src", "fstype"]),
        Rule::If("state", "present", &["src", "fstype"]),
        Rule::If("state", "ephemeral", &["src", "fstype"]),
    ]
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[
    ("name", "the mount point"),
    ("src", "what is mounted"),
    ("fstype", "type of the file system"),
    ("opts", "mount options"),
    ("dump", "`dump` field"),
    ("passno", "`passno` field"),
    ("boot", "`yes` if it is mounted at boot"),
    ("fstab", "path of the fstab"),
    ("backup_file", "path of the old fstab, if it was kept"),
];

impl Module for Mount {
    fn plan(&self, cx: &PlanCx<'_>) -> Result<Plan> {
        let wanted = Wanted::new(self, cx.host)?;
        let mut plan = Plan::returning(wanted.returns());
        if self.boot && wanted.options.split(',').any(|o| o == "noauto") {
            let warning = "Ignore the 'boot' due to 'opts' contains 'noauto'.";
            plan.returns.warnings.push(warning.into());
        }
        match self.state {
            State::Mounted => wanted.mounted(cx.host, &mut plan)?,
            State::Ephemeral => wanted.ephemeral(cx.host, &mut plan)?,
            State::Present => drop(wanted.write_entry(cx.host, &mut plan)?),
            State::AbsentFromFstab => wanted.remove_entry(cx.host, &mut plan)?,
            State::Unmounted => wanted.unmount(cx.host, &mut plan)?,
            State::Absent | State::AbsentMount => {
                wanted.unmount(cx.host, &mut plan)?;
                wanted.remove_entry(cx.host, &mut plan)?;
                if self.state == State::Absent {
                    wanted.remove_point(cx, &mut plan)?;
                }
            }
            State::Remounted => wanted.remount(&mut plan, "remounted"),
        }
        Ok(plan)
    }

    fn finish(&self, _: &PlanCx<'_>, returns: &mut Returns, outcomes: &[Outcome]) -> Result<()> {
        for outcome in outcomes {
            match outcome {
                Outcome::Written { backup: Some(path) } => {
                    returns.set("backup_file", path.to_string_lossy().into_owned());
                }
                Outcome::Ran(output) if !output.success() => {
                    returns.fail(format!(
                        "Error rmdir {}: {}",
                        self.path.0,
                        output.err().trim()
                    ));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// The parameters, with defaults filled in and paths expanded.
struct Wanted<'a> {
    params: &'a Mount,
    target: PathBuf,
    source: String,
    fstype: String,
    options: String,
    fstab: PathBuf,
}

impl<'a> Wanted<'a> {
    fn new(params: &'a Mount, host: &dyn HostView) -> Result<Self> {
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let target = text(params.path.expand(host)?);
        let source = params.src.as_ref().map(|s| s.expand(host)).transpose()?;
        let mut options = params.opts.clone().unwrap_or_else(|| "defaults".into());
        if !params.boot {
            options.push_str(",noauto");
        }
        Ok(Self {
            params,
            target: match target.trim_end_matches('/') {
                "" => target.into(),
                bare => bare.into(),
            },
            source: source.map(text).unwrap_or_default(),
            fstype: params.fstype.clone().unwrap_or_default(),
            options,
            fstab: params.fstab.as_deref().unwrap_or("/etc/fstab").into(),
        })
    }

    fn returns(&self) -> Returns {
        let hidden = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER";
        let shown = if self.params.opts_no_log {
            hidden
        } else {
            &self.options
        };
        let mut returns = Returns::default()
            .with("name", self.params.path.0.as_str())
            .with("opts", shown)
            .with("dump", self.params.dump.as_str())
            .with("passno", self.params.passno.as_str())
            .with("fstab", self.fstab.to_string_lossy().into_owned())
            .with("boot", if self.params.boot { "yes" } else { "no" })
            .with("backup_file", "");
        if self.params.src.is_some() {
            returns.set("src", self.source.as_str());
        }
        if self.params.fstype.is_some() {
            returns.set("fstype", self.fstype.as_str());
        }
        returns
    }

    fn entry(&self) -> Entry {
        Entry {
            source: fstab::escape(&self.source),
            target: fstab::escape(&self.target.to_string_lossy()),
            fstype: fstab::escape(&self.fstype),
            options: fstab::escape(&self.options),
            dump: fstab::escape(&self.params.dump),
            passno: fstab::escape(&self.params.passno),
        }
    }

    /// What is mounted at the place, topmost. The table holds paths without symlinks; the mount
    /// point itself is not looked at, since its server may be dead.
    fn current(&self, host: &dyn HostView) -> Result<Option<MountEntry>> {
        let mounts = host.mounts()?;
        let find = |path: &Path| mounts.iter().rev().find(|m| Path::new(&m.target) == path);
        if let Some(entry) = find(&self.target) {
            return Ok(Some(entry.clone()));
        }
        let (Some(parent), Some(name)) = (self.target.parent(), self.target.file_name()) else {
            return Ok(None);
        };
        Ok(find(&host.canonical(parent)?.join(name)).cloned())
    }

    fn mounted(&self, host: &dyn HostView, plan: &mut Plan) -> Result<()> {
        let Some(current) = self.current(host)? else {
            make_dirs(host, &self.target, plan)?;
            self.mount(plan);
            self.write_entry(host, plan)?;
            return Ok(());
        };
        // Once the entry is right, what is mounted is taken to be right too, as Ansible does.
        let mut after = Plan::default();
        let (differs, old) = self.write_entry(host, &mut after)?;
        if differs {
            let other_source = match &old {
                Some(old) => old.source != fstab::escape(&self.source),
                None => is_remote(&self.source) && current.source != self.source,
            };
            let other_options = old.is_none_or(|old| {
                old.options != fstab::escape(&self.options) || old.fstype != self.fstype
            });
            if other_source {
                self.unmount(host, plan)?;
                self.mount(plan);
            } else if other_options {
                self.remount(plan, "mounted with other options");
            }
        }
        plan.changes.append(&mut after.changes);
        Ok(())
    }

    fn ephemeral(&self, host: &dyn HostView, plan: &mut Plan) -> Result<()> {
        let Some(current) = self.current(host)? else {
            make_dirs(host, &self.target, plan)?;
            self.mount(plan);
            return Ok(());
        };
        let is_bind = self.options.split(',').any(|o| o == "bind" || o == "rbind");
        if current.source != self.source && !is_bind {
            return Err(Error::host(
                "Ephemeral mount point is already mounted with a different source than the specified \
                 one. Failing in order to prevent an unwanted unmount or override operation. Try \
                 replacing this command with a \"state: unmounted\" followed by a \"state: ephemeral\", \
                 or use a different destination path.",
            ));
        }
        let in_force: Vec<&str> = current.options.split(',').collect();
        let differs = self.options.split(',').any(|o| {
            !matches!(
                o,
                "defaults" | "bind" | "rbind" | "_netdev" | "noauto" | "nofail"
            ) && !o.starts_with("x-")
                && !in_force.contains(&o)
        });
        if differs {
            self.remount(plan, "mounted with other options");
        }
        Ok(())
    }

    fn mount(&self, plan: &mut Plan) {
        plan.change(
            Diff::new(self.target.to_string_lossy(), "unmounted\n", "mounted\n"),
            Effect::Mount {
                source: self.source.clone(),
                target: self.target.clone(),
                fstype: self.fstype.clone(),
                options: self.options.clone(),
                from_fstab: false,
                fstab: None,
            },
        );
    }

    fn remount(&self, plan: &mut Plan, before: &str) {
        let options = match self.options.as_str() {
            "defaults" => String::new(),
            options => options.into(),
        };
        plan.change(
            Diff::new(
                self.target.to_string_lossy(),
                format!("{before}\n"),
                "mounted\n",
            ),
            Effect::Remount {
                target: self.target.clone(),
                options,
            },
        );
    }

    fn unmount(&self, host: &dyn HostView, plan: &mut Plan) -> Result<()> {
        if self.current(host)?.is_some() {
            plan.change(
                Diff::new(self.target.to_string_lossy(), "mounted\n", "unmounted\n"),
                Effect::Unmount {
                    target: self.target.clone(),
                },
            );
        }
        Ok(())
    }

    /// Puts the entry into the fstab. Says whether that changes it, and what was there before.
    fn write_entry(&self, host: &dyn HostView, plan: &mut Plan) -> Result<(bool, Option<Entry>)> {
        let before = self.table(host)?;
        let (after, old) = fstab::with(&before, &self.entry());
        let differs = before != after;
        if differs {
            if let Some(parent) = self.fstab.parent() {
                make_dirs(host, parent, plan)?;
            }
            self.write(before, after, plan);
        }
        Ok((differs, old))
    }

    fn remove_entry(&self, host: &dyn HostView, plan: &mut Plan) -> Result<()> {
        let before = self.table(host)?;
        let after = fstab::without(&before, &self.entry());
        if before != after {
            self.write(before, after, plan);
        }
        Ok(())
    }

    fn write(&self, before: String, after: String, plan: &mut Plan) {
        let effect = Effect::WriteFile {
            path: self.fstab.clone(),
            content: Content::Bytes(after.clone().into_bytes()),
            attrs: Attrs::default(),
            backup: self.params.backup,
            validate: None,
            in_place: false,
        };
        let diff = match self.params.opts_no_log {
            true => Diff::new(self.fstab.to_string_lossy(), Value::Null, "hidden\n"),
            false => Diff::new(self.fstab.to_string_lossy(), before, after),
        };
        plan.change(diff, effect);
    }

    fn table(&self, host: &dyn HostView) -> Result<String> {
        let bytes = host.read(&self.fstab)?.unwrap_or_default();
        String::from_utf8(bytes)
            .map_err(|_| Error::host(format!("`{}` is not UTF-8", self.fstab.display())))
    }

    /// Removes the mount point by `rmdir`: unlike a recursive removal it can do no harm if something
    /// is mounted there again meanwhile.
    fn remove_point(&self, cx: &PlanCx<'_>, plan: &mut Plan) -> Result<()> {
        let mounted = self.current(cx.host)?.is_some();
        if !mounted && cx.host.lstat(&self.target)?.is_none() {
            return Ok(());
        }
        let path = self.target.to_string_lossy();
        let gone = Consequence::PathUnknown {
            path: self.target.clone(),
        };
        plan.change(
            Diff::new(path.clone(), "directory\n", Value::Null),
            Command::new(["rmdir", &*path]).then(vec![gone]),
        );
        Ok(())
    }
}

/// Whether a source names a server: then the kernel's table shows it as it was given.
fn is_remote(source: &str) -> bool {
    source.contains(":/") || source.starts_with("//")
}

/// Makes a directory and those above it that are missing.
fn make_dirs(host: &dyn HostView, path: &Path, plan: &mut Plan) -> Result<()> {
    if host.stat(path)?.is_some() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        make_dirs(host, parent, plan)?;
    }
    plan.change(
        Diff::new(path.to_string_lossy(), Value::Null, "directory\n"),
        Effect::MakeDir {
            path: path.into(),
            attrs: Attrs::default(),
        },
    );
    Ok(())
}
