//! Programs that read or change as their words say: one function for each.

use super::only_reads;
use super::options::{first_is, has, has_option, none_dynamic};
use crate::module::reads::words::Word;

/// `command -v X`.
pub(super) fn command(args: &[Word]) -> bool {
    first_is(args, &["-v", "-V"])
}

pub(super) fn sudo(args: &[Word]) -> bool {
    let rest = match args.first() {
        Some(w) if w.text == "-n" => &args[1..],
        _ => args,
    };
    only_reads(rest)
}

pub(super) fn timeout(args: &[Word]) -> bool {
    args.split_first().is_some_and(|(time, rest)| {
        !time.expands && time.text.starts_with(|c: char| c.is_ascii_digit()) && only_reads(rest)
    })
}

pub(super) fn date(args: &[Word]) -> bool {
    let mut rest = args;
    while let Some((first, tail)) = rest.split_first() {
        let text = first.text.as_str();
        rest = match text {
            _ if first.dynamic => return false,
            "-d" | "-r" if tail.first().is_some_and(|w| !w.dynamic) => &tail[1..],
            "-u" | "-R" | "--utc" | "--rfc-email" => tail,
            _ if text.starts_with('+') || text.starts_with("-I") => tail,
            _ if text.starts_with("--date=") || text.starts_with("--iso-8601") => tail,
            _ => return false,
        };
    }
    true
}

pub(super) fn docker(args: &[Word]) -> bool {
    let Some((verb, rest)) = args.split_first() else {
        return false;
    };
    if verb.expands {
        return false;
    }
    let lists = |allowed: &[&str]| first_is(rest, allowed);
    match verb.text.as_str() {
        "ps" | "inspect" | "images" | "info" | "version" | "port" | "top" | "diff" | "history" => {
            true
        }
        "logs" => !has_option(rest, "f", &["follow"]),
        "container" => lists(&["ls", "list", "ps", "inspect", "port", "top", "diff"]),
        "image" => lists(&["ls", "list", "inspect", "history"]),
        "volume" | "network" | "context" => lists(&["ls", "list", "inspect"]),
        "system" => lists(&["df", "info"]),
        "compose" => compose(rest),
        _ => false,
    }
}

pub(super) fn compose(args: &[Word]) -> bool {
    match args {
        [option, value, rest @ ..]
            if !value.dynamic
                && [
                    "-f",
                    "--file",
                    "-p",
                    "--project-name",
                    "--project-directory",
                ]
                .contains(&option.text.as_str()) =>
        {
            compose(rest)
        }
        [verb, rest @ ..] if !verb.expands => match verb.text.as_str() {
            "ps" | "ls" | "images" | "version" | "top" | "port" => true,
            "logs" => !has_option(rest, "f", &["follow"]),
            _ => false,
        },
        _ => false,
    }
}

/// The action must come first, and no other may follow it.
pub(super) fn dpkg(args: &[Word]) -> bool {
    const READS: &[&str] = &[
        "-l",
        "--list",
        "-s",
        "--status",
        "-L",
        "--listfiles",
        "-S",
        "--search",
        "-p",
        "--print-avail",
        "--get-selections",
        "--print-architecture",
        "--print-foreign-architectures",
        "-V",
        "--verify",
        "-C",
        "--audit",
        "--compare-versions",
        "--version",
        "-I",
        "--info",
        "-c",
        "--contents",
        "-f",
        "--field",
    ];
    first_is(args, READS)
        && none_dynamic(args)
        && !args[1..].iter().any(|w| w.text.starts_with('-'))
}

/// Options that only shape the output, an object, and `show` or nothing after it.
pub(super) fn ip(args: &[Word]) -> bool {
    const OPTIONS: &[&str] = &[
        "-4", "-6", "-o", "-oneline", "-br", "-brief", "-j", "-json", "-d", "-details", "-s", "-c",
        "-p", "-N",
    ];
    const OBJECTS: &[&str] = &[
        "a", "addr", "address", "l", "link", "r", "ro", "route", "n", "neigh", "rule", "maddr",
    ];
    let from = args
        .iter()
        .position(|w| !OPTIONS.contains(&w.text.as_str()))
        .unwrap_or(args.len());
    let rest = &args[from..];
    first_is(rest, OBJECTS)
        && (rest.len() == 1 || first_is(&rest[1..], &["s", "sh", "show", "ls", "list", "get"]))
}

/// A list or a check, and no command that changes the tables.
pub(super) fn iptables(args: &[Word]) -> bool {
    const CHANGES: &[&str] = &[
        "append",
        "insert",
        "delete",
        "replace",
        "flush",
        "zero",
        "new-chain",
        "delete-chain",
        "policy",
        "rename-chain",
        "modprobe",
        "table-restore",
    ];
    let asks = args.iter().any(|w| {
        matches!(
            w.text.as_str(),
            "-L" | "-S"
                | "-C"
                | "-nL"
                | "-nvL"
                | "-vnL"
                | "-Ln"
                | "-Lnv"
                | "--list"
                | "--list-rules"
                | "--check"
        )
    });
    asks && !has_option(args, "AIDRFZNXPEM", CHANGES)
}

pub(super) fn nvidia_smi(args: &[Word]) -> bool {
    // `-m` is the matrix of `topo`, and nothing else.
    if has(args, "-m") && !has(args, "topo") {
        return false;
    }
    let mut takes_value = false;
    args.iter().all(|w| {
        if std::mem::take(&mut takes_value) {
            return !w.dynamic && !w.text.starts_with('-');
        }
        let text = w.text.as_str();
        takes_value = matches!(text, "-i" | "-d" | "--id" | "--display");
        !w.dynamic
            && (takes_value
                || matches!(
                    text,
                    "-L" | "--list-gpus"
                        | "-q"
                        | "--query"
                        | "-h"
                        | "--help"
                        | "--version"
                        | "-x"
                        | "topo"
                        | "-m"
                )
                || ["--query-", "--format=", "--id=", "--display="]
                    .iter()
                    .any(|p| text.starts_with(p)))
    })
}

pub(super) fn rpm(args: &[Word]) -> bool {
    const OPTIONS: &[&str] = &[
        "-q",
        "-qa",
        "-qi",
        "-ql",
        "-qf",
        "-qc",
        "-qd",
        "-qR",
        "-qp",
        "-qpi",
        "--query",
        "--quiet",
        "--qf",
        "--queryformat",
        "--whatprovides",
        "--provides",
        "--requires",
        "--changelog",
        "--last",
        "-a",
        "-i",
        "-l",
        "-f",
    ];
    args.first()
        .is_some_and(|w| w.text.starts_with("-q") || w.text == "--query")
        && none_dynamic(args)
        && args.iter().all(|w| {
            !w.text.starts_with('-')
                || OPTIONS.contains(&w.text.as_str())
                || w.text.starts_with("--qf=")
                || w.text.starts_with("--queryformat=")
        })
}

pub(super) fn systemctl(args: &[Word]) -> bool {
    const OPTIONS: &[&str] = &[
        "--quiet",
        "-q",
        "--no-pager",
        "--all",
        "-a",
        "--full",
        "-l",
        "--plain",
        "--no-legend",
        "--user",
        "--system",
        "--failed",
        "--value",
    ];
    const VERBS: &[&str] = &[
        "is-active",
        "is-enabled",
        "is-failed",
        "is-system-running",
        "status",
        "show",
        "cat",
        "list-units",
        "list-unit-files",
        "list-timers",
        "list-sockets",
        "list-dependencies",
        "list-jobs",
        "get-default",
        "--version",
        "show-environment",
    ];
    let is_option = |w: &Word| {
        OPTIONS.contains(&w.text.as_str())
            || ["--type=", "--state=", "--property="]
                .iter()
                .any(|p| w.text.starts_with(p))
    };
    let from = args
        .iter()
        .position(|w| !is_option(w))
        .unwrap_or(args.len());
    first_is(&args[from..], VERBS)
        && !has_option(&args[from..], "HM", &["host", "machine", "root", "image"])
}
