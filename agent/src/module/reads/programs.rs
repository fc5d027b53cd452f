//! Which programs only read, with which arguments.

use super::words::Word;

type Judge = fn(&[Word]) -> bool;

/// Programs that only read whatever their arguments are.
const ANY: &[&str] = &[
    ":",
    "[",
    "[[",
    "arch",
    "b2sum",
    "base64",
    "basename",
    "cat",
    "cksum",
    "cmp",
    "comm",
    "cut",
    "df",
    "diff",
    "dirname",
    "dpkg-query",
    "du",
    "echo",
    "egrep",
    "exit",
    "expr",
    "false",
    "fgrep",
    "findmnt",
    "fold",
    "free",
    "getconf",
    "getent",
    "getfacl",
    "grep",
    "groups",
    "head",
    "hexdump",
    "id",
    "join",
    "jq",
    "locale",
    "ls",
    "lsattr",
    "lsb_release",
    "lsblk",
    "lscpu",
    "lsmod",
    "lsns",
    "lsof",
    "lspci",
    "lsusb",
    "md5sum",
    "modinfo",
    "mountpoint",
    "nfsstat",
    "nl",
    "nproc",
    "od",
    "paste",
    "pgrep",
    "pidof",
    "printenv",
    "printf",
    "ps",
    "pstree",
    "pwd",
    "readlink",
    "realpath",
    "rev",
    "seq",
    "sha1sum",
    "sha224sum",
    "sha256sum",
    "sha384sum",
    "sha512sum",
    "showmount",
    "sleep",
    "stat",
    "strings",
    "tac",
    "test",
    "tr",
    "true",
    "type",
    "uname",
    "uptime",
    "users",
    "wc",
    "which",
    "who",
    "whoami",
    "zcat",
    "zgrep",
    "cd",
    "column",
    "systemd-detect-virt",
];

/// Programs that only read with some arguments.
const SOME: &[(&str, Judge)] = &[
    ("apt-cache", |a| {
        first_is(
            a,
            &[
                "policy", "show", "showpkg", "search", "madison", "depends", "rdepends",
                "pkgnames", "stats",
            ],
        )
    }),
    ("apt-mark", |a| {
        first_is(a, &["showmanual", "showauto", "showhold"])
    }),
    ("apt", |a| {
        first_is(a, &["list", "show", "policy", "search"]) && !has_option(a, "o", &["option"])
    }),
    ("awk", awk),
    ("gawk", awk),
    ("mawk", awk),
    ("blkid", |a| {
        !has_option(a, "gcw", &["garbage-collect", "cache-file"])
    }),
    ("chage", |a| first_is(a, &["-l", "--list"])),
    ("command", command),
    ("crontab", |a| {
        a.iter()
            .all(|w| w.text == "-l" || w.text == "-u" || !w.text.starts_with('-'))
            && has(a, "-l")
    }),
    ("date", date),
    ("docker", docker),
    ("podman", docker),
    ("docker-compose", compose),
    ("dpkg", dpkg),
    ("env", <[Word]>::is_empty),
    ("file", |a| !has_option(a, "C", &["compile"])),
    ("find", |a| {
        none_dynamic(a)
            && !a.iter().any(|w| {
                ["-delete", "-exec", "-ok", "-fprint", "-fls"]
                    .iter()
                    .any(|p| w.text.starts_with(p))
            })
    }),
    ("git", |a| first_is(a, &["rev-parse", "--version"])),
    ("hostname", |a| {
        all_in(
            a,
            &[
                "-f",
                "-s",
                "-i",
                "-I",
                "-d",
                "-A",
                "--fqdn",
                "--short",
                "--long",
                "--ip-address",
                "--all-ip-addresses",
                "--domain",
            ],
        )
    }),
    ("hostnamectl", |a| {
        a.is_empty() || all_in(a, &["status", "--static", "--no-pager"]) && has(a, "status")
    }),
    ("ifconfig", |a| {
        all_in(a, &["-a"]) || a.len() == 1 && !a[0].text.starts_with('-') && none_dynamic(a)
    }),
    ("ip", ip),
    ("ip6tables", iptables),
    ("iptables", iptables),
    ("iptables-save", |a| {
        a.is_empty() || a.len() == 2 && a[0].text == "-t"
    }),
    ("journalctl", |a| {
        !has_option(
            a,
            "f",
            &[
                "follow",
                "vacuum-size",
                "vacuum-time",
                "vacuum-files",
                "rotate",
                "flush",
                "sync",
                "relinquish-var",
                "smart-relinquish-var",
                "setup-keys",
                "update-catalog",
                "cursor-file",
                "force",
            ],
        )
    }),
    ("localectl", |a| all_in(a, &["status"])),
    ("mount", |a| all_in(a, &["-l"])),
    ("nft", |a| first_is(a, &["list"])),
    ("nvidia-smi", nvidia_smi),
    ("ollama", |a| {
        first_is(a, &["list", "ls", "ps", "show", "--version", "-v"])
    }),
    ("passwd", |a| first_is(a, &["-S", "--status"])),
    ("rpm", rpm),
    ("sed", sed),
    ("service", |a| {
        a.len() == 2 && a[1].text == "status" && none_dynamic(a)
    }),
    ("set", |a| {
        all_in(
            a,
            &[
                "-e", "-u", "-x", "-eu", "-ex", "-eux", "-o", "pipefail", "-euo", "-euxo", "-eo",
                "+e", "errexit", "nounset",
            ],
        )
    }),
    ("sort", |a| {
        !has_option(
            a,
            "oT",
            &["output", "compress-program", "temporary-directory"],
        )
    }),
    ("ss", |a| !has_option(a, "KD", &["kill", "diag"])),
    ("netstat", |a| !has_option(a, "c", &["continuous"])),
    ("sudo", sudo),
    ("swapon", |a| {
        !a.is_empty()
            && (all_in(a, &["-s", "--summary", "--noheadings", "--bytes", "--raw"])
                || a[0].text.starts_with("--show") && a.len() == 1)
    }),
    ("sysctl", |a| {
        none_dynamic(a)
            && !a.is_empty()
            && a.iter().all(|w| {
                if w.text.starts_with('-') {
                    matches!(
                        w.text.as_str(),
                        "-n" | "-a" | "-e" | "-ne" | "-en" | "--values" | "--all"
                    )
                } else {
                    !w.text.contains('=') && !w.expands
                }
            })
    }),
    ("systemctl", systemctl),
    ("tail", |a| !has_option(a, "fF", &["follow", "retry"])),
    ("tee", <[Word]>::is_empty),
    ("timedatectl", |a| {
        a.is_empty() || first_is(a, &["status", "show"])
    }),
    ("timeout", timeout),
    ("ufw", |a| first_is(a, &["status"])),
    ("uniq", |a| {
        none_dynamic(a) && a.iter().filter(|w| !w.text.starts_with('-')).count() < 2
    }),
];

/// Programs that are asked for their version.
const VERSIONED: &[&str] = &[
    "ansible",
    "aws",
    "bash",
    "containerd",
    "curl",
    "docker",
    "docker-compose",
    "gcc",
    "git",
    "go",
    "helm",
    "java",
    "kubectl",
    "make",
    "node",
    "npm",
    "nginx",
    "nvcc",
    "nvidia-ctk",
    "ollama",
    "perl",
    "php",
    "pip",
    "pip3",
    "podman",
    "psql",
    "python",
    "python3",
    "ruby",
    "runc",
    "rustc",
    "terraform",
    "vllm",
];

/// Whether this simple command is known only to read.
pub fn only_reads(words: &[Word]) -> bool {
    let Some((program, args)) = words.split_first() else {
        return false;
    };
    if program.expands || program.dynamic {
        return false;
    }
    let name = ["/bin/", "/usr/bin/", "/sbin/", "/usr/sbin/"]
        .iter()
        .find_map(|dir| program.text.strip_prefix(dir))
        .unwrap_or(&program.text);
    if ANY.contains(&name) {
        return true;
    }
    if asks_for_version(name, args) {
        return true;
    }
    SOME.iter()
        .find(|(known, _)| *known == name)
        .is_some_and(|(_, judge)| judge(args))
}

/// `-v` starts a session or runs a script in some, and `version` is a script's name there.
fn asks_for_version(name: &str, args: &[Word]) -> bool {
    const BY_WORD: &[&str] = &[
        "docker",
        "docker-compose",
        "podman",
        "kubectl",
        "helm",
        "go",
        "terraform",
    ];
    const NOT_BY_LETTER: &[&str] = &["bash", "python", "python3", "make", "perl", "ruby", "psql"];
    let [only] = args else {
        return false;
    };
    VERSIONED.contains(&name)
        && match only.text.as_str() {
            "--version" => true,
            "-V" => name != "bash",
            "-v" => !NOT_BY_LETTER.contains(&name),
            "version" => BY_WORD.contains(&name),
            "-version" => name == "java",
            _ => false,
        }
}

fn has(args: &[Word], text: &str) -> bool {
    args.iter().any(|w| w.text == text)
}

fn none_dynamic(args: &[Word]) -> bool {
    !args.iter().any(|w| w.dynamic)
}

fn first_is(args: &[Word], allowed: &[&str]) -> bool {
    args.first()
        .is_some_and(|w| !w.expands && allowed.contains(&w.text.as_str()))
}

fn all_in(args: &[Word], allowed: &[&str]) -> bool {
    args.iter()
        .all(|w| !w.expands && allowed.contains(&w.text.as_str()))
}

/// Whether an argument is, may be or may become one of these options: a letter anywhere in a
/// cluster, a long option or an abbreviation of it, or an expansion that nobody can foresee.
fn has_option(args: &[Word], letters: &str, longs: &[&str]) -> bool {
    args.iter().any(|w| {
        if w.dynamic {
            return true;
        }
        match w.text.strip_prefix("--") {
            Some("") => false,
            Some(long) => {
                let name = long.split('=').next().unwrap_or(long);
                longs.iter().any(|l| l.starts_with(name))
            }
            None => w
                .text
                .strip_prefix('-')
                .is_some_and(|cluster| cluster.chars().any(|c| letters.contains(c))),
        }
    })
}

/// `command -v X`.
fn command(args: &[Word]) -> bool {
    first_is(args, &["-v", "-V"])
}

fn sudo(args: &[Word]) -> bool {
    let rest = match args.first() {
        Some(w) if w.text == "-n" => &args[1..],
        _ => args,
    };
    only_reads(rest)
}

fn timeout(args: &[Word]) -> bool {
    args.split_first().is_some_and(|(time, rest)| {
        !time.expands && time.text.starts_with(|c: char| c.is_ascii_digit()) && only_reads(rest)
    })
}

/// The program must be given literally, and hold nothing that writes, pipes or runs.
fn awk(args: &[Word]) -> bool {
    let mut rest = args;
    loop {
        match rest {
            [w, value, tail @ ..] if (w.text == "-F" || w.text == "-v") && !value.dynamic => {
                rest = tail;
            }
            [w, tail @ ..] if w.text.starts_with("-F") && w.text != "-F" && !w.dynamic => {
                rest = tail;
            }
            [program, files @ ..] => {
                return !program.text.starts_with('-')
                    && !program.expands
                    && !["system", ">", "|", "getline", "@"]
                        .iter()
                        .any(|bad| program.text.contains(bad))
                    && none_dynamic(files)
                    && !files.iter().any(|w| w.text.starts_with('-'));
            }
            [] => return false,
        }
    }
}

fn date(args: &[Word]) -> bool {
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

fn docker(args: &[Word]) -> bool {
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

fn compose(args: &[Word]) -> bool {
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
fn dpkg(args: &[Word]) -> bool {
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
fn ip(args: &[Word]) -> bool {
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
fn iptables(args: &[Word]) -> bool {
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

fn nvidia_smi(args: &[Word]) -> bool {
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

fn rpm(args: &[Word]) -> bool {
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

fn systemctl(args: &[Word]) -> bool {
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

/// Options that do not write, and scripts of printing, deleting, quitting and plain substitution.
fn sed(args: &[Word]) -> bool {
    let mut scripts = 0;
    let mut rest = args;
    while let Some((word, tail)) = rest.split_first() {
        let text = word.text.as_str();
        rest = tail;
        match text {
            _ if word.dynamic => return false,
            "-n" | "-E" | "-r" | "-nE" | "-nr" | "-En" | "-u" | "--quiet" | "--silent"
            | "--regexp-extended" => {}
            "-e" | "-ne" => match tail.split_first() {
                Some((script, tail)) if !script.expands && harmless_sed(&script.text) => {
                    scripts += 1;
                    rest = tail;
                }
                _ => return false,
            },
            _ if text.starts_with('-') && text != "-" => return false,
            _ if scripts == 0 => {
                if word.expands || !harmless_sed(text) {
                    return false;
                }
                scripts += 1;
            }
            _ => {}
        }
    }
    scripts > 0
}

fn harmless_sed(script: &str) -> bool {
    let mut rest = script.trim();
    let mut any = false;
    while !rest.is_empty() {
        let Some(tail) = sed_command(rest) else {
            return false;
        };
        any = true;
        rest = tail.trim_start();
        match rest.strip_prefix([';', '\n']) {
            Some(tail) => rest = tail.trim_start(),
            None if rest.is_empty() => {}
            None => return false,
        }
    }
    any
}

/// Reads one harmless command, and gives what follows it.
fn sed_command(text: &str) -> Option<&str> {
    let mut rest = sed_address(text);
    if let Some(tail) = rest.strip_prefix(',') {
        rest = sed_address(tail);
    }
    rest = rest.trim_start();
    rest = rest.strip_prefix('!').unwrap_or(rest);
    let command = rest.chars().next()?;
    let tail = &rest[command.len_utf8()..];
    match command {
        'p' | 'd' | 'q' | '=' => Some(tail),
        's' => {
            let delimiter = tail.chars().next().filter(char::is_ascii_punctuation)?;
            let pattern = &tail[1..];
            let replacement = &pattern[delimited(pattern, delimiter)?..];
            let flags = &replacement[delimited(replacement, delimiter)?..];
            Some(flags.trim_start_matches(|c: char| "gpiI".contains(c) || c.is_ascii_digit()))
        }
        _ => None,
    }
}

fn sed_address(text: &str) -> &str {
    if let Some(tail) = text.strip_prefix('$') {
        return tail;
    }
    if let Some(tail) = text.strip_prefix('/')
        && let Some(end) = delimited(tail, '/')
    {
        return &tail[end..];
    }
    text.trim_start_matches(|c: char| c.is_ascii_digit())
}

/// Where the text goes on after the next delimiter that no backslash escapes.
fn delimited(text: &str, delimiter: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == delimiter => return Some(at + c.len_utf8()),
            _ => {}
        }
    }
    None
}
