//! `lks.llm`: bringing a host to the point where it answers, and keeping it there.

pub mod model;
pub mod ready;
pub mod target;
