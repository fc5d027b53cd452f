//! `lks.llm.target` against moto's ELBv2, and against a small load balancer of our own for what moto lacks:
//! `unhealthy`, `draining`, throttling, lifecycle hooks, and streams that are under way.

#![allow(clippy::print_stderr)] // a skipped test says why

mod worker;

use lks_tests::aws::{self, Server};
use lks_tests::ports::free_port;
use lks_tests::rig::options::ctl;
use lks_tests::rig::{data, process, setup};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A folder of the test's own.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("lks-target-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).expect("a folder");
        Self(dir)
    }

    /// Runs tasks with this address of AWS; the exit code, and what was said.
    fn run(&self, endpoint: &str, tasks: &str) -> (i32, String) {
        let play = self.0.join("play.yml");
        let text = format!("- hosts: all\n  gather_facts: false\n  tasks:\n{tasks}");
        std::fs::write(&play, text).expect("a playbook");
        self.run_playbook(endpoint, &play, "{}")
    }

    /// Runs a playbook with these variables (JSON).
    fn run_playbook(&self, endpoint: &str, play: &Path, variables: &str) -> (i32, String) {
        let done = Command::new(ctl().expect("the binary of lks-ctl"))
            .arg("run")
            .arg(play)
            .args(["-e", variables])
            .env("AWS_ENDPOINT_URL", endpoint)
            .env("AWS_ACCESS_KEY_ID", "AKIA1")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_REGION", "us-east-1")
            .env_remove("ANSIBLE_CONFIG")
            .env("ANSIBLE_NOCOLOR", "1")
            .output()
            .expect("lks-ctl runs");
        let said = [done.stdout, done.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        (done.status.code().unwrap_or(-1), said)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A process that ends with this value.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn until(what: &str, mut so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !so() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// `tests/rig/balancer.py`.
struct Balancer {
    api: String,
    port: u16,
    log: PathBuf,
    settings: PathBuf,
    _process: Running,
}

impl Balancer {
    fn start(scratch: &Scratch, settings: &serde_json::Value) -> Self {
        let (api, port) = (free_port(), free_port());
        let (log, file) = (scratch.0.join("calls"), scratch.0.join("settings.json"));
        std::fs::write(&file, settings.to_string()).expect("settings");
        let child = Command::new("python3")
            .arg(data("balancer.py"))
            .args([api.to_string(), port.to_string()])
            .arg(&file)
            .stdout(std::fs::File::create(&log).expect("a log"))
            .spawn()
            .expect("python3");
        let balancer = Self {
            api: format!("http://127.0.0.1:{api}"),
            port,
            log,
            settings: file,
            _process: Running(child),
        };
        until("the balancer comes up", || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        balancer
    }

    fn set(&self, settings: &serde_json::Value) {
        // By a rename: it is read at any time.
        let new = self.settings.with_extension("new");
        std::fs::write(&new, settings.to_string()).expect("settings");
        std::fs::rename(new, &self.settings).expect("settings");
    }

    fn calls(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

fn target(more: &str) -> String {
    format!("    - lks.llm.target: {{target_group: group, target: i-1, interval: 1, {more}}}\n")
}

#[test]
fn a_host_goes_into_service_and_out_again_with_a_real_api() {
    let python = match aws::python() {
        Ok(python) => python,
        Err(why) => return eprintln!("skipped: {why}"),
    };
    let scratch = Scratch::new("moto");
    let moto = Server::moto(&scratch.0).expect("moto");
    // A group that a listener forwards to, and an instance, made by AWS's own library.
    let world = |words: &[&str]| {
        let mut command = Command::new(&python);
        command.arg(data("world.py")).arg(&moto.url).args(words);
        process::run(&mut command).expect("boto3")
    };
    let made = world(&["make", "11434"]);
    let (group, instance) = made.trim().split_once(' ').expect("two names");
    let task = |more: &str| {
        format!(
            "    - lks.llm.target: {{target_group: lks-tg-chat, target: {instance}, interval: 1{more}}}\n      \
             register: t\n    - debug: {{msg: '{{{{ t.target_group }}}} {{{{ t.target_state }}}}'}}\n"
        )
    };
    let (code, said) = scratch.run(&moto.url, &task(""));
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("changed=1"), "{said}");
    assert!(said.contains(&format!("{group} healthy")), "{said}");
    let (code, said) = scratch.run(&moto.url, &task(""));
    assert!(code == 0 && said.contains("changed=0"), "{said}");

    let out = task(", state: absent, drain: 30");
    let (code, said) = scratch.run(&moto.url, &out);
    assert!(code == 0 && said.contains("changed=1"), "{said}");
    assert!(said.contains(&format!("{group} unused")), "{said}");
    let (code, said) = scratch.run(&moto.url, &out);
    assert!(code == 0 && said.contains("changed=0"), "{said}");

    let (code, said) = scratch.run(&moto.url, &task(""));
    assert_eq!(code, 0, "{said}");
    world(&["stop", instance]);
    let (code, said) = scratch.run(&moto.url, &task(", timeout: 20"));
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("unused (Target.InvalidState)"), "{said}");
    assert!(said.contains("start it, then register it"), "{said}");
    let (code, said) = scratch.run(
        &moto.url,
        "    - lks.llm.target: {target_group: nope, target: i-1}\n",
    );
    assert_eq!(code, 2, "{said}");
    assert!(
        said.contains("`nope` is no target group of this region"),
        "{said}"
    );
}

/// A web server that answers every request with this status.
fn answering(status: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("its number").port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut buffer = [0; 1024];
            let _ = stream.read(&mut buffer);
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
        }
    });
    port
}

#[test]
fn what_a_load_balancer_complains_of_is_explained() {
    let scratch = Scratch::new("unhealthy");
    let port = answering("404 Not Found");
    let world = |more: serde_json::Value| {
        let mut all = serde_json::json!({"targets": {"i-1": port}, "path": "/wrong"});
        for (key, value) in more.as_object().expect("a mapping") {
            all[key] = value.clone();
        }
        all
    };
    let balancer = Balancer::start(&scratch, &world(serde_json::json!({"throttle": 3})));
    let (code, said) = scratch.run(&balancer.api, &target("timeout: 4"));
    assert_eq!(code, 2, "{said}");
    let line = "unhealthy (Target.ResponseCodeMismatch): Health checks failed with these codes: [404]. the health \
                check is HTTP /wrong on port";
    assert!(said.contains(line), "{said}");
    assert!(balancer.calls().contains("400"), "it was throttled");

    balancer.set(&world(serde_json::json!({"unused": true, "throttle": 0})));
    let began = Instant::now();
    let (code, said) = scratch.run(&balancer.api, &target("timeout: 600"));
    assert_eq!(code, 2, "{said}");
    assert!(
        said.contains("no listener of a load balancer forwards to group"),
        "{said}"
    );
    assert!(
        began.elapsed() < Duration::from_secs(60),
        "it waited for nothing"
    );

    balancer.set(&world(serde_json::json!({"targets": {"i-1": free_port()}})));
    let (code, said) = scratch.run(&balancer.api, &target("timeout: 6"));
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("Target.FailedHealthChecks"), "{said}");
    assert!(
        said.contains("of every address (0.0.0.0, not 127.0.0.1)"),
        "{said}"
    );
}

#[test]
fn a_lifecycle_hook_hears_how_it_goes_and_how_it_ended() {
    let scratch = Scratch::new("hook");
    let good = answering("200 OK");
    let world = |port: u16, state: &str| serde_json::json!({"targets": {"i-1": port}, "hook": {"i-1": state}});
    let balancer = Balancer::start(&scratch, &world(good, "Pending:Wait"));
    let hook = "lifecycle_hook: ready, timeout: 3";
    let (code, said) = scratch.run(&balancer.api, &target(hook));
    assert_eq!(code, 0, "{said}");
    let calls = balancer.calls();
    assert!(calls.contains("RecordLifecycleActionHeartbeat"), "{calls}");
    assert!(
        calls.contains("CompleteLifecycleAction CONTINUE 200"),
        "{calls}"
    );

    // A hook that does not wait any more is left alone.
    balancer.set(&world(good, "InService"));
    let (code, said) = scratch.run(&balancer.api, &target(hook));
    assert!(code == 0 && said.contains("changed=0"), "{said}");
    assert_eq!(
        balancer.calls().matches("CompleteLifecycleAction").count(),
        1
    );

    let bad = answering("500 Internal Server Error");
    balancer.set(&world(bad, "Pending:Wait"));
    until("it is unhealthy", || {
        std::thread::sleep(Duration::from_millis(600));
        true
    });
    let (code, said) = scratch.run(&balancer.api, &target(hook));
    assert_eq!(code, 2, "{said}");
    let calls = balancer.calls();
    assert!(
        calls.contains("CompleteLifecycleAction ABANDON 200"),
        "{calls}"
    );

    balancer.set(&world(good, "Terminating:Wait"));
    let out = target("lifecycle_hook: gone, state: absent, drain: 10");
    let (code, said) = scratch.run(&balancer.api, &out);
    assert_eq!(code, 0, "{said}");
    assert!(
        balancer
            .calls()
            .ends_with("CompleteLifecycleAction CONTINUE 200\n")
    );
}

/// Streams a completion through the balancer: all that came.
fn stream(port: u16) -> std::io::Result<String> {
    let body = r#"{"prompt": "hello", "max_tokens": 1900, "stream": true, "ignore_eos": true}"#;
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    write!(
        stream,
        "POST /v1/completions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

const STREAMS: usize = 4;

#[test]
fn draining_while_a_real_server_streams_cuts_no_answer() {
    let python = match setup::python() {
        Ok(dir) => dir.join("bin/python"),
        Err(why) => return eprintln!("skipped: {why}"),
    };
    let scratch = Scratch::new("drain");
    let model = scratch.0.join("tiny.gguf");
    let mut make = Command::new(&python);
    process::run(make.arg(data("tiny_model.py")).arg(&model)).expect("a model");
    let server = serve(&python, &model);
    let port = server.0;
    let settings = serde_json::json!({"targets": {"i-1": port}, "delay": 120});
    let balancer = Balancer::start(&scratch, &settings);
    let ready = format!(
        "    - lks.llm.ready: {{runtime: llama_cpp, url: 'http://127.0.0.1:{port}', model: '{}'}}\n{}",
        model.display(),
        target("timeout: 60")
    );
    let (code, said) = scratch.run(&balancer.api, &ready);
    assert!(code == 0 && said.contains("changed=1"), "{said}");

    let through = balancer.port;
    let streams: Vec<_> = (0..STREAMS)
        .map(|_| std::thread::spawn(move || stream(through)))
        .collect();
    // All of them are under way before anything else happens.
    until("the streams begin", || busy(port) == STREAMS);
    let pid = server.1.0.id();
    let out = format!(
        "{}      register: t\n    - debug: {{msg: 'streams took {{{{ t.seconds }}}} s'}}\n    - command: kill {pid}\n",
        target(&format!(
            "state: absent, drain: 120, runtime: llama_cpp, url: 'http://127.0.0.1:{port}'"
        ))
    );
    let (code, said) = scratch.run(&balancer.api, &out);
    assert_eq!(code, 0, "{said}");
    for stream in streams {
        let answer = stream.join().expect("a stream").expect("an answer");
        assert!(
            answer.contains("data: [DONE]"),
            "cut: …{}",
            process::tail(&answer)
        );
        assert!(
            answer.contains("\"finish_reason\":\"length\""),
            "it is whole"
        );
    }
    assert!(said.contains("streams took"), "{said}");
    // Nobody new was let in.
    let late = stream(through).unwrap_or_default();
    assert!(!late.contains("data:"), "{late}");
}

fn busy(port: u16) -> usize {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        write!(
            stream,
            "GET /slots HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask()
        .unwrap_or_default()
        .matches("\"is_processing\":true")
        .count()
}

fn serve(python: &Path, model: &Path) -> (u16, Running) {
    let port = free_port();
    let child = Command::new(python)
        .arg(data("llama_server.py"))
        .arg(port.to_string())
        .arg(model)
        .arg(STREAMS.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a server");
    (port, Running(child))
}
