//! From text to typed plays. Nothing in here knows a host: text comes in, trees go out, and every
//! part of a tree knows its file, line and column. [`load`] starts; [`keyword`] is the table of what
//! may stand where; [`task`], [`role`] and [`play`] are the trees; [`yaml`], [`kv`] and [`vault`] read.

mod argspec;
pub mod keyword;
pub mod kv;
pub mod load;
pub mod play;
pub mod problems;
pub mod reserved;
pub mod role;
pub mod scope;
pub mod task;
pub mod vault;
pub mod yaml;
