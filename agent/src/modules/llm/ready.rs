//! `lks.llm.ready`.

use crate::error::{Error, Result};
use crate::host::{Effect, Outcome, Probe, Request, Response};
use crate::module::llm::{Runtime, Server, complaint, listed};
use crate::module::{Module, Plan, PlanCx, Returns, Rule};
use crate::secret::Secret;
use crate::value::{Key, Map, Value};
use crate::{choices, params};
use serde_json::json;
use std::time::Duration;

/// A question that a server answers without computing gets its answer in this time, or counts as not answered.
const GLANCE: Duration = Duration::from_secs(5);
/// Pause between looks.
const INTERVAL: Duration = Duration::from_millis(500);
/// How long a dead server is given to come back, where nothing else is said.
const PATIENCE_ALIVE: u64 = 10;
/// How long loading may take, where nothing else is said: weights come over networks.
const PATIENCE_READY: u64 = 600;

choices! {
    /// What is asked.
    pub enum State { Ready = "ready", Alive = "alive" }
}

choices! {
    /// What the model is for.
    pub enum Job { Generate = "generate", Chat = "chat", Embed = "embed" }
}

params! {
    /// Waits until a model answers, or looks whether its server is alive.
    ///
    /// `state: ready` is asked once, before a host is put into service: the server answers, it lists the
    /// model, the model is in memory, and a first token comes *from that model* within a bound. The result
    /// tells how long each stage took.
    ///
    /// `state: alive` is asked again and again, of hosts in service. It asks only what the server answers
    /// without computing, and a server that takes the connection but is too busy to answer is *busy*,
    /// never dead: killing it would cut the answers that it is giving.
    ///
    /// Nothing is changed, but for a model that Ollama loads. In check mode nothing is generated, so
    /// `ready` is not known there.
    ///
    /// ```yaml
    /// - name: Llama 3 is in memory and answers
    ///   lks.llm.ready:
    ///     runtime: ollama
    ///     model: llama3
    ///     keep_alive: "-1"
    ///     timeout: 1800
    ///
    /// - name: Embeddings work
    ///   lks.llm.ready:
    ///     runtime: vllm
    ///     url: http://127.0.0.1:8000
    ///     model: BAAI/bge-m3
    ///     job: embed
    ///
    /// - name: The server is alive, busy or not
    ///   lks.llm.ready:
    ///     runtime: llama_cpp
    ///     state: alive
    /// ```
    pub struct Ready {
        /// The program that serves; `openai` is any that has OpenAI's API.
        required runtime: Runtime,
        /// The model, by the name under which it is asked.
        optional model: Option<String>,
        /// Where the server is; on this host and at the runtime's usual port if not given.
        optional url: Option<String>,
        /// `ready`, or only `alive`.
        default(State::Ready) state: State,
        /// What the model is asked to do: `generate` and `chat` one token, `embed` one word.
        default(Job::Generate) job: Job,
        /// Seconds for everything: 600 for `ready`, 10 for `alive`.
        optional timeout: Option<u64>,
        /// Seconds within which the first token must come, once the model is in memory.
        default(60) first_token: u64,
        /// How long Ollama keeps the model in memory afterwards, as Ollama takes it (`30m`; `-1` is for
        /// ever). The server's own setting if not given.
        optional keep_alive: Option<String>,
        /// What the server asks for as a bearer token.
        optional api_key: Option<Secret<String>>,
        /// Verify the server's certificate.
        default(true) validate_certs: bool,
    }
    rules [Rule::If("state", "ready", &["model"])]
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[
    ("alive", "Whether the server answers, or is too busy to."),
    (
        "busy",
        "Whether it took the connection and gave no answer in time.",
    ),
    ("loading", "Whether it is loading its model."),
    (
        "ready",
        "Whether the model gave its first token (or embedding).",
    ),
    ("model", "The model that was asked."),
    ("url", "Where."),
    (
        "stages",
        "Seconds of each stage: `alive`, `listed`, `loaded` (Ollama), `first_token`.",
    ),
    ("seconds", "Seconds of all of them."),
];

/// A step on the way to being ready, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Alive,
    Listed,
    Loaded,
    FirstToken,
}

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Listed => "listed",
            Self::Loaded => "loaded",
            Self::FirstToken => "first_token",
        }
    }
}

impl Module for Ready {
    fn plan(&self, cx: &PlanCx<'_>) -> Result<Plan> {
        let server = self.server()?;
        let mut plan = Plan::default();
        plan.returns.changed = Some(false);
        plan.returns.set("url", server.url.clone());
        match self.state {
            State::Alive => self.plan_alive(cx, plan, &server),
            State::Ready => self.plan_ready(cx, plan, &server),
        }
    }

    fn finish(&self, _: &PlanCx<'_>, returns: &mut Returns, outcomes: &[Outcome]) -> Result<()> {
        if outcomes.contains(&Outcome::Remembered) {
            return Err(Error::unknown("no model is asked in check mode"));
        }
        if self.state == State::Ready {
            self.tell_stages(returns, outcomes);
        }
        Ok(())
    }
}

impl Ready {
    fn server(&self) -> Result<Server> {
        let usual = || format!("http://127.0.0.1:{}", self.runtime.port());
        let url = self.url.clone().unwrap_or_else(usual);
        let server = Server {
            url: url.trim_end_matches('/').to_owned(),
            api_key: self.api_key.clone(),
            validate_certs: self.validate_certs,
        };
        match server.address() {
            Some(_) => Ok(server),
            None => Err(Error::params(format!("`{url}` is no URL of a server"))
                .hint("write it as http://HOST:PORT")),
        }
    }

    fn model(&self) -> &str {
        self.model.as_deref().unwrap_or_default()
    }

    fn stages(&self) -> &'static [Stage] {
        use Stage::{Alive, FirstToken, Listed, Loaded};
        // An embedding model is loaded by its first embedding: it refuses to generate nothing.
        if self.runtime.loads_late() && self.job != Job::Embed {
            &[Alive, Listed, Loaded, FirstToken]
        } else {
            &[Alive, Listed, FirstToken]
        }
    }

    fn plan_alive(&self, cx: &PlanCx<'_>, mut plan: Plan, server: &Server) -> Result<Plan> {
        match cx.outcomes.first() {
            None => {}
            Some(Outcome::Remembered) => return Ok(plan),
            Some(Outcome::Awaited { met: true, .. }) => {
                let why = format!(
                    "{} takes connections but gives no answer: it is busy",
                    server.url
                );
                plan.returns.warnings.push(why);
                plan.returns.set("alive", true).set("busy", true);
                return Ok(plan);
            }
            Some(_) => {
                plan.returns.set("alive", false);
                let seconds = self.timeout.unwrap_or(PATIENCE_ALIVE);
                let why = format!("nothing listens at {} for {seconds} s", server.url);
                plan.returns.fail(why);
                return Ok(plan);
            }
        }
        match cx.host.fetch(&server.get(self.runtime.liveness(), GLANCE)) {
            Ok(response) => {
                self.judge_alive(&mut plan.returns, server, &response);
                Ok(plan)
            }
            Err(e) if e.is_unknown() => Err(e),
            Err(_) => {
                // No answer: dead, or only busy? A socket that listens tells.
                let (host, port) = server.address().unwrap_or_default();
                plan.act(Effect::Await {
                    probe: Probe::PortOpen {
                        host,
                        port,
                        search: None,
                        connect_timeout: GLANCE,
                    },
                    delay: Duration::ZERO,
                    timeout: Duration::from_secs(self.timeout.unwrap_or(PATIENCE_ALIVE)),
                    interval: INTERVAL,
                });
                plan.more = true;
                Ok(plan)
            }
        }
    }

    fn judge_alive(&self, returns: &mut Returns, server: &Server, response: &Response) {
        // llama.cpp says 503 while it loads; elsewhere it means that the engine is gone.
        let loading = response.status == 503
            && self.runtime == Runtime::LlamaCpp
            && complaint(&response.body).contains("oading");
        let alive = loading || response.status < 500;
        returns
            .set("alive", alive)
            .set("busy", false)
            .set("loading", loading);
        if !alive {
            let said = complaint(&response.body);
            returns.fail(format!(
                "{} is up, and not well: HTTP {} {said}",
                server.url, response.status
            ));
        }
    }

    fn plan_ready(&self, cx: &PlanCx<'_>, mut plan: Plan, server: &Server) -> Result<Plan> {
        plan.returns.set("model", self.model());
        let stages = self.stages();
        let spent = spent(cx.outcomes);
        if let Some(last) = cx.outcomes.last() {
            let stage = stages[cx.outcomes.len() - 1];
            if let Some(why) = self.missed(stage, last, server) {
                plan.returns.set("ready", false).fail(why);
                return Ok(plan);
            }
        }
        let Some(stage) = stages.get(cx.outcomes.len()) else {
            plan.returns.set("ready", true).set("alive", true);
            return Ok(plan);
        };
        let whole = Duration::from_secs(self.timeout.unwrap_or(PATIENCE_READY));
        let mut left = whole.saturating_sub(spent);
        if *stage == Stage::FirstToken {
            left = left.min(Duration::from_secs(self.first_token));
        }
        let (request, search) = self.question(*stage, server, left);
        plan.act(Effect::Await {
            probe: Probe::Answer {
                request: Box::new(request),
                search,
                // The request itself is refused: by its key, its model, or its kind.
                hopeless: match stage {
                    Stage::Alive | Stage::Listed => vec![401, 403],
                    Stage::Loaded | Stage::FirstToken => vec![400, 401, 403, 404, 405, 422, 501],
                },
            },
            delay: Duration::ZERO,
            timeout: left,
            interval: INTERVAL,
        });
        plan.more = true;
        Ok(plan)
    }

    /// What the server is asked at a stage, and what its answer must hold.
    fn question(&self, stage: Stage, server: &Server, left: Duration) -> (Request, Option<String>) {
        let glance = GLANCE.min(left);
        match stage {
            Stage::Alive => (server.get(self.runtime.liveness(), glance), None),
            Stage::Listed => {
                let request = server.get(self.runtime.list(), glance);
                (request, Some(self.listing()))
            }
            Stage::Loaded => {
                // An empty request loads the model and generates nothing.
                let body = self.with_keep_alive(json!({"model": self.model(), "stream": false}));
                (server.post("/api/generate", &body, left), None)
            }
            Stage::FirstToken => {
                let (path, body) = self.one_token();
                (server.post(path, &body, left), None)
            }
        }
    }

    /// What a list says that has the model.
    fn listing(&self) -> String {
        let name = escaped(self.model());
        match self.runtime {
            Runtime::Ollama => format!(
                "\"(?:name|model)\"\\s*:\\s*\"{}(?::latest)?\"",
                name.strip_suffix(":latest").unwrap_or(&name)
            ),
            _ => format!("\"id\"\\s*:\\s*\"{name}\""),
        }
    }

    /// The smallest thing that the model can be asked to do.
    fn one_token(&self) -> (&'static str, serde_json::Value) {
        let model = self.model();
        let message = json!([{"role": "user", "content": "Hi"}]);
        match (self.runtime, self.job) {
            (Runtime::Ollama, Job::Generate) => {
                let body = json!({"model": model, "prompt": "Hi", "stream": false,
                    "options": {"num_predict": 1}});
                ("/api/generate", self.with_keep_alive(body))
            }
            (Runtime::Ollama, Job::Chat) => {
                let body = json!({"model": model, "messages": message, "stream": false,
                    "options": {"num_predict": 1}});
                ("/api/chat", self.with_keep_alive(body))
            }
            (Runtime::Ollama, Job::Embed) => {
                let body = json!({"model": model, "input": "Hi"});
                ("/api/embed", self.with_keep_alive(body))
            }
            (_, Job::Generate) => {
                let body = json!({"model": model, "prompt": "Hi", "max_tokens": 1});
                ("/v1/completions", body)
            }
            (_, Job::Chat) => {
                let body = json!({"model": model, "messages": message, "max_tokens": 1});
                ("/v1/chat/completions", body)
            }
            (_, Job::Embed) => ("/v1/embeddings", json!({"model": model, "input": "Hi"})),
        }
    }

    fn with_keep_alive(&self, mut body: serde_json::Value) -> serde_json::Value {
        if let Some(text) = &self.keep_alive {
            // A number is seconds; a text has a unit.
            body["keep_alive"] = match text.trim().parse::<i64>() {
                Ok(seconds) => seconds.into(),
                Err(_) => text.trim().into(),
            };
        }
        body
    }

    /// Why a stage was not reached; nothing if it was.
    fn missed(&self, stage: Stage, outcome: &Outcome, server: &Server) -> Option<String> {
        let Outcome::Awaited {
            met,
            elapsed,
            answer,
            ..
        } = outcome
        else {
            return None;
        };
        let (url, model) = (&server.url, self.model());
        let response = answer.as_deref().and_then(|a| a.as_ref().ok());
        if *met {
            return match (stage, response) {
                (Stage::FirstToken, Some(response)) => self.wrong_answer(response, url),
                _ => None,
            };
        }
        let last = match answer.as_deref() {
            Some(Ok(response)) => {
                format!("HTTP {}: {}", response.status, complaint(&response.body))
            }
            Some(Err(why)) => why.clone(),
            None => "no answer".into(),
        };
        let after = format!("after {elapsed:.1} s");
        Some(match stage {
            Stage::Alive => format!("{url} does not answer {after}: {last}"),
            Stage::Listed if response.is_some_and(|r| r.status == 200) => {
                let names = response.map(|r| listed(&r.body)).unwrap_or_default();
                let names = match names.is_empty() {
                    true => "it lists none".to_owned(),
                    false => format!("it lists {}", names.join(", ")),
                };
                format!("{url} does not list `{model}` {after}: {names}")
            }
            Stage::Listed => format!("{url} does not list its models {after}: {last}"),
            Stage::Loaded => format!("`{model}` is not in memory {after}: {last}"),
            Stage::FirstToken => format!("`{model}` gives no first token {after}: {last}"),
        })
    }

    /// What is wrong with an answer that came: another model gave it, or it holds nothing.
    fn wrong_answer(&self, response: &Response, url: &str) -> Option<String> {
        let body: serde_json::Value = serde_json::from_slice(&response.body).unwrap_or_default();
        let wanted = self.model();
        if let Some(other) = body["model"].as_str()
            && !self.runtime.same_model(other, wanted)
        {
            return Some(format!("{url} answers as `{other}`, and not as `{wanted}`"));
        }
        let some = |key: &str| body[key].as_array().is_some_and(|a| !a.is_empty());
        let holds = match self.job {
            Job::Embed => some("data") || some("embeddings"),
            _ => some("choices") || body["done"].as_bool() == Some(true),
        };
        let said = complaint(&response.body);
        (!holds).then(|| format!("{url} answers `{wanted}` with no token: {said}"))
    }

    fn tell_stages(&self, returns: &mut Returns, outcomes: &[Outcome]) {
        let mut times = Map::new();
        for (stage, outcome) in self.stages().iter().zip(outcomes) {
            if let Outcome::Awaited {
                met: true, elapsed, ..
            } = outcome
            {
                let rounded = (elapsed * 1000.0).round() / 1000.0;
                times.insert(Key::from(stage.name()), Value::Float(rounded));
            }
        }
        let seconds = spent(outcomes).as_secs_f64();
        returns
            .set("stages", times)
            .set("seconds", (seconds * 1000.0).round() / 1000.0);
    }
}

/// The time that all stages took so far.
fn spent(outcomes: &[Outcome]) -> Duration {
    let seconds = outcomes.iter().map(|outcome| match outcome {
        Outcome::Awaited { elapsed, .. } => *elapsed,
        _ => 0.0,
    });
    Duration::from_secs_f64(seconds.sum::<f64>().max(0.0))
}

/// A name as a regular expression that matches only it.
fn escaped(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        if !(c.is_alphanumeric() || "-_/: ".contains(c)) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
