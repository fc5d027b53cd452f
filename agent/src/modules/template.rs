//! `template`.

use crate::choices;
use crate::error::Result;
use crate::module::content::WriteParams;
use crate::module::{Action, ActionCx, FileAttrs, HostPath, Mode, Returns};
use crate::params;
use crate::value::{Key, Map, Value};
use std::path::Path;

choices! {
    /// How lines end.
    pub enum Newline {
        Lf = "\n" | "\\n", Cr = "\r" | "\\r", CrLf = "\r\n" | "\\r\\n",
    }
}

params! {
    /// Renders a Jinja template from beside the playbook into a file on the host.
    ///
    /// ```yaml
    /// - template:
    ///     src: ollama.service.j2
    ///     dest: /etc/systemd/system/ollama.service
    ///     mode: '0644'
    ///     validate: systemd-analyze verify %s
    /// ```
    pub struct Template {
        /// The template, looked for in `templates/`.
        required src: String,
        /// The file. If it is a directory, the file in it is named as the template is.
        required dest: HostPath,
        /// How lines end.
        default(Newline::Lf) newline_sequence: Newline,
        /// What begins a block.
        default("{%".to_owned()) block_start_string: String,
        /// What ends a block.
        default("%}".to_owned()) block_end_string: String,
        /// What begins a variable.
        default("{{".to_owned()) variable_start_string: String,
        /// What ends a variable.
        default("}}".to_owned()) variable_end_string: String,
        /// What begins a comment.
        default("{#".to_owned()) comment_start_string: String,
        /// What ends a comment.
        default("#}".to_owned()) comment_end_string: String,
        /// Leave out the line break after a block.
        default(true) trim_blocks: bool,
        /// Leave out blanks before a block at the beginning of a line.
        default(false) lstrip_blocks: bool,
        /// Encoding of the file.
        default("utf-8".to_owned()) output_encoding: String,
        /// Replace a file that is there and differs.
        default(true) force: bool,
        /// Whether a link at `dest` is followed.
        default(false) follow: bool,
        flatten write: WriteParams,
        flatten attrs: FileAttrs,
    }
}

/// Parameters that are `template`'s alone; the others are `copy`'s.
const OWN: &[&str] = &[
    "src",
    "newline_sequence",
    "block_start_string",
    "block_end_string",
    "variable_start_string",
    "variable_end_string",
    "comment_start_string",
    "comment_end_string",
    "trim_blocks",
    "lstrip_blocks",
    "output_encoding",
];

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[
    ("dest", "Path of the file."),
    ("src", "The template."),
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

impl Action for Template {
    fn run(&self, cx: &mut dyn ActionCx) -> Result<Returns> {
        let source = cx.find("templates", &self.src)?;
        let mut text = cx.render_file(&source, &self.options())?;
        if self.newline_sequence != Newline::Lf {
            text = text
                .replace("\r\n", "\n")
                .replace('\n', self.newline_sequence.word());
        }
        let args = self.copy_args(cx, &source, text)?;
        let mut returns = cx.run_module("ansible.builtin.copy", args)?;
        if !returns.values.contains_key("path") {
            returns.set("src", source.display().to_string());
        }
        Ok(returns)
    }
}

impl Template {
    /// What the renderer must know.
    fn options(&self) -> Map {
        [
            ("block_start_string", Value::from(&self.block_start_string)),
            ("block_end_string", Value::from(&self.block_end_string)),
            (
                "variable_start_string",
                Value::from(&self.variable_start_string),
            ),
            (
                "variable_end_string",
                Value::from(&self.variable_end_string),
            ),
            (
                "comment_start_string",
                Value::from(&self.comment_start_string),
            ),
            ("comment_end_string", Value::from(&self.comment_end_string)),
            ("trim_blocks", Value::from(self.trim_blocks)),
            ("lstrip_blocks", Value::from(self.lstrip_blocks)),
            // For the variables `template_path` and `template_destpath`.
            ("src", Value::from(&self.src)),
            ("dest", Value::from(&self.dest.0)),
        ]
        .into_iter()
        .map(|(name, value)| (Key::from(name), value))
        .collect()
    }

    /// The arguments of the `copy` that puts the text in place.
    fn copy_args(&self, cx: &dyn ActionCx, source: &Path, text: String) -> Result<Map> {
        let mut args: Map = cx
            .args()
            .iter()
            .filter(|(key, _)| !key.as_str().is_some_and(|name| OWN.contains(&name)))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let mut set = |name: &str, value: Value| args.insert(Key::from(name), value);
        set("content", text.into());
        set("force", self.force.into());
        set("follow", self.follow.into());
        set("backup", self.write.backup.into());
        set("validate", self.write.validate.clone().into());
        set("_output_encoding", Value::from(&self.output_encoding));
        if let Some(name) = source.file_name() {
            set(
                "_original_basename",
                name.to_string_lossy().into_owned().into(),
            );
        }
        if self.attrs.mode == Some(Mode::Preserve) {
            let mode = cx.file_mode(source)?;
            set("mode", crate::module::attrs::octal(mode).into());
        }
        Ok(args)
    }
}
