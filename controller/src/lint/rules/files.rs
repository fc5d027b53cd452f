//! Files: modes that say something else, or too much, or nothing.

use super::{is_core, plain_arg};
use crate::lint::Check::Task as Each;
use crate::lint::Found;
use lks_agent::playbook::task::Task;
use lks_agent::value::Value;
use std::sync::Arc;

rules! {
    /// A mode is a decimal number, which means other bits.
    ///
    /// YAML reads `mode: 644` as six hundred and forty-four, in octal 1204. Write it in quotes with a
    /// leading zero: `mode: '0644'`.
    OCTAL_MODE "octal-mode" Warning on => Each(octal_mode);

    /// Everybody may write to a file or folder.
    ///
    /// Any account on the host can change what others read or run from it. A sticky bit (`1777`) makes
    /// folders for all safe.
    WORLD_WRITABLE "world-writable" Warning on => Each(world_writable);

    /// A new file gets whatever mode the host's umask leaves.
    ///
    /// Without `mode:`, a file that is not there yet is made by the umask of whoever runs the task: the
    /// same playbook gives other rights on another host.
    NO_MODE "no-mode" Note off => Each(no_mode);
}

fn octal_mode(task: &Arc<Task>, out: &mut Vec<Found>) {
    for name in ["mode", "directory_mode"] {
        let Some(arg) = task.args.get(name) else {
            continue;
        };
        let written = arg.span.file.line(arg.span.line);
        let start = (arg.span.column.max(1) - 1) as usize;
        let digits: String = written
            .chars()
            .skip(start)
            .take_while(char::is_ascii_digit)
            .collect();
        let is_number = matches!(arg.value, Value::Int(_));
        if is_number && !digits.is_empty() && !digits.starts_with('0') {
            out.push(
                Found::at(
                    &arg.span,
                    format!("`{name}: {digits}` is a decimal number, which means other bits"),
                )
                .hint(format!("write it in quotes: '0{digits}'")),
            );
        }
    }
}

/// Modules that make files.
const MAKERS: &[&str] = &[
    "copy",
    "template",
    "file",
    "get_url",
    "assemble",
    "unarchive",
    "lineinfile",
    "blockinfile",
];

fn world_writable(task: &Arc<Task>, out: &mut Vec<Found>) {
    let Some(mode) = plain_arg(task, "mode").filter(|_| is_core(task, MAKERS)) else {
        return;
    };
    let arg = task.args.get("mode");
    let is_text = arg.is_some_and(|a| matches!(a.value, Value::Str(_)));
    let octal = is_text
        .then(|| u32::from_str_radix(mode.trim(), 8).ok())
        .flatten();
    let written = match (octal, arg.map(|a| &a.value)) {
        (Some(bits), _) => Some(bits),
        // `0777` without quotes was read as octal.
        (None, Some(Value::Int(i))) => u32::try_from(*i).ok(),
        _ => None,
    };
    let by_bits = written.is_some_and(|bits| bits & 0o002 != 0 && bits & 0o1000 == 0);
    let by_letters = mode.split(',').any(|part| {
        part.split_once(['+', '=']).is_some_and(|(who, what)| {
            (who.is_empty() && false)
                || (who.contains(['o', 'a']) && what.contains('w') && !what.contains('t'))
        })
    });
    if let Some(arg) = arg.filter(|_| by_bits || by_letters) {
        out.push(
            Found::at(&arg.span, "everybody on the host may write to it")
                .hint("give rights to an owner and a group, such as '0755' or '0775'"),
        );
    }
}

fn no_mode(task: &Arc<Task>, out: &mut Vec<Found>) {
    let makes = match task.short_module() {
        "copy" | "template" | "get_url" | "assemble" => true,
        "file" => matches!(
            plain_arg(task, "state").as_deref(),
            Some("directory" | "touch")
        ),
        "lineinfile" | "blockinfile" => {
            plain_arg(task, "create").is_some_and(|c| matches!(&*c, "true" | "yes"))
        }
        _ => false,
    };
    let given = task.args.get("mode").is_some() || task.args.whole.is_some();
    if is_core(task, MAKERS) && makes && !given {
        out.push(
            Found::at(
                &task.module_span,
                "a new file gets whatever mode the host's umask leaves",
            )
            .hint("add `mode:`, such as '0644' for files and '0755' for folders"),
        );
    }
}
