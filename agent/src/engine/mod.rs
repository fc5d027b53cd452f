//! The engine: plays, blocks, loops, handlers and strategies over n hosts, with Ansible's semantics.

mod perform;

pub use perform::{Mode, Performed, perform};
