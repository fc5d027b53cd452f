//! Runs over enrolled hosts, as an operator sees them: started, followed line by line, and summed up.

mod fold;

pub use fold::{Fold, Line};

use lks_agent::cli::{Io, exit};
use lks_agent::error::{Error, Result};
use lks_agent::host::here;
use lks_agent::uplink::Client;
use lks_agent::uplink::wire::UNFINISHED_HEADER;
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

/// Brings a bundle and starts it on the hosts whose names match.
///
/// # Errors
/// When the controller refuses.
pub fn start(client: &Client, bundle: Vec<u8>, hosts: &[String]) -> Result<Started> {
    let put: Value = client.put("/v1/bundles", bundle)?.json()?;
    let asked = json!({"bundle": put["bundle"], "hosts": hosts});
    client.post("/v1/runs", &asked)?.json()
}

/// A run's events from the first one on: each is asked for once.
pub struct Events<'c> {
    client: &'c Client,
    run: &'c str,
    after: i64,
    /// How many hosts had not ended their part before the last answer.
    unfinished: u64,
}

impl<'c> Events<'c> {
    /// Those of a run.
    #[must_use]
    pub fn new(client: &'c Client, run: &'c str) -> Self {
        Self {
            client,
            run,
            after: 0,
            unfinished: u64::MAX,
        }
    }

    /// Whether every host's part was over before the last answer: if that was empty, there are no more.
    #[must_use]
    pub fn over(&self) -> bool {
        self.unfinished == 0
    }

    /// Those that came since, each as `{id, agent, event}`. Waits for the next one, at most so many seconds,
    /// while the run goes on; none that wait are an empty list.
    ///
    /// # Errors
    /// When the controller does not answer, or there is no such run.
    pub fn next(&mut self, wait: u64) -> Result<Vec<Value>> {
        let path = format!(
            "/v1/runs/{}/events?after={}&wait={wait}",
            self.run, self.after
        );
        let answer = self.client.get(&path)?;
        let events: Vec<Value> = answer.json()?;
        let unfinished = answer
            .header(UNFINISHED_HEADER)
            .and_then(|n| n.parse().ok());
        self.unfinished = unfinished
            .ok_or_else(|| Error::host("the controller does not tell how many hosts are left"))?;
        if let Some(id) = events.last().and_then(|e| e["id"].as_i64()) {
            self.after = id;
        }
        Ok(events)
    }
}

/// Shows what happens in a run, a line for each thing, and then the sum. The exit code is Ansible's.
/// Ctrl-C ends the following, not the run.
///
/// # Errors
/// When the controller does not answer.
pub fn follow(client: &Client, run: &str, how: Follow, io: &mut Io<'_>) -> Result<i32> {
    let mut fold = Fold::default();
    let ended = each_event(client, run, how, io, |stored, io| {
        let agent = stored["agent"].as_str().unwrap_or_default();
        if let Some(line) = fold.take(agent, &stored["event"]) {
            io.print(&format!("{line}\n"));
        }
    })?;
    if !ended {
        return Ok(exit::INTERRUPTED);
    }
    let state: Started = client.get(&format!("/v1/runs/{run}"))?.json()?;
    io.print(&fold.recap(&state.hosts));
    Ok(Fold::exit_code(&state.hosts))
}

/// Hands on every event of a run, as `{id, agent, event}`. Whether it came to the end; Ctrl-C ends it before,
/// and that is said.
///
/// # Errors
/// When the controller does not answer.
pub fn each_event(
    client: &Client,
    run: &str,
    how: Follow,
    io: &mut Io<'_>,
    mut take: impl FnMut(&Value, &mut Io<'_>),
) -> Result<bool> {
    here::stop_on_interrupt();
    let mut events = Events::new(client, run);
    let wait = if how == Follow::Once { 0 } else { 2 };
    loop {
        if here::stopped() {
            io.complain(&format!(
                "the run goes on: `lks-ctl events {run}` shows it\n"
            ));
            return Ok(false);
        }
        let page = events.next(wait)?;
        for stored in &page {
            take(stored, io);
        }
        if page.is_empty() && (events.over() || how == Follow::Once) {
            return Ok(true);
        }
    }
}
