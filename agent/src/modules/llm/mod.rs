//! `lks.llm`: bringing a host to the point where it answers, and keeping it there.

pub mod efs_mount;
pub mod gpu;
pub mod model;
pub mod preflight;
pub mod ready;
pub mod runtime;
pub mod target;
