//! `tempfile`.

use crate::choices;
use crate::error::{Error, Result};
use crate::host::{Attrs, Content, Effect};
use crate::module::attrs::{add_path_info, shown};
use crate::module::{Diff, HostPath, Module, Plan, PlanCx, Returns};
use crate::params;
use crate::value::Value;
use std::path::PathBuf;

choices! {
    /// What is made.
    pub enum State { File = "file", Directory = "directory" }
}

params! {
    /// Makes a temporary file or directory that only its owner may use. Nobody removes it but the
    /// playbook.
    ///
    /// ```yaml
    /// - tempfile:
    ///     state: directory
    ///     suffix: .build
    ///   register: work
    /// ```
    pub struct Tempfile {
        /// What is made.
        default(State::File) state: State,
        /// The directory in which it is made; the system's temporary directory, if not given.
        optional path: Option<HostPath>,
        /// How its name begins.
        default("ansible.".to_owned()) prefix: String,
        /// How its name ends.
        optional suffix: String,
    }
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[
    ("path", "Path of what was made."),
    ("uid", "Number of the owner."),
    ("gid", "Number of the group."),
    ("owner", "Name of the owner."),
    ("group", "Name of the group."),
    ("mode", "Permissions."),
    ("size", "Size in bytes."),
    ("state", "`file` or `directory`."),
];

impl Module for Tempfile {
    fn plan(&self, cx: &PlanCx<'_>) -> Result<Plan> {
        for (name, value) in [("prefix", &self.prefix), ("suffix", &self.suffix)] {
            if value.contains('/') {
                return Err(Error::params(format!(
                    "{name} must be a valid file name component, got '{value}'"
                )));
            }
        }
        let folder = match &self.path {
            Some(path) => path.expand(cx.host)?,
            None => PathBuf::from(cx.host.env("TMPDIR").unwrap_or_else(|| "/tmp".into())),
        };
        if !cx.host.stat(&folder)?.is_some_and(|s| s.is_dir()) {
            return Err(Error::host(format!("{} is no directory", shown(&folder))));
        }
        // Names need not be secret: the file is made with a mode that shuts others out, and a name
        // that is taken is not used.
        let mut seed = (cx.host.now() * 1e9) as u64;
        let path = loop {
            let path = folder.join(format!("{}{}{}", self.prefix, letters(seed), self.suffix));
            if cx.host.lstat(&path)?.is_none() {
                break path;
            }
            seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        };
        let mut plan = Plan::returning(Returns::default().with("path", shown(&path)));
        let diff = Diff::new(shown(&path), Value::Null, self.state.word());
        let mode = |mode| Attrs {
            mode: Some(mode),
            ..Attrs::default()
        };
        plan.change(
            diff,
            match self.state {
                State::Directory => Effect::MakeDir {
                    path,
                    attrs: mode(0o700),
                },
                State::File => Effect::WriteFile {
                    path,
                    content: Content::Bytes(Vec::new()),
                    attrs: mode(0o600),
                    backup: false,
                    validate: None,
                    in_place: false,
                },
            },
        );
        Ok(plan)
    }

    fn finish(
        &self,
        cx: &PlanCx<'_>,
        returns: &mut Returns,
        _: &[crate::host::Outcome],
    ) -> Result<()> {
        match returns
            .values
            .get("path")
            .and_then(Value::as_str)
            .map(PathBuf::from)
        {
            Some(path) => add_path_info(cx.host, &path, returns),
            None => Ok(()),
        }
    }
}

/// Eight letters and digits, well mixed.
fn letters(seed: u64) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijkmnopqrstuvwxyz2345678";
    let mut mixed = seed ^ (seed >> 30);
    mixed = mixed.wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed ^= mixed >> 27;
    mixed = mixed.wrapping_mul(0x94D0_49BB_1331_11EB);
    (0..8)
        .map(|i| char::from(LETTERS[(mixed >> (i * 5) & 31) as usize]))
        .collect()
}
