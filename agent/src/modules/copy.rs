//! `copy`.

use crate::error::{Error, Result};
use crate::host::{Attrs, Digest, Effect, FileKind, HostView, Outcome, Stat, digest_of};
use crate::module::attrs::{FileAttrs, Wanted, add_path_info, shown};
use crate::module::content::{
    FileWrite, Shown, WriteParams, backup_of, check_validate, missing_parents, new_dir_diff, texts,
};
use crate::module::source::{Entry, Source, Tree, What};
use crate::module::{Change, Diff, HostPath, Mode, Module, Plan, PlanCx, Returns, Rule};
use crate::params;
use crate::value::Value;
use std::cell::OnceCell;
use std::path::{Path, PathBuf};

params! {
    /// Puts a file or a tree of files on the host.
    ///
    /// ```yaml
    /// - copy:
    ///     content: "vm.nr_hugepages = 1024\n"
    ///     dest: /etc/sysctl.d/60-llm.conf
    ///     mode: '0644'
    ///
    /// - copy:
    ///     src: files/site/
    ///     dest: /srv/site
    ///     owner: www-data
    ///     directory_mode: '0755'
    ///
    /// - copy:
    ///     remote_src: true
    ///     src: /etc/ssh/sshd_config
    ///     dest: /root/sshd_config.before
    ///     mode: preserve
    /// ```
    pub struct Copy {
        /// A file or directory beside the playbook (in `files/`), or on the host with `remote_src`.
        /// With a slash at its end, what is in the directory is copied, and not the directory itself.
        optional src: Option<HostPath>,
        /// Text of the file. A mapping or list becomes JSON.
        optional content: Option<Value>,
        /// Where it goes. With a slash at its end, or if it is a directory, the file goes into it.
        required dest: HostPath,
        /// Replace a file that is there and differs.
        default(true) force: bool,
        /// Mode of directories that are made.
        optional directory_mode: Option<Mode>,
        /// Whether `src` is on the host.
        default(false) remote_src: bool,
        /// Whether a link at `dest` is followed.
        default(false) follow: bool,
        /// Whether links in `src` are followed. They are, if nothing is said.
        optional local_follow: Option<bool>,
        /// SHA-1 that the source must have.
        optional checksum: Option<String>,
        /// Whether a source that is a vault is opened.
        default(true) decrypt: bool,
        /// Name that the file gets in a directory; `template` gives it, playbooks have no use for it.
        optional _original_basename: Option<String>,
        /// Encoding in which `content` is written; `template` gives it, playbooks have no use for it.
        optional _output_encoding: Option<String>,
        flatten write: WriteParams,
        flatten attrs: FileAttrs,
    }
    rules [Rule::OneOf(&["src", "content"]), Rule::Exclusive(&["src", "content"])]
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[
    ("dest", "Path of the file."),
    ("src", "Path of the source."),
    ("checksum", "SHA-1 of the file."),
    ("md5sum", "MD5 of a file that was written."),
    ("backup_file", "Path of the backup, if one was made."),
    ("uid", "Number of the owner."),
    ("gid", "Number of the group."),
    ("owner", "Name of the owner."),
    ("group", "Name of the group."),
    ("mode", "Permissions, as octal digits."),
    ("size", "Size in bytes."),
    (
        "state",
        "What is there: `file`, `hard`, `link`, `directory` or `absent`.",
    ),
];

impl Module for Copy {
    fn plan(&self, cx: &PlanCx<'_>) -> Result<Plan> {
        check_validate(self.write.validate.as_deref())?;
        // The playbook's side has the passwords: it has decrypted what is to be decrypted.
        let _ = self.decrypt;
        let source = self.source(cx.host)?;
        let dest = self.dest.expand(cx.host)?;
        let task = Task {
            params: self,
            cx,
            host: cx.host,
            wanted: self.attrs.resolve(cx.host)?,
            dest_is_folder: self.dest.ends_with_slash(),
            found_folder: OnceCell::new(),
        };
        match &source {
            Source::Text(_) if self._original_basename.is_none() && task.is_folder(&dest)? => Ok(
                Plan::returning(Returns::failure("can not use content with a dir as dest")),
            ),
            Source::Missing(message) => Ok(Plan::returning(Returns::failure(message))),
            Source::Tree(tree) => task.tree(tree, &dest),
            _ => task.one(&source, &dest),
        }
    }

    fn finish(&self, cx: &PlanCx<'_>, returns: &mut Returns, outcomes: &[Outcome]) -> Result<()> {
        if let Some(backup) = backup_of(outcomes) {
            returns.set("backup_file", backup);
        }
        let Some(dest) = returns
            .values
            .get("dest")
            .and_then(Value::as_str)
            .map(PathBuf::from)
        else {
            return Ok(());
        };
        if cx.host.stat(&dest)?.is_some_and(|s| s.is_file()) {
            let written = |o: &Outcome| matches!(o, Outcome::Written { .. } | Outcome::Remembered);
            let (names, algorithms) = if outcomes.iter().any(written) {
                (
                    &["md5sum", "checksum"][..],
                    &[Digest::Md5, Digest::Sha1][..],
                )
            } else {
                (&["checksum"][..], &[Digest::Sha1][..])
            };
            let digests = cx.host.digests(&dest, algorithms)?.unwrap_or_default();
            for (name, digest) in names.iter().zip(digests) {
                returns.set(name, digest);
            }
        }
        add_path_info(cx.host, &dest, returns)
    }
}

impl Copy {
    fn source(&self, host: &dyn HostView) -> Result<Source> {
        if let Some(content) = &self.content {
            return Ok(Source::Text(self.text(content)?));
        }
        let Some(src) = &self.src else {
            return Ok(Source::Missing("src (or content) is required".into()));
        };
        let inside = src.ends_with_slash();
        let path = if self.remote_src {
            src.expand(host)?
        } else {
            PathBuf::from(&src.0)
        };
        let found = if self.remote_src {
            host.stat(&path)?
        } else {
            host.asset(&path)?
        };
        Ok(match found {
            None => Source::Missing(format!("Source {} not found", shown(&path))),
            Some(stat) if stat.is_dir() => Source::Tree(Tree {
                top: path,
                on_host: self.remote_src,
                inside,
            }),
            Some(_) if self.remote_src && !host.access(&path, 4)? => {
                Source::Missing(format!("Source {} not readable", shown(&path)))
            }
            Some(stat) if self.remote_src => Source::Host(path, stat),
            Some(stat) => Source::Asset(path, stat),
        })
    }

    /// Content as it is written: text as it is, structures as JSON with Python's spaces.
    fn text(&self, content: &Value) -> Result<Vec<u8>> {
        let text = match content {
            Value::List(_) | Value::Map(_) => crate::module::text::json(content),
            other => <String as crate::module::Param>::from_value(other)?,
        };
        crate::module::text::encoded(&text, self._output_encoding.as_deref().unwrap_or("utf-8"))
    }

    /// Whether links of the source are followed.
    fn follows_source(&self) -> bool {
        self.local_follow.unwrap_or(true)
    }
}

/// Where the mode of a copied file comes from.
#[derive(Clone, Copy)]
enum Modes {
    /// From the task's `mode`.
    Task,
    /// From the source.
    Source,
}

/// One call of the module.
struct Task<'a> {
    params: &'a Copy,
    cx: &'a PlanCx<'a>,
    host: &'a dyn HostView,
    wanted: Wanted,
    dest_is_folder: bool,
    /// Whether a folder is there: asked once.
    found_folder: OnceCell<bool>,
}

impl Task<'_> {
    /// Copies one file.
    fn one(&self, source: &Source, dest: &Path) -> Result<Plan> {
        let mut plan = Plan::default();
        if let Some(wanted) = &self.params.checksum {
            let is = match source {
                Source::Text(text) => Some(digest_of(text, Digest::Sha1)),
                _ => source.sha1(self.host)?,
            };
            if is.as_ref().is_some_and(|is| is != wanted) {
                plan.returns
                    .fail("Copied file does not match the expected checksum. Transfer failed.")
                    .set("checksum", is)
                    .set("expected_checksum", wanted);
                return Ok(plan);
            }
        }
        let dest = self.dest_file(source, dest)?;
        plan.returns.set("dest", shown(&dest));
        if let Some(src) = source.path() {
            plan.returns.set("src", shown(src));
        }
        let there = self.host.lstat(&dest)?;
        if there.is_some() && !self.params.force {
            plan.returns.set("msg", "file already exists");
            return Ok(plan);
        }
        if self.dest_is_folder {
            self.make_folders(&mut plan, &dest)?;
        } else if let Some(folder) = dest.parent()
            && !folder.as_os_str().is_empty()
            && self.host.stat(folder)?.is_none()
        {
            plan.returns.fail(format!(
                "Destination directory {} does not exist",
                shown(folder)
            ));
            return Ok(plan);
        }
        self.put(&mut plan, source, &dest, there, Modes::Task)?;
        Ok(plan)
    }

    fn is_folder(&self, dest: &Path) -> Result<bool> {
        if self.dest_is_folder {
            return Ok(true);
        }
        if let Some(known) = self.found_folder.get() {
            return Ok(*known);
        }
        let found = self.host.stat(dest)?.is_some_and(|s| s.is_dir());
        Ok(*self.found_folder.get_or_init(|| found))
    }

    /// The path of the file: `dest`, or the source's name in it.
    fn dest_file(&self, source: &Source, dest: &Path) -> Result<PathBuf> {
        let is_dir = self.is_folder(dest)?;
        let mut path = PathBuf::from(shown(dest).trim_end_matches('/'));
        if path.as_os_str().is_empty() {
            path.push("/");
        }
        let given = self.params._original_basename.as_deref().map(Path::new);
        if is_dir && let Some(name) = given.or_else(|| source.path()?.file_name().map(Path::new)) {
            path.push(name);
        }
        if self.params.follow && self.host.read_link(&path)?.is_some() {
            path = self.host.canonical(&path)?;
        }
        Ok(path)
    }

    /// Puts one file in place if it differs, else only sets what differs in owner and mode.
    fn put(
        &self,
        plan: &mut Plan,
        source: &Source,
        dest: &Path,
        there: Option<Stat>,
        modes: Modes,
    ) -> Result<()> {
        let same = match &there {
            Some(stat) if stat.is_file() => source.is_content_of(self.host, dest, stat)?,
            Some(stat) if stat.is_dir() => {
                return Err(Error::host(format!("{} is a directory", shown(dest))));
            }
            _ => false,
        };
        let mut wanted = match (modes, source) {
            (Modes::Source, _) => self
                .wanted
                .clone()
                .with_mode((!same).then_some(Mode::Preserve)),
            // A copy within the host takes its mode with it to a file that is there.
            (Modes::Task, Source::Host(..))
                if there.is_some() && !same && self.params.attrs.mode.is_none() =>
            {
                self.wanted.clone().with_mode(Some(Mode::Preserve))
            }
            _ => self.wanted.clone(),
        };
        if let Some(mode) = source.mode() {
            wanted = wanted.preserving(mode);
        }
        let file = FileWrite {
            cx: self.cx,
            path: dest,
            target: dest.to_path_buf(),
            wanted,
            follow: false,
            backup: self.params.write.backup,
            validate: self.params.write.validate.as_deref(),
            in_place: self.params.attrs.unsafe_writes,
        };
        if same {
            file.attributes(plan)?;
        } else {
            if there.is_some_and(|stat| stat.kind == FileKind::Link) {
                // The file takes the place of the link, and not of what it leads to.
                let gone = Effect::Remove {
                    path: dest.to_path_buf(),
                };
                plan.changes.push(Change {
                    diff: None,
                    effect: gone,
                    counts: true,
                });
            }
            let texts = self.texts(source, dest)?;
            file.write(plan, source.content(), texts)?;
        }
        Ok(())
    }

    fn texts(&self, source: &Source, dest: &Path) -> Result<Shown> {
        if !self.cx.diff {
            return Ok(texts(self.cx, None, &[]));
        }
        let before = self.host.read(dest)?;
        Ok(texts(self.cx, before.as_deref(), &source.bytes(self.host)?))
    }

    /// Directories that lead to a file, with `directory_mode` and the file's owner.
    fn make_folders(&self, plan: &mut Plan, path: &Path) -> Result<()> {
        let attrs = self.folder().for_new(true);
        for dir in missing_parents(self.host, path)? {
            let planned = plan.changes.iter().any(
                |change| matches!(&change.effect, Effect::MakeDir { path, .. } if *path == dir),
            );
            if !planned {
                plan.change(
                    new_dir_diff(&dir),
                    Effect::MakeDir {
                        path: dir,
                        attrs: attrs.clone(),
                    },
                );
            }
        }
        Ok(())
    }

    fn folder(&self) -> Wanted {
        self.wanted
            .clone()
            .with_mode(self.params.directory_mode.clone())
    }

    /// Copies a directory.
    fn tree(&self, side: &Tree, dest: &Path) -> Result<Plan> {
        let mut plan = Plan::default();
        let mut root = PathBuf::from(shown(dest).trim_end_matches('/'));
        if root.as_os_str().is_empty() {
            root.push("/");
        }
        let mut src = shown(&side.top);
        if side.inside && !src.ends_with('/') {
            src.push('/');
        }
        plan.returns
            .set("dest", format!("{}/", shown(&root)))
            .set("src", src);
        if !side.inside
            && let Some(name) = side.top.file_name()
        {
            root.push(name);
        }
        for entry in side.entries(self.host, self.params.follows_source())? {
            let path = if entry.path.as_os_str().is_empty() {
                root.clone()
            } else {
                root.join(&entry.path)
            };
            self.put_entry(&mut plan, side, &entry, &path)?;
        }
        Ok(plan)
    }

    fn put_entry(&self, plan: &mut Plan, side: &Tree, entry: &Entry, path: &Path) -> Result<()> {
        let there = self.host.lstat(path)?;
        let is_top = entry.path.as_os_str().is_empty();
        match &entry.what {
            What::Dir(mode) => {
                // Within the host, modes come along; from elsewhere, `directory_mode` gives them.
                let wanted = match (side.on_host, &there) {
                    (true, _) if is_top && self.params.attrs.mode.is_some() => self.wanted.clone(),
                    (true, None) => self.wanted.clone().with_mode(Some(Mode::Bits(*mode))),
                    (true, Some(_)) => self.wanted.clone().with_mode(None),
                    (false, Some(_)) if is_top => Wanted::default(),
                    (false, _) => self.folder(),
                };
                self.make_folders(plan, path)?;
                match there {
                    Some(_) => drop(wanted.set(plan, self.host, path, true)?),
                    None => {
                        let attrs = wanted.for_new(true);
                        let path = path.to_owned();
                        plan.change(new_dir_diff(&path), Effect::MakeDir { path, attrs });
                    }
                }
            }
            What::File(source) => {
                let modes = if side.on_host {
                    Modes::Source
                } else {
                    Modes::Task
                };
                if there.is_none() || self.params.force {
                    self.put(plan, source, path, there, modes)?;
                }
            }
            What::Link(target) => {
                let is = self.host.read_link(path)?;
                if is.as_ref().map(|p| p.as_os_str()) != Some(target.as_os_str()) {
                    plan.changes.push(Change {
                        diff: Some(Diff::new(shown(path), is.map(|p| shown(&p)), shown(target))),
                        effect: Effect::Symlink {
                            path: path.to_owned(),
                            target: target.clone(),
                        },
                        counts: true,
                    });
                }
                let owner = self.wanted.clone().with_mode(None).for_new(false);
                if there.is_none() && owner != Attrs::default() {
                    plan.changes.push(Change {
                        diff: None,
                        effect: Effect::SetAttrs {
                            path: path.to_owned(),
                            attrs: owner,
                            follow: false,
                        },
                        counts: true,
                    });
                } else if there.is_some() {
                    self.wanted
                        .clone()
                        .with_mode(None)
                        .set(plan, self.host, path, false)?;
                }
            }
        }
        Ok(())
    }
}
