//! Invariants of the code's structure, as a table: who may import whom in the agent, which crates
//! the agent's tree must never hold, and that the host's binary stays one small static file.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Folder (or file) of `agent/src`, and the modules of the crate that it must never name.
const FORBIDDEN_IMPORTS: &[(&str, &[&str])] = &[
    ("playbook", &["host", "engine", "modules", "cli", "view"]),
    ("inventory", &["host", "engine", "modules", "cli", "view"]),
    ("template", &["host", "engine", "modules", "cli", "view"]),
    ("vars", &["host", "engine", "modules", "cli", "view"]),
    ("event", &["engine", "host", "playbook", "cli", "view"]),
    ("view", &["engine", "host", "playbook", "modules", "cli"]),
    (
        "host",
        &[
            "engine", "modules", "module", "playbook", "template", "cli", "view", "event",
        ],
    ),
    (
        "module",
        &[
            "engine", "modules", "playbook", "template", "cli", "view", "event",
        ],
    ),
    (
        "modules",
        &[
            "engine",
            "playbook",
            "template",
            "vars",
            "inventory",
            "cli",
            "view",
            "event",
        ],
    ),
    (
        "facts",
        &[
            "engine", "modules", "playbook", "template", "cli", "view", "event",
        ],
    ),
    (
        "cloud",
        &[
            "engine", "modules", "playbook", "template", "cli", "view", "event", "uplink",
        ],
    ),
    ("engine", &["cli", "view", "uplink", "bundle"]),
    (
        "bundle",
        &["modules", "module", "playbook", "template", "cli", "view"],
    ),
    (
        "uplink",
        &["modules", "playbook", "template", "cli", "view"],
    ),
    (
        "value.rs",
        &["engine", "host", "module", "playbook", "template"],
    ),
    (
        "error.rs",
        &["engine", "host", "module", "playbook", "template"],
    ),
];

/// Crates that must not be in the agent's tree: they belong to the controller, or nowhere.
const FORBIDDEN_CRATES: &[&str] = &[
    "russh",
    "rusqlite",
    "sqlx",
    "tokio-postgres",
    "aws-sdk-ec2",
    "aws-sdk-s3",
    "aws-config",
    "aws-lc-rs",
    "openssl",
    "openssl-sys",
    "serde_yaml",
    "axum",
    "rcgen",
    "libloading",
];

/// What the agent's binary may weigh, in bytes.
const MAX_AGENT: u64 = 12 << 20;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ lies in the workspace")
        .to_path_buf()
}

fn rust_files(dir: &Path, out: &mut Vec<PathBuf>) {
    if dir.is_file() {
        out.push(dir.to_path_buf());
        return;
    }
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            rust_files(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

/// Lines of code with their numbers: without comments, and without the tests at the file's end.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(i, line)| (i + 1, line))
}

#[test]
fn nobody_imports_whom_they_must_not() {
    let src = root().join("agent/src");
    let mut offences = Vec::new();
    for (place, forbidden) in FORBIDDEN_IMPORTS {
        let mut files = Vec::new();
        rust_files(&src.join(place), &mut files);
        assert!(
            !files.is_empty(),
            "agent/src/{place} is not there: mend the table"
        );
        for file in files {
            let below = file.strip_prefix(&src).unwrap_or(&file);
            let is_test = below.components().any(|c| c.as_os_str() == "tests")
                || file.file_stem().is_some_and(|s| s == "tests" || s == "law");
            let text = std::fs::read_to_string(&file).expect("readable");
            for (number, line) in code(&text).filter(|_| !is_test) {
                for module in *forbidden {
                    if line.contains(&format!("crate::{module}::"))
                        || line.contains(&format!("crate::{module};"))
                    {
                        offences.push(format!(
                            "{}:{number}: {place} must not import {module}: {}",
                            file.display(),
                            line.trim()
                        ));
                    }
                }
            }
        }
    }
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn no_module_imports_another_module() {
    let dir = root().join("agent/src/modules");
    let mut files = Vec::new();
    rust_files(&dir, &mut files);
    let mut offences = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("readable");
        let own = file
            .strip_prefix(&dir)
            .ok()
            .and_then(|p| p.components().next())
            .map(|c| {
                c.as_os_str()
                    .to_string_lossy()
                    .trim_end_matches(".rs")
                    .to_string()
            })
            .unwrap_or_default();
        for (number, line) in code(&text) {
            let other = line.split("crate::modules::").nth(1).map(|rest| {
                rest.split(|c: char| !c.is_alphanumeric() && c != '_')
                    .next()
                    .unwrap_or("")
            });
            if own != "mod" && own != "law" && other.is_some_and(|o| o != own) {
                offences.push(format!("{}:{number}: {}", file.display(), line.trim()));
            }
        }
    }
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

fn cargo(arguments: &[&str]) -> String {
    let done = lks_tests::cargo::command()
        .args(arguments)
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(
        done.status.success(),
        "cargo {arguments:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    String::from_utf8_lossy(&done.stdout).into_owned()
}

#[test]
fn the_agent_links_nothing_of_the_controllers() {
    let tree = cargo(&[
        "tree",
        "-p",
        "lks-agent",
        "-e",
        "normal",
        "--prefix",
        "none",
        "--offline",
    ]);
    for name in FORBIDDEN_CRATES {
        let found = tree.lines().find(|l| l.split(' ').next() == Some(name));
        assert!(
            found.is_none(),
            "the agent's tree holds {name}: cargo tree -p lks-agent -i {name} says why"
        );
    }
}

/// Builds as a release does: `tests/run` has built it before, so that this only looks.
#[test]
fn the_agent_is_one_small_static_binary() {
    cargo(&[
        "build",
        "--release",
        "-p",
        "lks-agent",
        "--quiet",
        "--offline",
    ]);
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let triple = Command::new("rustc")
        .args(["--print", "host-tuple"])
        .output()
        .expect("rustc runs");
    let triple = String::from_utf8_lossy(&triple.stdout).into_owned();
    let binary = target.join(triple.trim()).join("release/lks-agent");
    let bytes = std::fs::read(&binary).unwrap_or_else(|e| panic!("{}: {e}", binary.display()));
    assert!(
        bytes.len() as u64 <= MAX_AGENT,
        "lks-agent weighs {} bytes, more than {MAX_AGENT}",
        bytes.len()
    );
    assert_eq!(
        program_headers(&bytes, 3),
        0,
        "lks-agent asks for a dynamic loader (PT_INTERP)"
    );
    assert!(
        section_names(&bytes).iter().all(|n| n != ".symtab"),
        "lks-agent is not stripped"
    );
}

fn word(bytes: &[u8], at: usize, len: usize) -> usize {
    bytes[at..at + len]
        .iter()
        .rev()
        .fold(0, |n, b| n << 8 | usize::from(*b))
}

/// How many program headers of a 64-bit ELF file have this type (elf(5)).
fn program_headers(elf: &[u8], kind: usize) -> usize {
    let (offset, size, count) = (word(elf, 32, 8), word(elf, 54, 2), word(elf, 56, 2));
    (0..count)
        .filter(|i| word(elf, offset + i * size, 4) == kind)
        .count()
}

fn section_names(elf: &[u8]) -> Vec<String> {
    let (offset, size, count, names) = (
        word(elf, 40, 8),
        word(elf, 58, 2),
        word(elf, 60, 2),
        word(elf, 62, 2),
    );
    let start = |i: usize| word(elf, offset + i * size + 24, 8);
    let table = start(names);
    (0..count)
        .map(|i| {
            let at = table + word(elf, offset + i * size, 4);
            elf[at..]
                .iter()
                .take_while(|b| **b != 0)
                .map(|b| char::from(*b))
                .collect()
        })
        .collect()
}
