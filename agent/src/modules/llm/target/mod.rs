//! `lks.llm.target`.

mod arrive;
mod flight;
mod group;
mod health;
mod hook;
mod leave;

use crate::cloud::service::{AUTO_SCALING, ELB_V2};
use crate::cloud::{Call, Cloud, Service, judged};
use crate::error::{Error, Result};
use crate::host::{Effect, Outcome, Probe, Request, Response};
use crate::module::llm::Runtime;
use crate::module::{Module, Plan, PlanCx, Returns};
use crate::secret::Secret;
use crate::value::{Key, Map, Value};
use crate::{choices, params};
use group::{Group, Place};
use hook::Hook;
use std::time::Duration;

/// A signed request is good for minutes, and a lifecycle hook wants to hear of us: no longer than this is
/// waited at a time.
const SLICE: Duration = Duration::from_secs(60);

choices! {
    /// Whether the load balancer sends this host requests.
    pub enum State { Present = "present" | "registered", Absent = "absent" | "drained" }
}

choices! {
    /// What becomes of a lifecycle hook when the host did not get healthy.
    pub enum OnFailure { Abandon = "abandon", Continue = "continue", Wait = "wait" }
}

params! {
    /// Puts this host into the service of a load balancer (Elastic Load Balancing v2), or takes it out
    /// without cutting an answer.
    ///
    /// `state: present` registers the host with a target group and waits until it is healthy. What the load
    /// balancer says is explained: a target that is `unused` because nothing forwards to its group fails at
    /// once, since no waiting would help; one that is `unhealthy` fails when the time is up, with the check
    /// that it does not pass and what to look at. Register a host when its model is in memory
    /// (`lks.llm.ready`), not before.
    ///
    /// `state: absent` deregisters it, waits until the load balancer has let go of it (`draining` is over),
    /// and until nothing is in flight on the host: by the runtime's own counters where it has some (vLLM,
    /// SGLang, llama.cpp), else by the connections to its port. Only then may the runtime be stopped: Ollama
    /// and others cut the answers that they are giving. `drain` is the longest that an answer may take.
    ///
    /// With `lifecycle_hook`, a hook of the Auto Scaling group that waits for this instance hears of it
    /// (heartbeats) as long as this takes, and is completed in the end.
    ///
    /// Credentials are those of the instance's role; `templates/host-policy.yml` has the permissions.
    ///
    /// ```yaml
    /// - name: In service
    ///   lks.llm.target:
    ///     target_group: lks-tg-chat
    ///     port: 11434
    ///
    /// - name: Out of service, and nobody notices
    ///   lks.llm.target:
    ///     target_group: lks-tg-chat
    ///     port: 11434
    ///     runtime: ollama
    ///     state: absent
    ///     drain: 300
    ///
    /// - name: A new instance of an Auto Scaling group
    ///   lks.llm.target:
    ///     target_group: "{{ target_group_arn }}"
    ///     lifecycle_hook: lks-hook-ready
    /// ```
    pub struct Target {
        /// Name or ARN of the target group.
        required target_group: String,
        /// `present` or `absent`.
        default(State::Present) state: State,
        /// Id of the instance, or the address where the group has addresses; this host's own, from the
        /// instance metadata, if not given.
        optional target: Option<String>,
        /// The port; that of the group if not given.
        optional port: Option<u16>,
        /// Zone of an address that is not in the group's network (`all`).
        optional availability_zone: Option<String>,
        /// The region; this host's own if not given.
        optional region: Option<String>,
        /// Wait until it is healthy, or drained.
        default(true) wait: bool,
        /// Seconds within which it must be healthy.
        default(300) timeout: u64,
        /// Seconds that the longest answer may take: no longer is waited for answers that are under way.
        default(300) drain: u64,
        /// Seconds between two looks at the load balancer.
        default(3) interval: u64,
        /// The program that serves, by whose counters is seen what is in flight.
        optional runtime: Option<Runtime>,
        /// Where it is; on this host and at the target's port if not given.
        optional url: Option<String>,
        /// What it asks for as a bearer token.
        optional api_key: Option<Secret<String>>,
        /// Addresses whose connections are not in flight (a monitor's), where connections are counted.
        optional exclude_hosts: Option<Vec<String>>,
        /// A lifecycle hook of the Auto Scaling group that this instance is in. A hook that does not wait
        /// (any more) is left alone.
        optional lifecycle_hook: Option<String>,
        /// When the host does not get healthy: `abandon` has the Auto Scaling group replace it, `continue`
        /// puts it into service nevertheless, `wait` leaves the hook to its own timeout.
        default(OnFailure::Abandon) lifecycle_on_failure: OnFailure,
    }
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[
    ("target_group", "ARN of the group."),
    ("target", "The target: an instance's id, or an address."),
    (
        "target_state",
        "What the load balancer says of it in the end: `healthy`, `unused` and others.",
    ),
    ("reason", "Why, in the load balancer's words, if it says."),
    (
        "stages",
        "Seconds of each stage: `healthy`; or `unused` (the load balancer let go) and `in_flight` (nothing was left).",
    ),
    ("seconds", "Seconds of all of them."),
    (
        "lifecycle",
        "What the lifecycle hook was told, if one waited: `CONTINUE` or `ABANDON`.",
    ),
];

impl Module for Target {
    fn plan(&self, cx: &PlanCx<'_>) -> Result<Plan> {
        let cloud = Cloud::new(cx.host);
        let group = Group::find(self, &cloud)?;
        let id = match &self.target {
            Some(id) => id.clone(),
            None => group.own_id(&cloud)?,
        };
        let place = Place { group: &group, id };
        let mut plan = Plan::default();
        plan.returns
            .set("target_group", group.arn.clone())
            .set("target", place.id.clone());
        if cx.outcomes.contains(&Outcome::Remembered) {
            return Ok(plan);
        }
        match self.state {
            State::Present => self.arrive(cx, &cloud, &place, plan),
            State::Absent => self.leave(cx, &cloud, &place, plan),
        }
    }

    fn finish(&self, _: &PlanCx<'_>, returns: &mut Returns, outcomes: &[Outcome]) -> Result<()> {
        if outcomes.contains(&Outcome::Remembered) {
            return Err(Error::unknown(
                "the load balancer is told nothing in check mode",
            ));
        }
        let told = returns.values.get("lifecycle").is_some();
        if told && let Some(Outcome::Responded(response)) = outcomes.last() {
            judge(Hook::SERVICE, "CompleteLifecycleAction", response.clone())?;
        }
        Ok(())
    }
}

impl Target {
    fn elb(&self, action: &str) -> Call {
        self.here(Call::query(&ELB_V2, action))
    }

    fn auto_scaling(&self, action: &str) -> Call {
        self.here(Call::query(&AUTO_SCALING, action))
    }

    fn here(&self, call: Call) -> Call {
        match &self.region {
            Some(region) => call.in_region(region.clone()),
            None => call,
        }
    }

    /// Waits until the load balancer says one of these states, and no longer than a slice.
    fn await_state(
        &self,
        cloud: &Cloud<'_>,
        place: &Place<'_>,
        states: &str,
        left: Duration,
    ) -> Result<Effect> {
        let request = cloud.sign(&place.call(self, "DescribeTargetHealth"))?;
        Ok(Effect::Await {
            probe: Probe::Answer {
                request: Box::new(request),
                // A group that never had the target answers without a row.
                search: Some(format!(
                    r"<State>(?:{states})</State>|<TargetHealthDescriptions\s*/>"
                )),
                hopeless: vec![401, 403],
            },
            delay: Duration::ZERO,
            timeout: left.min(SLICE),
            interval: Duration::from_secs(self.interval.max(1)),
        })
    }

    /// Tells the hook that waits for this host that it still works.
    fn heartbeat(&self, plan: &mut Plan, cloud: &Cloud<'_>, hook: Option<&Hook>) -> Result<()> {
        if let Some(hook) = hook {
            let request = cloud.sign(&hook.heartbeat(self))?;
            plan.act(Effect::Http(Box::new(request)));
        }
        Ok(())
    }

    /// Tells it how this ended.
    fn complete(
        &self,
        plan: &mut Plan,
        cloud: &Cloud<'_>,
        hook: Option<&Hook>,
        result: &str,
    ) -> Result<()> {
        if let Some(hook) = hook {
            let request = cloud.sign(&hook.complete(self, result))?;
            plan.act(Effect::Http(Box::new(request)));
            plan.returns.set("lifecycle", result);
        }
        Ok(())
    }
}

/// Whether a change was carried out, by its answer.
fn judge(service: &'static Service, action: &str, response: Response) -> Result<()> {
    judged(&Call::query(service, action), response).map(drop)
}

/// A signed change, sent again while the service says one of these words.
fn patient(mut request: Request, words: &[&str]) -> Effect {
    if let Some(patience) = &mut request.patience {
        patience.words.extend(words.iter().map(|w| (*w).to_owned()));
    }
    Effect::Http(Box::new(request))
}

/// Whether the first outcome is the answer to a change (and not of waiting).
fn changed_first(outcomes: &[Outcome]) -> Option<&Response> {
    match outcomes.first() {
        Some(Outcome::Responded(response)) => Some(response),
        _ => None,
    }
}

/// What the outcomes of waiting were: whether it came to pass, and the seconds.
fn waits(outcomes: &[Outcome]) -> impl Iterator<Item = (bool, f64, Option<&Response>)> {
    outcomes.iter().filter_map(|outcome| match outcome {
        Outcome::Awaited {
            met,
            elapsed,
            answer,
            ..
        } => {
            let answer = answer.as_deref().and_then(|a| a.as_ref().ok());
            Some((*met, *elapsed, answer))
        }
        _ => None,
    })
}

/// Seconds, to thousandths.
fn rounded(seconds: f64) -> Value {
    Value::Float((seconds * 1000.0).round() / 1000.0)
}

fn tell_stages(returns: &mut Returns, stages: &[(&str, f64)]) {
    let mut times = Map::new();
    for (name, seconds) in stages {
        times.insert(Key::from(*name), rounded(*seconds));
    }
    let all = stages.iter().map(|(_, seconds)| seconds).sum();
    returns.set("stages", times).set("seconds", rounded(all));
}

/// How a host is seen by its load balancer, as a difference shows it.
fn seen(state: &str) -> Value {
    let mut map = Map::new();
    map.insert(Key::from("registered"), (state != "absent").into());
    map.into()
}

/// The host as it is now, for what is asked of its own server.
fn port_of(target: &Target, place: &Place<'_>) -> Option<u16> {
    target.port.or(place.group.port)
}

/// Marks that a plan goes on once its effects are there.
fn go_on(mut plan: Plan) -> Result<Plan> {
    plan.more = true;
    Ok(plan)
}
