//! The CloudFormation templates: cfn-lint finds nothing, and the command that State Manager is told to run
//! works on a host.

#![allow(clippy::print_stderr)] // a skipped test says why

use lks_tests::rig::container::Container;
use lks_tests::rig::options::agent;
use lks_tests::rig::{Rig, can_run, process, setup};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn templates() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../templates");
    let entries = std::fs::read_dir(dir).expect("the templates");
    let files = entries.map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|e| e == "yml"))
        .collect();
    files.sort();
    files
}

/// The Python of the environment with cfn-lint, or why there is none.
fn python() -> Option<PathBuf> {
    match setup::cfn_lint() {
        Ok(dir) => Some(dir.join("bin/python")),
        Err(why) => {
            eprintln!("skipped: {why}");
            None
        }
    }
}

#[test]
fn cfn_lint_finds_nothing_in_the_templates() {
    let Some(python) = python() else { return };
    let files = templates();
    assert!(files.len() >= 2, "{files:?}");
    let done = Command::new(&python)
        .args(["-c", "from cfnlint.runner import main; main()"])
        .args(["--non-zero-exit-code", "informational"])
        .args(&files)
        .output()
        .expect("cfn-lint runs");
    let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
    assert!(done.status.success(), "{said}");
}

/// Prints the association's command, with parameters in place of their names as CloudFormation does.
const COMMAND: &str = r#"
import json, re, sys
from cfnlint.decode.cfn_yaml import load
template = load(sys.argv[1])
values = {name: str(p.get("Default", "")) for name, p in template["Parameters"].items()}
values.update(json.loads(sys.argv[2]))
command = template["Resources"]["Association"]["Properties"]["Parameters"]["commands"][0]["Fn::Sub"]
command = re.sub(r"\$\{(\w+)\}", lambda m: values[m[1]], command)
print(command.replace("${!", "${"))
"#;

fn command(python: &Path, parameters: &serde_json::Value) -> String {
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("../templates/state-manager.yml");
    let mut print = Command::new(python);
    print.args(["-c", COMMAND]).arg(template);
    process::run(print.arg(parameters.to_string())).expect("the template's command")
}

fn digest(host: &Container, file: &str) -> String {
    let said = host.exec(&format!("sha256sum {file}")).expect("a digest");
    said.split_whitespace()
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// Runs a script as the SSM agent does: as root, and with next to nothing in the environment.
fn as_ssm_does(host: &Container, script: &str) -> (i32, String) {
    let mut sh = host.command("env");
    sh.args([
        "-i",
        "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
        "sh",
        "-c",
        script,
    ]);
    let done = sh.stdin(Stdio::null()).output().expect("it runs");
    let said = [done.stdout, done.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    (done.status.code().unwrap_or(-1), said)
}

const PLAY: &str = "- hosts: all\n  become: true\n  tasks:\n    - copy:\n        dest: /etc/lks-was-here\n        \
                    content: \"{{ efs_ip }} {{ ansible_facts.env.HOME }}\\n\"\n";

#[test]
fn the_command_of_the_association_installs_the_agent_and_runs_the_playbook() {
    if let Err(why) = can_run(Rig::Container) {
        return eprintln!("skipped: {why}");
    }
    let Some(python) = python() else { return };
    let host = Container::boot().expect("the container boots");
    let agent = agent().expect("the agent");
    host.copy_in(&agent, "/srv/lks-agent")
        .expect("the agent goes in");
    std::fs::write(host.root().join("srv/worker.yml"), PLAY).expect("a playbook");
    host.exec("cd /srv && tar -czf playbooks.tar.gz worker.yml && apt-get -q update && apt-get -qy install curl")
        .expect("an archive, and curl");
    host.exec(
        "cd /srv && setsid python3 -m http.server --bind 127.0.0.1 80 >/dev/null 2>&1 & sleep 1",
    )
    .expect("a server");
    let mut parameters = serde_json::json!({
        "AgentUrl": "http://127.0.0.1/lks-agent",
        "AgentSha256": digest(&host, "/srv/lks-agent"),
        "PlaybooksUrl": "http://127.0.0.1/playbooks.tar.gz",
        "PlaybooksSha256": digest(&host, "/srv/playbooks.tar.gz"),
        "Arguments": "-e efs_ip=10.0.0.5",
    });
    let script = command(&python, &parameters);
    let (code, said) = as_ssm_does(&host, &script);
    assert_eq!(code, 0, "{said}");
    let left = host.exec("cat /etc/lks-was-here").expect("the effect");
    assert_eq!(left, "10.0.0.5 /root\n");

    // Again: nothing is fetched, nothing changes.
    host.exec("rm /srv/lks-agent /srv/playbooks.tar.gz")
        .expect("nothing to fetch");
    let (code, said) = as_ssm_does(&host, &script);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("changed=0"), "{said}");

    // A playbook that fails is a run that fails, and State Manager sees it by the status.
    parameters["Arguments"] = "-e efs_ip=10.0.0.5 --tags nothing /no/such/playbook.yml".into();
    let (code, said) = as_ssm_does(&host, &command(&python, &parameters));
    assert_ne!(code, 0, "{said}");
}

#[test]
fn a_file_with_another_digest_is_not_used() {
    if let Err(why) = can_run(Rig::Container) {
        return eprintln!("skipped: {why}");
    }
    let Some(python) = python() else { return };
    let host = Container::boot().expect("the container boots");
    host.exec("apt-get -q update && apt-get -qy install curl && echo evil > /srv/lks-agent")
        .expect("a file");
    let parameters = serde_json::json!({
        "AgentUrl": "file:///srv/lks-agent",
        "AgentSha256": "0".repeat(64),
    });
    let script = command(&python, &parameters).replace("sleep 5", "true");
    let (code, said) = as_ssm_does(&host, &script);
    assert_ne!(code, 0);
    assert!(said.contains("gives no file with the SHA-256"), "{said}");
    host.exec(
        "test ! -e /usr/local/bin/lks-agent && test ! -e /usr/local/bin/lks-agent.fetched.new",
    )
    .expect("nothing is left");
}
