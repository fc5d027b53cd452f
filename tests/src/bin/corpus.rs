//! Tries `lks-ctl` on playbooks and roles that others wrote: does each load, list its tasks and lint,
//! and what is complained of? `cargo run -p lks-tests --bin corpus -- FOLDER…` (with `--all`, notes and
//! warnings are counted by rule, too). The corpus itself is no part of the project.

#![allow(clippy::print_stdout)]

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Folders that hold no playbooks of use: test rigs of other tools, and copies.
const SKIPPED: &[&str] = &[
    ".git",
    "molecule",
    "node_modules",
    "changelogs",
    "docs",
    "meta",
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let all = arguments.iter().any(|a| a == "--all");
    let program = std::env::var_os("LKS_CTL").unwrap_or_else(|| "lks-ctl".into());
    let mut found = Vec::new();
    for folder in arguments.iter().filter(|a| !a.starts_with("--")) {
        walk(Path::new(folder), &mut found);
    }
    found.sort();
    let mut sum = Sum::default();
    for path in &found {
        let outcome = look(Path::new(&program), path);
        println!("{}  {}", outcome.mark(), path.display());
        for complaint in &outcome.complaints {
            println!("      {complaint}");
        }
        sum.add(&outcome);
    }
    sum.print(all);
}

/// What became of one playbook or role.
#[derive(Default)]
struct Outcome {
    loads: bool,
    lists: bool,
    lints: bool,
    absent: usize,
    complaints: Vec<String>,
    rules: BTreeMap<String, usize>,
}

impl Outcome {
    fn mark(&self) -> String {
        let word = |yes: bool, what: &str| {
            if yes {
                what.to_string()
            } else {
                "-".repeat(what.len())
            }
        };
        format!(
            "{} {} {} {:3}",
            word(self.loads, "loads"),
            word(self.lists, "lists"),
            word(self.lints, "lints"),
            self.absent
        )
    }
}

#[derive(Default)]
struct Sum {
    files: usize,
    loads: usize,
    lists: usize,
    lints: usize,
    absent: usize,
    complaints: BTreeMap<String, usize>,
    rules: BTreeMap<String, usize>,
}

impl Sum {
    fn add(&mut self, one: &Outcome) {
        self.files += 1;
        self.loads += usize::from(one.loads);
        self.lists += usize::from(one.lists);
        self.lints += usize::from(one.lints);
        self.absent += usize::from(one.absent > 0);
        for complaint in &one.complaints {
            let kind = complaint.split(" — ").next().unwrap_or(complaint);
            *self.complaints.entry(kind.to_string()).or_default() += 1;
        }
        for (rule, count) in &one.rules {
            *self.rules.entry(rule.clone()).or_default() += count;
        }
    }

    fn print(&self, all: bool) {
        println!(
            "\n{} playbooks and roles: {} load, {} list their tasks, {} lint without errors; {} use what lks does not have",
            self.files, self.loads, self.lists, self.lints, self.absent
        );
        for (kind, count) in &self.complaints {
            println!("{count:5}  {kind}");
        }
        if all {
            for (rule, count) in &self.rules {
                println!("{count:5}  rule {rule}");
            }
        }
    }
}

/// Playbooks and roles below a folder.
fn walk(path: &Path, out: &mut Vec<PathBuf>) {
    if path.is_file() {
        if is_playbook(path) {
            out.push(path.to_path_buf());
        }
        return;
    }
    let is_role = ["tasks/main.yml", "tasks/main.yaml"]
        .iter()
        .any(|f| path.join(f).is_file());
    if is_role {
        out.push(path.to_path_buf());
        return;
    }
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned());
    if name.is_some_and(|n| SKIPPED.contains(&&*n)) {
        return;
    }
    for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
        walk(&entry.path(), out);
    }
}

/// A list of plays: by the words that begin one, so that what cannot be read is tried, too.
fn is_playbook(path: &Path) -> bool {
    let yaml = path.extension().is_some_and(|e| e == "yml" || e == "yaml");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let begins = |l: &str| {
        let l = l.trim_start_matches(['-', ' ']);
        l.starts_with("hosts:") || l.contains("import_playbook:")
    };
    yaml && text.lines().any(|l| {
        (l.starts_with("- ") || l.starts_with("  ")) && !l.starts_with("    ") && begins(l)
    }) && text.lines().any(|l| l.starts_with("- "))
}

fn run(program: &Path, dir: &Path, arguments: &[&str]) -> Output {
    Command::new(program)
        .args(arguments)
        .current_dir(dir)
        .env("ANSIBLE_NOCOLOR", "1")
        .output()
        .expect("lks-ctl runs: set LKS_CTL")
}

fn look(program: &Path, path: &Path) -> Outcome {
    let mut outcome = Outcome::default();
    let absolute = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let dir = absolute.parent().unwrap_or(Path::new("/")).to_path_buf();
    let given = absolute.display().to_string();
    lint(program, &dir, &given, &mut outcome);
    let playbook = if path.is_dir() {
        play_of(&absolute)
    } else {
        absolute.clone()
    };
    let playbook = playbook.display().to_string();
    for (flag, field) in [("--syntax-check", 0), ("--list-tasks", 1)] {
        let done = run(program, &dir, &["run", &playbook, flag]);
        let well = done.status.success();
        *(if field == 0 {
            &mut outcome.loads
        } else {
            &mut outcome.lists
        }) = well;
        if !well && outcome.lints {
            let text = String::from_utf8_lossy(&done.stderr).into_owned();
            let first = text
                .lines()
                .find(|l| l.starts_with("[ERROR]"))
                .unwrap_or("died");
            outcome.complaints.push(format!("{flag} {first}"));
        }
    }
    if path.is_dir() {
        let _ = std::fs::remove_file(&playbook);
    }
    outcome
}

fn lint(program: &Path, dir: &Path, given: &str, outcome: &mut Outcome) {
    let done = run(
        program,
        dir,
        &["lint", given, "--format", "json", "--select", "all"],
    );
    let text = String::from_utf8_lossy(&done.stdout);
    let Ok(report) = serde_json::from_str::<Value>(&text) else {
        let error = String::from_utf8_lossy(&done.stderr).into_owned();
        outcome.complaints.push(format!("lint died — {error}"));
        return;
    };
    outcome.lints = report["counts"]["error"] == 0;
    for finding in report["findings"].as_array().into_iter().flatten() {
        let rule = finding["rule"].as_str().unwrap_or("");
        *outcome.rules.entry(rule.to_string()).or_default() += 1;
        outcome.absent += usize::from(rule == "not-available");
        if finding["level"] == "error" {
            outcome.complaints.push(format!(
                "{rule} — {}:{} {}",
                finding["file"].as_str().unwrap_or("?"),
                finding["line"],
                finding["message"].as_str().unwrap_or("")
            ));
        }
    }
}

/// A playbook that uses a role, in the folder for temporary files.
fn play_of(role: &Path) -> PathBuf {
    let name = format!("lks-corpus-{}.yml", std::process::id());
    let path = std::env::temp_dir().join(name);
    let text = format!(
        "- hosts: all\n  gather_facts: false\n  roles:\n    - role: \"{}\"\n",
        role.display()
    );
    std::fs::write(&path, text).expect("the folder for temporary files can be written to");
    path
}
