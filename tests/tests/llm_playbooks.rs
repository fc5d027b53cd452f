//! The playbooks of `playbooks/` that serve language models, as their user runs them: `llama_cpp.yml` with
//! the real server on a systemd host; the others in check mode, and all of them linted.

#![allow(clippy::print_stderr)] // a skipped test says why

use lks_tests::rig::container::Container;
use lks_tests::rig::options::{agent, ctl};
use lks_tests::rig::report::Report;
use lks_tests::rig::{Rig, can_run, data, setup};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The shipped playbooks that are tested here.
const PLAYBOOKS: &[&str] = &[
    "gpu_base.yml",
    "llama_cpp.yml",
    "ollama.yml",
    "vllm.yml",
    "sglang.yml",
];

fn playbook(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../playbooks")
        .join(name)
}

/// A host with the agent, the playbooks, and what they fetch.
fn host() -> Container {
    let host = Container::boot().expect("the container boots");
    let agent = agent().expect("the agent's binary");
    host.copy_in(&agent, "/opt/lks-agent")
        .expect("a file goes in");
    for name in PLAYBOOKS {
        let to = format!("/opt/playbooks/{name}");
        host.copy_in(&playbook(name), &to).expect("a file goes in");
    }
    host
}

fn wheels(host: &Container) {
    let wheels = setup::wheels().expect("the Python package");
    for entry in std::fs::read_dir(wheels).expect("a folder").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".whl") {
            let to = format!("/opt/wheels/{name}");
            host.copy_in(&entry.path(), &to).expect("a file goes in");
        }
    }
}

fn model(host: &Container) {
    let python = setup::python().expect("Python").join("bin/python");
    let file = std::env::temp_dir().join(format!("lks-tiny-{}.gguf", std::process::id()));
    let written = Command::new(python)
        .arg(data("tiny_model.py"))
        .arg(&file)
        .status();
    assert!(written.expect("python runs").success());
    host.copy_in(&file, "/opt/tiny.gguf")
        .expect("a file goes in");
    let _ = std::fs::remove_file(file);
}

/// Runs a playbook: exit code, report, and all that was said.
fn run(host: &Container, name: &str, flags: &str) -> (i32, Option<Report>, String) {
    let command = format!("/opt/lks-agent run --output json {flags} /opt/playbooks/{name}");
    let output = host.try_exec(&command).expect("the container answers");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // The report holds every fact of the host: of it, the messages tell.
    let messages: Vec<&str> = text.lines().filter(|l| l.contains("\"msg\"")).collect();
    let said = format!(
        "{}\n{}",
        messages.join("\n"),
        String::from_utf8_lossy(&output.stderr)
    );
    (
        output.status.code().unwrap_or(-1),
        Report::parse(&text).ok(),
        said,
    )
}

const LLAMA: &str = "-e llama_cpp_model_url=file:///opt/tiny.gguf -e '{\"llama_cpp_pip_args\": \"--no-index --find-links /opt/wheels\"}'";
const ASK: &str = "python3 - <<'E'\nimport json, urllib.request\n\
    body = json.dumps({\"model\": \"tiny\", \"prompt\": \"hello\", \"max_tokens\": 3}).encode()\n\
    request = urllib.request.Request(\"http://127.0.0.1:8080/v1/completions\", body, {\"Content-Type\": \"application/json\"})\n\
    print(json.load(urllib.request.urlopen(request, timeout=30))[\"usage\"][\"completion_tokens\"])\nE";

#[test]
fn llama_cpp_serves_a_model_and_comes_back_after_a_reboot() {
    if let Err(why) = can_run(Rig::Container) {
        return eprintln!("skipped: {why}");
    }
    let mut host = host();
    wheels(&host);
    model(&host);

    let (code, _, said) = run(&host, "llama_cpp.yml", &format!("--check --diff {LLAMA}"));
    assert_eq!(code, 0, "{said}");
    host.exec("test ! -e /opt/lks-llama-cpp && test ! -e /srv/models && ! getent passwd llm")
        .expect("the check touched nothing");

    let (code, _, said) = run(&host, "llama_cpp.yml", LLAMA);
    assert_eq!(code, 0, "{said}");
    assert_eq!(host.exec(ASK).expect("it answers"), "3\n");
    assert_eq!(
        host.exec("systemctl show -p User -p Restart --value lks-llama-cpp")
            .unwrap(),
        "always\nllm\n"
    );
    host.exec("systemd-analyze verify /etc/systemd/system/lks-llama-cpp.service")
        .expect("systemd has nothing against the unit");

    let started = "systemctl show -p ExecMainStartTimestampMonotonic --value lks-llama-cpp";
    let before = host.exec(started).unwrap();
    let (code, second, said) = run(&host, "llama_cpp.yml", LLAMA);
    let changed = second.map(|r| r.changed().join(", "));
    assert_eq!((code, changed.as_deref()), (0, Some("")), "{said}");
    assert_eq!(
        host.exec(started).unwrap(),
        before,
        "the second run started it anew"
    );

    // A server that was started with another definition is started anew, though the file is right.
    let old = "sed -i s/^LKS_DEFINITION=.*/LKS_DEFINITION=old/ /etc/lks/llm/lks-llama-cpp.env; \
               cp /etc/lks/llm/lks-llama-cpp.env /tmp/old; systemctl restart lks-llama-cpp";
    host.exec(old).expect("it starts");
    let (code, third, said) = run(&host, "llama_cpp.yml", LLAMA);
    let changed = third.map(|r| r.changed().join(", "));
    assert_eq!((code, changed.as_deref()), (0, Some("Serve it")), "{said}");

    host.reboot().expect("the container comes up again");
    let (code, again, said) = run(&host, "llama_cpp.yml", LLAMA);
    let changed = again.map(|r| r.changed().join(", "));
    assert_eq!((code, changed.as_deref()), (0, Some("")), "{said}");
    assert_eq!(host.exec(ASK).expect("it answers after a reboot"), "3\n");

    // The port that it has, wanted by another: named, and nothing is changed.
    let other = "-e llama_cpp_source=program -e llama_cpp_program=/opt/lks-llama-cpp/llama-server -e llama_cpp_port=2222";
    host.exec(
        "systemd-run --unit taken.service python3 -m http.server --bind 127.0.0.1 2222; sleep 1",
    )
    .expect("another server");
    let (code, _, said) = run(&host, "llama_cpp.yml", &format!("{LLAMA} {other}"));
    assert_ne!(code, 0, "{said}");
    assert!(
        said.contains("port 2222 is taken by") && said.contains("unit taken.service"),
        "{said}"
    );
    assert_eq!(host.exec(ASK).expect("the old one still answers"), "3\n");

    let (code, _, said) = run(&host, "llama_cpp.yml", "-e llama_cpp_state=absent");
    assert_eq!(code, 0, "{said}");
    host.exec(
        "test ! -e /etc/systemd/system/lks-llama-cpp.service && test -e /srv/models/tiny.gguf",
    )
    .expect("the unit is gone, the model stays");
}

#[test]
fn the_others_foretell_what_they_would_do_on_a_bare_host() {
    if let Err(why) = can_run(Rig::Container) {
        return eprintln!("skipped: {why}");
    }
    let host = host();
    for (name, flags) in [
        ("gpu_base.yml", "-e gpu_driver=570-server"),
        ("ollama.yml", "-e '{\"ollama_models\": []}'"),
        ("vllm.yml", "-e vllm_model=org/model"),
        ("sglang.yml", "-e sglang_model=org/model"),
    ] {
        let (code, _, said) = run(&host, name, &format!("--check --diff {flags}"));
        assert_eq!(code, 0, "{name}: {said}");
    }
    host.exec("test ! -e /srv/ollama && test ! -e /etc/lks && ! command -v docker")
        .expect("the check touched nothing");
}

#[test]
fn all_of_them_are_lint_clean_and_every_variable_is_in_the_head() {
    let ctl = ctl().expect("the binary of lks-ctl");
    for name in PLAYBOOKS {
        let path = playbook(name);
        let done = Command::new(&ctl)
            .args(["lint", "--strict"])
            .arg(&path)
            .env_remove("ANSIBLE_CONFIG")
            .output()
            .expect("lks-ctl runs");
        let said = [done.stdout, done.stderr].concat();
        assert!(
            done.status.success(),
            "{name}: {}",
            String::from_utf8_lossy(&said)
        );

        let text = std::fs::read_to_string(&path).expect("a playbook");
        let plain = name.trim_end_matches(".yml").trim_end_matches("_base");
        let prefix = format!("{plain}_");
        let (head, body) = text.split_once("\n---\n").expect("a head of comments");
        let set = body
            .lines()
            .filter_map(|l| l.strip_prefix("    ")?.split_once(':'));
        for (variable, _) in set.filter(|(v, _)| v.starts_with(&prefix)) {
            let line = format!("\n#   {variable} ");
            assert!(
                head.contains(&line),
                "{name}: `{variable}` is not in the head"
            );
        }
        // Two hosts that come up at other times run the same: by default, too.
        let image = format!("{prefix}image");
        let set = body.lines().filter_map(|l| l.trim().split_once(": "));
        for (_, value) in set.filter(|(variable, _)| *variable == image) {
            let tag = value.rsplit(':').next().unwrap_or_default();
            let is_version = tag.contains(|c: char| c.is_ascii_digit());
            assert!(is_version, "{name}: `{value}` is no version");
        }
    }
}
