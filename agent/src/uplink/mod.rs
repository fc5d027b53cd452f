//! The way to the controller: enrolment, work, bundles, and the delivery of events.
//!
//! `identity` holds who this host is, `join` how it is let in, `client` speaks to the controller, `spool`
//! keeps a run's events and ends of tasks on disk, `daemon` does the work, `standing` is the identity in
//! use, `update` replaces the program, `notice` looks for EC2's notices. `wire` is what both sides send; the controller
//! uses the same types.

mod client;
pub mod daemon;
mod deliver;
pub mod identity;
pub mod join;
mod notice;
mod pinned;
pub mod spool;
mod standing;
pub mod update;
pub mod wire;

pub use client::{Answer, Client};
pub use daemon::{Daemon, Settings};
