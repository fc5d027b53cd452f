//! Certificates for hosts: at enrolment, and again before one ends or when an operator asks for it.
//!
//! A renewed key takes the place of the old one when it is first *used*: an answer that was lost leaves
//! the host with its old key, which is good until then.

use super::tls::Peer;
use super::{Answer, Refused, Shared, auth, json, json_body, now};
use crate::store::Host;
use axum::body::Body;
use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;
use axum::response::Response;
use lks_agent::encoding::{hex, unhex};
use lks_agent::error::ErrorKind;
use lks_agent::host::{Digest, digest_of};
use lks_agent::uplink::wire::{EnrolAnswer, RenewRequest};
use ring::signature::{ED25519, UnparsedPublicKey};

const MAX_RENEW: usize = 4 << 10;

/// A public key whose owner signed this message with it.
pub(super) fn proven(public_key: &str, message: &[u8], proof: &str) -> Answer<Vec<u8>> {
    let key = unhex(public_key)
        .filter(|k| k.len() == 32)
        .ok_or_else(|| Refused::bad("the public key is none"))?;
    let proof = unhex(proof).unwrap_or_default();
    UnparsedPublicKey::new(&ED25519, &key)
        .verify(message, &proof)
        .map_err(|_| Refused::bad("the proof was not made with the key"))?;
    Ok(key)
}

/// A certificate for a host's key, which the store knows from now on.
pub(super) async fn certify(state: &Shared, name: &str, key: &[u8]) -> Answer<EnrolAnswer> {
    let certificate = state
        .authority
        .welcome(name, key, state.lifetime)
        .map_err(|e| match e.kind() {
            ErrorKind::Unreachable => Refused(StatusCode::SERVICE_UNAVAILABLE, e.message()),
            _ => Refused(StatusCode::INTERNAL_SERVER_ERROR, e.to_string()),
        })?;
    let fingerprint = digest_of(&certificate, Digest::Sha256);
    let (host, key, end) = (name.to_string(), hex(key), now() + state.lifetime);
    state
        .ask(move |store| store.add_certificate(&fingerprint, &host, &key, end))
        .await?;
    Ok(EnrolAnswer {
        name: name.to_string(),
        certificate: hex(&certificate),
    })
}

/// Whether a host should make itself a new key: it was asked to, or half of its certificate's time is over.
/// The controller's clock decides, whatever a host's own says.
pub(super) fn is_due(state: &Shared, host: &Host) -> bool {
    host.rotate || (host.expires_at > 0 && now() + state.lifetime / 2 > host.expires_at)
}

pub(super) async fn renew(
    State(state): State<Shared>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    body: Body,
) -> Answer<Response> {
    let host = auth::agent(&state, &peer).await?;
    let asked: RenewRequest = json_body(body, MAX_RENEW).await?;
    let message = RenewRequest::message(&host.name, &asked.public_key);
    let key = proven(&asked.public_key, &message, &asked.proof)?;
    let answer = certify(&state, &host.name, &key).await?;
    state
        .audit(&host.name, "has a new key", &asked.public_key)
        .await?;
    Ok(json(&answer))
}
