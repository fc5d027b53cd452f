//! An emulated agent: what a real one sends, without its engine.

use super::http::{Connection, Result};
use lks_agent::encoding::{hex, unhex};
use lks_agent::uplink::wire::{EnrolAnswer, EnrolRequest, EventBatch, Work};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use rustls::client::Resumption;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many tasks its part of a run has: two events each, in as many batches as a real agent sends.
const TASKS: u64 = 10;
const BATCHES: usize = 3;
/// The events of its part of a run.
pub(crate) const EVENTS: u64 = 2 + 2 * TASKS;

/// What is known of all agents together.
#[derive(Default)]
pub(crate) struct Counts {
    /// Connections that stand.
    pub connected: AtomicUsize,
    /// Agents whose part of the run is stored.
    pub done: AtomicUsize,
}

/// An enrolled agent.
pub(crate) struct Agent {
    config: Arc<ClientConfig>,
}

/// TLS towards the controller, with a certificate and a key or without.
pub(crate) fn tls(authority: &[u8], own: Option<(Vec<u8>, Vec<u8>)>) -> Result<Arc<ClientConfig>> {
    let text = |e: rustls::Error| e.to_string();
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from(authority.to_vec()))
        .map_err(text)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(text)?
        .with_root_certificates(roots);
    let mut config = match own {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => builder
            .with_client_auth_cert(
                vec![CertificateDer::from(certificate)],
                PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key)),
            )
            .map_err(text)?,
    };
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

impl Agent {
    /// Gets a token and enrols, over a connection of an operator's.
    pub async fn enrol(
        way: &mut Connection,
        admin: &str,
        authority: &[u8],
        n: usize,
    ) -> Result<Self> {
        let (status, body) = way
            .ask("POST", "/v1/tokens", admin, br#"{"lifetime": 3600}"#)
            .await?;
        let made: Value =
            serde_json::from_slice(&body).map_err(|e| format!("token {status}: {e}"))?;
        let token = made["token"].as_str().ok_or("no token")?.to_string();
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| "no key")?;
        let pair = Ed25519KeyPair::from_pkcs8(key.as_ref()).map_err(|_| "no key")?;
        let (name, public_key) = (format!("host{n:05}"), hex(pair.public_key().as_ref()));
        let proof = hex(pair
            .sign(&EnrolRequest::message(&token, &name, &public_key))
            .as_ref());
        // As JSON, not as the type: what a newer agent adds has a default at the controller.
        let request = json!({"token": token, "name": name, "public_key": public_key, "proof": proof, "version": "0"});
        let (status, body) = way
            .ask("POST", "/v1/enrol", "", request.to_string().as_bytes())
            .await?;
        let answer: EnrolAnswer = serde_json::from_slice(&body)
            .map_err(|e| format!("enrol {status}: {e}: {}", String::from_utf8_lossy(&body)))?;
        let certificate = unhex(&answer.certificate).ok_or("no certificate")?;
        let config = tls(authority, Some((certificate, key.as_ref().to_vec())))?;
        Ok(Self { config })
    }

    /// Waits for work, does as if it carried it out, and reports; then waits for ever.
    pub async fn live(
        self,
        port: u16,
        counts: Arc<Counts>,
        gate: Arc<tokio::sync::Semaphore>,
    ) -> Result<()> {
        let place = gate.acquire().await.map_err(|e| e.to_string())?;
        let mut way = Connection::open(port, Arc::clone(&self.config)).await?;
        drop(place);
        counts.connected.fetch_add(1, Ordering::SeqCst);
        loop {
            let (status, body) = way.ask("GET", "/v1/agent/work?wait=50", "", b"").await?;
            match status {
                204 => {}
                200 => {
                    let work: Work = serde_json::from_slice(&body).map_err(|e| e.to_string())?;
                    report(&mut way, work).await?;
                    counts.done.fetch_add(1, Ordering::SeqCst);
                }
                other => return Err(format!("work: {other}")),
            }
        }
    }
}

async fn report(way: &mut Connection, work: Work) -> Result<()> {
    let path = format!("/v1/agent/bundles/{}", work.bundle);
    let (status, bundle) = way.ask("GET", &path, "", b"").await?;
    if status != 200 || bundle.is_empty() {
        return Err(format!("bundle: {status}"));
    }
    let events = events(&work.run);
    for part in events.chunks(events.len().div_ceil(BATCHES)) {
        let batch = EventBatch {
            run: work.run.clone(),
            events: part.to_vec(),
        };
        let body = serde_json::to_vec(&batch).map_err(|e| e.to_string())?;
        let (status, answer) = way.ask("POST", "/v1/agent/events", "", &body).await?;
        let answer: Value = serde_json::from_slice(&answer).unwrap_or_default();
        if status != 200 || answer["stored"] != part.len() {
            return Err(format!("events: {status} {answer}"));
        }
    }
    Ok(())
}

/// What a real agent writes of a run of short commands.
fn events(run: &str) -> Vec<Value> {
    let event = |seq: u64, more: Value| {
        let mut event =
            json!({"run": run, "host": "", "seq": seq, "at_ms": 1_700_000_000_000_u64 + seq});
        for (name, value) in more.as_object().into_iter().flatten() {
            event[name.as_str()] = value.clone();
        }
        event
    };
    let mut out = vec![event(
        1,
        json!({"type": "run_started", "version": 1, "playbooks": ["site.yml"], "check": false, "diff": false}),
    )];
    for n in 0..TASKS {
        out.push(event(2 + 2 * n, json!({"type": "task_started", "task": {"id": n, "name": format!("Task number {n}"), "action": "ansible.builtin.command", "path": "site.yml:12"}})));
        out.push(event(3 + 2 * n, json!({"type": "task_finished", "task": n, "report": {"status": "changed", "result": {
            "changed": true, "cmd": ["/usr/bin/true", "--with", "arguments"], "rc": 0, "stdout": "what it printed", "stderr": "",
            "start": "2026-01-01 00:00:00.000000", "end": "2026-01-01 00:00:00.010000", "delta": "0:00:00.010000"}}})));
    }
    out.push(event(EVENTS, json!({"type": "run_finished", "status": 0, "stats": [["host", {"ok": TASKS, "changed": TASKS}]]})));
    out
}
