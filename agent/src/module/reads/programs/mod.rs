//! Which programs only read, with which arguments.

mod judges;
mod options;
mod scripts;

use super::words::Word;
use judges::{
    command, compose, date, docker, dpkg, ip, iptables, nvidia_smi, rpm, sudo, systemctl, timeout,
};
use options::{all_in, first_is, has, has_option, none_dynamic};
use scripts::{awk, sed};

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
