//! One round: so many agents, from their enrolment to the last event of their run.

use super::Options;
use super::agent::{Agent, Counts, EVENTS, tls};
use super::http::{Connection, Result};
use super::server::Server;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, Semaphore};

/// How many enrol, or shake hands, at once.
const AT_ONCE: usize = 64;

/// Runs a round, and gives its row of the table.
pub(crate) async fn round(options: &Options, count: usize) -> Result<String> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(|e| e.to_string())?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map_err(|e| e.to_string())?;
    }
    if hard < count as u64 + 200 {
        return Err(format!("only {hard} files may be open here (ulimit -Hn)"));
    }
    let server = Arc::new(Server::start(options)?);
    let mut admin = Connection::open(server.port, tls(&server.authority, None)?).await?;
    let started = Instant::now();
    let agents = enrolled(&server, count).await?;
    let enrol = started.elapsed().as_secs_f64();
    let before = server.memory().0;

    let counts = Arc::new(Counts::default());
    let failed: Arc<Mutex<Option<String>>> = Arc::default();
    let gate = Arc::new(Semaphore::new(AT_ONCE));
    let started = Instant::now();
    let mut lives = tokio::task::JoinSet::new();
    for agent in agents {
        let (counts, gate, failed, port) = (
            Arc::clone(&counts),
            Arc::clone(&gate),
            Arc::clone(&failed),
            server.port,
        );
        lives.spawn(async move {
            if let Err(why) = agent.live(port, counts, gate).await {
                *failed.lock().await = Some(why);
            }
        });
    }
    let ok = async || match failed.lock().await.take() {
        Some(why) => Err(why),
        None => Ok(()),
    };
    until(Duration::from_secs(300), async || {
        ok().await?;
        Ok(metric(&mut admin, &server.token, "lks_agents_waiting").await? == count as u64)
    })
    .await?;
    let connect = started.elapsed().as_secs_f64();

    let cpu = server.cpu();
    tokio::time::sleep(options.idle).await;
    let idle = (server.cpu() - cpu) / options.idle.as_secs_f64() * 100.0;
    let each = (server.memory().0.saturating_sub(before)) as f64 / count as f64;

    let bundle = server.bundle(&options.program)?;
    let put = asked(&mut admin, "PUT", "/v1/bundles", &server.token, &bundle).await?;
    let (cpu, started) = (server.cpu(), Instant::now());
    let wanted = json!({"bundle": put["bundle"], "hosts": ["*"]}).to_string();
    let run = asked(
        &mut admin,
        "POST",
        "/v1/runs",
        &server.token,
        wanted.as_bytes(),
    )
    .await?;
    until(Duration::from_secs(600), async || {
        ok().await?;
        Ok(counts.done.load(Ordering::SeqCst) == count)
    })
    .await?;
    let seconds = started.elapsed().as_secs_f64();
    let run_cpu = server.cpu() - cpu;
    let events = complete(&mut admin, &server.token, &run, count).await?;
    ok().await?;
    Ok(format!(
        "{count:>7} {enrol:>8.1} {connect:>9.1} {each:>10.1} {idle:>10.1} {seconds:>9.1} {events:>8} {:>9.0} {run_cpu:>10.1} {:>10}",
        events as f64 / seconds,
        server.memory().1 >> 10,
    ))
}

async fn enrolled(server: &Arc<Server>, count: usize) -> Result<Vec<Agent>> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..AT_ONCE {
        let (server, next) = (Arc::clone(server), Arc::clone(&next));
        workers.spawn(async move {
            let mut way = Connection::open(server.port, tls(&server.authority, None)?).await?;
            let mut out = Vec::new();
            loop {
                let n = next.fetch_add(1, Ordering::SeqCst);
                if n >= count {
                    return Ok::<_, String>(out);
                }
                out.push(Agent::enrol(&mut way, &server.token, &server.authority, n).await?);
            }
        });
    }
    let mut agents = Vec::new();
    while let Some(done) = workers.join_next().await {
        agents.extend(done.map_err(|e| e.to_string())??);
    }
    Ok(agents)
}

/// Asks until the answer is yes.
async fn until(most: Duration, mut question: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    let end = Instant::now() + most;
    while !question().await? {
        if Instant::now() > end {
            return Err("it takes too long".into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

async fn asked(
    way: &mut Connection,
    method: &str,
    path: &str,
    token: &str,
    body: &[u8],
) -> Result<Value> {
    let (status, body) = way.ask(method, path, token, body).await?;
    if status != 200 {
        return Err(format!(
            "{method} {path}: {status} {}",
            String::from_utf8_lossy(&body)
        ));
    }
    serde_json::from_slice(&body).map_err(|e| e.to_string())
}

async fn metric(way: &mut Connection, token: &str, name: &str) -> Result<u64> {
    let (_, body) = way.ask("GET", "/metrics", token, b"").await?;
    let text = String::from_utf8_lossy(&body).into_owned();
    text.lines()
        .find_map(|l| l.strip_prefix(name)?.trim().parse().ok())
        .ok_or_else(|| format!("no {name} in the metrics"))
}

/// How many events of the run are stored; all of every host, or it fails.
async fn complete(way: &mut Connection, token: &str, run: &Value, count: usize) -> Result<u64> {
    let name = run["run"].as_str().unwrap_or_default();
    let state = asked(way, "GET", &format!("/v1/runs/{name}"), token, b"").await?;
    let hosts = state["hosts"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let over = hosts.iter().filter(|h| h[1] == 0).count();
    let (mut after, mut seen) = (0, std::collections::HashSet::new());
    loop {
        let path = format!("/v1/runs/{name}/events?after={after}");
        let page = asked(way, "GET", &path, token, b"").await?;
        let page = page.as_array().cloned().unwrap_or_default();
        let Some(last) = page.last() else { break };
        after = last["id"].as_i64().unwrap_or(after);
        seen.extend(
            page.iter()
                .map(|e| (e["agent"].to_string(), e["event"]["seq"].as_u64())),
        );
    }
    let events = seen.len() as u64;
    if over == count && events == count as u64 * EVENTS {
        Ok(events)
    } else {
        Err(format!(
            "{over} of {count} hosts are over, {events} events are stored, not {}",
            count as u64 * EVENTS
        ))
    }
}
