//! What operators ask. Each answer names the least role that gets it.

use super::auth::{digest, operator};
use super::{Answer, Refused, Shared, body, json, json_body, now};
use crate::store::{Operator, Role, Run, Store, Token};
use crate::told::counted;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use lks_agent::bundle::{Index, MAX_BUNDLE, Parts};
use lks_agent::encoding::hex;
use lks_agent::error::{Error, Result};
use lks_agent::host::here;
use lks_agent::pattern::wildcard;
use lks_agent::uplink::wire::{MAX_WAIT, TOKEN_PREFIX, UNFINISHED_HEADER, is_name};
use serde::{Deserialize, Serialize};
use std::pin::Pin;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

const MAX_SMALL: usize = 1 << 20;
/// Events in an answer.
const PAGE: u32 = 1000;

/// A random secret in hex, of as many bytes.
fn random(bytes: usize) -> Answer<String> {
    here::random_bytes(bytes)
        .map(|b| hex(&b))
        .map_err(|e| Refused(StatusCode::INTERNAL_SERVER_ERROR, e.to_string()))
}

pub(super) async fn healthy(State(state): State<Shared>) -> Answer<&'static str> {
    state.ask(|store| store.ping()).await?;
    Ok("ok\n")
}

pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// A handler's answer, while it is made.
type Coming<T> = Pin<Box<dyn Future<Output = Answer<T>> + Send>>;

/// All that the store has of something, for who has at least this role.
pub(super) fn all<T: Serialize + Send + 'static>(
    role: Role,
    of: fn(&dyn Store) -> Result<Vec<T>>,
) -> impl Fn(State<Shared>, HeaderMap) -> Coming<Response> + Clone {
    move |State(state), headers| {
        Box::pin(async move {
            operator(&state, &headers, role).await?;
            Ok(json(&state.ask(of).await?))
        })
    }
}

/// The end of something by its name.
#[derive(Clone, Copy)]
pub(super) struct End {
    /// The least role.
    pub role: Role,
    /// What it is.
    pub what: &'static str,
    /// How the store ends it; `false` if it is not there.
    pub act: fn(&dyn Store, &str) -> Result<bool>,
    /// What the audit log says.
    pub words: &'static str,
}

pub(super) const REVOKE_HOST: End = End {
    role: Role::Admin,
    what: "host",
    act: |store, name| store.revoke_host(name),
    words: "revoked a host",
};
pub(super) const FORGET_HOST: End = End {
    role: Role::Admin,
    what: "host",
    act: |store, name| store.forget_host(name),
    words: "forgot a host",
};
pub(super) const ROTATE_HOST: End = End {
    role: Role::Admin,
    what: "host",
    act: |store, name| store.rotate_host(name),
    words: "asked a host for a new key",
};
pub(super) const REVOKE_TOKEN: End = End {
    role: Role::Admin,
    what: "token",
    act: |store, id| store.revoke_token(id),
    words: "revoked a join token",
};
const REMOVE_OPERATOR: End = End {
    role: Role::Admin,
    what: "operator",
    act: |store, name| store.remove_operator(name),
    words: "removed an operator",
};

/// Ends it, and writes down who did.
async fn ended(state: &Shared, who: &Operator, name: String, end: End) -> Answer<StatusCode> {
    let of = name.clone();
    if !state.ask(move |store| (end.act)(store, &of)).await? {
        return Err(Refused::missing(end.what));
    }
    state.audit(&who.name, end.words, &name).await?;
    state.waiting.wake(&name);
    Ok(StatusCode::NO_CONTENT)
}

/// Ends it for who has at least its role.
pub(super) fn end(
    end: End,
) -> impl Fn(State<Shared>, HeaderMap, Path<String>) -> Coming<StatusCode> + Clone {
    move |State(state), headers, Path(name)| {
        Box::pin(async move {
            let who = operator(&state, &headers, end.role).await?;
            ended(&state, &who, name, end).await
        })
    }
}

#[derive(Deserialize)]
pub(super) struct NewToken {
    /// The host that it is for; any if empty.
    #[serde(default)]
    host: String,
    /// Seconds.
    lifetime: u64,
}

#[derive(Serialize)]
struct MadeToken {
    id: String,
    token: String,
    expires_at: u64,
}

pub(super) async fn new_token(
    State(state): State<Shared>,
    headers: HeaderMap,
    sent: Body,
) -> Answer<Response> {
    let who = operator(&state, &headers, Role::Admin).await?;
    let asked: NewToken = json_body(sent, MAX_SMALL).await?;
    if !asked.host.is_empty() && !is_name(&asked.host) {
        return Err(Refused::bad("this cannot be a host's name"));
    }
    if !(1..=365 * 86_400).contains(&asked.lifetime) {
        return Err(Refused::bad("a token lives a second to a year"));
    }
    let secret = format!("{TOKEN_PREFIX}{}", random(32)?);
    let token = Token {
        id: random(4)?,
        digest: digest(&secret),
        host: asked.host,
        made_by: who.name.clone(),
        expires_at: now() + asked.lifetime,
        used_by: None,
        revoked: false,
    };
    let made = MadeToken {
        id: token.id.clone(),
        token: secret,
        expires_at: token.expires_at,
    };
    let detail = format!("{} {}", token.id, token.host);
    state.ask(move |store| store.add_token(&token)).await?;
    state.audit(&who.name, "made a join token", &detail).await?;
    Ok(json(&made))
}

#[derive(Deserialize)]
pub(super) struct NewOperator {
    name: String,
    role: String,
}

#[derive(Serialize)]
struct MadeOperator {
    name: String,
    token: String,
}

pub(super) async fn new_operator(
    State(state): State<Shared>,
    headers: HeaderMap,
    sent: Body,
) -> Answer<Response> {
    let who = operator(&state, &headers, Role::Admin).await?;
    let asked: NewOperator = json_body(sent, MAX_SMALL).await?;
    let role = Role::named(&asked.role)
        .ok_or_else(|| Refused::bad("a role is viewer, operator or admin"))?;
    if !is_name(&asked.name) {
        return Err(Refused::bad("this cannot be an operator's name"));
    }
    let known = state.ask(|store| store.operators()).await?;
    if known.iter().any(|o| o.name == asked.name) {
        return Err(Refused(StatusCode::CONFLICT, "the name is taken".into()));
    }
    let token = format!("lks-op-{}", random(32)?);
    let new = Operator {
        name: asked.name.clone(),
        role,
    };
    let digest = digest(&token);
    state
        .ask(move |store| store.add_operator(&new, &digest))
        .await?;
    let detail = format!("{} as {}", asked.name, role.name());
    state.audit(&who.name, "added an operator", &detail).await?;
    Ok(json(&MadeOperator {
        name: asked.name,
        token,
    }))
}

pub(super) async fn remove_operator(
    State(state): State<Shared>,
    headers: HeaderMap,
    Path(name): Path<String>,
) -> Answer<StatusCode> {
    let who = operator(&state, &headers, REMOVE_OPERATOR.role).await?;
    if who.name == name {
        return Err(Refused(
            StatusCode::CONFLICT,
            "nobody removes themselves: another admin can".into(),
        ));
    }
    ended(&state, &who, name, REMOVE_OPERATOR).await
}

#[derive(Serialize)]
struct PutBundle {
    bundle: String,
    id: String,
}

pub(super) async fn put_bundle(
    State(state): State<Shared>,
    headers: HeaderMap,
    sent: Body,
) -> Answer<Response> {
    let who = operator(&state, &headers, Role::Operator).await?;
    let bytes = body(sent, MAX_BUNDLE).await?;
    // Whole and signed by somebody; by whom is for the hosts to judge.
    let id = Parts::read(&bytes)
        .and_then(|parts| {
            Index::read(parts.index)?.split(parts.files)?;
            match parts.signed {
                Some(_) => Ok(parts.id()),
                None => Err(Error::host("the bundle is not signed")),
            }
        })
        .map_err(|e| Refused::bad(e.message()))?;
    let name = lks_agent::host::digest_of(&bytes, lks_agent::host::Digest::Sha256);
    let answer = PutBundle {
        bundle: name.clone(),
        id: id.clone(),
    };
    state
        .ask(move |store| store.put_bundle(&name, &bytes))
        .await?;
    state.audit(&who.name, "brought a bundle", &id).await?;
    Ok(json(&answer))
}

#[derive(Deserialize)]
pub(super) struct NewRun {
    bundle: String,
    /// Patterns of names, `*` for any letters.
    hosts: Vec<String>,
}

pub(super) async fn new_run(
    State(state): State<Shared>,
    headers: HeaderMap,
    sent: Body,
) -> Answer<Response> {
    let who = operator(&state, &headers, Role::Operator).await?;
    let asked: NewRun = json_body(sent, MAX_SMALL).await?;
    let known = state.ask(|store| store.hosts()).await?;
    let hosts: Vec<(String, Option<i64>)> = known
        .into_iter()
        .filter(|h| !h.revoked && asked.hosts.iter().any(|p| wildcard(p, &h.name)))
        .map(|h| (h.name, None))
        .collect();
    if hosts.is_empty() {
        return Err(Refused::bad(format!(
            "no enrolled host matches {} (`lks-ctl hosts` lists them)",
            asked.hosts.join(", ")
        )));
    }
    let run = Run {
        run: format!("{}-{}", now(), random(4)?),
        bundle: asked.bundle.clone(),
        by: who.name.clone(),
        created_at: now(),
        hosts,
    };
    let (made, bundle) = (run.clone(), asked.bundle);
    let there = state
        .ask(move |store| match store.bundle(&bundle)? {
            None => Ok(false),
            Some(_) => store.create_run(&made).map(|()| true),
        })
        .await?;
    if !there {
        return Err(Refused::missing("bundle"));
    }
    let detail = format!("{} on {}", run.run, counted(run.hosts.len(), "host"));
    state.audit(&who.name, "started a run", &detail).await?;
    for (host, _) in &run.hosts {
        state.waiting.wake(host);
    }
    Ok(json(&run))
}

pub(super) async fn run(
    State(state): State<Shared>,
    headers: HeaderMap,
    Path(run): Path<String>,
) -> Answer<Response> {
    operator(&state, &headers, Role::Viewer).await?;
    let found = state.ask(move |store| store.run(&run)).await?;
    Ok(json(&found.ok_or_else(|| {
        Refused::missing("run (`lks-ctl runs` lists them)")
    })?))
}

#[derive(Deserialize)]
pub(super) struct Since {
    #[serde(default)]
    after: i64,
    #[serde(default)]
    wait: u64,
}

pub(super) async fn events(
    State(state): State<Shared>,
    headers: HeaderMap,
    Path(run): Path<String>,
    Query(since): Query<Since>,
) -> Answer<Response> {
    operator(&state, &headers, Role::Viewer).await?;
    let mut changed = state.events.subscribe();
    let end = Instant::now() + Duration::from_secs(since.wait.min(MAX_WAIT));
    loop {
        changed.borrow_and_update();
        let run = run.clone();
        // In this order: of a run that is over, all events are there.
        let (unfinished, found) = state
            .ask(move |store| match store.unfinished(&run)? {
                Some(left) => Ok(Some((left, store.events(&run, since.after, PAGE)?))),
                None => Ok(None),
            })
            .await?
            .ok_or_else(|| Refused::missing("run (`lks-ctl runs` lists them)"))?;
        if !found.is_empty() || unfinished == 0 || Instant::now() >= end {
            let mut answer = json(&found);
            let headers = answer.headers_mut();
            headers.insert(UNFINISHED_HEADER, HeaderValue::from(unfinished));
            return Ok(answer);
        }
        let glance = Instant::now() + Duration::from_secs(5);
        let _ = timeout_at(end.min(glance), changed.changed()).await;
    }
}
