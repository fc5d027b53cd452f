//! `ansible.builtin.script`.

use crate::error::{Error, Result};
use crate::module::{Action, ActionCx, Returns, Rule, shlex};
use crate::params;
use crate::value::{Key, Map, Value};

params! {
    /// Runs a script that lies beside the playbook (in `files/`) on the host.
    ///
    /// ```yaml
    /// - script: tune-gpu.sh --persist
    ///   args:
    ///     creates: /etc/gpu-tuned
    ///
    /// - script:
    ///     cmd: report.py --all
    ///     executable: /usr/bin/python3
    /// ```
    pub struct Script {
        /// The script and its arguments, given as the task's text.
        optional _raw_params: Option<String>,
        /// The script and its arguments.
        optional cmd: Option<String>,
        /// Do not run if this path exists.
        optional creates: Option<String>,
        /// Do not run unless this path exists.
        optional removes: Option<String>,
        /// Run in this directory, by its absolute path.
        optional chdir: Option<String>,
        /// The program to run the script with; its first line names one, if not given.
        optional executable: Option<String>,
        /// Whether a script that is a vault is opened.
        default(true) decrypt: bool,
    }
    rules [
        Rule::OneOf(&["_raw_params", "cmd"]),
        Rule::Exclusive(&["_raw_params", "cmd"]),
    ]
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[
    ("rc", "exit status"),
    ("stdout", "standard output"),
    ("stdout_lines", "standard output, line by line"),
    ("stderr", "standard error"),
    ("stderr_lines", "standard error, line by line"),
];

impl Action for Script {
    fn run(&self, cx: &mut dyn ActionCx) -> Result<Returns> {
        let given = self._raw_params.as_deref().or(self.cmd.as_deref());
        let line = given.unwrap_or_default().trim();
        let words = shlex::split(line)?;
        let Some(name) = words.first() else {
            return Err(Error::params("no script given"));
        };
        let file = cx.find("files", name)?;
        let mut args = Map::new();
        let mut set = |name: &str, value: Value| args.insert(Key::from(name), value);
        set("_file", file.display().to_string().into());
        set("line", line.into());
        set("name", name.as_str().into());
        set("decrypt", self.decrypt.into());
        for (name, value) in [
            ("creates", &self.creates),
            ("removes", &self.removes),
            ("chdir", &self.chdir),
            ("executable", &self.executable),
        ] {
            if let Some(value) = value.as_deref().filter(|v| !v.is_empty()) {
                set(name, value.into());
            }
        }
        cx.run_module("lks.builtin.script", args)
    }
}
