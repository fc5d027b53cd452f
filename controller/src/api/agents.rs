//! What agents ask. Each host gets its own work, and the bundles of its own work; nothing else.

use super::auth;
use super::{Answer, Refused, Shared, assignments, join, json, json_body, keys, now, tls::Peer};
use crate::store::{Batch, Enrolment, Host, Run};
use axum::body::Body;
use axum::extract::{ConnectInfo, Path, Query, State};
use axum::http::header::CONTENT_LENGTH;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use lks_agent::encoding::hex;
use lks_agent::uplink::wire::{
    self, EnrolRequest, EventBatch, EventsAnswer, MAX_BODY, MAX_WAIT, NO_BUNDLE, Work, is_name,
    notice_prefix,
};
use serde::Deserialize;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// A request to be let in comes from anybody: it is small.
const MAX_ENROL: usize = 16 << 10;
/// What a host tells of itself.
const MAX_FACTS: usize = 1 << 20;

pub(super) async fn enrol(
    State(state): State<Shared>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    body: Body,
) -> Answer<Response> {
    let asked: EnrolRequest = json_body(body, MAX_ENROL).await?;
    if !is_name(&asked.name) {
        return Err(Refused::bad("this cannot be a host's name"));
    }
    let secret = asked.aws.as_ref().map_or(&asked.token, |a| &a.challenge);
    let message = EnrolRequest::message(secret, &asked.name, &asked.public_key);
    let key = keys::proven(&asked.public_key, &message, &asked.proof)?;
    let who = peer.address.ip().to_string();
    let (token, how) = match &asked.aws {
        Some(_) => join::by_aws(&state, &who, &asked).await?,
        None => (join::by_token(&state, &asked)?, asked.name.clone()),
    };
    let (digest, name) = (token.clone(), asked.name.clone());
    let (key_text, version) = (
        hex(&key),
        asked.version.chars().take(40).collect::<String>(),
    );
    let outcome = state
        .ask(move |store| store.enrol(&digest, &name, &key_text, &version, now()))
        .await?;
    match outcome {
        Enrolment::Welcome => {}
        Enrolment::BadToken => {
            state
                .audit(&who, "join refused: bad token", &asked.name)
                .await?;
            return Err(Refused(
                StatusCode::FORBIDDEN,
                "the join token is none, or was used, expired or revoked, or is for another host \
                 (`lks-ctl token new` makes another)"
                    .into(),
            ));
        }
        Enrolment::NameTaken => {
            state
                .audit(&who, "ALARM: another key claims a known host", &asked.name)
                .await?;
            return Err(Refused(
                StatusCode::CONFLICT,
                format!(
                    "another key is enrolled as {name} (if that is this host, `lks-ctl hosts forget {name}` lets it in)",
                    name = asked.name
                ),
            ));
        }
    }
    assignments::give(&state, &asked.name, &hex(&key)).await?;
    let answer = keys::certify(&state, &asked.name, &key).await?;
    state.audit(&who, "enrolled", &how).await?;
    Ok(json(&answer))
}

/// A question for work.
#[derive(Deserialize)]
pub(super) struct Asked {
    /// How long the host waits, in seconds.
    #[serde(default)]
    wait: u64,
    /// Its architecture.
    #[serde(default)]
    machine: String,
    /// The newest release that it knows; an agent that knows none is told of none.
    release: Option<u64>,
}

pub(super) async fn work(
    State(state): State<Shared>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Answer<Response> {
    let host = auth::agent(&state, &peer).await?;
    let version = headers
        .get(wire::AGENT_HEADER)
        .and_then(|v| v.to_str().ok());
    if let Some(version) = version.filter(|v| v.len() <= 60 && **v != host.version) {
        state.queue.heard(&host.name, now(), Some(version));
    }
    let end = Instant::now() + Duration::from_secs(asked.wait.min(MAX_WAIT));
    let place = state.waiting.place(&host.name);
    loop {
        // Before the look: what is given out meanwhile rings this.
        let mut bell = std::pin::pin!(place.bell().notified());
        bell.as_mut().enable();
        // At every look: a host that was revoked while it waited gets nothing.
        let (host, found) = auth::agent_asks(&state, &peer, |store, host| {
            Ok((host.clone(), store.work(&host.name)?))
        })
        .await?;
        let told = told(&state, &host, &asked);
        if let Some((run, bundle)) = found {
            return Ok((told, json(&Work { run, bundle })).into_response());
        }
        if !told.is_empty() || timeout_at(end, bell).await.is_err() {
            return Ok((told, StatusCode::NO_CONTENT).into_response());
        }
    }
}

/// What a host is told beside its work; nothing to one that could not act on it, and would ask again at
/// once.
fn told(state: &Shared, host: &Host, asked: &Asked) -> HeaderMap {
    let mut told = HeaderMap::new();
    let Some(known) = asked.release else {
        return told;
    };
    if keys::is_due(state, host) {
        told.insert(wire::RENEW_HEADER, HeaderValue::from_static("1"));
    }
    let newest = state.releases.newest(&host.name, &asked.machine);
    if let Some(counter) = newest.filter(|n| *n > known) {
        told.insert(wire::RELEASE_HEADER, HeaderValue::from(counter));
    }
    told
}

pub(super) async fn facts(
    State(state): State<Shared>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    body: Body,
) -> Answer<StatusCode> {
    let host = auth::agent(&state, &peer).await?;
    let facts: serde_json::Value = json_body(body, MAX_FACTS).await?;
    if !facts.is_object() {
        return Err(Refused::bad("facts are a mapping"));
    }
    state
        .ask(move |store| store.set_facts(&host.name, &facts, now()))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn bundle(
    State(state): State<Shared>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path(digest): Path<String>,
) -> Answer<Vec<u8>> {
    let found = auth::agent_asks(&state, &peer, move |store, host| {
        match store.work(&host.name)? {
            Some((_, bundle)) if bundle == digest => store.bundle(&digest),
            _ => Ok(None),
        }
    })
    .await?;
    found.ok_or_else(|| Refused::missing("bundle for this host"))
}

/// A run that a host began by itself, because EC2 gave it notice: it came in no bundle, and is known once
/// its first events come.
async fn begin_own(state: &Shared, host: &str, run: &str) -> Answer<()> {
    let run = Run {
        run: run.to_owned(),
        bundle: NO_BUNDLE.to_owned(),
        by: host.to_owned(),
        created_at: now(),
        hosts: vec![(host.to_owned(), None)],
    };
    state
        .ask(move |store| {
            if store.run(&run.run)?.is_some() {
                return Ok(());
            }
            store.put_bundle(NO_BUNDLE, b"")?;
            store.create_run(&run)
        })
        .await
}

pub(super) async fn events(
    State(state): State<Shared>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    headers: HeaderMap,
    body: Body,
) -> Answer<Response> {
    let host = auth::agent(&state, &peer).await?;
    let length = headers
        .get(CONTENT_LENGTH)
        .and_then(|v| v.to_str().ok()?.parse().ok());
    // Without a length it may be as long as one may be.
    let _room = state.queue.room(length.unwrap_or(MAX_BODY as u64)).await?;
    let batch: EventBatch = json_body(body, MAX_BODY).await?;
    for event in &batch.events {
        let is_event = event["run"] == batch.run.as_str()
            && event["host"].as_str().is_some_and(|h| !h.contains('\0'))
            && event["type"].is_string()
            && event["seq"].as_i64().is_some_and(|n| n > 0);
        if !is_event {
            return Err(Refused::bad("an event is none, or of another run"));
        }
    }
    if batch.run.starts_with(&notice_prefix(&host.name)) && is_name(&batch.run) {
        begin_own(&state, &host.name, &batch.run).await?;
    }
    let batch = Batch {
        agent: host.name,
        run: batch.run,
        events: batch.events,
    };
    let stored = state
        .queue
        .store(batch)
        .await?
        .ok_or_else(|| Refused::missing("run of this host"))?;
    state.events.send_modify(|n| *n += 1);
    Ok(json(&EventsAnswer { stored }))
}
