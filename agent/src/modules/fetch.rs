//! `ansible.builtin.fetch`.

use crate::error::{Error, Result};
use crate::host::{Digest, digest_of};
use crate::module::{Action, ActionCx, Returns};
use crate::params;
use crate::value::{Key, Map, Value};
use base64::Engine as _;
use std::path::{Component, Path, PathBuf};

params! {
    /// Brings a file of the host to the side that holds the playbook.
    ///
    /// Without `flat` it goes to `DEST/HOST/PATH`, so that files of several hosts do not meet.
    ///
    /// ```yaml
    /// - fetch:
    ///     src: /var/log/vllm.log
    ///     dest: logs
    ///
    /// - fetch:
    ///     src: /etc/ssl/ca.pem
    ///     dest: certificates/
    ///     flat: true
    /// ```
    pub struct Fetch {
        /// The file on the host.
        required src: String,
        /// The folder that it goes to (with `flat`: the file, or a folder if it ends with a slash).
        required dest: String,
        /// Whether `dest` is the file's own path.
        default(false) flat: bool,
        /// Whether it is a failure that there is no such file.
        default(true) fail_on_missing: bool,
        /// Whether the digest is compared once the file is here.
        default(true) validate_checksum: bool,
    }
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[
    ("dest", "the file here"),
    ("file", "the file on the host"),
    ("checksum", "SHA-1 of the file here"),
    ("remote_checksum", "SHA-1 of the file on the host"),
    ("md5sum", "MD5 of the file here"),
    ("msg", "why nothing was fetched"),
];

impl Action for Fetch {
    fn run(&self, cx: &mut dyn ActionCx) -> Result<Returns> {
        let mut args = Map::new();
        args.insert(Key::from("src"), Value::from(self.src.as_str()));
        let slurped = cx.run_module("ansible.builtin.slurp", args)?;
        cx.forget_module();
        if slurped.failed {
            return Ok(self.nothing(&slurped));
        }
        let text = |name: &str| slurped.values.get(name).and_then(Value::as_str);
        let content = base64::engine::general_purpose::STANDARD
            .decode(text("content").unwrap_or_default())
            .map_err(|e| Error::host("the file came broken").caused_by(e))?;
        let source = text("source").unwrap_or(&self.src).to_string();
        let dest = self.destination(cx, &source)?;
        let mut out = Returns::default();
        let digest = digest_of(&content, Digest::Sha1);
        let there = cx.read_here(&dest)?;
        out.set("dest", dest.display().to_string())
            .set("checksum", digest.as_str())
            .set("md5sum", digest_of(&content, Digest::Md5));
        if there.as_ref() == Some(&content) {
            out.changed = Some(false);
            out.set("file", source);
            return Ok(out);
        }
        if !cx.check() {
            cx.write_here(&dest, &content)?;
            if self.validate_checksum && cx.read_here(&dest)?.as_ref() != Some(&content) {
                out.set("file", source).fail("checksum mismatch");
                return Ok(out);
            }
        }
        out.set("remote_checksum", digest)
            .set("remote_md5sum", Value::Null);
        out.changed = Some(true);
        Ok(out)
    }
}

impl Fetch {
    /// The file could not be read on the host.
    fn nothing(&self, slurped: &Returns) -> Returns {
        let said = slurped.values.get("msg").and_then(Value::as_str);
        let said = said.unwrap_or_default();
        let msg = if said.contains("not found") {
            "the remote file does not exist, not transferring, ignored".to_string()
        } else if said.to_lowercase().starts_with("source is a directory") {
            "remote file is a directory, fetch cannot work on directories".to_string()
        } else {
            said.to_string()
        };
        let mut out = Returns {
            changed: Some(false),
            ..Returns::default()
        };
        if self.fail_on_missing {
            out.fail(msg);
        } else {
            out.set("msg", msg).set("file", self.src.as_str());
        }
        out
    }

    fn destination(&self, cx: &dyn ActionCx, source: &str) -> Result<PathBuf> {
        let dest = if self.flat {
            let slash = self.dest.ends_with('/');
            if !slash && cx.is_dir_here(Path::new(&self.dest)) {
                return Err(Error::params(
                    "dest is an existing directory, use a trailing slash if you want to fetch src \
                     into that directory",
                ));
            }
            let mut dest = PathBuf::from(&self.dest);
            if slash {
                dest.push(Path::new(source).file_name().unwrap_or_default());
                if cx.is_dir_here(&dest) {
                    return Err(Error::params(format!(
                        "calculated dest '{}' is an existing directory, use another path that does \
                         not point to an existing directory",
                        dest.display()
                    )));
                }
            }
            dest
        } else {
            let host = cx.variable("inventory_hostname")?;
            let host = host.as_ref().and_then(Value::as_str).unwrap_or("localhost");
            PathBuf::from(format!("{}/{host}/{source}", self.dest))
        };
        // A host decides what its paths are called: none may lead out of the folder.
        let out = Path::new(source)
            .components()
            .any(|c| c == Component::ParentDir);
        if out && !self.flat {
            return Err(Error::params(format!(
                "Detected directory traversal, expected to be contained in '{}' but got '{}'",
                self.dest,
                dest.display()
            )));
        }
        if dest.is_absolute() {
            return Ok(dest);
        }
        let base = cx.variable("playbook_dir")?;
        let base = base.as_ref().and_then(Value::as_str).unwrap_or(".");
        Ok(Path::new(base).join(dest))
    }
}
