//! `meta`.

use crate::choices;
use crate::error::Result;
use crate::module::{Action, ActionCx, Returns, engine_only};
use crate::params;

choices! {
    /// What the engine should do.
    pub enum Order {
        ClearFacts = "clear_facts", ClearHostErrors = "clear_host_errors", EndBatch = "end_batch",
        EndHost = "end_host", EndPlay = "end_play", EndRole = "end_role",
        FlushHandlers = "flush_handlers", Noop = "noop", RefreshInventory = "refresh_inventory",
        ResetConnection = "reset_connection",
    }
}

params! {
    /// Tells the engine to do something.
    ///
    /// `flush_handlers` runs the handlers that were notified so far. `end_host`, `end_play`,
    /// `end_batch` and `end_role` end the run for the host, the play, the batch of hosts or the role,
    /// without a failure. `clear_facts` forgets facts, `clear_host_errors` lets failed hosts take part
    /// in the next play, `refresh_inventory` reads the inventory again, `reset_connection` connects
    /// anew, `noop` does nothing.
    ///
    /// ```yaml
    /// - meta: flush_handlers
    ///
    /// - meta: end_host
    ///   when: gpus == 0
    /// ```
    pub struct Meta {
        /// What to do.
        required _raw_params: Order,
    }
}

impl Action for Meta {
    fn run(&self, _: &mut dyn ActionCx) -> Result<Returns> {
        engine_only("meta")
    }
}
