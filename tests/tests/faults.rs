//! What goes wrong around a fleet: servers that are away, full disks, deliveries that come twice or in
//! another order, bundles that should not run, and requests that make no sense.

#![allow(clippy::print_stderr)] // a skipped test says why

use lks_agent::uplink::Client;
use lks_agent::uplink::identity::Identity;
use lks_tests::fleet::{Fleet, complete, counted_site, newest_run, start_run};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

fn until(what: &str, fleet: &Fleet, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(90);
    while !is_so() {
        assert!(Instant::now() < end, "{what}: {}", fleet.read("web1.log"));
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn is_over(fleet: &Fleet, run: &str) -> bool {
    let state: Value = serde_json::from_str(&fleet.ctl(&["runs", run, "--json"])).expect("JSON");
    let parts = state["hosts"].as_array().expect("hosts");
    parts.iter().all(|p| !p[1].is_null())
}

/// A client that speaks as an enrolled host, or as the admin.
fn client(fleet: &Fleet, host: Option<&str>) -> Client {
    let admin: Value = serde_json::from_str(&fleet.read(&fleet.admin)).expect("JSON");
    let text = |name: &str| admin[name].as_str().expect("a text").to_string();
    let identity = host.map(|h| {
        Identity::load(&fleet.path(h))
            .expect("reads")
            .expect("enrolled")
    });
    let own = identity.as_ref().map(|i| {
        let certificate = i.certificate.as_deref().expect("enrolled");
        (certificate, i.key.reveal().as_slice())
    });
    let client = Client::new(&text("controller"), &text("pin"), own).expect("a client");
    match host {
        Some(_) => client,
        None => client.with_bearer(&text("token")),
    }
}

#[test]
fn a_run_goes_on_without_its_controller_and_is_complete_when_that_is_back() {
    let mut fleet = Fleet::new("away");
    fleet.enrol("web1");
    let tasks = 8;
    let path = counted_site(&fleet, &["web1"], tasks);
    let _following = start_run(&fleet, &path);
    let run = newest_run(&fleet, 1);
    until("begun", &fleet, || !fleet.read("out/web1/lines").is_empty());
    fleet.server = None;
    until("ended", &fleet, || {
        fleet.read("web1.log").contains("ended with status 0")
    });
    std::thread::sleep(Duration::from_secs(2));
    fleet.start_server();
    until("delivered", &fleet, || is_over(&fleet, &run));
    complete(&fleet, &run, &["web1"], tasks);
}

/// A small disk of its own below the fleet's folder, as root; unmounted with this value.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn new(fleet: &Fleet, name: &str) -> Option<Self> {
        let path = fleet.path(name);
        std::fs::create_dir_all(&path).expect("a folder");
        let done = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=6m,mode=700", "tmpfs"])
            .arg(&path)
            .output()
            .expect("mount runs");
        if done.status.success() {
            return Some(Self(path));
        }
        eprintln!(
            "skipped: a full disk: {}",
            String::from_utf8_lossy(&done.stderr)
        );
        None
    }

    /// Takes all that is left.
    fn fill(&self) {
        let mut file = std::fs::File::create(self.0.join("filler")).expect("a file");
        while file.write_all(&[0; 4096]).is_ok() {}
    }

    fn free(&self) {
        std::fs::remove_file(self.0.join("filler")).expect("removed");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn on_a_full_disk_of_a_host_the_run_waits_and_nothing_is_lost() {
    let mut fleet = Fleet::new("full-spool");
    let Some(disk) = SmallDisk::new(&fleet, "web1") else {
        return;
    };
    fleet.enrol("web1");
    let tasks = 8;
    let path = counted_site(&fleet, &["web1"], tasks);
    let _following = start_run(&fleet, &path);
    let run = newest_run(&fleet, 1);
    until("begun", &fleet, || !fleet.read("out/web1/lines").is_empty());
    disk.fill();
    until("it waits", &fleet, || {
        fleet.read("web1.log").contains("waiting: cannot write")
    });
    let lines = fleet.read("out/web1/lines").lines().count();
    std::thread::sleep(Duration::from_secs(2));
    assert!(
        fleet.read("out/web1/lines").lines().count() <= lines + 1,
        "tasks go on untold"
    );
    assert!(!is_over(&fleet, &run));
    disk.free();
    until("over", &fleet, || is_over(&fleet, &run));
    complete(&fleet, &run, &["web1"], tasks);
    fleet.agents.clear();
    drop(disk);
}

#[test]
fn on_a_full_disk_of_the_controller_events_wait_at_the_hosts() {
    let mut fleet = Fleet::without_server("full-store");
    let Some(disk) = SmallDisk::new(&fleet, "ctl") else {
        return;
    };
    fleet.start_server();
    let keys = fleet.ctl(&["bundle", "key"]);
    fleet.write("keys", &keys);
    fleet.enrol("web1");
    let tasks = 8;
    let path = counted_site(&fleet, &["web1"], tasks);
    let following = start_run(&fleet, &path);
    let run = newest_run(&fleet, 1);
    until("begun", &fleet, || !fleet.read("out/web1/lines").is_empty());
    drop(following);
    disk.fill();
    until("ended", &fleet, || {
        fleet.read("web1.log").contains("ended with status 0")
    });
    until("it is said", &fleet, || {
        fleet.read("server.log").contains("full")
    });
    assert!(
        !is_over(&fleet, &run),
        "what is not on the disk is not said to be stored"
    );
    disk.free();
    until("over", &fleet, || is_over(&fleet, &run));
    complete(&fleet, &run, &["web1"], tasks);
    fleet.agents.clear();
    fleet.server = None;
    drop(disk);
}

#[test]
fn events_that_come_twice_or_out_of_order_are_stored_once_and_those_of_a_newer_kind_too() {
    let mut fleet = Fleet::new("twice");
    fleet.enrol("web1");
    fleet.agents.clear();
    fleet.write("site/site.yml", "- hosts: all\n  tasks: []\n");
    let path = fleet.path("site/site.yml").display().to_string();
    let _following = start_run(&fleet, &path);
    let run = newest_run(&fleet, 1);
    let host = client(&fleet, Some("web1"));
    let event = |seq: u64, more: Value| {
        let mut event = json!({"run": run, "host": "", "seq": seq, "at_ms": 1, "type": "notice"});
        for (name, value) in more.as_object().into_iter().flatten() {
            event[name.as_str()] = value.clone();
        }
        event
    };
    let send = |events: &[Value]| {
        // A field that a newer agent adds is no reason to refuse.
        let body = json!({"run": run, "events": events, "colour": "blue"});
        let answer = host.post("/v1/agent/events", &body).expect("answers");
        (
            answer.status,
            answer.json::<Value>().map(|v| v["stored"].clone()).ok(),
        )
    };
    let late = event(7, json!({"type": "run_finished", "status": 0, "stats": []}));
    let newer = event(
        3,
        json!({"type": "quantum_jump", "from": 1, "to": {"x": [2]}}),
    );
    assert_eq!(
        send(&[late.clone(), event(5, json!({}))]),
        (200, Some(json!(2)))
    );
    assert_eq!(
        send(&[event(1, json!({})), event(2, json!({})), newer.clone()]),
        (200, Some(json!(3)))
    );
    assert_eq!(
        send(&[
            event(2, json!({})),
            late.clone(),
            event(4, json!({})),
            event(6, json!({}))
        ]),
        (200, Some(json!(4)))
    );
    assert_eq!(send(std::slice::from_ref(&late)), (200, Some(json!(1))));
    // A clock that was set back changes times, not the order or what is kept.
    assert_eq!(
        send(&[
            event(8, json!({"at_ms": 0})),
            event(9, json!({"at_ms": u64::MAX}))
        ]),
        (200, Some(json!(2)))
    );
    let stored: Vec<Value> = fleet.events(&run).into_iter().map(|(_, e)| e).collect();
    let mut numbers: Vec<u64> = stored.iter().filter_map(|e| e["seq"].as_u64()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=9).collect::<Vec<_>>());
    assert!(
        stored.contains(&newer),
        "an unknown kind is kept as it came"
    );
    // And who looks at it is not troubled.
    assert!(fleet.ctl(&["events", &run]).contains("status 0"));
}

#[test]
fn bundles_that_are_over_older_or_changed_run_nowhere() {
    let mut fleet = Fleet::new("old-bundles");
    fleet.enrol("web1");
    let site = format!(
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - shell: echo x >> {}/ran\n",
        fleet.dir.display()
    );
    fleet.write("site/site.yml", &site);
    let path = fleet.path("site/site.yml").display().to_string();
    let make = |name: &str, seconds: &str| {
        let file = fleet.path(name).display().to_string();
        fleet.ctl(&["bundle", "make", &path, "-o", &file]);
        fleet.ctl(&[
            "bundle",
            "sign",
            &file,
            "--name",
            "site",
            "--expires",
            seconds,
        ]);
        std::fs::read(fleet.path(name)).expect("reads")
    };
    let (older, short) = (make("a", "600"), make("b", "1"));
    let newest = make("c", "600");
    let admin = client(&fleet, None);
    let run = |bytes: Vec<u8>| {
        let put: Value = admin
            .put("/v1/bundles", bytes)
            .expect("answers")
            .json()
            .expect("is taken");
        let asked = json!({"bundle": put["bundle"], "hosts": ["web1"]});
        let run: Value = admin
            .post("/v1/runs", &asked)
            .expect("answers")
            .json()
            .expect("starts");
        let run = run["run"].as_str().expect("a name").to_string();
        until("over", &fleet, || is_over(&fleet, &run));
        String::from_utf8_lossy(&fleet.call(&["events", &run]).stdout).into_owned()
    };
    assert!(run(newest.clone()).contains("status 0"));
    assert_eq!(fleet.read("ran"), "x\n");
    std::thread::sleep(Duration::from_secs(1));
    assert!(run(short).contains("it expired"));
    assert!(run(older).contains("was here already"), "an older counter");
    // A controller that changes a bundle, or puts another under its name: the host looks itself.
    let mut changed = newest;
    let at = changed.len() - 20;
    changed[at] ^= 1;
    let answer = admin.put("/v1/bundles", changed).expect("answers");
    assert_eq!(answer.status, 400, "the controller takes no broken one");
    assert_eq!(fleet.read("ran"), "x\n", "nothing else ran");
}

#[test]
fn requests_that_make_no_sense_are_refused_and_nobody_else_suffers() {
    let mut fleet = Fleet::new("nonsense");
    fleet.enrol("web1");
    let (admin, host) = (client(&fleet, None), client(&fleet, Some("web1")));
    let nobody = client(&fleet, None).with_bearer("lks-op-00");
    let document: Value = admin
        .get("/openapi.json")
        .expect("answers")
        .json()
        .expect("JSON");
    let deep = format!("{}1{}", "[".repeat(50_000), "]".repeat(50_000));
    let bodies: Vec<Vec<u8>> = vec![
        Vec::new(),
        b"{".to_vec(),
        b"[]".to_vec(),
        b"null".to_vec(),
        b"\xff\xfe\x00".to_vec(),
        deep.into_bytes(),
        br#"{"run": 1, "events": "x", "token": [], "name": {}, "hosts": 7, "bundle": "../../etc", "public_key": "zz", "proof": "", "role": "king", "lifetime": -1}"#.to_vec(),
        br#"{"run": "x", "events": [1, null, {"seq": 1e99, "host": "\u0000"}], "token": "\u0000", "name": "../..", "hosts": ["**********a"], "bundle": "", "lifetime": 99999999999999999999}"#.to_vec(),
        br#"{"run": "x", "events": [], "hosts": [], "host": "a\u0000b", "lifetime": 18446744073709551615}"#.to_vec(),
    ];
    let names = [
        "x",
        "..%2f..%2fetc%2fpasswd",
        "%00",
        "%ff",
        "'%3bDROP%20TABLE%20host%3b--",
        "-1",
        "99999999999999999999",
        &"n".repeat(5000),
    ];
    let mut asked = 0;
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for method in methods.as_object().expect("methods").keys() {
            let filled: Vec<String> = if path.contains('{') {
                let (before, rest) = path.split_once('{').expect("a name");
                let after = rest.split_once('}').expect("a name").1;
                names
                    .iter()
                    .map(|n| format!("{before}{n}{after}"))
                    .collect()
            } else {
                vec![
                    path.clone(),
                    format!("{path}?wait=x&after=%00&release=-1&machine=%ff"),
                ]
            };
            for (n, path) in filled.iter().enumerate() {
                // All bodies with the first name, one with each of the others.
                let bodies = if n == 0 { &bodies[..] } else { &bodies[6..7] };
                for body in bodies {
                    for who in [&admin, &host, &nobody] {
                        // A host that asks well for work waits for it.
                        if path.ends_with("/work") {
                            continue;
                        }
                        let answer = match method.as_str() {
                            "get" => who.get(path),
                            "delete" => who.delete(path),
                            "put" => who.put(path, body.clone()),
                            _ => who.send_bytes(path, body.clone()),
                        };
                        let status = match answer {
                            Ok(answer) => answer.status,
                            // It hangs up on a body that it does not want, and answers the next.
                            Err(e) => {
                                let alive = client(&fleet, None).get("/livez").map(|a| a.status);
                                assert_eq!(alive.ok(), Some(200), "{method} {path}: {e}");
                                413
                            }
                        };
                        let shown = String::from_utf8_lossy(&body[..body.len().min(200)]);
                        assert!(status < 500, "{method} {path} {shown}: {status}");
                        asked += 1;
                    }
                }
            }
        }
    }
    assert!(asked > 500, "{asked}");
    // What is too large is not read to its end.
    for (path, mib) in [
        ("/v1/enrol", 1),
        ("/v1/agent/events", 17),
        ("/v1/agent/facts", 2),
        ("/v1/tokens", 2),
    ] {
        let answer = if path.starts_with("/v1/agent") {
            &host
        } else {
            &admin
        };
        let answer = answer.send_bytes(path, vec![b' '; mib << 20]);
        // The server may hang up before all of it is sent.
        assert!(
            answer.is_err() || answer.is_ok_and(|a| a.status == 413 || a.status == 400),
            "{path}"
        );
    }
    // Who does not speak TLS at all, or stops in the middle.
    for text in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"\x16\x03\x01\xff\xff",
        &[0; 70_000],
        b"",
    ] {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", fleet.port)).expect("connects");
        stream
            .set_read_timeout(Some(Duration::from_millis(300)))
            .expect("set");
        let _ = stream.write_all(text);
        let _ = stream.read(&mut [0; 64]);
    }
    // By new connections: it hung up on those whose bodies it did not want.
    let (admin, nobody) = (
        client(&fleet, None),
        client(&fleet, None).with_bearer("lks-op-00"),
    );
    // The fleet works as before; no operator, token or host was made of it that opens anything.
    let hosts: Vec<Value> = admin
        .get("/v1/hosts")
        .expect("answers")
        .json()
        .expect("hosts");
    assert_eq!(hosts.len(), 1);
    for path in ["/healthz", "/livez", "/readyz"] {
        assert_eq!(nobody.get(path).expect("answers").status, 200);
    }
    let metrics = String::from_utf8(admin.get("/metrics").expect("answers").body).expect("text");
    for name in [
        "lks_hosts{state=\"connected\"} 1",
        "lks_agents_waiting 1",
        "lks_store_seconds_count",
        "lks_queue_batches 0",
        "lks_refusals_total",
    ] {
        assert!(metrics.contains(name), "{name} in {metrics}");
    }
    assert_eq!(nobody.get("/metrics").expect("answers").status, 401);
}

#[test]
fn a_run_is_a_trace_at_a_collector() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (sender, spans) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut bytes = Vec::new();
            let mut part = [0; 65536];
            while let Ok(n @ 1..) = stream.read(&mut part) {
                bytes.extend_from_slice(&part[..n]);
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let Some((head, body)) = text.split_once("\r\n\r\n") else {
                    continue;
                };
                let head = head.to_ascii_lowercase();
                let length = head
                    .lines()
                    .find_map(|l| l.strip_prefix("content-length:")?.trim().parse().ok());
                if length.is_some_and(|n: usize| body.len() >= n) {
                    assert!(
                        head.starts_with("post /v1/traces ") && head.contains("application/json"),
                        "{head}"
                    );
                    let _ = sender.send(serde_json::from_str::<Value>(body).expect("JSON"));
                    break;
                }
            }
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}");
        }
    });
    let mut fleet = Fleet::without_server("traces");
    fleet.server_env = vec![(
        "OTEL_EXPORTER_OTLP_ENDPOINT".into(),
        format!("http://127.0.0.1:{port}"),
    )];
    fleet.start_server();
    let keys = fleet.ctl(&["bundle", "key"]);
    fleet.write("keys", &keys);
    fleet.enrol("web1");
    fleet.enrol("web2");
    let site = "- hosts: all\n  gather_facts: false\n  tasks:\n    - {name: One, command: 'true'}\n    - {name: Two, command: 'false', ignore_errors: true}\n";
    fleet.write("site/site.yml", site);
    fleet.ctl(&[
        "run",
        "-c",
        "agent",
        &fleet.path("site/site.yml").display().to_string(),
    ]);
    let mut got: Vec<Value> = Vec::new();
    while !got.iter().any(|s| s["name"] == "run") {
        let document = spans.recv_timeout(Duration::from_secs(20)).expect("spans");
        assert_eq!(
            document["resourceSpans"][0]["resource"]["attributes"][0]["value"]["stringValue"],
            "lks"
        );
        let all = document["resourceSpans"][0]["scopeSpans"][0]["spans"]
            .as_array()
            .cloned();
        got.extend(all.expect("spans"));
    }
    let named = |name: &str| got.iter().filter(|s| s["name"] == name).collect::<Vec<_>>();
    let root = named("run")[0];
    assert_eq!(
        (named("host").len(), named("One").len(), named("Two").len()),
        (2, 2, 2),
        "{got:?}"
    );
    for host in named("host") {
        assert_eq!(
            (&host["parentSpanId"], &host["traceId"]),
            (&root["spanId"], &root["traceId"])
        );
        let below = got
            .iter()
            .filter(|s| s["parentSpanId"] == host["spanId"])
            .count();
        assert_eq!(below, 2);
    }
}
