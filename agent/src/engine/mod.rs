//! The engine: plays, blocks, loops, handlers and strategies over n hosts, with Ansible's semantics.
//!
//! [`Run`] takes plays over an inventory; `play` is one batch of hosts, and `strategy` says in which
//! order they go; `cursor` says where each host stands; `task` is one task on one host, `invoke` one attempt of it; `runner` is
//! where a module is carried out, and `perform` how (plan, apply, finish). [`preflight`] finds
//! mistakes before anything runs. Events are all that leaves.

mod absent;
mod action;
mod action_groups;
pub mod adhoc;
mod aws;
pub mod background;
mod connect;
pub mod context;
mod cursor;
mod debugger;
mod emit;
mod expressions;
mod fact_cache;
mod files;
mod groups;
mod include;
mod invocation;
mod invoke;
pub mod job;
pub mod journal;
mod judge;
mod library;
mod load;
mod login;
mod meta;
mod notify;
mod options;
mod outcome;
mod outside;
mod parallel;
mod perform;
mod play;
mod play_vars;
mod polling;
pub mod preflight;
mod progress;
mod prompt;
mod result;
mod roster;
pub mod run;
pub mod runner;
pub mod seat;
mod sight;
mod sources;
mod steps;
pub mod stock;
pub mod strategy;
mod tags;
mod task;
mod told;

pub use absent::Absent;
pub use action::load_yaml;
pub use aws::AwsMemory;
pub use connect::LocalConnector;
pub use context::{Connector, Login};
pub use emit::Emitter;
pub use fact_cache::FactCache;
pub use groups::Groups;
pub use library::Library;
pub use load::HereFiles;
pub use options::{Gathering, Options};
pub use outside::Controller;
pub use perform::{Mode, Performed, perform};
pub use run::Run;
pub use sight::Sight;
pub use told::placed;
