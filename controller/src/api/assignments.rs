//! What hosts run when they join, with nobody there to start it: bundles that are kept for those whose
//! names match.

use super::auth::{digest, operator};
use super::operators::End;
use super::{Answer, Refused, Shared, json, json_body, now};
use crate::store::{Assignment, Role, Run};
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use lks_agent::bundle::{Index, Parts, Statement};
use lks_agent::error::{Error, Result};
use lks_agent::pattern::wildcard;
use serde::Deserialize;

const MAX_SMALL: usize = 1 << 10;

#[derive(Deserialize)]
pub(super) struct NewAssignment {
    bundle: String,
}

/// Name, hosts and time come from the bundle: what an operator signed, and not who sends it, says for
/// whom it is.
fn assignment(bundle: String, bytes: &[u8], made_by: &str) -> Result<Assignment> {
    let parts = Parts::read(bytes)?;
    let (statement, _) = parts
        .signed
        .ok_or_else(|| Error::host("the bundle is not signed"))?;
    let statement = Statement::read(statement)?;
    Ok(Assignment {
        name: statement.name,
        bundle,
        hosts: Index::read(parts.index)?.entry.hosts,
        made_by: made_by.to_owned(),
        at: now(),
        expires_at: statement.expires_at,
    })
}

pub(super) async fn put(
    State(state): State<Shared>,
    headers: HeaderMap,
    sent: Body,
) -> Answer<Response> {
    let who = operator(&state, &headers, Role::Operator).await?;
    let asked: NewAssignment = json_body(sent, MAX_SMALL).await?;
    let name = asked.bundle.clone();
    let bytes = state
        .ask(move |store| store.bundle(&name))
        .await?
        .ok_or_else(|| Refused::missing("bundle"))?;
    let made =
        assignment(asked.bundle, &bytes, &who.name).map_err(|e| Refused::bad(e.message()))?;
    let kept = made.clone();
    state.ask(move |store| store.assign(&kept)).await?;
    let detail = format!("{} to {}", made.name, made.hosts.join(", "));
    state.audit(&who.name, "assigned a bundle", &detail).await?;
    Ok(json(&made))
}

pub(super) const UNASSIGN: End = End {
    role: Role::Operator,
    what: "assignment",
    act: |store, name| store.unassign(name),
    words: "took an assignment back",
};

/// Gives a host that is let in what is assigned to it. Before it is told that it is in: whatever happens
/// in between, it asks again, and nothing is given twice to one key.
pub(super) async fn give(state: &Shared, host: &str, key: &str) -> Answer<()> {
    let (host, key) = (host.to_owned(), key.to_owned());
    let given = state
        .ask(move |store| {
            let mut given = Vec::new();
            for assigned in store.assignments()? {
                if !assigned.hosts.iter().any(|p| wildcard(p, &host)) {
                    continue;
                }
                let id = digest(&format!("{host}\n{key}\n{}", assigned.name));
                let run = format!("joined-{}", &id[..16]);
                if store.run(&run)?.is_none() {
                    store.create_run(&Run {
                        run: run.clone(),
                        bundle: assigned.bundle,
                        by: assigned.made_by,
                        created_at: now(),
                        hosts: vec![(host.clone(), None)],
                    })?;
                    given.push((host.clone(), format!("{run}: {}", assigned.name)));
                }
            }
            Ok(given)
        })
        .await?;
    for (host, what) in given {
        state
            .audit(&host, "was given a run as it joined", &what)
            .await?;
    }
    Ok(())
}
