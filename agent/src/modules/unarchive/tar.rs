//! Archives of GNU `tar`.

use super::{Archive, Handler, Unarchive};
use crate::error::{Error, Result};
use crate::host::{Command, HostView};
use crate::module::attrs::shown;
use crate::module::command::complaint;
use std::path::{Path, PathBuf};

/// How an archive is packed: its first bytes, tar's option for it, Ansible's name of it, endings.
const PACKED: &[(&[u8], &str, &str, &[&str])] = &[
    (b"\x1f\x8b", "-z", "TgzArchive", &[".tar.gz", ".tgz"]),
    (
        b"BZh",
        "-j",
        "TarBzipArchive",
        &[".tar.bz2", ".tbz", ".tbz2"],
    ),
    (b"\xfd7zXZ", "-J", "TarXzArchive", &[".tar.xz", ".txz"]),
    (
        b"\x28\xb5\x2f\xfd",
        "--use-compress-program=zstd",
        "TarZstdArchive",
        &[".tar.zst", ".tzst"],
    ),
];

pub(super) struct Tar<'a> {
    asked: &'a Unarchive,
    archive: Archive,
    dest: PathBuf,
    packed: Option<&'static str>,
    name: &'static str,
    root: bool,
}

impl<'a> Tar<'a> {
    pub fn new(
        host: &dyn HostView,
        asked: &'a Unarchive,
        archive: Archive,
        dest: &Path,
    ) -> Result<Self> {
        if host.which("tar")?.is_none() {
            return Err(
                Error::host("Unable to find required 'gtar' or 'tar' binary in the path")
                    .hint("install the package tar"),
            );
        }
        let name = asked.src.0.to_ascii_lowercase();
        let is = |row: &&(&[u8], &str, &str, &[&str])| match &archive {
            Archive::Bytes(bytes) => bytes.starts_with(row.0),
            Archive::File(_) => row.3.iter().any(|ending| name.ends_with(ending)),
        };
        let row = PACKED.iter().find(is);
        // Of a file, tar finds out itself.
        let packed = row.filter(|_| matches!(archive, Archive::Bytes(_)));
        Ok(Self {
            asked,
            dest: dest.to_owned(),
            packed: packed.map(|row| row.1),
            name: row.map_or("TarArchive", |row| row.2),
            root: host.current_uid() == 0,
            archive,
        })
    }

    fn command(&self, action: &str) -> Command {
        let asked = self.asked;
        let mut argv = vec![
            "tar".to_owned(),
            action.into(),
            "-C".into(),
            shown(&self.dest),
        ];
        argv.extend(self.packed.map(String::from));
        if !asked.extra_opts.is_empty() {
            argv.push("--show-transformed-names".into());
            argv.extend(asked.extra_opts.iter().cloned());
        }
        if action != "--list" {
            let owner = asked.attrs.owner.iter().map(|o| format!("--owner={o}"));
            argv.extend(owner);
            let group = asked.attrs.group.iter().map(|g| format!("--group={g}"));
            argv.extend(group);
            argv.extend(asked.keep_newer.then(|| "--keep-newer-files".into()));
        }
        let exclude = asked.exclude.iter().map(|e| e.trim_end_matches('/'));
        argv.extend(exclude.map(|e| format!("--exclude={e}")));
        argv.push("-f".into());
        let mut command = Command::default();
        match &self.archive {
            Archive::File(path) => argv.push(shown(path)),
            Archive::Bytes(bytes) => {
                argv.push("-".into());
                command.stdin = Some(bytes.clone());
            }
        }
        argv.extend(asked.include.iter().cloned());
        command.argv = argv;
        command.env("LC_ALL", "C").env("LANGUAGE", "C")
    }

    /// Whether a line of `tar --diff` is about what the task does not set itself.
    fn counts(&self, line: &str) -> bool {
        // Of names that `--strip-components` leaves nothing of.
        if line.ends_with(": : Warning: Cannot stat: No such file or directory") {
            return false;
        }
        let attrs = &self.asked.attrs;
        let own = [
            (": Uid differs", self.root && attrs.owner.is_none()),
            (": Gid differs", self.root && attrs.group.is_none()),
            (": Mode differs", attrs.mode.is_none()),
        ];
        let other = [
            ": Mod time differs",
            ": Warning: Cannot stat: No such file or directory",
            ": Symlink differs",
            ": Contents differ",
            ": Size differs",
        ];
        own.iter()
            .any(|(end, counts)| *counts && line.ends_with(end))
            || other.iter().any(|end| line.ends_with(end))
            || line.contains(": Invalid owner")
            || line.contains(": Invalid group")
    }
}

impl Handler for Tar<'_> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn names(&self, host: &dyn HostView) -> Result<Vec<String>> {
        let output = host.query(&self.command("--list"))?;
        if !output.success() {
            return Err(Error::host(format!(
                "Failed to find handler for \"{}\": tar cannot list it: {}",
                self.asked.src.0,
                complaint(&output)
            ))
            .hint("is it a tar archive, and is the program that packed it on the host?"));
        }
        let text = output.out();
        let names = text.lines().map(|line| line.trim_start_matches('/'));
        Ok(names.filter(|n| !n.is_empty()).map(String::from).collect())
    }

    fn difference(&self, host: &dyn HostView) -> Result<String> {
        let output = host.query(&self.command("--diff"))?;
        let said = output.out() + &output.err();
        let lines = said.lines().filter(|line| self.counts(line));
        Ok(lines.map(|line| format!("{line}\n")).collect())
    }

    fn unpack(&self) -> Command {
        self.command("--extract")
    }
}
