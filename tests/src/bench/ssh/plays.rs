//! What is run on every host, and what must be there afterwards. Texts lie in `tests/bench/ssh`.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use lks_tests::rig::{Attempt, Result, ensure};

/// A play of twenty tasks.
pub struct Play {
    /// Its name, and that of its file.
    pub id: &'static str,
    /// What it is.
    pub title: &'static str,
    /// Its text, as `work::repeat` reads it.
    pub text: &'static str,
    /// Looks at what host `number` has below `/mnt`.
    pub proof: fn(number: usize, left: &Path) -> Result<()>,
}

macro_rules! text {
    ($name:literal) => {
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/bench/ssh/", $name))
    };
}

/// The template that plays use.
pub const PAGE: &str = text!("page.j2");

/// The plays.
pub const ALL: [Play; 2] = [
    Play {
        id: "mixed",
        title: "20 tasks: files, templates, lines, commands",
        text: text!("play.yml"),
        proof: mixed,
    },
    Play {
        id: "commands",
        title: "20 tasks: shell that appends a line",
        text: text!("commands.yml"),
        proof: appended,
    },
];

fn mixed(number: usize, left: &Path) -> Result<()> {
    for item in 1..=4 {
        let wanted = format!("file {item} of h{number}\n");
        same(left, &format!("etc/file-{item}"), &wanted)?;
    }
    for item in 1..=3 {
        let wanted = format!("# page {item}\nwords: alpha-1 beta-2 end\n");
        same(left, &format!("etc/page-{item}"), &wanted)?;
    }
    same(
        left,
        "etc/settings",
        "setting-1=on\nsetting-2=on\nsetting-3=on\n",
    )?;
    for item in 1..=5 {
        same(left, &format!("log/touched-{item}"), "")?;
    }
    let size = format!("file 1 of h{number}\n").len();
    same(left, "log/sizes", &format!("{size}\n"))?;
    let link = fs::read_link(left.join("etc/link")).attempt("no effect: etc/link")?;
    ensure(link == Path::new("file-1"), "etc/link leads elsewhere")?;
    let mode = fs::metadata(left.join("log"))?.mode() & 0o777;
    ensure(mode == 0o750, format_args!("log has mode {mode:o}"))
}

fn appended(_: usize, left: &Path) -> Result<()> {
    same(left, "lines", &"x\n".repeat(20))
}

fn same(left: &Path, name: &str, wanted: &str) -> Result<()> {
    let found = fs::read_to_string(left.join(name)).attempt(format_args!("no effect: {name}"))?;
    ensure(
        found == wanted,
        format_args!("{name} holds {found:?} and not {wanted:?}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work::repeat;

    #[test]
    fn plays_have_twenty_tasks() {
        for play in &ALL {
            let tasks = repeat(play.text).matches("    - ansible.builtin.").count();
            assert_eq!(tasks, 20, "{}", play.id);
        }
    }
}
