//! THE SEAM: the only way in which lks sees and changes a machine.
//!
//! [`HostView`] reads, [`Host`] changes, and [`Effect`] is everything that can be changed, as data.
//! Modules get a `&dyn HostView`; only the engine holds a `&mut dyn Host`. Nothing outside this
//! folder may use `std::fs`, `std::process`, clocks or the environment (`agent/clippy.toml`).
//!
//! Check mode is another host: an overlay that remembers effects and answers reads from what it
//! remembers. What it cannot know is an error of kind [`Unknown`](crate::error::ErrorKind::Unknown).

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this folder is the seam: it is where machines are touched"
)]

mod clock;
mod consequence;
mod deb;
mod digest;
mod effect;
mod fake;
pub mod here;
mod memory;
mod note;
mod overlay;
mod pending;
mod probe;
mod real;
mod remember;
mod script;
mod tables;
mod tree;
mod view;
mod weights;
mod words;

pub use digest::{Hasher, digest_of};
pub use effect::*;
pub use fake::FakeHost;
pub use here::Paused;
pub use memory::is_provisional;
pub use note::FetchNote;
pub use overlay::Overlay;
pub use real::{RealHost, complete_environment};
pub use view::*;
