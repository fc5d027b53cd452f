//! What controllers on one database tell each other, by `NOTIFY lks`.

use super::pool::{Outcome, Pool, Tx, broken};
use crate::store::News;
use lks_agent::error::Result;
use postgres::Client;
use postgres::fallible_iterator::FallibleIterator;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The connection that listens, once there is one.
#[derive(Default)]
pub(super) struct Listener(Mutex<Option<Client>>);

impl Listener {
    /// What was told since the last time; waits for it, at most so long, if nothing was.
    pub fn listen(&self, pool: &Pool, most: Duration) -> Result<Vec<News>> {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = Vec::new();
        let client = match slot.as_mut().filter(|c| !c.is_closed()) {
            Some(client) => client,
            None => {
                let mut client = pool.connect()?;
                client.batch_execute("LISTEN lks").map_err(broken)?;
                // What was told while nobody listened is not known.
                out.push(News::Unknown);
                slot.insert(client)
            }
        };
        let mut told = client.notifications();
        if out.is_empty()
            && let Some(first) = told.timeout_iter(most).next().map_err(broken)?
        {
            out.extend(news(first.payload()));
        }
        let mut rest = told.iter();
        while let Some(more) = rest.next().map_err(broken)? {
            out.extend(news(more.payload()));
        }
        Ok(out)
    }
}

fn news(payload: &str) -> Option<News> {
    let (kind, name) = payload.split_once(' ').unwrap_or((payload, ""));
    match kind {
        "run" => Some(News::Run(name.to_string())),
        "host" => Some(News::Host(name.to_string())),
        "events" => Some(News::Events),
        "release" => Some(News::Release),
        // What a newer controller tells.
        _ => None,
    }
}

/// Tells all controllers, when this transaction is committed.
pub(super) fn tell(tx: &mut Tx<'_>, payload: &str) -> Outcome<()> {
    tx.execute("SELECT pg_notify('lks', $1)", &[&payload])
        .map(drop)
}
