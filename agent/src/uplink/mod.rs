//! The way to the controller: enrolment, work, bundles, and the delivery of events.
//!
//! `identity` holds who this host is, `client` speaks to the controller, `spool` keeps a run's events
//! and ends of tasks on disk, `daemon` does the work. `wire` is what both sides send; the controller
//! uses the same types.

mod client;
pub mod daemon;
mod deliver;
pub mod identity;
mod pinned;
pub mod spool;
pub mod wire;

pub use client::{Answer, Client};
pub use daemon::{Daemon, Settings};

/// Lower-case hex digits.
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Bytes from hex digits.
#[must_use]
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(text.get(i..i + 2)?, 16).ok())
        .collect()
}
