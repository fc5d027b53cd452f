//! Running the tools the rig is made of.

use std::path::Path;
use std::process::{Command, Stdio};

use super::{Attempt, Failure, Result};

/// How much of a failed tool's output is shown.
const SHOWN: usize = 2000;

/// Runs `command` to its end and gives its standard output; a non-zero end is an error with the
/// end of what the tool said.
pub fn run(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .attempt(format_args!("cannot start {name}"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(said);
    }
    let complaint = format!("{said}{}", String::from_utf8_lossy(&output.stderr));
    Err(Failure::new(format!(
        "{command:?} ended with {}:\n{}",
        output.status,
        tail(&complaint)
    )))
}

/// The end of a long text.
pub fn tail(text: &str) -> &str {
    let text = text.trim_end();
    let from = text.len().saturating_sub(SHOWN);
    let from = (from..text.len()).find(|&at| text.is_char_boundary(at));
    &text[from.unwrap_or(0)..]
}

/// Whether `tool` lies on the PATH, or where Debian keeps what only root needs.
pub fn exists(tool: &str) -> bool {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':')
        .chain(["/usr/sbin", "/sbin"])
        .any(|dir| Path::new(dir).join(tool).is_file())
}

/// The processes whose parent is `parent`, as this process numbers them.
pub fn children_of(parent: u32) -> Vec<u32> {
    let pids = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|&pid| parent_of(pid) == Some(parent))
        .collect()
}

fn parent_of(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may itself hold spaces and brackets: the fields start after the last one.
    let fields = &stat[stat.rfind(')')? + 1..];
    fields.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_of_a_short_text_is_the_text() {
        assert_eq!(tail("one\ntwo\n"), "one\ntwo");
    }

    #[test]
    fn a_failed_tool_says_what_it_said() {
        let failure = run(Command::new("sh").args(["-c", "echo no luck >&2; exit 3"])).unwrap_err();
        assert!(failure.to_string().contains("no luck"), "{failure}");
    }

    #[test]
    fn this_process_is_a_child_of_its_parent() {
        let parent = parent_of(std::process::id()).expect("a test has a parent");
        assert!(children_of(parent).contains(&std::process::id()));
    }
}
