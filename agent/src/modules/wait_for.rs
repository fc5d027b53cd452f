//! `ansible.builtin.wait_for`.

use crate::error::{Error, Result};
use crate::host::{Effect, Outcome, Probe};
use crate::module::{HostPath, Module, Plan, PlanCx, Returns};
use crate::value::{Key, Map, Value};
use crate::{choices, params};
use std::path::PathBuf;
use std::time::Duration;

choices! {
    /// What is waited for.
    pub enum State {
        Started = "started",
        Present = "present",
        Stopped = "stopped",
        Absent = "absent",
        Drained = "drained",
    }
}

params! {
    /// Waits until a port answers, a file exists or holds some text, or the opposite.
    ///
    /// Without `port` and `path` it only lets `timeout` seconds pass.
    ///
    /// ```yaml
    /// - name: Ollama answers
    ///   wait_for:
    ///     port: 11434
    ///     timeout: 120
    ///
    /// - name: The log says so
    ///   wait_for:
    ///     path: /var/log/app.log
    ///     search_regex: 'ready in (\d+) s'
    /// ```
    pub struct WaitFor {
        /// Name or address of the host whose port is tried.
        default("127.0.0.1".to_string()) host: String,
        /// Fail after this many seconds.
        default(300) timeout: u64,
        /// Seconds for one try to connect.
        default(5) connect_timeout: u64,
        /// Seconds to wait before the first look.
        default(0) delay: u64,
        /// TCP port.
        optional port: Option<u16>,
        /// States of connections that count as active, for `drained`.
        default(["ESTABLISHED", "FIN_WAIT1", "FIN_WAIT2", "SYN_RECV", "SYN_SENT", "TIME_WAIT"].map(String::from).to_vec()) active_connection_states: Vec<String>,
        /// `started` (or `present`), `stopped` (or `absent`), or `drained`: no active connection is left.
        default(State::Started) state: State,
        /// Path of a file.
        optional path: Option<HostPath>,
        /// Expression that the file or what the port sends must match; `^` and `$` are ends of lines.
        optional search_regex: Option<String>,
        /// Hosts whose connections do not count, for `drained`.
        optional exclude_hosts: Option<Vec<String>>,
        /// Seconds between looks.
        default(1) sleep: u64,
        /// Message of the failure.
        optional msg: Option<String>,
    }
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[
    ("elapsed", "seconds that it took"),
    ("match_groups", "the groups of the match"),
    ("match_groupdict", "its named groups"),
];

impl Module for WaitFor {
    fn plan(&self, cx: &PlanCx<'_>) -> Result<Plan> {
        if let Some(message) = self.mistake() {
            return Ok(Plan::returning(
                Returns::failure(message).with("elapsed", 0),
            ));
        }
        let path = self.path.as_ref().map(|p| p.expand(cx.host)).transpose()?;
        let seconds = Duration::from_secs;
        let mut plan = Plan::default();
        plan.returns
            .set("state", self.state.word())
            .set("port", self.port.map(i64::from))
            .set("search_regex", self.search_regex.clone())
            .set(
                "path",
                path.as_ref().map(|p| p.to_string_lossy().into_owned()),
            )
            .set("match_groups", Vec::<Value>::new())
            .set("match_groupdict", Map::new());
        plan.act(Effect::Await {
            probe: self.probe(path)?,
            delay: seconds(self.delay),
            timeout: seconds(self.timeout),
            interval: seconds(self.sleep),
        });
        Ok(plan)
    }

    fn finish(&self, _: &PlanCx<'_>, returns: &mut Returns, outcomes: &[Outcome]) -> Result<()> {
        let Some(Outcome::Awaited {
            met,
            elapsed,
            groups,
            ..
        }) = outcomes.last()
        else {
            return match outcomes.last() {
                Some(_) => Err(Error::unknown("nothing is waited for in check mode")),
                None => Ok(()),
            };
        };
        // A timer that ends a hair early still counted these seconds.
        returns.set("elapsed", (elapsed + 0.01).floor() as i64);
        if !met {
            returns.fail(self.msg.clone().unwrap_or_else(|| self.complaint()));
            return Ok(());
        }
        let all: Vec<Value> = groups.iter().map(|(_, text)| text.clone().into()).collect();
        let named: Map = groups
            .iter()
            .filter_map(|(name, text)| Some((Key::from(name.clone()?), text.clone().into())))
            .collect();
        returns
            .set("match_groups", Value::list(all))
            .set("match_groupdict", named);
        Ok(())
    }
}

impl WaitFor {
    /// What Ansible refuses.
    fn mistake(&self) -> Option<String> {
        const STATES: &[&str] = &[
            "ESTABLISHED",
            "SYN_SENT",
            "SYN_RECV",
            "FIN_WAIT1",
            "FIN_WAIT2",
            "TIME_WAIT",
            "CLOSE",
            "CLOSE_WAIT",
            "LAST_ACK",
            "LISTEN",
            "CLOSING",
        ];
        let only_ports = |word: &str| {
            format!("state={word} should only be used for checking a port in the wait_for module")
        };
        if self.port.is_some() && self.path.is_some() {
            return Some("port and path parameter can not both be passed to wait_for".into());
        }
        if self.path.is_some() && matches!(self.state, State::Stopped | State::Drained) {
            return Some(only_ports(self.state.word()));
        }
        if self.exclude_hosts.is_some() && self.state != State::Drained {
            return Some("exclude_hosts should only be with state=drained".into());
        }
        let unknown = self
            .active_connection_states
            .iter()
            .find(|s| !STATES.contains(&s.as_str()));
        unknown.map(|s| format!("unknown active_connection_state ({s}) defined"))
    }

    fn probe(&self, path: Option<PathBuf>) -> Result<Probe> {
        let host = self.host.clone();
        let connect_timeout = Duration::from_secs(self.connect_timeout);
        let search = self.search_regex.clone();
        Ok(match (path, self.port, self.state) {
            (_, Some(port), State::Drained) => Probe::PortDrained {
                host,
                port,
                except: self.exclude_hosts.clone().unwrap_or_default(),
                states: self.active_connection_states.clone(),
            },
            (_, None, State::Drained) => return Err(Error::params("state=drained needs `port`")),
            (Some(path), _, State::Absent) => Probe::PathAbsent { path },
            (Some(path), ..) => Probe::PathPresent { path, search },
            (_, Some(port), State::Stopped | State::Absent) => Probe::PortClosed {
                host,
                port,
                connect_timeout,
            },
            (_, Some(port), _) => Probe::PortOpen {
                host,
                port,
                search,
                connect_timeout,
            },
            (None, None, _) => Probe::Nothing,
        })
    }

    fn complaint(&self) -> String {
        let path = self.path.as_ref().map(|p| p.0.as_str());
        let port = format!("{}:{}", self.host, self.port.unwrap_or_default());
        let (place, what) = match path {
            Some(path) => (path, format!("file {path}")),
            None => (port.as_str(), port.clone()),
        };
        match (self.state, &self.search_regex) {
            (State::Drained, _) => format!("Timeout when waiting for {place} to drain"),
            (State::Absent | State::Stopped, _) if path.is_some() => {
                format!("Timeout when waiting for {place} to be absent.")
            }
            (State::Absent | State::Stopped, _) => {
                format!("Timeout when waiting for {place} to stop.")
            }
            (_, Some(regex)) => {
                format!("Timeout when waiting for search string {regex} in {place}")
            }
            _ => format!("Timeout when waiting for {what}"),
        }
    }
}
