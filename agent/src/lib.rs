//! The engine of lks: playbooks, hosts and modules. See README.md for the code map.

pub mod cli;
pub mod engine;
pub mod error;
pub mod event;
pub mod host;
pub mod inventory;
pub mod module;
pub mod modules;
pub mod playbook;
pub mod secret;
pub mod source;
pub mod value;
pub mod view;
