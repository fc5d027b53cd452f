//! YAML as Ansible reads it, into a tree of [`Node`]s that know their place.
//!
//! The scanner is `granit-parser`; what scalars, tags, merge keys and anchors mean is decided here
//! the way PyYAML 6 and ansible-core 2.19 decide it (`resolve`, `compose`). `de` reads typed
//! structs out of the tree, `write` writes values the way PyYAML's dumper does.

mod compose;
mod de;
mod diagnose;
mod entries;
mod node;
mod resolve;
mod scalar;
mod tag;
mod write;

pub use compose::{Loaded, Warning, load};
pub use de::{from_node, from_str};
pub use node::{Kind, Node, NodeData};
pub use write::{Style, to_nice_string, to_string, to_styled_string};

pub(crate) use resolve::timestamp;
pub(crate) use write::python_float;

#[cfg(test)]
mod tests;
