//! `state: present`: registered, then healthy.

use super::group::Place;
use super::health::Health;
use super::hook::Hook;
use super::{
    ELB_V2, OnFailure, Target, changed_first, go_on, judge, patient, port_of, seen, tell_stages,
    waits,
};
use crate::cloud::{Call, Cloud, code, judged};
use crate::error::Result;
use crate::host::Response;
use crate::module::{Diff, Plan, PlanCx};
use std::time::Duration;

/// A target that was just registered may not be known everywhere yet, in seconds.
const SETTLING: f64 = 15.0;

impl Target {
    pub(super) fn arrive(
        &self,
        cx: &PlanCx<'_>,
        cloud: &Cloud<'_>,
        place: &Place<'_>,
        mut plan: Plan,
    ) -> Result<Plan> {
        let hook = Hook::waiting(self, cloud)?;
        let hook = hook.as_ref();
        if cx.outcomes.is_empty() {
            let health = place.health(self, cloud)?;
            if !health.is_registered() {
                let request = cloud.sign(&place.call(self, "RegisterTargets"))?;
                let subject = format!("{} in {}", place.id, place.group.name);
                let diff = Diff::new(subject, seen("absent"), seen("present"));
                // InvalidTarget is said of an instance that is still starting.
                plan.change(diff, patient(request, &["InvalidTarget"]));
                return go_on(plan);
            }
            if !self.wait || health.is_in_service() || health.is_hopeless() {
                return self.arrived(plan, cloud, place, hook, health, 0.0);
            }
            return self.wait_on(plan, cloud, place, hook, 0.0);
        }
        if let Some(response) = changed_first(cx.outcomes) {
            judge(&ELB_V2, "RegisterTargets", response.clone()).map_err(|error| {
                match code(&error) {
                    Some("InvalidTarget") => error.hint(
                        "an instance must be running, and in the group's network, to be its target",
                    ),
                    _ => error,
                }
            })?;
        }
        let waited: f64 = waits(cx.outcomes).map(|(_, seconds, _)| seconds).sum();
        let last = waits(cx.outcomes).last();
        let Some((_, _, answer)) = last else {
            if !self.wait {
                let health = place.health(self, cloud)?;
                return self.arrived(plan, cloud, place, hook, health, 0.0);
            }
            return self.wait_on(plan, cloud, place, hook, 0.0);
        };
        let health = self.told(answer)?;
        let over = waited + 0.5 >= self.timeout as f64;
        match health {
            Some(h) if h.is_in_service() || h.is_hopeless() || over => {
                self.arrived(plan, cloud, place, hook, h, waited)
            }
            Some(h) if !h.is_registered() && waited > SETTLING => {
                self.arrived(plan, cloud, place, hook, h, waited)
            }
            None if over => {
                let unknown = Health {
                    state: "unknown".into(),
                    reason: String::new(),
                    description: "the load balancer gave no answer".into(),
                };
                self.arrived(plan, cloud, place, hook, unknown, waited)
            }
            _ => self.wait_on(plan, cloud, place, hook, waited),
        }
    }

    /// What an answer says of the target; nothing if the service was only too busy to say.
    fn told(&self, answer: Option<&Response>) -> Result<Option<Health>> {
        let Some(response) = answer else {
            return Ok(None);
        };
        let call = Call::query(&ELB_V2, "DescribeTargetHealth");
        match judged(&call, response.clone()) {
            Ok(answer) => Health::of(&answer).map(Some),
            Err(error) => match code(&error) {
                Some("InvalidTarget" | "Throttling" | "ThrottlingException") => Ok(None),
                _ if response.status >= 500 => Ok(None),
                _ => Err(error),
            },
        }
    }

    fn wait_on(
        &self,
        mut plan: Plan,
        cloud: &Cloud<'_>,
        place: &Place<'_>,
        hook: Option<&Hook>,
        waited: f64,
    ) -> Result<Plan> {
        let left = (self.timeout as f64 - waited).max(0.0);
        let mut left = Duration::from_secs_f64(left);
        if waited < SETTLING {
            // A first short look, so that what is hopeless is seen soon.
            left = left.min(Duration::from_secs_f64(SETTLING));
        }
        self.heartbeat(&mut plan, cloud, hook)?;
        // Not registered is a state to wait out only while it is new.
        let states = match waited < SETTLING {
            true => "healthy|unavailable",
            false => "healthy|unavailable|unused",
        };
        plan.act(self.await_state(cloud, place, states, left)?);
        go_on(plan)
    }

    /// The end, good or bad.
    fn arrived(
        &self,
        mut plan: Plan,
        cloud: &Cloud<'_>,
        place: &Place<'_>,
        hook: Option<&Hook>,
        health: Health,
        waited: f64,
    ) -> Result<Plan> {
        plan.returns.set("target_state", health.state.clone());
        if !health.reason.is_empty() {
            plan.returns.set("reason", health.reason.clone());
        }
        tell_stages(&mut plan.returns, &[("healthy", waited)]);
        if health.is_unchecked() {
            let why =
                "health checks are off for this group: requests come whatever the host is like";
            plan.returns.warnings.push(why.into());
        }
        if !self.wait || health.is_in_service() {
            self.complete(&mut plan, cloud, hook, "CONTINUE")?;
            return Ok(plan);
        }
        let result = match self.lifecycle_on_failure {
            OnFailure::Abandon => Some("ABANDON"),
            OnFailure::Continue => Some("CONTINUE"),
            OnFailure::Wait => None,
        };
        if let Some(result) = result {
            self.complete(&mut plan, cloud, hook, result)?;
        }
        let mut why = format!("{} is not in the service of {}", place.id, place.group.name);
        if waited > 0.0 {
            why.push_str(&format!(" after {waited:.0} s"));
        }
        why.push_str(&format!(": {}", health.words()));
        if let Some(advice) = health.advice(place.group, port_of(self, place)) {
            why.push_str(&format!(". {advice}"));
        }
        plan.returns.fail(why);
        Ok(plan)
    }
}
