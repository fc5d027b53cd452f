//! The controller: what people type. It shares the agent's engine, so that `lks-ctl run` works on a
//! laptop with nothing else running. See README.md for the code map.

pub mod cli;
pub mod lint;
pub mod ssh;
