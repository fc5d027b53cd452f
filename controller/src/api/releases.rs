//! Programs for agents: brought by an admin, signed by an operator's key, fetched by the hosts that they
//! are for. Which ones there are is kept in memory: every host asks at every look.

use super::tls::Peer;
use super::{Answer, Refused, Shared, State as Server, auth, body, json, json_body, now};
use crate::store::{Release, Role};
use axum::body::Body;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use lks_agent::bundle::{self, MAX_RELEASE};
use lks_agent::error::Result;
use lks_agent::pattern::wildcard;
use lks_agent::uplink::wire::Outcome;
use std::sync::{Arc, PoisonError, RwLock};

/// How many hosts fetch one at once; others come again.
pub(super) const AT_ONCE: usize = 16;
const MAX_OUTCOME: usize = 16 << 10;

/// The releases that the store has, as far as is known.
#[derive(Default)]
pub(super) struct Known(RwLock<Arc<Vec<Release>>>);

impl Known {
    /// The newest release for a host.
    pub fn newest(&self, host: &str, machine: &str) -> Option<u64> {
        let all = Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        let fits = |r: &&Release| r.machine == machine && r.hosts.iter().any(|p| wildcard(p, host));
        all.iter().find(fits).map(|r| r.counter)
    }
}

/// Looks which releases the store has, and wakes hosts that wait.
pub(super) fn reload(state: &Server) -> Result<()> {
    let found = state.store.releases()?;
    let mut known = state
        .releases
        .0
        .write()
        .unwrap_or_else(PoisonError::into_inner);
    *known = Arc::new(found);
    drop(known);
    state.waiting.wake_all();
    Ok(())
}

pub(super) async fn put(
    State(state): State<Shared>,
    headers: HeaderMap,
    sent: Body,
) -> Answer<Response> {
    let who = auth::operator(&state, &headers, Role::Admin).await?;
    let bytes = body(sent, MAX_RELEASE).await?;
    // Whole; by whom it is signed is for the hosts to judge.
    let (release, ..) = bundle::Release::read(&bytes).map_err(|e| Refused::bad(e.message()))?;
    let release = Release {
        counter: release.counter,
        machine: release.machine,
        version: release.version,
        hosts: release.hosts,
        made_by: who.name.clone(),
        at: now(),
    };
    let kept = release.clone();
    let newer = state
        .ask(move |store| store.put_release(&kept, &bytes))
        .await?;
    if !newer {
        return Err(Refused(
            StatusCode::CONFLICT,
            "a release with this counter, or a newer one, is here already".into(),
        ));
    }
    state
        .audit(&who.name, "published an agent", &release.version)
        .await?;
    let server = Arc::clone(&state);
    state.ask(move |_| reload(&server)).await?;
    Ok(json(&release))
}

pub(super) async fn fetch(
    State(state): State<Shared>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Path(counter): Path<u64>,
) -> Answer<Vec<u8>> {
    auth::agent(&state, &peer).await?;
    let busy = |_| {
        Refused(
            StatusCode::SERVICE_UNAVAILABLE,
            "other hosts fetch it: come again".into(),
        )
    };
    let _place = state.fetching.try_acquire().map_err(busy)?;
    let found = state.ask(move |store| store.release(counter)).await?;
    found.ok_or_else(|| Refused::missing("release"))
}

pub(super) async fn outcome(
    State(state): State<Shared>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    sent: Body,
) -> Answer<StatusCode> {
    let host = auth::agent(&state, &peer).await?;
    let outcome: Outcome = json_body(sent, MAX_OUTCOME).await?;
    let what = if outcome.taken {
        "took a new agent"
    } else {
        "did not take a new agent"
    };
    state.audit(&host.name, what, &outcome.text).await?;
    Ok(StatusCode::NO_CONTENT)
}
