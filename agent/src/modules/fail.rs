//! `fail`.

use crate::error::Result;
use crate::module::{Action, ActionCx, Returns};
use crate::params;
use crate::value::Value;

params! {
    /// Fails with a message.
    ///
    /// ```yaml
    /// - fail:
    ///     msg: this host has no GPU
    ///   when: gpus == 0
    /// ```
    pub struct Fail {
        /// The message.
        default("Failed as requested from task".into()) msg: Value,
    }
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[("msg", "The message.")];

impl Action for Fail {
    fn run(&self, _: &mut dyn ActionCx) -> Result<Returns> {
        let mut returns = Returns::default().with("msg", self.msg.clone());
        returns.failed = true;
        Ok(returns)
    }
}
