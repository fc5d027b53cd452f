//! The rig of real hosts.
fn main() {}
