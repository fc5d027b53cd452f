//! The engine of lks: playbooks, hosts and modules. See README.md for the code map.

pub mod bundle;
pub mod caller;
pub mod cli;
pub mod cloud;
pub mod encoding;
pub mod engine;
pub mod error;
pub mod event;
pub mod facts;
pub mod host;
pub mod inventory;
pub mod module;
pub mod modules;
pub mod pattern;
pub mod playbook;
pub mod secret;
pub mod source;
pub mod template;
pub mod uplink;
pub mod value;
pub mod vars;

/// The ansible-core release whose behaviour is followed.
pub const ANSIBLE_VERSION: &str = "2.19.14";
pub mod view;
