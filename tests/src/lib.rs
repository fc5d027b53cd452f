//! Shared by the tests that cross crates.

pub mod aws;
pub mod models;
pub mod rig;
