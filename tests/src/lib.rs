//! Shared by the tests that cross crates.

pub mod aws;
pub mod cargo;
pub mod fleet;
pub mod models;
pub mod ports;
pub mod postgres;
pub mod readme;
pub mod rig;
