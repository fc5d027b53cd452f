//! The stand-in for the compose plugin, against a docker command that only writes down its words.

#![allow(clippy::print_stderr)] // a skipped test says why

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};

use lks_tests::rig::{data, process};

/// Nothing exists but the container that `state` describes, if there is one.
const DOCKER: &str = r#"#!/bin/sh
echo "$@" >> words
case "$1 $2" in
    "container inspect") cat state ;;
    "network inspect" | "image inspect") exit 1 ;;
esac
"#;

const FILE: &str = r#"version: "3.8"
services:
  llm:
    image: ollama/ollama:latest   # a comment
    container_name: llm
    restart: always
    ports:
    - "11434:11434"
    environment:
      - OLLAMA_CONFIG=/var/lib/ollama/config.yaml
"#;

struct Project(PathBuf);

impl Project {
    fn new(name: &str, file: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("rig-{name}-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("docker"), DOCKER).unwrap();
        fs::set_permissions(dir.join("docker"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(dir.join("docker-compose.yml"), file).unwrap();
        Project(dir)
    }

    fn up(&self) -> Output {
        let path = format!("{}:{}", self.0.display(), std::env::var("PATH").unwrap());
        let mut compose = Command::new("python3");
        compose
            .arg(data("compose.py"))
            .args(["compose", "up", "-d"]);
        compose
            .current_dir(&self.0)
            .env("PATH", path)
            .output()
            .unwrap()
    }

    /// As [`Project::up`], which must succeed. What was said to docker.
    fn comes_up(&self) -> String {
        let up = self.up();
        assert!(
            up.status.success(),
            "{}",
            String::from_utf8_lossy(&up.stderr)
        );
        self.words()
    }

    fn words(&self) -> String {
        fs::read_to_string(self.0.join("words")).unwrap_or_default()
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn no_python() -> bool {
    let lacks = !process::exists("python3");
    if lacks {
        eprintln!("skipped: no python3 here");
    }
    lacks
}

#[test]
fn a_service_becomes_a_container_once() {
    if no_python() {
        return;
    }
    let project = Project::new("once", FILE);
    let words = project.comes_up();
    let create = words
        .lines()
        .find(|line| line.starts_with("create "))
        .unwrap();
    assert!(
        create.contains("--restart always --publish 11434:11434 --env OLLAMA_CONFIG="),
        "{create}"
    );
    assert!(create.ends_with(" ollama/ollama:latest"), "{create}");
    assert!(words.contains("pull --quiet ollama/ollama:latest"));

    let hash = create.split("config-hash=").nth(1).unwrap();
    let hash = hash.split(' ').next().unwrap();
    let state = format!(
        r#"[{{"Config": {{"Labels": {{"com.docker.compose.config-hash": "{hash}"}}}}, "State": {{"Running": true}}}}]"#
    );
    fs::write(project.0.join("state"), state).unwrap();
    fs::remove_file(project.0.join("words")).unwrap();
    let again = project.up();
    assert!(String::from_utf8_lossy(&again.stderr).contains("Container llm  Running"));
    let words = project.words();
    let touched = words.lines().find(|line| {
        ["create", "start", "rm"]
            .iter()
            .any(|word| line.starts_with(word))
    });
    assert_eq!(touched, None);
}

#[test]
fn a_file_beside_it_says_more_of_a_service() {
    if no_python() {
        return;
    }
    let project = Project::new("beside", FILE);
    let over = "services:\n  llm:\n    image: ollama/ollama:1\n    environment:\n      - OLLAMA_CONFIG=none\n      - A=b=c\n";
    fs::write(project.0.join("docker-compose.override.yml"), over).unwrap();
    let words = project.comes_up();
    let create = words.lines().find(|line| line.starts_with("create "));
    let create = create.expect("a container");
    assert!(
        create.contains("--publish 11434:11434 --env OLLAMA_CONFIG=none --env A=b=c ")
            && create.ends_with(" ollama/ollama:1"),
        "{create}"
    );
}

#[test]
fn what_it_does_not_know_it_refuses() {
    if no_python() {
        return;
    }
    let strange = [
        FILE.replace("restart: always", "privileged: true"),
        FILE.replace(
            "    ports:\n    - \"11434:11434\"\n",
            "    ports: [\"11434:11434\"]\n",
        ),
        format!("{FILE}volumes:\n  data:\n"),
    ];
    for (number, file) in strange.iter().enumerate() {
        let project = Project::new(&format!("strange-{number}"), file);
        let up = project.up();
        assert!(!up.status.success(), "{file}");
        assert!(String::from_utf8_lossy(&up.stderr).starts_with("compose: "));
        assert_eq!(project.words(), "");
    }
}
