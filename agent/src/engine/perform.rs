//! Carries one module out on one host: plan, apply, plan again where asked, finish.

use crate::error::{Error, Result};
use crate::host::{Host, Outcome, Progress};
use crate::module::{BoundModule, Diff, Plan, PlanCx, Returns};
use crate::value::Value;

/// How a module is carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mode {
    /// Effects are only remembered: the host is an overlay.
    pub check: bool,
    /// Differences will be shown.
    pub diff: bool,
}

/// How it went.
#[derive(Clone, Debug, Default)]
pub struct Performed {
    /// The return values.
    pub returns: Returns,
    /// Whether something changed (or, in check mode, would).
    pub changed: bool,
    /// Why check mode cannot know whether something would change.
    pub may_change: Option<String>,
    /// Why check mode cannot know all return values.
    pub unknown_values: Option<String>,
    /// What differed.
    pub diffs: Vec<Diff>,
}

/// A plan that asks for more than this many stages is a mistake of its module. Those that wait for hours
/// do so minute by minute.
const MAX_STAGES: usize = 1000;

/// Plans, and applies what the plan says, until the plan asks for no more.
///
/// # Errors
/// When planning fails or the host refuses. In check mode, what cannot be known is no error.
pub fn perform(
    module: &dyn BoundModule,
    host: &mut dyn Host,
    mode: Mode,
    progress: &dyn Fn(Progress),
) -> Result<Performed> {
    let mut done = Performed::default();
    let mut outcomes: Vec<Outcome> = Vec::new();
    for stage in 0..MAX_STAGES {
        let plan = {
            let cx = PlanCx {
                host: host.view(),
                stage,
                outcomes: &outcomes,
                diff: mode.diff,
                check: mode.check,
            };
            module.plan(&cx)
        };
        let Plan {
            changes,
            returns,
            more,
        } = match plan {
            Err(e) if e.is_unknown() && mode.check => {
                done.may_change = Some(e.message());
                return Ok(done);
            }
            other => other?,
        };
        let earlier = std::mem::replace(&mut done.returns, returns).warnings;
        keep_warnings(&mut done.returns, earlier);
        for change in changes {
            let outcome = host.apply(&change.effect, progress);
            match outcome {
                Err(e) if e.is_unknown() && mode.check => {
                    done.may_change = Some(e.message());
                    return Ok(done);
                }
                Err(e) => return Ok(failed(done, &e)),
                Ok(outcome) => outcomes.push(outcome),
            }
            done.changed |= change.counts;
            done.diffs.extend(change.diff.filter(|_| mode.diff));
        }
        if !more || done.returns.failed {
            return finish(module, host, mode, done, &outcomes);
        }
    }
    Err(Error::new(
        crate::error::ErrorKind::Internal,
        "the module's plan never ends",
    ))
}

/// What an earlier stage warned of still holds.
fn keep_warnings(returns: &mut Returns, earlier: Vec<String>) {
    let later = std::mem::replace(&mut returns.warnings, earlier);
    for warning in later {
        if !returns.warnings.contains(&warning) {
            returns.warnings.push(warning);
        }
    }
}

/// An effect failed: what was done before it stays reported.
fn failed(mut done: Performed, error: &Error) -> Performed {
    if done.returns.values.get("rc").is_some_and(Value::is_null) {
        // A program that cannot be started: Ansible gives the error number, which is ENOENT.
        done.returns.set("rc", 2);
    }
    done.returns.fail(error.message());
    done.returns.changed = Some(done.changed);
    done
}

fn finish(
    module: &dyn BoundModule,
    host: &dyn Host,
    mode: Mode,
    mut done: Performed,
    outcomes: &[Outcome],
) -> Result<Performed> {
    let cx = PlanCx {
        host: host.view(),
        stage: MAX_STAGES,
        outcomes,
        diff: mode.diff,
        check: mode.check,
    };
    match module.finish(&cx, &mut done.returns, outcomes) {
        Err(e) if e.is_unknown() && mode.check => done.unknown_values = Some(e.message()),
        other => other?,
    }
    if let Some(changed) = done.returns.changed {
        done.changed = changed;
    }
    if mode.diff && !done.returns.diffs.is_empty() {
        done.diffs = std::mem::take(&mut done.returns.diffs);
    }
    Ok(done)
}
