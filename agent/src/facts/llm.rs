//! Runtimes of language models on this host, as `lks_llm`: who listens, what it is, which models it lists
//! and (Ollama) has in memory. Only what a server answers without computing is asked, each briefly.

use super::cx::{Cx, put};
use crate::module::llm::listening::{Listener, listeners};
use crate::module::llm::{Runtime, Server, listed};
use crate::value::{Map, Value};
use std::time::Duration;

/// A server that is too busy for this is told as one that does not answer.
const GLANCE: Duration = Duration::from_secs(2);

pub fn collect(cx: &Cx<'_>, out: &mut Map) {
    let mut found = Vec::new();
    for (port, listener) in listeners(cx.host).unwrap_or_default() {
        if let Some(runtime) = kind(&listener, port) {
            found.extend(server(cx, runtime, port, &listener));
        }
    }
    let mut facts = Map::new();
    put(&mut facts, "count", found.len() as i64);
    put(&mut facts, "runtimes", Value::list(found));
    put(out, "lks_llm", facts);
}

/// What a process is by its command line or its unit; one that hands connections on to a container is
/// taken for what its port usually has.
fn kind(listener: &Listener, port: u16) -> Option<Runtime> {
    let command = listener.command.as_str();
    let unit = listener.unit.as_deref().unwrap_or_default();
    let named = [
        ("ollama", Runtime::Ollama),
        ("vllm", Runtime::Vllm),
        ("llama-server", Runtime::LlamaCpp),
        ("llama-cpp", Runtime::LlamaCpp),
        ("sglang", Runtime::Sglang),
        ("text-generation", Runtime::Tgi),
        ("lks-tgi", Runtime::Tgi),
    ];
    let by_name = named
        .iter()
        .find(|(word, _)| command.contains(word) || unit.contains(word));
    if let Some((_, runtime)) = by_name {
        return Some(*runtime);
    }
    let hands_on = ["docker-proxy", "rootlessport", "conmon"]
        .iter()
        .any(|w| command.contains(w));
    let usual = [
        Runtime::Ollama,
        Runtime::Vllm,
        Runtime::LlamaCpp,
        Runtime::Sglang,
        Runtime::Tgi,
    ];
    usual.into_iter().find(|r| hands_on && r.port() == port)
}

/// What a server says of itself. Ollama's own runners listen too, and list nothing: they are left out.
fn server(cx: &Cx<'_>, runtime: Runtime, port: u16, listener: &Listener) -> Option<Value> {
    let server = Server {
        url: format!("http://127.0.0.1:{port}"),
        api_key: None,
        validate_certs: true,
    };
    let ask = |path: &str| {
        let mut request = server.get(path, GLANCE);
        // A machine's proxy is not for itself.
        request.use_proxy = false;
        request.max_body = 4 << 20;
        let response = cx.host.fetch(&request).ok()?;
        (response.status == 200).then_some(response.body)
    };
    let list = ask(runtime.list());
    if runtime == Runtime::Ollama && list.is_none() && listener.command.contains(" runner") {
        return None;
    }
    let mut facts = Map::new();
    put(&mut facts, "kind", runtime.word());
    put(&mut facts, "port", i64::from(port));
    put(&mut facts, "url", server.url.as_str());
    put(&mut facts, "answers", list.is_some());
    if let Some(pid) = listener.pid {
        put(&mut facts, "pid", i64::from(pid));
    }
    if let Some(unit) = &listener.unit {
        put(&mut facts, "unit", unit.as_str());
    }
    put(
        &mut facts,
        "models",
        list.as_deref().map(listed).unwrap_or_default(),
    );
    if runtime == Runtime::Ollama {
        put(
            &mut facts,
            "loaded",
            ask("/api/ps").as_deref().map(listed).unwrap_or_default(),
        );
    }
    if let Some(version) = version(runtime, &ask) {
        put(&mut facts, "version", version);
    }
    Some(facts.into())
}

fn version(runtime: Runtime, ask: &dyn Fn(&str) -> Option<Vec<u8>>) -> Option<String> {
    let path = match runtime {
        Runtime::Ollama => "/api/version",
        Runtime::Vllm => "/version",
        Runtime::Sglang => "/get_server_info",
        Runtime::Tgi => "/info",
        Runtime::LlamaCpp | Runtime::OpenAi => "/props",
    };
    let json: serde_json::Value = serde_json::from_slice(&ask(path)?).ok()?;
    let version = ["version", "build_info"]
        .iter()
        .find_map(|name| json[*name].as_str());
    version.map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::FakeHost;

    fn facts(host: &FakeHost) -> serde_json::Value {
        let mut out = Map::new();
        collect(&Cx::new(host, "/none"), &mut out);
        Value::from(out).to_json()["lks_llm"].clone()
    }

    #[test]
    fn runtimes_are_found_with_their_models() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            \x20  0: 0100007F:2CAA 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0\n\
            \x20  1: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2 1 0 100 0 0 10 0\n\
            \x20  2: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 3 1 0 100 0 0 10 0\n";
        let host = FakeHost::new()
            .with_file("/proc/net/tcp", table)
            .with_file(
                "/proc/5/cmdline",
                "/usr/bin/docker-proxy\0-host-port\x0011434\0",
            )
            .with_link("/proc/5/fd/4", "socket:[1]")
            .with_file(
                "/proc/6/cmdline",
                "/opt/python\0/opt/lks-llama-cpp/llama-server\0--model\0",
            )
            .with_file("/proc/6/cgroup", "0::/system.slice/lks-llama-cpp.service\n")
            .with_link("/proc/6/fd/4", "socket:[2]")
            .with_file("/proc/7/cmdline", "sshd\0")
            .with_link("/proc/7/fd/4", "socket:[3]")
            .serving(
                "http://127.0.0.1:11434/api/version",
                200,
                r#"{"version": "0.13.0"}"#,
            )
            .serving(
                "http://127.0.0.1:11434/api/tags",
                200,
                r#"{"models": [{"name": "llama3:latest"}, {"name": "b:1"}]}"#,
            )
            .serving(
                "http://127.0.0.1:11434/api/ps",
                200,
                r#"{"models": [{"name": "llama3:latest"}]}"#,
            )
            .serving("http://127.0.0.1:8080/v1/models", 503, "");
        let is = facts(&host);
        let want = serde_json::json!({"count": 2, "runtimes": [
            {"kind": "llama_cpp", "port": 8080, "url": "http://127.0.0.1:8080", "answers": false, "pid": 6,
             "unit": "lks-llama-cpp.service", "models": []},
            {"kind": "ollama", "port": 11434, "url": "http://127.0.0.1:11434", "answers": true, "pid": 5,
             "models": ["llama3:latest", "b:1"], "loaded": ["llama3:latest"], "version": "0.13.0"},
        ]});
        assert_eq!(is, want);
        assert_eq!(
            facts(&FakeHost::new()),
            serde_json::json!({"count": 0, "runtimes": []})
        );
    }
}
