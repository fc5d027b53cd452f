//! `lks.llm`: bringing a host to the point where it answers, and keeping it there.

pub mod ready;
