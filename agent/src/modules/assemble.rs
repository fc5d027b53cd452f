//! `ansible.builtin.assemble`.

use crate::error::Result;
use crate::host::{Content, Digest, digest_of};
use crate::module::attrs::{FileAttrs, add_path_info, shown};
use crate::module::content::{FileWrite, WriteParams, backup_of, texts};
use crate::module::{HostPath, Module, Plan, PlanCx, Returns};
use crate::params;
use crate::pattern::Pattern;
use std::path::{Path, PathBuf};

params! {
    /// Makes a file of the files in a folder, in the order of their names.
    ///
    /// ```yaml
    /// - assemble:
    ///     src: /etc/nginx/upstreams.d
    ///     dest: /etc/nginx/upstreams.conf
    ///     validate: nginx -t -c %s
    /// ```
    pub struct Assemble {
        /// The folder.
        required src: HostPath,
        /// The file.
        required dest: HostPath,
        /// Whether the folder is on the host, and not beside the playbook.
        default(true) remote_src: bool,
        /// What is put between the parts.
        optional delimiter: Option<String>,
        /// Only files whose names this regular expression matches.
        optional regexp: Option<String>,
        /// Leave out files whose names begin with a dot.
        default(false) ignore_hidden: bool,
        /// Whether parts that are vaults are opened.
        default(true) decrypt: bool,
        flatten write: WriteParams,
        flatten attrs: FileAttrs,
    }
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[
    ("dest", "Path of the file."),
    ("src", "Path of the folder."),
    ("checksum", "SHA-1 of the file."),
    ("md5sum", "MD5 of the file."),
    ("backup_file", "Path of the backup, if one was made."),
];

impl Module for Assemble {
    fn plan(&self, cx: &PlanCx<'_>) -> Result<Plan> {
        let _ = self.decrypt;
        let dest = self.dest.expand(cx.host)?;
        let src = if self.remote_src {
            self.src.expand(cx.host)?
        } else {
            PathBuf::from(&self.src.0)
        };
        let stat = if self.remote_src {
            cx.host.stat(&src)?
        } else {
            cx.host.asset(&src)?
        };
        match stat {
            None => {
                let why = format!("Source ({}) does not exist", shown(&src));
                return Ok(Plan::returning(Returns::failure(why)));
            }
            Some(stat) if !stat.is_dir() => {
                let why = format!("Source ({}) is not a directory", shown(&src));
                return Ok(Plan::returning(Returns::failure(why)));
            }
            Some(_) => {}
        }
        let after = self.parts(cx, &src)?;
        let mut plan = Plan::default();
        plan.returns
            .set("src", shown(&src))
            .set("dest", shown(&dest))
            .set("checksum", digest_of(&after, Digest::Sha1))
            .set("md5sum", digest_of(&after, Digest::Md5))
            .set("msg", "OK");
        let before = cx.host.read(&dest)?;
        let file = FileWrite::edit(cx, &dest, &self.attrs, &self.write)?;
        if before.as_ref() == Some(&after) {
            file.attributes(&mut plan)?;
        } else {
            let texts = texts(cx, before.as_deref(), &after);
            file.write(&mut plan, Content::Bytes(after), texts)?;
        }
        Ok(plan)
    }

    fn finish(
        &self,
        cx: &PlanCx<'_>,
        returns: &mut Returns,
        outcomes: &[crate::host::Outcome],
    ) -> Result<()> {
        if let Some(backup) = backup_of(outcomes) {
            returns.set("backup_file", backup);
        }
        add_path_info(cx.host, &self.dest.expand(cx.host)?, returns)
    }
}

impl Assemble {
    /// The parts, one after the other; each begins on a line of its own.
    fn parts(&self, cx: &PlanCx<'_>, src: &Path) -> Result<Vec<u8>> {
        let names = if self.remote_src {
            cx.host.list(src)?.unwrap_or_default()
        } else {
            cx.host.asset_list(src)?
        };
        let pattern = self.regexp.as_deref().map(Pattern::new).transpose()?;
        let mut out: Vec<u8> = Vec::new();
        let mut first = true;
        for name in names {
            if self.ignore_hidden && name.starts_with('.') {
                continue;
            }
            if let Some(pattern) = &pattern
                && pattern.search(&name)?.is_none()
            {
                continue;
            }
            let Some(part) = self.part(cx, &src.join(&name))? else {
                continue;
            };
            if !first {
                if !out.ends_with(b"\n") {
                    out.push(b'\n');
                }
                if let Some(delimiter) = &self.delimiter {
                    let delimiter = delimiter.replace("\\n", "\n").replace("\\t", "\t");
                    out.extend(delimiter.as_bytes());
                    if !delimiter.ends_with('\n') {
                        out.push(b'\n');
                    }
                }
            }
            out.extend(part);
            first = false;
        }
        Ok(out)
    }

    fn part(&self, cx: &PlanCx<'_>, path: &Path) -> Result<Option<Vec<u8>>> {
        if self.remote_src {
            return match cx.host.stat(path)? {
                Some(stat) if stat.is_file() => cx.host.read(path),
                _ => Ok(None),
            };
        }
        match cx.host.asset(path)? {
            Some(stat) if stat.is_file() => cx.host.asset_read(path).map(Some),
            _ => Ok(None),
        }
    }
}
