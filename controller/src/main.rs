//! lks-ctl
fn main() {}
