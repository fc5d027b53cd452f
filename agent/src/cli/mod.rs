//! The command line.
pub mod execute;
mod listing;
