//! What a new user types first: the tour, help, a symlink by Ansible's name, lint, Ctrl-C.

use lks_tests::rig::options::ctl;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

fn folder(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("lks-cli-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).expect("a temporary folder");
    path
}

fn run(program: &Path, arguments: &[&str]) -> (i32, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(program)
        .args(arguments)
        .env_remove("ANSIBLE_CONFIG")
        .env("ANSIBLE_NOCOLOR", "1")
        .output()
        .expect("the program runs");
    let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
    (status.code().unwrap_or(-1), text(&stdout), text(&stderr))
}

#[test]
fn the_tour_changes_once_and_then_nothing() {
    let (code, out, err) = run(&ctl().expect("the binary of lks-ctl"), &["tour"]);
    assert_eq!(code, 0, "{out}{err}");
    let recaps: Vec<&str> = out
        .lines()
        .filter(|l| l.contains("unreachable=0"))
        .collect();
    assert_eq!(recaps.len(), 3, "{out}");
    assert!(recaps[1].contains("changed=5"), "{}", recaps[1]);
    assert!(recaps[2].contains("changed=0"), "{}", recaps[2]);
}

#[test]
fn a_symlink_called_ansible_playbook_is_that_command() {
    let dir = folder("symlink");
    let link = dir.join("ansible-playbook");
    symlink(ctl().expect("the binary of lks-ctl"), &link).expect("a symlink");
    let playbook = dir.join("play.yml");
    std::fs::write(
        &playbook,
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - debug: msg=hi\n",
    )
    .expect("written");
    let (code, out, err) = run(
        &link,
        &["-i", "a,b,", "-c", "local", &playbook.display().to_string()],
    );
    assert_eq!(code, 0, "{out}{err}");
    assert!(
        out.contains("ok: [a] => {\n    \"msg\": \"hi\"\n}"),
        "{out}"
    );
    let (_, version, _) = run(&link, &["--version"]);
    assert!(
        version.starts_with("ansible-playbook [core 2.19"),
        "{version}"
    );
}

#[test]
fn lint_gives_advice_and_runs_nothing() {
    let dir = folder("lint");
    let proof = dir.join("proof");
    let playbook = dir.join("play.yml");
    let text = format!(
        "- hosts: all\n  tasks:\n    - command: touch {}\n",
        proof.display()
    );
    std::fs::write(&playbook, text).expect("written");
    let (code, out, err) = run(
        &ctl().expect("the binary of lks-ctl"),
        &["lint", &playbook.display().to_string()],
    );
    assert_eq!(code, 0, "{out}{err}");
    assert!(
        out.contains("counts as changed at every run") && out.contains("play.yml:3:7"),
        "{out}"
    );
    assert!(!proof.exists());
}

#[test]
fn every_module_has_a_page_and_every_shell_a_completion() {
    let (_, list, _) = run(&ctl().expect("the binary of lks-ctl"), &["doc", "--list"]);
    let names: Vec<&str> = list
        .lines()
        .filter_map(|l| l.split_whitespace().next())
        .collect();
    assert!(names.iter().any(|n| n.ends_with("apt")), "{list}");
    for name in ["apt", "ansible.posix.mount", "copy"] {
        let (code, page, err) = run(&ctl().expect("the binary of lks-ctl"), &["doc", name]);
        assert_eq!(code, 0, "{err}");
        assert!(page.contains("state") || page.contains("dest"), "{page}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let (code, script, _) = run(
            &ctl().expect("the binary of lks-ctl"),
            &["completion", shell],
        );
        assert!(code == 0 && script.contains("lks-ctl"), "{shell}");
    }
}

#[test]
fn an_interrupted_run_stops_and_says_so() {
    let dir = folder("stop");
    let playbook = dir.join("play.yml");
    let after = dir.join("after");
    let text = format!(
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - command: sleep 30\n    - command: touch {}\n",
        after.display()
    );
    std::fs::write(&playbook, text).expect("written");
    let mut child = Command::new(ctl().expect("the binary of lks-ctl"))
        .args(["run", &playbook.display().to_string()])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("the program runs");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let begun = lines
        .by_ref()
        .map_while(Result::ok)
        .any(|l| l.starts_with("TASK ["));
    assert!(begun, "the task begins");
    let started = Instant::now();
    let killed = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(killed.is_ok_and(|s| s.success()));
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(130));
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "it did not wait for the sleep to end"
    );
    assert!(!after.exists(), "no task ran after the interruption");
}
