//! `ping`.

use crate::error::Result;
use crate::module::{Module, Plan, PlanCx, Returns};
use crate::params;

params! {
    /// Answers, if the host can be reached and run modules.
    ///
    /// ```yaml
    /// - ping:
    /// ```
    pub struct Ping {
        /// What is answered; `crash` fails on purpose.
        default("pong".to_owned()) data: String,
    }
}

/// What it returns.
pub const RETURNS: &[(&str, &str)] = &[("ping", "What `data` says.")];

impl Module for Ping {
    fn plan(&self, _: &PlanCx<'_>) -> Result<Plan> {
        if self.data == "crash" {
            return Ok(Plan::returning(Returns::failure(
                "Task failed: Module failed: boom",
            )));
        }
        Ok(Plan::returning(
            Returns::default().with("ping", self.data.as_str()),
        ))
    }

    fn only_reads(&self) -> bool {
        true
    }
}
