//! What `changed_when` and `failed_when` make of a result.

use super::result::ItemEnd;
use super::told::told;
use crate::error::Error;
use crate::event::Status;
use crate::value::{Key, Value};

/// What stands for the traceback of a failure, which there is none of: playbooks ask whether a result
/// has an `exception`.
const NO_TRACEBACK: &str = "(traceback unavailable)";

impl ItemEnd {
    pub(super) fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.result.insert(Key::from(name), value.into());
    }

    /// `changed_when` gave this.
    pub(super) fn judge_changed(&mut self, changed: bool) {
        self.set("changed", changed);
        if self.status != Status::Failed {
            self.status = if changed { Status::Changed } else { Status::Ok };
        }
    }

    /// `failed_when` gave this.
    pub(super) fn judge_failed(&mut self, failed: bool) {
        if !failed && self.failed() {
            self.result.shift_remove("exception");
            self.set("failed_when_suppressed_exception", NO_TRACEBACK);
        }
        self.set("failed", failed);
        self.set("failed_when_result", failed);
        self.status = match (failed, self.result.get("changed")) {
            (true, _) => Status::Failed,
            (false, Some(Value::Bool(true))) => Status::Changed,
            (false, _) => Status::Ok,
        };
        if !failed {
            self.error = None;
        }
    }

    /// A condition about the result could not be evaluated: the result stays, and has failed.
    pub(super) fn cannot_judge(&mut self, name: &str, error: &Error) {
        self.set("failed", true);
        self.set(name, error.message());
        self.status = Status::Failed;
        self.error = Some(told(error));
    }

    /// Marks a failure for playbooks that ask for its `exception`.
    pub(super) fn mark_failure(&mut self) {
        if self.status == Status::Failed {
            self.result
                .entry(Key::from("exception"))
                .or_insert_with(|| NO_TRACEBACK.into());
        }
    }
}
