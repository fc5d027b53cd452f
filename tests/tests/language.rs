//! Whole playbooks against what real ansible-core 2.19 printed: the cases of `tests/language`.
//!
//! A case is a folder there; `tests/language/record.py` says what it holds and records what is
//! expected. A new case needs no Rust. The binary is `$LKS_AGENT`, or is built.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Cases that end differently on purpose. What they print here stands in the case's `ours`;
/// `LKS_ACCEPT=1` writes it anew.
const KNOWN_DIFFERENCES: &[(&str, &str)] = &[
    (
        "changed_when_undefined",
        "the error says what is undefined; there, it hides in the result",
    ),
    (
        "expressions_of_loops",
        "the error says which text is not evaluated",
    ),
    (
        "check_overlay",
        "check mode remembers what earlier tasks would have done",
    ),
    (
        "handled_mistakes",
        "errors of templates and parameters in our own words",
    ),
    ("config_lookup", "the error in our own words"),
    (
        "keywords_debugger",
        "a debugger that nobody can answer is left out, with a warning",
    ),
    (
        "keywords_timeout",
        "no advice about a setting that is Python's",
    ),
    ("include_missing", "the error says where it looked"),
    (
        "locked_values",
        "the error says that no password was given, once",
    ),
    (
        "names_undefined",
        "a name that cannot be evaluated is shown as it is written",
    ),
    (
        "no_inventory",
        "without an inventory, this machine is in `all`",
    ),
    (
        "no_log_failure",
        "the message of a failure is as secret as the rest of its result",
    ),
    (
        "no_such_command",
        "a plain message in place of Python's error",
    ),
    (
        "recursion",
        "the error names the variable that needs itself",
    ),
    ("template_errors", "errors of templates in our own words"),
    ("when_not_boolean", "the error in our own words"),
];

#[test]
fn playbooks_print_what_ansible_prints() {
    let cases = cases();
    let next = AtomicUsize::new(0);
    let mut failures: Vec<(String, String)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..workers())
            .map(|_| scope.spawn(|| failures_of(&cases, &next)))
            .collect();
        let ends = workers.into_iter().map(|w| w.join().expect("a worker"));
        ends.flatten().collect()
    });
    failures.sort();
    let mut report = String::new();
    for (name, text) in &failures {
        let _ = writeln!(report, "=== {name}\n{text}");
    }
    let names: Vec<&str> = failures.iter().map(|(name, _)| name.as_str()).collect();
    assert!(
        failures.is_empty(),
        "{} of {} cases differ (- ansible, + ours)\n{report}these differ: {}",
        failures.len(),
        cases.len(),
        names.join(" ")
    );
}

#[test]
fn ten_mistakes_are_shown_at_once_and_nothing_is_touched() {
    let dir = Scratch::copy_of("ten_mistakes");
    let output = play(&dir, "site.yml", "");
    let said = String::from_utf8_lossy(&output.stderr)
        .replace(&dir.path(), "{dir}")
        .replace(&dir.home().display().to_string(), "{home}");
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(
        !dir.folder().join("touched").exists(),
        "the first task ran before the mistakes were told"
    );
    let excerpts = said.matches("--> site.yml:").count();
    assert!(excerpts >= 10, "{excerpts} excerpts\n{said}");
    let kept = language().join("ten_mistakes/ours");
    accept_or_compare(&kept, &said).unwrap_or_else(|text| panic!("{text}"));
}

fn workers() -> usize {
    std::thread::available_parallelism().map_or(2, Into::into)
}

/// Takes cases until none is left; gives those that differ, with how.
fn failures_of(cases: &[String], next: &AtomicUsize) -> Vec<(String, String)> {
    let mut failures = Vec::new();
    while let Some(name) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
        if let Err(text) = check(name) {
            failures.push((name.clone(), text));
        }
    }
    failures
}

/// Runs a case and compares.
fn check(name: &str) -> Result<(), String> {
    let folder = language().join(name);
    let (said, errors) = transcript(name, &folder);
    let expected = normal(&read(&folder.join("expected")));
    let compared = match KNOWN_DIFFERENCES.iter().find(|(known, _)| *known == name) {
        Some((_, why)) if said == expected => Err(format!(
            "is the same as Ansible's now: take it out of KNOWN_DIFFERENCES ({why})"
        )),
        Some(_) => accept_or_compare(&folder.join("ours"), &said),
        None if said == expected => Ok(()),
        None => Err(difference(&expected, &said)),
    };
    compared.map_err(|text| format!("{text}--- stderr\n{errors}"))
}

/// What all runs of a case print, in the form that `record.py` writes; and their standard errors.
fn transcript(name: &str, folder: &Path) -> (String, String) {
    let dir = Scratch::copy_of(name);
    let args = fs::read_to_string(folder.join("args")).unwrap_or_else(|_| "\n".into());
    let (mut said, mut errors) = (String::new(), String::new());
    for flags in args.lines().filter(|line| !line.starts_with('#')) {
        let output = play(&dir, "play.yml", flags);
        let status = match output.status.code() {
            Some(code) => code.to_string(),
            None => output.status.to_string(),
        };
        said += format!("$ play.yml {flags}").trim_end();
        let out = String::from_utf8_lossy(&output.stdout);
        let _ = writeln!(said, "\n{out}[exit status {status}]");
        errors += &String::from_utf8_lossy(&output.stderr);
    }
    (normal(&said.replace(&dir.path(), "{dir}")), errors)
}

/// Runs a playbook of a case, in the environment that `settings` describes.
fn play(dir: &Scratch, playbook: &str, flags: &str) -> Output {
    let settings = read(&language().join("settings"));
    let settings = settings.lines().filter(|line| !line.starts_with('#'));
    Command::new("sh")
        // The flags are quoted as a shell's words.
        .args(["-c", &format!("exec \"$0\" run {playbook} {flags}")])
        .arg(agent())
        .current_dir(dir.folder())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", dir.home())
        .env("ANSIBLE_CONFIG", dir.home().join("ansible.cfg"))
        .envs(settings.filter_map(|line| line.split_once('=')))
        .stdin(Stdio::null())
        .output()
        .expect("sh starts")
}

/// The text without what differs from run to run, or is not promised.
fn normal(text: &str) -> String {
    let text = without_wording(&without_excerpts(&without_times(text)));
    let text = without_jobs(&text);
    let lines: Vec<&str> = text.lines().filter_map(promised).collect();
    in_order(&lines)
}

/// A line, as far as it is promised.
fn promised(line: &str) -> Option<&str> {
    match line {
        // Told with -v. Each test has a file of its own.
        _ if line.starts_with("Using ") && line.ends_with(" as config file") => None,
        // What is compared is called by names of temporary files there.
        _ if line.starts_with("--- before: ") => Some("--- before"),
        _ if line.starts_with("+++ after: ") => Some("+++ after"),
        _ => Some(line),
    }
}

/// `--list-hosts` there tells hosts in no order; here, in the order of the inventory.
fn in_order(lines: &[&str]) -> String {
    let mut lines = lines.to_vec();
    let is_host = |line: &&str| line.starts_with("      ");
    let mut at = 0;
    while at < lines.len() {
        let count = lines[at + 1..].iter().take_while(|l| is_host(l)).count();
        if lines[at].starts_with("    hosts (") {
            lines[at + 1..=at + count].sort_unstable();
        }
        at += 1;
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// An error before a result is told in its first line. Where it stands in the playbook, and why, is
/// shown after it in our own form, with a caret and hints.
fn without_excerpts(text: &str) -> String {
    const NEXT: &[&str] = &["fatal: ", "failed: ", "TASK [", "PLAY ", "[exit status "];
    let mut kept = String::new();
    let mut inside = false;
    for line in text.lines() {
        inside &= !NEXT.iter().any(|start| line.starts_with(start));
        if !inside {
            let _ = writeln!(kept, "{line}");
        }
        inside |= line.starts_with("[ERROR]: ");
    }
    kept
}

/// What Ansible was about to do, said in words before each error. Here, the excerpt shows it.
fn without_wording(text: &str) -> String {
    const PHRASES: &[&str] = &[
        "Finalization of task args for '*' failed: ",
        "Error while resolving value for '*': ",
        "Error while evaluating conditional: ",
        "Error rendering template: ",
    ];
    let mut text = text.replace("\"msg\": \"Task failed: ", "\"msg\": \"");
    for phrase in PHRASES {
        let (start, end) = phrase.split_once('*').unwrap_or((phrase, ""));
        while let Some(at) = text.find(start) {
            let inside = at + start.len();
            let Some(found) = text[inside..].find(end) else {
                break;
            };
            text.replace_range(at..inside + found + end.len(), "");
        }
    }
    text
}

/// When a command began and ended.
fn without_times(text: &str) -> String {
    const TIMES: &[&str] = &["\"start\": \"", "\"end\": \"", "\"delta\": \""];
    let mut text = text.to_string();
    for label in TIMES {
        let mut parts = text.split(label);
        let mut kept = parts.next().unwrap_or_default().to_string();
        for part in parts {
            let rest = part.find('"').map_or("", |end| &part[end..]);
            kept += label;
            kept += "TIME";
            kept += rest;
        }
        text = kept;
    }
    text
}

/// The numbers of background jobs.
fn without_jobs(text: &str) -> String {
    let mut parts = text.split("jid=j");
    let mut kept = parts.next().unwrap_or_default().to_string();
    for part in parts {
        kept += "jid=JOB";
        kept += part.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    }
    kept
}

/// Compares with a file, or writes it where `LKS_ACCEPT` is set.
fn accept_or_compare(file: &Path, said: &str) -> Result<(), String> {
    if std::env::var_os("LKS_ACCEPT").is_some() {
        fs::write(file, said).expect("the file can be written");
        return Ok(());
    }
    let kept = fs::read_to_string(file).unwrap_or_default();
    if kept == said {
        return Ok(());
    }
    let name = file.display();
    Err(format!(
        "{name} holds something else (LKS_ACCEPT=1 accepts the new text)\n{}",
        difference(&kept, said)
    ))
}

/// A fresh copy of a case's folder, gone at the end.
struct Scratch(PathBuf);

impl Scratch {
    fn copy_of(name: &str) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let top = std::env::temp_dir()
            .canonicalize()
            .expect("a folder for temporary files")
            .join(format!("language-{}-{number}", std::process::id()));
        fs::create_dir_all(top.join("home")).expect("a scratch folder");
        fs::write(top.join("home/ansible.cfg"), "").expect("a scratch folder");
        let scratch = Self(top);
        let done = Command::new("cp")
            .arg("-R")
            .arg(language().join(name))
            .arg(scratch.folder())
            .status();
        assert!(done.is_ok_and(|s| s.success()), "cannot copy {name}");
        let _ = fs::remove_file(scratch.folder().join("expected"));
        scratch
    }

    fn folder(&self) -> PathBuf {
        self.0.join("case")
    }

    fn home(&self) -> PathBuf {
        self.0.join("home")
    }

    fn path(&self) -> String {
        self.folder().to_string_lossy().into_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn language() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("language")
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

/// The names of all cases, or of those that `LKS_CASE` names.
fn cases() -> Vec<String> {
    let entries = fs::read_dir(language()).expect("tests/language");
    let mut names: Vec<String> = entries
        .map(|e| e.expect("an entry").path())
        .filter(|path| path.join("play.yml").exists())
        .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    assert!(names.len() >= 60, "only {} cases", names.len());
    if let Some(words) = std::env::var_os("LKS_CASE") {
        let words = words.to_string_lossy().into_owned();
        names.retain(|name| words.split_whitespace().any(|word| word == name));
    }
    names
}

/// The binary: `$LKS_AGENT`, or the one that cargo builds.
fn agent() -> &'static Path {
    static AGENT: OnceLock<PathBuf> = OnceLock::new();
    AGENT.get_or_init(|| match std::env::var_os("LKS_AGENT") {
        Some(path) => PathBuf::from(path).canonicalize().expect("$LKS_AGENT"),
        None => built(),
    })
}

fn built() -> PathBuf {
    let output = lks_tests::cargo::command()
        .args(["build", "--package", "lks-agent", "--bin", "lks-agent"])
        .args(["--message-format", "json", "--quiet"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "cargo build failed");
    let messages = String::from_utf8_lossy(&output.stdout);
    let mut files = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        Some(message.get("executable")?.as_str()?.to_string())
    });
    PathBuf::from(files.next_back().expect("cargo names the binary"))
}

/// What changed from one text to the other: the lines, each with two that stayed around it.
fn difference(from: &str, to: &str) -> String {
    const AROUND: usize = 2;
    let (from, to): (Vec<&str>, Vec<&str>) = (from.lines().collect(), to.lines().collect());
    let lines = merged(&from, &to);
    let near = |at: usize| {
        let around = at.saturating_sub(AROUND)..lines.len().min(at + AROUND + 1);
        lines[around].iter().any(|(mark, _)| *mark != ' ')
    };
    let mut text = String::new();
    let mut left_out = false;
    for (at, (mark, line)) in lines.iter().enumerate() {
        if near(at) {
            let _ = writeln!(text, "{mark} {line}");
        } else if !left_out {
            text += "  ...\n";
        }
        left_out = !near(at);
    }
    text
}

/// The lines of both, in order: ` ` in both, `-` only in the first, `+` only in the second.
fn merged<'t>(from: &[&'t str], to: &[&'t str]) -> Vec<(char, &'t str)> {
    // common[i][j]: the most lines that from[i..] and to[j..] share in order.
    let mut common = vec![vec![0; to.len() + 1]; from.len() + 1];
    for i in (0..from.len()).rev() {
        for j in (0..to.len()).rev() {
            common[i][j] = if from[i] == to[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut lines = Vec::new();
    while i < from.len() || j < to.len() {
        if i < from.len() && j < to.len() && from[i] == to[j] {
            lines.push((' ', from[i]));
            (i, j) = (i + 1, j + 1);
        } else if i < from.len() && (j == to.len() || common[i + 1][j] >= common[i][j + 1]) {
            lines.push(('-', from[i]));
            i += 1;
        } else {
            lines.push(('+', to[j]));
            j += 1;
        }
    }
    lines
}
