//! The controller: what people type, and the server that agents report to. It shares the agent's
//! engine, so that `lks-ctl run` works on a laptop with nothing else running. See README.md for the
//! code map.

pub mod api;
pub mod aws;
pub mod bootstrap;
pub mod bundle;
pub mod cli;
pub mod enrol;
pub mod explain;
pub mod fleet;
pub mod lint;
pub mod ssh;
pub mod store;
pub mod told;
pub mod trace;
