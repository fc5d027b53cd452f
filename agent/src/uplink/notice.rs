//! Notices of EC2 that this instance will be taken: a spot interruption (two minutes before), or the
//! recommendation to rebalance (earlier, often). A playbook of this host is run on each, which takes the
//! host out of service; what it does is reported as a run of its own, named by the host.
//!
//! "Spot instance interruption notices" and "EC2 instance rebalance recommendations" in the EC2 user guide:
//! both are looked for every five seconds, and may never come.

use super::deliver::{Delivery, Runs};
use super::spool::{BOUND, Bell, RunLog};
use super::wire::{NO_BUNDLE, Work, notice_run};
use crate::cloud::{Imds, likely, seconds};
use crate::engine::job::Job;
use crate::engine::journal::OnInterrupt;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{self, EventKind, Level};
use crate::host::RealHost;
use crate::host::here::{self, durable};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Pause between two looks, in seconds, as the user guide has it.
const PAUSE: f64 = 5.0;
/// Left of the time until the instance is taken, for reporting, in seconds.
const MARGIN: i64 = 10;
/// What a spot interruption leaves, where it does not say when it comes, in seconds.
const SPOT: i64 = 110;
/// Makes a job of a playbook of this host, with variables.
pub type PrepareLocal = fn(&Path, &str, &[String]) -> Result<Job>;

/// A notice.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Notice {
    /// `spot` or `rebalance`.
    kind: &'static str,
    /// What the metadata service says of it: the same again is no news.
    text: String,
    /// Seconds that may be used.
    seconds: i64,
}

/// Who looks for notices, and what is done then.
pub(super) struct Notices {
    pub name: String,
    pub state: PathBuf,
    pub playbook: PathBuf,
    pub prepare: PrepareLocal,
    pub bell: Arc<Bell>,
    pub runs: Arc<Runs>,
}

impl Notices {
    /// Looks for ever; ends at once where this is no instance of EC2.
    pub fn watch(&self) {
        let host = RealHost::new();
        if !likely(&host) {
            return;
        }
        let imds = Imds::new(&host);
        let mut seen: Vec<Notice> = Vec::new();
        let mut silent = false;
        loop {
            match found(&imds, here::now() as i64) {
                Ok(notices) => {
                    silent = false;
                    for notice in notices {
                        let known = |n: &Notice| (n.kind, &n.text) == (notice.kind, &notice.text);
                        if !seen.iter().any(known) {
                            self.act(&notice);
                            seen.push(notice);
                        }
                    }
                }
                Err(error) if !silent => {
                    silent = true;
                    here::print_error(&format!("no notices can be looked for: {error}"));
                }
                Err(_) => {}
            }
            here::sleep(PAUSE);
        }
    }

    fn act(&self, notice: &Notice) {
        here::print(&format!("notice ({}): {}", notice.kind, notice.text));
        let run = notice_run(&self.name, here::now() as u64);
        if let Err(error) = self.run(&run, notice) {
            here::print_error(&format!("run {run}: {error}"));
        }
        self.bell.ring();
    }

    fn run(&self, run: &str, notice: &Notice) -> Result<()> {
        let dir = self.state.join("runs").join(run);
        self.keep(run, &dir)?;
        let log = RunLog::open(
            &dir.join("log"),
            Arc::clone(&self.bell),
            BOUND,
            OnInterrupt::Stop,
        )?;
        let log = Arc::new(log);
        let delivery = Delivery {
            dir,
            log: Arc::clone(&log),
        };
        self.runs.add(run, Arc::new(delivery));
        let variables = [
            format!("lks_notice={}", notice.kind),
            format!("lks_notice_seconds={}", notice.seconds),
        ];
        let sink = Arc::clone(&log) as Arc<dyn event::Sink>;
        let job = (self.prepare)(&self.playbook, &self.name, &variables);
        let prepared = job.map_err(|e| vec![e.to_string()]).and_then(|job| {
            job.prepare(run, Arc::clone(&sink)).map_err(|findings| {
                let errors = findings.errors.iter();
                errors.map(ToString::to_string).collect()
            })
        });
        match prepared {
            Ok((prepared, _)) => {
                prepared.cx.emit.run(EventKind::Notice {
                    level: Level::Warning,
                    text: format!("EC2 gives notice ({}): {}", notice.kind, notice.text),
                });
                let status = prepared.execute();
                here::print(&format!("run {run} ended with status {status}"));
            }
            Err(why) => {
                super::daemon::refuse(run, &log, &why);
            }
        }
        Ok(())
    }

    /// The run's folder, as one that was given by the controller: after a kill its end is reported.
    fn keep(&self, run: &str, dir: &Path) -> Result<()> {
        let staging = dir.with_extension("part");
        here::remove_folder(&staging);
        here::make_dir(&staging, 0o700)?;
        let work = Work {
            run: run.to_owned(),
            bundle: NO_BUNDLE.to_owned(),
        };
        let json = serde_json::to_vec(&work)
            .map_err(|e| Error::new(ErrorKind::Internal, e.to_string()))?;
        durable::replace(&staging.join("work.json"), &json, 0o600)?;
        durable::rename_folder(&staging, dir)
    }
}

/// What the metadata service has to tell now.
fn found(imds: &Imds<'_>, now: i64) -> Result<Vec<Notice>> {
    let mut notices = Vec::new();
    if let Some(text) = imds.get("meta-data/spot/instance-action")? {
        notices.push(spot(text.trim(), now));
    }
    if let Some(text) = imds.get("meta-data/events/recommendations/rebalance")? {
        notices.push(Notice {
            kind: "rebalance",
            text: text.trim().to_owned(),
            seconds: SPOT,
        });
    }
    Ok(notices)
}

/// `{"action": "terminate", "time": "2017-09-18T08:22:00Z"}`.
fn spot(text: &str, now: i64) -> Notice {
    let json: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let left = json["time"].as_str().and_then(seconds).map(|t| t - now);
    Notice {
        kind: "spot",
        text: text.to_owned(),
        seconds: left.map_or(SPOT, |l| (l - MARGIN).clamp(1, SPOT)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_tells_how_long_there_is() {
        let text = r#"{"action": "terminate", "time": "2026-11-30T10:02:00Z"}"#;
        let at = seconds("2026-11-30T10:00:00Z").unwrap();
        assert_eq!(spot(text, at).seconds, 110);
        assert_eq!(spot(text, at + 60).seconds, 50);
        // One that was seen too late still gets a moment.
        assert_eq!(spot(text, at + 600).seconds, 1);
        assert_eq!(spot("?", at).seconds, 110);
    }
}
