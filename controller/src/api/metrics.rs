//! Figures for Prometheus, in its text format.

use super::auth::operator;
use super::{Answer, Shared, now};
use crate::store::{Host, Role};
use axum::extract::State;
use axum::http::HeaderMap;
use std::fmt::{Display, Write};
use std::sync::atomic::{AtomicU64, Ordering};

/// A host that was not heard of for so long is silent: it asks at least once a minute, and that is written
/// down to the minute.
const SILENT: u64 = 240;

pub(super) async fn serve(State(state): State<Shared>, headers: HeaderMap) -> Answer<String> {
    operator(&state, &headers, Role::Viewer).await?;
    let (counts, hosts) = state
        .ask(|store| Ok((store.counts()?, store.hosts()?)))
        .await?;
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let mut out = Page::default();
    out.head("lks_hosts", "gauge", "Hosts, by how they stand.");
    let now = now();
    let stands = |host: &Host| match host {
        h if h.revoked => "revoked",
        h if h.seen_at + SILENT < now => "silent",
        _ => "connected",
    };
    for state in ["connected", "silent", "revoked"] {
        let count = hosts.iter().filter(|h| stands(h) == state).count();
        out.line(&format!("lks_hosts{{state=\"{state}\"}}"), count);
    }
    out.one("lks_runs", "gauge", "Runs in the store.", counts.runs);
    out.one(
        "lks_parts_unfinished",
        "gauge",
        "Hosts' parts of runs that are not over.",
        counts.unfinished,
    );
    out.one(
        "lks_events_stored_total",
        "counter",
        "New events that were stored since the start.",
        read(&state.queue.stored),
    );
    out.one(
        "lks_queue_batches",
        "gauge",
        "Batches of events that wait for the store.",
        read(&state.queue.depth),
    );
    out.one(
        "lks_agents_waiting",
        "gauge",
        "Hosts that wait for work at this controller.",
        state.waiting.len(),
    );
    out.head(
        "lks_store_seconds",
        "summary",
        "What questions to the store took.",
    );
    out.line(
        "lks_store_seconds_sum",
        read(&state.question_micros) as f64 / 1e6,
    );
    out.line("lks_store_seconds_count", read(&state.questions));
    out.one(
        "lks_requests_total",
        "counter",
        "Requests since the start.",
        read(&state.requests),
    );
    out.one(
        "lks_refusals_total",
        "counter",
        "Requests that were refused.",
        read(&state.refusals),
    );
    Ok(out.0)
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, value: impl Display) {
        let _ = writeln!(self.0, "{name} {value}");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.head(name, kind, help);
        self.line(name, value);
    }
}
