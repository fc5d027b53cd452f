//! lks-agent
fn main() {}
