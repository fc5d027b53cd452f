//! Runs over enrolled hosts, as an operator sees them: started, followed line by line, and summed up.

mod fold;

pub use fold::{Fold, Line};

use lks_agent::cli::{Io, exit};
use lks_agent::error::Result;
use lks_agent::host::here;
use lks_agent::uplink::Client;
use serde::Deserialize;
use serde_json::{Value, json};

/// A run that was started.
#[derive(Clone, Debug, Deserialize)]
pub struct Started {
    /// Its name.
    pub run: String,
    /// Its hosts, each with its exit status when that is known.
    pub hosts: Vec<(String, Option<i64>)>,
}

/// How long to follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// What is there.
    Once,
    /// Until every host's part is over.
    UntilOver,
}

#[derive(Deserialize)]
struct Stored {
    id: i64,
    agent: String,
    event: Value,
}

/// Brings a bundle and starts it on the hosts whose names match.
///
/// # Errors
/// When the controller refuses.
pub fn start(client: &Client, bundle: Vec<u8>, hosts: &[String]) -> Result<Started> {
    let put: Value = client.put("/v1/bundles", bundle)?.json()?;
    let asked = json!({"bundle": put["bundle"], "hosts": hosts});
    client.post("/v1/runs", &asked)?.json()
}

/// Shows what happens in a run, a line for each thing, and then the sum. The exit code is Ansible's.
/// Ctrl-C ends the following, not the run.
///
/// # Errors
/// When the controller does not answer.
pub fn follow(client: &Client, run: &str, how: Follow, io: &mut Io<'_>) -> Result<i32> {
    here::stop_on_interrupt();
    let mut fold = Fold::default();
    let mut after = 0;
    loop {
        if here::stopped() {
            io.print(&format!(
                "the run goes on: `lks-ctl events {run}` shows it\n"
            ));
            return Ok(exit::INTERRUPTED);
        }
        let state: Started = client.get(&format!("/v1/runs/{run}"))?.json()?;
        let over = state.hosts.iter().all(|(_, status)| status.is_some());
        let wait = if over || how == Follow::Once { 0 } else { 2 };
        let path = format!("/v1/runs/{run}/events?after={after}&wait={wait}");
        let events: Vec<Stored> = client.get(&path)?.json()?;
        for stored in &events {
            after = stored.id;
            if let Some(line) = fold.take(&stored.agent, &stored.event) {
                io.print(&format!("{line}\n"));
            }
        }
        if events.is_empty() && (over || how == Follow::Once) {
            io.print(&fold.recap(&state.hosts));
            return Ok(Fold::exit_code(&state.hosts));
        }
    }
}
