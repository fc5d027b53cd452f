//! The server: what agents and operators ask over HTTPS.
//!
//! [`routes`] is the table of everything that can be asked; `agents` answers hosts, `operators` people,
//! `auth` says who is who, `tls` accepts connections.

mod agents;
mod assignments;
mod auth;
mod join;
mod keys;
mod metrics;
mod openapi;
mod operators;
mod queue;
mod releases;
mod tls;
mod waiting;

pub use auth::digest;
pub use tls::Peer;

use crate::enrol::Authority;
use crate::enrol::aws::Gate;
use crate::store::{Audit, News, Role, Store};
use crate::trace;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use lks_agent::error::{Error, Result};
use lks_agent::host::here;
use lks_agent::uplink::wire::Refusal;
use operators::{all, end};
use queue::Queue;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use waiting::Waiting;

/// How many threads ask the store at once, and so how many connections a database sees.
const ASKERS: usize = 16;
/// How often it is written down who was heard of.
const HEARD: Duration = Duration::from_secs(10);

/// What all requests share.
pub struct State {
    store: Arc<dyn Store>,
    authority: Authority,
    /// Whom AWS's word lets in.
    gate: Gate,
    /// Joins that wait for STS at once.
    joining: Semaphore,
    /// Agents' programs for new hosts, by their SHA-256.
    programs: Programs,
    /// Hosts that wait for work.
    waiting: Waiting,
    /// Events on their way into the store.
    queue: Queue,
    /// How long hosts' certificates hold, in seconds.
    lifetime: u64,
    /// Programs for agents.
    releases: releases::Known,
    /// Hosts that fetch one at once.
    fetching: Semaphore,
    /// Counts batches of events.
    events: watch::Sender<u64>,
    requests: AtomicU64,
    refusals: AtomicU64,
    /// Questions to the store, and microseconds that they took.
    questions: AtomicU64,
    question_micros: AtomicU64,
}

type Shared = Arc<State>;

/// Agents' programs by their SHA-256.
pub type Programs = HashMap<String, Bytes>;

impl State {
    /// Over a store and an authority whose certificates for hosts hold so many seconds; `gate` says whom
    /// AWS's word lets in.
    ///
    /// # Errors
    /// When no thread can be started, or the store does not answer.
    pub fn new(
        store: Arc<dyn Store>,
        authority: Authority,
        lifetime: u64,
        gate: Gate,
        programs: Programs,
    ) -> Result<Arc<Self>> {
        let queue = Queue::new(Arc::clone(&store), trace::start(Arc::clone(&store))?)?;
        let state = Arc::new(Self {
            lifetime,
            releases: releases::Known::default(),
            fetching: Semaphore::new(releases::AT_ONCE),
            store,
            authority,
            gate,
            joining: Semaphore::new(join::AT_ONCE),
            programs,
            waiting: Waiting::default(),
            queue,
            events: watch::Sender::new(0),
            requests: AtomicU64::new(0),
            refusals: AtomicU64::new(0),
            questions: AtomicU64::new(0),
            question_micros: AtomicU64::new(0),
        });
        releases::reload(&state)?;
        Ok(state)
    }

    /// Asks the store, on a thread that may wait.
    async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        question: impl FnOnce(&dyn Store) -> Result<T> + Send + 'static,
    ) -> Answer<T> {
        let state = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            let begun = here::monotonic();
            let answer = question(&*state.store);
            let micros = ((here::monotonic() - begun) * 1e6) as u64;
            state.questions.fetch_add(1, Ordering::Relaxed);
            state.question_micros.fetch_add(micros, Ordering::Relaxed);
            answer
        })
        .await
        .map_err(|e| Error::host(e.to_string()))
        .and_then(|answer| answer)
        .map_err(|error| {
            here::print_error(&format!("{error}"));
            Refused(
                StatusCode::SERVICE_UNAVAILABLE,
                "the store does not answer".into(),
            )
        })
    }

    /// Writes a line of the audit log.
    async fn audit(self: &Arc<Self>, who: &str, what: &str, detail: &str) -> Answer<()> {
        let line = Audit {
            at: now(),
            who: who.to_string(),
            what: what.to_string(),
            detail: detail.chars().take(1000).collect(),
        };
        self.ask(move |store| store.audit(&line)).await
    }
}

/// Follows what other controllers on the same store change, until there are none or the process ends.
fn follow(state: &State) {
    loop {
        match state.store.news(Duration::from_secs(30)) {
            Ok(None) => return,
            Ok(Some(news)) => news.iter().for_each(|n| tell(state, n)),
            Err(error) => {
                here::print_error(&format!("other controllers are not heard: {error}"));
                std::thread::sleep(Duration::from_secs(1));
            }
        }
    }
}

/// Wakes whom it concerns.
fn tell(state: &State, news: &News) {
    match news {
        News::Host(name) => state.waiting.wake(name),
        News::Events => state.events.send_modify(|n| *n += 1),
        News::Run(run) => match state.store.run(run) {
            Ok(run) => run
                .iter()
                .flat_map(|r| &r.hosts)
                .for_each(|(host, _)| state.waiting.wake(host)),
            Err(_) => state.waiting.wake_all(),
        },
        News::Release => again(releases::reload(state)),
        News::Unknown => {
            again(releases::reload(state));
            state.waiting.wake_all();
            state.events.send_modify(|n| *n += 1);
        }
    }
}

fn again(done: Result<()>) {
    if let Err(error) = done {
        here::print_error(&format!("{error}"));
    }
}

/// Writes down who was heard of, now and then.
async fn note_heard(state: Arc<State>) {
    loop {
        tokio::time::sleep(HEARD).await;
        let hosts = state.queue.take_heard();
        if !hosts.is_empty() {
            // When it fails, hosts look as if they had been silent: until they are heard again.
            let _ = state.ask(move |store| store.seen(&hosts)).await;
        }
    }
}

/// A request that was refused: the status, and why.
#[derive(Debug)]
struct Refused(StatusCode, String);

type Answer<T> = std::result::Result<T, Refused>;

impl Refused {
    fn bad(why: impl Into<String>) -> Self {
        Self(StatusCode::BAD_REQUEST, why.into())
    }

    fn missing(what: &str) -> Self {
        Self(StatusCode::NOT_FOUND, format!("there is no such {what}"))
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = json(&Refusal { error: self.1 });
        *response.status_mut() = self.0;
        response
    }
}

fn json<T: serde::Serialize>(value: &T) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => ([(CONTENT_TYPE, "application/json")], body).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The body of a request, read only after its sender is known, and no longer than `most`.
async fn body(body: Body, most: usize) -> Answer<Vec<u8>> {
    axum::body::to_bytes(body, most)
        .await
        .map(|b| b.to_vec())
        .map_err(|_| {
            Refused(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the body is larger than {most} bytes, or was cut off"),
            )
        })
}

async fn json_body<T: serde::de::DeserializeOwned>(sent: Body, most: usize) -> Answer<T> {
    let bytes = body(sent, most).await?;
    serde_json::from_slice(&bytes)
        .map_err(|e| Refused::bad(format!("the body is not what is asked for: {e}")))
}

/// Seconds since 1970.
fn now() -> u64 {
    here::now() as u64
}

/// All that can be asked. `openapi` tells the same to programs; a test compares the two.
pub fn routes(state: Arc<State>) -> Router {
    use axum::extract::{Request, State as Extract};
    use axum::middleware::{Next, from_fn_with_state};
    async fn count(Extract(state): Extract<Shared>, request: Request, next: Next) -> Response {
        state.requests.fetch_add(1, Ordering::Relaxed);
        let answer = match auth::version(request.headers()) {
            // No name has one, and PostgreSQL takes none in a text.
            Ok(()) if request.uri().path().contains("%00") => {
                Refused::bad("a path cannot have a NUL").into_response()
            }
            Ok(()) => next.run(request).await,
            Err(refused) => refused.into_response(),
        };
        if answer.status().is_client_error() {
            state.refusals.fetch_add(1, Ordering::Relaxed);
        }
        answer
    }
    Router::new()
        .route("/healthz", get(operators::healthy))
        .route("/livez", get(operators::alive))
        .route("/readyz", get(operators::healthy))
        .route("/metrics", get(metrics::serve))
        .route("/openapi.json", get(openapi::serve))
        .route("/v1/enrol", post(agents::enrol))
        .route("/v1/enrol/challenge", post(join::challenge))
        .route("/v1/programs/{digest}", get(join::program))
        .route("/v1/agent/work", get(agents::work))
        .route("/v1/agent/bundles/{digest}", get(agents::bundle))
        .route("/v1/agent/events", post(agents::events))
        .route("/v1/agent/key", post(keys::renew))
        .route("/v1/agent/facts", post(agents::facts))
        .route("/v1/agent/releases/{counter}", get(releases::fetch))
        .route("/v1/agent/update", post(releases::outcome))
        .route("/v1/hosts", get(all(Role::Viewer, |store| store.hosts())))
        .route("/v1/hosts/{name}", delete(end(operators::FORGET_HOST)))
        .route("/v1/hosts/{name}/revoke", post(end(operators::REVOKE_HOST)))
        .route("/v1/hosts/{name}/rotate", post(end(operators::ROTATE_HOST)))
        .route("/v1/facts", get(all(Role::Viewer, |store| store.facts())))
        .route(
            "/v1/releases",
            get(all(Role::Viewer, |store| store.releases())).put(releases::put),
        )
        .route(
            "/v1/assignments",
            get(all(Role::Viewer, |store| store.assignments())).put(assignments::put),
        )
        .route("/v1/assignments/{name}", delete(end(assignments::UNASSIGN)))
        .route(
            "/v1/tokens",
            get(all(Role::Admin, |store| store.tokens())).post(operators::new_token),
        )
        .route("/v1/tokens/{id}", delete(end(operators::REVOKE_TOKEN)))
        .route(
            "/v1/operators",
            get(all(Role::Admin, |store| store.operators())).post(operators::new_operator),
        )
        .route("/v1/operators/{name}", delete(operators::remove_operator))
        .route("/v1/bundles", put(operators::put_bundle))
        .route(
            "/v1/runs",
            get(all(Role::Viewer, |store| store.runs(100))).post(operators::new_run),
        )
        .route("/v1/runs/{run}", get(operators::run))
        .route("/v1/runs/{run}/events", get(operators::events))
        .route(
            "/v1/audit",
            get(all(Role::Admin, |store| store.audits(1000))),
        )
        .layer(from_fn_with_state(Arc::clone(&state), count))
        .with_state(state)
}

/// Serves until the process is killed.
///
/// # Errors
/// When the address cannot be listened at.
pub fn serve(
    state: Arc<State>,
    listen: &str,
    names: &[String],
    ready: impl FnOnce(std::net::SocketAddr),
) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(ASKERS)
        .build()
        .map_err(|e| Error::host("cannot start a runtime").caused_by(e))?;
    let config = tls::config(&state.authority, names)?;
    let hears = Arc::clone(&state);
    std::thread::Builder::new()
        .name("news".into())
        .spawn(move || follow(&hears))
        .map_err(|e| Error::host("cannot start a thread").caused_by(e))?;
    let failed = |e: std::io::Error| {
        let taken = e.kind() == std::io::ErrorKind::AddrInUse;
        let error = Error::host(format!("cannot listen at {listen}")).caused_by(e);
        match taken {
            true => error.hint(
                "another program does, perhaps another `lks-ctl serve`: end it, or take another port by --listen",
            ),
            false => error,
        }
    };
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind(listen))
        .map_err(failed)?;
    // Outside of the runtime: it asks the store.
    ready(listener.local_addr().map_err(failed)?);
    runtime.block_on(async {
        tokio::spawn(note_heard(Arc::clone(&state)));
        let service = routes(state).into_make_service_with_connect_info::<Peer>();
        axum::serve(tls::Listener::new(listener, config), service)
            .await
            .map_err(failed)
    })
}
