//! Who gets past the controller's door: every route without a certificate or token, with another's, and
//! with paths that lead elsewhere. Salt's CVE-2020-11651, CVE-2020-11652 and CVE-2016-9639 are the cases.

use lks_tests::fleet::Fleet;
use serde_json::Value;
use std::process::Command;

/// What anybody may ask, and why that gives nothing away.
const OPEN: &[(&str, &str)] = &[
    ("get", "/healthz"),
    ("get", "/livez"),
    ("get", "/readyz"),
    ("get", "/openapi.json"),
    // These judge what they are sent.
    ("post", "/v1/enrol"),
    ("post", "/v1/enrol/challenge"),
    // The agent's program is public, and found by its digest only.
    ("get", "/v1/programs/{digest}"),
];

/// Someone who asks.
#[derive(Clone, Copy)]
enum Who<'a> {
    Nobody,
    /// With this token.
    Token(&'a str),
    /// With the certificate of this host.
    Host(&'a str),
}

/// The status and the body of an answer.
fn ask(fleet: &Fleet, method: &str, path: &str, who: Who<'_>) -> (u16, String) {
    let mut curl = Command::new("curl");
    curl.args([
        "-sk",
        "--path-as-is",
        "-X",
        &method.to_uppercase(),
        "-w",
        "\n%{http_code}",
    ]);
    match who {
        Who::Nobody => {}
        Who::Token(token) => {
            curl.args(["-H", &format!("Authorization: Bearer {token}")]);
        }
        Who::Host(name) => {
            curl.arg("--cert").arg(fleet.path(&format!("{name}.pem")));
        }
    }
    if method != "get" {
        curl.args(["-H", "Content-Type: application/json", "-d", "{}"]);
    }
    let url = format!("https://127.0.0.1:{}{path}", fleet.port);
    let done = curl.arg(url).output().expect("curl");
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let (body, status) = text.rsplit_once('\n').unwrap_or_default();
    (status.parse().unwrap_or(0), body.to_owned())
}

/// Writes a host's certificate and key as curl wants them.
fn pem(fleet: &Fleet, name: &str) {
    let identity: Value =
        serde_json::from_str(&fleet.read(&format!("{name}/identity.json"))).expect("JSON");
    let part = |hex: &str, kind: &str| {
        let script = format!(
            "import base64,sys;print('-----BEGIN {kind}-----');\
             print(base64.encodebytes(bytes.fromhex('{hex}')).decode().strip());print('-----END {kind}-----')"
        );
        let done = Command::new("python3")
            .args(["-c", &script])
            .output()
            .expect("python3");
        String::from_utf8_lossy(&done.stdout).into_owned()
    };
    let field = |name: &str| identity[name].as_str().expect("hex").to_owned();
    // The key is kept with its public half (RFC 5958), which OpenSSL does not read: the form without it.
    let key = field("key");
    let seed = &key[32..96];
    let key = format!("302e020100300506032b657004220420{seed}");
    let text = part(&field("certificate"), "CERTIFICATE") + &part(&key, "PRIVATE KEY");
    fleet.write(&format!("{name}.pem"), &text);
}

/// Methods and paths of all routes, as the server tells them.
fn routes(fleet: &Fleet) -> Vec<(String, String)> {
    let (status, body) = ask(fleet, "get", "/openapi.json", Who::Nobody);
    assert_eq!(status, 200);
    let document: Value = serde_json::from_str(&body).expect("JSON");
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for method in methods.as_object().expect("methods").keys() {
            found.push((method.clone(), path.clone()));
        }
    }
    assert!(found.len() > 20, "{found:?}");
    found
}

/// The path with something in the place of its parameters.
fn filled(path: &str, with: &str) -> String {
    path.split('/')
        .map(|part| match part {
            // A number, or it is refused before anybody asks who wants it.
            "{counter}" if with == "web2" => "1",
            part if part.starts_with('{') => with,
            part => part,
        })
        .collect::<Vec<_>>()
        .join("/")
}

fn admin(fleet: &Fleet) -> String {
    let admin: Value = serde_json::from_str(&fleet.read("ctl/admin.json")).expect("JSON");
    admin["token"].as_str().expect("a token").to_owned()
}

#[test]
fn no_route_answers_who_must_not_ask_and_no_path_leads_to_a_file() {
    let mut fleet = Fleet::new("routes");
    fleet.enrol("web1");
    fleet.enrol("web2");
    pem(&fleet, "web1");
    let routes = routes(&fleet);
    let viewer = fleet.ctl(&["operator", "add", "eve", "viewer"]);
    let viewer: Value = serde_json::from_str(&viewer).expect("JSON");
    let viewer = viewer["token"].as_str().expect("a token").to_owned();
    let wrong = format!("lks-op-{}", "0".repeat(64));
    for (method, path) in &routes {
        let open = OPEN.contains(&(method, path));
        let asked = filled(path, "web2");
        let refused = |who: Who<'_>| {
            let (status, body) = ask(&fleet, method, &asked, who);
            assert!(
                matches!(status, 401 | 403),
                "{method} {path} answers {status}: {body}"
            );
        };
        // CVE-2020-11651: what was meant for the master's own use answered anybody.
        if !open {
            refused(Who::Nobody);
            refused(Who::Token(&wrong));
        }
        let of_agents = path.starts_with("/v1/agent/");
        if !open && !of_agents {
            refused(Who::Host("web1"));
        }
        if of_agents {
            refused(Who::Token(&admin(&fleet)));
        }
        // Who may look changes nothing, and sees nothing of operators, tokens and the audit log.
        let of_admins = ["/v1/operators", "/v1/tokens", "/v1/audit"];
        let changes = method != "get" && !open && !of_agents;
        if changes || of_admins.iter().any(|p| path.starts_with(p)) {
            refused(Who::Token(&viewer));
        }
        // CVE-2020-11652: parts of requests were joined to paths.
        if path.contains('{') {
            for place in [
                "..%2fca.key",
                "..%2f..%2f..%2fetc%2fpasswd",
                "%2e%2e/ca.key",
                "../ca.key",
                "%2fetc%2fpasswd",
                "ca.key%00",
                "....//ca.key",
            ] {
                for who in [Who::Nobody, Who::Host("web1"), Who::Token(&admin(&fleet))] {
                    if method == "delete" || path.ends_with("/revoke") {
                        continue;
                    }
                    let (status, body) = ask(&fleet, method, &filled(path, place), who);
                    let leaked = body.contains("PRIVATE KEY") || body.contains("root:");
                    assert!(
                        status >= 400 && !leaked,
                        "{method} {path} {place}: {status} {body}"
                    );
                }
            }
        }
    }
    // The hosts are who they were.
    assert!(fleet.ctl(&["hosts"]).contains("web2"));
}

#[test]
fn a_name_that_is_given_again_brings_no_old_rights() {
    let mut fleet = Fleet::new("recycled");
    fleet.enrol("web1");
    pem(&fleet, "web1");
    let work = "/v1/agent/work";
    assert_eq!(ask(&fleet, "get", work, Who::Host("web1")).0, 204);
    // CVE-2016-9639: a deleted host's key was good for the next host of its name.
    fleet.agents.clear();
    fleet.ctl(&["hosts", "forget", "web1"]);
    assert_eq!(ask(&fleet, "get", work, Who::Host("web1")).0, 410);
    std::fs::rename(fleet.path("web1"), fleet.path("old")).expect("moved");
    std::fs::remove_file(fleet.path("web1.log")).expect("removed");
    fleet.enrol("web1");
    let (status, body) = ask(&fleet, "get", work, Who::Host("web1"));
    assert_eq!(status, 410, "the old certificate: {body}");
    fleet.write(
        "site/site.yml",
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - command: 'true'\n",
    );
    let path = fleet.path("site/site.yml").display().to_string();
    let out = fleet.ctl(&["run", "-c", "agent", &path]);
    assert!(out.contains("status 0"), "{out}");
    for asked in ["/v1/agent/bundles/00", "/v1/runs", "/v1/hosts"] {
        let (status, _) = ask(&fleet, "get", asked, Who::Host("web1"));
        assert!(matches!(status, 401 | 403 | 410), "{asked}: {status}");
    }
    // The new one's works.
    pem(&fleet, "web1");
    assert_eq!(ask(&fleet, "get", work, Who::Host("web1")).0, 204);
}

#[test]
fn the_hosts_of_a_controller_are_an_inventory() {
    use std::os::unix::fs::PermissionsExt;
    let mut fleet = Fleet::new("inventory");
    fleet.enrol("web1");
    fleet.enrol("web2");
    fleet.ctl(&["hosts", "revoke", "web2"]);
    let program = lks_tests::fleet::program("lks-ctl");
    let script = format!("#!/bin/sh\nexec {} hosts --inventory\n", program.display());
    fleet.write("enrolled", &script);
    let path = fleet.path("enrolled");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("mode");
    let told = fleet.ctl(&["inventory", "--list", "-i", &path.display().to_string()]);
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(told["enrolled"]["hosts"], serde_json::json!(["web1"]));
    let version = &told["_meta"]["hostvars"]["web1"]["lks_version"];
    assert_eq!(version, env!("CARGO_PKG_VERSION"));
}
