//! What a load balancer says of a target, and what that means ("TargetHealth" and "DescribeTargetHealth" in
//! the reference of Elastic Load Balancing, version 2015-12-01).

use super::group::Group;
use crate::cloud::{Answer, Element};
use crate::error::Result;

/// The state of one target.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Health {
    /// `initial`, `healthy`, `unhealthy`, `unused`, `draining` or `unavailable`.
    pub state: String,
    /// `Target.Timeout` and others.
    pub reason: String,
    /// The reason for people.
    pub description: String,
}

impl Health {
    /// That of the one target that was asked for.
    pub fn of(answer: &Answer) -> Result<Self> {
        let told = answer.xml()?;
        let list = told.list("DescribeTargetHealthResult/TargetHealthDescriptions");
        let Some(health) = list.first().and_then(|m| m.child("TargetHealth")) else {
            // No row: it is not registered.
            return Ok(Self::unregistered());
        };
        let text = |name: &str| Element::text_at(health, name).to_owned();
        Ok(Self {
            state: text("State"),
            reason: text("Reason"),
            description: text("Description"),
        })
    }

    fn unregistered() -> Self {
        Self {
            state: "unused".into(),
            reason: "Target.NotRegistered".into(),
            description: String::new(),
        }
    }

    /// Whether the group knows the target (and does not let go of it).
    pub fn is_registered(&self) -> bool {
        match self.state.as_str() {
            "draining" => false,
            "unused" => self.reason != "Target.NotRegistered",
            _ => true,
        }
    }

    /// Whether it gets requests, or would if it had a load balancer's checks.
    pub fn is_in_service(&self) -> bool {
        self.state == "healthy" || self.is_unchecked()
    }

    /// Whether nobody looks at it: it gets requests, whatever it is like.
    pub fn is_unchecked(&self) -> bool {
        self.state == "unavailable" && self.reason == "Target.HealthCheckDisabled"
    }

    /// Whether waiting cannot help: nobody will ever send it a request as things are.
    pub fn is_hopeless(&self) -> bool {
        self.state == "unused" && self.reason != "Target.NotRegistered"
    }

    /// In one line.
    pub fn words(&self) -> String {
        let mut words = self.state.clone();
        if !self.reason.is_empty() {
            words.push_str(&format!(" ({})", self.reason));
        }
        if !self.description.is_empty() {
            words.push_str(&format!(": {}", self.description.trim_end_matches('.')));
        }
        words
    }

    /// What helps.
    pub fn advice(&self, group: &Group, port: Option<u16>) -> Option<String> {
        let port = port.or(group.port);
        let place = port.map_or_else(|| "its port".to_owned(), |p| format!("port {p}"));
        let check = group.check(port);
        Some(match self.reason.as_str() {
            "Target.NotInUse" if group.load_balancers.is_empty() => format!(
                "no listener of a load balancer forwards to {}: add it to a listener or a rule",
                group.name
            ),
            "Target.NotInUse" => {
                "the load balancer has no subnet in the target's availability zone: enable that zone \
                 (`aws elbv2 set-subnets`), or register the target elsewhere"
                    .into()
            }
            "Target.InvalidState" => "the instance is not running: start it, then register it".into(),
            "Target.IpUnusable" => {
                "the address cannot be a target: it is a load balancer's own, or outside the networks that \
                 the group may reach"
                    .into()
            }
            "Target.NotRegistered" => "something deregistered it meanwhile".into(),
            "Target.ResponseCodeMismatch" => format!(
                "the health check is {check}, and wants {}: give the group a path that the runtime answers \
                 without computing (Ollama: /api/version; vLLM, SGLang and llama.cpp: /health)",
                group.matcher
            ),
            "Target.Timeout" => format!(
                "the health check is {check}: does the host's security group let the load balancer in on \
                 {place}, and does the server answer in time while it computes?"
            ),
            "Target.FailedHealthChecks" => format!(
                "the health check is {check}: does the server listen on {place} of every address (0.0.0.0, \
                 not 127.0.0.1)?"
            ),
            "Elb.RegistrationInProgress" | "Elb.InitialHealthChecking" => format!(
                "the load balancer has not made up its mind: it looks every {} s and wants {} answers, so a \
                 longer `timeout` may be all",
                group.interval, group.healthy_threshold
            ),
            "Elb.InternalError" => "that is the load balancer's own fault: try again later".into(),
            _ => return None,
        })
    }
}
