//! Waiting until a port, a path or a connection is as wanted.

use super::super::probe::{self, Groups};
use super::*;
use std::io::Read;
use std::net::{IpAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

/// What is read from a port in search of a text ends here.
const MAX_SEARCHED: usize = 1 << 20;

impl RealHost {
    pub(super) fn wait(&self, effect: &Effect, progress: &dyn Fn(Progress)) -> Result<Outcome> {
        let Effect::Await {
            probe,
            delay,
            timeout,
            interval,
        } = effect
        else {
            return Ok(Outcome::Done);
        };
        let began = Instant::now();
        let (delay, timeout) = (&self.in_time(*delay), &self.in_time(*timeout));
        let mut answer = None;
        let done = |met, groups, answer| Outcome::Awaited {
            met,
            elapsed: began.elapsed().as_secs_f64(),
            groups,
            answer,
        };
        here::sleep(delay.as_secs_f64());
        loop {
            let left = timeout.saturating_sub(began.elapsed());
            let found = match probe {
                Probe::Answer {
                    request, search, ..
                } => {
                    let last = self.ask_once(request, left);
                    let found = probe::answers(&last, search.as_deref())?;
                    tell(&last, answer.as_deref(), progress);
                    answer = Some(Box::new(last));
                    found
                }
                other => self.look(other)?,
            };
            if let Some(groups) = found {
                return Ok(done(true, groups, answer));
            }
            let left = timeout.saturating_sub(began.elapsed());
            if left.is_zero() || probe.is_hopeless(answer.as_deref()) {
                let met = matches!(probe, Probe::Nothing);
                return Ok(done(met, Vec::new(), answer));
            }
            if here::stopped() {
                return Err(Error::host("waiting was stopped by the user"));
            }
            // Never in a tight circle, whatever the interval.
            let pause = (*interval).max(Duration::from_millis(10)).min(left);
            here::sleep(pause.as_secs_f64());
        }
    }

    /// Sends a request, and waits no longer than is left for its answer.
    fn ask_once(&self, request: &Request, left: Duration) -> Result<Response, String> {
        let mut request = request.clone();
        request.timeout = request.timeout.min(left.max(Duration::from_millis(100)));
        self.request(&request).map_err(|e| e.message())
    }

    /// One look: the match's groups if it is so.
    fn look(&self, probe: &Probe) -> Result<Option<Groups>> {
        let met = |yes: bool| yes.then(Vec::new);
        Ok(match probe {
            // A server is asked by `wait` itself, which keeps what it said.
            Probe::Nothing | Probe::Answer { .. } => None,
            Probe::PortOpen {
                host,
                port,
                search,
                connect_timeout,
            } => match (connect(host, *port, *connect_timeout), search) {
                (None, _) => None,
                (Some(_), None) => Some(Vec::new()),
                (Some(stream), Some(regex)) => search_stream(stream, regex, *connect_timeout)?,
            },
            Probe::PortClosed {
                host,
                port,
                connect_timeout,
            } => met(connect(host, *port, *connect_timeout).is_none()),
            Probe::PortDrained {
                host,
                port,
                except,
                states,
            } => met(drained(host, *port, except, states)?),
            Probe::PathPresent { path, search: None } => met(self.stat(path)?.is_some()),
            Probe::PathPresent {
                path,
                search: Some(regex),
            } => match self.read(path)? {
                Some(text) => probe::search(regex, &text)?,
                None => None,
            },
            Probe::PathAbsent { path } => met(self.stat(path)?.is_none()),
        })
    }
}

/// News of what a server says while it is waited for; each only once.
fn tell(
    now: &Result<Response, String>,
    before: Option<&Result<Response, String>>,
    progress: &dyn Fn(Progress),
) {
    let words = |answer: &Result<Response, String>| match answer {
        Ok(response) => probe::said(response),
        Err(why) => why.clone(),
    };
    let text = words(now);
    if before.map(words).as_ref() != Some(&text) {
        progress(Progress::Line(text));
    }
}

fn connect(host: &str, port: u16, patience: Duration) -> Option<TcpStream> {
    // A name that is not known yet may be known a moment later.
    let addresses = (host, port).to_socket_addrs().ok()?;
    let patience = patience.max(Duration::from_millis(1));
    addresses
        .into_iter()
        .find_map(|a| TcpStream::connect_timeout(&a, patience).ok())
}

fn search_stream(mut stream: TcpStream, regex: &str, patience: Duration) -> Result<Option<Groups>> {
    let end = Instant::now() + patience;
    let mut text = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() || text.len() > MAX_SEARCHED || here::stopped() {
            return Ok(None);
        }
        // Short enough to notice the stop flag.
        let slice = left.min(Duration::from_millis(100));
        if stream.set_read_timeout(Some(slice)).is_err() {
            return Ok(None);
        }
        use std::io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(None),
            Ok(n) => text.extend_from_slice(&buffer[..n]),
            Err(e) if matches!(e.kind(), WouldBlock | TimedOut | Interrupted) => continue,
            Err(_) => return Ok(None),
        }
        if let Some(groups) = probe::search(regex, &text)? {
            return Ok(Some(groups));
        }
    }
}

/// Whether no connection to the local port is in one of the states.
fn drained(host: &str, port: u16, except: &[String], states: &[String]) -> Result<bool> {
    let any = matches!(host, "0.0.0.0" | "::" | "");
    let ours = addresses(host);
    let mut excepted = Vec::new();
    for name in except {
        excepted.extend(addresses(name));
    }
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = files::read(Path::new(table))?.unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let busy = text.lines().filter_map(probe::connection).any(|c| {
            c.local.1 == port
                && (any || ours.contains(&c.local.0))
                && states.iter().any(|s| s == c.state)
                && !excepted.contains(&c.remote.0)
        });
        if busy {
            return Ok(false);
        }
    }
    Ok(true)
}

fn addresses(host: &str) -> Vec<IpAddr> {
    let found = (host, 0).to_socket_addrs();
    let found = found.map(|a| a.map(|a| a.ip()).collect());
    found.unwrap_or_default()
}
