//! How hosts are let in. A token is one that an operator made. What AWS says of a host becomes a token,
//! too: for that instance alone, used at once; so there is one way in, and its record is in one place.

use super::auth::digest;
use super::{Answer, Refused, Shared, json, now};
use crate::store::Token;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use lks_agent::error::ErrorKind;
use lks_agent::host::RealHost;
use lks_agent::uplink::wire::{ChallengeAnswer, EnrolRequest};
use std::sync::Arc;

/// How many joins wait for STS at once; others wait for them.
pub(super) const AT_ONCE: usize = 4;
/// How long the token of an instance is good, in seconds: it is used in the same breath.
const BREATH: u64 = 60;

fn closed(why: &str) -> Refused {
    Refused(StatusCode::FORBIDDEN, why.into())
}

/// A challenge, for whoever asks: it costs nothing and is remembered nowhere.
pub(super) async fn challenge(State(state): State<Shared>) -> Answer<Response> {
    if !state.gate.methods().takes_aws() {
        return Err(closed(
            "this controller lets nobody in by what AWS says (`serve --allow`)",
        ));
    }
    let challenge = state
        .gate
        .challenge(now())
        .map_err(|e| Refused(StatusCode::INTERNAL_SERVER_ERROR, e.to_string()))?;
    Ok(json(&ChallengeAnswer { challenge }))
}

/// An agent's program, for a host that has nothing yet. Only those that the server was started with.
pub(super) async fn program(
    State(state): State<Shared>,
    Path(digest): Path<String>,
) -> Answer<Response> {
    let found = state.programs.get(&digest).cloned();
    let bytes = found.ok_or_else(|| Refused::missing("program"))?;
    Ok(([(CONTENT_TYPE, "application/octet-stream")], bytes).into_response())
}

/// The digest of the join token that a host has.
pub(super) fn by_token(state: &Shared, asked: &EnrolRequest) -> Answer<String> {
    match state.gate.methods().takes_tokens() {
        true => Ok(digest(&asked.token)),
        false => Err(closed(
            "this controller takes no join tokens (`serve --join`)",
        )),
    }
}

/// Lets an instance in that AWS knows: the digest of a token that was made for it, and what the audit log
/// says of it.
pub(super) async fn by_aws(
    state: &Shared,
    who: &str,
    asked: &EnrolRequest,
) -> Answer<(String, String)> {
    let Some(proof) = asked
        .aws
        .clone()
        .filter(|_| state.gate.methods().takes_aws())
    else {
        return Err(closed(
            "this controller lets nobody in by what AWS says (`serve --allow`)",
        ));
    };
    let admitted = match state.gate.take_challenge(&proof.challenge, now()) {
        Ok(()) => admitted(state, asked).await?,
        Err(error) => Err(error),
    };
    let admitted = match admitted {
        Ok(found) if found.instance == asked.name => found,
        Ok(found) => {
            let why = format!(
                "this is {}, which is its name here: it cannot be called {}",
                found.instance, asked.name
            );
            state
                .audit(who, "join refused: another's name", &why)
                .await?;
            return Err(closed(&why));
        }
        Err(error) if error.kind() == ErrorKind::Unreachable => {
            return Err(Refused(StatusCode::SERVICE_UNAVAILABLE, error.message()));
        }
        Err(error) => {
            let detail = format!("{}: {}", asked.name, error.message());
            state.audit(who, "join refused", &detail).await?;
            return Err(closed(&error.message()));
        }
    };
    let digest = digest(&proof.challenge);
    let token = Token {
        id: format!("aws-{}", &digest[..8]),
        digest: digest.clone(),
        host: asked.name.clone(),
        made_by: admitted.detail.clone(),
        expires_at: now() + BREATH,
        used_by: None,
        revoked: false,
    };
    state.ask(move |store| store.add_token(&token)).await?;
    Ok((digest, format!("{} ({})", asked.name, admitted.detail)))
}

async fn admitted(
    state: &Shared,
    asked: &EnrolRequest,
) -> Answer<lks_agent::error::Result<crate::enrol::aws::Admitted>> {
    let failed = |e: String| Refused(StatusCode::INTERNAL_SERVER_ERROR, e);
    let _turn = state
        .joining
        .acquire()
        .await
        .map_err(|e| failed(e.to_string()))?;
    let (state, asked) = (Arc::clone(state), asked.clone());
    tokio::task::spawn_blocking(move || match &asked.aws {
        Some(proof) => state.gate.admit(&asked, proof, &RealHost::new()),
        None => Err(lks_agent::error::Error::host(
            "there is nothing that AWS says",
        )),
    })
    .await
    .map_err(|e| failed(e.to_string()))
}
