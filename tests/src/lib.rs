//! Shared by the tests that cross crates.

pub mod models;
pub mod rig;
