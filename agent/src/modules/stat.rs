//! `stat`.

use crate::error::Result;
use crate::host::{Command, FileKind, HostView, Stat as Entry};
use crate::module::attrs::{file_flags, shown};
use crate::module::entry::{Algorithm, attribute_words, facts, names};
use crate::module::{HostPath, Module, Plan, PlanCx, Returns};
use crate::params;
use crate::value::{Map, Value};
use std::path::Path;

params! {
    /// Tells what is at a path.
    ///
    /// ```yaml
    /// - stat:
    ///     path: /etc/ollama/config.yaml
    ///     get_checksum: false
    ///   register: config
    ///
    /// - stat:
    ///     path: /srv/models/tiny.gguf
    ///     checksum_algorithm: sha256
    /// ```
    pub struct Stat {
        /// The path.
        required path | "dest" | "name": HostPath,
        /// Whether a link is followed.
        default(false) follow: bool,
        /// Whether a regular file's digest is told.
        default(true) get_checksum: bool,
        /// Which digest.
        default(Algorithm::Sha1) checksum_algorithm | "checksum" | "checksum_algo": Algorithm,
        /// Whether the type of the content is told; it takes the program `file`.
        default(true) get_mime | "mime" | "mime_type" | "mime-type": bool,
        /// Whether the attributes that `lsattr` shows are told.
        default(true) get_attributes | "attr" | "attributes": bool,
    }
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[(
    "stat",
    "A mapping: `exists`, and if it does: `path`, `mode`, `isdir`, `isreg`, `islnk`, `isblk`, `ischr`, `isfifo`, `issock`, `uid`, `gid`, `size`, `inode`, `dev`, `nlink`, `blocks`, `block_size`, `device_type`, `atime`, `mtime`, `ctime`, `rusr` … `xoth`, `isuid`, `isgid`, `readable`, `writeable`, `executable`, `lnk_source`, `lnk_target`, `pw_name`, `gr_name`, `checksum`, `mimetype`, `charset`, `version`, `attributes`, `attr_flags`.",
)];

impl Module for Stat {
    fn plan(&self, cx: &PlanCx<'_>) -> Result<Plan> {
        let path = self.path.expand(cx.host)?;
        let entry = if self.follow {
            cx.host.stat(&path)?
        } else {
            cx.host.lstat(&path)?
        };
        let mut told = Map::new();
        told.insert("exists".into(), entry.is_some().into());
        if let Some(entry) = entry {
            told.insert("path".into(), shown(&path).into());
            told.extend(facts(&entry));
            if let Some(disk) = entry.disk {
                told.insert("blocks".into(), disk.blocks.into());
                told.insert("block_size".into(), disk.block_size.into());
                told.insert("device_type".into(), disk.device_type.into());
            }
            self.tell_more(cx.host, &path, &entry, &mut told)?;
        }
        Ok(Plan::returning(Returns::default().with("stat", told)))
    }

    fn only_reads(&self) -> bool {
        true
    }
}

impl Stat {
    fn tell_more(
        &self,
        host: &dyn HostView,
        path: &Path,
        entry: &Entry,
        told: &mut Map,
    ) -> Result<()> {
        let mut tell = |name: &str, value: Value| told.insert(name.into(), value);
        let mut readable = false;
        for (name, bit) in [("readable", 4), ("writeable", 2), ("executable", 1)] {
            let may = host.access(path, bit)?;
            readable |= may && bit == 4;
            tell(name, may.into());
        }
        if entry.kind == FileKind::Link {
            tell("lnk_source", shown(&host.canonical(path)?).into());
            tell(
                "lnk_target",
                host.read_link(path)?.map(|t| shown(&t)).into(),
            );
        }
        let (user, group) = names(host, entry)?;
        for (name, value) in [("pw_name", user), ("gr_name", group)] {
            if let Some(value) = value {
                tell(name, value.into());
            }
        }
        if entry.is_file() && readable && self.get_checksum {
            tell(
                "checksum",
                host.digest(path, self.checksum_algorithm.digest())?.into(),
            );
        }
        if self.get_mime {
            let (kind, charset) = mime(host, path)?;
            tell("mimetype", kind.into());
            tell("charset", charset.into());
        }
        if self.get_attributes {
            let flags = file_flags(host, path)?.unwrap_or_default();
            let words: Vec<&str> = attribute_words(&flags.flags);
            let version = Some(flags.version).filter(|v| !v.is_empty());
            tell("version", version.into());
            tell("attributes", words.into());
            tell("attr_flags", flags.flags.into());
        }
        Ok(())
    }
}

/// Type and character set of the content, as `file` knows them.
fn mime(host: &dyn HostView, path: &Path) -> Result<(String, String)> {
    let unknown = || ("unknown".to_owned(), "unknown".to_owned());
    let Some(program) = host.which("file")? else {
        return Ok(unknown());
    };
    let argv = [
        shown(&program),
        "--mime-type".into(),
        "--mime-encoding".into(),
        shown(path),
    ];
    let output = host.query(&Command::new(argv))?;
    let text = output.out();
    let parsed = text.rsplit_once(':').and_then(|(_, rest)| {
        let (kind, charset) = rest.split_once(';')?;
        Some((
            kind.trim().to_owned(),
            charset.split_once('=')?.1.trim().to_owned(),
        ))
    });
    Ok(parsed.filter(|_| output.success()).unwrap_or_else(unknown))
}
