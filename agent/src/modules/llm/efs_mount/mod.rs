//! `lks.llm.efs_mount`.

mod read_ahead;
mod target;
#[cfg(test)]
mod tests;
mod wanted;

use crate::error::{Error, Result};
use crate::host::{Attrs, Command, Content, Effect, HostView, MountEntry, Outcome, Probe};
use crate::module::content::missing_parents;
use crate::module::fstab::{self, Entry};
use crate::module::llm::finding::Level;
use crate::module::llm::share::Health;
use crate::module::{Diff, HostPath, Module, Plan, PlanCx};
use crate::value::Value;
use crate::{choices, params};
use std::path::{Path, PathBuf};
use std::time::Duration;

choices! {
    /// How the mount point should be.
    pub enum State {
        Mounted = "mounted", Tuned = "tuned", Unmounted = "unmounted", Absent = "absent",
    }
}

params! {
    /// Mounts an EFS file system (or another NFSv4.1 server) as hosts that read models need it.
    ///
    /// - The mount target is the one of the host's own zone, asked of EFS by `file_system`, or the one that
    ///   `address` names (an IP address: names do not resolve across a peering).
    /// - The options are those that AWS recommends: NFSv4.1, 1 MiB reads and writes, hard, and
    ///   `noresvport`, without which old kernels hang after a fail-over.
    /// - Before it is mounted, its port is asked, so that a closed security group is an error with advice
    ///   and not a mount that hangs. A share that is mounted is asked by a child process with a time limit.
    /// - Its read-ahead is set, and kept: the kernel's 128 KiB over a path of 60 ms are 2 MiB/s. It is set
    ///   in `/sys` now, and by a rule of udev whenever an NFS file system of this host is mounted, at boot
    ///   or by hand.
    /// - It is in the fstab (`_netdev`), so it is there after a reboot.
    ///
    /// With `tls`, it is mounted by `mount.efs` of Amazon's efs-utils, which must be installed.
    ///
    /// `state: tuned` sets and keeps the read-ahead of what another hand has mounted, and touches nothing else.
    ///
    /// ```yaml
    /// - name: The models of all workers, by the mount target of this host's zone
    ///   lks.llm.efs_mount:
    ///     path: /share
    ///     file_system: fs-0123456789abcdef0
    ///
    /// - name: The same across a peering, where nobody resolves its name
    ///   lks.llm.efs_mount:
    ///     path: /share
    ///     address: 172.32.1.106
    ///
    /// - name: The playbook's own mount, read faster
    ///   lks.llm.efs_mount:
    ///     path: /share
    ///     state: tuned
    ///
    /// - name: Encrypted on the way, by the instance's role
    ///   lks.llm.efs_mount:
    ///     path: /share
    ///     file_system: fs-0123456789abcdef0
    ///     tls: true
    ///     iam: true
    ///     access_point: fsap-0123456789abcdef0
    /// ```
    pub struct EfsMount {
        /// Where it is mounted.
        required path: HostPath,
        /// How it should be: `mounted`; only `tuned`; `unmounted` now; or `absent`, from the fstab too.
        default(State::Mounted) state: State,
        /// Address or name of the mount target.
        optional address: Option<String>,
        /// Id of the file system (`fs-…`): without an `address`, its mount targets are asked for
        /// (`elasticfilesystem:DescribeMountTargets`), and the one in this host's zone is taken.
        optional file_system: Option<String>,
        /// Zone whose mount target is taken (a name or an id): this host's, if not given.
        optional zone: Option<String>,
        /// Region of the file system: this host's, if not given.
        optional region: Option<String>,
        /// Folder of the file system that is mounted.
        default("/".to_string()) export: String,
        /// Mount options in the place of AWS's; `_netdev` is added.
        optional options: Option<String>,
        /// KiB that the kernel reads ahead; 0 leaves it as it is.
        default(15360) read_ahead_kib: u64,
        /// Encrypt on the way, through efs-utils.
        default(false) tls: bool,
        /// Sign the mount with the instance's role (with `tls`).
        default(false) iam: bool,
        /// Access point (with `tls`).
        optional access_point: Option<String>,
        /// Seconds within which the server must answer.
        default(20) timeout: u64,
    }
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[
    ("path", "The mount point."),
    ("source", "What is mounted."),
    ("options", "Mount options, as the fstab has them."),
    ("address", "The mount target."),
    ("zone", "Its zone, where it was looked up."),
    ("read_ahead_kib", "What the kernel reads ahead now."),
    ("free_gib", "What the server says is free (EFS says 8 EiB)."),
];

const NFS: u16 = 2049;
const FSTAB: &str = "/etc/fstab";

impl Module for EfsMount {
    fn plan(&self, cx: &PlanCx<'_>) -> Result<Plan> {
        let mut plan = Plan::default();
        let path = self.path.expand(cx.host)?;
        let path = PathBuf::from(path.to_string_lossy().trim_end_matches('/'));
        plan.returns
            .set("path", path.to_string_lossy().into_owned());
        let current = mounted(cx.host, &path)?;
        match self.state {
            State::Unmounted | State::Absent => {
                self.unmount(&mut plan, &path, current.as_ref());
                if self.state == State::Absent {
                    let text = table(cx.host)?;
                    let after = fstab::without(&text, &self.bare_entry(&path));
                    write_table(&mut plan, text, after);
                }
                Ok(plan)
            }
            State::Tuned => match current {
                None => {
                    let why = format!("nothing is mounted at `{}`", path.display());
                    Err(Error::host(why).hint("mount it first, or say `state: mounted`"))
                }
                Some(current) => {
                    self.tune(cx, &mut plan, Some(&current))?;
                    Ok(plan)
                }
            },
            State::Mounted => self.plan_mounted(cx, plan, &path, current),
        }
    }
}

impl EfsMount {
    fn plan_mounted(
        &self,
        cx: &PlanCx<'_>,
        mut plan: Plan,
        path: &Path,
        current: Option<MountEntry>,
    ) -> Result<Plan> {
        let wanted = self.wanted(cx.host, &mut plan)?;
        let entry = Entry {
            source: fstab::escape(&wanted.source),
            fstype: wanted.fstype.into(),
            options: fstab::escape(&wanted.options),
            ..self.bare_entry(path)
        };
        let text = table(cx.host)?;
        let (after, old) = fstab::with(&text, &entry);
        let known = old.as_ref().is_some_and(|o| *o == entry);
        let right = current
            .as_ref()
            .is_some_and(|c| self.is_right(c, &wanted, known));
        if cx.stage == 0 {
            plan.more = true;
            if right && let Some(current) = &current {
                return self.ask(cx.host, plan, current);
            }
            // A hard mount of a server that is not there hangs for minutes: its port is asked first.
            if let Some(address) = &wanted.address {
                plan.act(Effect::Await {
                    probe: Probe::PortOpen {
                        host: address.clone(),
                        port: NFS,
                        search: None,
                        connect_timeout: Duration::from_secs(5),
                    },
                    delay: Duration::ZERO,
                    timeout: Duration::from_secs(self.timeout),
                    interval: Duration::from_secs(1),
                });
            }
            return Ok(plan);
        }
        if cx.stage > 1 {
            self.tune(cx, &mut plan, current.as_ref())?;
            return Ok(plan);
        }
        plan.more = true;
        if let Some(Outcome::Awaited { met: false, .. }) = cx.outcomes.first() {
            plan.returns.fail(format!(
                "{} does not answer on port {NFS} within {} s: does its security group let this host in (NFS \
                 from the workers' group or subnet), and is there a route to it (peering, NAT)?",
                wanted.address.as_deref().unwrap_or_default(),
                self.timeout
            ));
            return Ok(plan);
        }
        if !right {
            self.unmount(&mut plan, path, current.as_ref());
            make_point(cx.host, &mut plan, path)?;
            plan.change(
                Diff::new(
                    path.to_string_lossy(),
                    "unmounted\n",
                    format!("{}\n", wanted.source),
                ),
                Effect::Mount {
                    source: wanted.source.clone(),
                    target: path.to_path_buf(),
                    fstype: wanted.fstype.into(),
                    options: wanted.options.clone(),
                    from_fstab: false,
                    fstab: None,
                },
            );
        }
        // Only what has been mounted once is mounted at every boot.
        write_table(&mut plan, text, after);
        Ok(plan)
    }

    fn bare_entry(&self, path: &Path) -> Entry {
        Entry {
            source: String::new(),
            target: fstab::escape(&path.to_string_lossy()),
            fstype: String::new(),
            options: String::new(),
            dump: "0".into(),
            passno: "0".into(),
        }
    }

    /// Asks a share that is mounted already.
    fn ask(&self, host: &dyn HostView, mut plan: Plan, current: &MountEntry) -> Result<Plan> {
        let limit = Duration::from_secs(self.timeout);
        let health = Health::of(host, &current.target, limit)?;
        if let Health::Answers(space) = &health {
            let free = space.block as f64 * space.available as f64 / (1_u64 << 30) as f64;
            plan.returns.set("free_gib", free.round());
        }
        let finding = health.finding(current, limit);
        if finding.level == Level::Fail {
            plan.returns.fail(finding.text());
        }
        Ok(plan)
    }

    fn unmount(&self, plan: &mut Plan, path: &Path, current: Option<&MountEntry>) {
        if let Some(current) = current {
            plan.change(
                Diff::new(
                    path.to_string_lossy(),
                    format!("{}\n", current.source),
                    "unmounted\n",
                ),
                Effect::Unmount {
                    target: path.into(),
                },
            );
        }
    }

    fn tune(&self, cx: &PlanCx<'_>, plan: &mut Plan, current: Option<&MountEntry>) -> Result<()> {
        if self.read_ahead_kib == 0 {
            return Ok(());
        }
        read_ahead::set(cx.host, plan, current, self.read_ahead_kib)?;
        read_ahead::keep(cx.host, plan, self.read_ahead_kib)
    }
}

/// What is mounted at a path, by the table alone.
fn mounted(host: &dyn HostView, path: &Path) -> Result<Option<MountEntry>> {
    let mut mounts = host.mounts()?.into_iter().rev();
    Ok(mounts.find(|m| Path::new(&m.target) == path))
}

fn table(host: &dyn HostView) -> Result<String> {
    let bytes = host.read(Path::new(FSTAB))?.unwrap_or_default();
    String::from_utf8(bytes).map_err(|_| Error::host(format!("`{FSTAB}` is not UTF-8")))
}

fn write_table(plan: &mut Plan, before: String, after: String) {
    if before != after {
        plan.change(
            Diff::new(FSTAB, before, after.as_str()),
            file(FSTAB, &after, Attrs::default(), false),
        );
    }
}

fn file(path: &str, content: &str, attrs: Attrs, in_place: bool) -> Effect {
    Effect::WriteFile {
        path: path.into(),
        content: Content::Bytes(content.as_bytes().to_vec()),
        attrs,
        backup: false,
        validate: None,
        in_place,
    }
}

fn make_point(host: &dyn HostView, plan: &mut Plan, path: &Path) -> Result<()> {
    // What is below a dead server cannot be looked at: the folders above can.
    let mut missing = missing_parents(host, path)?;
    if host.lstat(path)?.is_none() {
        missing.push(path.to_path_buf());
    }
    for dir in missing {
        plan.change(
            Diff::new(dir.to_string_lossy(), Value::Null, "directory\n"),
            Effect::MakeDir {
                path: dir,
                attrs: Attrs::default(),
            },
        );
    }
    Ok(())
}

/// A command that tells a daemon to read its files again.
fn reload(plan: &mut Plan, argv: &[&str]) {
    plan.act(Command::new(argv.iter().copied()).effect());
}
