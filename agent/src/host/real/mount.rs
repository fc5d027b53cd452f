//! The mount table, and changing it through `mount` and `umount`: file systems have helpers of
//! their own (`mount.nfs4`), which only these programs know to call.

use super::super::tables::mountinfo;
use super::*;

/// The mount table of this process.
pub(super) fn own_mounts() -> Result<Vec<MountEntry>> {
    let path = Path::new("/proc/self/mountinfo");
    let text = files::read(path)?.unwrap_or_default();
    Ok(mountinfo(&String::from_utf8_lossy(&text)))
}

impl RealHost {
    pub(super) fn mount_table(&self) -> Result<Vec<MountEntry>> {
        if !self.is_folder() {
            return own_mounts();
        }
        // What an image brings along, for tests; usually nothing.
        let path = self.real(Path::new("/proc/self/mountinfo"), true)?;
        let text = files::read(&path)?.unwrap_or_default();
        Ok(mountinfo(&String::from_utf8_lossy(&text)))
    }

    pub(super) fn change_mount(&self, effect: &Effect) -> Result<()> {
        self.refuse_in_folder("mounting")?;
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let mut argv: Vec<String> = Vec::new();
        let mut word = |w: &str| argv.push(w.to_owned());
        match effect {
            Effect::Mount {
                source,
                target,
                fstype,
                options,
                from_fstab,
                fstab,
            } => {
                word("mount");
                if let Some(fstab) = fstab {
                    word("--fstab");
                    word(&text(fstab));
                }
                if !from_fstab {
                    for (flag, value) in [("-t", fstype), ("-o", options)] {
                        if !value.is_empty() {
                            word(flag);
                            word(value);
                        }
                    }
                    word("--");
                    word(source);
                }
                word(&text(target));
            }
            Effect::Unmount { target } => {
                word("umount");
                word(&text(target));
            }
            Effect::Remount { target, options } => {
                let comma = if options.is_empty() { "" } else { "," };
                word("mount");
                word("-o");
                word(&format!("remount{comma}{options}"));
                word(&text(target));
            }
            _ => return Ok(()),
        }
        self.mount_program(&argv)
    }

    fn mount_program(&self, argv: &[String]) -> Result<()> {
        let output = self.run(&Command::new(argv.iter().cloned()), &|_| {})?;
        if output.success() {
            return Ok(());
        }
        let said = [output.err(), output.out()].concat();
        let error = Error::host(format!(
            "{} failed (status {}): {}",
            argv.join(" "),
            output.rc,
            said.trim()
        ));
        Err(match said.contains("bad option") {
            true => error
                .hint("the helper of this file system may be missing (package nfs-common for NFS)"),
            false => error,
        })
    }
}
