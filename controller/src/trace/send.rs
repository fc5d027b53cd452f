//! Sends traces to a collector, beside everything else: what it does not take is dropped and said once.

use super::{document, part_spans, run_span};
use crate::store::Store;
use lks_agent::error::{Error, Result};
use lks_agent::host::here;
use lks_agent::host::{HostView, RealHost, Request};
use serde_json::Value;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

/// How many ended parts may wait; more are left out rather than kept in memory.
const WAITING: usize = 20_000;
/// How many spans go into one request, about.
const SPANS: usize = 2000;

/// Takes ended parts of runs: run and host.
#[derive(Clone)]
pub struct Tracer(SyncSender<(String, String)>);

impl Tracer {
    /// A host's part of a run is over.
    pub fn ended(&self, run: &str, agent: &str) {
        let _ = self.0.try_send((run.to_string(), agent.to_string()));
    }
}

/// Begins to send, if `OTEL_EXPORTER_OTLP_ENDPOINT` (or `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`) names a
/// collector. `OTEL_EXPORTER_OTLP_HEADERS` and `OTEL_SERVICE_NAME` are read as OpenTelemetry says.
///
/// # Errors
/// When no thread can be started.
pub fn start(store: Arc<dyn Store>) -> Result<Option<Tracer>> {
    let named = |name: &str| here::env(name).filter(|v| !v.is_empty());
    let whole = named("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
    let base = named("OTEL_EXPORTER_OTLP_ENDPOINT");
    let below = base.map(|b| format!("{}/v1/traces", b.trim_end_matches('/')));
    let Some(url) = whole.or(below) else {
        return Ok(None);
    };
    let mut request = Request::new("POST", url);
    request
        .headers
        .push(("content-type".into(), "application/json".into()));
    for pair in named("OTEL_EXPORTER_OTLP_HEADERS")
        .unwrap_or_default()
        .split(',')
    {
        if let Some((name, value)) = pair.split_once('=') {
            request
                .headers
                .push((name.trim().into(), value.trim().into()));
        }
    }
    request.timeout = Duration::from_secs(10);
    // It changes nothing on a host that lks configures.
    request.only_reads = true;
    let service = named("OTEL_SERVICE_NAME").unwrap_or_else(|| "lks".into());
    let (sender, receiver) = sync_channel(WAITING);
    std::thread::Builder::new()
        .name("traces".into())
        .spawn(move || send_all(&*store, &receiver, &request, &service))
        .map_err(|e| Error::host("cannot start a thread").caused_by(e))?;
    Ok(Some(Tracer(sender)))
}

fn send_all(
    store: &dyn Store,
    ended: &Receiver<(String, String)>,
    request: &Request,
    service: &str,
) {
    let host = RealHost::new();
    let mut well = true;
    while let Ok(first) = ended.recv() {
        let mut spans = spans(store, &first);
        while spans.len() < SPANS
            && let Ok(more) = ended.try_recv()
        {
            spans.extend(self::spans(store, &more));
        }
        let body = document(service, &spans).to_string().into_bytes();
        let sent = host.fetch(&Request {
            body: Some(body),
            ..request.clone()
        });
        let outcome = match sent {
            Ok(answer) if (200..300).contains(&answer.status) => Ok(()),
            Ok(answer) => Err(format!("it answered {}", answer.status)),
            Err(error) => Err(error.to_string()),
        };
        if let Err(why) = &outcome
            && well
        {
            here::print_error(&format!("traces are not taken by {}: {why}", request.url));
        }
        well = outcome.is_ok();
    }
}

fn spans(store: &dyn Store, (run, agent): &(String, String)) -> Vec<Value> {
    let read = || -> Result<Vec<Value>> {
        let mut out = part_spans(run, agent, &store.part_events(run, agent)?);
        if let Some((by, from)) = store.ended_run(run)? {
            out.push(run_span(
                run,
                &by,
                from * 1000,
                (here::now() * 1000.0) as u64,
            ));
        }
        Ok(out)
    };
    read().unwrap_or_default()
}
