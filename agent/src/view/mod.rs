//! Events made visible: the terminal, JSON, JUnit. Each view is a [`Sink`](crate::event::Sink) and a
//! fold of the same events; it writes into what its caller hands in, and asks no terminal, clock,
//! environment or file by itself.
//!
//! To add a view: one file, `impl Sink`, and a word for `--output` in `cli/run.rs`.

mod custom;
mod diff;
mod human;
mod json;
mod junit;
mod log;
mod minimal;
mod oneline;
mod tee;
#[cfg(test)]
mod tests;
mod text;
mod tree;
mod yaml;

pub use human::{Form, Human, HumanOptions};
pub use json::{Json, Lines};
pub use junit::Junit;
pub use log::Log;
pub use tee::Tee;
pub use text::{Layout, columns, dump, json_line, json_pretty, py_str};
pub use tree::Tree;
