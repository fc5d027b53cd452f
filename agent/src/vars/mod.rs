//! Variables: where each comes from, and which one wins. [`Layer`] is Ansible's order of precedence;
//! a [`Stack`] is what one task on one host sees.

mod host;
mod stack;

pub use host::HostVars;
pub use stack::{Layer, Others, Stack};
