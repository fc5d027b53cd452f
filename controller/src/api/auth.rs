//! Who asks: an agent, by the certificate of its connection; an operator, by a token.

use super::{Answer, Refused, Shared, now, tls::Peer};
use crate::store::{AHEAD, Host, Operator, Role, Store};
use crate::told;
use axum::http::{HeaderMap, StatusCode, header::AUTHORIZATION};
use lks_agent::error::Result;
use lks_agent::host::{Digest, digest_of};
use lks_agent::uplink::wire;

/// The digest under which a secret is kept. Secrets are 256 random bits: nothing slower is needed.
#[must_use]
pub fn digest(secret: &str) -> String {
    digest_of(secret.as_bytes(), Digest::Sha256)
}

/// A request in another version's words is refused before it is read. Without the header it is a
/// person's `curl`.
pub(super) fn version(headers: &HeaderMap) -> Answer<()> {
    let Some(value) = headers.get(wire::HEADER) else {
        return Ok(());
    };
    // What was added with a minor version is left out by who does not know it: one apart works.
    let near =
        |(major, minor): (u32, u32)| major == wire::VERSION && minor.abs_diff(wire::MINOR) <= 1;
    if value
        .to_str()
        .ok()
        .and_then(wire::version)
        .is_some_and(near)
    {
        return Ok(());
    }
    Err(Refused::bad(format!(
        "this controller speaks version {}.{} of the protocol, and with who is one minor version apart",
        wire::VERSION,
        wire::MINOR
    )))
}

/// The host that asks.
pub(super) async fn agent(state: &Shared, peer: &Peer) -> Answer<Host> {
    agent_asks(state, peer, |_, host| Ok(host.clone())).await
}

/// What the host that asks is answered by the store, if it is one that may ask.
pub(super) async fn agent_asks<T: Send + 'static>(
    state: &Shared,
    peer: &Peer,
    question: impl FnOnce(&dyn Store, &Host) -> Result<T> + Send + 'static,
) -> Answer<T> {
    let fingerprint = peer.fingerprint.clone().ok_or_else(|| {
        Refused(
            StatusCode::UNAUTHORIZED,
            "this needs the certificate of an enrolled host".into(),
        )
    })?;
    let (host, answer) = state
        .ask(move |store| match store.host_of(&fingerprint)? {
            Some(host) if !host.revoked && (host.expires_at == 0 || host.expires_at > now()) => {
                if host.newer {
                    store.settle_key(&fingerprint)?;
                }
                let answer = question(store, &host)?;
                Ok((Some(host), Some(answer)))
            }
            other => Ok((other, None)),
        })
        .await?;
    match (host, answer) {
        (Some(host), Some(answer)) => {
            // To the minute: a fleet that waits for work does not keep the disk busy.
            let now = now();
            if now > host.seen_at + 60 || host.seen_at > now + AHEAD {
                state.queue.heard(&host.name, now, None);
            }
            Ok(answer)
        }
        (Some(host), None) if host.revoked => Err(Refused(
            StatusCode::FORBIDDEN,
            format!("{} was revoked", host.name),
        )),
        (Some(host), None) => Err(Refused(
            StatusCode::FORBIDDEN,
            format!(
                "the certificate of {name} is over (`lks-ctl hosts forget {name}`, and a new join token lets it in \
                 again when its agent starts)",
                name = host.name
            ),
        )),
        // Of its own status: a host that AWS vouches for enrols anew.
        (None, _) => Err(Refused(
            StatusCode::GONE,
            "no host is known by this certificate; one that was forgotten is let in again when its agent starts: by \
             AWS's word, or by a new join token"
                .into(),
        )),
    }
}

/// The operator that asks, if they may do at least what `role` may.
pub(super) async fn operator(state: &Shared, headers: &HeaderMap, role: Role) -> Answer<Operator> {
    let refused = || {
        Refused(
            StatusCode::UNAUTHORIZED,
            "this needs an operator's token".into(),
        )
    };
    let token = headers
        .get(AUTHORIZATION)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.strip_prefix("Bearer "))
        .ok_or_else(refused)?;
    let digest = digest(token);
    let found = state
        .ask(move |store| store.operator_of(&digest))
        .await?
        .ok_or_else(|| {
            Refused(
                StatusCode::UNAUTHORIZED,
                "the operator's token that was sent is none of this controller's (`lks-ctl operator` lists who has \
                 one; `lks-ctl serve --new-admin` makes another for the admin)"
                    .into(),
            )
        })?;
    if found.role < role {
        return Err(Refused(
            StatusCode::FORBIDDEN,
            format!(
                "{} is {}; this needs {}",
                found.name,
                told::one(found.role.name()),
                told::one(role.name())
            ),
        ));
    }
    Ok(found)
}
