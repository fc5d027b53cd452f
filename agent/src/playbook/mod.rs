//! From text to typed plays. Nothing in here knows a host: text comes in, trees go out, and every
//! part of a tree knows its file, line and column.

pub mod kv;
pub mod vault;
pub mod yaml;
