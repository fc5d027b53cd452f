//! `ansible.builtin.unarchive`.

mod tar;
mod zip;

use crate::error::{Error, Result};
use crate::host::{Attrs, Content, Download, Effect, HostView, Outcome, Output, Request, Stat};
use crate::module::attrs::{FileAttrs, add_path_info, shown};
use crate::module::command::complaint;
use crate::module::{Change, Diff, HostPath, Module, Plan, PlanCx, Returns, Rule};
use crate::params;
use crate::value::{Key, Map, Value};
use std::path::{Path, PathBuf};

params! {
    /// Unpacks an archive: tar (also packed by gzip, bzip2, xz or zstd) or zip.
    ///
    /// What lies there already as in the archive is left alone. It needs `tar`, or `unzip`, on the host.
    ///
    /// ```yaml
    /// - unarchive:
    ///     src: https://github.com/ggml-org/llama.cpp/archive/refs/tags/b4000.tar.gz
    ///     dest: /opt
    ///     remote_src: true
    ///     creates: /opt/llama.cpp-b4000
    /// ```
    pub struct Unarchive {
        /// The archive: beside the playbook, or on the host, or a URL (`remote_src`).
        required src: HostPath,
        /// The folder to unpack into; it must be there.
        required dest: HostPath,
        /// Whether the archive is on the host or behind a URL.
        default(false) remote_src: bool,
        /// The old word for the opposite of `remote_src`.
        optional copy: Option<bool>,
        /// Do nothing if this path is there.
        optional creates: Option<HostPath>,
        /// Whether the names in the archive are returned.
        default(false) list_files: bool,
        /// Whether files that are newer than those of the archive stay.
        default(false) keep_newer: bool,
        /// Leave these out.
        default(Vec::new()) exclude: Vec<String>,
        /// Take only these.
        default(Vec::new()) include: Vec<String>,
        /// More options for `tar` or `unzip`.
        default(Vec::new()) extra_opts: Vec<String>,
        /// Whether the certificate of a URL's server is verified.
        default(true) validate_certs: bool,
        /// Bytes that are read at once; not used here.
        default(65536) io_buffer_size: i64,
        /// Whether an archive that is a vault is opened.
        default(true) decrypt: bool,
        flatten attrs: FileAttrs,
    }
    rules [Rule::Exclusive(&["include", "exclude"]), Rule::Exclusive(&["copy", "remote_src"])]
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[
    ("dest", "The folder."),
    ("src", "The archive."),
    ("handler", "What kind of archive it is."),
    ("files", "The names in the archive (`list_files`)."),
    ("extract_results", "What the program that unpacked said."),
];

/// An archive where a program can read it.
enum Archive {
    /// A file of the host.
    File(PathBuf),
    /// Bytes for the program's standard input.
    Bytes(Vec<u8>),
}

/// What unpacks: which files there are, whether they are there, and how they get there.
trait Handler {
    /// Ansible's name of it.
    fn name(&self) -> &'static str;
    /// Names in the archive.
    fn names(&self, host: &dyn HostView) -> Result<Vec<String>>;
    /// What differs from the archive, in words; empty if nothing does.
    fn difference(&self, host: &dyn HostView) -> Result<String>;
    /// The command that unpacks.
    fn unpack(&self) -> crate::host::Command;
}

impl Module for Unarchive {
    fn plan(&self, cx: &PlanCx<'_>) -> Result<Plan> {
        // Vaults are opened where they are read, and buffers are the programs' own.
        let _ = (self.decrypt, self.io_buffer_size);
        if let Some(path) = &self.creates {
            let path = path.expand(cx.host)?;
            if cx.stage == 0 && cx.host.stat(&path)?.is_some() {
                let mut returns = Returns::default();
                returns.set("msg", format!("skipped, since {} exists", shown(&path)));
                returns.skipped = true;
                return Ok(Plan::returning(returns));
            }
        }
        let dest = self.dest.expand(cx.host)?;
        if !cx.host.stat(&dest)?.is_some_and(|s: Stat| s.is_dir()) {
            let dest = shown(&dest);
            return Err(
                Error::host(format!("dest '{dest}' must be an existing dir"))
                    .hint("the module `file` with `state: directory` makes one"),
            );
        }
        let brought = self.brought();
        if let Some(path) = &brought
            && cx.stage == 0
        {
            return self.bring(cx, path);
        }
        let unpacking = usize::from(brought.is_some());
        let archive = self.archive(cx, brought.as_deref())?;
        let handler = self.handler(cx.host, archive, &dest)?;
        let names = handler.names(cx.host)?;
        if names.is_empty() {
            return Err(Error::host("the archive is empty, or is none"));
        }
        let mut plan = Plan::default();
        plan.returns
            .set("dest", shown(&dest))
            .set("src", self.src.0.as_str())
            .set("handler", handler.name());
        if self.list_files {
            plan.returns.set("files", Value::from(names.clone()));
        }
        if cx.stage == unpacking {
            let difference = handler.difference(cx.host)?;
            if !difference.is_empty() {
                plan.more = !cx.check;
                plan.changes.push(Change {
                    diff: Some(Diff::new(shown(&dest), Value::Null, difference)),
                    effect: handler
                        .unpack()
                        .then(vec![crate::host::Consequence::PathUnknown { path: dest }]),
                    counts: true,
                });
                return Ok(plan);
            }
        } else if unpacked(cx).is_some_and(|output| !output.success()) {
            self.clean(brought, &mut plan);
            return Ok(plan);
        }
        self.attributes(cx, &dest, &names, &mut plan)?;
        self.clean(brought, &mut plan);
        Ok(plan)
    }

    fn finish(&self, cx: &PlanCx<'_>, returns: &mut Returns, outcomes: &[Outcome]) -> Result<()> {
        let ran = outcomes.iter().find_map(|o| match o {
            Outcome::Ran(output) => Some(output),
            _ => None,
        });
        let dest = self.dest.expand(cx.host)?;
        if let Some(output) = ran {
            returns.set("extract_results", results(output));
            if !output.success() {
                let (src, dest) = (&self.src.0, shown(&dest));
                returns.fail(format!(
                    "failed to unpack {src} to {dest}: {}",
                    complaint(output)
                ));
                return Ok(());
            }
        }
        add_path_info(cx.host, &dest, returns)
    }
}

/// What the program that unpacked said.
fn unpacked<'o>(cx: &PlanCx<'o>) -> Option<&'o Output> {
    cx.outcomes.iter().find_map(|outcome| match outcome {
        Outcome::Ran(output) => Some(output),
        _ => None,
    })
}

fn results(output: &Output) -> Value {
    let mut map = Map::new();
    map.insert(Key::from("rc"), Value::Int(output.rc.into()));
    map.insert(Key::from("out"), output.out().into());
    map.insert(Key::from("err"), output.err().into());
    Value::map(map)
}

impl Unarchive {
    fn on_host(&self) -> bool {
        self.remote_src || self.copy == Some(false)
    }

    fn is_url(&self) -> bool {
        self.src.0.contains("://")
    }

    fn is_zip(&self) -> bool {
        let name = self.src.0.to_ascii_lowercase();
        let name = name.split(['?', '#']).next().unwrap_or_default();
        [".zip", ".jar", ".war", ".whl"]
            .iter()
            .any(|e| name.ends_with(e))
    }

    /// Where the archive is put on the host first, if it must be: zip cannot be read from a pipe.
    fn brought(&self) -> Option<PathBuf> {
        let needed = self.is_url() || !self.on_host() && self.is_zip();
        let digest = crate::host::digest_of(
            format!("{} {}", self.src.0, self.dest.0).as_bytes(),
            crate::host::Digest::Sha1,
        );
        needed.then(|| PathBuf::from(format!("/tmp/.lks-unarchive-{}", &digest[..16])))
    }

    fn bring(&self, cx: &PlanCx<'_>, path: &Path) -> Result<Plan> {
        if self.is_url() && !self.on_host() {
            return Err(Error::params(
                "a URL is only unpacked with `remote_src: true`: the host fetches it",
            ));
        }
        if cx.check {
            return Err(Error::unknown(
                "whether it is unpacked is known once the archive is on the host",
            ));
        }
        let attrs = Attrs {
            mode: Some(0o600),
            ..Attrs::default()
        };
        let effect = if self.is_url() {
            let mut request = Request::new("GET", self.src.0.as_str());
            request.validate_certs = self.validate_certs;
            Effect::Download(Box::new(Download {
                request,
                dest: path.to_owned(),
                checksum: None,
                attrs,
                backup: false,
                tmp_dir: None,
                if_modified_since: None,
                attempts: 3,
                in_place: false,
            }))
        } else {
            Effect::WriteFile {
                path: path.to_owned(),
                content: Content::Asset(self.src.0.as_str().into()),
                attrs,
                backup: false,
                validate: None,
                in_place: false,
            }
        };
        let mut plan = Plan {
            more: true,
            ..Plan::default()
        };
        plan.act(effect);
        Ok(plan)
    }

    fn archive(&self, cx: &PlanCx<'_>, brought: Option<&Path>) -> Result<Archive> {
        if let Some(path) = brought {
            return Ok(Archive::File(path.to_owned()));
        }
        let missing = |path: &str| Error::host(format!("Source '{path}' does not exist"));
        if !self.on_host() {
            let path = Path::new(&self.src.0);
            cx.host.asset(path)?.ok_or_else(|| missing(&self.src.0))?;
            return cx.host.asset_read(path).map(Archive::Bytes);
        }
        let path = self.src.expand(cx.host)?;
        let stat = cx.host.stat(&path)?;
        match stat.ok_or_else(|| missing(&shown(&path)))?.size {
            0 => Err(Error::host(format!(
                "Invalid archive '{}', the file is 0 bytes",
                shown(&path)
            ))),
            _ => Ok(Archive::File(path)),
        }
    }

    /// What can read the archive.
    fn handler<'a>(
        &'a self,
        host: &dyn HostView,
        archive: Archive,
        dest: &Path,
    ) -> Result<Box<dyn Handler + 'a>> {
        let zip = match &archive {
            Archive::Bytes(bytes) => bytes.starts_with(b"PK\x03\x04"),
            Archive::File(_) => self.is_zip(),
        };
        match (zip, archive) {
            (true, Archive::File(path)) => Ok(Box::new(zip::Zip::new(host, self, path, dest)?)),
            (true, Archive::Bytes(_)) => Err(Error::host(
                "this is a zip archive whose name does not say so",
            )
            .hint("let its name end in .zip")),
            (false, archive) => Ok(Box::new(tar::Tar::new(host, self, archive, dest)?)),
        }
    }

    /// Owner, group and mode of everything that the archive has, and of the folders at its top.
    fn attributes(
        &self,
        cx: &PlanCx<'_>,
        dest: &Path,
        names: &[String],
        plan: &mut Plan,
    ) -> Result<()> {
        let wanted = self.attrs.resolve(cx.host)?;
        if wanted.is_empty() {
            return Ok(());
        }
        let mut done = std::collections::HashSet::new();
        let tops = names.iter().filter_map(|n| Some(n.split_once('/')?.0));
        for name in names.iter().map(String::as_str).chain(tops) {
            let path = dest.join(name.trim_end_matches('/'));
            if done.insert(path.clone()) {
                wanted.set(plan, cx.host, &path, false)?;
            }
        }
        Ok(())
    }

    fn clean(&self, brought: Option<PathBuf>, plan: &mut Plan) {
        if let Some(path) = brought {
            plan.act(Effect::Remove { path });
        }
    }
}
