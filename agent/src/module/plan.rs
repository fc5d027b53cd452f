//! What a host module does: compare the wanted state with the host, and say what differs.

use super::Params;
use crate::error::Result;
use crate::host::{Effect, HostView, Outcome};
use crate::value::{Key, Map, Value};

/// A module that works on a host. Its parameters are its fields (see [`params!`](crate::params)).
pub trait Module: Params + Send + 'static {
    /// Compares the wanted state with the host. It may only read. Called again after the changes
    /// were applied when [`Plan::more`] says so; `cx.outcomes` then holds all outcomes so far.
    ///
    /// # Errors
    /// When the wanted state is impossible or the host cannot be read. An error of kind `Unknown`
    /// becomes "may change" in check mode.
    fn plan(&self, cx: &PlanCx<'_>) -> Result<Plan>;

    /// Completes the return values from what the effects gave. `outcomes` are in the order of the
    /// changes of all stages.
    ///
    /// # Errors
    /// A failure of the module itself is better said by [`Returns::fail`], which keeps the values.
    fn finish(&self, cx: &PlanCx<'_>, returns: &mut Returns, outcomes: &[Outcome]) -> Result<()> {
        let _ = (cx, returns, outcomes);
        Ok(())
    }

    /// Whether carrying it out is known to change nothing at all, so that check mode may run it for
    /// real when the playbook says that it is a probe (`changed_when: false`).
    fn only_reads(&self) -> bool {
        false
    }
}

/// What planning may read. It holds no way to change the host.
pub struct PlanCx<'a> {
    /// The host.
    pub host: &'a dyn HostView,
    /// How often this task was planned before (0 at first).
    pub stage: usize,
    /// Outcomes of the changes of earlier stages.
    pub outcomes: &'a [Outcome],
    /// Whether differences will be shown, so that texts for them are worth making.
    pub diff: bool,
    /// Whether the changes will only be remembered. Only for return values that Ansible words
    /// differently in check mode: a plan must not depend on it.
    pub check: bool,
}

/// What a task would do to the host. No changes means `ok`.
#[derive(Debug, Default)]
pub struct Plan {
    /// The differences, in the order in which they are to be removed.
    pub changes: Vec<Change>,
    /// What `register` receives besides the common values.
    pub returns: Returns,
    /// Plan again once these changes are applied, since later ones depend on them.
    pub more: bool,
}

impl Plan {
    /// A plan without changes that returns these values.
    #[must_use]
    pub fn returning(returns: Returns) -> Self {
        Self {
            returns,
            ..Self::default()
        }
    }

    /// Adds a difference and the effect that removes it.
    pub fn change(&mut self, diff: Diff, effect: Effect) {
        self.changes.push(Change {
            diff: Some(diff),
            effect,
            counts: true,
        });
    }

    /// Adds an effect that is no change of the host's state (waiting, asking a server).
    pub fn act(&mut self, effect: Effect) {
        self.changes.push(Change {
            diff: None,
            effect,
            counts: false,
        });
    }
}

/// A difference, and the effect that removes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What differs; nothing if there is nothing to show.
    pub diff: Option<Diff>,
    /// The effect.
    pub effect: Effect,
    /// Whether the task is "changed" by it.
    pub counts: bool,
}

/// Present against wanted state of one thing. Texts are compared line by line when shown; mappings
/// are shown as JSON, as Ansible does.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Diff {
    /// What it is about, such as a path.
    pub subject: String,
    /// Before: text, a mapping, or null where nothing is there.
    pub before: Value,
    /// After.
    pub after: Value,
}

impl Diff {
    /// A difference of `subject`.
    pub fn new(
        subject: impl Into<String>,
        before: impl Into<Value>,
        after: impl Into<Value>,
    ) -> Self {
        Self {
            subject: subject.into(),
            before: before.into(),
            after: after.into(),
        }
    }
}

/// What a task gives back: Ansible's names, plus how it went.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Returns {
    /// The values, under Ansible's names (`rc`, `stdout`, `dest`, …).
    pub values: Map,
    /// Overrides whether the task changed something (else: whether the plan had changes that count).
    pub changed: Option<bool>,
    /// Whether the task failed; its message is `msg`.
    pub failed: bool,
    /// Whether it did nothing on purpose (`creates` exists).
    pub skipped: bool,
    /// Host variables that the task sets (`ansible_facts`).
    pub facts: Map,
    /// Warnings for the user.
    pub warnings: Vec<String>,
    /// Differences that only carrying out showed (they replace the planned ones if there are any).
    pub diffs: Vec<Diff>,
}

impl Returns {
    /// Sets a value.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) -> &mut Self {
        self.values.insert(Key::from(name), value.into());
        self
    }

    /// Sets a value, for building in one expression.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.set(name, value);
        self
    }

    /// The task failed, and why.
    pub fn fail(&mut self, message: impl Into<String>) -> &mut Self {
        self.failed = true;
        self.set("msg", message.into())
    }

    /// A failed result with only a message.
    #[must_use]
    pub fn failure(message: impl Into<String>) -> Self {
        let mut returns = Self::default();
        returns.fail(message);
        returns
    }
}
