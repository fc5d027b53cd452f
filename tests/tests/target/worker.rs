//! `playbooks/worker.yml` and `playbooks/drain.yml` around a worker's own playbook: a registry to pull from,
//! Ollama's API in front of llama.cpp, a load balancer.

use super::*;
use lks_tests::models;

/// A registry of one model.
fn registry(dir: &Path, model: &Path, port: u16) -> Running {
    models::registry::put(dir, "tiny", model).expect("a registry");
    let child = Command::new("python3")
        .args(["-m", "http.server", "--bind", "127.0.0.1", "--directory"])
        .arg(dir)
        .arg(port.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    Running(child.expect("a server"))
}

#[test]
fn a_worker_goes_from_its_own_playbook_into_service_and_is_drained() {
    let python = match setup::python() {
        Ok(dir) => dir.join("bin/python"),
        Err(why) => return eprintln!("skipped: {why}"),
    };
    let scratch = Scratch::new("worker");
    let store = scratch.0.join("home/.ollama/models");
    std::fs::create_dir_all(&store).expect("a folder");
    let model = store.join("tiny.gguf");
    let mut make = Command::new(&python);
    process::run(make.arg(data("tiny_model.py")).arg(&model)).expect("a model");
    let files = scratch.0.join("registry");
    std::fs::create_dir_all(&files).expect("a folder");
    let registry_port = free_port();
    let _registry = registry(&files, &model, registry_port);

    let port = free_port();
    let settings = serde_json::json!({"targets": {"i-1": port}, "path": "/api/version"});
    let balancer = Balancer::start(&scratch, &settings);
    let compose = scratch.0.join("opt");
    let variables = serde_json::json!({
        "ansible_become": false,
        "worker_playbook": data("worker-own.yml"),
        "worker_kind": "chat",
        "worker_compose_dir": compose,
        "worker_share": scratch.0,
        "worker_store": store,
        "worker_models": ["tiny"],
        "worker_registry": format!("http://127.0.0.1:{registry_port}"),
        "worker_load_seconds": 60,
        "worker_warm": {"chat": {"model": "tiny", "job": "chat"}},
        "worker_url": format!("http://127.0.0.1:{port}"),
        "worker_target_groups": {"chat": "group"},
        "worker_target": "i-1",
        "worker_environment": {"OLLAMA_NUM_PARALLEL": 2},
        "worker_image": "ollama/ollama:0.33.3",
        "worker_docker_dropin": scratch.0.join("dropin/lks.conf"),
        "python": python,
        "server": data("ollama.py"),
        "home": scratch.0.join("home"),
        "port": port,
    });
    let playbook = |name: &str| {
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../playbooks")
            .join(name)
    };
    let worker = playbook("worker.yml");
    let (code, said) = scratch.run_playbook(&balancer.api, &worker, &variables.to_string());
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("chat worker: tiny answered after"), "{said}");
    assert!(said.contains("in service of group"), "{said}");
    let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
    let told = read(&compose.join("docker-compose.override.yml"));
    assert!(
        told.contains("  llm:\n    image: ollama/ollama:0.33.3\n    environment:\n      - OLLAMA_KEEP_ALIVE=-1\n"),
        "{told}"
    );
    assert!(told.contains("      - OLLAMA_NOPRUNE=1\n"), "{told}");
    assert!(told.ends_with("      - OLLAMA_NUM_PARALLEL=2\n"), "{told}");
    assert!(
        read(&scratch.0.join("dropin/lks.conf"))
            .contains("Environment=DOCKER_MIN_API_VERSION=1.24\n")
    );
    let manifest = store.join("manifests/registry.ollama.ai/library/tiny/latest");
    assert!(read(&manifest).contains("application/vnd.ollama.image.model"));
    let (code, said) = scratch.run_playbook(&balancer.api, &worker, &variables.to_string());
    assert!(code == 0 && said.contains("changed=0"), "{said}");

    // Through the load balancer it answers.
    let answer = ask(balancer.port).expect("an answer");
    assert!(answer.contains("\"done\": true"), "{answer}");
    let out = serde_json::json!({
        "ansible_become": false,
        "drain_target_group": "group",
        "drain_target": "i-1",
        "drain_seconds": 60,
        "drain_stop": format!("kill $(cat {})", compose.join("pid").display()),
    });
    let (code, said) =
        scratch.run_playbook(&balancer.api, &playbook("drain.yml"), &out.to_string());
    assert!(code == 0 && said.contains("changed=2"), "{said}");
    until("the server is gone", || {
        TcpStream::connect(("127.0.0.1", port)).is_err()
    });
}

/// The first user's playbook as it is: what is around it in real life (apt, NFS, Docker) is the rigs' matter.
#[test]
fn the_first_users_playbook_is_taken_as_it_is() {
    let scratch = Scratch::new("as-it-is");
    let worker = Path::new(env!("CARGO_MANIFEST_DIR")).join("../playbooks/worker.yml");
    let done = Command::new(ctl().expect("the binary of lks-ctl"))
        .args(["run", "--list-tasks"])
        .arg(worker)
        .args(["-e", "efs_ip=10.0.0.5", "-e"])
        .arg(format!(
            "worker_playbook={}",
            data("first-user.yml").display()
        ))
        .current_dir(&scratch.0)
        .env_remove("ANSIBLE_CONFIG")
        .output()
        .expect("lks-ctl runs");
    let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
    assert!(done.status.success(), "{said}");
    let place = |name: &str| said.find(name).unwrap_or_else(|| panic!("{name}: {said}"));
    let order = [
        "Say what Ollama needs beside the compose file",
        "Mount NFS",
        "Run Docker Compose",
        "Pull the models, once for all hosts of the share",
        "Into service",
    ]
    .map(place);
    assert!(order.is_sorted(), "{said}");
}

fn ask(port: u16) -> std::io::Result<String> {
    let body =
        r#"{"model": "tiny", "messages": [{"role": "user", "content": "hello"}], "stream": false}"#;
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    write!(
        stream,
        "POST /api/chat HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
