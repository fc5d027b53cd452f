//! `state: absent`: deregistered, let go by the load balancer, and nothing in flight.

use super::flight::Flight;
use super::group::Place;
use super::hook::Hook;
use super::{
    ELB_V2, SLICE, Target, changed_first, go_on, judge, patient, port_of, seen, tell_stages, waits,
};
use crate::cloud::{Cloud, code};
use crate::error::Result;
use crate::host::{Effect, Outcome};
use crate::module::{Diff, Plan, PlanCx};
use std::time::Duration;

/// What is in flight is looked at this often.
const GLANCE: Duration = Duration::from_millis(500);
/// It is looked at once more for this long, however long the load balancer took.
const LAST_LOOK: f64 = 5.0;

/// How far it has come, by the outcomes of waiting.
struct Progress {
    /// Seconds that the load balancer took, and whether it let go.
    unused: (bool, f64),
    /// Seconds that the host took, and whether nothing was left in the end; nothing if that was not
    /// waited for yet.
    in_flight: Option<(bool, f64)>,
}

impl Progress {
    /// Waiting for the load balancer comes first, until it has let go or its time is up.
    fn of(outcomes: &[Outcome], bound: f64, gone_before: bool) -> Self {
        let mut progress = Self {
            unused: (gone_before, 0.0),
            in_flight: None,
        };
        for (met, seconds, _) in waits(outcomes) {
            let (gone, waited) = progress.unused;
            if !gone && waited + 0.5 < bound {
                progress.unused = (met, waited + seconds);
            } else {
                let before = progress.in_flight.map_or(0.0, |(_, s)| s);
                progress.in_flight = Some((met, before + seconds));
            }
        }
        progress
    }
}

impl Target {
    pub(super) fn leave(
        &self,
        cx: &PlanCx<'_>,
        cloud: &Cloud<'_>,
        place: &Place<'_>,
        mut plan: Plan,
    ) -> Result<Plan> {
        let hook = Hook::waiting(self, cloud)?;
        let hook = hook.as_ref();
        let mut gone_before = false;
        if cx.outcomes.is_empty() {
            let health = place.health(self, cloud)?;
            if health.is_registered() {
                self.warn_of_cuts(&mut plan, cloud, place);
                let request = cloud.sign(&place.call(self, "DeregisterTargets"))?;
                let subject = format!("{} in {}", place.id, place.group.name);
                let diff = Diff::new(subject, seen("present"), seen("absent"));
                plan.change(diff, patient(request, &[]));
                return go_on(plan);
            }
            if health.state == "draining" {
                // Said once more, which changes nothing, so that what follows is the same in both cases.
                let request = cloud.sign(&place.call(self, "DeregisterTargets"))?;
                plan.act(patient(request, &[]));
                return go_on(plan);
            }
            gone_before = true;
        } else if let Some(response) = changed_first(cx.outcomes) {
            match judge(&ELB_V2, "DeregisterTargets", response.clone()) {
                // Somebody was quicker.
                Err(error) if code(&error) == Some("InvalidTarget") => {}
                other => other?,
            }
        } else {
            // Nothing was to be deregistered: all waiting was for what is in flight.
            gone_before = true;
        }
        if !self.wait {
            self.complete(&mut plan, cloud, hook, "CONTINUE")?;
            return Ok(plan);
        }
        let bound = self.drain as f64;
        let progress = Progress::of(cx.outcomes, bound, gone_before);
        let (gone, waited) = progress.unused;
        if !gone && waited + 0.5 < bound {
            let left = Duration::from_secs_f64(bound - waited);
            if waited > 0.0 {
                self.heartbeat(&mut plan, cloud, hook)?;
            }
            plan.act(self.await_state(cloud, place, "unused", left)?);
            return go_on(plan);
        }
        let port = port_of(self, place);
        let flight = Flight::of(self, cx.host, port);
        let (drained, looked) = progress.in_flight.unwrap_or((false, 0.0));
        let left = (bound - waited).max(LAST_LOOK) - looked;
        if let Some(flight) = &flight
            && !drained
            && left > 0.2
        {
            if waited + looked > 0.0 {
                self.heartbeat(&mut plan, cloud, hook)?;
            }
            plan.act(Effect::Await {
                probe: flight.probe.clone(),
                delay: Duration::ZERO,
                timeout: Duration::from_secs_f64(left).min(SLICE),
                interval: GLANCE,
            });
            return go_on(plan);
        }
        tell_stages(
            &mut plan.returns,
            &[("unused", waited), ("in_flight", looked)],
        );
        let state = if gone { "unused" } else { "draining" };
        plan.returns.set("target_state", state);
        // The instance goes whatever came of this: its hook is not kept waiting.
        self.complete(&mut plan, cloud, hook, "CONTINUE")?;
        if !gone {
            plan.returns.warnings.push(format!(
                "the load balancer still says `draining` of {} after {waited:.0} s",
                place.id
            ));
        }
        if let Some(flight) = flight.filter(|_| !drained) {
            plan.returns.fail(format!(
                "there still are {} after {:.0} s: stopping the server now would cut answers; `drain` is how \
                 long an answer may take",
                flight.what,
                waited + looked
            ));
        }
        Ok(plan)
    }

    /// A load balancer that lets go sooner than the longest answer ends cuts it.
    fn warn_of_cuts(&self, plan: &mut Plan, cloud: &Cloud<'_>, place: &Place<'_>) {
        if let Some(seconds) = place.group.patience(self, cloud)
            && seconds < self.drain
        {
            plan.returns.warnings.push(format!(
                "{} cuts answers {seconds} s after a target is deregistered, and `drain` is {}: raise its \
                 deregistration_delay.timeout_seconds",
                place.group.name, self.drain
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waited(met: bool, elapsed: f64) -> Outcome {
        Outcome::Awaited {
            met,
            elapsed,
            groups: Vec::new(),
            answer: None,
        }
    }

    #[test]
    fn the_load_balancer_is_waited_for_first_and_both_share_the_time() {
        let told = Outcome::Responded(crate::host::Response::default());
        let of = |outcomes: &[Outcome], gone| {
            let progress = Progress::of(outcomes, 120.0, gone);
            (progress.unused, progress.in_flight)
        };
        let slices = [told.clone(), waited(false, 60.0), waited(true, 5.0)];
        assert_eq!(of(&slices, false), ((true, 65.0), None));
        let more = [&slices[..], &[waited(false, 55.0)]].concat();
        assert_eq!(of(&more, false), ((true, 65.0), Some((false, 55.0))));
        // One that never lets go: what is in flight is looked at all the same.
        let stuck = [
            told,
            waited(false, 60.0),
            waited(false, 60.0),
            waited(true, 1.0),
        ];
        assert_eq!(of(&stuck, false), ((false, 120.0), Some((true, 1.0))));
        assert_eq!(
            of(&[waited(true, 2.0)], true),
            ((true, 0.0), Some((true, 2.0)))
        );
    }
}
